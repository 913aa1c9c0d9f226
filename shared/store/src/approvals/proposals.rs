//! How a proposal comes into being and moves.

use domain::{
    ObjectId, ProposalId, Timestamp,
    approval::{Action, Stage},
    trail,
};
use serde::Serialize;

use super::{
    Approvals, Budget, LOCK_IS_MINE, NOT_FROZEN, VoteError,
    budget::{THE_BUDGET, THE_RATE, count_request, release, reserve},
    file::{ProposalRow, partition},
    freeze_key, lock_key,
};
use crate::{
    StoreError, Versioned,
    cases::trail_item,
    item::{Item, at, key, s, text},
    transaction::{Cancelled, Transaction},
};

/// What became of a new proposal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proposed {
    /// It is open.
    New,
    /// It is there already: this is a redelivery.
    Known,
    /// Another proposal is open for the same object and operation.
    Occupied(ProposalId),
    /// The requester asked too often in this hour.
    TooMany,
}

/// A proposal that takes the place of one that Stripe has overtaken.
#[derive(Debug, Clone, Serialize)]
pub struct Reissue<'a> {
    /// The new one.
    pub row: &'a ProposalRow,
    /// The first entry of its trail.
    pub entry: &'a trail::Entry,
    /// How many its requester may make in an hour, if they are counted.
    pub most: Option<u32>,
}

pub(super) const THE_PROPOSAL: &str = "the proposal";
pub(super) const THE_FREEZE: &str = "the freeze";
const THE_LOCK: &str = "the object's lock";
const THE_SLOT: &str = "the open proposal of the object";
const SLOT_IS_MINE: &str = "attribute_not_exists(pk) OR proposal = :holder";

/// What a transaction writes; its hash is the token.
#[derive(Serialize)]
struct Content<'a, M> {
    row: &'a ProposalRow,
    version: i64,
    entry: &'a trail::Entry,
    more: M,
}

impl Approvals {
    /// Puts a new proposal with the first entry of its trail, if none is open for its object and
    /// operation, and its requester made fewer than `most` in this hour; `None` for one who is not
    /// counted. The very same bytes again within ten minutes count as the same write.
    ///
    /// # Errors
    /// If the table does not answer.
    pub async fn propose(
        &self,
        row: &ProposalRow,
        entry: &trail::Entry,
        most: Option<u32>,
    ) -> Result<Proposed, StoreError> {
        let action = &row.proposal.action;
        let all = Transaction::new(&self.table)
            .create(THE_PROPOSAL, row.item(1)?)
            .create(THE_SLOT, slot(&row.proposal.action))
            .create("the trail", trail_item(&partition(row.id()), entry)?);
        let all = match most {
            Some(most) => count_request(all, &action.requester, most, action.created),
            None => all,
        };
        match all.commit(&self.client, &Content { row, version: 0, entry, more: () }).await {
            Ok(()) => Ok(Proposed::New),
            Err(Cancelled::Condition { what: THE_PROPOSAL, .. }) => Ok(Proposed::Known),
            Err(Cancelled::Condition { what: THE_SLOT, item }) => {
                let held = item.as_ref().and_then(|item| text(item, "proposal"));
                match held.and_then(|id| ProposalId::parse(id).ok()) {
                    Some(id) if id == *row.id() => Ok(Proposed::Known),
                    Some(id) => Ok(Proposed::Occupied(id)),
                    None => Err(StoreError::Conflict { what: THE_SLOT }),
                }
            }
            Err(Cancelled::Condition { what: THE_RATE, .. }) => Ok(Proposed::TooMany),
            Err(refused) => Err(refused.into_error()),
        }
    }

    /// Begins an execution as [`Self::transition`] does, and takes its part of the day's budget.
    ///
    /// # Errors
    /// As there, and [`VoteError::OverBudget`] if too little is left of it today.
    pub async fn claim(
        &self,
        before: &Versioned<ProposalRow>,
        stage: Stage,
        entry: &trail::Entry,
        now: Timestamp,
        budget: Option<Budget>,
    ) -> Result<Versioned<ProposalRow>, VoteError> {
        let Stage::Executing(attempt) = &stage else {
            return self.transition(before, stage, entry, now).await;
        };
        let lease = attempt.lease;
        let mut row = moved(&before.value, stage, entry);
        row.reserved = budget.map(|budget| budget.reserved(now));
        let mut all = self.executing(before, &row, entry, lease, now)?;
        if let Some(budget) = budget {
            all = reserve(all, &row, budget, now);
        }
        let content = Content { row: &row, version: before.version, entry, more: now };
        all.commit(&self.client, &content).await?;
        Ok(Versioned { value: row, version: before.version.saturating_add(1) })
    }

