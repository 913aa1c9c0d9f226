//! The table of approvals, written by the approver alone.
//!
//! `PROPOSAL#id` holds the item `PROPOSAL`, one `VOTE#person` for each vote and the entries of its
//! trail; `MANDATES` the mandates, and `MANDATE#id` the entries of the trail of one; `OPEN#object#operation` names the open proposal of an object, `LOCK#object` the execution
//! that is at work on it; `REQUEST#id` records a request that was refused; `REGISTRY` holds the people
//! and whom each identity belongs to; `PASSKEYS#person` their passkeys with a trail of their own, and
//! `CREDENTIAL#digest` whose a passkey is; `SESSION#digest` the sessions; `CONTROL` the freeze and the
//! link keys that were revoked; `BUDGET#operation#currency` what was done on each day; `RATE#person` how
//! often somebody asked in each hour; `CHECKPOINT` the signed checkpoints over all chains, which are put once
//! and never changed.
//!
//! A proposal moves only together with the entry of its trail (no audit, no transition), and only
//! from the version that was read. What a vote or a claim rests on is asked again in the condition of
//! its write, whatever the reader saw. In the index of what is due, a proposal is under `proposal` by
//! the time at which somebody has to look again, and once it is decided under `decided` by when that
//! was.

mod budget;
mod checkpoints;
mod control;
mod file;
mod lists;
mod mandates;
mod passkeys;
mod people;
mod proposals;
mod refusals;
mod sessions;
mod votes;

use aws_sdk_dynamodb::Client;
use domain::ObjectId;

use crate::item::{Item, key};

pub use budget::Budget;
pub use control::Freeze;
pub(crate) use file::proposal_row;
pub use file::{Dossier, ProposalFile, ProposalRow, Reserved, Vote};
pub use mandates::MandateUse;
pub use proposals::{Proposed, Reissue};
pub use sessions::Session;
pub use votes::VoteError;

/// The table of proposals, votes, people and sessions.
#[derive(Debug, Clone)]
pub struct Approvals {
    pub(crate) client: Client,
    pub(crate) table: String,
}

impl Approvals {
    /// The table `table`.
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self { client, table: table.into() }
    }
}

/// Who holds the lock of an object; expressions share it.
const LOCK_IS_MINE: &str = "attribute_not_exists(pk) OR holder = :holder";

fn lock_key(object: &ObjectId) -> Item {
    key(&format!("LOCK#{object}"), "LOCK")
}

fn freeze_key() -> Item {
    key("CONTROL", "FREEZE")
}

/// Holds as long as nobody stopped everything.
const NOT_FROZEN: &str = "attribute_not_exists(pk) OR frozen = :no";
