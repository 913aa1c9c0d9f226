//! Subscriptions by request: <https://docs.stripe.com/api/subscriptions>.

use serde_json::{Value, json};

use super::{
    attempts::Session,
    collection, methods, pauses,
    periods::{self, First, Start},
    prices,
};
use crate::stripe::{
    document::{Document as _, merge_metadata},
    failure::{Failure, Outcome},
    form::Params,
    lists,
    routes::Call,
    store::Tx,
};

pub(crate) const KIND: &str = "subscription";

/// Parameters of [`create`]; Stripe has more, which are not modelled.
pub(crate) const CREATE_PARAMS: &[&str] = &[
    "cancel_at_period_end",
    "collection_method",
    "customer",
    "days_until_due",
    "default_payment_method",
    "description",
    "items",
    "metadata",
    "off_session",
    "payment_behavior",
    "trial_end",
    "trial_period_days",
    "trial_settings",
];

/// Parameters of [`update`]; Stripe has more, which are not modelled.
pub(crate) const PARAMS: &[&str] = &[
    "cancel_at",
    "cancel_at_period_end",
    "cancellation_details",
    "default_payment_method",
    "description",
    "metadata",
    "pause_collection",
    "proration_behavior",
    "trial_end",
];

/// Parameters of [`all`].
pub(crate) const LIST_PARAMS: &[&str] =
    &["created", "customer", "ending_before", "limit", "price", "starting_after", "status", "test_clock"];

/// Ends a subscription now and stops the automatic collection of its open invoices.
pub(crate) fn cancel(tx: &mut Tx, id: &str, reason: &str) -> Outcome<Value> {
    let mut subscription = tx.get(KIND, id, "id")?;
    if subscription.text("status") == "canceled" {
        // Stripe answers as if it were gone.
        return Err(Failure::missing(KIND, id, "id"));
    }
    subscription.set("canceled_at", tx.now);
    subscription.set("ended_at", tx.now);
    subscription.set("cancel_at_period_end", false);
    subscription.set("/cancellation_details/reason", reason);
    subscription.set("status", "canceled");
    tx.put(&subscription);
    tx.emit("customer.subscription.deleted", &subscription);
    for mut invoice in tx.with("invoice", "/parent/subscription_details/subscription", id) {
        if ["draft", "open"].contains(&invoice.text("status")) {
            invoice.set("auto_advance", false);
            invoice.set("next_payment_attempt", Value::Null);
            tx.update(&invoice, "invoice.updated");
        }
    }
    Ok(subscription)
}

/// `POST /v1/subscriptions`
pub(crate) fn create(tx: &mut Tx, call: &Call) -> Outcome<Value> {
    let params = &call.params;
    let customer = params.required("customer")?;
    tx.get("customer", customer, "customer")?;
    let items = items(tx, params)?;
    let method = params.text("default_payment_method")?.filter(|id| !id.is_empty());
    if let Some(method) = method {
        methods::usable(tx, method, Some(customer), "default_payment_method")?;
    }
    let sent = params.one_of("collection_method", &["charge_automatically", "send_invoice"])?
        == Some("send_invoice");
    let days_until_due = params.int("days_until_due")?;
    if sent != days_until_due.is_some() {
        return Err(Failure::parameter(
            "days_until_due",
            "A subscription has `days_until_due` exactly if `collection_method` is `send_invoice`.",
        ));
    }
    let end_behavior = params.hash("trial_settings").hash("end_behavior");
    let without_method =
        end_behavior.one_of("missing_payment_method", &["cancel", "create_invoice", "pause"])?;
    let behavior = params
        .one_of("payment_behavior", &["allow_incomplete", "default_incomplete", "error_if_incomplete"])?;
    let mut shown = json!({ "metadata": {} });
    merge_metadata(&mut shown, params.raw("metadata"));
    let start = Start {
        customer,
        items,
        method,
        days_until_due,
        trial_end: trial_end(tx, params)?,
        without_method: without_method.unwrap_or("create_invoice"),
        first: match behavior {
            Some("default_incomplete") => First::Waits,
            Some("error_if_incomplete") => First::MustSucceed,
            _ => First::MayFail,
        },
        session: if params.flag("off_session")?.unwrap_or(false) { Session::Off } else { Session::On },
        metadata: shown.get("metadata").cloned().unwrap_or_default(),
        description: params.text("description")?.filter(|text| !text.is_empty()),
    };
    let now_charged = !sent && start.trial_end.is_none() && start.first != First::Waits;
    let payer = json!({ "customer": customer, "default_payment_method": method });
    let free = start.items.iter().all(|(price, quantity)| price.int("unit_amount") * quantity == 0);
    if now_charged && !free && !collection::can_charge(tx, &payer) {
        return Err(Failure::refused(
            "This customer has no attached payment source or default payment method. Please consider adding a \
             default payment method.",
        )
        .with("code", "resource_missing"));
    }
    let mut subscription = periods::begin(tx, &start)?;
    if params.flag("cancel_at_period_end")?.unwrap_or(false) {
        end_with_period(tx, &mut subscription, true);
        tx.put(&subscription);
    }
    Ok(subscription)
}

