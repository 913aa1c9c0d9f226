//! The way of a request: key, scope, faults, idempotency, execution, answer.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    extract::{Request, State},
    response::Response,
};
use http::{HeaderMap, StatusCode, header};
use serde_json::Value;

use super::{
    Stripe, Write,
    expand::{self, expand},
    failure::{Failure, Outcome},
    faults::Fault,
    form::Params,
    idempotency::{self, Held, Saved},
    ids,
    keys::{self, Key},
    routes::{self, Call, Route},
    store::{Changes, Origin, Tx},
};

/// The largest body that is read, in bytes; dispute evidence has at most 150,000 characters.
const LARGEST: usize = 1 << 20;

/// The API as a service.
pub(crate) fn router(stripe: Arc<Stripe>) -> Router {
    Router::new().fallback(serve).with_state(stripe)
}

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
struct Answer {
    status: u16,
    body: Value,
    /// The request whose answer this is, if it is a replay.
    original: Option<String>,
    limited: Option<&'static str>,
    retry: Option<bool>,
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

async fn serve(State(stripe): State<Arc<Stripe>>, request: Request) -> Response {
    let request_id = ids::request();
    let (head, body) = request.into_parts();
    let (method, path) = (head.method.as_str(), head.uri.path());
    let Ok(body) = to_bytes(body, LARGEST).await else {
        let failure = Failure::new(413, "invalid_request_error", "The request is too large.");
        return spell(failure.into(), &request_id, &head.headers, &stripe);
    };
    let mut raw = head.uri.query().unwrap_or_default().as_bytes().to_vec();
    if !raw.is_empty() {
        raw.push(b'&');
    }
    raw.extend_from_slice(&body);
    let params = Params::decode(&raw);

    let fault = stripe.faults.take(method, path);
    if let Some(Fault::Slow(time)) = &fault {
        tokio::time::sleep(*time).await;
    }
    let mut unexecuted = Write {
        at: stripe.now(),
        method: method.to_owned(),
        path: path.to_owned(),
        idempotency_key: text(&head.headers, "idempotency-key").map(str::to_owned),
        params: params.json().clone(),
        request_id: request_id.clone(),
        status: 0,
        replayed: false,
        answered: true,
    };
    let prepared = match prepare(&stripe, &head.headers, method, path, params, &request_id, fault.as_ref()) {
        Ok(prepared) => prepared,
        Err(failure) => {
            unexecuted.status = failure.status;
            stripe.log(unexecuted);
            return spell(failure.into(), &request_id, &head.headers, &stripe);
        }
    };
    match fault {
        Some(Fault::HangBeforeCommit) => {
            stripe.log(Write { answered: false, ..unexecuted });
            // Held until the caller gives up: then this future is dropped, and with it the key.
            std::future::pending().await
        }
        Some(Fault::DropBeforeCommit) => {
            stripe.log(Write { answered: false, ..unexecuted });
            broken()
        }
        Some(Fault::CommitLate) => {
            stripe.late.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(prepared);
            broken()
        }
        Some(Fault::HangAfterCommit) => {
            execute(&stripe, &prepared, false);
            drop(prepared);
            std::future::pending().await
        }
        Some(Fault::DropAfterCommit) => {
            execute(&stripe, &prepared, false);
            broken()
        }
        _ => {
            let answer = execute(&stripe, &prepared, true);
            spell(answer, &request_id, &head.headers, &stripe)
        }
    }
}

/// Everything that is checked before execution begins.
fn prepare(
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
            format!("The provided key does not have access to account '{other}' (or that account does not exist)."),
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
    if let Some(refusal) = fault.and_then(Fault::refusal) {
        return Err(refusal);
    }
    // Only POST has keys; GET and DELETE are idempotent by contract.
    let idempotency_key =
        text(headers, "idempotency-key").filter(|_| method == "POST").map(str::to_owned);
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

/// Executes a request that a fault had put off.
pub(crate) fn execute_late(stripe: &Stripe, prepared: &Prepared) {
    execute(stripe, prepared, false);
}

fn execute(stripe: &Stripe, prepared: &Prepared, answered: bool) -> Answer {
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

fn spell(answer: Answer, request_id: &str, asked: &HeaderMap, stripe: &Stripe) -> Response {
    let version = text(asked, "stripe-version").unwrap_or(&stripe.setting.api_version);
    let mut response = Response::builder()
        .status(StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR))
        .header(header::CONTENT_TYPE, "application/json")
        .header("request-id", request_id)
        .header("stripe-version", version);
    if let Some(key) = asked.get("idempotency-key") {
        response = response.header("idempotency-key", key);
        if let Some(original) = &answer.original {
            response = response.header("idempotent-replayed", "true").header("original-request", original);
        } else {
            response = response.header("original-request", request_id);
        }
    }
    if let Some(reason) = answer.limited {
        response = response.header("stripe-rate-limited-reason", reason);
    }
    if let Some(retry) = answer.retry {
        response = response.header("stripe-should-retry", if retry { "true" } else { "false" });
    }
    response.body(Body::from(answer.body.to_string())).unwrap_or_default()
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// `2026-10-28` or `2026-10-28.endive`.
fn is_version(version: &str) -> bool {
    let date = version.split_once('.').map_or(version, |(date, _)| date);
    let parts: Vec<&str> = date.split('-').collect();
    let lengths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
    lengths == [4, 2, 2] && parts.iter().all(|part| part.bytes().all(|byte| byte.is_ascii_digit()))
}

/// An answer that makes the server close the connection before it has written anything.
fn broken() -> Response {
    Response::new(Body::new(Broken))
}

struct Broken;

impl http_body::Body for Broken {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, io::Error>>> {
        Poll::Ready(Some(Err(io::Error::other("the connection was dropped on purpose"))))
    }
}
