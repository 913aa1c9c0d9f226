//! Half-done steps: planned by a run that died before the vendor or our record of it was reached, or put
//! off until the vendor can take them; and cards in the chat that lag behind their cases.
//!
//! Each kind of step waits in a line of its own, so that a vendor's outage fills its own line and keeps no
//! other vendor's steps waiting.

use std::collections::BTreeMap;

use anyhow::Result;
use domain::{CaseKey, plan::StepKind};
use futures_util::{StreamExt as _, future::join_all, stream};
use processor::{card, dispatch};
use runtime::{Metrics, failure};
use serde::Serialize;
use store::{StepRow, StoreError};

use crate::App;

/// At most this many of a kind in one run; the next run takes the rest.
const BATCH: i32 = 25;

/// Cases of a kind that are worked on at a time.
const SIDE_BY_SIDE: usize = 4;

/// What the sweep did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Steps whose lease had run out.
    pub due: usize,
    /// Cards that lagged behind.
    pub cards: usize,
    /// Those of both that could not be taken; the next run tries again.
    pub failed: usize,
}

/// Sends what is due, after looking whether it was sent already, and then brings cards up to date.
///
/// # Errors
/// If the store does not answer.
pub async fn run(app: &App, metrics: &Metrics) -> Result<Report> {
    let mut report = Report::default();
    for part in join_all(StepKind::NAMES.map(|kind| line(app, metrics, kind))).await {
        let part = part?;
        report.due += part.due;
        report.failed += part.failed;
    }
    cards(app, metrics, &mut report).await?;
    metrics.count("steps_due", u64::try_from(report.due)?);
    Ok(report)
}

/// The steps of one kind. Those of one case go in the order of their planning.
async fn line(app: &App, metrics: &Metrics, kind: &str) -> Result<Report, StoreError> {
    let processor = &app.processor;
    let due = processor.cases.due_steps(kind, (processor.clock)(), BATCH).await?;
    let mut report =
        Report { due: due.rows.len() + due.unreadable, failed: due.unreadable, ..Report::default() };
    let mut cases: BTreeMap<CaseKey, Vec<StepRow>> = BTreeMap::new();
    for row in due.rows {
        cases.entry(row.step.case.clone()).or_default().push(row);
    }
    let cases: Vec<_> = cases.into_values().map(|rows| in_order(app, metrics, rows)).collect();
    let failed: Vec<usize> = stream::iter(cases).buffer_unordered(SIDE_BY_SIDE).collect().await;
    report.failed += failed.iter().sum::<usize>();
    Ok(report)
}

/// How many of a case's steps could not be taken.
async fn in_order(app: &App, metrics: &Metrics, mut rows: Vec<StepRow>) -> usize {
    rows.sort_by_key(|row| row.since);
    let mut failed = 0;
    for row in &rows {
        failed += usize::from(!send(app, metrics, row).await);
    }
    failed
}

async fn send(app: &App, metrics: &Metrics, row: &StepRow) -> bool {
    let processor = &app.processor;
    let sent = dispatch::send_again(processor, metrics, &processor.new_run(), row).await;
    if let Err(error) = &sent {
        tracing::warn!(step = row.step.key.as_str(), failure = failure::chain(error), "a step still waits");
    }
    sent.is_ok()
}

async fn cards(app: &App, metrics: &Metrics, report: &mut Report) -> Result<()> {
    let processor = &app.processor;
    let due = processor.cases.due_cards((processor.clock)(), BATCH).await?;
    report.cards = due.rows.len() + due.unreadable;
    let cards: Vec<_> = due.rows.iter().map(|case| show(app, metrics, case)).collect();
    let shown: Vec<bool> = stream::iter(cards).buffer_unordered(SIDE_BY_SIDE).collect().await;
    report.failed += due.unreadable + shown.iter().filter(|shown| !*shown).count();
    Ok(())
}

async fn show(app: &App, metrics: &Metrics, case: &CaseKey) -> bool {
    let processor = &app.processor;
    let now = (processor.clock)();
    let shown = match processor.cases.take_card(case, now, now.plus(processor.lease)).await {
        Ok(true) => card::show(processor, metrics, case).await,
        other => other.map(drop),
    };
    if let Err(error) = &shown {
        tracing::warn!(%case, failure = failure::chain(error), "a card still waits");
    }
    shown.is_ok()
}
