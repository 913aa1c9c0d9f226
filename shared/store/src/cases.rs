//! `CASE#id` and `CUSTOMER#id`: what is known and decided, and the one transaction that changes it.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_dynamodb::{Client, operation::put_item::PutItemError, types::KeysAndAttributes};
use domain::{
    Case, CaseKey, CustomerId, EventId, ObjectId, RequestId, RunId, Timestamp, case::CaseState,
    event::Origin, plan::Step, trail,
};
use serde::{Deserialize, Serialize};

use crate::{
    EventOutcome, StoreError, Versioned,
    cards::{card_item, has_moved},
    events::{FINISH, HELD_BY_ME, event_key, get},
    item::{Item, at, key, n, nested, number, read, s, text},
    schema::DUE_INDEX,
    steps::step_item,
    transaction::Transaction,
};

/// The table of events, cases, customers, steps and requests.
#[derive(Debug, Clone)]
pub struct Cases {
    pub(crate) client: Client,
    pub(crate) table: String,
}

/// A customer's open cases: two cases of one customer cannot pass the interlocks side by side,
/// because both would have to write this row under the version they read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomerRow {
    /// The open cases.
    pub open: BTreeSet<CaseKey>,
    /// When messages to the customer were drafted in the last 30 days.
    #[serde(default)]
    pub contacts: Vec<Timestamp>,
}

/// How long a message counts, in seconds.
const CONTACTS: i64 = 30 * 86_400;

/// After how many seconds an open case is decided anew although nothing was heard: its object may have
/// moved on without an event that reached us.
const LOOK: i64 = 86_400;

/// What a turn starts from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TurnState {
    /// The case, if it exists.
    pub case: Versioned<Option<Case>>,
    /// The customer's row.
    pub customer: Versioned<CustomerRow>,
    /// Whether the switch that stops every step is on.
    pub frozen: bool,
}

/// What a turn writes, all or nothing.
#[derive(Debug, Clone, Serialize)]
pub struct Turn<'a> {
    /// The event that caused it, which is completed with it; `None` for a turn of the reconciler.
    pub event: Option<&'a EventId>,
    /// The run that holds the event and will dispatch the steps.
    pub run: &'a RunId,
    /// Until when nobody else dispatches them.
    pub lease: Timestamp,
    /// The case as decided.
    pub case: &'a Case,
    /// New steps.
    pub steps: &'a [Step],
    /// The trail's entry.
    pub entry: &'a trail::Entry,
}

/// A requested gated action: put once, never changed, read once by the approver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestRow {
    /// Its id.
    pub id: RequestId,
    /// The case that asks.
    pub case: CaseKey,
    /// What is asked for: `refund.create`.
    pub operation: String,
    /// Upon which Stripe object.
    pub object: ObjectId,
    /// What goes along, by name, where the operation takes something: a template's id. Whatever Stripe
    /// knows is not here, and all of it is checked.
    #[serde(default)]
    pub parameters: BTreeMap<String, String>,
    /// Where it is to be read.
    pub origin: Origin,
    /// The event that led to it.
    pub source: Option<EventId>,
    /// When.
    pub at: Timestamp,
}

/// What is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due<T> {
    /// The rows that can be read.
    pub rows: Vec<T>,
    /// Rows that cannot, whose error is in the log.
    pub unreadable: usize,
}

impl<T> Due<T> {
    /// One bad row must not keep the others waiting for ever.
    pub(crate) fn of(read: impl Iterator<Item = Result<T, StoreError>>) -> Self {
        let (mut rows, mut unreadable) = (Vec::new(), 0);
        for row in read {
            match row {
                Ok(row) => rows.push(row),
                Err(error) => {
                    tracing::error!(%error, "a row that is due cannot be read");
                    unreadable += 1;
                }
            }
        }
        Self { rows, unreadable }
    }
}

/// The partition of the index for cases.
const DUE: &str = "case";

