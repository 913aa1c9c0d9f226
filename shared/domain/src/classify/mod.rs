//! What a case is: its bucket, and the reasons for it.

mod payment;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    context::{Context, Part, Subject},
    snapshot::{Dispute, DisputeStatus, FraudWarning, Read, Refund, RefundStatus},
};

pub use payment::classify_failure;

/// What was found. One list for all kinds of case, so that rules, playbooks, metrics and pages share
/// the words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bucket {
    /// The payment will probably work later.
    TemporaryFailure,
    /// There is nothing to charge.
    MissingPaymentMethod,
    /// The payment method does not work and must be corrected or replaced.
    InvalidPaymentMethod,
    /// The customer must authenticate.
    AuthenticationNeeded,
    /// The issuer will not accept this payment method again.
    HardDecline,
    /// The issuer or Stripe suspects fraud; the customer is told nothing specific.
    SuspectedFraud,
    /// Stripe itself stopped the payment.
    BlockedByStripe,
    /// The issuer declined and did not say why.
    IssuerDecline,
    /// Our request or set-up is at fault, not the customer.
    MerchantProblem,
    /// The invoice is paid.
    Paid,
    /// The invoice is void, uncollectible or still a draft: nothing to recover.
    NothingToCollect,
    /// A dispute that somebody must answer.
    DisputeNeedsResponse,
    /// A dispute that the bank is looking at.
    DisputeUnderReview,
    /// A dispute that is decided.
    DisputeClosed,
    /// A fraud warning that a refund could still answer.
    FraudWarningActionable,
    /// A fraud warning that needs nothing any more.
    FraudWarningSettled,
    /// Support asked for a refund in the Dashboard.
    RefundAsked,
    /// Money went back.
    RefundMade,
    /// A refund on its way.
    RefundPending,
    /// A refund that did not arrive.
    RefundFailed,
    /// A charge about which nothing is asked.
    NothingAsked,
    /// A subscription that pays.
    SubscriptionHealthy,
    /// A subscription that is overdue.
    SubscriptionOverdue,
    /// A subscription that is paused.
    SubscriptionPaused,
    /// A subscription that ends or has ended.
    SubscriptionEnding,
    /// The card network replaced a card.
    PaymentMethodReplaced,
    /// Stripe does not have the object that it told us of.
    Gone,
    /// Not known: a human looks (I7).
    Unknown,
}

impl Bucket {
    /// All buckets.
    pub const ALL: [Self; 28] = [
        Self::TemporaryFailure,
        Self::MissingPaymentMethod,
        Self::InvalidPaymentMethod,
        Self::AuthenticationNeeded,
        Self::HardDecline,
        Self::SuspectedFraud,
        Self::BlockedByStripe,
        Self::IssuerDecline,
        Self::MerchantProblem,
        Self::Paid,
        Self::NothingToCollect,
        Self::DisputeNeedsResponse,
        Self::DisputeUnderReview,
        Self::DisputeClosed,
        Self::FraudWarningActionable,
        Self::FraudWarningSettled,
        Self::RefundAsked,
        Self::RefundMade,
        Self::RefundPending,
        Self::RefundFailed,
        Self::NothingAsked,
        Self::SubscriptionHealthy,
        Self::SubscriptionOverdue,
        Self::SubscriptionPaused,
        Self::SubscriptionEnding,
        Self::PaymentMethodReplaced,
        Self::Gone,
        Self::Unknown,
    ];

    /// The word used everywhere.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TemporaryFailure => "temporary_failure",
            Self::MissingPaymentMethod => "missing_payment_method",
            Self::InvalidPaymentMethod => "invalid_payment_method",
            Self::AuthenticationNeeded => "authentication_needed",
            Self::HardDecline => "hard_decline",
            Self::SuspectedFraud => "suspected_fraud",
            Self::BlockedByStripe => "blocked_by_stripe",
            Self::IssuerDecline => "issuer_decline",
            Self::MerchantProblem => "merchant_problem",
            Self::Paid => "paid",
            Self::NothingToCollect => "nothing_to_collect",
            Self::DisputeNeedsResponse => "dispute_needs_response",
            Self::DisputeUnderReview => "dispute_under_review",
            Self::DisputeClosed => "dispute_closed",
            Self::FraudWarningActionable => "fraud_warning_actionable",
            Self::FraudWarningSettled => "fraud_warning_settled",
            Self::RefundAsked => "refund_asked",
            Self::RefundMade => "refund_made",
            Self::RefundPending => "refund_pending",
            Self::RefundFailed => "refund_failed",
            Self::NothingAsked => "nothing_asked",
            Self::SubscriptionHealthy => "subscription_healthy",
            Self::SubscriptionOverdue => "subscription_overdue",
            Self::SubscriptionPaused => "subscription_paused",
            Self::SubscriptionEnding => "subscription_ending",
            Self::PaymentMethodReplaced => "payment_method_replaced",
            Self::Gone => "gone",
            Self::Unknown => "unknown",
        }
    }

    /// Whether nothing is left to do: the case closes.
    pub const fn is_settled(self) -> bool {
        matches!(
            self,
            Self::Paid
                | Self::NothingToCollect
                | Self::DisputeClosed
                | Self::FraudWarningSettled
                | Self::RefundMade
                | Self::NothingAsked
                | Self::SubscriptionHealthy
                | Self::PaymentMethodReplaced
        )
    }
}

