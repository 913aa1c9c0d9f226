//! What goes wrong with the calls of a stand-in, on demand.

use std::{
    io,
    pin::Pin,
    sync::{Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use anyhow::Result;
use axum::{
    Json,
    body::{Body, Bytes},
    response::{IntoResponse as _, Response},
};
use http::{StatusCode, header};
use serde_json::Value;

/// What goes wrong with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The vendor's refusal of too many calls, with seconds to wait; nothing is done.
    RateLimited(u64),
    /// 500; nothing is done.
    ServerError,
    /// No answer until the caller gives up; nothing is done.
    HangBefore,
    /// It is done, and the connection closes without an answer.
    DropAfter,
}

/// The faults that are waiting: method and beginning of the path, fault, how often still.
#[derive(Default)]
pub(crate) struct Faults(Mutex<Vec<(String, Fault, usize)>>);

impl Faults {
    /// Lets the next `times` calls that begin with `on` (`POST /v2/email`) go wrong.
    pub(crate) fn add(&self, on: &str, fault: Fault, times: usize) {
        self.waiting().push((on.to_owned(), fault, times));
    }

    /// The fault of this call, used up by it.
    pub(crate) fn next(&self, call: &str) -> Option<Fault> {
        let mut waiting = self.waiting();
        let (_, fault, left) =
            waiting.iter_mut().find(|(on, _, left)| *left > 0 && call.starts_with(on.as_str()))?;
        *left -= 1;
        Some(*fault)
    }

    /// Forgets all of them.
    pub(crate) fn clear(&self) {
        self.waiting().clear();
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<(String, Fault, usize)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A status and JSON; `Null` is no body.
pub(crate) type Answer = Result<(u16, Value)>;

/// Answers, or lets the fault have its way. `limited` is the vendor's refusal of too many calls.
pub(crate) async fn answer(
    fault: Option<Fault>,
    limited: (u16, Value),
    perform: impl FnOnce() -> Answer,
) -> Response {
    match fault {
        Some(Fault::RateLimited(wait)) => {
            let mut response = spell(limited);
            response.headers_mut().insert(header::RETRY_AFTER, wait.into());
            return response;
        }
        Some(Fault::ServerError) => return StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        Some(Fault::HangBefore) => return std::future::pending().await,
        Some(Fault::DropAfter) | None => {}
    }
    match perform() {
        Ok(_) if fault == Some(Fault::DropAfter) => Response::new(Body::new(Broken)),
        Ok(answer) => spell(answer),
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "a stand-in failed");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

fn spell((status, body): (u16, Value)) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if body.is_null() { status.into_response() } else { (status, Json(body)).into_response() }
}

/// A body that makes the server close the connection.
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
