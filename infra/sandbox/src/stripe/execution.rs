//! The way of a request: key, account, version, route, scope, idempotency key, execution, answer.

use http::HeaderMap;
use serde_json::Value;

use super::{
    Stripe, Write,
    expand::{self, expand},
    failure::{Failure, Outcome},
    faults::Fault,
    form::Params,
    http::text,
    idempotency::{self, Held, Saved},
    keys::{self, Key},
    routes::{self, Call, Route},
    store::{Changes, Origin, Tx},
};

/// A request that may be executed.
pub(crate) struct Prepared {
    request_id: String,
    method: String,
    path: String,
    call: Call,
    route: Route,
    idempotency_key: Option<String>,
    fingerprint: String,
    key: Key,
    /// A planned 500, and whether the work is done all the same.
    fails: Option<bool>,
    _held: Option<Held>,
}

/// An answer before it is spelled as HTTP.
pub(crate) struct Answer {
    pub status: u16,
    pub body: Value,
    /// The request whose answer this is, if it is a replay.
    pub original: Option<String>,
    pub limited: Option<&'static str>,
    pub retry: Option<bool>,
}

impl From<Failure> for Answer {
    fn from(failure: Failure) -> Self {
        Self {
            status: failure.status,
            body: failure.body(),
            original: None,
            limited: failure.limited,
            retry: failure.retry,
        }
    }
}

/// Everything that is checked before execution begins.
pub(crate) fn prepare(
    stripe: &Stripe,
    headers: &HeaderMap,
    method: &str,
    path: &str,
    params: Params,
    request_id: &str,
    fault: Option<&Fault>,
) -> Outcome<Prepared> {
    let key = keys::authorise(&stripe.keys, text(headers, "authorization"))?;
    let account = &stripe.setting.account;
    if let Some(other) = text(headers, "stripe-account").filter(|other| other != account) {
        return Err(Failure::new(
            403,
            "invalid_request_error",
            format!(
                "The provided key does not have access to account '{other}' (or that account does not exist)."
            ),
        )
        .with("code", "account_invalid"));
    }
    if let Some(version) = text(headers, "stripe-version").filter(|version| !is_version(version)) {
        return Err(Failure::new(
            400,
            "invalid_request_error",
            format!("Invalid Stripe API version: {version}"),
        ));
    }
    let Some((route, ids)) = routes::find(method, path) else {
        return Err(Failure::new(
            404,
            "invalid_request_error",
            format!("Unrecognized request URL ({method}: {path})."),
        ));
    };
    key.permit(account, route.resource, method != "GET")?;
    stripe.limits.pass(&route.shape, stripe.clock.millis())?;
    if let Some(refusal) = fault.and_then(Fault::refusal) {
        return Err(refusal);
    }
    // Only POST has keys; GET and DELETE are idempotent by contract.
    let idempotency_key = text(headers, "idempotency-key").filter(|_| method == "POST").map(str::to_owned);
    if idempotency_key.as_ref().is_some_and(|key| key.len() > idempotency::LONGEST) {
        return Err(Failure::new(
            400,
            "invalid_request_error",
            "Idempotency keys may be at most 255 characters.",
        ));
    }
    let held = idempotency_key.as_ref().map(|key| stripe.running.hold(key)).transpose()?;
    Ok(Prepared {
        request_id: request_id.to_owned(),
        method: method.to_owned(),
        path: path.to_owned(),
        fingerprint: idempotency::fingerprint(method, path, params.json()),
        call: Call { ids, params },
        route,
        idempotency_key,
        key: key.clone(),
        fails: match fault {
            Some(Fault::ServerError { commits }) => Some(*commits),
            _ => None,
        },
        _held: held,
    })
}

/// Executes a request, logs it and keeps what it changed.
pub(crate) fn execute(stripe: &Stripe, prepared: &Prepared, answered: bool) -> Answer {
    let now = stripe.now();
    let answer = match committed(stripe, prepared, now) {
        Ok(answer) => answer,
        Err(error) => {
            tracing::error!(error = %format!("{error:#}"), "the Stripe stand-in cannot keep its state");
            Failure::server(false).into()
        }
    };
    if prepared.method != "GET" {
        stripe.log(Write {
            at: now,
            method: prepared.method.clone(),
            path: prepared.path.clone(),
            idempotency_key: prepared.idempotency_key.clone(),
            params: prepared.call.params.json().clone(),
            request_id: prepared.request_id.clone(),
            status: answer.status,
            replayed: answer.original.is_some(),
            answered,
        });
    }
    answer
}

fn committed(stripe: &Stripe, prepared: &Prepared, now: i64) -> anyhow::Result<Answer> {
    let mut state = stripe.state();
    if let Some(key) = &prepared.idempotency_key {
        match idempotency::earlier(&state, key, &prepared.fingerprint, now) {
            Err(failure) => return Ok(failure.into()),
            Ok(Some(saved)) => {
                return Ok(Answer {
                    status: saved.status,
                    body: saved.body.clone(),
                    original: Some(saved.request_id.clone()),
                    limited: None,
                    retry: (saved.status >= 500).then_some(false),
                });
            }
            Ok(None) => {}
        }
    }
    let origin = Origin {
        request: Some(prepared.request_id.clone()),
        idempotency_key: prepared.idempotency_key.clone(),
    };
    let begin = || Tx::new(&state, &stripe.setting, origin.clone(), now, false);
    let mut tx = begin();
    let mut outcome = run(&mut tx, prepared);
    if let (Some(commits), Ok(_)) = (prepared.fails, &outcome) {
        outcome = Err(Failure::server(commits));
    }
    let (keeps, executed) = match &outcome {
        Ok(_) => (true, true),
        Err(failure) => (failure.commits, failure.executed),
    };
    if !keeps {
        tx = begin();
    }
    let answer = match outcome {
        Ok(body) => Answer { status: 200, body, original: None, limited: None, retry: None },
        Err(failure) => failure.into(),
    };
    if let (Some(key), true) = (&prepared.idempotency_key, executed) {
        tx.save(
            key,
            Saved {
                fingerprint: prepared.fingerprint.clone(),
                status: answer.status,
                body: answer.body.clone(),
                request_id: prepared.request_id.clone(),
                at: now,
            },
        );
    }
    let changes: Changes = tx.finish(&mut stripe.rules());
    if prepared.method != "GET" {
        state.keep(&stripe.shelf, changes)?;
        stripe.wake.notify_waiters();
    }
    Ok(answer)
}

fn run(tx: &mut Tx, prepared: &Prepared) -> Outcome<Value> {
    let wanted = prepared.call.params.texts("expand");
    let paths = expand::paths(&wanted)?;
    let mut answer = prepared.route.answer(tx, &prepared.call, &prepared.path)?;
    for path in paths {
        expand(tx, &prepared.key, &mut answer, &path)?;
    }
    Ok(answer)
}

/// `2026-10-28` or `2026-10-28.endive`.
fn is_version(version: &str) -> bool {
    let date = version.split_once('.').map_or(version, |(date, _)| date);
    let parts: Vec<&str> = date.split('-').collect();
    let lengths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
    lengths == [4, 2, 2] && parts.iter().all(|part| part.bytes().all(|byte| byte.is_ascii_digit()))
}
