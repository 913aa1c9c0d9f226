//! The trail: a hash chain for each case and each proposal, written in the same transaction as what
//! it records, and verified by anybody who can read it (I6).

mod checkpoint;

use serde::{Deserialize, Serialize};

use crate::{Digest, Timestamp, encoding};

pub use checkpoint::{
    BadCheckpoint, Checkpoint, MOST_HEADS, Statement, chain_name, verify_chain, verify_row,
};

/// The end of a chain: what the next entry continues.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The number of entries so far; the next one's sequence number.
    pub length: u32,
    /// The hash of the last one, or zeros.
    pub hash: Digest,
}

impl Head {
    /// The start of every chain.
    pub const START: Self = Self { length: 0, hash: Digest::ZERO };

    /// The entry that continues this chain. `body` is what happened, as JSON; the chain holds the
    /// hash of exactly these bytes.
    pub fn entry(self, subject: &str, event: &str, at: Timestamp, body: String) -> Entry {
        let mut entry = Entry {
            subject: subject.to_owned(),
            seq: self.length,
            previous: self.hash,
            event: event.to_owned(),
            at,
            body,
            hash: Digest::ZERO,
        };
        entry.hash = entry.computed();
        entry
    }
}

/// One entry of a trail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The case or proposal.
    pub subject: String,
    /// Counted from zero.
    pub seq: u32,
    /// The hash of the entry before.
    pub previous: Digest,
    /// What happened, in one word: `decided`, `proposed`, `voted`, …
    pub event: String,
    /// When.
    pub at: Timestamp,
    /// The details as JSON text, byte for byte as hashed.
    pub body: String,
    /// The hash of all of this.
    pub hash: Digest,
}

impl Entry {
    /// The head after this entry.
    pub const fn head(&self) -> Head {
        Head { length: self.seq.saturating_add(1), hash: self.hash }
    }

    /// `approval/audit/v1`: sequence, previous hash, event, subject, and the hash of time and body.
    fn computed(&self) -> Digest {
        let body = encoding::digest("approval/audit-body/v1", |to| {
            to.number(self.at.seconds());
            to.text(&self.body);
        });
        link(self.seq, self.previous, &self.event, &self.subject, body)
    }
}

fn link(seq: u32, previous: Digest, event: &str, subject: &str, body: Digest) -> Digest {
    encoding::digest("approval/audit/v1", |to| {
        to.number(seq);
        to.bytes(previous.bytes());
        to.text(event);
        to.text(subject);
        to.bytes(body.bytes());
    })
}

/// The first place where a chain does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// An entry is missing, doubled or out of order.
    #[error("`{subject}`: entry {expected} is missing, found {found} in its place")]
    Sequence {
        /// The chain.
        subject: String,
        /// What should have come.
        expected: u32,
        /// What came.
        found: u32,
    },
    /// An entry was changed, or the one before it.
    #[error("`{subject}`: entry {seq} was changed")]
    Changed {
        /// The chain.
        subject: String,
        /// The entry.
        seq: u32,
    },
    /// The end of the chain was cut off: the subject itself knows of more.
    #[error("`{subject}`: the trail ends after {found} of {expected} entries")]
    Cut {
        /// The chain.
        subject: String,
        /// Entries that the subject knows of.
        expected: u32,
        /// Entries found.
        found: u32,
    },
}

/// Checks one chain from its start; `head` is what its subject believes the end to be, if known.
///
/// # Errors
/// The first entry that is bad.
pub fn verify<'a>(
    subject: &str,
    entries: impl IntoIterator<Item = &'a Entry>,
    head: Option<Head>,
) -> Result<Head, Broken> {
    let mut end = Head::START;
    for entry in entries {
        if entry.seq != end.length {
            return Err(Broken::Sequence { subject: subject.into(), expected: end.length, found: entry.seq });
        }
        if entry.subject != subject || entry.previous != end.hash || entry.hash != entry.computed() {
            return Err(Broken::Changed { subject: subject.into(), seq: entry.seq });
        }
        end = entry.head();
    }
    match head {
        Some(head) if head.length > end.length => {
            Err(Broken::Cut { subject: subject.into(), expected: head.length, found: end.length })
        }
        Some(head) if head != end => {
            Err(Broken::Changed { subject: subject.into(), seq: end.length.saturating_sub(1) })
        }
        _ => Ok(end),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::approval::ReceiptSigner;

    fn chain(length: u32) -> (Vec<Entry>, Head) {
        let mut head = Head::START;
        let entries = (0..length)
            .map(|seq| {
                let entry = head.entry(
                    "ap_1",
                    "voted",
                    Timestamp::from_seconds(i64::from(seq)),
                    format!("{{\"n\":{seq}}}"),
                );
                head = entry.head();
                entry
            })
            .collect();
        (entries, head)
    }

    #[test]
    fn the_link_is_that_of_the_protocols_vector() {
        let action = crate::approval::test_sample();
        let first = link(0, Digest::ZERO, "proposed", action.proposal.as_str(), action.digest());
        assert_eq!(first.to_string(), "73d4531cbdc18e1a92cc55efe818fa9002fdd50b028f97d0347cd0174e6cf0c6");
        let seed: [u8; 32] = std::array::from_fn(|index| u8::try_from(index).unwrap());
        let receipt = ReceiptSigner::new("r1", &seed).unwrap().sign(crate::approval::test_receipt_body());
        let second = link(1, first, "voted", action.proposal.as_str(), Digest::of(receipt.body.encode()));
        assert_eq!(second.to_string(), "16dbac2eff060cc93e9db27519f277201ab4c5bac6240869b092a1ed1d0b3975");
    }

    #[test]
    fn an_untouched_chain_holds() {
        let (entries, head) = chain(5);
        assert_eq!(verify("ap_1", &entries, Some(head)), Ok(head));
    }

    #[test]
    fn a_changed_entry_is_named() {
        let (mut entries, head) = chain(5);
        entries[2].body = "{\"n\":9}".into();
        assert_eq!(
            verify("ap_1", &entries, Some(head)),
            Err(Broken::Changed { subject: "ap_1".into(), seq: 2 })
        );
    }

    #[test]
    fn a_deleted_a_swapped_and_a_cut_entry_are_named() {
        let (mut entries, head) = chain(5);
        let cut = &entries[..3];
        assert_eq!(
            verify("ap_1", cut, Some(head)),
            Err(Broken::Cut { subject: "ap_1".into(), expected: 5, found: 3 })
        );
        entries.swap(1, 2);
        assert!(matches!(
            verify("ap_1", &entries, Some(head)),
            Err(Broken::Sequence { expected: 1, found: 2, .. })
        ));
        entries.remove(1);
        entries.remove(1);
        assert!(matches!(
            verify("ap_1", &entries, Some(head)),
            Err(Broken::Sequence { expected: 1, found: 3, .. })
        ));
    }

    #[test]
    fn a_chain_that_was_rewritten_from_some_entry_on_does_not_end_where_its_subject_says() {
        let (entries, head) = chain(3);
        let forged = entries[1].head().entry("ap_1", "voted", Timestamp::from_seconds(2), "{}".into());
        let rewritten = [entries[0].clone(), entries[1].clone(), forged];
        assert!(matches!(verify("ap_1", &rewritten, Some(head)), Err(Broken::Changed { seq: 2, .. })));
    }
}
