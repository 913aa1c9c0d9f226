//! Stripe's events since a sweep last looked, in windows of time that can be read whole.

use anyhow::Result;
use domain::Timestamp;
use stripe::{
    Listed,
    client::{EventQuery, Occurred},
};

use crate::App;

/// How far back the very first run looks, in seconds.
const FIRST: i64 = 6 * 3600;

/// Stripe keeps events for 30 days (<https://docs.stripe.com/api/events>), in seconds.
const KEPT: i64 = 30 * 86_400;

/// How old an event must be, in seconds: an event can show up in the list later than it was created, and
/// what follows from it takes its time.
pub(crate) const SETTLED: i64 = 1800;

/// A window, read whole.
pub(crate) struct Window {
    /// What happened, oldest first.
    pub(crate) events: Vec<Occurred>,
    /// Events that could not be read, or were too many for a second.
    pub(crate) unread: usize,
    /// Its end: where the next one begins.
    pub(crate) until: Timestamp,
}

/// The events of these types since `cursor`; `None` if it has come up to now.
///
/// # Errors
/// If Stripe or the store does not answer.
pub(crate) async fn next(app: &App, cursor: &str, types: &[&str]) -> Result<Option<Window>> {
    let processor = &app.processor;
    let now = (processor.clock)();
    let end = now.plus(-SETTLED);
    let from = match processor.cases.cursor(cursor).await? {
        Some(cursor) => cursor.max(now.plus(-KEPT)),
        None => end.plus(-FIRST),
    };
    let mut width = end.since(from);
    if width <= 0 {
        return Ok(None);
    }
    loop {
        let until = from.plus(width).min(end);
        let mut listed = list(app, types, from, Some(until)).await?;
        if listed.complete || width <= 1 {
            listed.items.reverse();
            let unread = listed.skipped + usize::from(!listed.complete);
            return Ok(Some(Window { events: listed.items, unread, until }));
        }
        // Too many for one look: a shorter time.
        width = (width / 4).max(1);
    }
}

/// What happened from a time until this moment, newest first; of very many the newest.
///
/// # Errors
/// If Stripe does not answer.
pub(crate) async fn latest(app: &App, types: &[&str], from: Timestamp) -> Result<Vec<Occurred>> {
    Ok(list(app, types, from, None).await?.items)
}

async fn list(
    app: &App,
    types: &[&str],
    from: Timestamp,
    until: Option<Timestamp>,
) -> Result<Listed<Occurred>> {
    let query = EventQuery {
        types: types.iter().map(|&kind| kind.to_owned()).collect(),
        from: Some(from),
        until,
        ..EventQuery::default()
    };
    Ok(app.processor.stripe.events(&query, (app.processor.clock)(), "sweep").await?.value)
}
