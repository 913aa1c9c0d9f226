//! The canary: an event that we send to ourselves through the front door, signed as Stripe signs, to see that
//! the whole path works even when nothing happens at Stripe.

use anyhow::{Result, ensure};
use domain::{EventId, Timestamp, event::CANARY};
use runtime::Metrics;
use serde::Serialize;
use serde_json::json;

use crate::App;

/// Where the sweep keeps the canary that it sent last, and the last one that arrived.
const SENT: &str = "canary.sent";
const ARRIVED: &str = "canary.arrived";

/// Before the time, in a canary's id.
const PREFIX: &str = "evt_canary_";

/// What became of the canaries.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// How long ago the last canary was sent that is known to have come through, in seconds; `None` before
    /// the second run, or without a canary.
    pub age: Option<i64>,
    /// The canary that was sent now.
    pub sent: Option<EventId>,
}

/// Looks whether the canary of the last run has its outcome, and sends the next one.
///
/// # Errors
/// If the store or ingress does not answer.
pub async fn run(app: &App, metrics: &Metrics) -> Result<Report> {
    let Some(canary) = &app.canary else { return Ok(Report::default()) };
    let (cases, now) = (&app.processor.cases, (app.processor.clock)());
    let sent = cases.place(SENT).await?;
    let mut arrived = cases.place(ARRIVED).await?;
    if let Some(id) = &sent
        && cases.event(&EventId::parse(id.as_str())?).await?.is_some_and(|row| row.outcome.is_some())
    {
        cases.set_place(ARRIVED, Some(id)).await?;
        arrived = Some(id.clone());
    }
    let age = arrived.as_deref().and_then(sent_at).map(|at| now.since(at));
    if let Some(age) = age.and_then(|age| i32::try_from(age).ok()) {
        metrics.seconds("canary_age", f64::from(age));
    }
    let id = EventId::parse(format!("{PREFIX}{}", now.seconds()))?;
    let body = json!({
        "id": id, "object": "event", "type": CANARY, "created": now,
        "livemode": app.processor.stripe.mode().is_live(),
        "data": { "object": { "id": "canary", "object": "canary" } },
    })
    .to_string();
    let signature = canary.secrets.sign(now, body.as_bytes());
    let request = canary.http.post(&canary.url).header("stripe-signature", signature);
    let answer = request.header("content-type", "application/json").body(body).send().await?;
    ensure!(answer.status().is_success(), "ingress answered {} to the canary", answer.status());
    cases.set_place(SENT, Some(id.as_str())).await?;
    if arrived.is_none() {
        // From here on the time counts, whether this one arrives or not.
        cases.set_place(ARRIVED, Some(id.as_str())).await?;
    }
    metrics.count("canaries_sent", 1);
    Ok(Report { age, sent: Some(id) })
}

fn sent_at(id: &str) -> Option<Timestamp> {
    id.strip_prefix(PREFIX)?.parse().ok().map(Timestamp::from_seconds)
}
