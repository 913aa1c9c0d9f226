//! The two ways to pause a subscription: <https://docs.stripe.com/billing/subscriptions/pause-payment>
//! keeps it active and does not collect, a real pause bills nothing.

use serde_json::{Value, json};

use super::subscriptions::KIND;
use crate::stripe::{
    document::Document as _,
    failure::{Failure, Outcome},
    form::Params,
    routes::Call,
    store::Tx,
};

/// The parameter `pause_collection`: bills are made and not collected.
pub(crate) fn collect_later(subscription: &mut Value, params: &Params) -> Outcome<()> {
    match params.raw("pause_collection") {
        None => {}
        Some(Value::String(text)) if text.is_empty() => subscription.set("pause_collection", Value::Null),
        Some(_) => {
            let pause = params.hash("pause_collection");
            pause.only(&["behavior", "resumes_at"])?;
            pause.required("behavior")?;
            let behavior = pause.one_of("behavior", &["keep_as_draft", "mark_uncollectible", "void"])?;
            let resumes = pause.int("resumes_at")?;
            subscription.set("pause_collection", json!({ "behavior": behavior, "resumes_at": resumes }));
        }
    }
    Ok(())
}

/// `POST /v1/subscriptions/{id}/pause`: no invoices until it is resumed.
pub(crate) fn pause(tx: &mut Tx, call: &Call) -> Outcome<Value> {
    call.params.one_of("type", &["subscription"])?;
    call.params.one_of("invoicing_behavior", &["invoice", "pending_invoice_item"])?;
    let mut subscription = tx.get(KIND, call.id(), "id")?;
    let flexible = subscription.text("/billing_mode/type") == "flexible";
    if !flexible || subscription.text("status") != "active" {
        return Err(Failure::refused(
            "Only an active subscription with flexible billing mode and no schedule can be paused.",
        ));
    }
    subscription.set("status", "paused");
    subscription.set(
        "status_details",
        json!({ "paused": {
            "subscription": { "type": "pause_requested" }, "transitioned_at": tx.now, "type": "subscription",
        } }),
    );
    tx.update(&subscription, "customer.subscription.updated");
    tx.emit("customer.subscription.paused", &subscription);
    Ok(subscription)
}

/// `POST /v1/subscriptions/{id}/resume`: without an invoice for the rest of the period.
pub(crate) fn resume(tx: &mut Tx, call: &Call) -> Outcome<Value> {
    let anchor = call.params.hash("billing_cycle_anchor");
    anchor.only(&["type"])?;
    anchor.one_of("type", &["now", "unchanged"])?;
    if call.params.raw("billing_cycle_anchor").is_some_and(|anchor| !anchor.is_object()) {
        return Err(Failure::parameter("billing_cycle_anchor", "Invalid object"));
    }
    call.params.one_of("payment_behavior", &["resume_on_payment_attempt", "resume_on_payment_success"])?;
    call.params.one_of("proration_behavior", &["always_invoice", "create_prorations", "none"])?;
    call.params.int("proration_date")?;
    let mut subscription = tx.get(KIND, call.id(), "id")?;
    if subscription.text("status") != "paused" {
        return Err(Failure::refused("Only a paused subscription can be resumed."));
    }
    subscription.set("status", "active");
    if let Value::Object(fields) = &mut subscription {
        fields.remove("status_details");
    }
    tx.update(&subscription, "customer.subscription.updated");
    tx.emit("customer.subscription.resumed", &subscription);
    Ok(subscription)
}
