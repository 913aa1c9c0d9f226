//! The event source: moves messages from a queue to its function, as Lambda does.

use aws_lambda_events::sqs::SqsEvent;
use aws_sdk_sqs::types::{Message, MessageSystemAttributeName};
use sandbox::world::{APPROVAL_QUEUE, DEAD_APPROVAL_QUEUE, DEAD_EVENT_QUEUE, EVENT_QUEUE};
use serde_json::{Value, json};

use crate::{World, chaos};

impl World {
    /// Hands events to the processor until no message can be had. A run that is `killed_after` so many
    /// polls is dropped half-way, and its messages come again when their visibility is over.
    pub async fn work(&self, mut killed_after: impl FnMut() -> Option<u32>) {
        while let Some(batch) = self.receive(EVENT_QUEUE).await {
            let event: SqsEvent = serde_json::from_value(lambda_event(EVENT_QUEUE, &batch)).unwrap();
            let deadline = tokio::time::Instant::now() + std::time::Duration::from_mins(10);
            let run = processor::handle(&self.processor, event, deadline);
            let Some(response) = chaos::maybe_killed(killed_after(), run).await else { continue };
            let failed: Vec<_> =
                response.batch_item_failures.iter().map(|one| one.item_identifier.as_str()).collect();
            self.delete(EVENT_QUEUE, &batch, &failed).await;
        }
    }

    /// Hands requests to the approver until no message can be had.
    pub async fn work_approvals(&self, mut killed_after: impl FnMut() -> Option<u32>) {
        while let Some(batch) = self.receive(APPROVAL_QUEUE).await {
            let run = approver::handle(&self.approver, lambda_event(APPROVAL_QUEUE, &batch));
            let Some(response) = chaos::maybe_killed(killed_after(), run).await else { continue };
            let response = response.expect("a batch is answered");
            let failed = response["batchItemFailures"].as_array().cloned().unwrap_or_default();
            let failed: Vec<_> = failed.iter().filter_map(|one| one["itemIdentifier"].as_str()).collect();
            self.delete(APPROVAL_QUEUE, &batch, &failed).await;
        }
    }

    /// Puts the message of a request onto the approver's queue once more.
    pub async fn request_again(&self, request: &domain::RequestId) {
        let body = json!({ "request": request }).to_string();
        let queue = self.queues.send_message().queue_url(self.url(APPROVAL_QUEUE));
        let id = format!("{request}-{}", self.clock.seconds());
        queue.message_body(body).message_group_id("again").message_deduplication_id(id).send().await.unwrap();
    }

    /// Puts a message that is no envelope onto the queue of events.
    pub async fn processor_queue_poison(&self, body: &str, group: &str) {
        let queue = self.queues.send_message().queue_url(self.url(EVENT_QUEUE));
        queue
            .message_body(body)
            .message_group_id(group)
            .message_deduplication_id(group)
            .send()
            .await
            .unwrap();
    }

    /// Messages in the dead-letter queues.
    pub fn dead(&self) -> usize {
        [DEAD_EVENT_QUEUE, DEAD_APPROVAL_QUEUE].iter().map(|queue| self.sandbox.sqs.peek(queue).len()).sum()
    }

    /// Messages in the queues, waiting or taken.
    pub fn queued(&self) -> usize {
        [EVENT_QUEUE, APPROVAL_QUEUE]
            .iter()
            .map(|queue| {
                let (visible, taken) = self.sandbox.sqs.depth(queue);
                visible + taken
            })
            .sum()
    }

    /// Everything that stands in the queues, as text.
    pub fn queue_bodies(&self) -> String {
        [EVENT_QUEUE, APPROVAL_QUEUE, DEAD_EVENT_QUEUE, DEAD_APPROVAL_QUEUE]
            .iter()
            .flat_map(|queue| self.sandbox.sqs.peek(queue))
            .map(|message| message.body)
            .collect::<Vec<_>>()
            .join("\n")
    }

    fn url(&self, queue: &str) -> String {
        format!("{}/000000000000/{queue}", self.sandbox.urls.sqs)
    }

    async fn receive(&self, queue: &str) -> Option<Vec<Message>> {
        let answer = self
            .queues
            .receive_message()
            .queue_url(self.url(queue))
            .max_number_of_messages(10)
            .message_system_attribute_names(MessageSystemAttributeName::All)
            .send()
            .await
            .unwrap();
        answer.messages.filter(|messages| !messages.is_empty())
    }

    async fn delete(&self, queue: &str, batch: &[Message], failed: &[&str]) {
        for message in batch {
            if !failed.contains(&message.message_id().unwrap()) {
                let receipt = message.receipt_handle().unwrap();
                self.queues
                    .delete_message()
                    .queue_url(self.url(queue))
                    .receipt_handle(receipt)
                    .send()
                    .await
                    .unwrap();
            }
        }
    }
}

/// A batch as Lambda's event source writes it
/// (<https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html>).
fn lambda_event(queue: &str, batch: &[Message]) -> Value {
    let records: Vec<Value> = batch
        .iter()
        .map(|message| {
            let attributes: serde_json::Map<String, Value> = message
                .attributes()
                .into_iter()
                .flatten()
                .map(|(name, value)| (name.as_str().to_owned(), value.as_str().into()))
                .collect();
            json!({
                "messageId": message.message_id(),
                "receiptHandle": message.receipt_handle(),
                "body": message.body(),
                "attributes": attributes,
                "messageAttributes": {},
                "md5OfBody": message.md5_of_body(),
                "eventSource": "aws:sqs",
                "eventSourceARN": format!("arn:aws:sqs:us-east-1:000000000000:{queue}"),
                "awsRegion": "us-east-1",
            })
        })
        .collect();
    json!({ "Records": records })
}
