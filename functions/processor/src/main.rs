//! Wiring of the processor.

use std::process::ExitCode;

use aws_lambda_events::sqs::SqsEvent;
use lambda_runtime::{LambdaEvent, service_fn};
use processor::App;

fn main() -> ExitCode {
    runtime::lambda::run(|env, clock| async move {
        let app = App::from_env(&env, clock).await?;
        let app = &app;
        let handler = |event: LambdaEvent<SqsEvent>| async move {
            let deadline = runtime::lambda::deadline(&event.context);
            Ok::<_, lambda_runtime::Error>(processor::handle(app, event.payload, deadline).await)
        };
        lambda_runtime::run(service_fn(handler)).await.map_err(anyhow::Error::from_boxed)
    })
}
