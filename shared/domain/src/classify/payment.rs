//! Invoices, charges and subscriptions: why a payment failed, and what is asked.

use std::{collections::BTreeMap, sync::LazyLock};

use serde::Deserialize;

use super::{Bucket, Classification, known};
use crate::{
    context::Part,
    snapshot::{
        Charge, Invoice, InvoiceStatus, Outcome, OutcomeKind, PaymentError, PaymentIntentStatus,
        Subscription, SubscriptionStatus,
    },
};

/// Stripe's codes and our buckets for them: data, so that a new code is a new line.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Codes {
    decline_codes: BTreeMap<String, Bucket>,
    error_codes: BTreeMap<String, Bucket>,
    blocked_reasons: BTreeMap<String, Bucket>,
}

// A table that does not parse leaves every code unknown, and each of them goes to a human; a test
// makes sure that it parses.
static CODES: LazyLock<Codes> = LazyLock::new(|| {
    toml::from_str(include_str!("codes.toml")).unwrap_or_else(|_| Codes {
        decline_codes: BTreeMap::new(),
        error_codes: BTreeMap::new(),
        blocked_reasons: BTreeMap::new(),
    })
});

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
    found.reasons.push(match invoice.next_payment_attempt {
        Some(next) => format!("attempt {}, Stripe tries again at {next}", invoice.attempt_count),
        None => format!("attempt {}, Stripe will not try again by itself", invoice.attempt_count),
    });
    found
}

