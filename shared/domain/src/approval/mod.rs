//! The approval protocol: what is proposed, who signed it, and what that permits.
//!
//! A [`Proposal`] holds an [`Action`] with every parameter; its digest binds all of them and the
//! state of Stripe it was made from. Each vote is a [`Receipt`], signed with a key that only the
//! approver function can read. A [`Grant`] exists only where enough receipts of distinct, eligible
//! people over exactly this digest verify, and nothing but a `Grant` lets `shared/gated` act (I1).
//! [`Stage::after`] is the only way in which a proposal moves. A [`Mandate`] is a proposal that was
//! signed in advance, for one reversible operation: it gives a `Grant` from the same receipts.

mod action;
mod choices;
mod evidence;
mod facts;
mod grant;
mod kind;
mod link;
mod mandate;
mod moved;
mod operation;
mod passkey;
mod possible;
mod private;
mod receipt;
mod registry;
mod sentence;
mod stage;
mod wish;

pub use action::Action;
pub use choices::{AccessChange, CancelFeedback, CreditNoteReason, PauseBehavior, RefundReason};
pub use evidence::{Evidence, MAX_ALL_TEXT, MAX_TEXT, NotEvidence, is_evidence_field};
pub use facts::{CustomerFacts, Facts, MessageFacts, OpenInvoice, RuleFacts, SubscriptionFacts};
pub use grant::{Grant, NoGrant, Voters, idempotency_key};
pub use kind::{OperationKind, System, Target};
pub use link::{Link, LinkKeys, LinkRefused, MAX_TOKEN_LENGTH};
pub use mandate::{End, Mandate, NoMandate, ReversibleOperation, Standing, Terms, Use};
pub use operation::Operation;
pub use passkey::{
    Assertion, CredentialId, Enrolled, NotACredential, Passkey, PasskeyChange, PasskeyRefused, Passkeys,
    PublicKey, RelyingParty, enrol_challenge, user_handle, vote_challenge,
};
pub use possible::NotPossible;
pub use private::{EmailAddress, NotAnAddress, Private};
pub use receipt::{Decision, Method, Receipt, ReceiptBody, ReceiptKeys, ReceiptSigner, is_signed};
pub use registry::{Around, Identity, Ineligible, Person, PersonKind};
pub use stage::{Attempt, IllegalMove, LOOKED_NOT_DONE, Move, Proposal, Stage};
pub use wish::Wish;

#[cfg(test)]
pub(crate) use action::tests::sample as test_sample;
#[cfg(test)]
pub(crate) use receipt::tests::body as test_receipt_body;
