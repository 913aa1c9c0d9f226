//! The only code that knows the tables: items, keys, conditional writes and transactions.
//!
//! Two tables share one shape: `pk` and `sk` as keys, and a sparse index `due` by (`due_kind`,
//! `due_at`) for what waits for a time. [`Cases`] is written by processor and reconciler,
//! [`Approvals`] by the approver alone; what each role may do beyond that is in `template.yaml`.
//!
//! There are no bare counters, since the SDK's retry after a lost answer would count twice; every
//! claim carries its run, so that a run recognises its own claim; and every transaction carries a
//! token made of its own content.

pub mod advice;
mod approvals;
mod cards;
mod cases;
mod chains;
mod events;
mod everything;
mod findings;
mod item;
pub mod schema;
mod steps;
mod transaction;

pub use approvals::{
    Approvals, Budget, Dossier, Freeze, MandateUse, ProposalFile, ProposalRow, Proposed, Reissue, Reserved,
    Session, Vote, VoteError,
};
pub use cards::{CaseFile, Thread};
pub use cases::{Cases, CustomerRow, Due, RequestRow, Turn, TurnState};
pub use chains::{Excerpt, excerpt};
pub use events::{Claim, EventOutcome, EventRow};
pub use everything::{Everything, everything};
pub use steps::{Retry, StepRow, StepState};

use serde::Serialize;

/// Why the store could not do something.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Somebody else changed it since it was read: read again and decide again.
    #[error("{what} was changed by another run meanwhile")]
    Conflict {
        /// What.
        what: &'static str,
    },
    /// The table did not answer, or refused.
    #[error("the table refused {call}: {why}")]
    Table {
        /// The call.
        call: &'static str,
        /// The SDK's chain of causes, without the item.
        why: String,
    },
    /// An item is not what this program writes.
    #[error("item `{key}` cannot be read: {why}")]
    Unreadable {
        /// Its key.
        key: String,
        /// What is wrong with it.
        why: String,
    },
}

impl StoreError {
    fn table<E>(call: &'static str, error: &E) -> Self
    where
        E: std::error::Error,
    {
        // The SDK's own way to print a chain ends with the raw answer, rows and all.
        let chain = std::iter::successors(error.source(), |cause| cause.source());
        let why = chain.fold(error.to_string(), |text, cause| format!("{text}: {cause}"));
        Self::Table { call, why }
    }

    /// Whether another run was faster, so that reading again helps.
    pub const fn is_conflict(&self) -> bool {
        matches!(self, Self::Conflict { .. })
    }
}

/// A value with the version under which it was read: writing it back asks for the same version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Versioned<T> {
    /// What was read.
    pub value: T,
    /// Zero if there was nothing.
    pub version: i64,
}
