//! The numbers and lists behind the rules: segments, thresholds, exceptions, autonomy. Amounts are minor
//! units by currency; nothing is converted, so a currency without a threshold counts as above it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::advice::AdviceSettings;
use crate::{
    Currency, CustomerId, Money, Timestamp,
    context::{Account, Breaker, Part},
};

/// `settings.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The systems that decisions rely on. What one of these does not tell is missing, and a decision is
    /// the more cautious for it; what is not listed is never looked at.
    pub sources: BTreeSet<Source>,
    /// Segments, the first that fits counts.
    #[serde(rename = "segment")]
    pub segments: Vec<Segment>,
    /// The segment of a customer whom the CRM does not know or tell of.
    pub segment_when_unknown: String,
    /// From when something is told to more people.
    pub thresholds: Thresholds,
    /// Signs that a customer is about to leave.
    pub churn: Churn,
    /// How often a customer may be written to.
    pub frequency: Frequency,
    /// When a card's issuer counts as out of order.
    pub issuer: Breaker,
    /// How a dispute's deadline is announced.
    pub dispute: DisputeSettings,
    /// Who hears of what is escalated.
    pub escalation: Escalation,
    /// What the sweeps watch for.
    #[serde(default)]
    pub watch: Watch,
    /// What the agent sends by itself, and what it leaves with the case.
    pub autonomy: Autonomy,
    /// Whether a language model is asked for advice, and how much it may cost.
    #[serde(default)]
    pub advice: AdviceSettings,
    /// The metadata keys that may be read, by Stripe object (`charge`, `refund`, …).
    #[serde(default)]
    pub metadata: BTreeMap<String, BTreeSet<String>>,
}

/// A system that decisions rely on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The CRM: account value, owner, renewal, segment.
    Crm,
    /// The help desk: conversations.
    HelpDesk,
    /// The business's own application: orders, usage, contract, access.
    Application,
}

/// A kind of customer.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Segment {
    /// The policy's word.
    pub name: String,
    /// The CRM's words for it.
    #[serde(default)]
    pub crm: Vec<String>,
    /// From which annual value an account belongs here whatever the CRM calls it.
    #[serde(default)]
    pub above: BTreeMap<Currency, i64>,
    /// For how many days after a failed payment access is left alone.
    pub grace_days: u16,
}

/// From when something is told to more people.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Thresholds {
    /// What a case is about.
    pub revenue: BTreeMap<Currency, i64>,
    /// What the account brings in a year.
    pub contract: BTreeMap<Currency, i64>,
    /// How many days before a renewal everything about money is delicate.
    pub renewal_days: u16,
    /// A dispute at or below this is small: answering it may cost more than it brings.
    pub small_dispute: BTreeMap<Currency, i64>,
}

/// Signs that a customer is about to leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Churn {
    /// After how many days without use a customer counts as inactive.
    pub inactive_days: u16,
    /// In how many days a request for a refund is still recent.
    pub request_days: u16,
    /// How many signs make a case one of high churn risk.
    pub least_signs: u8,
}

/// How often a customer may be written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Frequency {
    /// This many messages …
    pub most: u8,
    /// … in so many days.
    pub days: u16,
}

/// How a dispute's deadline is announced.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DisputeSettings {
    /// So many business days before the deadline the team is told again, the longest first.
    pub ladder: Vec<u16>,
    /// So many business days before the deadline evidence should be with the bank.
    pub margin: u16,
    /// Who answers disputes: a role, not a name.
    #[serde(default = "owner")]
    pub owner: String,
    /// Who takes over if the owner does not: a role, not a name.
    #[serde(default = "backup")]
    pub backup: String,
    /// The backup is told so many business days before the deadline.
    #[serde(default = "backup_days")]
    pub backup_days: u16,
    /// The last call comes so many hours before the deadline.
    #[serde(default = "last_call_hours")]
    pub last_call_hours: u16,
}

fn owner() -> String {
    "billing operations".into()
}

fn backup() -> String {
    "finance lead".into()
}

const fn backup_days() -> u16 {
    3
}

const fn last_call_hours() -> u16 {
    24
}

/// What the sweeps watch for, and what they do about it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Watch {
    /// After so many hours without a subscription, access that still works is a drift.
    pub served_hours: u16,
    /// An approval that ends within so many hours is reported.
    pub expiry_hours: u16,
    /// What to do about a write in Stripe that is none of ours, by the type of its event. What is not
    /// listed is noted.
    pub external_writes: BTreeMap<String, Reaction>,
}

impl Default for Watch {
    fn default() -> Self {
        Self { served_hours: 24, expiry_hours: 4, external_writes: BTreeMap::new() }
    }
}

/// The events of what our own operations cause, and others by the same calls.
pub const WRITES: [&str; 8] = [
    "charge.dispute.closed",
    "charge.dispute.updated",
    "credit_note.created",
    "customer.subscription.deleted",
    "customer.subscription.updated",
    "invoice.marked_uncollectible",
    "invoice.voided",
    "refund.created",
];

/// What to do about a write that is none of ours. People also work in the Dashboard.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reaction {
    /// It is recorded and counted.
    #[default]
    Note,
    /// The team is told as well, and an alarm watches the count.
    Alarm,
}

