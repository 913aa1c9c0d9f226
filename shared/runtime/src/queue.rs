//! Sending to a FIFO queue.

use aws_sdk_sqs::{Client, types::QueueAttributeName};
use domain::{Digest, Envelope};
use serde::Serialize;

use crate::{Env, EnvError, failure::Cause};

/// SQS takes group and deduplication ids of at most this many characters:
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html>.
const LONGEST_ID: usize = 128;

/// A FIFO queue to send to.
#[derive(Debug, Clone)]
pub struct Queue {
    client: Client,
    url: String,
}

/// A message that the queue has not confirmed. It may have arrived all the same; sending it again is
/// safe, since its deduplication id is the same.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// The queue is not there: a wrong URL.
    #[error("the queue does not exist; correct the variable with its URL")]
    Absent,
    /// Without order and deduplication events would be lost or doubled.
    #[error("the URL of a FIFO queue ends with `.fifo`")]
    NotFifo,
    /// The service gave no confirmation.
    #[error("the queue did not confirm; send the message again")]
    Unconfirmed(#[source] Cause),
    /// The queue did not say how many messages wait.
    #[error("the queue did not say how many messages wait")]
    Uncounted(#[source] Cause),
    /// The message could not be written as JSON.
    #[error("the message could not be written as JSON")]
    Unwritable(#[source] serde_json::Error),
}

impl Queue {
    /// The queue whose URL is in the variable `name`.
    ///
    /// # Errors
    /// If it is missing, or the queue is not a FIFO queue: without one there is neither order nor
    /// deduplication.
    pub fn from_env(client: Client, env: &Env, name: &'static str) -> Result<Self, EnvError> {
        let wrong = |_| EnvError::invalid(name, "the URL of a FIFO queue, which ends with `.fifo`");
        Self::new(client, env.required(name)?).map_err(wrong)
    }

    /// The queue with this URL.
    ///
    /// # Errors
    /// If it is no FIFO queue.
    pub fn new(client: Client, url: &str) -> Result<Self, QueueError> {
        if url.strip_suffix(".fifo").is_none() {
            return Err(QueueError::NotFifo);
        }
        Ok(Self { client, url: url.to_owned() })
    }

    /// Opens the connection, so that the first message need not wait for it. Needs the permission
    /// `sqs:GetQueueAttributes`; without it the connection is open too. A service that does not answer
    /// is left to the first message.
    ///
    /// # Errors
    /// [`QueueError::Absent`] if the service says that there is no such queue.
    pub async fn open(&self) -> Result<(), QueueError> {
        let asked = self
            .client
            .get_queue_attributes()
            .queue_url(&self.url)
            .attribute_names(QueueAttributeName::FifoQueue);
        match asked.send().await {
            Err(error) => match error.as_service_error() {
                Some(service) if service.is_queue_does_not_exist() => Err(QueueError::Absent),
                _ => Ok(()),
            },
            Ok(_) => Ok(()),
        }
    }

    /// How many messages wait. Needs the permission `sqs:GetQueueAttributes`.
    pub async fn depth(&self) -> Result<u64, QueueError> {
        let name = QueueAttributeName::ApproximateNumberOfMessages;
        let asked = self.client.get_queue_attributes().queue_url(&self.url).attribute_names(name.clone());
        let answer = asked.send().await.map_err(|error| match error.as_service_error() {
            Some(service) if service.is_queue_does_not_exist() => QueueError::Absent,
            _ => QueueError::Uncounted(Cause::of(&error)),
        })?;
        let count = answer.attributes().and_then(|all| all.get(&name)).and_then(|text| text.parse().ok());
        count.ok_or_else(|| QueueError::Uncounted(Cause::text("the answer has no number of messages")))
    }

    /// Sends an event's envelope: its group is [`Envelope::group`], its deduplication id the event's
    /// id.
    pub async fn send_event(&self, envelope: &Envelope) -> Result<(), QueueError> {
        self.send(&envelope.group(), envelope.id.as_str(), envelope).await
    }

    /// Sends a message as JSON. Within five minutes the queue drops another one with the same
    /// `deduplication`; messages of one `group` stay in order.
    pub async fn send(
        &self,
        group: &str,
        deduplication: &str,
        message: &(impl Serialize + Sync),
    ) -> Result<(), QueueError> {
        let body = serde_json::to_string(message).map_err(QueueError::Unwritable)?;
        self.client
            .send_message()
            .queue_url(&self.url)
            .message_group_id(fitting(group))
            .message_deduplication_id(fitting(deduplication))
            .message_body(body)
            .send()
            .await
            .map_err(|error| match error.as_service_error() {
                Some(service) if service.is_queue_does_not_exist() => QueueError::Absent,
                _ => QueueError::Unconfirmed(Cause::of(&error)),
            })?;
        Ok(())
    }
}

/// The id, or its digest if it is too long.
fn fitting(id: &str) -> String {
    if id.len() <= LONGEST_ID { id.to_owned() } else { Digest::of(id).to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_that_is_not_fifo_is_refused_at_start() {
        let conf = aws_sdk_sqs::Config::builder()
            .behavior_version(aws_sdk_sqs::config::BehaviorVersion::v2026_01_12())
            .build();
        let queue = |url| {
            let env = Env::from([("EVENT_QUEUE_URL", url)]);
            Queue::from_env(Client::from_conf(conf.clone()), &env, "EVENT_QUEUE_URL").map(|queue| queue.url)
        };
        assert!(queue("https://sqs.eu-central-1.amazonaws.com/1/events").is_err());
        assert!(queue("https://sqs.eu-central-1.amazonaws.com/1/events.fifo").is_ok());
    }

    #[test]
    fn an_id_that_is_too_long_for_the_queue_is_replaced_by_its_digest() {
        assert_eq!(fitting("evt_1"), "evt_1");
        let (one, two) = ("a".repeat(129), "b".repeat(129));
        assert_eq!(fitting(&one).len(), 64);
        assert_ne!(fitting(&one), fitting(&two));
    }
}
