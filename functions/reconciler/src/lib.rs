//! The reconciler: scheduled sweeps. Each takes no input, compares what should be with what is,
//! repairs by the code path that would have made it right in the first place, and leaves retrying to
//! its next run.

mod app;
pub mod sweeps;

use serde::{Deserialize, Serialize};

pub use app::App;

/// Which sweep a schedule asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sweep {
    /// [`sweeps::steps`]
    Steps,
    /// [`sweeps::cases`]
    Cases,
    /// [`sweeps::events`]
    Events,
    /// [`sweeps::key`]
    Key,
}

/// A schedule's input.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Activation {
    /// The sweep to run.
    pub sweep: Sweep,
}

/// What a sweep found and did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Report {
    /// Of [`sweeps::steps`].
    Steps(sweeps::steps::Report),
    /// Of [`sweeps::cases`].
    Cases(sweeps::cases::Report),
    /// Of [`sweeps::events`].
    Events(sweeps::events::Report),
    /// Of [`sweeps::key`].
    Key(sweeps::key::Report),
}

/// Runs one sweep.
///
/// # Errors
/// If Stripe, the store or the queue does not answer; the next run starts over.
pub async fn handle(app: &App, activation: Activation) -> anyhow::Result<Report> {
    let metrics = app.meter.invocation();
    let report = match activation.sweep {
        Sweep::Steps => Report::Steps(sweeps::steps::run(app, &metrics).await?),
        Sweep::Cases => Report::Cases(sweeps::cases::run(app, &metrics).await?),
        Sweep::Key => Report::Key(sweeps::key::run(app, &metrics).await?),
        Sweep::Events => Report::Events(sweeps::events::run(app, &metrics).await?),
    };
    tracing::info!(sweep = ?activation.sweep, report = serde_json::to_string(&report)?, "swept");
    Ok(report)
}
