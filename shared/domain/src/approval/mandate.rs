//! A mandate: a standing grant, signed by a quorum like any proposal, for one reversible operation under
//! one rule of one policy.
//!
//! It is the narrow step from asking to doing. What it can be for is a closed list without an operation
//! that moves money, so no mandate can. Each use is a proposal of its own, which takes the signatures of
//! the mandate in the place of its own; where the mandate does not reach, it waits for its own signatures
//! like any other.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{
    AccessChange, Action, Grant, Operation, OperationKind, PauseBehavior, Wish, choices::closed_enum,
};
use crate::{Digest, MandateId, ObjectId, PersonId, ProposalId, RuleId, Timestamp, trail};

/// The longest that a mandate can stand after it was proposed, in seconds. Receipt keys verify longer.
pub(super) const LONGEST: i64 = 30 * 86_400;

/// The most that a mandate can allow in a day: beyond it nobody reads what the channel is told.
pub(super) const MOST_PER_DAY: u32 = 100;

closed_enum! {
    /// What a mandate can be for: operations whose opposite is an operation, too.
    ReversibleOperation {
        /// Pausing a customer's access.
        PauseAccess = "access.pause",
        /// Restoring a customer's access.
        RestoreAccess = "access.restore",
        /// Pausing collection, while invoices wait as drafts.
        PauseCollection = "subscription.pause_collection",
        /// Resuming collection.
        ResumeCollection = "subscription.resume_collection",
    }
}

impl ReversibleOperation {
    /// Which of them an operation is. Pausing collection in a way that gives invoices up is none.
    pub const fn of(operation: &Operation) -> Option<Self> {
        match operation {
            Operation::ChangeAccess { change: AccessChange::Pause, .. } => Some(Self::PauseAccess),
            Operation::ChangeAccess { change: AccessChange::Restore, .. } => Some(Self::RestoreAccess),
            Operation::PauseCollection { behavior: PauseBehavior::KeepAsDraft, .. } => {
                Some(Self::PauseCollection)
            }
            Operation::ResumeCollection { .. } => Some(Self::ResumeCollection),
            _ => None,
        }
    }

    /// The kind of operation.
    pub const fn kind(self) -> OperationKind {
        match self {
            Self::PauseAccess | Self::RestoreAccess => OperationKind::ChangeAccess,
            Self::PauseCollection => OperationKind::PauseCollection,
            Self::ResumeCollection => OperationKind::ResumeCollection,
        }
    }

    /// What undoes it.
    #[must_use]
    pub const fn opposite(self) -> Self {
        match self {
            Self::PauseAccess => Self::RestoreAccess,
            Self::RestoreAccess => Self::PauseAccess,
            Self::PauseCollection => Self::ResumeCollection,
            Self::ResumeCollection => Self::PauseCollection,
        }
    }

    /// It in words: what is done.
    pub const fn words(self) -> &'static str {
        match self {
            Self::PauseAccess => "pausing a customer's access",
            Self::RestoreAccess => "restoring a customer's access",
            Self::PauseCollection => "pausing a subscription's collection (new invoices wait as drafts)",
            Self::ResumeCollection => "resuming a subscription's collection",
        }
    }

    /// A wish for it on an object.
    pub fn wish(self, object: ObjectId) -> Wish {
        let parameter = match self {
            Self::PauseAccess => Some(("change", AccessChange::Pause.as_str())),
            Self::RestoreAccess => Some(("change", AccessChange::Restore.as_str())),
            Self::PauseCollection => Some(("behavior", PauseBehavior::KeepAsDraft.as_str())),
            Self::ResumeCollection => None,
        };
        let parameters = parameter.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Wish { kind: self.kind(), object, parameters: parameters.into_iter().collect() }
    }
}

