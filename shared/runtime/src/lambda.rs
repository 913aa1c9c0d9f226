//! The start of a function's process.

use std::{
    future::Future,
    process::ExitCode,
    time::{Duration, SystemTime},
};

use anyhow::{Context as _, Result};
use tokio::time::Instant;
use tracing::Level;

use crate::{Clock, Env, failure, system_clock, telemetry};

/// Runs a function: starts logging, hands the environment and the clock to `start`, and logs its
/// failure once. One thread: an instance handles one invocation at a time.
pub fn run<F>(start: impl FnOnce(Env, Clock) -> F) -> ExitCode
where
    F: Future<Output = Result<()>>,
{
    let env = Env::of_process();
    let level = telemetry::level(&env);
    telemetry::init(level.clone().unwrap_or(Level::INFO));
    let outcome = level.map_err(anyhow::Error::from).and_then(|_| block_on(start(env, system_clock())));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(failure = failure::chain(error.as_ref()), "the function stopped");
            ExitCode::FAILURE
        }
    }
}

/// Until when an invocation must have answered.
#[expect(clippy::disallowed_methods, reason = "Lambda gives the deadline as a time of day")]
pub fn deadline(context: &lambda_runtime::Context) -> Instant {
    Instant::now() + context.deadline().duration_since(SystemTime::now()).unwrap_or_default()
}

/// Asks a service something only to have a connection to it: during an invocation a function with little memory has
/// a fourteenth of a processor for the handshake. A service that does not answer soon is left to the first event.
pub async fn opened(ask: impl Future) {
    const SOON: Duration = Duration::from_secs(2);
    drop(tokio::time::timeout(SOON, ask).await);
}

fn block_on<F: Future<Output = Result<()>>>(work: F) -> Result<()> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("could not start the asynchronous runtime")?
        .block_on(work)
}
