//! The steps to take, and why some are not taken.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{CaseKey, Digest, EventId, encoding, event::Origin};

/// The key of a step: one (case, kind, revision) makes one effect (I4).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StepKey(String);

impl StepKey {
    /// 128 bits in base32 over case, kind and revision.
    pub fn new(case: &CaseKey, kind: &StepKind, revision: &str) -> Self {
        let digest: Digest = encoding::digest("plan/step/v1", |to| {
            to.text(&case.to_string());
            to.text(kind.name());
            to.text(revision);
        });
        let bits: [u8; 16] = std::array::from_fn(|index| digest.bytes().get(index).copied().unwrap_or(0));
        Self(encoding::base32(&bits))
    }

    /// As it stands in the table and in a vendor's record.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for StepKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A controlled write: what the agent may do alone if policy says so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum StepKind {
    /// A message to the team's channel.
    Alert {
        /// The channel.
        channel: String,
        /// What happened, in a line.
        headline: String,
        /// Label and value: what somebody must know to act.
        facts: Vec<(String, String)>,
        /// What to do next.
        next: String,
    },
    /// A message to the customer from an approved template, kept with the case for a person to send.
    Draft {
        /// The template's id and version: `recovery-update-card/1`.
        template: String,
        /// The subject.
        subject: String,
        /// The text.
        text: String,
    },
    /// Asking the approver for a gated action. It names the object and where to read it: what is
    /// asked for, by whom, and who must sign, the approver finds out for itself (I5).
    Request {
        /// The operation's name: `refund.create`.
        operation: String,
        /// Where the object is to be read.
        origin: Origin,
        /// The event that led to it.
        source: Option<EventId>,
    },
}

impl StepKind {
    /// One word for keys, metrics and rules.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Alert { .. } => "alert",
            Self::Draft { .. } => "draft",
            Self::Request { .. } => "request",
        }
    }

    /// Whether it is done as soon as it is recorded, since nobody outside is to hear of it.
    pub const fn is_kept(&self) -> bool {
        matches!(self, Self::Draft { .. })
    }
}

/// A planned step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Its key.
    pub key: StepKey,
    /// The case that planned it.
    pub case: CaseKey,
    /// What it does.
    #[serde(flatten)]
    pub kind: StepKind,
}

impl Step {
    /// A step of a case; the same revision never makes a second one.
    pub fn new(case: &CaseKey, kind: StepKind, revision: &str) -> Self {
        Self { key: StepKey::new(case, &kind, revision), case: case.clone(), kind }
    }
}

/// What keeps a step from being taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Interlock {
    /// The switch that stops everything is on.
    KillSwitch,
    /// The customer disputes a payment: no dunning meanwhile.
    OpenDispute,
    /// The customer is leaving.
    PendingCancellation,
    /// Another, older case of this customer is open.
    OneRecoveryPerCustomer,
    /// The charge is disputed: a refund would pay twice.
    DisputedCharge,
    /// Something that must be known is not.
    MissingContext,
    /// No rule permits it.
    NoRule,
}

impl Interlock {
    /// One word for metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::KillSwitch => "kill_switch",
            Self::OpenDispute => "open_dispute",
            Self::PendingCancellation => "pending_cancellation",
            Self::OneRecoveryPerCustomer => "one_recovery_per_customer",
            Self::DisputedCharge => "disputed_charge",
            Self::MissingContext => "missing_context",
            Self::NoRule => "no_rule",
        }
    }
}

/// A step that was not taken: the answer to "why did nothing happen?".
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suppression {
    /// The step's kind.
    pub step: String,
    /// What kept it from being taken.
    pub interlock: Interlock,
    /// In words.
    pub because: String,
}
