//! How a proposal moves, and nothing else may move it.

use serde::{Deserialize, Serialize};

use super::{Action, Grant};
use crate::{Digest, PersonId, RunId, Timestamp, trail};

/// A proposal: an action, its digest and where it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proposal {
    /// What is proposed.
    pub action: Action,
    /// The digest that is shown and signed. Kept beside the action so that a changed action shows.
    pub digest: Digest,
    /// Where it stands.
    pub stage: Stage,
    /// The end of its trail.
    pub trail: trail::Head,
}

/// Where a proposal stands. An unknown outcome stays [`Stage::Executing`] until somebody has looked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "stage", rename_all = "snake_case")]
pub enum Stage {
    /// Open for votes.
    Pending,
    /// A run holds it and may have called Stripe.
    Executing(Attempt),
    /// Done: Stripe has it.
    Executed {
        /// The Stripe object that it made.
        effect: String,
        /// Stripe's request id, if the answer was seen.
        request: Option<String>,
        /// When it was settled.
        at: Timestamp,
    },
    /// Stripe refused it, and nothing happened.
    Failed {
        /// Stripe's code, or its type of error.
        code: String,
        /// When.
        at: Timestamp,
    },
    /// Somebody said no.
    Denied {
        /// Who.
        by: PersonId,
        /// When.
        at: Timestamp,
    },
    /// It was taken back, or another one took its place.
    Withdrawn {
        /// By whom.
        by: PersonId,
        /// When.
        at: Timestamp,
    },
    /// Nobody decided in time.
    Expired {
        /// When that was recorded.
        at: Timestamp,
    },
    /// Stripe moved on since it was proposed; nothing was sent.
    Stale {
        /// What moved, in words.
        moved: String,
        /// When.
        at: Timestamp,
    },
    /// What was stored is not what was signed; nothing was sent.
    Tampered {
        /// What did not verify.
        what: String,
        /// When.
        at: Timestamp,
    },
}

/// The code of a failure that a person found by looking: nothing was done.
pub const LOOKED_NOT_DONE: &str = "looked.not_done";

/// One run's hold on an execution.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// Who holds it.
    pub run: RunId,
    /// Until when nobody else may take it.
    pub lease: Timestamp,
    /// When the first attempt began: Stripe may forget the idempotency key 24 hours later.
    pub first: Timestamp,
    /// How many runs took it so far.
    pub tries: u32,
    /// Why the last outcome is unknown.
    pub unknown: Option<String>,
}

/// What can happen to a proposal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Move {
    /// A quorum is there, and a run takes it. The grant is the proof.
    Claim {
        /// For exactly this action.
        grant: Box<Grant>,
        /// The run that takes it.
        run: RunId,
        /// Now.
        at: Timestamp,
        /// Until when it holds it.
        lease: Timestamp,
    },
    /// Another run takes an execution whose lease ran out.
    Reclaim {
        /// The run that takes it.
        run: RunId,
        /// Now.
        at: Timestamp,
        /// Until when it holds it.
        lease: Timestamp,
    },
    /// Stripe did it.
    Confirm {
        /// The Stripe object that it made.
        effect: String,
        /// Stripe's request id.
        request: Option<String>,
        /// Now.
        at: Timestamp,
    },
    /// Stripe refused it.
    Refuse {
        /// Stripe's code.
        code: String,
        /// Now.
        at: Timestamp,
    },
    /// Nobody knows whether Stripe did it.
    LoseSight {
        /// Why.
        why: String,
    },
    /// Somebody said no.
    Deny {
        /// Who.
        by: PersonId,
        /// Now.
        at: Timestamp,
    },
    /// It is taken back.
    Withdraw {
        /// By whom.
        by: PersonId,
        /// Now.
        at: Timestamp,
    },
    /// A person has looked in Stripe for an outcome that no machine could tell, and says what they
    /// saw. Nothing is sent after it.
    Resolve {
        /// Whether it was done.
        done: bool,
        /// What they saw, in their words.
        saw: String,
        /// Now.
        at: Timestamp,
    },
    /// Time is up.
    Expire {
        /// Now.
        at: Timestamp,
    },
    /// Stripe moved on.
    Void {
        /// What moved.
        moved: String,
        /// Now.
        at: Timestamp,
    },
    /// What is stored does not verify.
    Distrust {
        /// What.
        what: String,
        /// Now.
        at: Timestamp,
    },
}

/// A move that this stage does not allow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a proposal that is {stage} cannot {wanted}")]
pub struct IllegalMove {
    stage: &'static str,
    wanted: &'static str,
}