    /// Moves a proposal from the version that was read to `stage`, with the entry of its trail. Into
    /// an execution it takes the object's lock, asks the time and the freeze; at an end it gives back
    /// the lock, the object's slot and, if nothing was done, its part of the budget.
    ///
    /// # Errors
    /// [`VoteError::Frozen`] if an execution would begin while everything is stopped, else a conflict
    /// if the proposal has moved or another execution holds the object.
    pub async fn transition(
        &self,
        before: &Versioned<ProposalRow>,
        stage: Stage,
        entry: &trail::Entry,
        now: Timestamp,
    ) -> Result<Versioned<ProposalRow>, VoteError> {
        let row = moved(&before.value, stage, entry);
        let attempt = async |give_back: bool| {
            let all = match &row.proposal.stage {
                Stage::Executing(attempt) => self.executing(before, &row, entry, attempt.lease, now),
                _ => self.ending(before, &row, entry, give_back),
            };
            let content = Content { row: &row, version: before.version, entry, more: (now, give_back) };
            all.map_err(Cancelled::Failed)?.commit(&self.client, &content).await
        };
        match attempt(true).await {
            // What is not ours any more is not ours to give back; the end is recorded all the same.
            Err(Cancelled::Condition { what: THE_SLOT | THE_LOCK | THE_BUDGET, .. })
                if row.proposal.stage.is_final() =>
            {
                attempt(false).await?;
            }
            outcome => outcome?,
        }
        Ok(Versioned { value: row, version: before.version.saturating_add(1) })
    }

    /// Voids a proposal and opens the next one for the same request, both or neither.
    ///
    /// # Errors
    /// A conflict if the proposal has moved, or the new one exists.
    pub async fn reissue(
        &self,
        before: &Versioned<ProposalRow>,
        stage: Stage,
        entry: &trail::Entry,
        next: &Reissue<'_>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let old = moved(&before.value, stage, entry);
        let taken = [(":holder", s(before.value.id().as_str()))];
        let all = replace(Transaction::new(&self.table), before, &old)?
            .create("the trail", trail_item(&partition(old.id()), entry)?);
        let all = release(unlock(all, &before.value), &before.value)
            .create("the next proposal", next.row.item(1)?)
            .create("its trail", trail_item(&partition(next.row.id()), next.entry)?)
            .put(THE_SLOT, slot(&next.row.proposal.action), SLOT_IS_MINE, taken);
        let all = match next.most {
            Some(most) => count_request(all, &next.row.proposal.action.requester, most, now),
            None => all,
        };
        let content = Content { row: &old, version: before.version, entry, more: (next, now) };
        all.commit(&self.client, &content).await.map_err(Cancelled::into_error)
    }

    /// Notes that everybody was told, so that nobody has to look before it expires. It is no
    /// transition, and the trail says nothing of it.
    ///
    /// # Errors
    /// A conflict if the proposal has moved.
    pub async fn set_notified(
        &self,
        before: &Versioned<ProposalRow>,
    ) -> Result<Versioned<ProposalRow>, StoreError> {
        let look = before.value.proposal.action.expires;
        let row = ProposalRow { notified: true, look, ..before.value.clone() };
        self.rewrite(before, row).await
    }

    /// Changes when the schedule looks at a pending proposal again.
    ///
    /// # Errors
    /// A conflict if the proposal has moved.
    pub async fn set_look(
        &self,
        before: &Versioned<ProposalRow>,
        look: Timestamp,
    ) -> Result<Versioned<ProposalRow>, StoreError> {
        let row = ProposalRow { look, ..before.value.clone() };
        self.rewrite(before, row).await
    }

    async fn rewrite(
        &self,
        before: &Versioned<ProposalRow>,
        row: ProposalRow,
    ) -> Result<Versioned<ProposalRow>, StoreError> {
        let all = replace(Transaction::new(&self.table), before, &row)?;
        all.commit(&self.client, &(&row, before.version)).await.map_err(Cancelled::into_error)?;
        Ok(Versioned { value: row, version: before.version.saturating_add(1) })
    }

