//! The ingress function: wiring only.

use std::process::ExitCode;

use anyhow::{Result, anyhow};
use ingress::App;
use lambda_http::{Request, service_fn};
use runtime::{Clock, Env};

fn main() -> ExitCode {
    runtime::lambda::run(start)
}

async fn start(env: Env, clock: Clock) -> Result<()> {
    let app = App::from_env(&env, clock).await?;
    let app = &app;
    let answer = |request: Request| async move { ingress::handle(app, &request).await };
    lambda_http::run(service_fn(answer)).await.map_err(|error| anyhow!(error))
}
