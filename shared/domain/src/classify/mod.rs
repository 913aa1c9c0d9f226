//! What a case is: its bucket, and the reasons for it.

mod bucket;
mod failure;
mod payment;

use serde::{Deserialize, Serialize};

use crate::{
    context::{Context, Part, Subject},
    snapshot::{Dispute, DisputeStatus, FraudWarning, Read, Refund, RefundStatus},
};

pub use bucket::Bucket;
pub use failure::classify_failure;

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
