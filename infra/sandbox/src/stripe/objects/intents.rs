//! Payment intents as documents: <https://docs.stripe.com/api/payment_intents/object>.

use serde_json::{Value, json};

use crate::stripe::{
    document::{Document as _, with_nulls},
    store::Tx,
};

pub(crate) const KIND: &str = "payment_intent";

/// An intent of this amount, in minor units, that nothing was decided of yet.
pub(crate) fn document(tx: &mut Tx, amount: i64, currency: &str, customer: Option<&str>) -> Value {
    let id = tx.fresh("pi_");
    let secret = tx.fresh("secret_");
    with_nulls(
        json!({
            "id": id,
            "object": KIND,
            "amount": amount,
            "amount_capturable": 0,
            "amount_received": 0,
            "capture_method": "automatic",
            "client_secret": format!("{id}_{secret}"),
            "confirmation_method": "automatic",
            "created": tx.now,
            "currency": currency,
            "customer": customer,
            "livemode": false,
            "metadata": {},
            "payment_method_options": {},
            "payment_method_types": ["card"],
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
            "description",
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
            "setup_future_usage",
            "shipping",
            "source",
            "statement_descriptor",
            "statement_descriptor_suffix",
            "transfer_data",
            "transfer_group",
        ],
    )
}

/// An intent to pay what remains of an invoice.
pub(crate) fn for_invoice(tx: &mut Tx, invoice: &Value) -> Value {
    let (amount, currency) = (invoice.int("amount_remaining"), invoice.text("currency"));
    let mut intent = document(tx, amount, currency, invoice.maybe("customer"));
    let billed = invoice.maybe("/parent/subscription_details/subscription");
    intent.set("description", billed.map_or("Payment for Invoice", |_| "Subscription update"));
    intent.set("setup_future_usage", "off_session");
    tx.put(&intent);
    tx.emit("payment_intent.created", &intent);
    intent
}

/// Nobody wants the money any more.
pub(crate) fn cancel(tx: &mut Tx, intent: &mut Value, reason: Option<&str>) {
    if ["succeeded", "canceled"].contains(&intent.text("status")) {
        return;
    }
    intent.set("amount_capturable", 0);
    intent.set("canceled_at", tx.now);
    intent.set("cancellation_reason", reason);
    intent.set("next_action", Value::Null);
    intent.set("status", "canceled");
    tx.put(intent);
    tx.emit("payment_intent.canceled", intent);
}
