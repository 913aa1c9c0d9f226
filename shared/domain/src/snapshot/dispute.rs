//! Disputes and early fraud warnings.

use serde::{Deserialize, Serialize};

use crate::{
    ChargeId, Digest, DisputeId, Money, ObjectId, PaymentIntentId, Timestamp, encoding, open_enum::open_enum,
};

open_enum! {
    /// <https://docs.stripe.com/api/disputes/object#dispute_object-status>
    DisputeStatus {
        AppealNeedsResponse = "appeal_needs_response",
        AppealUnderReview = "appeal_under_review",
        Lost = "lost",
        NeedsResponse = "needs_response",
        Prevented = "prevented",
        UnderReview = "under_review",
        WarningClosed = "warning_closed",
        WarningNeedsResponse = "warning_needs_response",
        WarningUnderReview = "warning_under_review",
        Won = "won",
    }
}

impl DisputeStatus {
    /// Whether somebody can and should still answer.
    pub fn needs_response(&self) -> bool {
        matches!(self, Self::NeedsResponse | Self::WarningNeedsResponse | Self::AppealNeedsResponse)
    }

    /// Whether it is decided. An unknown status counts as undecided (I7).
    pub fn is_closed(&self) -> bool {
        matches!(self, Self::Lost | Self::Prevented | Self::WarningClosed | Self::Won)
    }
}

/// A dispute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dispute {
    /// Its id.
    pub id: DisputeId,
    /// Where it stands.
    pub status: DisputeStatus,
    /// `fraudulent`, `product_not_received`, …
    pub reason: String,
    /// What is disputed.
    pub amount: Money,
    /// The disputed charge.
    pub charge: Option<ChargeId>,
    /// Its payment intent.
    pub payment_intent: Option<PaymentIntentId>,
    /// Until when evidence can be submitted; `None` if it cannot.
    pub due_by: Option<Timestamp>,
    /// How often evidence went to the bank; normally it can once.
    pub submission_count: u32,
    /// Whether evidence is staged.
    pub has_evidence: bool,
    /// When it was created.
    pub created: Timestamp,
}

impl Dispute {
    /// The digest of everything about the dispute that answering or accepting it rests on. A
    /// proposal is bound to it.
    pub fn digest(&self) -> Digest {
        encoding::digest("approval/snapshot/dispute/v1", |to| {
            to.text(self.id.as_str());
            to.text(self.status.as_str());
            to.text(&self.reason);
            to.number(self.amount.amount);
            to.text(self.amount.currency.code());
            to.text(self.charge.as_ref().map_or("", ChargeId::as_str));
            to.text(&self.due_by.map_or(String::new(), |due| due.seconds().to_string()));
            to.number(self.submission_count);
        })
    }
}

/// Who answers a dispute: people, or Stripe's Smart Disputes by itself
/// (<https://docs.stripe.com/disputes/smart-disputes>; both fields since 2026-10-28.endive).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DisputeAnswering {
    /// Who is meant to: `manual`, `prefer_manual`, `prefer_smart_disputes`, `smart_disputes`; `None` if the
    /// account has no Smart Disputes.
    pub intended: Option<String>,
    /// Who did: `manual`, `smart_disputes`, `not_submitted`.
    pub submitted: Option<String>,
}

impl DisputeAnswering {
    /// Whether Stripe answers, or may answer, by itself.
    pub fn is_by_stripe(&self) -> bool {
        let by_stripe =
            |word: &Option<String>| word.as_deref().is_some_and(|word| word.ends_with("smart_disputes"));
        // Without evidence of ours, `prefer_manual` lets Stripe answer as well.
        by_stripe(&self.submitted)
            || by_stripe(&self.intended)
            || self.intended.as_deref() == Some("prefer_manual")
    }
}

/// An early fraud warning: the card's issuer suspects fraud, and a dispute often follows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FraudWarning {
    /// Its id (`issfr_…`).
    pub id: ObjectId,
    /// Whether a refund could still prevent a dispute.
    pub actionable: bool,
    /// `unauthorized_use_of_card`, …
    pub fraud_type: String,
    /// The charge.
    pub charge: Option<ChargeId>,
    /// Its payment intent.
    pub payment_intent: Option<PaymentIntentId>,
    /// When it was created.
    pub created: Timestamp,
}
