//! A case: one unit of billing work. Many events feed one case.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{
    CustomerId, Money, ObjectId, Timestamp,
    advice::{Consulted, Outcome},
    classify::Classification,
    event::Origin,
    plan::{Priority, Suppression},
    policy::Verdict,
    trail,
};

/// What a case is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CaseKind {
    /// An invoice whose payment failed.
    Recovery,
    /// A dispute.
    Dispute,
    /// An early fraud warning: often a dispute to come.
    FraudWarning,
    /// A refund.
    Refund,
    /// A charge: a refund asked for or made.
    Charge,
    /// A subscription whose state the other systems must learn.
    Status,
    /// A payment method that the card network replaced.
    PaymentMethod,
}

impl CaseKind {
    /// All kinds.
    pub const ALL: [Self; 7] = [
        Self::Recovery,
        Self::Dispute,
        Self::FraudWarning,
        Self::Refund,
        Self::Charge,
        Self::Status,
        Self::PaymentMethod,
    ];

    /// The word before the colon of a case's key.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Recovery => "recovery",
            Self::Dispute => "dispute",
            Self::FraudWarning => "fraud_warning",
            Self::Refund => "refund",
            Self::Charge => "charge",
            Self::Status => "status",
            Self::PaymentMethod => "payment_method",
        }
    }
}

/// `recovery:in_…`, `dispute:du_…`: the kind of work and the object that it is about.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CaseKey {
    kind: CaseKind,
    object: ObjectId,
}

/// A text that is no case key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a case key is `kind:object`, for example `recovery:in_123`")]
pub struct NotACaseKey;

impl CaseKey {
    /// The key of the case of this kind about this object.
    pub const fn new(kind: CaseKind, object: ObjectId) -> Self {
        Self { kind, object }
    }

    /// What the case is about.
    pub const fn kind(&self) -> CaseKind {
        self.kind
    }

    /// The Stripe object.
    pub const fn object(&self) -> &ObjectId {
        &self.object
    }
}

impl fmt::Display for CaseKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind.as_str(), self.object)
    }
}

impl fmt::Debug for CaseKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for CaseKey {
    type Err = NotACaseKey;

    fn from_str(text: &str) -> Result<Self, NotACaseKey> {
        let (kind, object) = text.split_once(':').ok_or(NotACaseKey)?;
        let kind = CaseKind::ALL.into_iter().find(|known| known.as_str() == kind).ok_or(NotACaseKey)?;
        Ok(Self { kind, object: ObjectId::parse(object).map_err(|_| NotACaseKey)? })
    }
}

impl From<CaseKey> for String {
    fn from(key: CaseKey) -> Self {
        key.to_string()
    }
}

impl TryFrom<String> for CaseKey {
    type Error = NotACaseKey;

    fn try_from(text: String) -> Result<Self, NotACaseKey> {
        text.parse()
    }
}

/// Where a case stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CaseState {
    /// Something is to be done or awaited.
    Open,
    /// Stripe says that nothing is left to do.
    Closed,
}

/// What is known and decided about one unit of work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Case {
    /// Its key.
    pub key: CaseKey,
    /// Whom it concerns.
    pub customer: Option<CustomerId>,
    /// Where its objects are to be read.
    pub origin: Origin,
    /// Where it stands.
    pub state: CaseState,
    /// What was found, with the reasons.
    pub classification: Classification,
    /// How urgent it is.
    pub priority: Priority,
    /// Whether more people must hear of it, with the rules that say so.
    pub escalation: Verdict,
    /// What to do next.
    pub next: String,
    /// What happens if nobody acts.
    pub otherwise: String,
    /// What policy said to each step that was wished for, with the rules that decided.
    pub verdicts: Vec<Verdict>,
    /// What would have been done and was not, with the reason: "why did nothing happen?".
    pub suppressed: Vec<Suppression>,
    /// Whether a message to the customer was drafted.
    pub contacted: bool,
    /// The keys of all its steps so far.
    pub steps: Vec<crate::plan::StepKey>,
    /// When it was opened.
    pub opened: Timestamp,
    /// When it last changed.
    pub changed: Timestamp,
    /// What is at stake, as Stripe said when it was last read.
    #[serde(default)]
    pub amount: Option<Money>,
    /// The last moment at which something can be done, such as a dispute's deadline.
    pub deadline: Option<Timestamp>,
    /// When it is to be decided anew although nothing was heard: something was suppressed or missing.
    pub revisit: Option<Timestamp>,
    /// The end of its trail, which the next entry continues.
    pub trail: trail::Head,
    /// What a language model last said about it, if one was asked since the same was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub advice: Option<Consulted>,
}

impl Case {
    /// Keeps what became of a question to a model. Whatever is no advice takes no advice's place, so a case that
    /// was raised stays so for as long as the same is found.
    pub fn hear(&mut self, consulted: Consulted) {
        let taken = |one: &Consulted| matches!(one.outcome, Outcome::Taken { .. });
        let asked = !matches!(consulted.outcome, Outcome::NotAsked { .. });
        let stays = self.advice.as_ref().is_some_and(|known| !asked || taken(known) && !taken(&consulted));
        if !stays {
            self.advice = Some(consulted);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_key_reads_what_it_writes_and_nothing_else() {
        for kind in CaseKind::ALL {
            let key = CaseKey::new(kind, ObjectId::parse("in_1").unwrap());
            assert_eq!(key.to_string().parse(), Ok(key));
        }
        for bad in ["", "recovery", "recovery:", "nothing:in_1", "recovery:in 1"] {
            assert_eq!(bad.parse::<CaseKey>(), Err(NotACaseKey), "{bad}");
        }
    }
}
