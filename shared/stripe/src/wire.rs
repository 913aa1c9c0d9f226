//! What requests to Stripe have in common, for reading and for writing: the version, how parameters
//! are spelled, where an id may stand in a path, and which addresses get a key.

use form_urlencoded::byte_serialize;
use reqwest::{
    StatusCode, Url,
    header::{HeaderMap, HeaderValue},
};
use serde::Deserialize;

use domain::{AccountId, Envelope};

/// The API version that every request names, whatever the account's default is
/// (<https://docs.stripe.com/api/versioning>). Endpoints are registered with the same one.
pub const API_VERSION: &str = "2026-10-28.endive";

/// Stripe's address.
pub const API: &str = "https://api.stripe.com";

/// Parameters in the order in which they are sent; nested names are spelled `a[b]` and `a[0]`.
pub type Parameters = Vec<(String, String)>;

/// A form body as Stripe's own libraries write it: brackets stay as they are.
pub fn form(parameters: &[(String, String)]) -> String {
    join(parameters, |name| {
        byte_serialize(name.as_bytes()).collect::<String>().replace("%5B", "[").replace("%5D", "]")
    })
}

/// A query as Stripe's own libraries write it: brackets are escaped.
pub fn query(parameters: &[(String, String)]) -> String {
    join(parameters, |name| byte_serialize(name.as_bytes()).collect())
}

fn join(parameters: &[(String, String)], name_of: impl Fn(&str) -> String) -> String {
    let pair = |(name, value): &(String, String)| {
        format!("{}={}", name_of(name), byte_serialize(value.as_bytes()).collect::<String>())
    };
    parameters.iter().map(pair).collect::<Vec<_>>().join("&")
}

/// An address that a key must not be sent to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the address of Stripe must be https, or http on this machine for a stand-in")]
pub struct BadBase;

/// Where requests go: Stripe, or a stand-in on this machine.
#[derive(Debug, Clone)]
pub struct Base(Url);

impl Base {
    /// Checks that a key can be sent there.
    ///
    /// # Errors
    /// [`BadBase`] for plain http to another machine.
    pub fn new(text: &str) -> Result<Self, BadBase> {
        let url = Url::parse(text).map_err(|_| BadBase)?;
        let local = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
        match url.scheme() {
            "https" => Ok(Self(url)),
            "http" if local => Ok(Self(url)),
            _ => Err(BadBase),
        }
    }

    /// The address of a path made of these segments under `/v1`; `None` if one of them is not a plain
    /// name, so that no id can lead to another endpoint.
    pub fn v1(&self, segments: &[&str], parameters: &[(String, String)]) -> Option<Url> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
        let is_name = |text: &&str| {
            !text.is_empty() && text.bytes().all(plain) && text.bytes().any(|byte| byte != b'.')
        };
        if !segments.iter().all(is_name) {
            return None;
        }
        let mut url = self.0.clone();
        url.set_path(&format!("/v1/{}", segments.join("/")));
        url.set_query((!parameters.is_empty()).then(|| query(parameters)).as_deref());
        Some(url)
    }
}

/// In whose name a request is made: the key's own account, a connected one, or a member of an
/// organisation.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub enum Scope {
    /// The account that the key belongs to.
    #[default]
    Own,
    /// A connected account (`Stripe-Account`).
    Account(AccountId),
    /// The path that an event named (`Stripe-Context`).
    Context(String),
}

impl Scope {
    /// The scope in which an event's object can be read again.
    pub fn of(envelope: &Envelope) -> Self {
        match (&envelope.context, &envelope.account) {
            (Some(context), _) => Self::Context(context.clone()),
            (None, Some(account)) => Self::Account(account.clone()),
            (None, None) => Self::Own,
        }
    }

    /// The header that says so; one or the other, never both.
    pub fn header(&self) -> Option<(&'static str, HeaderValue)> {
        let (name, value) = match self {
            Self::Own => return None,
            Self::Account(account) => ("stripe-account", account.as_str()),
            Self::Context(context) => ("stripe-context", context.as_str()),
        };
        HeaderValue::from_str(value).ok().map(|value| (name, value))
    }
}

/// What Stripe says about a failure (<https://docs.stripe.com/api/errors>), without its message: that
/// may repeat what was sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Failure {
    /// The HTTP status.
    pub status: u16,
    /// `invalid_request_error`, `card_error`, `idempotency_error`, `api_error`.
    pub kind: Option<String>,
    /// `resource_missing`, `charge_already_refunded`, …
    pub code: Option<String>,
    /// The issuer's reason, if a card was declined.
    pub decline_code: Option<String>,
    /// The parameter that was wrong.
    pub param: Option<String>,
    /// The permission that a restricted key lacks: `rak_invoice_read`.
    pub permission: Option<String>,
}

