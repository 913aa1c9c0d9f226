//! What Stripe said when it was read: the fields that decisions use, in one shape for every API
//! version.
//!
//! Stripe's own shapes, old and new, are read by `shared/stripe`; here each fact stands once, where
//! a rule looks for it. Enums are open: a value that did not exist when this was written is kept as
//! it came and treated as unknown, never as an error.

mod charge;
mod credit;
mod customer;
mod dispute;
mod invoice;
mod metadata;
mod payment_method;
mod refund;

use serde::{Deserialize, Serialize};

pub use charge::{Charge, ChargeStatus, Outcome, OutcomeKind, UnclearRequest};
pub use credit::{BalanceEntry, CreditNote, CreditNoteStatus, CustomerCredit};
pub use customer::{Customer, Subscription, SubscriptionStatus};
pub use dispute::{Dispute, DisputeAnswering, DisputeStatus, FraudWarning};
pub use invoice::{
    CollectionMethod, Invoice, InvoicePayment, InvoiceStatus, PaymentError, PaymentIntent,
    PaymentIntentStatus,
};
pub use metadata::Metadata;
pub use payment_method::{PaymentMethod, PaymentOnInvoice};
pub use refund::{Refund, RefundStatus};

/// An object that Stripe was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Read<T> {
    /// Stripe has it.
    Found(T),
    /// Stripe answered that it has no such object (any more).
    Gone,
}