fn items(tx: &Tx, params: &Params) -> Outcome<Vec<(Value, i64)>> {
    let mut items: Vec<(Value, i64)> = Vec::new();
    for asked in params.hashes("items") {
        asked.only(&["metadata", "price", "plan", "quantity"])?;
        let field = if asked.raw("plan").is_some() { "plan" } else { "price" };
        let price = tx.get("price", asked.required(field)?, &asked.called(field))?;
        let fits = price.text("type") == "recurring"
            && items.first().is_none_or(|(first, _)| {
                first.text("currency") == price.text("currency")
                    && prices::seconds(first) == prices::seconds(&price)
            });
        if !fits {
            return Err(Failure::refused(
                "All prices of a subscription must be recurring, in one currency and over one interval.",
            )
            .with("param", asked.called(field)));
        }
        items.push((price, asked.int("quantity")?.unwrap_or(1)));
    }
    if items.is_empty() { Err(Failure::required("items")) } else { Ok(items) }
}

/// When a trial ends, in seconds since the epoch; none if there is none or it ends now.
fn trial_end(tx: &Tx, params: &Params) -> Outcome<Option<i64>> {
    let days = params.int("trial_period_days")?.filter(|days| *days > 0);
    if params.text("trial_end")? == Some("now") {
        return Ok(None);
    }
    match (params.int("trial_end")?, days) {
        (Some(at), None) if at > tx.now => Ok(Some(at)),
        (None, days) => Ok(days.map(|days| tx.now + days * 86_400)),
        _ => Err(Failure::parameter("trial_end", "Invalid timestamp: it must be in the future.")),
    }
}

/// `POST /v1/subscriptions/{id}`
pub(crate) fn update(tx: &mut Tx, call: &Call) -> Outcome<Value> {
    let params = &call.params;
    let mut subscription = tx.get(KIND, call.id(), "id")?;
    if subscription.text("status") == "canceled" {
        return Err(Failure::refused(
            "A canceled subscription can only update its cancellation_details and metadata.",
        ));
    }
    params.one_of("proration_behavior", &["always_invoice", "create_prorations", "none"])?;
    if let Some(ends) = params.flag("cancel_at_period_end")? {
        end_with_period(tx, &mut subscription, ends);
    }
    if params.raw("cancel_at").is_some() {
        let at = params.int("cancel_at")?;
        subscription.set("cancel_at", at);
        subscription.set("canceled_at", at.map(|_| tx.now));
    }
    details(&mut subscription, params)?;
    pauses::collect_later(&mut subscription, params)?;
    if let Some(method) = params.text("default_payment_method")? {
        if !method.is_empty() {
            tx.get("payment_method", method, "default_payment_method")?;
        }
        subscription.set("default_payment_method", Some(method).filter(|method| !method.is_empty()));
    }
    if let Some(text) = params.text("description")? {
        subscription.set("description", Some(text).filter(|text| !text.is_empty()));
    }
    merge_metadata(&mut subscription, params.raw("metadata"));
    match params.text("trial_end")? {
        None => {
            tx.update(&subscription, "customer.subscription.updated");
            Ok(subscription)
        }
        Some("now") => end_trial(tx, subscription),
        Some(_) => {
            let at = params.int("trial_end")?.filter(|at| *at > tx.now);
            let at = at.ok_or_else(|| {
                Failure::parameter("trial_end", "Invalid timestamp: it must be in the future.")
            })?;
            move_trial(tx, subscription, at)
        }
    }
}

