//! What Countersign knows about billing, and nothing else: cases, context, classification, policy,
//! plans, advice, approvals and the trail.
//!
//! Everything here is pure. There is no I/O, no clock and no environment: time and ids come in as
//! arguments, and the same input gives the same output, which is what lets a decision be replayed
//! (I6).

pub mod advice;
pub mod approval;
pub mod case;
pub mod classify;
pub mod context;
pub mod decide;
pub mod drift;
pub mod encoding;
pub mod event;
pub mod finding;
pub mod id;
pub mod money;
mod open_enum;
pub mod plan;
pub mod policy;
pub mod snapshot;
pub mod text;
pub mod time;
pub mod trail;

pub use case::{Case, CaseKey, CaseKind};
pub use encoding::Digest;
pub use event::Envelope;
pub use id::{
    AccountId, ChargeId, CustomerId, DisputeId, EventId, InvoiceId, MandateId, ObjectId, PaymentIntentId,
    PaymentMethodId, PersonId, ProposalId, RefundId, RequestId, RuleId, RunId, SubscriptionId,
};
pub use money::{Currency, Money};
pub use time::Timestamp;
