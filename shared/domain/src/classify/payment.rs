//! Invoices, charges and subscriptions: what is open, and what is asked.

use super::{Bucket, Classification, classify_failure, known};
use crate::{
    context::Part,
    snapshot::{Charge, Invoice, InvoiceStatus, Subscription, SubscriptionStatus},
};

pub(super) fn classify_invoice(invoice: &Invoice, charges: &Part<Vec<Charge>>) -> Classification {
    match &invoice.status {
        InvoiceStatus::Paid => return Classification::new(Bucket::Paid, "the invoice is paid"),
        status @ (InvoiceStatus::Void | InvoiceStatus::Uncollectible | InvoiceStatus::Draft) => {
            return Classification::new(Bucket::NothingToCollect, format!("the invoice is {status}"));
        }
        InvoiceStatus::Open => {}
        InvoiceStatus::Other(status) => {
            return Classification::new(Bucket::Unknown, format!("unknown invoice status `{status}`"));
        }
    }
    let intent = invoice.open_payment();
    let latest = intent.and_then(|intent| intent.latest_charge.as_ref());
    let outcome = known(charges)
        .and_then(|charges| charges.iter().find(|charge| Some(&charge.id) == latest))
        .and_then(|charge| charge.outcome.as_ref());
    let mut found = classify_failure(
        intent.map(|intent| &intent.status),
        intent.and_then(|intent| intent.last_error.as_ref()),
        outcome,
        invoice.has_payment_method,
    );
    // Waiting helps only while somebody tries.
    if found.bucket == Bucket::TemporaryFailure && invoice.next_payment_attempt.is_none() {
        found.bucket = Bucket::RetriesExhausted;
    }
    found.reasons.push(match invoice.next_payment_attempt {
        Some(next) => format!("attempt {}, Stripe tries again at {next}", invoice.attempt_count),
        None => format!("attempt {}, Stripe will not try again by itself", invoice.attempt_count),
    });
    found
}

pub(super) fn classify_charge(charge: &Charge) -> Classification {
    if charge.refund_request.is_some() {
        return match charge.asked_refund() {
            Ok(Some((reason, amount))) => Classification::new(
                Bucket::RefundAsked,
                format!("a refund of {amount} is asked for ({reason})"),
            ),
            Ok(None) => Classification::new(
                Bucket::RefundMade,
                format!("{} of {} went back already", charge.amount_refunded, charge.amount),
            ),
            Err(why) => Classification::new(Bucket::Unknown, format!("a refund is asked for, but {why}")),
        };
    }
    if charge.amount_refunded.amount > 0 {
        let reason = format!("{} of {} went back", charge.amount_refunded, charge.amount);
        return Classification::new(Bucket::RefundMade, reason);
    }
    Classification::new(Bucket::NothingAsked, "nothing is asked about this charge")
}

pub(super) fn classify_subscription(subscription: &Subscription) -> Classification {
    let status = &subscription.status;
    let bucket = match status {
        SubscriptionStatus::Canceled | SubscriptionStatus::IncompleteExpired => Bucket::SubscriptionEnded,
        _ if subscription.ended_at.is_some() => Bucket::SubscriptionEnded,
        _ if subscription.is_ending() => Bucket::SubscriptionEnding,
        SubscriptionStatus::Active | SubscriptionStatus::Trialing => match &subscription.pause_collection {
            Some(behavior) => {
                let reason = format!("collection is paused; its invoices are treated as `{behavior}`");
                return Classification::new(Bucket::SubscriptionPaused, reason);
            }
            None => Bucket::SubscriptionHealthy,
        },
        SubscriptionStatus::PastDue | SubscriptionStatus::Unpaid | SubscriptionStatus::Incomplete => {
            Bucket::SubscriptionOverdue
        }
        SubscriptionStatus::Paused => Bucket::SubscriptionPaused,
        SubscriptionStatus::Other(_) => Bucket::Unknown,
    };
    Classification::new(bucket, format!("subscription status `{status}`"))
}