impl Proposal {
    /// A new proposal, open for votes.
    pub fn new(action: Action) -> Self {
        let digest = action.digest();
        Self { action, digest, stage: Stage::Pending, trail: trail::Head::START }
    }

    /// Where it stands after a move.
    ///
    /// # Errors
    /// [`IllegalMove`] if this stage does not allow it, or if the grant is for something else.
    pub fn after(&self, next: Move) -> Result<Stage, IllegalMove> {
        if let Move::Claim { grant, at, .. } = &next
            && (grant.digest() != self.digest || *at >= self.action.expires)
        {
            return Err(self.stage.refuse(&next));
        }
        if let Move::Expire { at } = next
            && at < self.action.expires
        {
            return Err(self.stage.refuse(&next));
        }
        self.stage.clone().after(next)
    }

    /// Whether it can still be voted on at `now`. Expiry is a fact of the time, whether or not the
    /// schedule has recorded it.
    pub fn is_open(&self, now: Timestamp) -> bool {
        self.stage == Stage::Pending && now < self.action.expires
    }
}

impl Stage {
    /// The only way a stage changes. The store commits the result if `self` is still current.
    fn after(self, next: Move) -> Result<Self, IllegalMove> {
        match (self, next) {
            (Self::Pending, Move::Claim { run, at, lease, .. }) => {
                Ok(Self::Executing(Attempt { run, lease, first: at, tries: 1, unknown: None }))
            }
            (Self::Executing(held), Move::Reclaim { run, at, lease }) if held.lease <= at => {
                Ok(Self::Executing(Attempt { run, lease, tries: held.tries.saturating_add(1), ..held }))
            }
            (Self::Executing(_), Move::Confirm { effect, request, at }) => {
                Ok(Self::Executed { effect, request, at })
            }
            (Self::Executing(_), Move::Refuse { code, at }) => Ok(Self::Failed { code, at }),
            (Self::Executing(held), Move::LoseSight { why }) => {
                Ok(Self::Executing(Attempt { unknown: Some(why), ..held }))
            }
            (Self::Pending, Move::Deny { by, at }) => Ok(Self::Denied { by, at }),
            (Self::Pending, Move::Withdraw { by, at }) => Ok(Self::Withdrawn { by, at }),
            // While a run holds it, something can still be on its way.
            (Self::Executing(held), Move::Resolve { done, saw, at })
                if held.unknown.is_some() && held.lease <= at =>
            {
                if done {
                    Ok(Self::Executed { effect: saw, request: None, at })
                } else {
                    Ok(Self::Failed { code: LOOKED_NOT_DONE.to_owned(), at })
                }
            }
            (Self::Pending, Move::Expire { at }) => Ok(Self::Expired { at }),
            (Self::Pending, Move::Void { moved, at }) => Ok(Self::Stale { moved, at }),
            // Only the first attempt knows that nothing was sent before it.
            (Self::Executing(Attempt { tries: 1, unknown: None, .. }), Move::Void { moved, at }) => {
                Ok(Self::Stale { moved, at })
            }
            (
                Self::Pending | Self::Executing(Attempt { tries: 1, unknown: None, .. }),
                Move::Distrust { what, at },
            ) => Ok(Self::Tampered { what, at }),
            (stage, next) => Err(stage.refuse(&next)),
        }
    }

    /// One word for pages, logs and metrics.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Executing(Attempt { unknown: Some(_), .. }) => "unknown",
            Self::Executing(_) => "executing",
            Self::Executed { .. } => "executed",
            Self::Failed { .. } => "failed",
            Self::Denied { .. } => "denied",
            Self::Withdrawn { .. } => "withdrawn",
            Self::Expired { .. } => "expired",
            Self::Stale { .. } => "stale",
            Self::Tampered { .. } => "tampered",
        }
    }

    /// Whether nothing more can happen.
    pub const fn is_final(&self) -> bool {
        !matches!(self, Self::Pending | Self::Executing(_))
    }

    fn refuse(&self, wanted: &Move) -> IllegalMove {
        let wanted = match wanted {
            Move::Claim { .. } => "be claimed",
            Move::Reclaim { .. } => "be claimed again",
            Move::Confirm { .. } => "be confirmed",
            Move::Refuse { .. } => "be refused",
            Move::LoseSight { .. } => "lose sight",
            Move::Deny { .. } => "be denied",
            Move::Withdraw { .. } => "be withdrawn",
            Move::Resolve { .. } => "be resolved by hand",
            Move::Expire { .. } => "expire",
            Move::Void { .. } => "be voided",
            Move::Distrust { .. } => "be distrusted",
        };
        IllegalMove { stage: self.name(), wanted }
    }
}
