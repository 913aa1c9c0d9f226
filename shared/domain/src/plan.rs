//! The steps to take, and why some are not taken.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

use crate::{CaseKey, CustomerId, Digest, EventId, Money, ObjectId, Timestamp, encoding, event::Origin};

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

/// A controlled write: what the agent may do alone if policy says so. Which customer's record it
/// belongs to stands in the step itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum StepKind {
    /// A message to the team's channel.
    Alert(Alert),
    /// A message to the customer or a colleague from an approved template, kept with the case for a
    /// person to send.
    Draft(Draft),
    /// The same, left as a draft in the help desk's conversation.
    Reply {
        /// The help desk's own id of the conversation.
        conversation: String,
        /// The message.
        draft: Draft,
    },
    /// A task in the CRM.
    Task(Task),
    /// A note on the customer's record in the CRM.
    Note {
        /// What happened, in our own words.
        text: String,
    },
    /// How the customer's payments stand, as a property of the record in the CRM.
    PaymentStatus(PaymentStatus),
    /// A ticket in the help desk, or an internal note on the case's earlier one.
    Ticket {
        /// What it is about, in a line.
        subject: String,
        /// What happened and what to do, for colleagues only.
        text: String,
        /// How urgent it is.
        priority: Priority,
    },
    /// Evidence against a dispute, staged with the case. It is never submitted by the agent.
    Evidence {
        /// What the bank wants to see, and what of it is there.
        checklist: Vec<ChecklistItem>,
        /// The texts that could be put together already, by Stripe's names for the fields.
        staged: BTreeMap<String, String>,
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
        /// What the operation takes and Stripe does not know, by name; all of it is checked.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        parameters: BTreeMap<String, String>,
    },
}

/// What the team is told: the handoff.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    /// The channel.
    pub channel: String,
    /// What happened, in a line.
    pub headline: String,
    /// How urgent it is.
    pub priority: Priority,
    /// Label and value: what somebody must know to act.
    pub facts: Vec<(String, String)>,
    /// What to do next.
    pub next: String,
    /// What happens if nobody acts.
    pub otherwise: String,
    /// Label and address: the objects in Stripe.
    pub links: Vec<(String, String)>,
}

/// A message from an approved template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draft {
    /// The template's id and version: `recovery-update-card/1`.
    pub template: String,
    /// How it is to be sent: `email`, `chat`, `csm`.
    pub channel: String,
    /// Its language.
    pub locale: String,
    /// The subject; empty where the channel has none.
    pub subject: String,
    /// The text.
    pub text: String,
}

/// A task for a colleague.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// What to do, in a line.
    pub title: String,
    /// Why, with the facts.
    pub text: String,
    /// The CRM's own id of the colleague; `None` leaves it to the CRM's own assignment.
    pub owner: Option<String>,
    /// How urgent it is.
    pub priority: Priority,
    /// Until when.
    pub due: Timestamp,
    /// What is at stake.
    pub value: Option<Money>,
}

/// How urgent something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// When there is time.
    Low,
    /// In the order of work.
    Normal,
    /// Today.
    High,
    /// Now.
    Urgent,
}

impl Priority {
    /// All of them, from the lowest.
    pub const ALL: [Self; 4] = [Self::Low, Self::Normal, Self::High, Self::Urgent];

    /// The word used everywhere.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Normal => "normal",
            Self::High => "high",
            Self::Urgent => "urgent",
        }
    }
}

/// How a customer's payments stand, for the other systems.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaymentStatus {
    /// The word: `current`, `overdue`, `action_needed`, `processing`, `disputed`, `dispute_won`, `dispute_lost`,
    /// `dispute_prevented`, `dispute_withdrawn`, `refunded`, `paused`, `ending`, `ended`.
    pub status: String,
    /// What is open, if anything.
    pub open: Option<Money>,
    /// The Stripe object that says so.
    pub object: ObjectId,
    /// When Stripe was read.
    pub read: Timestamp,
}

/// One thing that the bank wants to see.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChecklistItem {
    /// Stripe's name of the field.
    pub field: String,
    /// Whether an answer without it is hopeless.
    pub required: bool,
    /// Where it was found; `None` if it is missing.
    pub found: Option<String>,
    /// In words: what it shows, or how to get it.
    pub note: String,
}

