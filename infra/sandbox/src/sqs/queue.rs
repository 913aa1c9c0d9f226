//! One FIFO queue: order by group, deduplication, visibility, retention. Pure: time and new ids are
//! passed in, all times are milliseconds since the epoch.
//!
//! Source: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/FIFO-queues-understanding-logic.html>.
//! Not modelled: the limit of 120 000 messages in flight, and throughput limits.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{
    message::{Draft, Message},
    receipt::Receipt,
    refused::Refused,
    settings::Settings,
};

/// For how long a deduplication id, and the id of a receive attempt, are remembered.
pub(super) const REMEMBERED: i64 = 300_000;
/// A message stays hidden for at most 12 hours after it was received.
const LONGEST_HIDDEN: i64 = 43_200_000;
const BETWEEN_PURGES: i64 = 60_000;

/// A queue, and which of its rows are not yet saved.
#[derive(Debug)]
pub(super) struct Queue {
    pub(super) name: String,
    pub(super) head: Head,
    pub(super) messages: BTreeMap<u64, Message>,
    pub(super) sent: BTreeMap<String, Sent>,
    pub(super) attempts: BTreeMap<String, Attempt>,
    pub(super) unsaved: BTreeSet<Row>,
}

/// What a queue is besides its messages.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Head {
    pub(super) settings: Settings,
    pub(super) created_at: i64,
    pub(super) modified_at: i64,
    purged_at: Option<i64>,
    last_sequence: u64,
}

/// A part of a queue that is saved by itself.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Row {
    Head,
    Message(u64),
    Sent(String),
    Attempt(String),
}

/// What the sender of a message gets, again for each duplicate.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(super) struct Sent {
    pub(super) message_id: String,
    pub(super) sequence: u64,
    at: i64,
}

/// A receive that can be repeated: sequence and receive count of what it got.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Attempt {
    at: i64,
    got: Vec<(u64, u32)>,
}

/// What a receiver asks for.
#[derive(Clone, Debug, Default)]
pub(super) struct Pull {
    pub(super) most: usize,
    /// Seconds to hide the messages, if not the queue's.
    pub(super) visibility: Option<i64>,
    pub(super) attempt: Option<String>,
}

/// What came of a receive: messages for the receiver, and those for the dead-letter queue.
#[derive(Debug, Default)]
pub(super) struct Pulled {
    pub(super) messages: Vec<Message>,
    pub(super) dead: Vec<Message>,
}

impl Queue {
    pub(super) fn new(name: String, settings: Settings, now: i64) -> Self {
        let head = Head { settings, created_at: now, modified_at: now, purged_at: None, last_sequence: 0 };
        let mut queue = Self::restored(name, head);
        queue.unsaved.insert(Row::Head);
        queue
    }

    /// A queue as it was saved, still without messages.
    pub(super) fn restored(name: String, head: Head) -> Self {
        let (messages, sent, attempts) = Default::default();
        Self { name, head, messages, sent, attempts, unsaved: BTreeSet::new() }
    }

    pub(super) fn set(&mut self, settings: Settings, now: i64) {
        self.head.settings = settings;
        self.head.modified_at = now;
        self.unsaved.insert(Row::Head);
    }

    /// Takes a message in, unless one with its deduplication id was sent within five minutes.
    pub(super) fn send(&mut self, draft: Draft, id: String, now: i64) -> Result<Sent, Refused> {
        self.forget(now);
        let deduplication_id = self.deduplication_id(&draft)?;
        if draft.size() > self.head.settings.longest {
            let reason = format!("the message must be shorter than {} bytes", self.head.settings.longest);
            return Err(Refused::Invalid { name: "MessageBody", value: "(too long)".to_owned(), reason });
        }
        let key = if self.head.settings.deduplicate_by_group {
            // Neither id can hold a line break.
            format!("{}\n{deduplication_id}", draft.group)
        } else {
            deduplication_id.clone()
        };
        if let Some(earlier) = self.sent.get(&key) {
            return Ok(earlier.clone());
        }
        let sequence = self.next_sequence();
        self.put(Message {
            id: id.clone(),
            sequence,
            body: draft.body,
            attributes: draft.attributes,
            trace_header: draft.trace_header,
            group: draft.group,
            deduplication_id,
            sent_at: now,
            visible_at: now + self.head.settings.delay * 1000,
            receives: 0,
            first_received_at: None,
            received_at: None,
            source: None,
        });
        let sent = Sent { message_id: id, sequence, at: now };
        self.unsaved.insert(Row::Sent(key.clone()));
        self.sent.insert(key, sent.clone());
        Ok(sent)
    }

