//! A realistic day of billing, the same for the same seed.

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::{Stripe, document::Document as _};

const DAY: i64 = 86_400;
const PERIOD: i64 = 30 * DAY;

/// Plans: minor units and currency. Amounts in dinars end in 0, as Stripe demands of currencies with
/// three decimals: <https://docs.stripe.com/currencies#three-decimal>.
const PLANS: &[(i64, &str)] = &[
    (1900, "usd"),
    (4900, "usd"),
    (9900, "eur"),
    (9800, "jpy"),
    (12_500, "kwd"),
    (29_900, "usd"),
    (2900, "eur"),
    (149_900, "usd"),
    (1500, "jpy"),
];

/// Declines that the day shows.
const DECLINES: &[&str] = &[
    "insufficient_funds",
    "generic_decline",
    "expired_card",
    "do_not_honor",
    "lost_card",
    "fraudulent",
    "processing_error",
    "authentication_required",
    "stolen_card",
    "card_velocity_exceeded",
    "incorrect_cvc",
    "transaction_not_allowed",
    "issuer_not_available",
    "revocation_of_authorization",
    "new_account_information_available",
    "pickup_card",
    "merchant_blacklist",
    "call_issuer",
    "restricted_card",
    "try_again_later",
];

/// Why charges are disputed, and why issuers warn.
const REASONS: &[&str] =
    &["fraudulent", "product_not_received", "subscription_canceled", "duplicate", "unrecognized", "general"];
const WARNINGS: &[&str] =
    &["unauthorized_use_of_card", "made_with_stolen_card", "card_never_received", "misc"];

/// One customer of the day.
struct Subscriber {
    number: usize,
    method: String,
    subscription: String,
    amount: i64,
    /// When the subscription renews.
    renews: i64,
}

/// Lives through the last 24 hours: `customers` of them renew their subscriptions, and what the day
/// brings happens to them. History before the day makes no events. Forty customers make more than two
/// hundred events over every type that billing cases are made of.
///
/// # Errors
/// If the state cannot be kept.
pub fn day(stripe: &Stripe, customers: usize, seed: u64) -> Result<()> {
    let mut dice = Dice(seed);
    let end = stripe.clock.seconds();
    let start = end - DAY;
    let mut subscribers = Vec::new();
    for number in 0..customers {
        let place = i64::try_from(number).unwrap_or_default();
        let count = i64::try_from(customers.max(1)).unwrap_or(1);
        // Two thirds of the day for renewals, so that their consequences fit in.
        let renews = start + place * (DAY * 2 / 3) / count + dice.below(60);
        subscribers.push(stripe.in_the_past(renews - PERIOD, true, || join(stripe, number, renews))?);
    }
    for subscriber in &subscribers {
        live(stripe, subscriber, &mut dice, end)
            .with_context(|| format!("customer {}", subscriber.number))?;
    }
    Ok(())
}

fn join(stripe: &Stripe, number: usize, renews: i64) -> Result<Subscriber> {
    let customer =
        stripe.create_customer(&format!("Customer {number}"), &format!("canary-{number}@example.test"))?;
    let card = match role(number) {
        Role::RefundFails => "pm_card_refundFail",
        Role::RefundPends => "pm_card_pendingRefund",
        _ if number.is_multiple_of(3) => "pm_card_mastercard",
        _ => "pm_card_visa",
    };
    let method = stripe.attach_card(customer.id(), card)?;
    let (amount, currency) = PLANS.get(number % PLANS.len()).copied().unwrap_or((1900, "usd"));
    let subscription = stripe.subscribe(customer.id(), amount, currency)?;
    Ok(Subscriber {
        number,
        method: method.id().to_owned(),
        subscription: subscription.id().to_owned(),
        amount,
        renews,
    })
}

/// What the day brings to a customer.
enum Role {
    Pays,
    Declines,
    CardIsReplaced,
    AsksForRefund,
    MustAuthenticate,
    Disputes,
    Leaves,
    IsWarnedOf,
    IsRefunded,
    RefundFails,
    RefundPends,
    CancelsLater,
}

fn role(number: usize) -> Role {
    match number % 14 {
        1 | 8 => Role::Declines,
        2 => Role::CardIsReplaced,
        3 | 10 => Role::AsksForRefund,
        4 => Role::MustAuthenticate,
        5 | 12 => Role::Disputes,
        6 => Role::Leaves,
        7 => Role::IsWarnedOf,
        9 => Role::IsRefunded,
        11 if number % 28 == 11 => Role::RefundFails,
        11 => Role::RefundPends,
        13 => Role::CancelsLater,
        _ => Role::Pays,
    }
}

