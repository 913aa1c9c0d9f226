//! What an event is, by its shape.

use aws_lambda_events::{apigw::ApiGatewayV2httpRequest, sqs::SqsEvent};
use runtime::Failure;
use serde_json::{Value, json};

use crate::{App, http, notary, queue, settle, turn::Turn};

/// Handles one event: an HTTP request (API Gateway's payload 2.0), a batch of the queue, or the
/// schedule (`{"schedule":"settle"}`, `{"schedule":"checkpoint"}`).
///
/// # Errors
/// If it is none of them, or a scheduled run failed as a whole; the next run starts over.
pub async fn handle(app: &App, event: Value) -> Result<Value, Failure> {
    let metrics = app.meter.invocation();
    let keys = app.keyring.now((app.clock)()).await;
    let turn = Turn::new(app, &metrics, &keys);
    if event.get("Records").is_some() {
        let batch: SqsEvent = read(event)?;
        return write(&Box::pin(queue::take(turn, batch)).await);
    }
    match event.get("schedule").and_then(Value::as_str) {
        Some("settle") => {
            let report =
                Box::pin(settle::run(turn)).await.map_err(|error| Failure::new("SettleFailed", error))?;
            return Ok(json!({ "looked": report.looked, "failed": report.failed }));
        }
        Some("checkpoint") => {
            let report =
                Box::pin(notary::run(turn)).await.map_err(|error| Failure::new("CheckpointFailed", error))?;
            return Ok(json!({ "signed": report.signed, "chains": report.chains }));
        }
        _ => {}
    }
    if event.get("requestContext").is_some() {
        let request: ApiGatewayV2httpRequest = read(event)?;
        return write(&Box::pin(http::answer(turn, request)).await);
    }
    Err(Failure::new("UnknownEvent", anyhow::anyhow!("the event is no request, no batch and no schedule")))
}

fn read<T: serde::de::DeserializeOwned>(event: Value) -> Result<T, Failure> {
    serde_json::from_value(event).map_err(|error| Failure::new("UnreadableEvent", error))
}

fn write(answer: &impl serde::Serialize) -> Result<Value, Failure> {
    serde_json::to_value(answer).map_err(|error| Failure::new("UnwritableAnswer", error))
}
