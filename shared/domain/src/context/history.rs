//! How the customer paid until now, from Stripe's own list of charges.

use serde::{Deserialize, Serialize};

use crate::{
    Timestamp,
    snapshot::{Charge, ChargeStatus},
};

/// A summary of the customer's charges: what a decision needs of them, without a hundred old charges.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// Charges that succeeded.
    pub succeeded: u32,
    /// Charges that failed.
    pub failed: u32,
    /// Charges of which something went back.
    pub refunded: u32,
    /// Charges that were disputed.
    pub disputed: u32,
    /// When the first one succeeded.
    pub first: Option<Timestamp>,
    /// When the last one succeeded.
    pub last: Option<Timestamp>,
    /// Whether these are all that the customer ever had.
    pub whole: bool,
}

impl History {
    /// Sums up charges; `whole` says whether the list was complete.
    pub fn of(charges: &[Charge], whole: bool) -> Self {
        let count = |which: fn(&Charge) -> bool| {
            u32::try_from(charges.iter().filter(|charge| which(charge)).count()).unwrap_or(u32::MAX)
        };
        let paid = || charges.iter().filter(|charge| charge.status == ChargeStatus::Succeeded);
        Self {
            succeeded: count(|charge| charge.status == ChargeStatus::Succeeded),
            failed: count(|charge| charge.status == ChargeStatus::Failed),
            refunded: count(|charge| charge.amount_refunded.amount > 0),
            disputed: count(|charge| charge.disputed),
            first: paid().map(|charge| charge.created).min(),
            last: paid().map(|charge| charge.created).max(),
            whole,
        }
    }
}