fn live(stripe: &Stripe, who: &Subscriber, dice: &mut Dice, end: i64) -> Result<()> {
    let turn = who.number / 14;
    let decline =
        DECLINES.get((turn * 5 + who.number % 14) % DECLINES.len()).copied().unwrap_or("do_not_honor");
    let at = |minutes: i64| (who.renews + minutes * 60).min(end);
    let renew =
        || -> Result<Value> { stripe.renew(&who.subscription)?.context("the subscription did not renew") };
    let today = |minutes: i64, work: &dyn Fn() -> Result<()>| stripe.in_the_past(at(minutes), false, work);
    let turns_bad = |card: &str| stripe.in_the_past(at(-1), true, || stripe.card_becomes(&who.method, card));

    match role(who.number) {
        Role::Declines => turns_bad(&format!("pm_card_decline_{decline}"))?,
        Role::CardIsReplaced => turns_bad("pm_card_decline_expired_card")?,
        Role::MustAuthenticate => turns_bad("pm_card_threeDSecure2Required")?,
        Role::Leaves => turns_bad("pm_card_decline_insufficient_funds")?,
        _ => {}
    }
    let invoice = stripe.in_the_past(at(0), false, renew)?;
    let invoice = invoice.id();
    let charge = stripe.charge_of(invoice).unwrap_or_default();
    let part = (who.amount / 20).max(1) * 10;
    match role(who.number) {
        Role::CardIsReplaced => {
            today(40, &|| stripe.update_card(&who.method, "pm_card_visa").map(drop))?;
            today(90, &|| stripe.retry_invoice(invoice).map(drop))?;
        }
        Role::AsksForRefund => {
            let wish = match (who.number % 14, turn % 2) {
                (3, 0) => "requested_by_customer".to_owned(),
                (3, _) => format!("requested_by_customer:{part}"),
                _ => "duplicate".to_owned(),
            };
            let form = format!("metadata[refund_request]={wish}");
            today(60 + dice.below(120), &|| {
                stripe.request("POST", &format!("/v1/charges/{charge}"), &form).map(drop)
            })?;
        }
        Role::MustAuthenticate if turn % 2 == 1 => {
            today(30, &|| {
                stripe.card_becomes(&who.method, "pm_card_visa")?;
                stripe.pay(invoice).map(drop)
            })?;
        }
        Role::Pays | Role::Declines | Role::MustAuthenticate => {}
        Role::Disputes => dispute(stripe, who, &charge, turn, dice, &today, end)?,
        Role::Leaves => {
            today(200, &|| stripe.delete_subscription(&who.subscription).map(drop))?;
        }
        Role::IsWarnedOf => {
            let warning = WARNINGS.get(turn % WARNINGS.len()).copied().unwrap_or("misc");
            today(50, &|| stripe.early_fraud_warning(&charge, warning).map(drop))?;
            if turn % 3 == 1 {
                let due_by = end + 9 * DAY;
                today(180, &|| stripe.open_dispute(&charge, "fraudulent", who.amount, due_by).map(drop))?;
            }
        }
        Role::IsRefunded => {
            let amount = turn.is_multiple_of(2).then_some(part);
            today(70, &|| stripe.refund(&charge, amount, "requested_by_customer").map(drop))?;
        }
        Role::RefundFails | Role::RefundPends => {
            let refund = stripe
                .in_the_past(at(45), false, || stripe.refund(&charge, None, "requested_by_customer"))?;
            if matches!(role(who.number), Role::RefundFails) {
                today(240, &|| stripe.fail_refund(refund.id(), "expired_or_canceled_card").map(drop))?;
            } else if turn % 4 == 3 {
                today(240, &|| stripe.succeed_refund(refund.id()).map(drop))?;
            }
        }
        Role::CancelsLater => {
            let form = if turn.is_multiple_of(2) {
                "cancel_at_period_end=true&cancellation_details[feedback]=too_expensive"
            } else {
                "pause_collection[behavior]=keep_as_draft"
            };
            let path = format!("/v1/subscriptions/{}", who.subscription);
            today(100, &|| stripe.request("POST", &path, form).map(drop))?;
        }
    }
    Ok(())
}

type Today<'t> = &'t dyn Fn(i64, &dyn Fn() -> Result<()>) -> Result<()>;

/// A dispute: an inquiry now and then, evidence staged or sent, some decided the same day.
fn dispute(
    stripe: &Stripe,
    who: &Subscriber,
    charge: &str,
    turn: usize,
    dice: &mut Dice,
    today: Today,
    end: i64,
) -> Result<()> {
    let variant = turn * 2 + usize::from(who.number % 14 == 12);
    let reason = REASONS.get(variant % REASONS.len()).copied().unwrap_or("general");
    let due_by = end + (1 + dice.below(14)) * DAY + dice.below(DAY);
    today(60, &|| {
        if variant % 4 == 3 {
            stripe.open_inquiry(charge, reason, who.amount, due_by)?;
        } else {
            stripe.open_dispute(charge, reason, who.amount, due_by)?;
        }
        Ok(())
    })?;
    let disputes = stripe.objects("dispute");
    let id = disputes.last().context("no dispute was opened")?.id().to_owned();
    if variant % 3 == 1 {
        let form = "submit=false&evidence[product_description]=Monthly+plan";
        today(150, &|| stripe.request("POST", &format!("/v1/disputes/{id}"), form).map(drop))?;
    }
    if variant % 3 == 2 {
        let form = "evidence[uncategorized_text]=Used+every+day";
        today(150, &|| stripe.request("POST", &format!("/v1/disputes/{id}"), form).map(drop))?;
        let inquiry = variant % 4 == 3;
        let verdict = if inquiry {
            "warning_closed"
        } else if variant.is_multiple_of(2) {
            "won"
        } else {
            "lost"
        };
        today(300, &|| stripe.decide_dispute(&id, verdict).map(drop))?;
    }
    Ok(())
}

/// Numbers that depend on the seed alone: `SplitMix64`.
struct Dice(u64);

impl Dice {
    /// A number from 0 to `limit - 1`.
    fn below(&mut self, limit: i64) -> i64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^= mixed >> 31;
        let limit = u64::try_from(limit).unwrap_or(1).max(1);
        i64::try_from(mixed % limit).unwrap_or_default()
    }
}
