//! Checking an export: with nothing but the file, whether each chain holds and ends where its subject
//! says; with the public key, whether the signed checkpoints and the receipts agree, and whether each
//! proposal took a course that it can have taken.

mod course;
mod mandates;
mod passkeys;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use domain::{
    Digest, PersonId, Timestamp,
    approval::{Action, Decision, Receipt, is_signed},
    trail::{self, BadCheckpoint, Broken, Checkpoint, Entry, Head},
};
use serde::Deserialize;

use super::Line;

/// What is wrong with a trail.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    /// A line that no export has.
    #[error("line {0} is no entry of a trail")]
    Line(usize),
    /// A line that stands where no export has it: entries, ends, actions and checkpoints follow each other.
    #[error("line {0} is out of place")]
    Place(usize),
    /// See [`Line::Unreadable`].
    #[error("{0}")]
    Unreadable(String),
    /// A chain that does not hold.
    #[error(transparent)]
    Broken(#[from] Broken),
    /// A chain without an end that its subject vouches for.
    #[error("`{0}`: nothing says where the trail ends")]
    NoHead(String),
    /// Two lines say where the same chain ends.
    #[error("`{0}`: two lines say where the trail ends")]
    TwoHeads(String),
    /// Nothing signed says where the chains end.
    #[error("no signed checkpoint is there, so a tail that was cut off would not show")]
    NoCheckpoint,
    /// A checkpoint that is bad, or knows better.
    #[error(transparent)]
    Checkpoint(#[from] BadCheckpoint),
    /// A vote whose receipt nobody with the key has signed like this.
    #[error("`{subject}`: the receipt in entry {seq} {why}")]
    Receipt {
        /// The proposal.
        subject: String,
        /// The entry of the vote.
        seq: u32,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The action is missing, or is not the one that was proposed and signed.
    #[error("`{0}`: what was proposed is missing, or was changed")]
    Action(String),
    /// Something that cannot have happened then.
    #[error("`{subject}`: entry {seq} (`{event}`) {why}")]
    Course {
        /// The proposal.
        subject: String,
        /// The entry.
        seq: u32,
        /// What it says happened.
        event: String,
        /// Why it cannot have.
        why: &'static str,
    },
    /// It was carried out without enough signatures.
    #[error("`{subject}`: entry {seq} begins an execution on {got} of {need} signatures")]
    Unsigned {
        /// The proposal.
        subject: String,
        /// The entry.
        seq: u32,
        /// Signatures before it.
        got: usize,
        /// Signatures needed.
        need: u8,
    },
    /// It was carried out under a mandate that does not cover it.
    #[error("`{subject}`: the execution that entry {seq} begins {why}")]
    Mandate {
        /// The proposal.
        subject: String,
        /// The entry.
        seq: u32,
        /// What is wrong with it.
        why: &'static str,
    },
}

/// How much holds.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) chains: usize,
    pub(crate) entries: usize,
    /// Whether there are signatures at all.
    signatures: bool,
    /// What the public key vouches for; `None` if none was given.
    pub(crate) signed: Option<Signed>,
}

/// What the public key vouches for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Signed {
    pub(crate) receipts: usize,
    pub(crate) checkpoints: usize,
    /// Until when the checkpoints say where the chains end.
    pub(crate) until: Timestamp,
    /// Entries from after that, for which only the chain itself vouches.
    pub(crate) later: usize,
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} chains with {} entries hold", self.chains, self.entries)?;
        match self.signed {
            Some(Signed { receipts, checkpoints, until, later }) => {
                write!(
                    f,
                    "; {receipts} receipts and {checkpoints} checkpoints are signed; nothing is missing until {until}"
                )?;
                if later > 0 {
                    write!(f, ", and {later} entries are later than that")?;
                }
                Ok(())
            }
            None if self.signatures => f.write_str("; give --public-key to check what is signed"),
            None => Ok(()),
        }
    }
}

/// Everything that a file holds.
#[derive(Default)]
struct Contents {
    chains: BTreeMap<String, Vec<Entry>>,
    heads: BTreeMap<String, Head>,
    actions: BTreeMap<String, Action>,
    checkpoints: Vec<Checkpoint>,
}

/// Checks the lines of an export; names the first bad entry of the first bad chain. Any of the keys may
/// have signed, since keys are rotated.
pub(crate) fn check(text: &str, keys: &[Vec<u8>]) -> Result<Held, Fault> {
    let all = Contents::read(text)?;
    let mut held = Held { signatures: !all.checkpoints.is_empty(), ..Held::default() };
    for (subject, entries) in &all.chains {
        trail::verify(subject, entries, all.heads.get(subject).copied())?;
        if !all.heads.contains_key(subject) {
            return Err(Fault::NoHead(subject.clone()));
        }
        held.chains += 1;
        held.entries += entries.len();
    }
    if !keys.is_empty() && held.entries > 0 {
        held.signed = Some(all.check_signatures(keys)?);
    }
    Ok(held)
}

