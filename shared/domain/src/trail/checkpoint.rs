//! Signed checkpoints: where every chain ended at some time, so that a tail that was cut off shows even
//! to somebody who has nothing but a file and a public key.
//!
//! Each checkpoint names the chains that grew since the one before it and continues that one by its
//! hash. From the first entry of a chain to the latest checkpoint, the row of checkpoints therefore says
//! where the chain ended, and that it did not grow since. Chains are named by the digest of their
//! subject: whoever gets the checkpoints with one case learns nothing of the others.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Entry, Head};
use crate::{Digest, Timestamp, approval::ReceiptSigner, encoding};

/// How many chains one checkpoint names at most, which keeps it well below the size of an item.
pub const MOST_HEADS: usize = 1000;

/// What a checkpoint says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statement {
    /// Counted from zero.
    pub number: u32,
    /// The hash of the checkpoint before, or zeros.
    pub previous: Digest,
    /// Every entry up to this time is in a chain named here or in an earlier checkpoint.
    pub until: Timestamp,
    /// When it was signed.
    pub at: Timestamp,
    /// The chains that grew, by the digest of their subject, with where they end.
    pub heads: BTreeMap<String, Head>,
}

/// A statement with its Ed25519 signature, by the key that signs receipts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// What was signed.
    #[serde(flatten)]
    pub statement: Statement,
    /// Which key signed it.
    pub key: String,
    /// The signature in lower-case hexadecimal.
    pub signature: String,
}

/// How a checkpoint names a chain.
pub fn chain_name(subject: &str) -> String {
    encoding::digest("trail/chain/v1", |to| to.text(subject)).to_string()
}

impl Statement {
    /// The statement that follows `before`.
    pub fn after(
        before: Option<&Checkpoint>,
        until: Timestamp,
        at: Timestamp,
        heads: BTreeMap<String, Head>,
    ) -> Self {
        let (number, previous) = match before {
            Some(before) => (before.statement.number.saturating_add(1), before.statement.hash()),
            None => (0, Digest::ZERO),
        };
        Self { number, previous, until, at, heads }
    }

    /// The signed bytes (`trail/checkpoint/v1`).
    pub fn encode(&self) -> Vec<u8> {
        encoding::encode("trail/checkpoint/v1", |to| {
            to.number(self.number);
            to.bytes(self.previous.bytes());
            to.number(self.until.seconds());
            to.number(self.at.seconds());
            to.text(&self.heads.len().to_string());
            for (chain, head) in &self.heads {
                to.text(chain);
                to.number(head.length);
                to.bytes(head.hash.bytes());
            }
        })
    }

    /// What the next one continues.
    pub fn hash(&self) -> Digest {
        Digest::of(self.encode())
    }

    /// Signs it.
    pub fn sign(self, signer: &ReceiptSigner) -> Checkpoint {
        let signature = signer.sign_bytes(&self.encode());
        Checkpoint { statement: self, key: signer.id().to_owned(), signature }
    }
}

/// The first checkpoint that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadCheckpoint {
    /// One is missing, doubled or out of order.
    #[error("checkpoint {expected} is missing, found {found} in its place")]
    Sequence {
        /// What should have come.
        expected: u32,
        /// What came.
        found: u32,
    },
    /// No key that was given signed it, or it was changed since.
    #[error("the signature of checkpoint {0} does not verify")]
    Signature(u32),
    /// It does not continue the one before.
    #[error("checkpoint {0} does not continue the one before")]
    Link(u32),
    /// The first one is too late to vouch for a chain from its start.
    #[error("the checkpoints start after the trail does: earlier ones are missing")]
    Late,
    /// A chain ends before a checkpoint says.
    #[error("`{subject}`: entry {found} is missing: checkpoint {number} knows of {expected} entries")]
    Cut {
        /// The chain.
        subject: String,
        /// Entries found; the number of the first missing one.
        found: u32,
        /// Entries that were there.
        expected: u32,
        /// The checkpoint.
        number: u32,
    },
    /// A chain had another entry when the checkpoint was signed.
    #[error("`{subject}`: entry {seq} is not the one that checkpoint {number} was signed over")]
    Rewritten {
        /// The chain.
        subject: String,
        /// The entry.
        seq: u32,
        /// The checkpoint.
        number: u32,
    },
}

/// Checks a row of checkpoints, oldest first: one after the other without a gap, each continuing the one
/// before, each signed as `verifies` says. Returns until when they vouch.
///
/// # Errors
/// The first one that is bad.
pub fn verify_row(
    row: &[Checkpoint],
    verifies: impl Fn(&Checkpoint) -> bool,
) -> Result<Option<Timestamp>, BadCheckpoint> {
    let mut before: Option<&Statement> = None;
    for checkpoint in row {
        let this = &checkpoint.statement;
        if let Some(before) = before {
            let expected = before.number.saturating_add(1);
            if this.number != expected {
                return Err(BadCheckpoint::Sequence { expected, found: this.number });
            }
            if this.previous != before.hash() || this.until < before.until {
                return Err(BadCheckpoint::Link(this.number));
            }
        }
        if !verifies(checkpoint) {
            return Err(BadCheckpoint::Signature(this.number));
        }
        before = Some(this);
    }
    Ok(before.map(|last| last.until))
}

