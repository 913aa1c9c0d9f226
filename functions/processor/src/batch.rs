//! A batch from the queue: groups side by side, each group in order, and a group stops at its first
//! failure.

use std::{collections::BTreeMap, time::Duration};

use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage};
use domain::Envelope;
use futures_util::future::join_all;
use runtime::{Metrics, failure};
use tokio::time::Instant;

use crate::{App, Look, advice, turn};

/// What a turn may take at the most, beside the time that a model has for advice.
const ENOUGH: Duration = Duration::from_secs(25);

/// Takes a batch and names the messages that must come again. A message that fails takes the later
/// ones of its group with it, since their order would be lost; other groups go on
/// (<https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html>).
///
/// No turn begins when less than [`ENOUGH`] is left until `deadline`: its message comes again instead of
/// being killed half-way together with its neighbours.
pub async fn handle(app: &App, event: SqsEvent, deadline: Instant) -> SqsBatchResponse {
    let metrics = app.meter.invocation();
    let mut groups: BTreeMap<String, Vec<SqsMessage>> = BTreeMap::new();
    for message in event.records {
        let group = message.attributes.get("MessageGroupId").cloned().unwrap_or_default();
        groups.entry(group).or_default().push(message);
    }
    let failed = join_all(groups.into_values().map(|group| take_group(app, &metrics, deadline, group))).await;
    let mut response = SqsBatchResponse::default();
    response.batch_item_failures = failed
        .into_iter()
        .flatten()
        .map(|id| {
            let mut failure = BatchItemFailure::default();
            failure.item_identifier = id;
            failure
        })
        .collect();
    response
}

/// The ids of the messages of one group that must come again.
async fn take_group(app: &App, metrics: &Metrics, deadline: Instant, group: Vec<SqsMessage>) -> Vec<String> {
    let mut messages = group.into_iter();
    let mut look = Look::new((app.clock)());
    while let Some(message) = messages.next() {
        let in_time = Instant::now() + ENOUGH + advice::patience(app) <= deadline;
        if in_time && take(app, metrics, &mut look, &message).await {
            continue;
        }
        metrics.count("messages_failed", 1);
        return std::iter::once(message).chain(messages).filter_map(|message| message.message_id).collect();
    }
    Vec::new()
}

/// Whether the message is done with.
async fn take(app: &App, metrics: &Metrics, look: &mut Look, message: &SqsMessage) -> bool {
    let envelope = match serde_json::from_str::<Envelope>(message.body.as_deref().unwrap_or_default()) {
        Ok(envelope) => envelope,
        Err(error) => {
            // It will not get better: after the queue's last try it lies in the dead-letter queue,
            // where an alarm shows it. The body is not logged; its place in the queue is enough.
            let message_id = message.message_id.as_deref().unwrap_or_default();
            tracing::error!(
                message_id,
                line = error.line(),
                column = error.column(),
                "a message is no envelope"
            );
            metrics.count("messages_unreadable", 1);
            return false;
        }
    };
    metrics.count("events_received", 1);
    let now = (app.clock)();
    metrics.seconds("queue_latency", seconds(now.since(envelope.received)));
    metrics.seconds("event_age", seconds(now.since(envelope.created)));
    // A run for each message: two copies of an event in one batch must not pass for each other.
    let run = app.new_run();
    // Boxed: the clients of many systems make a large future.
    match Box::pin(turn::take(app, metrics, &run, look, &envelope)).await {
        Ok(()) => true,
        Err(error) => {
            let (event, kind) = (envelope.id.as_str(), envelope.kind.as_str());
            tracing::warn!(
                event,
                trace = envelope.id.trace(),
                kind,
                cause = error.kind(),
                failure = failure::chain(&error),
                "a turn failed"
            );
            // Kept with the event for whoever finds it among the dead letters; no reason to fail once more.
            if let Err(error) = app.cases.note_failure(&envelope.id, &run, error.kind()).await {
                tracing::debug!(event, failure = failure::chain(&error), "the reason was not kept");
            }
            metrics.count("turns_failed", 1);
            metrics.count_by("turns_failed", error.kind(), 1);
            false
        }
    }
}

/// A duration for the figures; clocks that differ make none negative.
fn seconds(waited: i64) -> f64 {
    i32::try_from(waited.max(0)).map_or(f64::MAX, f64::from)
}