    fn deduplication_id(&self, draft: &Draft) -> Result<String, Refused> {
        match &draft.deduplication_id {
            Some(id) => Ok(id.clone()),
            None if self.head.settings.deduplicate_by_content => {
                let digits = Sha256::digest(&draft.body).into_iter().flat_map(|byte| [byte >> 4, byte & 15]);
                Ok(digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect())
            }
            None => Err(Refused::Invalid {
                name: "MessageDeduplicationId",
                value: String::new(),
                reason: "the queue has no ContentBasedDeduplication, so give an id".to_owned(),
            }),
        }
    }

    /// Hands out messages: the oldest group's as many as fit, then the next group's. A group with a
    /// message in flight gives nothing.
    pub(super) fn pull(&mut self, pull: &Pull, now: i64) -> Pulled {
        self.forget(now);
        let until = now + pull.visibility.unwrap_or(self.head.settings.visibility) * 1000;
        if let Some(again) = pull.attempt.as_deref().and_then(|attempt| self.again(attempt, until, now)) {
            return Pulled { messages: again, dead: Vec::new() };
        }
        let mut pulled = Pulled::default();
        for sequence in self.receivable(now) {
            if pulled.messages.len() == pull.most {
                break;
            }
            let worn = |message: &Message| {
                self.head
                    .settings
                    .redrive
                    .as_ref()
                    .is_some_and(|redrive| message.receives >= redrive.receives)
            };
            if self.messages.get(&sequence).is_some_and(worn) {
                pulled.dead.extend(self.take(sequence));
            } else if let Some(message) = self.messages.get_mut(&sequence) {
                message.receives += 1;
                message.first_received_at.get_or_insert(now);
                message.received_at = Some(now);
                message.visible_at = until;
                pulled.messages.push(message.clone());
                self.unsaved.insert(Row::Message(sequence));
            }
        }
        if let Some(attempt) = pull.attempt.clone().filter(|_| !pulled.messages.is_empty()) {
            let got = pulled.messages.iter().map(|message| (message.sequence, message.receives)).collect();
            self.unsaved.insert(Row::Attempt(attempt.clone()));
            self.attempts.insert(attempt, Attempt { at: now, got });
        }
        pulled
    }

    /// What an earlier attempt got, if nobody touched it since; it is hidden anew.
    fn again(&mut self, attempt: &str, until: i64, now: i64) -> Option<Vec<Message>> {
        let got = self.attempts.get(attempt)?.got.clone();
        let held = |(sequence, receives): &(u64, u32)| {
            self.messages.get(sequence).is_some_and(|held| held.in_flight(now) && held.receives == *receives)
        };
        if !got.iter().all(held) {
            return None;
        }
        let mut messages = Vec::new();
        for (sequence, _) in got {
            let message = self.messages.get_mut(&sequence)?;
            message.visible_at = until;
            self.unsaved.insert(Row::Message(sequence));
            messages.push(message.clone());
        }
        Some(messages)
    }

    fn receivable(&self, now: i64) -> Vec<u64> {
        let mut blocked: HashSet<&str> = self
            .messages
            .values()
            .filter(|message| message.in_flight(now))
            .map(|message| message.group.as_str())
            .collect();
        let mut places = HashMap::new();
        let mut groups: Vec<Vec<u64>> = Vec::new();
        for message in self.messages.values() {
            let group = message.group.as_str();
            if message.visible_at > now {
                // One that is delayed holds up those behind it.
                blocked.insert(group);
            }
            if blocked.contains(group) {
                continue;
            }
            let place = *places.entry(group).or_insert(groups.len());
            match groups.get_mut(place) {
                Some(group) => group.push(message.sequence),
                None => groups.push(vec![message.sequence]),
            }
        }
        groups.into_iter().flatten().collect()
    }

    /// Deletes what `receipt` holds. Deleting twice is fine; a receipt that ran out is refused.
    pub(super) fn delete(&mut self, receipt: &str, now: i64) -> Result<(), Refused> {
        let receipt = Receipt::parse(receipt, &self.name)?;
        if self.messages.contains_key(&receipt.sequence) {
            self.held(&receipt, now)?;
            self.take(receipt.sequence);
        }
        Ok(())
    }