/// What a mandate allows, within the policy of the action that grants it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// The rule by which it has to be asked for.
    pub rule: RuleId,
    /// What may be done.
    pub allows: ReversibleOperation,
    /// How often in a day (UTC).
    pub per_day: u32,
    /// From then on it allows nothing.
    pub until: Timestamp,
}

/// A mandate as it stands. It permits nothing by itself: each use recounts the receipts of the proposal
/// that granted it ([`Mandate::permit`]).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mandate {
    /// Its id.
    pub id: MandateId,
    /// The proposal that granted it.
    pub proposal: ProposalId,
    /// What it allows.
    pub terms: Terms,
    /// The policy that it stands under.
    pub policy: String,
    /// When it was granted.
    pub granted: Timestamp,
    /// Where it stands.
    pub standing: Standing,
    /// The end of its trail.
    pub trail: trail::Head,
}

/// Where a mandate stands.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "standing", rename_all = "snake_case")]
pub enum Standing {
    /// It can be used.
    Live {
        /// The day (UTC) of the latest use; empty before the first.
        day: String,
        /// How often it was used on that day.
        used: u32,
    },
    /// It allows nothing any more.
    Ended {
        /// Why.
        why: End,
        /// When.
        at: Timestamp,
    },
}

/// Why a mandate ended. Nothing makes it stand again but a new proposal.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "end", rename_all = "snake_case")]
pub enum End {
    /// Somebody stopped it.
    Stopped {
        /// Who.
        by: PersonId,
    },
    /// Another policy counts now.
    PolicyChanged,
    /// Everything was stopped.
    Frozen,
    /// Its time ran out.
    Expired,
    /// What is stored of it is not what was signed.
    Tampered,
}

impl std::fmt::Display for End {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Stopped { by } => write!(f, "{by} stopped it"),
            Self::PolicyChanged => f.write_str("the policy changed"),
            Self::Frozen => f.write_str("everything was stopped"),
            Self::Expired => f.write_str("its time ran out"),
            Self::Tampered => f.write_str("what is stored of it is not what was signed"),
        }
    }
}

/// Why a mandate does not reach. Then people are asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoMandate {
    /// It ended.
    #[error("the mandate ended")]
    Ended,
    /// It was used as often as it may be today.
    #[error("the mandate is used up for today")]
    Spent,
    /// The policy is another one than it was granted under.
    #[error("the policy changed since the mandate was granted")]
    OtherPolicy,
    /// It is for something else.
    #[error("the mandate is for something else")]
    OtherAction,
    /// What was signed is no mandate, or not this one, or not as it stands.
    #[error("what is stored of the mandate is not what was signed")]
    Tampered,
    /// Too few of those who signed it may sign this.
    #[error("{got} of {need} who signed the mandate may sign this")]
    TooFew {
        /// Signatures that count.
        got: usize,
        /// Signatures needed.
        need: u8,
    },
}

/// One use of a mandate.
pub struct Use<'a> {
    /// What is to be done.
    pub action: &'a Action,
    /// Its digest as stored.
    pub digest: Digest,
    /// The rules by which it is asked for.
    pub rules: &'a BTreeSet<String>,
    /// The policy as it is now.
    pub policy: &'a str,
    /// Whether somebody who signed the mandate may sign this very action today.
    pub may_sign: &'a dyn Fn(&PersonId) -> bool,
    /// How many have to sign it by today's policy.
    pub need: u8,
    /// Now.
    pub now: Timestamp,
}

impl Mandate {
    /// The mandate that a grant makes; `None` if it is a grant for something else.
    pub fn granted(grant: &Grant, at: Timestamp) -> Option<Self> {
        let Action { proposal, policy, operation: Operation::GrantMandate(terms), .. } = grant.action()
        else {
            return None;
        };
        Some(Self {
            id: MandateId::of(proposal),
            proposal: proposal.clone(),
            terms: terms.clone(),
            policy: policy.clone(),
            granted: at,
            standing: Standing::Live { day: String::new(), used: 0 },
            trail: trail::Head::START,
        })
    }

