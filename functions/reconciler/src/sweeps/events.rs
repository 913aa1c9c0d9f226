//! Events that the store has never seen: undelivered, delivered to nobody, or lost with a queue.

use std::collections::HashSet;

use anyhow::Result;
use domain::{EventId, event::HANDLED};
use runtime::Metrics;
use serde::Serialize;
use stripe::client::EventQuery;

use crate::App;

/// How far back a run looks, in seconds.
const WINDOW: i64 = 6 * 3600;

/// What the sweep found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Events that Stripe listed.
    pub listed: usize,
    /// Those that the store had never seen; they are on the queue now.
    pub missed: usize,
    /// Whether Stripe had more than one run reads.
    pub complete: bool,
}

/// Lists Stripe's events of the last hours and queues those that the store has never seen, as
/// ingress would have done. An event that is under way at the same time is queued twice and worked
/// on once: the claim sees to that.
///
/// # Errors
/// If Stripe, the store or the queue does not answer.
pub async fn run(app: &App, metrics: &Metrics) -> Result<Report> {
    let processor = &app.processor;
    let now = (processor.clock)();
    let query = EventQuery {
        types: HANDLED.map(str::to_owned).to_vec(),
        from: Some(now.plus(-WINDOW)),
        until: Some(now.plus(-app.grace)),
        ..EventQuery::default()
    };
    let listed = processor.stripe.events(&query, now, "sweep").await?.value;
    let ids: Vec<EventId> = listed.items.iter().map(|one| one.envelope.id.clone()).collect();
    let unseen: HashSet<EventId> = processor.cases.unseen(&ids).await?.into_iter().collect();
    // Oldest first, as they would have come.
    for one in listed.items.iter().rev().filter(|one| unseen.contains(&one.envelope.id)) {
        app.events.send_event(&one.envelope).await?;
    }
    metrics.count("events_missed", u64::try_from(unseen.len())?);
    Ok(Report { listed: ids.len(), missed: unseen.len(), complete: listed.complete })
}
