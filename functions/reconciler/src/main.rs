//! Wiring of the reconciler.

use std::process::ExitCode;

use lambda_runtime::{LambdaEvent, service_fn};
use reconciler::{Activation, App};

fn main() -> ExitCode {
    runtime::lambda::run(|env, clock| async move {
        let app = App::from_env(&env, clock).await?;
        let app = &app;
        let handler = |event: LambdaEvent<Activation>| async move {
            let report = reconciler::handle(app, event.payload).await;
            report.map_err(|error| runtime::Failure::new("sweep_failed", error))
        };
        lambda_runtime::run(service_fn(handler)).await.map_err(anyhow::Error::from_boxed)
    })
}
