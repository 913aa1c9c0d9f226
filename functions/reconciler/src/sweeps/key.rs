//! The read key: what it may do and must not. A key that can write in the agent's hands would undo the
//! whole separation (I5), and one that cannot read something makes decisions blind.

use anyhow::Result;
use runtime::Metrics;
use serde::Serialize;
use stripe::probe::{Finding, Role, State};

use crate::App;

/// What the sweep found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Permissions that the key needs and has not, by Stripe's names.
    pub lacking: Vec<String>,
    /// What it can do and must not.
    pub excess: Vec<String>,
    /// Questions without a clear answer.
    pub unclear: usize,
    /// Whether somebody has to act now.
    pub alarm: bool,
}

/// Asks Stripe some thirty questions that change nothing.
///
/// # Errors
/// Never today; what Stripe does not answer is in the report.
pub async fn run(app: &App, metrics: &Metrics) -> Result<Report> {
    let found = app.probe.report(Role::Read, &app.read_key).await;
    let report = Report {
        lacking: found.lacking().map(permission).collect(),
        excess: found
            .excess()
            .map(|one| format!("{} {:?}", one.resource, one.access).to_lowercase())
            .collect(),
        unclear: found.unclear().count(),
        alarm: found.is_alarm(),
    };
    if report.alarm {
        let excess = report.excess.join(", ");
        tracing::error!(restricted = found.restricted, excess, "the key for reading can do more than read");
    }
    if !report.lacking.is_empty() {
        tracing::error!(lacking = report.lacking.join(", "), "the key for reading lacks permissions");
    }
    metrics.count("keys_too_strong", u64::from(report.alarm));
    metrics.count("keys_too_weak", u64::try_from(report.lacking.len())?);
    Ok(report)
}

fn permission(finding: &Finding) -> String {
    match &finding.state {
        State::Lacking { permission } => permission.clone(),
        State::Held | State::Unclear { .. } => finding.resource.to_owned(),
    }
}
