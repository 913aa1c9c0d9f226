//! Payment intents, as invoices use them: <https://docs.stripe.com/api/payment_intents>.

use serde_json::{Value, json};

use super::charges;
use crate::stripe::{
    document::{Document as _, merge_metadata, with_nulls},
    failure::Outcome,
    routes::Call,
    store::Tx,
};

/// A new intent to pay what remains of an invoice.
pub(crate) fn new(tx: &mut Tx, invoice: &Value) -> Value {
    let id = tx.fresh("pi_");
    let secret = tx.fresh("secret_");
    let intent = with_nulls(
        json!({
            "id": id,
            "object": "payment_intent",
            "amount": invoice.int("amount_remaining"),
            "amount_capturable": 0,
            "amount_received": 0,
            "capture_method": "automatic",
            "client_secret": format!("{id}_{secret}"),
            "confirmation_method": "automatic",
            "created": tx.now,
            "currency": invoice.text("currency"),
            "customer": invoice.text("customer"),
            "description": "Subscription update",
            "livemode": false,
            "metadata": {},
            "payment_method_options": {},
            "payment_method_types": ["card"],
            "setup_future_usage": "off_session",
            "status": "requires_payment_method",
        }),
        &[
            "allowed_payment_method_types",
            "application",
            "application_fee_amount",
            "automatic_payment_methods",
            "canceled_at",
            "cancellation_reason",
            "customer_account",
            "excluded_payment_method_types",
            "last_payment_error",
            "latest_charge",
            "managed_payments",
            "next_action",
            "on_behalf_of",
            "payment_method",
            "payment_method_configuration_details",
            "payment_record",
            "processing",
            "receipt_email",
            "review",
            "shipping",
            "source",
            "statement_descriptor",
            "statement_descriptor_suffix",
            "transfer_data",
            "transfer_group",
        ],
    );
    tx.put(&intent);
    tx.emit("payment_intent.created", &intent);
    intent
}

/// The payment went through.
pub(crate) fn succeed(tx: &mut Tx, intent: &mut Value, method: &str) -> Value {
    let charge = charges::new(tx, intent, method, None);
    intent.set("amount_received", intent.int("amount"));
    intent.set("last_payment_error", Value::Null);
    intent.set("latest_charge", charge.id());
    intent.set("next_action", Value::Null);
    intent.set("payment_method", method);
    intent.set("status", "succeeded");
    tx.put(intent);
    tx.emit("payment_intent.succeeded", intent);
    charge
}

/// The customer must authenticate.
pub(crate) fn require_action(tx: &mut Tx, intent: &mut Value, method: &str) {
    intent.set("next_action", json!({ "type": "use_stripe_sdk", "use_stripe_sdk": {} }));
    intent.set("payment_method", method);
    intent.set("status", "requires_action");
    tx.put(intent);
    tx.emit("payment_intent.requires_action", intent);
}

/// The invoice no longer wants the money.
pub(crate) fn cancel(tx: &mut Tx, intent: &mut Value, reason: &str) {
    if ["succeeded", "canceled"].contains(&intent.text("status")) {
        return;
    }
    intent.set("canceled_at", tx.now);
    intent.set("cancellation_reason", reason);
    intent.set("status", "canceled");
    tx.put(intent);
    tx.emit("payment_intent.canceled", intent);
}

/// `POST /v1/payment_intents/{id}`
pub(crate) fn update(tx: &mut Tx, call: &Call) -> Outcome<Value> {
    let mut intent = tx.get("payment_intent", call.id(), "intent")?;
    if let Some(text) = call.params.text("description")? {
        intent.set("description", Some(text).filter(|text| !text.is_empty()));
    }
    merge_metadata(&mut intent, call.params.raw("metadata"));
    tx.put(&intent);
    Ok(intent)
}