impl fmt::Display for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A bucket with the facts that led to it, in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Classification {
    /// What was found.
    pub bucket: Bucket,
    /// Why, most decisive first.
    pub reasons: Vec<String>,
}

impl Classification {
    /// A bucket for one reason.
    pub fn new(bucket: Bucket, reason: impl Into<String>) -> Self {
        Self { bucket, reasons: vec![reason.into()] }
    }
}

/// The bucket of what was read. Total: everything has a bucket, and what fits none is
/// [`Bucket::Unknown`].
pub fn classify(context: &Context) -> Classification {
    match &context.subject {
        Subject::Invoice(Read::Found(invoice)) => payment::classify_invoice(invoice, &context.charges),
        Subject::Dispute(Read::Found(dispute)) => classify_dispute(dispute),
        Subject::FraudWarning(Read::Found(warning)) => classify_warning(warning),
        Subject::Refund(Read::Found(refund)) => classify_refund(refund),
        Subject::Charge(Read::Found(charge)) => payment::classify_charge(charge),
        Subject::Subscription(Read::Found(subscription)) => payment::classify_subscription(subscription),
        Subject::PaymentMethod(Read::Found(_)) => {
            Classification::new(Bucket::PaymentMethodReplaced, "the card network replaced the card")
        }
        Subject::PaymentMethod(Read::Gone) => {
            Classification::new(Bucket::PaymentMethodReplaced, "the payment method was taken away since")
        }
        // None of these vanishes in Stripe: it is more likely that this key belongs to another account.
        Subject::Invoice(Read::Gone)
        | Subject::Dispute(Read::Gone)
        | Subject::FraudWarning(Read::Gone)
        | Subject::Refund(Read::Gone)
        | Subject::Charge(Read::Gone)
        | Subject::Subscription(Read::Gone) => {
            Classification::new(Bucket::Gone, "Stripe says that it has no such object for this key")
        }
    }
}

fn classify_dispute(dispute: &Dispute) -> Classification {
    let status = &dispute.status;
    let bucket = match status {
        status if status.needs_response() => Bucket::DisputeNeedsResponse,
        status if status.is_closed() => Bucket::DisputeClosed,
        DisputeStatus::UnderReview | DisputeStatus::WarningUnderReview | DisputeStatus::AppealUnderReview => {
            Bucket::DisputeUnderReview
        }
        _ => Bucket::Unknown,
    };
    let mut found =
        Classification::new(bucket, format!("dispute status `{status}`, reason `{}`", dispute.reason));
    if let (Bucket::DisputeNeedsResponse, Some(due)) = (bucket, dispute.due_by) {
        found.reasons.push(format!("evidence is due by {due}"));
    }
    found
}

fn classify_warning(warning: &FraudWarning) -> Classification {
    let bucket =
        if warning.actionable { Bucket::FraudWarningActionable } else { Bucket::FraudWarningSettled };
    Classification::new(bucket, format!("early fraud warning `{}`", warning.fraud_type))
}

fn classify_refund(refund: &Refund) -> Classification {
    let (bucket, word) = match &refund.status {
        Some(RefundStatus::Succeeded) => (Bucket::RefundMade, "succeeded"),
        Some(RefundStatus::Pending) => (Bucket::RefundPending, "pending"),
        // It waits for the customer and will not arrive by itself.
        Some(RefundStatus::RequiresAction) => (Bucket::RefundFailed, "requires_action"),
        Some(RefundStatus::Failed) => (Bucket::RefundFailed, "failed"),
        Some(RefundStatus::Canceled) => (Bucket::RefundFailed, "canceled"),
        Some(RefundStatus::Other(status)) => (Bucket::Unknown, status.as_str()),
        None => (Bucket::Unknown, "missing"),
    };
    let mut found = Classification::new(bucket, format!("refund status `{word}`"));
    found.reasons.extend(refund.failure_reason.as_ref().map(|why| format!("failure reason `{why}`")));
    found
}

/// What is known of a part, or nothing.
fn known<T>(part: &Part<T>) -> Option<&T> {
    match part {
        Part::Known { value, .. } => Some(value),
        Part::Missing { .. } => None,
    }
}