    /// The writes that begin an execution, or take it over.
    pub(super) fn executing(
        &self,
        before: &Versioned<ProposalRow>,
        row: &ProposalRow,
        entry: &trail::Entry,
        lease: Timestamp,
        now: Timestamp,
    ) -> Result<Transaction, StoreError> {
        let mut lock = lock_key(&row.proposal.action.operation.object());
        lock.insert("holder".into(), s(row.id().as_str()));
        lock.insert("lease".into(), at(lease));
        let free = [(":holder", s(row.id().as_str())), (":now", at(now))];
        let all = replace_if_open(Transaction::new(&self.table), before, row, now)?
            .put(THE_LOCK, lock, &format!("{LOCK_IS_MINE} OR lease <= :now"), free)
            .create("the trail", trail_item(&partition(row.id()), entry)?);
        Ok(if before.value.proposal.stage == Stage::Pending { unfrozen(all) } else { all })
    }

    /// The writes of an end.
    pub(super) fn ending(
        &self,
        before: &Versioned<ProposalRow>,
        row: &ProposalRow,
        entry: &trail::Entry,
        give_back: bool,
    ) -> Result<Transaction, StoreError> {
        let all = replace(Transaction::new(&self.table), before, row)?
            .create("the trail", trail_item(&partition(row.id()), entry)?);
        if !give_back {
            return Ok(all);
        }
        let all = unlock(all, &before.value);
        let all = if is_undone(&row.proposal.stage) { release(all, &before.value) } else { all };
        Ok(if row.proposal.stage.is_final() { vacate(all, &row.proposal.action) } else { all })
    }
}

/// Whether it ended without anything having been done.
const fn is_undone(stage: &Stage) -> bool {
    matches!(stage, Stage::Failed { .. } | Stage::Stale { .. } | Stage::Tampered { .. })
}

/// The row after a move.
pub(super) fn moved(before: &ProposalRow, stage: Stage, entry: &trail::Entry) -> ProposalRow {
    let mut row = before.clone();
    if is_undone(&stage) {
        row.reserved = None;
    }
    if let (Stage::Pending, Stage::Executing(attempt)) = (&before.proposal.stage, &stage) {
        row.look = attempt.lease;
    }
    row.proposal.stage = stage;
    row.proposal.trail = entry.head();
    row
}

/// Replaces the version that was read.
fn replace(
    all: Transaction,
    before: &Versioned<ProposalRow>,
    row: &ProposalRow,
) -> Result<Transaction, StoreError> {
    let item = row.item(before.version.saturating_add(1))?;
    Ok(all.put(THE_PROPOSAL, item, "version = :version", [(":version", crate::item::n(before.version))]))
}

/// Replaces the version that was read; while it is pending, only in time and with the digest that was
/// signed. That is asked of the row itself, whatever the reader saw.
fn replace_if_open(
    all: Transaction,
    before: &Versioned<ProposalRow>,
    row: &ProposalRow,
    now: Timestamp,
) -> Result<Transaction, StoreError> {
    let item = row.item(before.version.saturating_add(1))?;
    let condition = "version = :version AND action_digest = :digest \
                     AND (stage_name <> :pending OR votes_until > :now)";
    let values = [
        (":version", crate::item::n(before.version)),
        (":digest", s(row.proposal.digest.to_string())),
        (":pending", s(Stage::Pending.name())),
        (":now", at(now)),
    ];
    Ok(all.put(THE_PROPOSAL, item, condition, values))
}

/// Asks that nothing is stopped.
pub(super) fn unfrozen(all: Transaction) -> Transaction {
    let no = aws_sdk_dynamodb::types::AttributeValue::Bool(false);
    all.check(THE_FREEZE, freeze_key(), NOT_FROZEN, [(":no", no)])
}

/// Gives the object's lock back, if an execution held it.
fn unlock(all: Transaction, before: &ProposalRow) -> Transaction {
    if !matches!(before.proposal.stage, Stage::Executing(_)) {
        return all;
    }
    let key = lock_key(&before.proposal.action.operation.object());
    all.delete(THE_LOCK, key, LOCK_IS_MINE, [(":holder", s(before.id().as_str()))])
}

/// Gives the object's slot back.
pub(super) fn vacate(all: Transaction, action: &Action) -> Transaction {
    let key = slot_key(&action.operation.object(), action.operation.name());
    all.delete(THE_SLOT, key, SLOT_IS_MINE, [(":holder", s(action.proposal.as_str()))])
}

fn slot_key(object: &ObjectId, operation: &str) -> Item {
    key(&format!("OPEN#{object}#{operation}"), "OPEN")
}

fn slot(action: &Action) -> Item {
    let mut item = slot_key(&action.operation.object(), action.operation.name());
    item.insert("proposal".into(), s(action.proposal.as_str()));
    item
}
