//! The reconciler: scheduled sweeps. Each takes no input, compares what should be with what is,
//! repairs by the code path that would have made it right in the first place, and leaves retrying to
//! its next run.
//!
//! What a sweep cannot repair by itself is a [`Finding`](domain::finding::Finding): told once, recorded
//! with a trail of its own, and told again when its values change.

mod app;
pub mod digest;
mod report;
pub mod sweeps;
mod window;

use serde::{Deserialize, Serialize};

pub use app::{App, Canary};

macro_rules! sweeps {
    ($($(#[$doc:meta])* $name:ident = $module:ident),+ $(,)?) => {
        /// Which sweep a schedule asks for.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Sweep {
            $($(#[$doc])* $name,)+
        }

        impl Sweep {
            /// All sweeps.
            pub const ALL: &[Self] = &[$(Self::$name),+];
        }

        /// What a sweep found and did.
        #[derive(Debug, Clone, PartialEq, Eq, Serialize)]
        #[serde(untagged)]
        pub enum Report {
            $($(#[$doc])* $name(sweeps::$module::Report),)+
        }

        async fn run(app: &App, metrics: &runtime::Metrics, sweep: Sweep) -> anyhow::Result<Report> {
            // Boxed: each is a large future by itself.
            Ok(match sweep {
                $(Sweep::$name => Report::$name(Box::pin(sweeps::$module::run(app, metrics)).await?),)+
            })
        }
    };
}

sweeps! {
    /// [`sweeps::steps`]
    Steps = steps,
    /// [`sweeps::cases`]
    Cases = cases,
    /// [`sweeps::events`]
    Events = events,
    /// [`sweeps::key`]
    Key = key,
    /// [`sweeps::deadlines`]
    Deadlines = deadlines,
    /// [`sweeps::approvals`]
    Approvals = approvals,
    /// [`sweeps::drift`]
    Drift = drift,
    /// [`sweeps::writes`]
    Writes = writes,
    /// [`sweeps::coexistence`]
    Coexistence = coexistence,
    /// [`sweeps::dead`]
    Dead = dead,
    /// [`sweeps::canary`]
    Canary = canary,
    /// [`sweeps::digest`]
    Digest = digest,
}

/// A schedule's input.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Activation {
    /// The sweep to run.
    pub sweep: Sweep,
}

/// Runs one sweep.
///
/// # Errors
/// If Stripe, the store or the queue does not answer; the next run starts over.
pub async fn handle(app: &App, activation: Activation) -> anyhow::Result<Report> {
    let metrics = app.meter.invocation();
    let report = run(app, &metrics, activation.sweep).await?;
    tracing::info!(sweep = ?activation.sweep, report = serde_json::to_string(&report)?, "swept");
    Ok(report)
}
