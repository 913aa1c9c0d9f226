//! The event source of a queue, as Lambda's: receives batches, hands them to a function and deletes
//! what did not fail. Failed messages come again when their visibility time-out is over
//! (<https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html>).

use std::{collections::BTreeSet, future::Future, sync::Arc, time::Duration};

use anyhow::{Context as _, Result};
use aws_sdk_sqs::{
    Client,
    config::timeout::TimeoutConfig,
    types::{DeleteMessageBatchRequestEntry, Message, MessageSystemAttributeName},
};
use serde_json::{Map, Value, json};
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, timeout_at},
};

use super::pipeline::Functions;

/// Batches of one queue that are at work at the same time. Groups keep their order: the queue gives
/// no message while an earlier one of its group is in flight.
const POLLERS: usize = 4;

/// Messages in a batch.
const BATCH: i32 = 10;

/// How long a function may take, and how long a received message is hidden, in seconds. With a lease
/// in between, a run that is alive never loses what it holds. All are shorter than in an account, so
/// that what a killed process held comes again soon.
const PATIENCE: Duration = Duration::from_secs(45);
const HIDDEN: i32 = 60;

/// The lease that fits in between, in seconds.
pub(super) const LEASE: i64 = 50;

/// How long a receive waits for a first message, in seconds.
const WAIT: i32 = 20;

/// The queues of one service.
pub(super) struct Queues {
    client: Client,
    service: String,
    stop: watch::Receiver<bool>,
}

impl Queues {
    /// Queues that `client` reaches at the address `service`.
    pub(super) fn new(client: &Client, service: &str, stop: watch::Receiver<bool>) -> Self {
        // A function's client gives up before a long poll is over.
        let limit = Duration::from_secs(u64::from(WAIT.unsigned_abs()) + 10);
        let patient = TimeoutConfig::builder()
            .operation_timeout(limit)
            .operation_attempt_timeout(limit)
            .read_timeout(limit)
            .build();
        let config = client.config().to_builder().timeout_config(patient).build();
        Self { client: Client::from_conf(config), service: service.to_owned(), stop }
    }

    /// Feeds the messages of a queue to `handle`, which answers like a function that reports batch item
    /// failures, and is stopped at the given time.
    pub(super) fn feed<F>(
        &self,
        tasks: &mut JoinSet<()>,
        queue: &'static str,
        functions: &Arc<Functions>,
        handle: impl Fn(Arc<Functions>, Value, Instant) -> F + Clone + Send + Sync + 'static,
    ) where
        F: Future<Output = Result<Value>> + Send,
    {
        for _ in 0..POLLERS {
            let source = Source {
                client: self.client.clone(),
                url: format!("{}/000000000000/{queue}", self.service),
                queue,
            };
            let (functions, handle, mut stop) = (Arc::clone(functions), handle.clone(), self.stop.clone());
            tasks.spawn(async move {
                loop {
                    let messages = tokio::select! {
                        // A message that was received and not seen here would be hidden for minutes.
                        biased;
                        received = source.receive() => received,
                        _ = stop.wait_for(|stop| *stop) => return,
                    };
                    let done = match messages {
                        Ok(messages) if messages.is_empty() => Ok(()),
                        Ok(messages) => {
                            let event = event(&messages, queue);
                            let deadline = Instant::now() + PATIENCE;
                            let answer =
                                timeout_at(deadline, handle(Arc::clone(&functions), event, deadline));
                            let answer = answer.await.context("the function took too long").flatten();
                            source.delete(messages, answer).await
                        }
                        Err(error) => Err(error),
                    };
                    if let Err(error) = done {
                        tracing::warn!(queue, error = format!("{error:#}"), "a batch was not finished");
                        tokio::time::sleep(Duration::from_millis(200)).await;
                    }
                    if *stop.borrow() {
                        return;
                    }
                }
            });
        }
    }
}

struct Source {
    client: Client,
    url: String,
    queue: &'static str,
}

