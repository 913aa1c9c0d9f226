//! The life of a subscription: how it begins, its trial, and each next period.
//! <https://docs.stripe.com/billing/subscriptions/overview>

use serde_json::{Value, json};

use super::{
    attempts::Session,
    bills::{self, Bill},
    collection::{self, Collected},
    invoice_items, invoices, lines, prices,
    subscriptions::{self, KIND},
};
use crate::stripe::{
    document::{self, Document as _, with_nulls},
    failure::{Failure, Outcome},
    store::Tx,
};

/// How long before its end a trial is announced, in seconds.
pub(crate) const NOTICE: i64 = 3 * 86_400;

/// What becomes of a subscription whose first payment fails.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum First {
    /// It stays incomplete.
    MayFail,
    /// It is not even tried.
    Waits,
    /// There is no subscription.
    MustSucceed,
}

/// What a subscription begins with.
pub(crate) struct Start<'s> {
    pub customer: &'s str,
    /// Recurring prices in one currency, and how many of each.
    pub items: Vec<(Value, i64)>,
    pub method: Option<&'s str>,
    /// The days that the customer has to pay each invoice, if they are sent.
    pub days_until_due: Option<i64>,
    /// In seconds since the epoch.
    pub trial_end: Option<i64>,
    /// What happens at the trial's end without a payment method.
    pub without_method: &'s str,
    pub first: First,
    pub session: Session,
    pub metadata: Value,
    pub description: Option<&'s str>,
}

/// Subscribes a customer to a price and charges the first period.
pub(crate) fn simple(tx: &mut Tx, customer: &str, price: &str) -> Outcome<Value> {
    tx.get("customer", customer, "customer")?;
    let price = tx.get("price", price, "items[0][price]")?;
    let start = Start {
        customer,
        items: vec![(price, 1)],
        method: None,
        days_until_due: None,
        trial_end: None,
        without_method: "create_invoice",
        first: First::MayFail,
        session: Session::Invoice,
        metadata: json!({}),
        description: None,
    };
    begin(tx, &start)
}

/// Begins a subscription with its trial or its first period.
pub(crate) fn begin(tx: &mut Tx, start: &Start) -> Outcome<Value> {
    let mut subscription = document(tx, start);
    tx.put(&subscription);
    let now = tx.now;
    let trial = start.trial_end.is_some();
    let draft = bill(tx, &mut subscription, "subscription_create", (now, now), trial)?;
    tx.put(&subscription);
    let customer = tx.get("customer", start.customer, "customer")?;
    invoice_items::claim_currency(tx, customer, draft.text("currency"));
    tx.emit("customer.subscription.created", &subscription);
    announce(tx, &subscription);
    if trial {
        invoices::finalize(tx, draft.id())?;
    } else if start.days_until_due.is_none() {
        invoices::finalize(tx, draft.id())?;
        first_payment(tx, draft.id(), start)?;
    }
    tx.get(KIND, subscription.id(), "id")
}

fn first_payment(tx: &mut Tx, invoice: &str, start: &Start) -> Outcome<()> {
    let open = tx.get(invoices::KIND, invoice, "invoice")?;
    if open.text("status") != "open" || start.first == First::Waits {
        return Ok(());
    }
    match collection::collect(tx, invoice, None, start.session, false)? {
        Collected::Failed { mut refusal, .. } if start.first == First::MustSucceed => {
            refusal.commits = false;
            Err(refusal)
        }
        _ => Ok(()),
    }
}

