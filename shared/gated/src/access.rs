//! A customer's access, changed in the company's own application.
//!
//! `POST {base}/customers/{id}/access`, signed as [`runtime::signed`] says, with the header
//! `Idempotency-Key` and this body:
//!
//! ```json
//! {"execution":"ap1_…","customer":"cus_1","change":"pause","note":"unpaid since March"}
//! ```
//!
//! The customer's id tells Stripe's test mode from live mode: no id is of both. `change` is `pause` or
//! `restore`; `note` is absent without one. `execution` is the same as the
//! header: the application keeps it, does a change once for it, and answers a repetition as it
//! answered before:
//!
//! ```json
//! {"execution":"ap1_…","customer":"cus_1","change":"pause","state":"done"}
//! ```
//!
//! A refusal is a status from 400 to 499 with `{"error":"a_word"}`. Any other answer leaves open what
//! happened; then `GET {base}/executions/{id}`, signed too, answers as above, or 404 with
//! `{"error":"no_such_execution"}`. Another 404, which a proxy can give as well, says nothing.

use std::time::Duration;

use domain::{
    Timestamp,
    approval::{Grant, Operation, Proposal, idempotency_key},
};
use reqwest::{Client, Method, StatusCode, Url};
use runtime::{
    Env, EnvError,
    http::Base,
    signed::{self, Parts},
};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

pub use crate::outcome::{NotDone, Outcome, Why};

/// Bytes of an answer that are read.
const LONGEST: usize = 64 << 10;

/// How long one call may take, unless the caller says otherwise.
pub const TIMEOUT: Duration = Duration::from_secs(10);

/// What the client needs to know.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where the application is.
    pub base: Base,
    /// What signs; several while one is replaced.
    pub secrets: Vec<SecretString>,
    /// How long one call may take.
    pub timeout: Duration,
}

/// Where the application is and what its secret is called, from the environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// `ACCESS_URL`.
    pub base: Base,
    /// `ACCESS_SECRET`: the name of the secret whose values sign ([`runtime::secrets::list`]). Not the
    /// one of the reads, which the processor knows (I5).
    pub secret: String,
}

impl Config {
    /// `None` without `ACCESS_URL`: then access is nobody's to change here.
    ///
    /// # Errors
    /// Names the variable that is missing or wrong.
    pub fn from_env(env: &Env) -> Result<Option<Self>, EnvError> {
        let Some(base) = env.optional_base("ACCESS_URL")? else { return Ok(None) };
        Ok(Some(Self { base, secret: env.required("ACCESS_SECRET")?.to_owned() }))
    }
}

/// Changes access by grants.
#[derive(Debug, Clone)]
pub struct Access {
    http: Client,
    settings: Settings,
}

#[derive(Serialize)]
struct Asked<'a> {
    execution: &'a str,
    customer: &'a str,
    change: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<&'a str>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Did {
    execution: String,
    customer: String,
    change: String,
    state: String,
}

#[derive(Deserialize)]
struct Refusal {
    error: String,
}

impl Access {
    /// A client that neither retries nor follows redirects ([`runtime::http::client_within`]).
    pub const fn new(http: Client, settings: Settings) -> Self {
        Self { http, settings }
    }

    /// Makes the change that the grant permits, once for the grant however often it is called.
    pub async fn execute(&self, grant: &Grant, now: Timestamp) -> Outcome {
        let id = grant.idempotency_key(0);
        let Some(asked) = asked(&grant.action().operation, &id) else {
            return Outcome::NotDone(NotDone::OtherOperation);
        };
        let Ok(body) = serde_json::to_vec(&asked) else { return Outcome::NotDone(NotDone::BadParameter) };
        match self.call(Method::POST, &["customers", asked.customer, "access"], Some(&id), body, now).await {
            Ok((status, body)) if status.is_success() => done(&asked, &body),
            Ok((status, body)) => refused(status, &body),
            Err(outcome) => outcome,
        }
    }

