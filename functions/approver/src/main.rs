//! The approver function: wiring only.

use std::process::ExitCode;

use anyhow::{Result, anyhow};
use approver::App;
use lambda_runtime::{LambdaEvent, service_fn};
use runtime::{Clock, Env};
use serde_json::Value;

fn main() -> ExitCode {
    runtime::lambda::run(start)
}

async fn start(env: Env, clock: Clock) -> Result<()> {
    let app = App::from_env(&env, clock).await?;
    let app = &app;
    let answer = |event: LambdaEvent<Value>| async move { approver::handle(app, event.payload).await };
    Box::pin(lambda_runtime::run(service_fn(answer))).await.map_err(|error| anyhow!(error))
}
