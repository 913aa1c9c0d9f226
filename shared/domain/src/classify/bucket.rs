//! The buckets.

use std::fmt;

use serde::{Deserialize, Serialize};

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
    /// The payment failed and the customer may well leave: a person speaks to them first.
    HighChurnRisk,
    /// Our request or set-up is at fault, not the customer.
    MerchantProblem,
    /// A payment is under way; a bank debit takes days.
    PaymentProcessing,
    /// The payment might work later, and Stripe will not try again by itself.
    RetriesExhausted,
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
    /// A subscription that is going to end.
    SubscriptionEnding,
    /// A subscription that has ended.
    SubscriptionEnded,
    /// The card network replaced a card.
    PaymentMethodReplaced,
    /// Stripe does not have the object that it told us of.
    Gone,
    /// Not known: a human looks (I7).
    Unknown,
}

impl Bucket {
    /// All buckets.
    pub const ALL: [Self; 32] = [
        Self::TemporaryFailure,
        Self::MissingPaymentMethod,
        Self::InvalidPaymentMethod,
        Self::AuthenticationNeeded,
        Self::HardDecline,
        Self::SuspectedFraud,
        Self::BlockedByStripe,
        Self::IssuerDecline,
        Self::HighChurnRisk,
        Self::MerchantProblem,
        Self::PaymentProcessing,
        Self::RetriesExhausted,
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
        Self::SubscriptionEnded,
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
            Self::HighChurnRisk => "high_churn_risk",
            Self::MerchantProblem => "merchant_problem",
            Self::PaymentProcessing => "payment_processing",
            Self::RetriesExhausted => "retries_exhausted",
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
            Self::SubscriptionEnded => "subscription_ended",
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
                | Self::SubscriptionEnded
                | Self::PaymentMethodReplaced
        )
    }
}

impl fmt::Display for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