impl StepKind {
    /// Every [`Self::name`].
    pub const NAMES: [&'static str; 9] =
        ["alert", "draft", "reply", "task", "note", "payment_status", "ticket", "evidence", "request"];

    /// One word for keys, metrics and rules; see [`Self::NAMES`].
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Alert(_) => "alert",
            Self::Draft(_) => "draft",
            Self::Reply { .. } => "reply",
            Self::Task(_) => "task",
            Self::Note { .. } => "note",
            Self::PaymentStatus(_) => "payment_status",
            Self::Ticket { .. } => "ticket",
            Self::Evidence { .. } => "evidence",
            Self::Request { .. } => "request",
        }
    }

    /// Whether it is written for the customer to read: what interlocks hold back. A follow-up for a
    /// colleague is not.
    pub fn is_to_customer(&self) -> bool {
        match self {
            Self::Draft(draft) => draft.channel != "csm",
            Self::Reply { .. } => true,
            _ => false,
        }
    }
}

/// A planned step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Its key.
    pub key: StepKey,
    /// The case that planned it.
    pub case: CaseKey,
    /// Whose record it belongs to.
    pub customer: Option<CustomerId>,
    /// Why it is kept with the case for a person instead of being sent; `None` if it is sent.
    pub kept: Option<String>,
    /// What it does.
    #[serde(flatten)]
    pub kind: StepKind,
}

impl Step {
    /// A step of a case; the same revision never makes a second one.
    pub fn new(case: &CaseKey, customer: Option<CustomerId>, kind: StepKind, revision: &str) -> Self {
        Self { key: StepKey::new(case, &kind, revision), case: case.clone(), customer, kept: None, kind }
    }
}

/// What keeps a step from being taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Interlock {
    /// The switch that stops everything is on.
    KillSwitch,
    /// The invoice is paid: nothing more is said about it.
    AlreadyPaid,
    /// The customer disputes a payment: no dunning meanwhile.
    OpenDispute,
    /// The customer waits for an answer to something more urgent.
    PriorityTicket,
    /// The customer is leaving.
    PendingCancellation,
    /// Another, older case of this customer is open.
    OneRecoveryPerCustomer,
    /// The charge is disputed: a refund would pay twice.
    DisputedCharge,
    /// The card's issuer declines far more than usual: its customers are not at fault.
    IssuerOutage,
    /// Nobody is written to at this time.
    QuietHours,
    /// The customer was written to often enough lately.
    FrequencyCap,
    /// The policy makes an exception for this customer.
    Exception,
    /// The day's budget for refunds is used up.
    RefundBudget,
    /// Something that must be known is not.
    MissingContext,
    /// No rule permits it.
    NoRule,
}

impl Interlock {
    /// Whether what it holds back goes to a person instead: to the account's owner, or to finance.
    pub const fn hands_over(self) -> bool {
        matches!(self, Self::OpenDispute | Self::PriorityTicket | Self::PendingCancellation)
    }

    /// What it means, for whoever asks why nothing happened.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::KillSwitch => "the switch that stops everything is on",
            Self::AlreadyPaid => "the invoice is paid, so nothing more is said about it",
            Self::OpenDispute => "the customer disputes a payment, so nobody asks for money meanwhile",
            Self::PriorityTicket => "the customer waits for an answer to something more urgent",
            Self::PendingCancellation => "the customer is leaving, so nobody asks for money",
            Self::OneRecoveryPerCustomer => "an older open invoice of the customer comes first",
            Self::DisputedCharge => "the charge is disputed, so a refund could pay twice",
            Self::IssuerOutage => "the card's issuer declines far more than usual",
            Self::QuietHours => "nobody is written to at this time",
            Self::FrequencyCap => "the customer was written to often enough lately",
            Self::Exception => "the policy makes an exception for this customer",
            Self::RefundBudget => "the day's budget for refunds is used up",
            Self::MissingContext => "something that must be known is not",
            Self::NoRule => "no rule permits it",
        }
    }

    /// One word for metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::KillSwitch => "kill_switch",
            Self::AlreadyPaid => "already_paid",
            Self::OpenDispute => "open_dispute",
            Self::PriorityTicket => "priority_ticket",
            Self::PendingCancellation => "pending_cancellation",
            Self::OneRecoveryPerCustomer => "one_recovery_per_customer",
            Self::DisputedCharge => "disputed_charge",
            Self::IssuerOutage => "issuer_outage",
            Self::QuietHours => "quiet_hours",
            Self::FrequencyCap => "frequency_cap",
            Self::Exception => "exception",
            Self::RefundBudget => "refund_budget",
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
