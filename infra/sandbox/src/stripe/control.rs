//! What is asked of the stand-in and not of Stripe, below `/_sandbox`: what goes wrong with requests and
//! deliveries, limits, time. Bodies and answers are JSON; a secret key of the account is asked for.
//!
//! | request | body | what it does |
//! | --- | --- | --- |
//! | `GET /_sandbox` | | shows what is planned, the limits, the time, how many deliveries wait |
//! | `POST /_sandbox/faults` | `{"fault": …, "on": "POST /v1/refunds", "times": 1}` | plans a [`Fault`] for requests whose method and path begin like `on`; without `times` for all of them |
//! | `DELETE /_sandbox/faults` | | forgets them |
//! | `POST /_sandbox/late` | | executes what `commit_late` put off |
//! | `POST /_sandbox/disturbances` | `{"disturbance": …, "events": "invoice.*", "times": 1}` | plans a [`Disturbance`] of deliveries |
//! | `DELETE /_sandbox/disturbances` | | forgets them |
//! | `POST /_sandbox/order` | `{"seed": 7}` | shuffles deliveries; `{"seed": null}` sends them in order |
//! | `POST /_sandbox/limits` | `{"account_per_second": 25, "endpoint_per_second": 25}` | refuses what is more with 429 |
//! | `DELETE /_sandbox/limits` | | lifts them |
//! | `POST /_sandbox/clock` | `{"advance": 3600}` | moves the account's time by seconds, and bills what then is due |
//! | `POST /_sandbox/deliveries` | | makes each delivery that is due, once |
//! | `POST /_sandbox/resend` | `{"event": "evt_…"}` | sends an event again to every endpoint |
//!
//! Faults are `"hang_before_commit"`, `"hang_after_commit"`, `"drop_before_commit"`,
//! `"drop_after_commit"`, `"commit_late"`, `"lock_timeout"`, `{"server_error": {"commits": true}}`,
//! `{"rate_limited": "global-rate"}` (or `endpoint-rate`, `global-concurrency`,
//! `endpoint-concurrency`, `resource-specific`) and `{"slow": MILLISECONDS}`. Disturbances are `"drop"`,
//! `{"duplicate": HOW_MANY_MORE}` and `{"delay": SECONDS}`.

use std::{sync::Arc, time::Duration};

use axum::{
    Json, Router,
    extract::{Request, State},
    middleware::{self, Next},
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Disturbance, Fault, Limits, Stripe, http::text, keys};

type Stand = State<Arc<Stripe>>;

/// The control endpoints as a service.
pub(crate) fn router(stripe: Arc<Stripe>) -> Router {
    Router::new()
        .route("/_sandbox", get(show))
        .route("/_sandbox/faults", post(plan).delete(clear))
        .route("/_sandbox/late", post(finish))
        .route("/_sandbox/disturbances", post(disturb).delete(calm))
        .route("/_sandbox/order", post(order))
        .route("/_sandbox/limits", post(limit).delete(unlimit))
        .route("/_sandbox/clock", post(advance))
        .route("/_sandbox/deliveries", post(deliver))
        .route("/_sandbox/resend", post(resend))
        .route_layer(middleware::from_fn_with_state(Arc::clone(&stripe), permit))
        .with_state(stripe)
}

async fn permit(State(stripe): Stand, request: Request, next: Next) -> Response {
    match keys::authorise(&stripe.keys, text(request.headers(), "authorization")) {
        Ok(key) if key.is_secret() => next.run(request).await,
        Ok(_) => refused(StatusCode::FORBIDDEN, "a secret key is asked for"),
        Err(_) => refused(StatusCode::UNAUTHORIZED, "a secret key of the account is asked for"),
    }
}

fn refused(status: StatusCode, message: &str) -> Response {
    (status, Json(json!({ "error": message }))).into_response()
}

async fn show(State(stripe): Stand) -> Json<Value> {
    Json(json!({
        "faults": stripe.faults.planned(),
        "disturbances": *stripe.rules(),
        "order": stripe.shuffle(),
        "limits": stripe.limits.limits(),
        "now": stripe.now(),
        "undelivered": stripe.undelivered(),
    }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PlanFault {
    fault: Fault,
    on: String,
    times: Option<u32>,
}

async fn plan(State(stripe): Stand, Json(asked): Json<PlanFault>) -> Json<Value> {
    stripe.faults.plan(asked.fault, &asked.on, asked.times);
    show(State(stripe)).await
}

async fn clear(State(stripe): Stand) -> Json<Value> {
    stripe.clear_faults();
    show(State(stripe)).await
}

async fn finish(State(stripe): Stand) -> Json<Value> {
    Json(json!({ "finished": stripe.finish_late() }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PlanDisturbance {
    disturbance: Disturbance,
    events: String,
    times: u32,
}

async fn disturb(State(stripe): Stand, Json(asked): Json<PlanDisturbance>) -> Json<Value> {
    stripe.disturb(asked.disturbance, &asked.events, asked.times);
    show(State(stripe)).await
}

async fn calm(State(stripe): Stand) -> Json<Value> {
    stripe.rules().clear();
    show(State(stripe)).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    seed: Option<u64>,
}

async fn order(State(stripe): Stand, Json(asked): Json<Order>) -> Json<Value> {
    stripe.reorder(asked.seed);
    show(State(stripe)).await
}

async fn limit(State(stripe): Stand, Json(limits): Json<Limits>) -> Json<Value> {
    stripe.limit(Some(limits));
    show(State(stripe)).await
}

async fn unlimit(State(stripe): Stand) -> Json<Value> {
    stripe.limit(None);
    show(State(stripe)).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    /// Seconds.
    advance: u64,
}

async fn advance(State(stripe): Stand, Json(asked): Json<Advance>) -> Response {
    stripe.clock.advance(Duration::from_secs(asked.advance));
    match stripe.bill_due() {
        Ok(()) => show(State(stripe)).await.into_response(),
        Err(error) => refused(StatusCode::INTERNAL_SERVER_ERROR, &format!("{error:#}")),
    }
}

async fn deliver(State(stripe): Stand) -> Json<Value> {
    Json(json!({ "tried": stripe.deliver_due().await }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Resend {
    event: String,
}

async fn resend(State(stripe): Stand, Json(asked): Json<Resend>) -> Response {
    match stripe.resend(&asked.event) {
        Ok(()) => show(State(stripe)).await.into_response(),
        Err(error) => refused(StatusCode::NOT_FOUND, &format!("{error:#}")),
    }
}
