//! How the customer's payments stand, for the other systems. It comes from what Stripe said just now and
//! never from an event.

use super::{Turn, interlocks};
use crate::{
    ObjectId,
    classify::Bucket,
    context::{Context, Subject},
    plan::{PaymentStatus, Step, StepKind},
    snapshot::{DisputeStatus, Read},
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
        // An invoice over nothing, as at the start of a trial, says nothing of how the customer pays.
        Bucket::Paid if !interlocks::was_open(turn.before) && is_over_nothing(&turn.context.subject) => {
            return None;
        }
        Bucket::Paid | Bucket::SubscriptionHealthy => "current",
        Bucket::AuthenticationNeeded
        | Bucket::MissingPaymentMethod
        | Bucket::InvalidPaymentMethod
        | Bucket::HardDecline
        | Bucket::RetriesExhausted => "action_needed",
        Bucket::PaymentProcessing => "processing",
        Bucket::TemporaryFailure
        | Bucket::IssuerDecline
        | Bucket::HighChurnRisk
        | Bucket::SuspectedFraud
        | Bucket::BlockedByStripe
        | Bucket::MerchantProblem
        | Bucket::SubscriptionOverdue => "overdue",
        Bucket::DisputeNeedsResponse | Bucket::DisputeUnderReview => "disputed",
        Bucket::DisputeClosed => match &turn.context.subject {
            Subject::Dispute(Read::Found(dispute)) => closed(&dispute.status)?,
            _ => return None,
        },
        // A part that went back says nothing of how the customer's payments stand.
        Bucket::RefundMade if whole_went_back(turn.context) => "refunded",
        Bucket::SubscriptionPaused => "paused",
        Bucket::SubscriptionEnding => "ending",
        Bucket::SubscriptionEnded => "ended",
        _ => return None,
    })
}

fn is_over_nothing(subject: &Subject) -> bool {
    matches!(subject, Subject::Invoice(Read::Found(invoice)) if invoice.amount_due.amount == 0)
}

const fn closed(status: &DisputeStatus) -> Option<&'static str> {
    match status {
        DisputeStatus::Won => Some("dispute_won"),
        DisputeStatus::Lost => Some("dispute_lost"),
        DisputeStatus::Prevented => Some("dispute_prevented"),
        DisputeStatus::WarningClosed => Some("dispute_withdrawn"),
        _ => None,
    }
}

fn whole_went_back(context: &Context) -> bool {
    let charge = match &context.subject {
        Subject::Charge(Read::Found(charge)) => Some(charge),
        _ => context.charge.known(),
    };
    charge.is_some_and(|charge| charge.amount_refunded.amount > 0 && charge.refundable().amount == 0)
}