impl Cases {
    /// The table `table`.
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self { client, table: table.into() }
    }

    /// Reads a case, its customer's row and the kill switch in one request.
    ///
    /// # Errors
    /// If the table does not answer or a row is not readable.
    pub async fn turn_state(
        &self,
        key: &CaseKey,
        customer: Option<&CustomerId>,
    ) -> Result<TurnState, StoreError> {
        let mut keys =
            KeysAndAttributes::builder().consistent_read(true).keys(case_key(key)).keys(freeze_key());
        if let Some(customer) = customer {
            keys = keys.keys(customer_key(customer));
        }
        let keys = keys.build().map_err(|error| StoreError::table("the read of a case", &error))?;
        let answer = self
            .client
            .batch_get_item()
            .request_items(&self.table, keys)
            .send()
            .await
            .map_err(|error| StoreError::table("the read of a case", &error))?;
        if answer.unprocessed_keys().is_some_and(|keys| !keys.is_empty()) {
            return Err(StoreError::Table { call: "the read of a case", why: "it was throttled".into() });
        }
        let mut state = TurnState {
            case: Versioned { value: None, version: 0 },
            customer: Versioned { value: CustomerRow::default(), version: 0 },
            frozen: false,
        };
        for item in answer.responses().into_iter().flatten().flat_map(|(_, items)| items) {
            let version = number(item, "version").unwrap_or_default();
            match text(item, "sk") {
                Some("CASE") => state.case = Versioned { value: Some(read(item, "case")?), version },
                Some("CUSTOMER") => state.customer = Versioned { value: read(item, "customer")?, version },
                // The switch is on if its row is there, whatever stands in it (I7).
                _ => state.frozen = true,
            }
        }
        Ok(state)
    }

    /// Commits a turn: case, customer, steps, trail and the event's completion, or nothing. Whether the
    /// case's card in the chat lags behind now; it comes due at the end of the turn's lease.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if any of it was changed since `before` was read.
    pub async fn commit(&self, before: &TurnState, turn: &Turn<'_>) -> Result<bool, StoreError> {
        let case = turn.case;
        let mut all =
            Transaction::new(&self.table).replace("the case", case_item(case)?, before.case.version);
        let moved = has_moved(before.case.value.as_ref(), turn);
        if moved {
            // Two turns of a case exclude each other, so the row never goes back.
            let values = [(":length", n(case.trail.length.into()))];
            let older = "attribute_not_exists(pk) OR trail_length < :length";
            all = all.put("the card", card_item(case, turn.lease)?, older, values);
        }

        let mut customer = before.customer.value.clone();
        let changed = match case.state {
            CaseState::Open => customer.open.insert(case.key.clone()),
            CaseState::Closed => customer.open.remove(&case.key),
        };
        if turn.steps.iter().any(|step| step.kind.is_to_customer()) {
            customer.contacts.retain(|at| case.changed.since(*at) < CONTACTS);
            customer.contacts.push(case.changed);
        }
        if let Some(id) = &case.customer {
            // Written when steps are taken even if it stays the same: that is what makes two turns of
            // one customer exclude each other.
            if changed || !turn.steps.is_empty() {
                let mut item = customer_key(id);
                item.insert("customer".into(), nested(&customer)?);
                all = all.replace("the customer", item, before.customer.version);
            }
        }
        if !turn.steps.is_empty() {
            all = all.check("the kill switch", freeze_key(), "attribute_not_exists(pk)", []);
        }
        for step in turn.steps {
            all = all.create("a step", step_item(step, turn.run, case.changed, turn.lease)?);
        }
        all = all.create("the trail", trail_item(&format!("CASE#{}", case.key), turn.entry)?);
        if let Some(event) = turn.event {
            let outcome = EventOutcome::Decided { case: case.key.clone() };
            let values = [
                (":run", s(turn.run.as_str())),
                (":held", s("held")),
                (":done", s("done")),
                (":outcome", nested(&outcome)?),
            ];
            all = all.update("the event", event_key(event), FINISH, HELD_BY_ME, values);
        }
        all.commit(&self.client, &(before, turn)).await.map_err(crate::transaction::Cancelled::into_error)?;
        Ok(moved)
    }

    /// Turns the kill switch on: cases are still decided and recorded, and no step is taken.
    ///
    /// # Errors
    /// If the table does not answer.
    pub async fn freeze(&self) -> Result<(), StoreError> {
        let sent = self.client.put_item().table_name(&self.table).set_item(Some(freeze_key())).send().await;
        sent.map(|_| ()).map_err(|error| StoreError::table("the kill switch", &error))
    }

    /// Whether the kill switch is on.
    ///
    /// # Errors
    /// If the table does not answer: then act as if it were.
    pub async fn is_frozen(&self) -> Result<bool, StoreError> {
        get(&self.client, &self.table, freeze_key()).await.map(|row| row.is_some())
    }

    /// Turns the kill switch off. Steps that were suppressed meanwhile are planned at the next event of
    /// their case, or when it comes due.
    ///
    /// # Errors
    /// If the table does not answer.
    pub async fn unfreeze(&self) -> Result<(), StoreError> {
        let sent = self.client.delete_item().table_name(&self.table).set_key(Some(freeze_key())).send().await;
        sent.map(|_| ()).map_err(|error| StoreError::table("the kill switch", &error))
    }

    /// A case.
    ///
    /// # Errors
    /// If the table does not answer or the row is not readable.
    pub async fn case(&self, key: &CaseKey) -> Result<Option<Case>, StoreError> {
        let found = get(&self.client, &self.table, case_key(key)).await?;
        found.map(|item| read(&item, "case")).transpose()
    }

    /// A customer's row; an empty one if there is none.
    ///
    /// # Errors
    /// If the table does not answer or the row is not readable.
    pub async fn customer(&self, customer: &CustomerId) -> Result<CustomerRow, StoreError> {
        let found = get(&self.client, &self.table, customer_key(customer)).await?;
        found.map_or_else(|| Ok(CustomerRow::default()), |item| read(&item, "customer"))
    }

    /// Open cases that are to be decided anew, the longest due first, at most `limit`. Rows that cannot
    /// be read are left out and counted.
    ///
    /// # Errors
    /// If the table does not answer.
    pub async fn due_cases(&self, now: Timestamp, limit: i32) -> Result<Due<Case>, StoreError> {
        let rows = self.due(DUE, now, limit).await?;
        Ok(Due::of(rows.iter().map(|item| read(item, "case"))))
    }

    /// Open cases, whether due or not, at most `limit`. Rows that cannot be read are left out and counted.
    ///
    /// # Errors
    /// If the table does not answer.
    pub async fn open_cases(&self, limit: usize) -> Result<Due<Case>, StoreError> {
        let mut pages = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(DUE_INDEX)
            .key_condition_expression("due_kind = :due")
            .expression_attribute_values(":due", s(DUE))
            .into_paginator()
            .items()
            .send();
        let mut items = Vec::new();
        while items.len() < limit
            && let Some(item) = pages.next().await
        {
            items.push(item.map_err(|error| StoreError::table("the list of open cases", &error))?);
        }
        Ok(Due::of(items.iter().map(|item| read(item, "case"))))
    }

    /// What the index holds of a kind that is due.
    pub(crate) async fn due(&self, kind: &str, now: Timestamp, limit: i32) -> Result<Vec<Item>, StoreError> {
        let answer = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(DUE_INDEX)
            .key_condition_expression("due_kind = :due AND due_at <= :now")
            .expression_attribute_values(":due", s(kind))
            .expression_attribute_values(":now", at(now))
            .limit(limit)
            .send()
            .await
            .map_err(|error| StoreError::table("the list of what is due", &error))?;
        Ok(answer.items.unwrap_or_default())
    }

    /// The trail of a case, from its start.
    ///
    /// # Errors
    /// If the table does not answer or an entry is not readable.
    pub async fn trail(&self, case: &CaseKey) -> Result<Vec<trail::Entry>, StoreError> {
        trail_of(&self.client, &self.table, &format!("CASE#{case}")).await
    }

    /// Puts a request if it is not there yet; whether it was new.
    ///
    /// # Errors
    /// If the table does not answer.
    pub async fn put_request(&self, request: &RequestRow) -> Result<bool, StoreError> {
        let mut item = request_key(&request.id);
        item.insert("request".into(), nested(request)?);
        let sent = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(pk)")
            .send()
            .await;
        match sent {
            Ok(_) => Ok(true),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(PutItemError::is_conditional_check_failed_exception) =>
            {
                Ok(false)
            }
            Err(error) => Err(StoreError::table("a request", &error)),
        }
    }

    /// A request.
    ///
    /// # Errors
    /// If the table does not answer or the row is not readable.
    pub async fn request(&self, id: &RequestId) -> Result<Option<RequestRow>, StoreError> {
        let found = get(&self.client, &self.table, request_key(id)).await?;
        found.map(|item| read(&item, "request")).transpose()
    }
}

