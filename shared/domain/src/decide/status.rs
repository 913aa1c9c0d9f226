//! How the customer's payments stand, for the other systems. It comes from what Stripe said just now and
//! never from an event.

use super::Turn;
use crate::{
    ObjectId, Timestamp,
    classify::Bucket,
    context::Subject,
    plan::{PaymentStatus, Step, StepKind},
    snapshot::{Read, SubscriptionStatus},
};

/// The payment status to write, if this case says anything about it.
pub(super) fn step(turn: &Turn<'_>) -> Option<Step> {
    let context = turn.context;
    context.customer.as_ref()?;
    let status = word(turn)?;
    let object = ObjectId::clone(turn.key.object());
    let open = match &context.subject {
        Subject::Invoice(Read::Found(invoice)) => Some(invoice.amount_remaining),
        _ => None,
    };
    let kind =
        StepKind::PaymentStatus(PaymentStatus { status: status.to_owned(), open, object, read: context.at });
    Some(turn.step(kind, &format!("{status} {}", news(&context.subject))))
}

/// What makes the same word news after another one: it comes from what Stripe says, so that neither the
/// order of events nor a duplicate writes twice.
fn news(subject: &Subject) -> String {
    match subject {
        Subject::Invoice(Read::Found(invoice)) => invoice.amount_remaining.to_string(),
        Subject::Subscription(Read::Found(one)) => {
            one.latest_invoice.as_ref().map_or_else(String::new, ToString::to_string)
        }
        Subject::Charge(Read::Found(charge)) => charge.amount_refunded.to_string(),
        _ => String::new(),
    }
}

fn word(turn: &Turn<'_>) -> Option<&'static str> {
    Some(match turn.classification.bucket {
        Bucket::Paid | Bucket::SubscriptionHealthy => "current",
        Bucket::AuthenticationNeeded
        | Bucket::MissingPaymentMethod
        | Bucket::InvalidPaymentMethod
        | Bucket::HardDecline => "action_needed",
        Bucket::TemporaryFailure
        | Bucket::IssuerDecline
        | Bucket::HighChurnRisk
        | Bucket::SuspectedFraud
        | Bucket::BlockedByStripe
        | Bucket::MerchantProblem
        | Bucket::SubscriptionOverdue => "overdue",
        Bucket::DisputeNeedsResponse | Bucket::DisputeUnderReview => "disputed",
        Bucket::RefundMade => "refunded",
        Bucket::SubscriptionPaused => "paused",
        Bucket::SubscriptionEnding => match &turn.context.subject {
            Subject::Subscription(Read::Found(one)) if has_ended(&one.status, one.ended_at) => "ended",
            _ => "ending",
        },
        _ => return None,
    })
}

fn has_ended(status: &SubscriptionStatus, ended: Option<Timestamp>) -> bool {
    ended.is_some() || matches!(status, SubscriptionStatus::Canceled | SubscriptionStatus::IncompleteExpired)
}
