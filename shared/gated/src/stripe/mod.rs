//! Writes to Stripe.
//!
//! There is no way to post anything but the operations of [`domain::approval::Operation`], and each
//! is sent as it was signed: nothing is added but our two metadata keys, and where a default of Stripe
//! is dangerous (evidence is submitted, a credit note e-mailed) the request says what is meant.
//!
//! There is no retry either. A write is made once; what its failure means is told by [`Outcome`], and
//! whoever holds the proposal decides.

mod call;
mod outcome;

use std::{collections::BTreeSet, time::Duration};

use ::stripe::{
    API_VERSION, ApiKey, Base, Scope,
    wire::{Failure, header},
};
use domain::{
    AccountId, ObjectId,
    approval::{Action, Grant},
};
use reqwest::{
    StatusCode,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap},
};
use serde::Deserialize;

use call::{Call, Verb};
pub use outcome::{Effect, NotDone, Outcome, Why};

/// What a writer needs to know.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where Stripe is.
    pub base: Base,
    /// A restricted key that can write; no other function can read it.
    pub key: ApiKey,
    /// The account that the key belongs to.
    pub account: AccountId,
    /// Connected accounts in whose name it may write; empty without Connect.
    pub connected: BTreeSet<AccountId>,
    /// How long one write may take as a whole. Stripe's own libraries wait for 80 seconds.
    pub timeout: Duration,
}

/// Executes grants in Stripe.
#[derive(Debug, Clone)]
pub struct Writer {
    http: reqwest::Client,
    settings: Settings,
}

impl Writer {
    /// A writer over an HTTP client that neither retries nor follows redirects
    /// (`stripe::client::http`).
    pub fn new(http: reqwest::Client, settings: Settings) -> Self {
        Self { http, settings }
    }

    /// Makes the one call that the grant permits, with the grant's idempotency key, and says what came
    /// of it. Calling it again for the same grant is safe for 24 hours: Stripe then replays its first
    /// answer (<https://docs.stripe.com/api/idempotent_requests>).
    pub async fn execute(&self, grant: &Grant) -> Outcome {
        let request = match self.request(grant) {
            Ok(request) => request,
            Err(obstacle) => return Outcome::NotDone(obstacle),
        };
        let response = match request.send().await {
            Ok(response) => response,
            // Without a connection nothing was sent. Everything else can have arrived.
            Err(error) if error.is_connect() => return Outcome::NotDone(NotDone::Unreachable),
            Err(error) if error.is_builder() => return Outcome::NotDone(NotDone::BadParameter),
            Err(error) if error.is_timeout() => return Outcome::unknown(Why::TimedOut),
            Err(_) => return Outcome::unknown(Why::ConnectionLost),
        };
        let (status, headers) = (response.status(), response.headers().clone());
        match response.bytes().await {
            Ok(body) => classify(status, &headers, &body),
            Err(_) => {
                Outcome::Unknown { why: Why::ConnectionLost, request_id: header(&headers, "request-id") }
            }
        }
    }

    fn request(&self, grant: &Grant) -> Result<reqwest::RequestBuilder, NotDone> {
        let Settings { base, key, timeout, .. } = &self.settings;
        let action = grant.action();
        let scope = self.scope(action)?;
        let Call { verb, path, parameters } = Call::of(action, grant.digest())?;
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        let (in_query, in_body) = match verb {
            Verb::Post => (&[][..], Some(::stripe::wire::form(&parameters))),
            Verb::Delete => (&parameters[..], None),
        };
        let url = base.v1(&path, in_query).ok_or(NotDone::BadParameter)?;
        let mut request = match in_body {
            Some(form) => {
                self.http.post(url).header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(form)
            }
            None => self.http.delete(url),
        };
        if let Some((name, value)) = scope.header() {
            request = request.header(name, value);
        }
        Ok(request
            .timeout(*timeout)
            .header(AUTHORIZATION, key.authorization())
            .header("stripe-version", API_VERSION)
            .header("idempotency-key", grant.idempotency_key(0)))
    }

    /// Whether this key is one for the action's account and mode, and in whose name it then writes.
    fn scope(&self, action: &Action) -> Result<Scope, NotDone> {
        if action.livemode != self.settings.key.mode().is_live() {
            return Err(NotDone::WrongMode);
        }
        if action.account == self.settings.account {
            Ok(Scope::Own)
        } else if self.settings.connected.contains(&action.account) {
            Ok(Scope::Account(action.account.clone()))
        } else {
            Err(NotDone::WrongAccount)
        }
    }
}

/// What an answer means. A status that is not listed is unknown, never a refusal.
fn classify(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Outcome {
    #[derive(Deserialize)]
    struct Object {
        id: ObjectId,
        status: Option<String>,
    }
    let request_id = header(headers, "request-id");
    let unknown = |why| Outcome::Unknown { why, request_id: request_id.clone() };
    if status.is_success() {
        let replayed = headers.get("idempotent-replayed").is_some_and(|word| word.as_bytes() == b"true");
        return match serde_json::from_slice::<Object>(body) {
            Ok(Object { id: object, status }) => {
                Outcome::Done(Effect { object, status, request_id, replayed })
            }
            Err(_) => unknown(Why::Unreadable),
        };
    }
    let failure = Failure::read(status, body);
    let (kind, code) = (failure.kind.as_deref(), failure.code.as_deref());
    match status.as_u16() {
        // Checked before anything else: it means that the same key stands for two different writes.
        400 if kind == Some("idempotency_error") => Outcome::IntegrityAlarm { request_id },
        // Turned away at the door: keys and rates are looked at before the request is.
        401 | 403 => Outcome::NotDone(NotDone::KeyRefused { permission: failure.permission }),
        // The first attempt is still running, or something else changes the object just now.
        409 => unknown(Why::InFlight),
        429 if code == Some("lock_timeout") => unknown(Why::Locked),
        429 => Outcome::NotDone(NotDone::RateLimited),
        // 408 and 424 can come from something in between, after the request went on.
        408 | 424 => unknown(Why::Server(status.as_u16())),
        400..=499 => Outcome::Refused { code: failure.word(), param: failure.param, request_id },
        // A 500 says nothing about what was done, and is replayed for the same key.
        other => unknown(Why::Server(other)),
    }
}
