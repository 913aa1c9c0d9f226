//! What the CRM knows: who the customer is to the business.

use serde::{Deserialize, Serialize};

use crate::{Money, Timestamp};

/// The customer's record in the CRM.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// The CRM's own id of the record.
    pub id: String,
    /// The account's name, for tasks and drafts to colleagues.
    pub name: Option<String>,
    /// What the account brings in a year.
    pub annual_value: Option<Money>,
    /// The colleague who looks after it.
    pub owner: Option<Owner>,
    /// When the contract renews.
    pub renews: Option<Timestamp>,
    /// The CRM's word for its segment; the policy maps it to one of its own.
    pub segment: Option<String>,
    /// The CRM's word for where the account stands: `customer`, `churned`, …
    pub lifecycle: Option<String>,
    /// The CRM's word for how its payments stand, as it was last written there.
    pub payment_status: Option<String>,
}

/// A colleague who looks after an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// The CRM's own id of the colleague, for assigning tasks.
    pub id: String,
    /// Shown to other colleagues.
    pub name: Option<String>,
    /// By which other systems know them.
    pub email: Option<String>,
}