fn document(tx: &mut Tx, start: &Start) -> Value {
    let id = tx.fresh("sub_");
    let items: Vec<Value> = start
        .items
        .iter()
        .map(|(price, quantity)| item(tx, &id, price, *quantity, start.trial_end))
        .collect();
    let currency = start.items.first().map(|(price, _)| price.text("currency").to_owned());
    let customer = tx.look(start.customer).cloned().unwrap_or_default();
    let status = match (start.trial_end, start.days_until_due) {
        (Some(_), _) => "trialing",
        (None, Some(_)) => "active",
        (None, None) => "incomplete",
    };
    let method = if start.days_until_due.is_some() { "send_invoice" } else { "charge_automatically" };
    let anchor = start.trial_end.unwrap_or(tx.now);
    with_nulls(
        json!({
            "id": id,
            "object": KIND,
            "automatic_tax": { "disabled_reason": null, "enabled": false, "liability": null },
            "billing_cycle_anchor": anchor,
            "billing_mode": { "flexible": { "proration_discounts": "included" }, "type": "flexible" },
            "billing_schedules": [],
            "cancel_at_period_end": false,
            "cancellation_details": { "comment": null, "feedback": null, "feedback_option": null, "reason": null },
            "collection_method": method,
            "created": tx.now,
            "currency": currency,
            "customer": start.customer,
            "days_until_due": start.days_until_due,
            "default_payment_method": start.method,
            "default_tax_rates": [],
            "description": start.description,
            "discounts": [],
            "invoice_settings": {
                "account_tax_ids": null, "custom_fields": null, "description": null, "footer": null,
                "issuer": { "type": "self" },
            },
            "items": document::list(items, false, &format!("/v1/subscription_items?subscription={id}")),
            "livemode": false,
            "metadata": start.metadata,
            "start_date": tx.now,
            "status": status,
            "test_clock": customer.get("test_clock"),
            "trial_end": start.trial_end,
            "trial_settings": {
                "end_behavior": { "billing_cycle_anchor": null, "missing_payment_method": start.without_method },
            },
            "trial_start": start.trial_end.map(|_| tx.now),
        }),
        &[
            "application",
            "application_fee_percent",
            "billing_cycle_anchor_config",
            "billing_thresholds",
            "cancel_at",
            "canceled_at",
            "customer_account",
            "default_source",
            "ended_at",
            "latest_invoice",
            "managed_payments",
            "next_pending_invoice_item_invoice",
            "on_behalf_of",
            "pause_collection",
            "payment_settings",
            "pending_invoice_item_interval",
            "pending_setup_intent",
            "pending_update",
            "schedule",
            "transfer_data",
        ],
    )
}

fn item(tx: &mut Tx, subscription: &str, price: &Value, quantity: i64, trial_end: Option<i64>) -> Value {
    json!({
        "id": tx.fresh("si_"),
        "object": "subscription_item",
        "billing_thresholds": null,
        "created": tx.now,
        "current_period_end": trial_end.unwrap_or(tx.now + prices::seconds(price)),
        "current_period_start": tx.now,
        "current_trial": null,
        "discounts": [],
        "metadata": {},
        "plan": prices::plan(price),
        "price": price,
        "quantity": quantity,
        "subscription": subscription,
        "tax_rates": [],
    })
}

/// A draft for the current period of a subscription and for what else waits for an invoice.
fn bill(
    tx: &mut Tx,
    subscription: &mut Value,
    reason: &str,
    period: (i64, i64),
    trial: bool,
) -> Outcome<Value> {
    let customer = subscription.text("customer").to_owned();
    let currency = subscription.text("currency").to_owned();
    let waiting = invoice_items::pending(tx, &customer, &currency);
    let mut all = lines::of_subscription(tx, subscription, trial);
    all.extend(invoice_items::lines_of(tx, &waiting));
    let days = subscription.get("days_until_due").and_then(Value::as_i64);
    let sent = subscription.text("collection_method") == "send_invoice";
    let bill = Bill {
        customer: &customer,
        currency: &currency,
        reason,
        subscription: Some(subscription),
        period,
        due: sent.then_some(tx.now + days.unwrap_or(30) * 86_400),
        advances: true,
        lines: all,
    };
    let draft = bills::draft(tx, bill)?;
    invoice_items::settle(tx, waiting, draft.id());
    subscription.set("latest_invoice", draft.id());
    Ok(draft)
}

/// Says that a trial ends soon, once.
pub(crate) fn announce(tx: &mut Tx, subscription: &Value) {
    let told = told(subscription.id());
    let ends = subscription.int("trial_end");
    if subscription.text("status") == "trialing" && ends - NOTICE <= tx.now && tx.note(&told).is_none() {
        tx.set_note(&told, true.into());
        tx.emit("customer.subscription.trial_will_end", subscription);
    }
}

/// The note that a trial's end was announced.
pub(crate) fn told(subscription: &str) -> String {
    format!("trial_told:{subscription}")
}