    /// The grant for one use. `quorum` is the recount of the receipts that granted the mandate. Who
    /// signed it counts where they could have signed this very action: never the requester, nor the
    /// customer to whom it happens. The use has to be counted ([`Self::used`]) with what it permits.
    ///
    /// # Errors
    /// [`NoMandate`]; then people are asked.
    pub fn permit(&self, quorum: &Grant, of: &Use<'_>) -> Result<Grant, NoMandate> {
        let (granting, action) = (quorum.action(), of.action);
        let Operation::GrantMandate(terms) = &granting.operation else { return Err(NoMandate::Tampered) };
        let same = granting.proposal == self.proposal
            && MandateId::of(&granting.proposal) == self.id
            && *terms == self.terms
            && granting.policy == self.policy
            && terms.until.since(granting.created) <= LONGEST;
        if !same || action.digest() != of.digest {
            return Err(NoMandate::Tampered);
        }
        let live = matches!(self.standing, Standing::Live { .. });
        if !live || of.now < granting.created || of.now >= terms.until {
            return Err(NoMandate::Ended);
        }
        if granting.policy != of.policy || action.policy != of.policy {
            return Err(NoMandate::OtherPolicy);
        }
        let covered = ReversibleOperation::of(&action.operation) == Some(terms.allows)
            && of.rules.contains(terms.rule.as_str())
            && action.account == granting.account
            && action.livemode == granting.livemode;
        if !covered {
            return Err(NoMandate::OtherAction);
        }
        let counts = |person: &&PersonId| **person != action.requester && (of.may_sign)(person);
        let signers: BTreeSet<PersonId> = quorum.signers().iter().filter(counts).cloned().collect();
        let need = of.need.max(action.need).max(granting.need).max(1);
        if signers.len() < usize::from(need) {
            return Err(NoMandate::TooFew { got: signers.len(), need });
        }
        Ok(Grant::by_mandate(action, of.digest, signers, self.id.clone()))
    }

    /// The mandate after one more use.
    ///
    /// # Errors
    /// [`NoMandate::Ended`], or [`NoMandate::Spent`] if there were as many today.
    pub fn used(&self, at: Timestamp) -> Result<Self, NoMandate> {
        let Standing::Live { day, .. } = &self.standing else { return Err(NoMandate::Ended) };
        let today = at.day();
        // A clock that is behind must not open a day again.
        if today < *day || self.left(at) == 0 {
            return Err(NoMandate::Spent);
        }
        let used = self.used_on(&today).saturating_add(1);
        Ok(Self { standing: Standing::Live { day: today, used }, ..self.clone() })
    }

    /// The mandate after its end; `None` if it ended before.
    pub fn ended(&self, why: End, at: Timestamp) -> Option<Self> {
        let live = matches!(self.standing, Standing::Live { .. });
        live.then(|| Self { standing: Standing::Ended { why, at }, ..self.clone() })
    }

    /// Why a mandate that stands must end now, if it must.
    pub fn must_end(&self, now: Timestamp, policy: &str, frozen: bool) -> Option<End> {
        match &self.standing {
            Standing::Live { .. } if now >= self.terms.until => Some(End::Expired),
            Standing::Live { .. } if frozen => Some(End::Frozen),
            Standing::Live { .. } if self.policy != policy => Some(End::PolicyChanged),
            Standing::Live { .. } | Standing::Ended { .. } => None,
        }
    }

    /// How often it can still be used today.
    pub fn left(&self, now: Timestamp) -> u32 {
        self.terms.per_day.saturating_sub(self.used_on(&now.day()))
    }

    fn used_on(&self, today: &str) -> u32 {
        match &self.standing {
            Standing::Live { day, used } if day == today => *used,
            _ => 0,
        }
    }
}

#[cfg(test)]
#[path = "mandate_tests.rs"]
mod tests;
