//! The course of one proposal: what may follow what, whose receipts count, and what an execution needs
//! before it. A chain that holds says that nothing was changed since it was written; this says that what
//! was written can have happened.

use std::collections::BTreeSet;

use domain::{
    Digest, PersonId, Timestamp,
    approval::{Action, Decision, Identity, Receipt},
    trail::Entry,
};
use serde::{Deserialize, de::DeserializeOwned};

use super::Fault;

/// Where a proposal stands between two entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// Votes are taken.
    Open,
    /// A run may have called the system.
    Running {
        /// Whether its outcome is not known.
        unknown: bool,
    },
    /// Nothing more can come.
    Over,
}

impl Standing {
    /// Where it stands after an event; an error if the event cannot come here, as `Stage` has it.
    fn after(self, event: &str) -> Result<Self, &'static str> {
        match (event, self) {
            (_, Self::Over) => Err("comes after the end"),
            ("voted", Self::Open) => Ok(Self::Open),
            ("claimed", Self::Open) => Ok(Self::Running { unknown: false }),
            ("reclaimed", Self::Running { unknown }) => Ok(Self::Running { unknown }),
            ("unknown", Self::Running { .. }) => Ok(Self::Running { unknown: true }),
            ("denied" | "withdrawn" | "expired", Self::Open)
            | ("stale" | "tampered", _)
            | ("executed" | "failed", Self::Running { .. })
            | ("resolved", Self::Running { unknown: true }) => Ok(Self::Over),
            ("resolved", Self::Running { unknown: false }) => {
                Err("says what became of an outcome that was not unknown")
            }
            ("reclaimed" | "unknown" | "executed" | "failed" | "resolved", Self::Open) => {
                Err("is of an execution that was never claimed")
            }
            ("voted" | "denied" | "withdrawn" | "expired" | "claimed", Self::Running { .. }) => {
                Err("comes after an execution was claimed")
            }
            _ => Err("is of no kind that this version knows"),
        }
    }
}

/// What an entry says it is of.
#[derive(Deserialize)]
struct Of {
    digest: Digest,
}

#[derive(Deserialize)]
struct Voted {
    person: PersonId,
    receipt: Receipt,
}

#[derive(Deserialize)]
struct Claimed {
    digest: Digest,
    #[serde(default)]
    signers: BTreeSet<PersonId>,
    /// What it rests on in place of votes, which is checked by itself.
    mandate: Option<String>,
}

/// Checks the course of a proposal. Whether its receipts are signed is checked by itself.
pub(super) fn check(action: &Action, entries: &[Entry]) -> Result<(), Fault> {
    let (first, later) = match entries.split_first() {
        Some((first, later)) if first.event == "proposed" => (first, later),
        _ => return Err(Fault::Action(action.proposal.to_string())),
    };
    if !serde_json::from_str(&first.body).is_ok_and(|of: Of| of.digest == action.digest()) {
        return Err(Fault::Action(action.proposal.to_string()));
    }
    let mut course = Course {
        action,
        digest: action.digest(),
        voters: BTreeSet::new(),
        signers: BTreeSet::new(),
        receipts: BTreeSet::new(),
    };
    let mut standing = Standing::Open;
    for entry in later {
        standing = standing.after(&entry.event).map_err(|why| out_of_course(entry, why))?;
        match entry.event.as_str() {
            "voted" => course.vote(entry, Decision::Approve)?,
            "denied" => course.vote(entry, Decision::Deny)?,
            "claimed" => course.claim(entry)?,
            "executed" | "resolved" if read::<Of>(entry)?.digest != course.digest => {
                return Err(out_of_course(entry, "is of another action"));
            }
            "expired" if entry.at < action.expires => {
                return Err(out_of_course(entry, "comes before the time to decide was over"));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Who signed so far.
struct Course<'a> {
    action: &'a Action,
    digest: Digest,
    /// The accounts that approved, as the receipts say. One can have passed on to somebody else, who then
    /// votes with it again; but it is one signature.
    voters: BTreeSet<Identity>,
    /// Who voted, as the entries say, and with which receipts: neither may come twice.
    signers: BTreeSet<PersonId>,
    receipts: BTreeSet<String>,
}

impl Course<'_> {
    fn vote(&mut self, entry: &Entry, decision: Decision) -> Result<(), Fault> {
        let bad = |why| Fault::Receipt { subject: entry.subject.clone(), seq: entry.seq, why };
        let Voted { person, receipt } =
            serde_json::from_str(&entry.body).map_err(|_| bad("is missing, or is none"))?;
        let body = &receipt.body;
        if body.decision != decision {
            return Err(bad("is of the other decision"));
        }
        if !in_time(self.action, body.at) {
            return Err(bad("was given before or after the time to decide"));
        }
        if person == self.action.requester {
            return Err(bad("is of whoever asked for it"));
        }
        if !self.receipts.insert(body.id.clone()) || !self.signers.insert(person) {
            return Err(bad("is of somebody who had voted already"));
        }
        self.voters.insert(body.voter.clone());
        Ok(())
    }

    fn claim(&self, entry: &Entry) -> Result<(), Fault> {
        let said: Claimed = read(entry)?;
        if said.digest != self.digest {
            return Err(out_of_course(entry, "is of another action"));
        }
        if !in_time(self.action, entry.at) {
            return Err(out_of_course(entry, "begins an execution when the time to decide was over"));
        }
        // That too few voted at all is told by whoever counts the receipts.
        let need = usize::from(self.action.need.max(1)).min(self.signers.len());
        let voted =
            said.signers.is_subset(&self.signers) && said.signers.len() >= need && self.voters.len() >= need;
        if said.mandate.is_some() || voted {
            Ok(())
        } else {
            Err(out_of_course(entry, "names other signers than those who voted"))
        }
    }
}

fn in_time(action: &Action, at: Timestamp) -> bool {
    action.created <= at && at < action.expires
}

fn read<T: DeserializeOwned>(entry: &Entry) -> Result<T, Fault> {
    serde_json::from_str(&entry.body).map_err(|_| out_of_course(entry, "does not say what it is of"))
}

fn out_of_course(entry: &Entry, why: &'static str) -> Fault {
    Fault::Course { subject: entry.subject.clone(), seq: entry.seq, event: entry.event.clone(), why }
}
