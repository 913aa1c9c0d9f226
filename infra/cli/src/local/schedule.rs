//! What EventBridge Scheduler does in an account, more often: who watches does not wait five minutes.

use std::{future::Future, sync::Arc, time::Duration};

use anyhow::Result;
use reconciler::{Activation, Sweep};
use serde_json::json;
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{MissedTickBehavior, interval},
};

use super::pipeline::Functions;

const STEPS: Duration = Duration::from_secs(30);
const EVENTS: Duration = Duration::from_mins(1);
/// The sweeps that watch.
const WATCH: Duration = Duration::from_mins(2);
const SETTLE: Duration = Duration::from_secs(30);
const CHECKPOINT: Duration = Duration::from_secs(30);

/// Starts the reconciler's sweeps and the approver's settlement and checkpoints.
pub(super) fn start(tasks: &mut JoinSet<()>, functions: &Arc<Functions>, stop: &watch::Receiver<bool>) {
    let sweep = |sweep| {
        let functions = Arc::clone(functions);
        move || {
            let functions = Arc::clone(&functions);
            async move { reconciler::handle(&functions.reconciler, Activation { sweep }).await.map(drop) }
        }
    };
    tasks.spawn(every(STEPS, "steps", stop.clone(), sweep(Sweep::Steps)));
    tasks.spawn(every(EVENTS, "events", stop.clone(), sweep(Sweep::Events)));
    for (name, one) in [
        ("cases", Sweep::Cases),
        ("deadlines", Sweep::Deadlines),
        ("approvals", Sweep::Approvals),
        ("drift", Sweep::Drift),
        ("writes", Sweep::Writes),
        ("coexistence", Sweep::Coexistence),
        ("dead", Sweep::Dead),
        ("canary", Sweep::Canary),
    ] {
        tasks.spawn(every(WATCH, name, stop.clone(), sweep(one)));
    }
    for (period, name) in [(SETTLE, "settle"), (CHECKPOINT, "checkpoint")] {
        let functions = Arc::clone(functions);
        let work = move || {
            let functions = Arc::clone(&functions);
            async move { functions.approve(json!({ "schedule": name })).await.map(drop) }
        };
        tasks.spawn(every(period, name, stop.clone(), work));
    }
}

/// Runs `work` after each `period`, never beside itself. A failure is left to the next run.
async fn every<F: Future<Output = Result<()>>>(
    period: Duration,
    name: &'static str,
    mut stop: watch::Receiver<bool>,
    work: impl Fn() -> F,
) {
    let mut clock = interval(period);
    clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
    clock.tick().await;
    loop {
        tokio::select! {
            _ = clock.tick() => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
        if let Err(error) = work().await {
            tracing::warn!(schedule = name, error = format!("{error:#}"), "a scheduled run failed");
        }
    }
}
