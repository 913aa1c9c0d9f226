//! Subscriptions: <https://docs.stripe.com/api/subscriptions>. Periods have 30 days.

use serde_json::{Value, json};

use super::{bills, collection, invoices, pauses};
use crate::stripe::{
    document::{self, Document as _, merge_metadata, with_nulls},
    failure::{Failure, Outcome},
    form::Params,
    lists,
    routes::Call,
    store::Tx,
};

pub(crate) const KIND: &str = "subscription";
const PERIOD: i64 = 30 * 86_400;

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
];

/// Parameters of [`all`].
pub(crate) const LIST_PARAMS: &[&str] =
    &["created", "customer", "ending_before", "limit", "price", "starting_after", "status"];

/// Subscribes a customer to a monthly price and charges the first period.
pub(crate) fn new(tx: &mut Tx, customer: &str, price: &str, method: Option<&str>) -> Outcome<Value> {
    tx.get("customer", customer, "customer")?;
    let price = tx.get("price", price, "items[0][price]")?;
    let mut subscription = document(tx, customer, &price, method);
    tx.put(&subscription);
    let bill = bills::Bill {
        customer,
        amount: price.int("unit_amount"),
        currency: price.text("currency"),
        reason: "subscription_create",
        subscription: Some(&subscription),
        period: (tx.now, tx.now),
        sent: false,
    };
    let invoice = bills::draft(tx, &bill)?;
    subscription.set("latest_invoice", invoice.id());
    tx.put(&subscription);
    tx.emit("customer.subscription.created", &subscription);
    invoices::finalize(tx, invoice.id())?;
    collection::collect(tx, invoice.id(), None, false)?;
    tx.get(KIND, subscription.id(), "id")
}

fn document(tx: &mut Tx, customer: &str, price: &Value, method: Option<&str>) -> Value {
    let id = tx.fresh("sub_");
    let item = json!({
        "id": tx.fresh("si_"),
        "object": "subscription_item",
        "billing_thresholds": null,
        "created": tx.now,
        "current_period_end": tx.now + PERIOD,
        "current_period_start": tx.now,
        "current_trial": null,
        "discounts": [],
        "metadata": {},
        "plan": {
            "id": price.id(), "object": "plan", "active": true, "amount": price.int("unit_amount"),
            "currency": price.text("currency"), "interval": "month", "interval_count": 1,
            "product": price.text("product"), "usage_type": "licensed",
        },
        "price": price,
        "quantity": 1,
        "subscription": id,
        "tax_rates": [],
    });
    with_nulls(
        json!({
            "id": id,
            "object": KIND,
            "automatic_tax": { "disabled_reason": null, "enabled": false, "liability": null },
            "billing_cycle_anchor": tx.now,
            "billing_mode": { "flexible": { "proration_discounts": "included" }, "type": "flexible" },
            "billing_schedules": [],
            "cancel_at_period_end": false,
            "cancellation_details": { "comment": null, "feedback": null, "feedback_option": null, "reason": null },
            "collection_method": "charge_automatically",
            "created": tx.now,
            "currency": price.text("currency"),
            "customer": customer,
            "default_payment_method": method,
            "default_tax_rates": [],
            "discounts": [],
            "invoice_settings": {
                "account_tax_ids": null, "custom_fields": null, "description": null, "footer": null,
                "issuer": { "type": "self" },
            },
            "items": document::list(vec![item], false, &format!("/v1/subscription_items?subscription={id}")),
            "livemode": false,
            "metadata": {},
            "start_date": tx.now,
            "status": "incomplete",
        }),
        &[
            "application",
            "application_fee_percent",
            "billing_cycle_anchor_config",
            "billing_thresholds",
            "cancel_at",
            "canceled_at",
            "customer_account",
            "days_until_due",
            "default_source",
            "description",
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
            "test_clock",
            "transfer_data",
            "trial_end",
            "trial_settings",
            "trial_start",
        ],
    )
}

/// Begins the next period: bills and collects it, or ends a subscription that was to end. Answers the
/// new invoice, if there is one.
pub(crate) fn renew(tx: &mut Tx, id: &str) -> Outcome<Option<Value>> {
    let mut subscription = tx.get(KIND, id, "id")?;
    if !["active", "past_due"].contains(&subscription.text("status")) {
        return Err(Failure::refused(format!(
            "A subscription that is {} does not renew.",
            subscription.text("status")
        )));
    }
    if subscription.flag("cancel_at_period_end") {
        cancel(tx, id, "cancellation_requested")?;
        return Ok(None);
    }
    let start = subscription.int("/items/data/0/current_period_end");
    let (previous, end) = (subscription.int("/items/data/0/current_period_start"), start + PERIOD);
    subscription.set("/items/data/0/current_period_start", start);
    subscription.set("/items/data/0/current_period_end", end);
    let bill = bills::Bill {
        customer: subscription.text("customer"),
        amount: subscription.int("/items/data/0/price/unit_amount"),
        currency: subscription.text("currency"),
        reason: "subscription_cycle",
        subscription: Some(&subscription),
        period: (previous, start),
        sent: subscription.text("collection_method") == "send_invoice",
    };
    let invoice = bills::draft(tx, &bill)?;
    subscription.set("latest_invoice", invoice.id());
    tx.update(&subscription, "customer.subscription.updated");
    match subscription.text("/pause_collection/behavior") {
        "keep_as_draft" => return Ok(Some(invoice)),
        "void" => {
            invoices::finalize(tx, invoice.id())?;
            return invoices::leave(tx, invoice.id(), "void", &["open"]).map(Some);
        }
        "mark_uncollectible" => {
            invoices::finalize(tx, invoice.id())?;
            return invoices::leave(tx, invoice.id(), "uncollectible", &["open"]).map(Some);
        }
        _ => {}
    }
    let open = invoices::finalize(tx, invoice.id())?;
    if open.text("status") != "open" || bill_is_sent(&open) {
        return Ok(Some(open));
    }
    collection::collect(tx, open.id(), None, true).map(|collected| Some(collected.invoice()))
}

fn bill_is_sent(invoice: &Value) -> bool {
    invoice.text("collection_method") == "send_invoice"
}

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

/// `POST /v1/subscriptions`: one monthly price, collected automatically.
pub(crate) fn create_call(tx: &mut Tx, call: &Call) -> Outcome<Value> {
    let customer = call.params.required("customer")?;
    let items = call.params.hashes("items");
    let Some(item) = items.first() else { return Err(Failure::required("items")) };
    let method = call.params.text("default_payment_method")?;
    let mut subscription = new(tx, customer, item.required("price")?, method)?;
    merge_metadata(&mut subscription, call.params.raw("metadata"));
    tx.put(&subscription);
    Ok(subscription)
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
        let end = subscription.int("/items/data/0/current_period_end");
        subscription.set("cancel_at_period_end", ends);
        subscription.set("cancel_at", ends.then_some(end));
        subscription.set("canceled_at", ends.then_some(tx.now));
        let reason = ends.then_some("cancellation_requested");
        subscription.set("/cancellation_details/reason", reason);
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
    tx.update(&subscription, "customer.subscription.updated");
    Ok(subscription)
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
    let wanted = |subscription: &Value| {
        customer.is_none_or(|id| subscription.text("customer") == id)
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
