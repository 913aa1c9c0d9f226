//! Events that the store has never seen: undelivered, delivered to nobody, or lost with a queue.

use std::collections::HashSet;

use anyhow::Result;
use domain::{AccountId, EventId, Timestamp, event::HANDLED};
use runtime::Metrics;
use serde::Serialize;
use stripe::{Scope, client::EventQuery};

use crate::App;

/// How far back the very first run looks, in seconds; older events are history.
const FIRST: i64 = 6 * 3600;

/// Stripe keeps events for 30 days (<https://docs.stripe.com/api/events>), in seconds.
const KEPT: i64 = 30 * 86_400;

/// How much of the time before the cursor is looked at again, in seconds: an event can show up in the
/// list later than it was created.
const OVERLAP: i64 = 1800;

/// At most so many slices of time in one run, each of at most this many seconds.
const SLICES: u32 = 48;
const SLICE: i64 = 3600;

/// The cursor's name in the store; of a connected account with its id behind a colon.
const CURSOR: &str = "events";

/// What the sweep found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Events that Stripe listed.
    pub listed: usize,
    /// Those that the store had never seen; they are on the queue now.
    pub missed: usize,
    /// Listed events that could not be read, or were too many for a second.
    pub skipped: usize,
    /// Whether the sweep has come up to now; if not, the next run goes on.
    pub complete: bool,
}

/// Lists Stripe's events since the last run and queues those that the store has never seen, as
/// ingress would have done. An event that is under way at the same time is queued twice and worked
/// on once: the claim sees to that. After days of standstill it goes on where it stopped.
///
/// # Errors
/// If Stripe, the store or the queue does not answer; what was swept by then stays swept.
pub async fn run(app: &App, metrics: &Metrics) -> Result<Report> {
    let mut report = account(app, None).await?;
    for one in &app.accounts {
        let more = account(app, Some(one)).await?;
        report.listed += more.listed;
        report.missed += more.missed;
        report.skipped += more.skipped;
        report.complete &= more.complete;
    }
    metrics.count("events_missed", u64::try_from(report.missed)?);
    metrics.count("events_unswept", u64::try_from(report.skipped)?);
    Ok(report)
}

/// Sweeps one account: our own, or a connected one.
async fn account(app: &App, account: Option<&AccountId>) -> Result<Report> {
    let cases = &app.processor.cases;
    let cursor = &account.map_or_else(|| CURSOR.to_owned(), |account| format!("{CURSOR}:{account}"));
    let now = (app.processor.clock)();
    let end = now.plus(-app.grace);
    let oldest = now.plus(-KEPT);
    let mut from = match cases.cursor(cursor).await? {
        Some(cursor) => cursor.plus(-OVERLAP).max(oldest),
        None => end.plus(-FIRST),
    };
    let (mut report, mut width) = (Report::default(), SLICE);
    for _ in 0..SLICES {
        if from >= end {
            report.complete = true;
            break;
        }
        let until = from.plus(width).min(end);
        let slice = sweep(app, account, from, until).await?;
        if !slice.complete && width > 1 {
            // Too many events for one look: a shorter time.
            width = (width / 4).max(1);
            continue;
        }
        report.listed += slice.listed;
        report.missed += slice.missed;
        report.skipped += slice.skipped + usize::from(!slice.complete);
        cases.set_cursor(cursor, until).await?;
        from = until;
    }
    Ok(report)
}

/// Looks at one slice of time; if Stripe has more than was read, nothing is queued.
async fn sweep(app: &App, account: Option<&AccountId>, from: Timestamp, until: Timestamp) -> Result<Report> {
    let processor = &app.processor;
    let query = EventQuery {
        types: HANDLED.map(str::to_owned).to_vec(),
        from: Some(from),
        until: Some(until),
        ..EventQuery::default()
    };
    let scope = account.map_or(Scope::Own, |account| Scope::Account(account.clone()));
    let stripe = processor.stripe.scoped(scope);
    let listed = stripe.events(&query, (processor.clock)(), "sweep").await?.value;
    let mut report =
        Report { listed: listed.items.len(), missed: 0, skipped: listed.skipped, complete: listed.complete };
    if !listed.complete && until.since(from) > 1 {
        return Ok(report);
    }
    let ids: Vec<EventId> = listed.items.iter().map(|one| one.envelope.id.clone()).collect();
    let unseen: HashSet<EventId> = processor.cases.unseen(&ids).await?.into_iter().collect();
    // Oldest first, as they would have come.
    for one in listed.items.iter().rev().filter(|one| unseen.contains(&one.envelope.id)) {
        let mut envelope = one.envelope.clone();
        // Listed in the account's own name, an event need not say whose it is.
        envelope.account = envelope.account.or_else(|| account.cloned());
        app.events.send_event(&envelope).await?;
        report.missed += 1;
    }
    Ok(report)
}
