//! Refunds.

use serde::{Deserialize, Serialize};

use super::Metadata;
use crate::{ChargeId, Money, PaymentIntentId, RefundId, Timestamp, open_enum::open_enum};

open_enum! {
    /// <https://docs.stripe.com/api/refunds/object#refund_object-status>. `succeeded` is not final:
    /// a refund can still fail.
    RefundStatus {
        Canceled = "canceled",
        Failed = "failed",
        Pending = "pending",
        RequiresAction = "requires_action",
        Succeeded = "succeeded",
    }
}

/// A refund.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refund {
    /// Its id.
    pub id: RefundId,
    /// Where it stands; absent on some old refunds.
    pub status: Option<RefundStatus>,
    /// What goes back.
    pub amount: Money,
    /// What it refunds.
    pub charge: Option<ChargeId>,
    /// The payment intent of that charge.
    pub payment_intent: Option<PaymentIntentId>,
    /// `duplicate`, `fraudulent`, `requested_by_customer`, …
    pub reason: Option<String>,
    /// Why it failed.
    pub failure_reason: Option<String>,
    /// The proposal that this refund executes, from the metadata that our own write set.
    pub approval_id: Option<String>,
    /// The digest of that proposal, likewise.
    pub approval_digest: Option<String>,
    /// The metadata that the policy lets be read.
    #[serde(default)]
    pub metadata: Metadata,
    /// When it was created.
    pub created: Timestamp,
}