/// All entries of a trail in order.
pub(crate) async fn trail_of(
    client: &Client,
    table: &str,
    pk: &str,
) -> Result<Vec<trail::Entry>, StoreError> {
    let mut pages = client
        .query()
        .table_name(table)
        .consistent_read(true)
        .key_condition_expression("pk = :pk AND begins_with(sk, :trail)")
        .expression_attribute_values(":pk", s(pk))
        .expression_attribute_values(":trail", s("TRAIL#"))
        .into_paginator()
        .items()
        .send();
    let mut entries = Vec::new();
    while let Some(item) = pages.next().await {
        let item = item.map_err(|error| StoreError::table("the read of a trail", &error))?;
        entries.push(read(&item, "entry")?);
    }
    Ok(entries)
}

/// The partition of the index for entries of trails, by their time: what grew since a checkpoint.
pub(crate) const TRAIL: &str = "trail";

pub(crate) fn trail_item(pk: &str, entry: &trail::Entry) -> Result<Item, StoreError> {
    // Ten digits, so that the order of the keys is the order of the entries.
    let mut item = key(pk, &format!("TRAIL#{:010}", entry.seq));
    item.insert("entry".into(), nested(entry)?);
    item.insert("due_kind".into(), s(TRAIL));
    item.insert("due_at".into(), at(entry.at));
    Ok(item)
}

pub(crate) fn case_item(case: &Case) -> Result<Item, StoreError> {
    let mut item = case_key(&case.key);
    item.insert("case".into(), nested(case)?);
    if case.state == CaseState::Open {
        let look = case.changed.plus(LOOK);
        item.insert("due_kind".into(), s(DUE));
        item.insert("due_at".into(), at(case.revisit.map_or(look, |revisit| revisit.min(look))));
    }
    Ok(item)
}

fn case_key(case: &CaseKey) -> Item {
    key(&format!("CASE#{case}"), "CASE")
}

fn customer_key(customer: &CustomerId) -> Item {
    key(&format!("CUSTOMER#{customer}"), "CUSTOMER")
}

pub(crate) fn freeze_key() -> Item {
    key("CONTROL", "FREEZE")
}

fn request_key(id: &RequestId) -> Item {
    key(&format!("REQUEST#{id}"), "REQUEST")
}