impl Failure {
    /// Reads an answer that is not a 2xx. Every text is kept only if it is a plain name.
    pub fn read(status: StatusCode, body: &[u8]) -> Self {
        #[derive(Deserialize)]
        struct Answer {
            error: Option<Told>,
        }
        #[derive(Default, Deserialize)]
        struct Told {
            #[serde(rename = "type")]
            kind: Option<String>,
            code: Option<String>,
            decline_code: Option<String>,
            param: Option<String>,
            message: Option<String>,
        }
        let told =
            serde_json::from_slice::<Answer>(body).ok().and_then(|answer| answer.error).unwrap_or_default();
        Self {
            status: status.as_u16(),
            kind: told.kind.filter(|text| is_name(text)),
            code: told.code.filter(|text| is_name(text)),
            decline_code: told.decline_code.filter(|text| is_name(text)),
            param: told.param.filter(|text| is_name(text)),
            permission: told.message.as_deref().and_then(permission),
        }
    }

    /// The most exact word for it.
    pub fn word(&self) -> String {
        let known = self.decline_code.as_ref().or(self.code.as_ref()).or(self.kind.as_ref());
        known.cloned().unwrap_or_else(|| format!("status_{}", self.status))
    }
}

/// The first `rak_…` in a text.
fn permission(message: &str) -> Option<String> {
    let start = message.find("rak_")?;
    let name: String = message
        .get(start..)?
        .chars()
        .take_while(|letter| letter.is_ascii_lowercase() || *letter == '_')
        .collect();
    Some(name).filter(|name| is_name(name))
}

fn is_name(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'[' | b']');
    (1..=100).contains(&text.len()) && text.bytes().all(plain)
}

/// A header as a plain name: `Request-Id`, `Stripe-Rate-Limited-Reason`.
pub fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().filter(|text| is_name(text)).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn captured() -> Vec<serde_json::Value> {
        let text = include_str!("../../../tests/fixtures/stripe/wire_requests.json");
        let all: serde_json::Value = serde_json::from_str(text).unwrap();
        all["requests"].as_array().unwrap().clone()
    }

    fn pairs(value: &serde_json::Value) -> Parameters {
        serde_json::from_value(value.clone()).unwrap()
    }

    #[test]
    fn every_captured_form_and_query_is_spelled_byte_for_byte() {
        let (mut forms, mut queries) = (0, 0);
        for request in captured() {
            if let Some(body) = request["body"].as_str() {
                assert_eq!(form(&pairs(&request["form_pairs"])), body, "{}", request["name"]);
                forms += 1;
            }
            if let Some(text) = request["query"].as_str() {
                assert_eq!(query(&pairs(&request["query_pairs"])), text, "{}", request["name"]);
                queries += 1;
            }
        }
        assert!(forms >= 17 && queries >= 9, "{forms} forms, {queries} queries");
    }

    #[test]
    fn a_key_is_never_sent_in_the_clear_to_another_machine() {
        for good in [API, "http://127.0.0.1:8080", "http://localhost:1", "http://[::1]:1"] {
            assert!(Base::new(good).is_ok(), "{good}");
        }
        for bad in ["http://api.stripe.com", "http://localhost.example.test", "ftp://localhost", "stripe"] {
            assert!(Base::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn no_id_leads_to_another_endpoint() {
        let base = Base::new(API).unwrap();
        let url = base.v1(&["invoices", "in_1", "pay"], &[]).unwrap();
        assert_eq!(url.as_str(), "https://api.stripe.com/v1/invoices/in_1/pay");
        for bad in ["..", ".", "", "a/b", "a?b", "a#b", "%2e%2e"] {
            assert!(base.v1(&["invoices", bad], &[]).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_failure_keeps_names_and_drops_prose() {
        let body = br#"{"error":{"type":"invalid_request_error","code":"resource missing","message":
            "The key 'rk_test_***' lacks it. Having the 'rak_charge_write' permission would allow it."}}"#;
        let failure = Failure::read(StatusCode::FORBIDDEN, body);
        assert_eq!(failure.kind.as_deref(), Some("invalid_request_error"));
        assert_eq!(failure.code, None, "a code has no spaces");
        assert_eq!(failure.permission.as_deref(), Some("rak_charge_write"));
        assert_eq!(Failure::read(StatusCode::BAD_GATEWAY, b"<html>").word(), "status_502");
    }
}
