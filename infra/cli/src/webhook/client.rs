//! Webhook endpoints over Stripe's API (<https://docs.stripe.com/api/webhook_endpoints>). No function links this: it
//! is for whoever sets the deployment up, with a key of their own.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, anyhow, bail};
use reqwest::{
    Method, StatusCode,
    header::{AUTHORIZATION, CONTENT_TYPE},
};
use runtime::{Env, failure};
use secrecy::SecretString;
use serde::{
    Deserialize,
    de::{DeserializeOwned, IgnoredAny},
};
use stripe::{
    ApiKey, Base, Mode,
    wire::{API_VERSION, Failure, Parameters, form},
};

/// The variable with the key.
pub(crate) const KEY: &str = "STRIPE_API_KEY";

/// The endpoints of the account that a key belongs to.
pub(crate) struct Endpoints {
    http: reqwest::Client,
    base: Base,
    key: ApiKey,
}

/// An endpoint, as far as it is looked at.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Endpoint {
    pub(crate) id: String,
    pub(crate) url: String,
    /// `enabled` or `disabled`.
    pub(crate) status: String,
    /// The version that its events are rendered in; none for the account's default.
    pub(crate) api_version: Option<String>,
    pub(crate) enabled_events: Vec<String>,
    #[serde(default)]
    pub(crate) metadata: BTreeMap<String, String>,
}

/// A new endpoint, or the answer of the first time that it was asked for.
pub(crate) struct Made {
    pub(crate) endpoint: Endpoint,
    /// Only the answer that makes it tells it.
    pub(crate) secret: Option<SecretString>,
    pub(crate) replayed: bool,
}

#[derive(Deserialize)]
struct Page {
    data: Vec<Endpoint>,
    #[serde(default)]
    has_more: bool,
}

#[derive(Deserialize)]
struct Secret {
    secret: Option<String>,
}

impl Endpoints {
    /// With the key in `STRIPE_API_KEY`.
    ///
    /// # Errors
    /// If it is missing or no key, or `STRIPE_API_BASE` is no address.
    pub(crate) fn from_env(env: &Env) -> Result<Self> {
        let text = SecretString::from(env.required(KEY)?);
        let key = ApiKey::new(&text).with_context(|| format!("`{KEY}` cannot be used"))?;
        let base = runtime::stripe::base(env)?;
        Ok(Self { http: runtime::http::client(&[&base])?, base: Base::new(base.as_str())?, key })
    }

    /// The mode that its endpoints send events of.
    pub(crate) fn mode(&self) -> &'static str {
        if self.key.mode() == Mode::Live { "live mode" } else { "test mode" }
    }

    /// All endpoints with this URL, enabled or not, the newest first.
    pub(crate) async fn with_url(&self, url: &str) -> Result<Vec<Endpoint>> {
        let (mut found, mut last) = (Vec::new(), None);
        loop {
            let mut query: Parameters = vec![("limit".into(), "100".into())];
            query.extend(last.map(|id| ("starting_after".into(), id)));
            let page: Page = self.send(Method::GET, &["webhook_endpoints"], &query, None).await?.read()?;
            last = page.data.last().map(|one| one.id.clone());
            found.extend(page.data.into_iter().filter(|one| one.url == url));
            if !page.has_more || last.is_none() {
                return Ok(found);
            }
        }
    }

    /// Makes an endpoint. The same idempotency key makes no second one for 24 hours, and is told the same secret
    /// (<https://docs.stripe.com/api/idempotent_requests>); nothing if what Stripe repeats is a failure of its own.
    pub(crate) async fn create(
        &self,
        parameters: &Parameters,
        idempotency_key: &str,
    ) -> Result<Option<Made>> {
        let sent = self.send(Method::POST, &["webhook_endpoints"], parameters, Some(idempotency_key)).await?;
        if sent.replayed && sent.status.is_server_error() {
            return Ok(None);
        }
        let secret = sent.read::<Secret>()?.secret.map(SecretString::from);
        Ok(Some(Made { endpoint: sent.read()?, secret, replayed: sent.replayed }))
    }

    /// Changes an endpoint. Its API version cannot be changed.
    pub(crate) async fn update(&self, id: &str, parameters: &Parameters) -> Result<Endpoint> {
        self.send(Method::POST, &["webhook_endpoints", id], parameters, None).await?.read()
    }

    /// Takes an endpoint away.
    pub(crate) async fn delete(&self, id: &str) -> Result<()> {
        let sent = self.send(Method::DELETE, &["webhook_endpoints", id], &Vec::new(), None).await?;
        sent.read::<IgnoredAny>().map(drop)
    }

    async fn send(
        &self,
        method: Method,
        path: &[&str],
        parameters: &Parameters,
        idempotency_key: Option<&str>,
    ) -> Result<Sent> {
        let query: &[_] = if method == Method::GET { parameters } else { &[] };
        let url = self.base.v1(path, query).ok_or_else(strange)?;
        let mut request = self
            .http
            .request(method.clone(), url)
            .header(AUTHORIZATION, self.key.authorization())
            .header("stripe-version", API_VERSION);
        if method == Method::POST {
            let body = form(parameters);
            request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(body);
        }
        if let Some(key) = idempotency_key {
            request = request.header("idempotency-key", key);
        }
        let response = request.send().await.map_err(unanswered)?;
        let (status, headers) = (response.status(), response.headers().clone());
        let replayed = headers.get("idempotent-replayed").is_some_and(|word| word.as_bytes() == b"true");
        Ok(Sent { status, replayed, body: response.bytes().await.map_err(unanswered)?.into() })
    }
}

/// An answer.
struct Sent {
    status: StatusCode,
    /// Whether it is that of an earlier request with the same idempotency key.
    replayed: bool,
    body: Vec<u8>,
}

impl Sent {
    /// What it says; only a 2xx says something.
    fn read<T: DeserializeOwned>(&self) -> Result<T> {
        if !self.status.is_success() {
            bail!(refused(self.status, &Failure::read(self.status, &self.body)));
        }
        // The parser's words may quote the secret.
        serde_json::from_slice(&self.body).map_err(|_| strange())
    }
}

fn unanswered(error: reqwest::Error) -> anyhow::Error {
    let why = failure::chain(&error.without_url());
    anyhow!("Stripe gave no answer ({why}); run the same command again, which goes on")
}

fn strange() -> anyhow::Error {
    anyhow!("Stripe answered about webhook endpoints in a form that is not understood; nothing more was done")
}

/// What a refusal means and what to do.
fn refused(status: StatusCode, failure: &Failure) -> String {
    match (status.as_u16(), &failure.permission) {
        (401 | 403, Some(permission)) => {
            format!(
                "the key in `{KEY}` lacks the permission {permission}; add it to the key in the Dashboard"
            )
        }
        (401 | 403, None) => format!("Stripe does not accept the key in `{KEY}`; take one of this account"),
        (409 | 429 | 500.., _) => {
            format!("Stripe cannot do it now ({}); run the same command again, which goes on", failure.word())
        }
        _ => {
            let about = failure.param.as_deref().map(|name| format!(" about `{name}`")).unwrap_or_default();
            format!("Stripe refused{about} ({})", failure.word())
        }
    }
}
