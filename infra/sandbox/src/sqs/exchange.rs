//! Messages over the wire: what `SendMessage` takes and `ReceiveMessage` gives.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    Sqs, batch,
    message::{Attribute, Attributes, Draft, Message, digest, digest_of},
    queue::Pull,
    receipt::Receipt,
    refused::Refused,
    service::State,
    wire::{name_of, new_id, within},
};

/// The parameters of `SendMessage`, and of an entry of `SendMessageBatch`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Send {
    queue_url: Option<String>,
    message_body: Option<String>,
    delay_seconds: Option<i64>,
    #[serde(default)]
    message_attributes: Attributes,
    #[serde(default)]
    message_system_attributes: Attributes,
    message_deduplication_id: Option<String>,
    message_group_id: Option<String>,
}

impl Send {
    fn draft(&self) -> Result<Draft, Refused> {
        if let Some(seconds) = self.delay_seconds.filter(|seconds| *seconds != 0) {
            let reason = "a FIFO queue takes no delay for one message".to_owned();
            return Err(Refused::Invalid { name: "DelaySeconds", value: seconds.to_string(), reason });
        }
        let header = self.message_system_attributes.get("AWSTraceHeader");
        Draft {
            body: self.message_body.clone().ok_or(Refused::Missing("MessageBody"))?,
            attributes: self.message_attributes.clone(),
            trace_header: header.and_then(|header| header.string_value.clone()),
            group: self.message_group_id.clone().ok_or(Refused::Missing("MessageGroupId"))?,
            deduplication_id: self.message_deduplication_id.clone(),
        }
        .checked()
    }

    fn sent(&self, state: &mut State, queue: &str, now: i64) -> Result<Map<String, Value>, Refused> {
        let sent = state.queue(queue)?.send(self.draft()?, new_id(), now)?;
        let body = self.message_body.as_deref().unwrap_or_default();
        let mut answer = Map::new();
        answer.insert("MessageId".to_owned(), sent.message_id.into());
        answer.insert("SequenceNumber".to_owned(), padded(sent.sequence).into());
        answer.insert("MD5OfMessageBody".to_owned(), digest(body).into());
        if let Some(digest) = digest_of(&self.message_attributes) {
            answer.insert("MD5OfMessageAttributes".to_owned(), digest.into());
        }
        if let Some(digest) = digest_of(&self.message_system_attributes) {
            answer.insert("MD5OfMessageSystemAttributes".to_owned(), digest.into());
        }
        Ok(answer)
    }
}

pub(super) fn send_message(sqs: &Sqs, input: &Send) -> Result<Value, Refused> {
    let name = name_of(input.queue_url.clone())?;
    sqs.step(|state, now| input.sent(state, &name, now).map(Value::Object))
}

pub(super) fn send_message_batch(sqs: &Sqs, input: batch::Batch<Send>) -> Result<Value, Refused> {
    batch::check_size(
        input.entries().filter_map(|entry| entry.draft().ok()).map(|draft| draft.size()).sum(),
    )?;
    batch::each(sqs, input, |state, queue, entry: Send, now| entry.sent(state, queue, now))
}

/// The parameters of `ReceiveMessage`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Receive {
    queue_url: Option<String>,
    #[serde(default)]
    attribute_names: Vec<String>,
    #[serde(default)]
    message_system_attribute_names: Vec<String>,
    #[serde(default)]
    message_attribute_names: Vec<String>,
    max_number_of_messages: Option<i64>,
    visibility_timeout: Option<i64>,
    wait_time_seconds: Option<i64>,
    receive_request_attempt_id: Option<String>,
}

pub(super) async fn receive_message(sqs: &Sqs, input: Receive) -> Result<Value, Refused> {
    let name = name_of(input.queue_url)?;
    let most = within("MaxNumberOfMessages", input.max_number_of_messages, 1, 10)?.unwrap_or(1);
    let pull = Pull {
        most: usize::try_from(most).unwrap_or(1),
        visibility: within("VisibilityTimeout", input.visibility_timeout, 0, 43_200)?,
        attempt: input.receive_request_attempt_id,
    };
    let wait = within("WaitTimeSeconds", input.wait_time_seconds, 0, 20)?;
    let messages = sqs.receive(&name, pull, wait).await?;
    let system = [input.attribute_names, input.message_system_attribute_names].concat();
    let shown = messages.iter().map(|message| shown(message, &name, &system, &input.message_attribute_names));
    let messages: Vec<Value> = shown.collect();
    Ok(if messages.is_empty() { json!({}) } else { json!({ "Messages": messages }) })
}

fn shown(message: &Message, queue: &str, system: &[String], custom: &[String]) -> Value {
    let mut shown = json!({
        "MessageId": message.id,
        "ReceiptHandle": Receipt::of(message, queue).to_string(),
        "MD5OfBody": digest(&message.body),
        "Body": message.body,
    });
    let asked = |name: &str| system.iter().any(|asked| asked == "All" || asked == name);
    let all = [
        ("SenderId", Some("AIDASANDBOX".to_owned())),
        ("SentTimestamp", Some(message.sent_at.to_string())),
        ("ApproximateReceiveCount", Some(message.receives.to_string())),
        ("ApproximateFirstReceiveTimestamp", message.first_received_at.map(|at| at.to_string())),
        ("SequenceNumber", Some(padded(message.sequence))),
        ("MessageGroupId", Some(message.group.clone())),
        ("MessageDeduplicationId", Some(message.deduplication_id.clone())),
        ("AWSTraceHeader", message.trace_header.clone()),
        ("DeadLetterQueueSourceArn", message.source.clone()),
    ];
    let attributes: Map<String, Value> = all
        .into_iter()
        .filter(|(name, _)| asked(name))
        .filter_map(|(name, value)| Some((name.to_owned(), value?.into())))
        .collect();
    let asked = |name: &str| {
        custom.iter().any(|asked| match asked.strip_suffix(".*").or_else(|| asked.strip_suffix('*')) {
            Some(prefix) => name.starts_with(prefix),
            None => asked == "All" || asked == name,
        })
    };
    let custom: BTreeMap<String, Attribute> =
        message.attributes.clone().into_iter().filter(|(name, _)| asked(name)).collect();
    if let Some(fields) = shown.as_object_mut() {
        if !attributes.is_empty() {
            fields.insert("Attributes".to_owned(), attributes.into());
        }
        if let Some(digest) = digest_of(&custom) {
            fields.insert("MD5OfMessageAttributes".to_owned(), digest.into());
            fields.insert("MessageAttributes".to_owned(), json!(custom));
        }
    }
    shown
}

/// Sequence numbers have 20 digits, so that they sort as text, too.
fn padded(sequence: u64) -> String {
    format!("{sequence:020}")
}
