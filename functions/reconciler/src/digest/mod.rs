//! The digest for finance: what came back, what is at risk, what went out and what it touches, which disputes
//! wait, what disagrees, and who signed. From the trails of a time, what is open now, and nothing else.

mod gather;
mod shown;

use std::collections::{BTreeMap, BTreeSet};

use domain::{Currency, Money, Timestamp};
use serde::{Deserialize, Serialize};

pub use gather::gather;
pub use shown::{csv, message};

/// Amounts of one currency.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sum {
    /// Of how many.
    pub count: u64,
    /// In minor units.
    pub amount: i64,
}

/// Amounts by currency; nothing is converted.
pub type Sums = BTreeMap<Currency, Sum>;

/// The digest of a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Digest {
    /// From when.
    pub from: Timestamp,
    /// Until before when.
    pub until: Timestamp,
    /// Invoices that had failed and were paid in this time.
    pub recovered: Sums,
    /// Invoices that failed and are open now.
    pub at_risk: Sums,
    /// Money that went back, by reason and by what it touches.
    pub returned: Vec<Returned>,
    /// Disputes that wait for an answer now, the nearest deadline first.
    pub disputes: Vec<Waiting>,
    /// Drifts that are open now, by what disagrees.
    pub drift: BTreeMap<String, u64>,
    /// Writes in Stripe past the approvals in this time, by what was found.
    pub external_writes: u64,
    /// Votes of this time, by person.
    pub people: BTreeMap<String, Person>,
}

/// Refunds, or credits, of one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Returned {
    /// `refund`, `credit_note`, `customer_balance`.
    pub kind: String,
    /// As Stripe knows it.
    pub reason: String,
    /// `entitlements`, `revenue_recognition`, `account_health`.
    pub touches: BTreeSet<String>,
    /// How much.
    pub sums: Sums,
}

/// A dispute that waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// Its id.
    pub dispute: String,
    /// What is disputed.
    pub amount: Option<Money>,
    /// Until when.
    pub deadline: Timestamp,
}

/// What one person decided.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// Votes for.
    pub approved: u64,
    /// Votes against.
    pub denied: u64,
    /// What they voted for.
    pub sums: Sums,
}

fn add(sums: &mut Sums, money: Money) {
    let sum = sums.entry(money.currency).or_default();
    sum.count += 1;
    sum.amount = sum.amount.saturating_add(money.amount);
}
