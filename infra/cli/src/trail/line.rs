//! The form of an export: one JSON object per line.
//!
//! First what it is about, then the entries, each chain in its order, where each subject says that its
//! chain ends, what was proposed with every parameter, and the signed checkpoints, oldest first.

use domain::{
    Timestamp,
    approval::Action,
    trail::{Checkpoint, Entry, Head},
};
use serde::{Deserialize, Serialize};

/// One line of an export.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Line {
    /// What the export is about, and when it was made. Nothing vouches for it.
    Export {
        /// The case or proposal that was asked for.
        id: String,
        /// When.
        at: Timestamp,
    },
    /// An entry of a chain.
    Entry(Entry),
    /// Where a chain ends.
    Head {
        /// The case or proposal.
        subject: String,
        /// The end.
        #[serde(flatten)]
        end: Head,
    },
    /// What was proposed. Its digest is what people signed.
    Action(Box<Action>),
    /// Where all chains ended at some time.
    Checkpoint(Checkpoint),
    /// An item that stands where an entry or a head should, and is none.
    Unreadable(String),
}