impl Source {
    async fn receive(&self) -> Result<Vec<Message>> {
        let answer = self
            .client
            .receive_message()
            .queue_url(&self.url)
            .max_number_of_messages(BATCH)
            .wait_time_seconds(WAIT)
            .visibility_timeout(HIDDEN)
            .message_system_attribute_names(MessageSystemAttributeName::All)
            .send()
            .await
            .with_context(|| format!("cannot receive from `{}`", self.queue))?;
        Ok(answer.messages.unwrap_or_default())
    }

    /// Deletes what did not fail; nothing if the whole invocation did.
    async fn delete(&self, messages: Vec<Message>, answer: Result<Value>) -> Result<()> {
        let failed = failures(&answer.context("the function failed")?)?;
        let mut entries = Vec::new();
        for message in messages {
            let (Some(id), Some(handle)) = (message.message_id, message.receipt_handle) else { continue };
            if !failed.contains(&id) {
                entries
                    .push(DeleteMessageBatchRequestEntry::builder().id(id).receipt_handle(handle).build()?);
            }
        }
        if entries.is_empty() {
            return Ok(());
        }
        let request = self.client.delete_message_batch().queue_url(&self.url).set_entries(Some(entries));
        request.send().await.context("cannot delete what is done")?;
        Ok(())
    }
}

/// The ids that an answer names as failed. An answer of another shape means that all failed, as it
/// does to Lambda.
fn failures(answer: &Value) -> Result<BTreeSet<String>> {
    let Some(items) = answer.get("batchItemFailures") else {
        return Ok(BTreeSet::new());
    };
    let id = |item: &Value| item.get("itemIdentifier").and_then(Value::as_str).map(str::to_owned);
    let items = items.as_array().context("`batchItemFailures` is no list")?;
    items.iter().map(|item| id(item).context("a batch item failure names no message")).collect()
}

/// The event that a function gets for a batch
/// (<https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html>).
fn event(messages: &[Message], queue: &str) -> Value {
    let record = |message: &Message| {
        let attributes: Map<String, Value> = message
            .attributes
            .iter()
            .flatten()
            .map(|(name, value)| (name.as_str().to_owned(), value.as_str().into()))
            .collect();
        json!({
            "messageId": message.message_id,
            "receiptHandle": message.receipt_handle,
            "body": message.body,
            "attributes": attributes,
            "messageAttributes": {},
            "md5OfBody": message.md5_of_body,
            "eventSource": "aws:sqs",
            "eventSourceARN": format!("arn:aws:sqs:us-east-1:000000000000:{queue}"),
            "awsRegion": "us-east-1",
        })
    };
    json!({ "Records": messages.iter().map(record).collect::<Vec<_>>() })
}

#[cfg(test)]
mod tests {
    use aws_lambda_events::sqs::SqsEvent;

    use super::*;

    #[test]
    fn a_batch_reads_as_lambdas_own_event() {
        let message = Message::builder()
            .message_id("m1")
            .receipt_handle("r1")
            .body("{}")
            .attributes(MessageSystemAttributeName::MessageGroupId, "cus_1")
            .build();
        let event: SqsEvent = serde_json::from_value(event(&[message], "work.fifo")).unwrap();
        let record = &event.records[0];
        assert_eq!(record.message_id.as_deref(), Some("m1"));
        assert_eq!(record.attributes["MessageGroupId"], "cus_1");
        assert_eq!(record.event_source_arn.as_deref(), Some("arn:aws:sqs:us-east-1:000000000000:work.fifo"));
    }

    #[test]
    fn only_messages_that_failed_stay_in_the_queue() {
        let answer = json!({ "batchItemFailures": [{ "itemIdentifier": "m2" }] });
        assert_eq!(failures(&answer).unwrap(), BTreeSet::from(["m2".to_owned()]));
        assert!(failures(&json!(null)).unwrap().is_empty(), "no answer means that all succeeded");
        assert!(failures(&json!({ "batchItemFailures": [{ "itemIdentifier": null }] })).is_err());
    }
}