/// Checks one chain, which holds by itself, against a row that holds by itself.
///
/// # Errors
/// The first entry that is missing or not the one that was there.
pub fn verify_chain(subject: &str, entries: &[Entry], row: &[Checkpoint]) -> Result<(), BadCheckpoint> {
    if let (Some(start), Some(first)) = (row.first(), entries.first())
        && start.statement.number > 0
        && start.statement.until >= first.at
    {
        return Err(BadCheckpoint::Late);
    }
    let name = chain_name(subject);
    for Checkpoint { statement, .. } in row {
        let Some(head) = statement.heads.get(&name) else { continue };
        let found = u32::try_from(entries.len()).unwrap_or(u32::MAX);
        let number = statement.number;
        if head.length > found {
            let subject = subject.to_owned();
            return Err(BadCheckpoint::Cut { subject, found, expected: head.length, number });
        }
        let seq = head.length.saturating_sub(1);
        let last = usize::try_from(seq).ok().and_then(|seq| entries.get(seq));
        if last.is_none_or(|last| last.head() != *head) {
            return Err(BadCheckpoint::Rewritten { subject: subject.to_owned(), seq, number });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::approval::ReceiptKeys;

    fn signer() -> ReceiptSigner {
        ReceiptSigner::new("r1", &[7; 32]).unwrap()
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }

    fn chain(subject: &str, length: u32) -> Vec<Entry> {
        let mut head = Head::START;
        let entry = |seq: u32| {
            let entry = head.entry(subject, "voted", at(100 + i64::from(seq)), "{}".into());
            head = entry.head();
            entry
        };
        (0..length).map(entry).collect()
    }

    /// Three checkpoints, one for each entry of a chain of three.
    fn row(entries: &[Entry]) -> Vec<Checkpoint> {
        let mut row: Vec<Checkpoint> = Vec::new();
        for entry in entries {
            let heads = [(chain_name(&entry.subject), entry.head())].into();
            row.push(Statement::after(row.last(), entry.at, entry.at, heads).sign(&signer()));
        }
        row
    }

    fn verify(row: &[Checkpoint]) -> Result<Option<Timestamp>, BadCheckpoint> {
        let keys = ReceiptKeys::new([signer().public()]);
        verify_row(row, |one| keys.verify_bytes(&one.key, &one.statement.encode(), &one.signature))
    }

    #[test]
    fn a_row_that_was_left_alone_holds_and_vouches_until_its_end() {
        let entries = chain("ap_1", 3);
        let row = row(&entries);
        assert_eq!(verify(&row), Ok(Some(at(102))));
        assert_eq!(verify_chain("ap_1", &entries, &row), Ok(()));
        assert_eq!(verify(&[]), Ok(None));
    }

    #[test]
    fn every_field_of_a_checkpoint_is_signed() {
        let row = row(&chain("ap_1", 1));
        let changes: [fn(&mut Statement); 5] = [
            |one| one.number += 1,
            |one| one.previous = Digest::of("other"),
            |one| one.until = one.until.plus(1),
            |one| one.at = one.at.plus(1),
            |one| one.heads.clear(),
        ];
        for (index, change) in changes.into_iter().enumerate() {
            let mut forged = row[0].clone();
            change(&mut forged.statement);
            assert!(matches!(verify(&[forged]), Err(BadCheckpoint::Signature(_))), "change {index}");
        }
        let foreign = row[0].statement.clone().sign(&ReceiptSigner::new("r1", &[8; 32]).unwrap());
        assert_eq!(verify(&[foreign]), Err(BadCheckpoint::Signature(0)));
    }

    #[test]
    fn a_checkpoint_that_is_missing_or_of_another_row_is_named() {
        let row = row(&chain("ap_1", 3));
        let gap = [row[0].clone(), row[2].clone()];
        assert_eq!(verify(&gap), Err(BadCheckpoint::Sequence { expected: 1, found: 2 }));
        let other = Statement { previous: Digest::of("other"), ..row[1].statement.clone() }.sign(&signer());
        assert_eq!(verify(&[row[0].clone(), other]), Err(BadCheckpoint::Link(1)));
    }

    #[test]
    fn a_cut_tail_and_a_rewritten_chain_are_found() {
        let entries = chain("ap_1", 3);
        let row = row(&entries);
        let cut = verify_chain("ap_1", &entries[..2], &row).unwrap_err();
        assert_eq!(
            cut.to_string(),
            "`ap_1`: entry 2 is missing: checkpoint 2 knows of 3 entries",
            "though the shorter chain holds by itself"
        );
        assert!(matches!(
            verify_chain("ap_1", &[], &row),
            Err(BadCheckpoint::Cut { found: 0, expected: 1, number: 0, .. })
        ));
        let forged = entries[0].head().entry("ap_1", "denied", at(101), "{}".into());
        let rewritten =
            [entries[0].clone(), forged.clone(), forged.head().entry("ap_1", "x", at(102), "{}".into())];
        assert!(matches!(
            verify_chain("ap_1", &rewritten, &row),
            Err(BadCheckpoint::Rewritten { seq: 1, number: 1, .. })
        ));
    }

    #[test]
    fn a_row_that_begins_too_late_could_hide_a_tail() {
        let entries = chain("ap_1", 3);
        let row = row(&entries);
        assert_eq!(verify_chain("ap_1", &entries[..1], &row[1..]), Err(BadCheckpoint::Late));
    }
}
