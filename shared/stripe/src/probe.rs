//! What a restricted key may do and what it may not (<https://docs.stripe.com/keys#limit-access>).
//!
//! Stripe looks at a key's permissions before it looks for the object, and a 403 names the permission
//! that is missing. So every question here is asked about an object that cannot exist: a 404 means that
//! the key has the permission. Nothing can come of a question: besides, each write is one that would
//! change nothing if the object were there. Each leaves a failed request in the Dashboard's log.
//!
//! For `countersign doctor` and for a daily sweep, not for a cold start: it takes some thirty requests.
//! The questions are a closed table. There is no way to put another one, and [`Client`](crate::Client)
//! still can only `GET`.

mod asks;

use std::time::Duration;

use reqwest::{
    StatusCode,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap},
};
use serde::Serialize;

use crate::{
    ApiKey, Base,
    wire::{API_VERSION, Failure, form, header},
};
use asks::{Ask, READS, WRITES};

/// Asks what keys may do.
#[derive(Debug, Clone)]
pub struct Probe {
    http: reqwest::Client,
    base: Base,
    timeout: Duration,
}

/// What a key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The key of [`Client`](crate::Client): every read that it makes, and no write at all.
    Read,
    /// The key of the gated effects: every operation that people can sign, and nothing that moves money
    /// elsewhere or changes who is told.
    Write,
}

/// Whether a permission is for reading or for writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// `GET`.
    Read,
    /// `POST` and `DELETE`.
    Write,
}

/// What the answer to one question says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum State {
    /// The key has the permission.
    Held,
    /// It has not.
    Lacking {
        /// Stripe's name of the permission, as the Dashboard's editor of keys takes it: `rak_invoice_read`.
        permission: String,
    },
    /// The answer does not tell. It counts neither as held nor as lacking.
    Unclear {
        /// The HTTP status; none if there was no answer.
        status: Option<u16>,
    },
}

/// One question and its answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was asked about: `invoices`, `refunds`, …
    pub resource: &'static str,
    /// Reading or writing.
    pub access: Access,
    /// Whether the key's role needs it. What it does not need it must not have.
    pub needed: bool,
    /// The answer.
    #[serde(flatten)]
    pub state: State,
    /// Stripe's id of the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

/// All that is known of a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// What it was asked as.
    pub role: Role,
    /// Whether it is a restricted key. A secret key may do everything, so it is not asked anything.
    pub restricted: bool,
    /// Every question, reads first.
    pub findings: Vec<Finding>,
}

/// The resources, as Stripe's documentation names them, that a key of this role has to be allowed to read or
/// to write, and no others.
pub fn needed(role: Role) -> impl Iterator<Item = &'static str> {
    READS.iter().chain(WRITES).filter(move |ask| ask.is_needed(role)).map(|ask| ask.resource)
}

impl Probe {
    /// A probe over an HTTP client that neither retries nor follows redirects
    /// ([`client::http`](crate::client::http)); `timeout` is for each question.
    pub fn new(http: reqwest::Client, base: Base, timeout: Duration) -> Self {
        Self { http, base, timeout }
    }

    /// Asks one question after the other: the rate stays far below every limit. A question without a
    /// clear answer is not repeated; it is reported as that.
    pub async fn report(&self, role: Role, key: &ApiKey) -> Report {
        let mut findings = Vec::new();
        if key.is_restricted() {
            for ask in READS.iter().chain(WRITES).filter(|ask| ask.concerns(role)) {
                let (state, request_id) = self.ask(ask, key).await;
                let (resource, access, needed) = (ask.resource, ask.access(), ask.is_needed(role));
                findings.push(Finding { resource, access, needed, state, request_id });
            }
        }
        Report { role, restricted: key.is_restricted(), findings }
    }

    async fn ask(&self, ask: &Ask, key: &ApiKey) -> (State, Option<String>) {
        let unclear = |status| (State::Unclear { status }, None);
        let Some(url) = self.base.v1(ask.path, &[]) else { return unclear(None) };
        let request = match ask.access() {
            Access::Read => self.http.get(url),
            // No idempotency key: nothing is to be kept under one.
            Access::Write => self
                .http
                .post(url)
                .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(form(&ask.parameters())),
        };
        let request = request
            .timeout(self.timeout)
            .header(AUTHORIZATION, key.authorization())
            .header("stripe-version", API_VERSION);
        let Ok(response) = request.send().await else { return unclear(None) };
        let (status, headers) = (response.status(), response.headers().clone());
        match response.bytes().await {
            Ok(body) => judge(status, &headers, &body),
            Err(_) => unclear(Some(status.as_u16())),
        }
    }
}

/// What an answer says about the permission.
fn judge(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> (State, Option<String>) {
    let failure = Failure::read(status, body);
    let unclear = State::Unclear { status: Some(failure.status) };
    let state = match (failure.status, failure.permission) {
        (200..=299, _) => State::Held,
        // Some report 401. Without the permission's name the key itself may be what is wrong.
        (401 | 403, Some(permission)) => State::Lacking { permission },
        (404, _) if failure.code.as_deref() == Some("resource_missing") => State::Held,
        // The request was read, so the key had passed.
        (400, _) if failure.kind.as_deref() == Some("invalid_request_error") => State::Held,
        // A 404 for the path, a rate limit, trouble at Stripe.
        _ => unclear,
    };
    (state, header(headers, "request-id"))
}

impl Report {
    /// What the role needs and the key has not.
    pub fn lacking(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|one| one.needed && matches!(one.state, State::Lacking { .. }))
    }

    /// What the key has and its role must not have.
    pub fn excess(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|one| !one.needed && one.state == State::Held)
    }

    /// What could not be told.
    pub fn unclear(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|one| matches!(one.state, State::Unclear { .. }))
    }

    /// Whether somebody has to be woken: a key for reading that can write breaks I5.
    pub fn is_alarm(&self) -> bool {
        self.role == Role::Read && (!self.restricted || self.excess().next().is_some())
    }

    /// Whether the key is exactly what its role needs, for certain.
    pub fn is_exact(&self) -> bool {
        self.restricted
            && self.lacking().next().is_none()
            && self.excess().next().is_none()
            && self.unclear().next().is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_named_permission_counts_as_lacking_and_only_a_read_request_as_held() {
        let state = |status: u16, error: &str| {
            let body = format!(r#"{{"error":{{"type":"invalid_request_error",{error}}}}}"#);
            judge(StatusCode::from_u16(status).unwrap(), &HeaderMap::new(), body.as_bytes()).0
        };
        let named = r#""message":"Having the 'rak_charge_write' permission would allow this.""#;
        let lacking = State::Lacking { permission: "rak_charge_write".into() };
        assert_eq!((state(403, named), state(401, named)), (lacking.clone(), lacking));
        assert_eq!(state(404, r#""code":"resource_missing""#), State::Held);
        assert_eq!(state(400, r#""code":"parameter_missing""#), State::Held);
        for (status, error) in [
            (401, r#""message":"Invalid API Key provided""#),
            (403, r#""message":"This address may not use the key""#),
            (404, r#""message":"Unrecognized request URL""#),
            (429, r#""code":"rate_limit""#),
            (302, r#""message":"elsewhere""#),
            (500, named),
        ] {
            assert_eq!(state(status, error), State::Unclear { status: Some(status) }, "{error}");
        }
    }
}