/// Begins the next period, of which the bill is a draft unless collection is paused; ends a subscription
/// that was to end, and pauses or ends one whose trial is over and that cannot be charged.
pub(crate) fn next(tx: &mut Tx, id: &str) -> Outcome<Option<Value>> {
    let mut subscription = tx.get(KIND, id, "id")?;
    let trial = subscription.text("status") == "trialing";
    if !trial && !["active", "past_due"].contains(&subscription.text("status")) {
        return Err(Failure::refused(format!(
            "A subscription that is {} does not renew.",
            subscription.text("status")
        )));
    }
    if subscription.flag("cancel_at_period_end") {
        subscriptions::cancel(tx, id, "cancellation_requested")?;
        return Ok(None);
    }
    let charged = subscription.text("collection_method") == "charge_automatically";
    if trial && charged && !collection::can_charge(tx, &subscription) {
        match subscription.text("/trial_settings/end_behavior/missing_payment_method") {
            "pause" => {
                pause(tx, subscription);
                return Ok(None);
            }
            "cancel" => {
                subscriptions::cancel(tx, id, "payment_failed")?;
                return Ok(None);
            }
            _ => {}
        }
    }
    let start = subscription.int("/items/data/0/current_period_end");
    let previous = subscription.int("/items/data/0/current_period_start");
    for place in 0..subscription.each("/items/data").len() {
        let item = format!("/items/data/{place}");
        let length = subscription.pointer(&format!("{item}/price")).map_or(0, prices::seconds);
        subscription.set(&format!("{item}/current_period_start"), start);
        subscription.set(&format!("{item}/current_period_end"), start + length);
    }
    if trial {
        subscription.set("status", "active");
    }
    let draft = bill(tx, &mut subscription, "subscription_cycle", (previous, start), false)?;
    tx.update(&subscription, "customer.subscription.updated");
    not_collected(tx, &subscription, draft).map(Some)
}

/// What paused collection makes of a new draft.
fn not_collected(tx: &mut Tx, subscription: &Value, mut draft: Value) -> Outcome<Value> {
    match subscription.text("/pause_collection/behavior") {
        "keep_as_draft" => {
            draft.set("auto_advance", false);
            bills::plan_advance(tx, &mut draft);
            tx.update(&draft, "invoice.updated");
            Ok(draft)
        }
        "void" => {
            invoices::finalize(tx, draft.id())?;
            invoices::leave(tx, draft.id(), "void", &["open"])
        }
        "mark_uncollectible" => {
            invoices::finalize(tx, draft.id())?;
            invoices::leave(tx, draft.id(), "uncollectible", &["open"])
        }
        _ => Ok(draft),
    }
}

/// Begins the next period and collects its bill at once, without the hour in which a draft can be
/// changed. Answers the invoice, if there is one.
pub(crate) fn renew(tx: &mut Tx, id: &str) -> Outcome<Option<Value>> {
    match next(tx, id)? {
        Some(draft) if draft.text("status") == "draft" && draft.flag("auto_advance") => {
            collection::advance(tx, draft.id(), true).map(Some)
        }
        other => Ok(other),
    }
}

/// A trial ended and there is nothing to charge.
fn pause(tx: &mut Tx, mut subscription: Value) {
    subscription.set("status", "paused");
    subscription.set(
        "status_details",
        json!({ "paused": {
            "subscription": { "type": "trial_end_without_payment_method" }, "transitioned_at": tx.now,
            "type": "subscription",
        } }),
    );
    tx.update(&subscription, "customer.subscription.updated");
    tx.emit("customer.subscription.paused", &subscription);
}

/// The first payment did not come within the time that Stripe waits for it.
pub(crate) fn expire(tx: &mut Tx, id: &str) -> Outcome<()> {
    let mut subscription = tx.get(KIND, id, "id")?;
    subscription.set("status", "incomplete_expired");
    subscription.set("ended_at", tx.now);
    tx.update(&subscription, "customer.subscription.updated");
    let latest = subscription.text("latest_invoice");
    if tx.look(latest).is_some_and(|invoice| invoice.text("status") == "open") {
        invoices::leave(tx, latest, "void", &["open"])?;
    }
    Ok(())
}