/// Who hears of what is escalated.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Escalation {
    /// The channel.
    pub channel: String,
}

/// How far the agent goes with a controlled write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Controlled {
    /// It stays with the case; a person does it.
    Draft,
    /// The agent does it.
    Auto,
}

/// How far the agent goes towards a gated action. There is no word for doing it: that takes a person's
/// signature (I1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gated {
    /// It recommends it.
    Draft,
    /// It asks the approvers.
    Approve,
}

/// What the agent sends by itself, and what it leaves with the case.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Autonomy {
    /// Messages to the team.
    pub alert: Controlled,
    /// Tasks in the CRM.
    pub task: Controlled,
    /// Notes in the CRM.
    pub note: Controlled,
    /// The payment status in the CRM.
    pub payment_status: Controlled,
    /// Tickets in the help desk.
    pub ticket: Controlled,
    /// Draft replies in the help desk, which a person sends.
    pub reply: Controlled,
    /// Gated actions, by operation. One that is not listed is only recommended.
    #[serde(default)]
    pub gated: BTreeMap<String, Gated>,
}

/// `exceptions.toml`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Exceptions {
    #[serde(default, rename = "exception")]
    pub(super) exceptions: Vec<Exception>,
}

/// An exception for one customer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exception {
    /// For whom.
    pub customer: CustomerId,
    /// What is different.
    pub kind: ExceptionKind,
    /// The last day on which it counts: `2027-01-31`, in UTC.
    pub until: String,
    /// Who answers for it: a role, not a name.
    pub owner: String,
    /// Why.
    pub reason: String,
}

/// What is different for a customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExceptionKind {
    /// Nobody writes about failed payments.
    NoDunning,
    /// Access is not taken away.
    DoNotDowngrade,
    /// A person decides everything.
    ByHand,
}

impl ExceptionKind {
    /// The word used in rules.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoDunning => "no_dunning",
            Self::DoNotDowngrade => "do_not_downgrade",
            Self::ByHand => "by_hand",
        }
    }
}

/// Whether an amount is above a threshold; without a threshold for its currency it is.
pub(crate) fn is_above(thresholds: &BTreeMap<Currency, i64>, money: Money) -> bool {
    thresholds.get(&money.currency).is_none_or(|threshold| money.amount > *threshold)
}

impl Settings {
    /// The segment of a customer; the one for unknown customers if the CRM does not tell.
    pub fn segment(&self, account: &Part<Account>) -> Option<&Segment> {
        let unknown = || self.segments.iter().find(|segment| segment.name == self.segment_when_unknown);
        if !self.sources.contains(&Source::Crm) {
            return self.segments.last();
        }
        let Some(account) = account.known() else { return unknown() };
        let worth = |segment: &Segment| {
            account.annual_value.is_some_and(|value| {
                segment.above.get(&value.currency).is_some_and(|threshold| value.amount >= *threshold)
            })
        };
        let called = |segment: &Segment| {
            account
                .segment
                .as_ref()
                .is_some_and(|word| segment.crm.iter().any(|known| known.eq_ignore_ascii_case(word)))
        };
        // Without a record there is nothing to know; a record that says nothing is another matter.
        if !account.id.is_empty() && account.segment.is_none() && account.annual_value.is_none() {
            return unknown();
        }
        let found = self.segments.iter().find(|segment| worth(segment) || called(segment));
        // A value in a currency without thresholds could be any size.
        let comparable = |value: Money| {
            self.segments
                .iter()
                .all(|segment| segment.above.is_empty() || segment.above.contains_key(&value.currency))
        };
        match account.annual_value {
            Some(value) if found.is_none() && !comparable(value) => unknown(),
            _ => found.or_else(|| self.segments.last()),
        }
    }

    pub(super) fn check(&self) -> Result<(), String> {
        if self.segments.is_empty() {
            return Err("add at least one `[[segment]]`".into());
        }
        if !self.segments.iter().any(|segment| segment.name == self.segment_when_unknown) {
            return Err(format!(
                "`segment_when_unknown` names `{}`, which is no segment",
                self.segment_when_unknown
            ));
        }
        if let Some(kind) = self.watch.external_writes.keys().find(|kind| !WRITES.contains(&kind.as_str())) {
            return Err(format!(
                "`watch.external_writes`: nobody watches `{kind}`; choose of {}",
                WRITES.join(", ")
            ));
        }
        self.advice.check()?;
        if !self.dispute.ladder.is_sorted_by(|one, next| one > next) {
            return Err("put `dispute.ladder` in order, the longest time before the deadline first".into());
        }
        Ok(())
    }
}

impl Exception {
    /// Whether it still counts.
    pub fn counts(&self, at: Timestamp) -> bool {
        at.day() <= self.until
    }

    pub(super) fn check(&self) -> Result<(), String> {
        let day = Timestamp::parse_rfc3339(&format!("{}T00:00:00Z", self.until));
        if day.is_none_or(|day| day.day() != self.until) {
            return Err(format!(
                "`until` of the exception for `{}` must be a day like 2027-01-31",
                self.customer
            ));
        }
        if self.owner.trim().is_empty() || self.reason.trim().is_empty() {
            return Err(format!("the exception for `{}` needs an `owner` and a `reason`", self.customer));
        }
        Ok(())
    }
}