    /// Hides what `receipt` holds for `seconds` from now on; 0 gives it back.
    pub(super) fn hide(&mut self, receipt: &str, seconds: i64, now: i64) -> Result<(), Refused> {
        let invalid = |name, value: String, reason: &str| {
            Err(Refused::Invalid { name, value, reason: reason.to_owned() })
        };
        let parsed = Receipt::parse(receipt, &self.name)?;
        if !(0..=43_200).contains(&seconds) {
            return invalid("VisibilityTimeout", seconds.to_string(), "it must be from 0 to 43200");
        }
        if self.messages.get(&parsed.sequence).is_some_and(|message| message.visible_at <= now) {
            return Err(Refused::NotInFlight);
        }
        let message = self.held(&parsed, now)?;
        let until = now + seconds * 1000;
        if until > message.received_at.unwrap_or(now) + LONGEST_HIDDEN {
            let reason = "a message is hidden for at most 43200 seconds in total";
            return invalid("VisibilityTimeout", seconds.to_string(), reason);
        }
        message.visible_at = until;
        self.touch(parsed.sequence);
        Ok(())
    }

    /// The message that `receipt` still holds.
    fn held(&mut self, receipt: &Receipt, now: i64) -> Result<&mut Message, Refused> {
        let expired = || Refused::Invalid {
            name: "ReceiptHandle",
            value: receipt.to_string(),
            reason: "the receipt handle has expired".to_owned(),
        };
        let message = self.messages.get_mut(&receipt.sequence).ok_or_else(expired)?;
        if message.in_flight(now) && message.receives == receipt.receives {
            Ok(message)
        } else {
            Err(expired())
        }
    }

    /// Deletes everything, at most once a minute.
    pub(super) fn purge(&mut self, now: i64) -> Result<(), Refused> {
        if self.head.purged_at.is_some_and(|at| now < at + BETWEEN_PURGES) {
            return Err(Refused::PurgeInProgress);
        }
        self.head.purged_at = Some(now);
        self.unsaved.insert(Row::Head);
        let all: Vec<u64> = self.messages.keys().copied().collect();
        for sequence in all {
            self.take(sequence);
        }
        Ok(())
    }

    /// Puts a message of another queue at the end.
    pub(super) fn adopt(&mut self, message: Message, now: i64) {
        let sequence = self.next_sequence();
        self.put(Message { sequence, sent_at: now, visible_at: now, ..message });
    }

    /// Takes a message out.
    pub(super) fn take(&mut self, sequence: u64) -> Option<Message> {
        self.touch(sequence);
        self.messages.remove(&sequence)
    }

    /// Drops what its time is over for: messages, deduplication ids, receive attempts.
    pub(super) fn forget(&mut self, now: i64) {
        let oldest = now - self.head.settings.retention * 1000;
        let gone = self.messages.extract_if(.., |_, message| message.sent_at <= oldest);
        self.unsaved.extend(gone.map(|(sequence, _)| Row::Message(sequence)));
        let gone = self.sent.extract_if(.., |_, sent| sent.at + REMEMBERED <= now);
        self.unsaved.extend(gone.map(|(id, _)| Row::Sent(id)));
        let gone = self.attempts.extract_if(.., |_, attempt| attempt.at + REMEMBERED <= now);
        self.unsaved.extend(gone.map(|(id, _)| Row::Attempt(id)));
    }

    /// The next moment after `now` at which a hidden message can be received.
    pub(super) fn next_visible(&self, now: i64) -> Option<i64> {
        self.messages.values().map(|message| message.visible_at).filter(|at| *at > now).min()
    }

    /// How many messages are visible, in flight and delayed.
    pub(super) fn depth(&self, now: i64) -> (usize, usize, usize) {
        let visible = self.messages.values().filter(|message| message.visible_at <= now).count();
        let in_flight = self.messages.values().filter(|message| message.in_flight(now)).count();
        (visible, in_flight, self.messages.len() - visible - in_flight)
    }

    /// A change by a receiver: the row is to be saved, and no attempt can be repeated that got it.
    fn touch(&mut self, sequence: u64) {
        self.unsaved.insert(Row::Message(sequence));
        let gone =
            self.attempts.extract_if(.., |_, attempt| attempt.got.iter().any(|(got, _)| *got == sequence));
        self.unsaved.extend(gone.map(|(id, _)| Row::Attempt(id)));
    }

    fn put(&mut self, message: Message) {
        self.unsaved.insert(Row::Message(message.sequence));
        self.messages.insert(message.sequence, message);
    }

    fn next_sequence(&mut self) -> u64 {
        self.head.last_sequence += 1;
        self.unsaved.insert(Row::Head);
        self.head.last_sequence
    }
}

#[cfg(test)]
mod tests;
