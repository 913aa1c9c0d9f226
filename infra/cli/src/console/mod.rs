//! The console: one page for developers that shows the pipeline at work. It is no part of the functions
//! and is served on this machine only.

mod board;
mod charts;
mod page;
mod trail;
mod why;

use std::{sync::Arc, time::Duration};

use anyhow::Result;
use aws_sdk_dynamodb::Client;
use axum::{
    Json, Router,
    extract::{Path, State},
    response::{Html, IntoResponse as _, Response},
    routing::{get, post},
};
use domain::Timestamp;
use http::{HeaderValue, StatusCode, header};
use runtime::Clock;
use sandbox::{
    Sandbox,
    world::{APPROVALS_TABLE, CASES_TABLE, Function},
};
use serde::Deserialize;
use store::{Approvals, Cases, Everything, StoreError, everything};
use tokio::sync::Mutex;

use board::Board;

use crate::step::{self, Wish};

/// Nothing from elsewhere, and no script but the one of this page.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      frame-ancestors 'none'; base-uri 'none'; form-action 'self'";

struct Console {
    sandbox: Arc<Sandbox>,
    tables: Client,
    url: String,
    clock: Clock,
    /// The clock of every stand-in and function, to be moved.
    time: sandbox::Clock,
    /// The last look and when it was, so that several open pages cost one read in a second.
    seen: Mutex<Option<(i64, Arc<Everything>)>>,
}

/// The page, its data as JSON, the trail for `countersign trail verify`, and answers for `countersign why`.
///
/// `POST /clock` with `{"seconds":N}` lets time pass, to see what becomes of a proposal that nobody decides.
/// `POST /passkeys` is what `countersign passkey --api` sends.
/// `POST /steps/retry` with case, step and who asks sends a failed step again.
/// `POST /keys` with `{}` rotates the keys of links, receipts and sessions.
/// A body has to be JSON, which no page of another site can send without asking first.
pub fn router(
    sandbox: Arc<Sandbox>,
    tables: Client,
    url: String,
    clock: Clock,
    time: sandbox::Clock,
) -> Router {
    let console = Console { sandbox, tables, url, clock, time, seen: Mutex::default() };
    Router::new()
        .route("/", get(show))
        .route("/data", get(data))
        .route("/trail", get(export))
        .route("/trail/{id}", get(excerpt))
        .route("/clock", post(advance))
        .route("/keys", post(rotate))
        .route("/passkeys", post(passkeys))
        .route("/steps/retry", post(retry))
        .route("/why", get(why::search))
        .route("/why/{object}", get(why::answer))
        .route("/digest/{from}/{until}", get(digest))
        .route("/console.css", get(|| async { asset("text/css", include_str!("console.css")) }))
        .route("/console.js", get(|| async { asset("text/javascript", include_str!("console.js")) }))
        .with_state(Arc::new(console))
}

impl Console {
    async fn look(&self) -> Result<Arc<Everything>, StoreError> {
        let now = (self.clock)().seconds();
        let mut seen = self.seen.lock().await;
        if let Some((at, all)) = &*seen
            && *at == now
        {
            return Ok(Arc::clone(all));
        }
        let all = Arc::new(self.read().await?);
        *seen = Some((now, Arc::clone(&all)));
        Ok(all)
    }

    async fn read(&self) -> Result<Everything, StoreError> {
        everything(&self.tables, [CASES_TABLE, APPROVALS_TABLE]).await
    }

    async fn board(&self) -> Result<Board, StoreError> {
        let all = self.look().await?;
        Ok(Board::of(&self.sandbox, &all, &self.url, (self.clock)()))
    }
}

async fn show(State(console): State<Arc<Console>>) -> Response {
    match console.board().await {
        Ok(board) => guarded(Html(page::whole(&board).into_string()).into_response()),
        Err(error) => failed(&error),
    }
}

/// A page with the headers that keep everything else out.
fn guarded(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

async fn data(State(console): State<Arc<Console>>) -> Response {
    match console.board().await {
        Ok(board) => ([(header::CACHE_CONTROL, "no-store")], Json(board)).into_response(),
        Err(error) => failed(&error),
    }
}

async fn export(State(console): State<Arc<Console>>) -> Response {
    match trail::export(&console).await {
        Ok(lines) => ([(header::CONTENT_TYPE, "application/x-ndjson")], lines).into_response(),
        Err(error) => failed(&error),
    }
}

async fn excerpt(State(console): State<Arc<Console>>, Path(id): Path<String>) -> Response {
    match trail::excerpt(&console, &id).await {
        Ok(lines) => ([(header::CONTENT_TYPE, "application/x-ndjson")], lines).into_response(),
        Err(error) => failed(&error),
    }
}

async fn digest(State(console): State<Arc<Console>>, Path((from, until)): Path<(i64, i64)>) -> Response {
    let cases = Cases::new(console.tables.clone(), CASES_TABLE);
    let approvals = Approvals::new(console.tables.clone(), APPROVALS_TABLE);
    let (from, until) = (Timestamp::from_seconds(from), Timestamp::from_seconds(until));
    match reconciler::digest::gather(&cases, &approvals, from, until).await {
        Ok(digest) => ([(header::CACHE_CONTROL, "no-store")], Json(digest)).into_response(),
        Err(error) => {
            tracing::warn!(error = format!("{error:#}"), "the console cannot make a digest");
            (StatusCode::SERVICE_UNAVAILABLE, "the tables do not answer; try again\n").into_response()
        }
    }
}

/// How far time is to be moved.
#[derive(Deserialize)]
struct Forward {
    seconds: u32,
}

async fn advance(State(console): State<Arc<Console>>, Json(by): Json<Forward>) -> StatusCode {
    console.time.advance(Duration::from_secs(by.seconds.into()));
    StatusCode::NO_CONTENT
}

async fn rotate(State(console): State<Arc<Console>>, Json(_): Json<serde_json::Value>) -> Response {
    let env = console.sandbox.variables(Function::Approver).into_iter().collect();
    match crate::keys::rotate_all(&env, (console.clock)()).await {
        Ok(said) => said.into_response(),
        Err(error) => (StatusCode::CONFLICT, format!("{error:#}")).into_response(),
    }
}

async fn passkeys(State(console): State<Arc<Console>>, Json(asked): Json<crate::passkey::Asked>) -> Response {
    let registry = Approvals::new(console.tables.clone(), APPROVALS_TABLE);
    match crate::passkey::answer(&registry, &asked, (console.clock)()).await {
        Ok(Ok(said)) => said.into_response(),
        Ok(Err(why)) => (StatusCode::CONFLICT, why).into_response(),
        Err(error) => failed(&error),
    }
}

async fn retry(State(console): State<Arc<Console>>, Json(wish): Json<Wish>) -> Response {
    let cases = Cases::new(console.tables.clone(), CASES_TABLE);
    match cases.retry_step(&wish.case, &wish.step, wish.by.as_str(), (console.clock)()).await {
        Ok(retry) => match step::told(&wish, &retry) {
            Ok(good) => good.into_response(),
            Err(no) => (StatusCode::CONFLICT, no).into_response(),
        },
        Err(error) if error.is_conflict() => {
            (StatusCode::CONFLICT, "the case moved meanwhile; ask again").into_response()
        }
        Err(error) => failed(&error),
    }
}

fn failed(error: &StoreError) -> Response {
    tracing::warn!(error = %error, "the console cannot read the tables");
    (StatusCode::SERVICE_UNAVAILABLE, "the tables do not answer; try again\n").into_response()
}

fn asset(kind: &'static str, text: &'static str) -> Response {
    ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-cache")], text).into_response()
}