    /// Asks what became of an earlier [`Access::execute`] for this proposal. Changes nothing, so it needs
    /// no grant. After [`NotDone::NeverArrived`] the change may be sent again: a late first one changes
    /// nothing more, since both are one execution.
    pub async fn settle(&self, proposal: &Proposal, now: Timestamp) -> Outcome {
        let id = idempotency_key(&proposal.action.proposal, proposal.digest, 0);
        let Some(asked) = asked(&proposal.action.operation, &id) else {
            return Outcome::NotDone(NotDone::OtherOperation);
        };
        match self.call(Method::GET, &["executions", &id], None, Vec::new(), now).await {
            Ok((status, body)) if status.is_success() => done(&asked, &body),
            Ok((StatusCode::NOT_FOUND, body)) if word(&body).as_deref() == Some("no_such_execution") => {
                Outcome::NotDone(NotDone::NeverArrived)
            }
            Ok((status, _)) => Outcome::Unknown(Why::Status(status.as_u16())),
            // Whatever kept this question from an answer says nothing about the change.
            Err(Outcome::Unknown(why)) => Outcome::Unknown(why),
            Err(_) => Outcome::Unknown(Why::ConnectionLost),
        }
    }

    async fn call(
        &self,
        method: Method,
        path: &[&str],
        idempotency_key: Option<&str>,
        body: Vec<u8>,
        now: Timestamp,
    ) -> Result<(StatusCode, Vec<u8>), Outcome> {
        let Settings { base, secrets, timeout } = &self.settings;
        let url = url(base, path).ok_or(Outcome::NotDone(NotDone::BadParameter))?;
        let parts = Parts { method: method.as_str(), path_and_query: url.path(), body: &body };
        let signature = signed::sign(secrets, now, parts);
        let mut request = self.http.request(method, url).timeout(*timeout).header(signed::HEADER, signature);
        if let Some(key) = idempotency_key {
            request = request.header("idempotency-key", key).header("content-type", "application/json");
        }
        let lost = |error: &reqwest::Error| {
            if error.is_connect() {
                Outcome::NotDone(NotDone::Unreachable)
            } else if error.is_timeout() {
                Outcome::Unknown(Why::TimedOut)
            } else {
                Outcome::Unknown(Why::ConnectionLost)
            }
        };
        let mut answer = request.body(body).send().await.map_err(|error| lost(&error))?;
        let mut body = Vec::new();
        // Once the head of an answer is there, a broken connection no longer means "never reached".
        while let Some(part) = answer.chunk().await.map_err(|_| Outcome::Unknown(Why::ConnectionLost))? {
            body.extend_from_slice(&part);
            if body.len() > LONGEST {
                return Err(Outcome::Unknown(Why::Unreadable));
            }
        }
        Ok((answer.status(), body))
    }
}

/// What is asked for; `None` if it is no change of access.
fn asked<'a>(operation: &'a Operation, execution: &'a str) -> Option<Asked<'a>> {
    match operation {
        Operation::ChangeAccess { customer, change, note } => Some(Asked {
            execution,
            customer: customer.as_str(),
            change: change.as_str(),
            note: note.as_deref(),
        }),
        _ => None,
    }
}

fn url(base: &Base, path: &[&str]) -> Option<Url> {
    let mut url = Url::parse(base.as_str()).ok()?;
    url.path_segments_mut().ok()?.pop_if_empty().extend(path);
    Some(url)
}

/// An answer that speaks of another change proves nothing about this one.
fn done(asked: &Asked<'_>, body: &[u8]) -> Outcome {
    match serde_json::from_slice::<Did>(body) {
        Ok(did)
            if did.execution == asked.execution
                && did.customer == asked.customer
                && did.change == asked.change
                && did.state == "done" =>
        {
            Outcome::Done { reference: did.execution }
        }
        _ => Outcome::Unknown(Why::Unreadable),
    }
}

/// A refusal must say so in its body: a proxy's error page does not speak for the application.
fn refused(status: StatusCode, body: &[u8]) -> Outcome {
    match (status.as_u16(), word(body)) {
        (401 | 403, Some(_)) => Outcome::NotDone(NotDone::NotAllowed),
        (429, _) => Outcome::NotDone(NotDone::RateLimited),
        (408, _) => Outcome::Unknown(Why::Status(408)),
        (400..=499, Some(code)) => Outcome::Refused { code },
        (other, _) => Outcome::Unknown(Why::Status(other)),
    }
}

fn word(body: &[u8]) -> Option<String> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    let Refusal { error } = serde_json::from_slice(body).ok()?;
    ((1..=64).contains(&error.len()) && error.bytes().all(plain)).then_some(error)
}
