//! The approval protocol: what is proposed, who signed it, and what that permits.
//!
//! A [`Proposal`] holds an [`Action`] with every parameter; its digest binds all of them and the
//! state of Stripe it was made from. Each vote is a [`Receipt`], signed with a key that only the
//! approver function can read. A [`Grant`] exists only where enough receipts of distinct, eligible
//! people over exactly this digest verify, and nothing but a `Grant` lets `shared/gated` act (I1).
//! [`Stage::after`] is the only way in which a proposal moves.

mod action;
mod choices;
mod evidence;
mod grant;
mod link;
mod operation;
mod receipt;
mod registry;
mod sentence;
mod stage;

pub use action::Action;
pub use choices::{CancelFeedback, CreditNoteReason, PauseBehavior, RefundReason};
pub use evidence::{Evidence, MAX_ALL_TEXT, MAX_TEXT, NotEvidence};
pub use grant::{Grant, NoGrant, Voters};
pub use link::{Link, LinkKeys, LinkRefused, MAX_TOKEN_LENGTH};
pub use operation::Operation;
pub use receipt::{Decision, Method, Receipt, ReceiptBody, ReceiptKeys, ReceiptSigner, is_signed};
pub use registry::{Identity, Ineligible, Person, PersonKind};
pub use stage::{Attempt, IllegalMove, Move, Proposal, Stage};

#[cfg(test)]
pub(crate) use action::tests::sample as test_sample;
#[cfg(test)]
pub(crate) use receipt::tests::body as test_receipt_body;
