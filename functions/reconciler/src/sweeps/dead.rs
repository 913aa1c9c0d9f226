//! Dead letters: messages that failed too often. `countersign redrive` shows them with their reason and
//! sends them again.

use std::collections::BTreeMap;

use anyhow::Result;
use runtime::Metrics;
use serde::Serialize;

use crate::App;

/// What lies there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Messages, by queue.
    pub dead: BTreeMap<&'static str, u64>,
}

/// Counts what lies in the queues of dead letters.
///
/// # Errors
/// If a queue does not answer.
pub async fn run(app: &App, metrics: &Metrics) -> Result<Report> {
    let mut report = Report::default();
    for (name, queue) in &app.dead {
        let depth = queue.depth().await?;
        metrics.count_by("dead_letters", name, depth);
        report.dead.insert(name, depth);
    }
    metrics.count("dead_letters", report.dead.values().sum());
    Ok(report)
}