impl Contents {
    fn read(text: &str) -> Result<Self, Fault> {
        let (mut all, mut place) = (Self::default(), 0);
        for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let line = serde_json::from_str(line).map_err(|_| Fault::Line(index + 1))?;
            let before = std::mem::replace(&mut place, section(&line));
            if place < before {
                return Err(Fault::Place(index + 1));
            }
            match line {
                Line::Export { .. } => {}
                Line::Entry(entry) => all.chains.entry(entry.subject.clone()).or_default().push(entry),
                Line::Head { subject, end } => {
                    all.chains.entry(subject.clone()).or_default();
                    if all.heads.insert(subject.clone(), end).is_some() {
                        return Err(Fault::TwoHeads(subject));
                    }
                }
                Line::Action(action) => {
                    let subject = action.proposal.to_string();
                    if all.actions.insert(subject.clone(), *action).is_some() {
                        return Err(Fault::Action(subject));
                    }
                }
                Line::Checkpoint(checkpoint) => all.checkpoints.push(checkpoint),
                Line::Unreadable(why) => return Err(Fault::Unreadable(why)),
            }
        }
        Ok(all)
    }

    fn check_signatures(&self, keys: &[Vec<u8>]) -> Result<Signed, Fault> {
        let is_signed =
            |bytes: &[u8], signature: &str| keys.iter().any(|key| is_signed(key, bytes, signature));
        let until =
            trail::verify_row(&self.checkpoints, |one| is_signed(&one.statement.encode(), &one.signature))?;
        let until = until.ok_or(Fault::NoCheckpoint)?;
        for (subject, action) in &self.actions {
            course::check(action, self.chains.get(subject).map_or(&[][..], Vec::as_slice))?;
        }
        let (mut receipts, mut approvals) = (0, BTreeMap::new());
        for (subject, entries) in &self.chains {
            trail::verify_chain(subject, entries, &self.checkpoints)?;
            let (signed, by) = self.check_votes(subject, entries, &is_signed)?;
            receipts += signed;
            approvals.insert(subject.clone(), by);
        }
        for (subject, entries) in &self.chains {
            for claim in entries.iter().filter(|entry| is_under_mandate(entry)) {
                let action = self.actions.get(subject).ok_or_else(|| Fault::Action(subject.clone()))?;
                mandates::check(self, action, claim, &approvals)?;
            }
        }
        let later = self.chains.values().flatten().filter(|entry| entry.at > until).count();
        Ok(Signed { receipts, checkpoints: self.checkpoints.len(), until, later })
    }

    /// Checks the receipts of a proposal's chain, and that no execution begins before enough people
    /// signed; how many receipts there are, and who approved. Chains of cases have none. An execution
    /// under a mandate rests on the signatures of another chain ([`mandates::check`]).
    fn check_votes(
        &self,
        subject: &str,
        entries: &[Entry],
        is_signed: &impl Fn(&[u8], &str) -> bool,
    ) -> Result<(usize, BTreeSet<PersonId>), Fault> {
        let is_proposal = self.actions.contains_key(subject) || subject.starts_with("ap_");
        let Some(first) = entries.first().filter(|_| is_proposal) else { return Ok((0, BTreeSet::new())) };
        let action = self.actions.get(subject).filter(|action| {
            serde_json::from_str(&first.body).is_ok_and(|said: Proposed| said.digest == action.digest())
        });
        let action = action.ok_or_else(|| Fault::Action(subject.to_owned()))?;
        let (mut receipts, mut signers, mut with_passkey) = (0, BTreeSet::new(), BTreeSet::new());
        for entry in entries {
            let subject = || subject.to_owned();
            match entry.event.as_str() {
                "voted" | "denied" => {
                    let bad = |why| Fault::Receipt { subject: subject(), seq: entry.seq, why };
                    let said: Voted =
                        serde_json::from_str(&entry.body).map_err(|_| bad("is missing, or is none"))?;
                    let body = &said.receipt.body;
                    if body.proposal != action.proposal || body.digest != action.digest() {
                        return Err(bad("is for something else"));
                    }
                    if !is_signed(&said.receipt.signed_bytes(), &said.receipt.signature) {
                        return Err(bad("is signed by none of the public keys"));
                    }
                    let has_passkey = said.receipt.assertion.is_some();
                    if has_passkey {
                        self.check_passkey(&said.person, &said.receipt).map_err(bad)?;
                    }
                    receipts += 1;
                    if body.decision == Decision::Approve {
                        if has_passkey {
                            with_passkey.insert(said.person.clone());
                        }
                        signers.insert(said.person);
                    }
                }
                "claimed" if !is_under_mandate(entry) => {
                    let said: Claimed = serde_json::from_str(&entry.body).unwrap_or_default();
                    let got = if said.passkey { with_passkey.len() } else { signers.len() };
                    if got < usize::from(action.need) {
                        return Err(Fault::Unsigned {
                            subject: subject(),
                            seq: entry.seq,
                            got,
                            need: action.need,
                        });
                    }
                }
                _ => {}
            }
        }
        Ok((receipts, signers))
    }
}

/// The part of an export that a line stands in.
const fn section(line: &Line) -> u8 {
    match line {
        Line::Export { .. } => 0,
        Line::Entry(_) => 1,
        Line::Head { .. } => 2,
        Line::Action(_) => 3,
        Line::Checkpoint(_) => 4,
        Line::Unreadable(_) => 5,
    }
}

fn is_under_mandate(entry: &Entry) -> bool {
    entry.event == "claimed" && mandates::cited(entry).is_some()
}

/// What the first entry of a proposal says, as far as it is checked.
#[derive(Deserialize)]
struct Proposed {
    digest: Digest,
}

/// What the entry of a vote says, as far as it is checked.
#[derive(Deserialize)]
struct Voted {
    person: PersonId,
    receipt: Receipt,
}

/// What the entry of a claim says, as far as it is checked.
#[derive(Default, Deserialize)]
struct Claimed {
    /// Whether only signatures with a passkey counted.
    #[serde(default)]
    passkey: bool,
}

#[cfg(test)]
mod forged;
#[cfg(test)]
mod passkey_tests;
#[cfg(test)]
mod tests;