/// Why a payment failed. The order of the questions is the rule: what needs the customer now, what
/// Stripe blocked, what the network advises, what the codes say, what is missing.
pub fn classify_failure(
    intent: Option<&PaymentIntentStatus>,
    error: Option<&PaymentError>,
    outcome: Option<&Outcome>,
    has_payment_method: Option<bool>,
) -> Classification {
    if intent == Some(&PaymentIntentStatus::RequiresAction) {
        return Classification::new(
            Bucket::AuthenticationNeeded,
            "the payment waits for the customer's action",
        );
    }
    if intent == Some(&PaymentIntentStatus::Processing) && error.is_none() {
        return Classification::new(Bucket::TemporaryFailure, "the payment is being processed");
    }
    if let Some(Outcome { kind: OutcomeKind::Blocked, reason, .. }) = outcome {
        let reason = reason.as_deref().unwrap_or("none");
        let bucket = CODES.blocked_reasons.get(reason).copied().unwrap_or(Bucket::Unknown);
        return Classification::new(bucket, format!("Stripe blocked the payment: `{reason}`"));
    }
    let decline = error.and_then(|error| error.decline_code.as_deref());
    let by_decline = decline.and_then(|code| CODES.decline_codes.get(code).copied());
    let code = error.and_then(|error| error.code.as_deref());
    let advice = error
        .and_then(|error| error.advice_code.as_deref())
        .or_else(|| outcome.and_then(|outcome| outcome.advice_code.as_deref()));
    let code_reason = match (decline, code) {
        (Some(decline), _) => Some(format!("decline code `{decline}`")),
        (None, Some(code)) => Some(format!("error code `{code}`")),
        (None, None) => None,
    };
    let found = |bucket, first: String| {
        let mut found = Classification::new(bucket, first);
        found.reasons.extend(code_reason.clone().filter(|reason| !found.reasons.contains(reason)));
        found
    };
    let lasting = |bucket: &Bucket| {
        matches!(
            bucket,
            Bucket::InvalidPaymentMethod
                | Bucket::AuthenticationNeeded
                | Bucket::SuspectedFraud
                | Bucket::BlockedByStripe
                | Bucket::HardDecline
        )
    };
    // What is suspected outranks any advice, and a code that nobody knows is not softened by one.
    let suspected = |bucket: &Bucket| {
        matches!(bucket, Bucket::SuspectedFraud | Bucket::BlockedByStripe | Bucket::HardDecline)
    };
    if let (Some(decline), None) = (decline, by_decline)
        && advice != Some("do_not_try_again")
    {
        return found(Bucket::Unknown, format!("unknown decline code `{decline}`"));
    }
    match advice {
        Some("do_not_try_again") => {
            let bucket = by_decline.filter(lasting).unwrap_or(Bucket::HardDecline);
            return found(bucket, "the network advises not to try this card again".into());
        }
        Some("confirm_card_data") => {
            let bucket = by_decline.filter(suspected).unwrap_or(Bucket::InvalidPaymentMethod);
            return found(bucket, "the network asks for corrected card details".into());
        }
        Some("try_again_later") => {
            let bucket = by_decline.filter(suspected).unwrap_or(Bucket::TemporaryFailure);
            return found(bucket, "the network allows a later try".into());
        }
        _ => {}
    }
    if let (Some(decline), Some(bucket)) = (decline, by_decline) {
        return found(bucket, format!("decline code `{decline}`"));
    }
    if let Some(bucket) = code.and_then(|code| CODES.error_codes.get(code).copied()) {
        return found(bucket, format!("error code `{}`", code.unwrap_or_default()));
    }
    if has_payment_method == Some(false) {
        return found(Bucket::MissingPaymentMethod, "no payment method is on file".into());
    }
    found(Bucket::Unknown, "Stripe gave no reason that is known".into())
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
        _ if subscription.is_ending() => Bucket::SubscriptionEnding,
        SubscriptionStatus::Active | SubscriptionStatus::Trialing => Bucket::SubscriptionHealthy,
        SubscriptionStatus::Canceled | SubscriptionStatus::IncompleteExpired => Bucket::SubscriptionEnding,
        SubscriptionStatus::PastDue | SubscriptionStatus::Unpaid | SubscriptionStatus::Incomplete => {
            Bucket::SubscriptionOverdue
        }
        SubscriptionStatus::Paused => Bucket::SubscriptionPaused,
        SubscriptionStatus::Other(_) => Bucket::Unknown,
    };
    Classification::new(bucket, format!("subscription status `{status}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(decline: Option<&str>, code: Option<&str>, advice: Option<&str>) -> PaymentError {
        PaymentError {
            code: code.map(Into::into),
            decline_code: decline.map(Into::into),
            advice_code: advice.map(Into::into),
            payment_method: None,
        }
    }

    fn bucket(decline: Option<&str>, code: Option<&str>, advice: Option<&str>) -> Bucket {
        classify_failure(None, Some(&error(decline, code, advice)), None, Some(true)).bucket
    }

    #[test]
    fn the_table_of_codes_parses_and_every_code_in_it_is_found() {
        let codes: Codes = toml::from_str(include_str!("codes.toml")).unwrap();
        assert!(codes.decline_codes.len() >= 55, "{}", codes.decline_codes.len());
        for (code, expected) in &codes.decline_codes {
            assert_eq!(bucket(Some(code), Some("card_declined"), None), *expected, "{code}");
        }
        for (code, expected) in &codes.error_codes {
            assert_eq!(bucket(None, Some(code), None), *expected, "{code}");
        }
    }

    #[test]
    fn an_unknown_code_goes_to_a_human() {
        assert_eq!(bucket(Some("brand_new_code"), Some("card_declined"), None), Bucket::Unknown);
        assert_eq!(bucket(None, Some("brand_new_code"), None), Bucket::Unknown);
        assert_eq!(classify_failure(None, None, None, None).bucket, Bucket::Unknown);
    }

    #[test]
    fn the_networks_advice_outranks_a_soft_code_but_not_a_suspicion() {
        assert_eq!(bucket(Some("insufficient_funds"), None, Some("do_not_try_again")), Bucket::HardDecline);
        assert_eq!(bucket(Some("stolen_card"), None, Some("do_not_try_again")), Bucket::SuspectedFraud);
        assert_eq!(bucket(Some("generic_decline"), None, Some("try_again_later")), Bucket::TemporaryFailure);
        assert_eq!(bucket(Some("stolen_card"), None, Some("try_again_later")), Bucket::SuspectedFraud);
        assert_eq!(
            bucket(Some("do_not_honor"), None, Some("confirm_card_data")),
            Bucket::InvalidPaymentMethod
        );
    }

    #[test]
    fn waiting_for_the_customer_and_a_block_by_stripe_come_before_any_code() {
        let error = error(Some("insufficient_funds"), None, None);
        let waiting = Some(&PaymentIntentStatus::RequiresAction);
        assert_eq!(classify_failure(waiting, Some(&error), None, None).bucket, Bucket::AuthenticationNeeded);
        let blocked = |reason: &str| Outcome {
            kind: OutcomeKind::Blocked,
            reason: Some(reason.into()),
            risk_level: None,
            network_status: None,
            advice_code: None,
        };
        let of = |reason| classify_failure(None, Some(&error), Some(&blocked(reason)), None).bucket;
        assert_eq!(of("highest_risk_level"), Bucket::BlockedByStripe);
        assert_eq!(of("low_probability_of_authorization"), Bucket::IssuerDecline);
        assert_eq!(of("brand_new_reason"), Bucket::Unknown);
    }

    #[test]
    fn without_a_code_a_missing_payment_method_is_named() {
        assert_eq!(classify_failure(None, None, None, Some(false)).bucket, Bucket::MissingPaymentMethod);
    }
}
