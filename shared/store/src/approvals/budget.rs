//! What is counted: how much was done in a day, and how often somebody asked in an hour. Both are
//! counted in the transaction of what they count, whose token keeps a retry from counting twice.

use domain::{Money, PersonId, Timestamp};

use super::file::{ProposalRow, Reserved};
use crate::{
    item::{Item, at, key, n},
    transaction::Transaction,
};

/// What an operation may move in a day, in its currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// The most, in minor units.
    pub limit: i64,
    /// What this execution takes of it.
    pub amount: Money,
}

pub(super) const THE_BUDGET: &str = "the day's budget";
pub(super) const THE_RATE: &str = "the hour's requests";

/// Rows of past days and hours are kept for this long, in seconds, and then cleaned.
const KEPT: i64 = 7 * 86_400;

impl Budget {
    /// What is kept with the proposal.
    pub(super) fn reserved(self, now: Timestamp) -> Reserved {
        Reserved { day: now.day(), amount: self.amount }
    }
}

/// Takes a part of the day's budget, if there is so much left.
pub(super) fn reserve(all: Transaction, row: &ProposalRow, budget: Budget, now: Timestamp) -> Transaction {
    let reserved = budget.reserved(now);
    let amount = reserved.amount.amount;
    let (key, kept) = (budget_key(row, &reserved), at(now.plus(KEPT)));
    let (limit, room) = (n(budget.limit), n(budget.limit.saturating_sub(amount)));
    all.update(
        THE_BUDGET,
        key,
        "SET expires_at = :kept ADD spent :amount",
        "(attribute_not_exists(spent) AND :amount <= :limit) OR spent <= :room",
        [(":kept", kept), (":amount", n(amount)), (":limit", limit), (":room", room)],
    )
}

/// Gives back what an execution took that definitely did nothing.
pub(super) fn release(all: Transaction, before: &ProposalRow) -> Transaction {
    let Some(reserved) = &before.reserved else { return all };
    let amount = reserved.amount.amount;
    all.update(
        THE_BUDGET,
        budget_key(before, reserved),
        "ADD spent :back",
        "spent >= :amount",
        [(":back", n(amount.saturating_neg())), (":amount", n(amount))],
    )
}

/// Counts one more request of a person in this hour, up to `most`.
pub(super) fn count_request(all: Transaction, person: &PersonId, most: u32, now: Timestamp) -> Transaction {
    let hour = now.seconds().div_euclid(3600);
    all.update(
        THE_RATE,
        key(&format!("RATE#{person}"), &format!("HOUR#{hour}")),
        "SET expires_at = :kept ADD asked :one",
        "attribute_not_exists(asked) OR asked < :most",
        [(":kept", at(now.plus(KEPT))), (":one", n(1)), (":most", n(i64::from(most)))],
    )
}

fn budget_key(row: &ProposalRow, reserved: &Reserved) -> Item {
    let operation = row.proposal.action.operation.name();
    key(&format!("BUDGET#{operation}#{}", reserved.amount.currency.code()), &format!("DAY#{}", reserved.day))
}
