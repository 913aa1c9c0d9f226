//! One delivery, by webhook or by bus.

use anyhow::anyhow;
use domain::{
    Envelope,
    event::{CANARY, case_kind},
};
use lambda_http::{
    Body, Request, RequestExt as _, Response,
    http::{HeaderValue, Method, StatusCode, header},
    request::RequestContext,
};
use runtime::{Failure, Metrics, failure};
use serde::Deserialize;
use stripe::{
    EndpointSecrets,
    envelope::{NotAnEnvelope, from_eventbridge, from_webhook},
};

use crate::App;

/// Bodies beyond this many bytes are refused: 1 MiB. Stripe's are a few kilobytes, rarely a few
/// hundred.
pub const LARGEST: usize = 1 << 20;

const SIGNATURE: &str = "stripe-signature";

/// What stands in an envelope in an endpoint's place if the bus brought the event.
const BUS: &str = "eventbridge";

/// Handles one invocation: a request of the API, or else an event of the bus.
///
/// # Errors
/// If an event of the bus is not on the queue and should be. Lambda tries twice more.
pub async fn handle(app: &App, request: &Request) -> Result<Response<Body>, Failure> {
    match request.request_context_ref() {
        Some(RequestContext::PassThrough) => take(app, request.body().as_ref()).await.map(Response::new),
        _ => Ok(receive(app, request).await),
    }
}

/// Takes an event of the bus, as it stands below `detail`.
async fn take(app: &App, event: &[u8]) -> Result<Body, Failure> {
    let metrics = app.meter.invocation();
    let Some(source) = &app.event_source else {
        metrics.count("requests_refused", 1);
        return Err(Failure::new(
            "UnknownEvent",
            anyhow!("the event is no request, and no event source is set"),
        ));
    };
    let read = from_eventbridge(event, source, (app.clock)(), BUS);
    if read == Err(NotAnEnvelope::WrongSource) {
        metrics.count("requests_refused", 1);
        return Err(Failure::new("UnknownEvent", NotAnEnvelope::WrongSource));
    }
    match queued(app, read, BUS, || starts_no_work::<OnTheBus>(event), &metrics).await {
        (StatusCode::OK, _) => Ok(Body::Empty),
        (StatusCode::SERVICE_UNAVAILABLE, _) => {
            Err(Failure::new("NotQueued", anyhow!("the queue did not confirm")))
        }
        (_, reason) => Err(Failure::new("EventUnreadable", anyhow!(reason))),
    }
}

/// Answers a request; the table in the crate's documentation says how. Writes at most one line of log,
/// with ids only, and one of figures.
pub async fn receive(app: &App, request: &Request) -> Response<Body> {
    let metrics = app.meter.invocation();
    answer(outcome(app, request, &metrics).await)
}

