//! `EVENT#id`: each event is taken once, and its outcome recorded.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::{
    Client,
    operation::update_item::UpdateItemError,
    types::{KeysAndAttributes, ReturnValuesOnConditionCheckFailure},
};
use domain::{CaseKey, Envelope, EventId, RunId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    Cases, StoreError,
    item::{Item, at, key, nested, number, read, read_optional, s, text},
};

/// How long an event's row is kept, in seconds: longer than Stripe keeps the event (30 days), so
/// that the sweep of missed events never takes an old one for new.
const KEPT: i64 = 60 * 86_400;

/// What became of an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum EventOutcome {
    /// Its case was decided.
    Decided {
        /// The case.
        case: CaseKey,
    },
    /// Its type starts no work.
    Ignored,
    /// It contradicts what this deployment is set up for; a human looks.
    Refused {
        /// Why, in words.
        why: String,
    },
}

/// The answer to a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// This run works on it.
    Mine,
    /// It was worked on already: a duplicate.
    Done(EventOutcome),
    /// Another run works on it and may still finish. Not a duplicate: come back later.
    Held,
}

/// An event's row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EventRow {
    /// The event.
    pub id: EventId,
    /// Its type.
    pub kind: String,
    /// When it was taken in.
    pub received: Timestamp,
    /// What became of it; `None` while a run holds it, or after that run died.
    pub outcome: Option<EventOutcome>,
    /// Why its last turn failed, in one word; `None` if none did.
    pub failure: Option<String>,
}

