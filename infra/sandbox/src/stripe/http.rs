//! HTTP around a request: how it is read, what a fault does to it, how its answer is spelled.

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

use super::{
    Stripe, Write, control,
    execution::{Answer, execute, prepare},
    failure::Failure,
    faults::Fault,
    form::Params,
    ids,
};

/// The largest body that is read, in bytes; dispute evidence has at most 150,000 characters.
const LARGEST: usize = 1 << 20;

/// The API as a service.
pub(crate) fn router(stripe: Arc<Stripe>) -> Router {
    Router::new().fallback(serve).with_state(Arc::clone(&stripe)).merge(control::router(stripe))
}

async fn serve(State(stripe): State<Arc<Stripe>>, request: Request) -> Response {
    let request_id = ids::request();
    let (head, body) = request.into_parts();
    let (method, path) = (head.method.as_str(), head.uri.path());
    let Ok(body) = to_bytes(body, LARGEST).await else {
        let failure = Failure::new(413, "invalid_request_error", "The request is too large.");
        return spell(&failure.into(), &request_id, &head.headers, &stripe);
    };
    let mut raw = head.uri.query().unwrap_or_default().as_bytes().to_vec();
    if !raw.is_empty() {
        raw.push(b'&');
    }
    raw.extend_from_slice(&body);
    let params = Params::decode(&raw);

    let fault = stripe.faults.take(method, path);
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
            return spell(&failure.into(), &request_id, &head.headers, &stripe);
        }
    };
    if let Some(Fault::Slow(time)) = &fault {
        // The request is running, so that its key is in use.
        tokio::time::sleep(*time).await;
    }
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
            super::lock(&stripe.late).push(prepared);
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
            spell(&answer, &request_id, &head.headers, &stripe)
        }
    }
}

fn spell(answer: &Answer, request_id: &str, asked: &HeaderMap, stripe: &Stripe) -> Response {
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

/// A header's text.
pub(crate) fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name).and_then(|value| value.to_str().ok())
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
