//! Open cases, against their objects in Stripe. A case comes due by itself when an interlock held something
//! back or a part of the context could not be read, when the next rung of its ladder begins, and otherwise once
//! a day: its object may have moved on without an event that reached us.

use anyhow::Result;
use runtime::{Metrics, failure};
use serde::Serialize;

use crate::App;

/// At most this many in one run; the next run takes the rest.
const BATCH: i32 = 100;

/// What the sweep did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Cases that were due.
    pub due: usize,
    /// Those of them that could not be decided; the next run tries again.
    pub failed: usize,
}

/// Decides what is due anew, by the processor's own turn.
///
/// # Errors
/// If the store does not answer.
pub async fn run(app: &App, metrics: &Metrics) -> Result<Report> {
    let processor = &app.processor;
    let due = processor.cases.due_cases((processor.clock)(), BATCH).await?;
    let mut report = Report { due: due.rows.len() + due.unreadable, failed: due.unreadable };
    for case in &due.rows {
        if let Err(error) = processor::turn::revisit(processor, metrics, &processor.new_run(), case).await {
            tracing::warn!(case = %case.key, failure = failure::chain(&error), "a case was not decided anew");
            report.failed += 1;
        }
    }
    metrics.count("cases_due", u64::try_from(report.due)?);
    Ok(report)
}
