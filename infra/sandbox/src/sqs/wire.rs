//! The AWS JSON 1.0 protocol of SQS: operations by name, their parameters and answers.
//!
//! Source: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_Operations.html>.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, Response},
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};

use super::{
    Sqs, batch,
    exchange::{receive_message, send_message, send_message_batch},
    refused::Refused,
    service::{Move, arn},
};
use crate::aws_json;

pub(super) async fn handle(State(sqs): State<Arc<Sqs>>, headers: HeaderMap, body: Bytes) -> Response<Body> {
    let host = headers.get("host").and_then(|host| host.to_str().ok()).unwrap_or("127.0.0.1");
    let outcome = dispatch(&sqs, aws_json::operation(&headers), &body, host).await;
    aws_json::answer("1.0", outcome.map_err(Into::into))
}

async fn dispatch(sqs: &Sqs, operation: &str, body: &[u8], host: &str) -> Result<Value, Refused> {
    match operation {
        "CreateQueue" => create_queue(sqs, read(body)?, host),
        "GetQueueUrl" => get_queue_url(sqs, read(body)?, host),
        "GetQueueAttributes" => get_queue_attributes(sqs, read(body)?),
        "SetQueueAttributes" => set_queue_attributes(sqs, read(body)?),
        "ListQueues" => list_queues(sqs, &read(body)?, host),
        "SendMessage" => send_message(sqs, &read(body)?),
        "SendMessageBatch" => send_message_batch(sqs, read(body)?),
        "ReceiveMessage" => receive_message(sqs, read(body)?).await,
        "DeleteMessage" => delete_message(sqs, read(body)?),
        "DeleteMessageBatch" => batch::each(sqs, read(body)?, |state, queue, entry: Held, now| {
            state.queue(queue)?.delete(&entry.handle()?, now)?;
            Ok(Map::new())
        }),
        "ChangeMessageVisibility" => change_visibility(sqs, read(body)?),
        "ChangeMessageVisibilityBatch" => batch::each(sqs, read(body)?, |state, queue, entry: Held, now| {
            state.queue(queue)?.hide(&entry.handle()?, entry.seconds()?, now)?;
            Ok(Map::new())
        }),
        "PurgeQueue" => {
            let name = name_of(read::<OfQueue>(body)?.queue_url)?;
            sqs.step(|state, now| state.queue(&name)?.purge(now))?;
            Ok(json!({}))
        }
        "StartMessageMoveTask" => start_message_move_task(sqs, read(body)?),
        "ListMessageMoveTasks" => list_message_move_tasks(sqs, read(body)?),
        other => Err(Refused::UnknownOperation(other.to_owned())),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct OfQueue {
    queue_url: Option<String>,
    queue_name: Option<String>,
    #[serde(default)]
    attributes: BTreeMap<String, String>,
    #[serde(default)]
    attribute_names: Vec<String>,
    queue_name_prefix: Option<String>,
}

fn create_queue(sqs: &Sqs, input: OfQueue, host: &str) -> Result<Value, Refused> {
    let name = input.queue_name.ok_or(Refused::Missing("QueueName"))?;
    sqs.step(|state, now| state.create(&name, &input.attributes, now))?;
    Ok(json!({ "QueueUrl": url(&name, host) }))
}

fn get_queue_url(sqs: &Sqs, input: OfQueue, host: &str) -> Result<Value, Refused> {
    let name = input.queue_name.ok_or(Refused::Missing("QueueName"))?;
    sqs.step(|state, _now| state.queue(&name).map(|_| ()))?;
    Ok(json!({ "QueueUrl": url(&name, host) }))
}

/// Attributes that a queue may have; where it does not, asking for them is fine.
const OPTIONAL: [&str; 5] =
    ["RedrivePolicy", "RedriveAllowPolicy", "Policy", "KmsMasterKeyId", "KmsDataKeyReusePeriodSeconds"];

fn get_queue_attributes(sqs: &Sqs, input: OfQueue) -> Result<Value, Refused> {
    let name = name_of(input.queue_url)?;
    let mut all = sqs.step(|state, now| {
        let queue = state.queue(&name)?;
        queue.forget(now);
        let (visible, in_flight, delayed) = queue.depth(now);
        let mut all = queue.head.settings.shown();
        all.extend(
            [
                ("QueueArn", arn(&name)),
                ("ApproximateNumberOfMessages", visible.to_string()),
                ("ApproximateNumberOfMessagesNotVisible", in_flight.to_string()),
                ("ApproximateNumberOfMessagesDelayed", delayed.to_string()),
                ("CreatedTimestamp", (queue.head.created_at / 1000).to_string()),
                ("LastModifiedTimestamp", (queue.head.modified_at / 1000).to_string()),
            ]
            .map(|(name, value)| (name.to_owned(), value)),
        );
        Ok(all)
    })?;
    let asked = input.attribute_names;
    let known = |name: &str| name == "All" || all.contains_key(name) || OPTIONAL.contains(&name);
    if let Some(unknown) = asked.iter().find(|name| !known(name)) {
        return Err(Refused::AttributeName(unknown.clone()));
    }
    all.retain(|name, _| asked.iter().any(|asked| asked == "All" || asked == name));
    Ok(json!({ "Attributes": all }))
}

fn set_queue_attributes(sqs: &Sqs, input: OfQueue) -> Result<Value, Refused> {
    let name = name_of(input.queue_url)?;
    sqs.step(|state, now| state.set(&name, &input.attributes, now))?;
    Ok(json!({}))
}

fn list_queues(sqs: &Sqs, input: &OfQueue, host: &str) -> Result<Value, Refused> {
    let prefix = input.queue_name_prefix.as_deref().unwrap_or_default();
    sqs.step(|state, _now| {
        let names = state.queues.keys().filter(|name| name.starts_with(prefix));
        let urls: Vec<String> = names.map(|name| url(name, host)).collect();
        Ok(json!({ "QueueUrls": urls }))
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Held {
    queue_url: Option<String>,
    receipt_handle: Option<String>,
    visibility_timeout: Option<i64>,
}

impl Held {
    fn handle(&self) -> Result<String, Refused> {
        self.receipt_handle.clone().ok_or(Refused::Missing("ReceiptHandle"))
    }

    fn seconds(&self) -> Result<i64, Refused> {
        self.visibility_timeout.ok_or(Refused::Missing("VisibilityTimeout"))
    }
}

fn delete_message(sqs: &Sqs, input: Held) -> Result<Value, Refused> {
    let (handle, name) = (input.handle()?, name_of(input.queue_url)?);
    sqs.step(|state, now| state.queue(&name)?.delete(&handle, now))?;
    Ok(json!({}))
}

fn change_visibility(sqs: &Sqs, input: Held) -> Result<Value, Refused> {
    let (handle, seconds, name) = (input.handle()?, input.seconds()?, name_of(input.queue_url)?);
    sqs.step(|state, now| state.queue(&name)?.hide(&handle, seconds, now))?;
    Ok(json!({}))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct MoveTask {
    source_arn: Option<String>,
    destination_arn: Option<String>,
    max_results: Option<i64>,
}

fn start_message_move_task(sqs: &Sqs, input: MoveTask) -> Result<Value, Refused> {
    let source = input.source_arn.ok_or(Refused::Missing("SourceArn"))?;
    let task = sqs.step(|state, now| state.start_move(&source, input.destination_arn, new_id, now))?;
    Ok(json!({ "TaskHandle": task.handle }))
}

fn list_message_move_tasks(sqs: &Sqs, input: MoveTask) -> Result<Value, Refused> {
    let source = input.source_arn.ok_or(Refused::Missing("SourceArn"))?;
    let most = within("MaxResults", input.max_results, 1, 10)?.unwrap_or(1);
    let tasks = sqs.step(|state, _now| state.moves(&source, usize::try_from(most).unwrap_or(1)))?;
    let shown = |task: &Move| {
        let mut shown = json!({
            "Status": if task.failure.is_some() { "FAILED" } else { "COMPLETED" },
            "SourceArn": task.source,
            "ApproximateNumberOfMessagesMoved": task.moved,
            "ApproximateNumberOfMessagesToMove": task.of,
            "StartedTimestamp": task.started_at,
        });
        for (name, value) in [("DestinationArn", &task.destination), ("FailureReason", &task.failure)] {
            if let (Some(value), Some(fields)) = (value, shown.as_object_mut()) {
                fields.insert(name.to_owned(), value.clone().into());
            }
        }
        shown
    };
    Ok(json!({ "Results": tasks.iter().map(shown).collect::<Vec<_>>() }))
}

/// The parameters of an operation.
fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refused> {
    let body = if body.is_empty() { b"{}" } else { body };
    serde_json::from_slice(body).map_err(|error| Refused::Malformed(error.to_string()))
}

/// The queue that a URL names with its last segment.
pub(super) fn name_of(url: Option<String>) -> Result<String, Refused> {
    let url = url.ok_or(Refused::Missing("QueueUrl"))?;
    Ok(url.rsplit_once('/').map_or(url.as_str(), |(_, name)| name).to_owned())
}

fn url(name: &str, host: &str) -> String {
    format!("http://{host}/000000000000/{name}")
}

/// A number, if given, that must lie in a range.
pub(super) fn within(
    name: &'static str,
    value: Option<i64>,
    least: i64,
    most: i64,
) -> Result<Option<i64>, Refused> {
    match value {
        Some(value) if !(least..=most).contains(&value) => {
            let reason = format!("it must be from {least} to {most}");
            Err(Refused::Invalid { name, value: value.to_string(), reason })
        }
        value => Ok(value),
    }
}

/// An id for a message or a task.
pub(super) fn new_id() -> String {
    uuid::Uuid::new_v4().to_string()
}