/// How a request ends: a status and a word for the sender.
type Outcome = (StatusCode, &'static str);

async fn outcome(app: &App, request: &Request, metrics: &Metrics) -> Outcome {
    let Some((endpoint, secrets)) = addressed(app, request) else {
        metrics.count("requests_refused", 1);
        return (StatusCode::NOT_FOUND, "not found");
    };
    if request.method() != Method::POST {
        metrics.count("requests_refused", 1);
        return (StatusCode::METHOD_NOT_ALLOWED, "method not allowed");
    }
    let body = request.body().as_ref();
    if body.len() > LARGEST {
        metrics.count("requests_refused", 1);
        return (StatusCode::PAYLOAD_TOO_LARGE, "body too large");
    }
    let signature = request.headers().get(SIGNATURE).map(HeaderValue::as_bytes).unwrap_or_default();
    let now = (app.clock)();
    let verified = match secrets.verify(signature, body, now) {
        Ok(verified) => verified,
        Err(refused) => {
            // No log line: anybody can cause this, any number of times.
            metrics.count("signatures_refused", 1);
            metrics.count_by("signatures_refused", refused.reason(), 1);
            return (StatusCode::BAD_REQUEST, "signature refused");
        }
    };
    let read = from_webhook(&verified, now, endpoint);
    queued(app, read, endpoint, || starts_no_work::<Typed>(verified.body()), metrics).await
}

/// What becomes of an event that comes from Stripe.
async fn queued(
    app: &App,
    read: Result<Envelope, NotAnEnvelope>,
    endpoint: &str,
    starts_no_work: impl FnOnce() -> bool,
    metrics: &Metrics,
) -> Outcome {
    match read {
        Ok(envelope) if case_kind(&envelope.kind).is_some() || envelope.kind == CANARY => {
            enqueue(app, &envelope, metrics).await
        }
        Ok(envelope) => {
            metrics.count("events_ignored", 1);
            tracing::info!(event = %envelope.id, endpoint, "ignored: no work starts from its type");
            (StatusCode::OK, "ignored")
        }
        // An event of `balance.available`, say, has no object to read again, and nobody needs one.
        Err(reason) if starts_no_work() => {
            metrics.count("events_ignored", 1);
            tracing::info!(endpoint, reason = reason.reason(), "ignored: no work starts from its type");
            (StatusCode::OK, "ignored")
        }
        Err(reason) => {
            metrics.count("events_unreadable", 1);
            metrics.count_by("events_unreadable", reason.reason(), 1);
            tracing::error!(endpoint, reason = %reason, "from stripe, but not to be read; it counts as failed there");
            (StatusCode::BAD_REQUEST, reason.reason())
        }
    }
}

async fn enqueue(app: &App, envelope: &Envelope, metrics: &Metrics) -> Outcome {
    let (event, kind, object) = (&envelope.id, &envelope.kind, &envelope.object);
    let endpoint = envelope.endpoint.as_str();
    match app.queue.send_event(envelope).await {
        Ok(()) => {
            metrics.count("events_received", 1);
            tracing::info!(%event, trace = event.trace(), kind, %object, endpoint, "queued");
            (StatusCode::OK, "queued")
        }
        Err(error) => {
            metrics.count("queue_failures", 1);
            let cause = failure::chain(&error);
            tracing::error!(%event, kind, %object, endpoint, cause, "not queued; it will be delivered again");
            (StatusCode::SERVICE_UNAVAILABLE, "try again")
        }
    }
}

/// The endpoint that the path names, with or without the stage of the API before it.
fn addressed<'a>(app: &'a App, request: &Request) -> Option<(&'a str, &'a EndpointSecrets)> {
    let (before, name) = request.uri().path().rsplit_once("/stripe/")?;
    let is_stage = before.is_empty() || before.rfind('/') == Some(0);
    let (name, secrets) = app.endpoints.get_key_value(name)?;
    is_stage.then_some((name.as_str(), secrets))
}

/// What tells an event's type.
#[derive(Deserialize)]
struct Typed {
    object: String,
    r#type: String,
}

/// The same, where the bus puts it.
#[derive(Deserialize)]
struct OnTheBus {
    detail: Typed,
}

impl From<OnTheBus> for Typed {
    fn from(event: OnTheBus) -> Self {
        event.detail
    }
}

/// Whether these bytes are an event whose type starts no work, whatever else about it is unusual.
fn starts_no_work<'a, T: Deserialize<'a> + Into<Typed>>(bytes: &'a [u8]) -> bool {
    serde_json::from_slice::<T>(bytes).is_ok_and(|event| {
        let Typed { object, r#type } = event.into();
        // Thin events about v1 objects have the same types with the version before them.
        let kind = r#type.strip_prefix("v1.").unwrap_or(&r#type);
        matches!(object.as_str(), "event" | "v2.core.event") && case_kind(kind).is_none()
    })
}

fn answer((status, word): Outcome) -> Response<Body> {
    let mut response = Response::new(Body::from(word));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if status == StatusCode::METHOD_NOT_ALLOWED {
        headers.insert(header::ALLOW, HeaderValue::from_static("POST"));
    }
    response
}
