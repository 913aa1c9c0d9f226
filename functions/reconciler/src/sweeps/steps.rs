//! Half-done steps: planned by a run that died before the vendor or our record of it was reached.

use anyhow::Result;
use runtime::{Metrics, failure};
use serde::Serialize;

use crate::App;

/// At most this many in one run; the next run takes the rest.
const BATCH: i32 = 50;

/// What the sweep did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Steps whose lease had run out.
    pub due: usize,
    /// Those of them that could not be taken; the next run tries again.
    pub failed: usize,
}

/// Sends what is due, after looking whether it was sent already.
///
/// # Errors
/// If the store does not answer.
pub async fn run(app: &App, metrics: &Metrics) -> Result<Report> {
    let processor = &app.processor;
    let due = processor.cases.due_steps((processor.clock)(), BATCH).await?;
    let mut report = Report { due: due.rows.len() + due.unreadable, failed: due.unreadable };
    for row in &due.rows {
        if let Err(error) =
            processor::dispatch::send_again(processor, metrics, &processor.new_run(), row).await
        {
            tracing::warn!(
                step = row.step.key.as_str(),
                failure = failure::chain(&error),
                "a step still waits"
            );
            report.failed += 1;
        }
    }
    metrics.count("steps_due", u64::try_from(report.due)?);
    Ok(report)
}
