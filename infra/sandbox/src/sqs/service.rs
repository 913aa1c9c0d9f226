//! All queues together: naming, dead letters and moving them back. Pure: `saved.rs` keeps them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    message::Message,
    queue::{Pull, Queue},
    refused::Refused,
    settings::Settings,
};

const ARN: &str = "arn:aws:sqs:us-east-1:000000000000:";

/// The account's queues and what was moved between them.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) queues: BTreeMap<String, Queue>,
    pub(super) moves: Vec<Move>,
    /// How many of `moves` are saved.
    pub(super) saved_moves: usize,
}

/// A message move task. Ours are finished when the answer goes out.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Move {
    pub(super) handle: String,
    /// ARN of the dead-letter queue.
    pub(super) source: String,
    /// ARN of the queue to move to; none means back to where each came from.
    pub(super) destination: Option<String>,
    pub(super) started_at: i64,
    pub(super) moved: usize,
    /// How many there were to move.
    pub(super) of: usize,
    pub(super) failure: Option<String>,
}

/// The ARN of the queue `name`.
pub(super) fn arn(name: &str) -> String {
    format!("{ARN}{name}")
}

impl State {
    /// Creates a queue. An existing one of this name is fine if the attributes are its own.
    pub(super) fn create(
        &mut self,
        name: &str,
        attributes: &BTreeMap<String, String>,
        now: i64,
    ) -> Result<(), Refused> {
        check_name(name, attributes)?;
        if let Some(queue) = self.queues.get(name) {
            let asked = queue.head.settings.with(attributes)?.shown();
            let different =
                queue.head.settings.shown().into_iter().find(|(name, is)| asked.get(name) != Some(is));
            return different.map_or(Ok(()), |(name, _)| Err(Refused::QueueExists(name)));
        }
        let settings = Settings::default().with(attributes)?;
        self.check_redrive(&settings)?;
        self.queues.insert(name.to_owned(), Queue::new(name.to_owned(), settings, now));
        Ok(())
    }

    /// Changes attributes of a queue.
    pub(super) fn set(
        &mut self,
        name: &str,
        attributes: &BTreeMap<String, String>,
        now: i64,
    ) -> Result<(), Refused> {
        let settings = self.queue(name)?.head.settings.with(attributes)?;
        self.check_redrive(&settings)?;
        self.queue(name)?.set(settings, now);
        Ok(())
    }

    pub(super) fn queue(&mut self, name: &str) -> Result<&mut Queue, Refused> {
        self.queues.get_mut(name).ok_or(Refused::NoQueue)
    }

    /// Receives from a queue; what was received too often goes to its dead-letter queue.
    pub(super) fn receive(&mut self, name: &str, pull: &Pull, now: i64) -> Result<Vec<Message>, Refused> {
        let queue = self.queue(name)?;
        let pulled = queue.pull(pull, now);
        let target = queue.head.settings.redrive.as_ref().map(|redrive| redrive.target.clone());
        if let Some(grave) = target.and_then(|arn| self.at(&arn)) {
            for message in pulled.dead {
                grave.adopt(Message { source: Some(arn(name)), ..message }, now);
            }
        }
        Ok(pulled.messages)
    }

    /// Moves the visible messages of a dead-letter queue to `destination`, or back to where they
    /// came from. They arrive as new messages. Those in flight stay.
    /// Source: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_StartMessageMoveTask.html>.
    pub(super) fn start_move(
        &mut self,
        source: &str,
        destination: Option<String>,
        mut new_id: impl FnMut() -> String,
        now: i64,
    ) -> Result<Move, Refused> {
        let buried = |queue: &Queue| {
            queue.head.settings.redrive.as_ref().is_some_and(|redrive| redrive.target == source)
        };
        let is_grave = self.queues.values().any(buried);
        if destination.as_deref().is_some_and(|destination| self.at(destination).is_none()) {
            return Err(Refused::NoResource("DestinationArn"));
        }
        let queue = self.at(source).ok_or(Refused::NoResource("SourceArn"))?;
        if !is_grave {
            let reason = "the source queue must be configured as a dead-letter queue".to_owned();
            return Err(Refused::Invalid { name: "SourceArn", value: source.to_owned(), reason });
        }
        queue.forget(now);
        let visible: Vec<Message> =
            queue.messages.values().filter(|message| message.visible_at <= now).cloned().collect();
        let mut task = Move {
            handle: new_id(),
            source: source.to_owned(),
            destination,
            started_at: now,
            moved: 0,
            of: visible.len(),
            failure: None,
        };
        for message in visible {
            let sequence = message.sequence;
            let target = task.destination.as_ref().or(message.source.as_ref()).cloned();
            let Some(home) = target.and_then(|arn| self.at(&arn)) else {
                task.failure = Some("CouldNotDetermineMessageSource".to_owned());
                break;
            };
            let (first_received_at, received_at, source) = (None, None, None);
            let new =
                Message { id: new_id(), receives: 0, first_received_at, received_at, source, ..message };
            home.adopt(new, now);
            if let Some(queue) = self.at(&task.source) {
                queue.take(sequence);
            }
            task.moved += 1;
        }
        self.moves.push(task.clone());
        Ok(task)
    }

    /// The latest move tasks from a dead-letter queue, newest first.
    pub(super) fn moves(&mut self, source: &str, most: usize) -> Result<Vec<Move>, Refused> {
        self.at(source).ok_or(Refused::NoResource("SourceArn"))?;
        Ok(self.moves.iter().rev().filter(|task| task.source == source).take(most).cloned().collect())
    }

    fn at(&mut self, arn: &str) -> Option<&mut Queue> {
        self.queues.get_mut(arn.strip_prefix(ARN)?)
    }

    fn check_redrive(&mut self, settings: &Settings) -> Result<(), Refused> {
        match &settings.redrive {
            Some(redrive) if self.at(&redrive.target).is_none() => Err(Refused::Invalid {
                name: "RedrivePolicy",
                value: redrive.target.clone(),
                reason: "the dead-letter target does not exist, so create it first".to_owned(),
            }),
            _ => Ok(()),
        }
    }
}

fn check_name(name: &str, attributes: &BTreeMap<String, String>) -> Result<(), Refused> {
    let stem = name.strip_suffix(".fifo");
    if !attributes.contains_key("FifoQueue") && stem.is_none() {
        return Err(Refused::Unsupported("the sandbox has FIFO queues only: set FifoQueue to true"));
    }
    let letters = |stem: &str| stem.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    if stem.is_some_and(|stem| !stem.is_empty() && letters(stem)) && name.len() <= 80 {
        return Ok(());
    }
    let reason =
        "a FIFO queue's name has 1 to 80 letters, digits, hyphens and underscores and ends with .fifo";
    Err(Refused::Invalid { name: "QueueName", value: name.to_owned(), reason: reason.to_owned() })
}
