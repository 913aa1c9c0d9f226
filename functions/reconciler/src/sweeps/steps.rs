//! Half-done steps: planned by a run that died before the vendor or our record of it was reached.

use anyhow::Result;
use runtime::Metrics;
use serde::Serialize;

use crate::App;

/// At most this many in one run; the next run takes the rest.
const BATCH: i32 = 50;

/// What the sweep did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Steps whose lease had run out.
    pub due: usize,
}

/// Sends what is due, after looking whether it was sent already.
///
/// # Errors
/// If the store does not answer.
pub async fn run(app: &App, metrics: &Metrics) -> Result<Report> {
    let processor = &app.processor;
    let run = processor.new_run();
    let due = processor.cases.due_steps((processor.clock)(), BATCH).await?;
    for row in &due {
        processor::dispatch::send_again(processor, metrics, &run, row).await?;
    }
    metrics.count("steps_due", u64::try_from(due.len())?);
    Ok(Report { due: due.len() })
}