impl Cases {
    /// Claims an event until `lease`. Three arms take it: nobody has, the holder's lease ran out, or
    /// this very run has it already (its own answer was lost on the way).
    ///
    /// # Errors
    /// If the table does not answer.
    pub async fn claim(
        &self,
        event: &Envelope,
        run: &RunId,
        now: Timestamp,
        lease: Timestamp,
    ) -> Result<Claim, StoreError> {
        let sent = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(event_key(&event.id)))
            .update_expression(
                "SET claim = :held, run = :run, lease = :lease, envelope = :envelope, expires_at = :expires",
            )
            .condition_expression(
                "attribute_not_exists(pk) OR (claim = :held AND (lease <= :now OR run = :run))",
            )
            .expression_attribute_values(":held", s("held"))
            .expression_attribute_values(":run", s(run.as_str()))
            .expression_attribute_values(":lease", at(lease))
            .expression_attribute_values(":now", at(now))
            .expression_attribute_values(":envelope", nested(event)?)
            .expression_attribute_values(":expires", at(now.plus(KEPT)))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        let Err(error) = sent else { return Ok(Claim::Mine) };
        match error.as_service_error() {
            Some(UpdateItemError::ConditionalCheckFailedException(refused)) => match refused.item() {
                Some(item) if text(item, "claim") == Some("done") => Ok(Claim::Done(read(item, "outcome")?)),
                _ => Ok(Claim::Held),
            },
            _ => Err(StoreError::table("the claim of an event", &error)),
        }
    }

    /// Records the outcome of an event that needs nothing else.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if another run holds it now.
    pub async fn finish(&self, id: &EventId, run: &RunId, outcome: &EventOutcome) -> Result<(), StoreError> {
        let sent = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(event_key(id)))
            .update_expression(FINISH)
            .condition_expression(HELD_BY_ME)
            .expression_attribute_values(":run", s(run.as_str()))
            .expression_attribute_values(":held", s("held"))
            .expression_attribute_values(":done", s("done"))
            .expression_attribute_values(":outcome", nested(outcome)?)
            .send()
            .await;
        match sent {
            Ok(_) => Ok(()),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(UpdateItemError::is_conditional_check_failed_exception) =>
            {
                Err(StoreError::Conflict { what: "the event" })
            }
            Err(error) => Err(StoreError::table("the outcome of an event", &error)),
        }
    }

    /// Notes why a turn failed, for whoever looks at the event among the dead letters. Nothing is noted if
    /// another run holds it.
    ///
    /// # Errors
    /// If the table does not answer.
    pub async fn note_failure(&self, id: &EventId, run: &RunId, why: &str) -> Result<(), StoreError> {
        let sent = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(event_key(id)))
            .update_expression("SET failure = :why")
            .condition_expression(HELD_BY_ME)
            .expression_attribute_values(":run", s(run.as_str()))
            .expression_attribute_values(":held", s("held"))
            .expression_attribute_values(":why", s(why))
            .send()
            .await;
        match sent {
            Ok(_) => Ok(()),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(UpdateItemError::is_conditional_check_failed_exception) =>
            {
                Ok(())
            }
            Err(error) => Err(StoreError::table("the failure of an event", &error)),
        }
    }

    /// Which of these events the store has never seen.
    ///
    /// # Errors
    /// If the table does not answer.
    pub async fn unseen(&self, ids: &[EventId]) -> Result<Vec<EventId>, StoreError> {
        self.all_but(ids, |_| true).await
    }

    /// Which of these events have no outcome, seen or not.
    ///
    /// # Errors
    /// If the table does not answer.
    pub async fn unfinished(&self, ids: &[EventId]) -> Result<Vec<EventId>, StoreError> {
        self.all_but(ids, |item| text(item, "claim") == Some("done")).await
    }

    /// These events without those whose row is as asked.
    async fn all_but(
        &self,
        ids: &[EventId],
        is_out: impl Fn(&Item) -> bool,
    ) -> Result<Vec<EventId>, StoreError> {
        let mut left: BTreeSet<String> = ids.iter().map(|id| format!("EVENT#{id}")).collect();
        // The service takes at most a hundred keys in one request.
        for some in ids.chunks(100) {
            let mut keys = KeysAndAttributes::builder().projection_expression("pk, claim");
            for id in some.iter().collect::<BTreeSet<_>>() {
                keys = keys.keys(event_key(id));
            }
            let mut asked =
                keys.build().map_err(|error| StoreError::table("a read of events", &error)).map(Some)?;
            while let Some(keys) = asked.take() {
                let answer = self.client.batch_get_item().request_items(&self.table, keys).send().await;
                let answer = answer.map_err(|error| StoreError::table("a read of events", &error))?;
                for item in answer.responses().into_iter().flatten().flat_map(|(_, items)| items) {
                    if is_out(item) {
                        text(item, "pk").map(|pk| left.remove(pk));
                    }
                }
                asked = answer.unprocessed_keys.and_then(|mut rest| rest.remove(&self.table));
            }
        }
        Ok(ids.iter().filter(|id| left.contains(&format!("EVENT#{id}"))).cloned().collect())
    }

    /// Up to when a sweep has looked.
    ///
    /// # Errors
    /// If the table does not answer.
    pub async fn cursor(&self, sweep: &str) -> Result<Option<Timestamp>, StoreError> {
        let row = get(&self.client, &self.table, key("CURSOR", sweep)).await?;
        Ok(row.and_then(|row| number(&row, "swept_until")).map(Timestamp::from_seconds))
    }

    /// Remembers up to when a sweep has looked. One schedule runs a sweep at a time, and looking twice
    /// does no harm, so the last one wins.
    ///
    /// # Errors
    /// If the table does not answer.
    pub async fn set_cursor(&self, sweep: &str, until: Timestamp) -> Result<(), StoreError> {
        let mut item = key("CURSOR", sweep);
        item.insert("swept_until".into(), at(until));
        let sent = self.client.put_item().table_name(&self.table).set_item(Some(item)).send().await;
        sent.map(drop).map_err(|error| StoreError::table("a sweep's cursor", &error))
    }

    /// An event's row.
    ///
    /// # Errors
    /// If the table does not answer or the row is not readable.
    pub async fn event(&self, id: &EventId) -> Result<Option<EventRow>, StoreError> {
        let found = get(&self.client, &self.table, event_key(id)).await?;
        found.map(|item| event_row(&item)).transpose()
    }
}

/// Reads one item with strong consistency.
pub(crate) async fn get(client: &Client, table: &str, key: Item) -> Result<Option<Item>, StoreError> {
    client
        .get_item()
        .table_name(table)
        .set_key(Some(key))
        .consistent_read(true)
        .send()
        .await
        .map(|answer| answer.item)
        .map_err(|error| StoreError::table("a read", &error))
}

pub(crate) const HELD_BY_ME: &str = "claim = :held AND run = :run";
pub(crate) const FINISH: &str = "SET claim = :done, outcome = :outcome REMOVE lease";

pub(crate) fn event_key(id: &EventId) -> Item {
    key(&format!("EVENT#{id}"), "EVENT")
}

pub(crate) fn event_row(item: &Item) -> Result<EventRow, StoreError> {
    let envelope: Envelope = read(item, "envelope")?;
    let outcome = read_optional(item, "outcome")?;
    let failure = text(item, "failure").map(str::to_owned);
    Ok(EventRow { id: envelope.id, kind: envelope.kind, received: envelope.received, outcome, failure })
}