/// A trial ends now, and the first paid period begins.
fn end_trial(tx: &mut Tx, mut subscription: Value) -> Outcome<Value> {
    if subscription.text("status") != "trialing" {
        tx.update(&subscription, "customer.subscription.updated");
        return Ok(subscription);
    }
    subscription.set("trial_end", tx.now);
    for place in 0..subscription.each("/items/data").len() {
        subscription.set(&format!("/items/data/{place}/current_period_end"), tx.now);
    }
    subscription.set("billing_cycle_anchor", tx.now);
    tx.put(&subscription);
    periods::renew(tx, subscription.id())?;
    tx.get(KIND, subscription.id(), "id")
}

/// A trial ends at another time.
fn move_trial(tx: &mut Tx, mut subscription: Value, at: i64) -> Outcome<Value> {
    if subscription.text("status") != "trialing" {
        return Err(Failure::refused("Trials can only be moved, not begun, on a subscription that runs.")
            .with("param", "trial_end"));
    }
    subscription.set("trial_end", at);
    subscription.set("billing_cycle_anchor", at);
    for place in 0..subscription.each("/items/data").len() {
        subscription.set(&format!("/items/data/{place}/current_period_end"), at);
    }
    tx.update(&subscription, "customer.subscription.updated");
    periods::announce(tx, &subscription);
    Ok(subscription)
}

/// Lets a subscription end with its period, or no longer.
fn end_with_period(tx: &Tx, subscription: &mut Value, ends: bool) {
    let end = subscription.int("/items/data/0/current_period_end");
    subscription.set("cancel_at_period_end", ends);
    subscription.set("cancel_at", ends.then_some(end));
    subscription.set("canceled_at", ends.then_some(tx.now));
    subscription.set("/cancellation_details/reason", ends.then_some("cancellation_requested"));
}

fn details(subscription: &mut Value, params: &Params) -> Outcome<()> {
    let details = params.hash("cancellation_details");
    details.only(&["comment", "feedback", "feedback_option"])?;
    for field in ["comment", "feedback", "feedback_option"] {
        if let Some(text) = details.text(field)? {
            let text = Some(text).filter(|text| !text.is_empty());
            subscription.set(&format!("/cancellation_details/{field}"), text);
        }
    }
    Ok(())
}

/// `DELETE /v1/subscriptions/{id}`
pub(crate) fn cancel_call(tx: &mut Tx, call: &Call) -> Outcome<Value> {
    call.params.flag("invoice_now")?;
    call.params.flag("prorate")?;
    let mut subscription = tx.get(KIND, call.id(), "id")?;
    details(&mut subscription, &call.params)?;
    tx.put(&subscription);
    cancel(tx, call.id(), "cancellation_requested")
}

/// `GET /v1/subscriptions`: without `status`, all that are not canceled.
pub(crate) fn all(tx: &mut Tx, call: &Call) -> Outcome<Value> {
    let params = &call.params;
    let customer = params.text("customer")?;
    let price = params.text("price")?;
    let status = params.text("status")?;
    let clock = params.text("test_clock")?;
    let wanted = |subscription: &Value| {
        customer.is_none_or(|id| subscription.text("customer") == id)
            // Those of test clocks only if they are asked for.
            && (customer.is_some() || subscription.maybe("test_clock") == clock)
            && price.is_none_or(|id| subscription.text("/items/data/0/price/id") == id)
            && match status {
                Some("all") => true,
                Some("ended") => ["canceled", "incomplete_expired"].contains(&subscription.text("status")),
                Some(status) => subscription.text("status") == status,
                None => subscription.text("status") != "canceled",
            }
    };
    lists::page(params, tx.all(KIND), wanted, "/v1/subscriptions", KIND)
}

/// `GET /v1/customers/{id}/subscriptions`
pub(crate) fn of_customer(tx: &mut Tx, call: &Call) -> Outcome<Value> {
    tx.get("customer", call.id(), "customer")?;
    let found = tx.with(KIND, "customer", call.id());
    lists::page(&call.params, &found, |_| true, &format!("/v1/customers/{}/subscriptions", call.id()), KIND)
}
