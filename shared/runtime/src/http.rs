//! The HTTP client for everything that is not AWS, and where it may go.

use std::{net::IpAddr, sync::Arc, time::Duration};

use anyhow::{Context as _, Result};
use reqwest::{Client, Url, redirect};
use rustls::{ClientConfig, RootCertStore, crypto::ring};

/// How long the client waits for a connection.
const CONNECT: Duration = Duration::from_secs(3);

/// How long a call may take in all, unless [`client_within`] says otherwise.
pub const TOTAL: Duration = Duration::from_secs(10);

/// The base URL of a service: HTTPS, or plain HTTP on loopback for local runs and tests. It ends
/// without a slash and carries no user, query or fragment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base {
    url: String,
    plain: bool,
}

/// A text that is no [`Base`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be {}", Base::EXPECTED)]
pub struct NotABase;

impl Base {
    pub(crate) const EXPECTED: &'static str =
        "a URL with https, or with http and a loopback host, without user, query or fragment";

    /// Checks a URL.
    ///
    /// # Errors
    /// [`NotABase`] for plain HTTP to another machine, and for a user, a query or a fragment.
    pub fn parse(text: &str) -> Result<Self, NotABase> {
        let url: Url = text.parse().map_err(|_| NotABase)?;
        let host = url.host_str().ok_or(NotABase)?;
        let plain = match url.scheme() {
            "https" => false,
            "http" if is_loopback(host) => true,
            _ => return Err(NotABase),
        };
        let bare = url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none();
        if !bare {
            return Err(NotABase);
        }
        Ok(Self { url: url.as_str().trim_end_matches('/').to_owned(), plain })
    }

    /// The URL without a slash at its end.
    pub fn as_str(&self) -> &str {
        &self.url
    }
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || address.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

/// A client for calls to `bases`: the compiled-in roots of the web's PKI, HTTPS alone unless one of
/// the bases is on loopback, no redirects, no proxy, 3 s to connect and [`TOTAL`] in all.
///
/// # Errors
/// If TLS cannot be set up.
pub fn client(bases: &[&Base]) -> Result<Client> {
    client_within(bases, TOTAL)
}

/// Like [`client`], with another limit for the whole of a call.
///
/// # Errors
/// If TLS cannot be set up.
pub fn client_within(bases: &[&Base], total: Duration) -> Result<Client> {
    Client::builder()
        .tls_backend_preconfigured(tls()?)
        .https_only(!bases.iter().any(|base| base.plain))
        .redirect(redirect::Policy::none())
        .no_proxy()
        .connect_timeout(CONNECT)
        .timeout(total)
        .user_agent("countersign")
        .build()
        .context("could not build the HTTP client")
}

/// The provider is named here instead of installed for the process, so that no order of calls matters.
fn tls() -> Result<ClientConfig> {
    let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .context("could not set up TLS")?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

#[cfg(test)]
mod tests {
    use axum::{Router, http::StatusCode, response::Redirect, routing::get};

    use super::*;

    async fn served() -> Base {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new()
            .route("/moved", get(|| async { Redirect::temporary("/") }))
            .route("/", get(|| async { "here" }));
        tokio::spawn(async { axum::serve(listener, router).await });
        Base::parse(&base).unwrap()
    }

    #[test]
    fn a_base_is_https_or_loopback_and_nothing_but_a_place() {
        for good in ["https://api.stripe.com", "http://localhost:1/x/", "http://[::1]:80", "http://127.8.9.1"]
        {
            let base = Base::parse(good).unwrap();
            assert!(!base.as_str().ends_with('/'), "{good}");
        }
        for bad in [
            "http://10.0.0.1",
            "http://localhost.example.test",
            "https://user@api.stripe.com",
            "https://api.stripe.com?a=b",
            "https://api.stripe.com/#a",
            "ftp://localhost",
            "api.stripe.com",
            "",
        ] {
            assert_eq!(Base::parse(bad), Err(NotABase), "{bad}");
        }
    }

    #[tokio::test]
    async fn a_redirect_is_not_followed() {
        let base = served().await;
        let client = client(&[&base]).unwrap();
        let answer = client.get(format!("{}/moved", base.as_str())).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::TEMPORARY_REDIRECT);
    }

    #[tokio::test]
    async fn a_client_for_https_bases_does_not_speak_plain_http() {
        let base = served().await;
        let https = Base::parse("https://api.stripe.com").unwrap();
        assert!(client(&[&https]).unwrap().get(base.as_str()).send().await.is_err());
        assert!(client(&[&https, &base]).unwrap().get(base.as_str()).send().await.is_ok());
    }
}
