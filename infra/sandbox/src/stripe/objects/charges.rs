//! Charges: <https://docs.stripe.com/api/charges>.

use serde_json::{Value, json};

use super::{
    balance,
    cards::{self, Decline},
};
use crate::stripe::{
    document::{Document, merge_metadata, with_nulls},
    failure::Outcome,
    routes::Call,
    store::Tx,
};

/// A charge of an intent to a card, gone through or declined.
pub(crate) fn new(tx: &mut Tx, intent: &Value, method: &str, declined: Option<&Decline>) -> Value {
    let id = tx.fresh("ch_");
    let (amount, currency) = (intent.int("amount"), intent.text("currency"));
    let paid = declined.is_none();
    let booked = paid.then(|| balance::book(tx, "charge", amount, balance::fee(amount), currency, &id));
    let method = tx.look(method).cloned().unwrap_or_default();
    let charge = with_nulls(
        json!({
            "id": id,
            "object": "charge",
            "amount": amount,
            "amount_captured": if paid { amount } else { 0 },
            "amount_refunded": 0,
            "balance_transaction": booked.as_ref().map(Document::id),
            "billing_details": method.get("billing_details"),
            "calculated_statement_descriptor": "SANDBOX",
            "captured": paid,
            "created": tx.now,
            "currency": currency,
            "customer": intent.text("customer"),
            "description": intent.get("description"),
            "disputed": false,
            "failure_code": declined.map(|declined| declined.code),
            "failure_message": declined.map(Decline::message),
            "fraud_details": {},
            "livemode": false,
            "metadata": {},
            "outcome": declined.map_or_else(cards::approved, Decline::outcome),
            "paid": paid,
            "payment_intent": intent.id(),
            "payment_method": method.id(),
            "payment_method_details": details(&method, amount),
            "refunded": false,
            "status": if paid { "succeeded" } else { "failed" },
        }),
        &[
            "application",
            "application_fee",
            "application_fee_amount",
            "failure_balance_transaction",
            "on_behalf_of",
            "receipt_email",
            "receipt_number",
            "receipt_url",
            "review",
            "shipping",
            "source",
            "source_transfer",
            "statement_descriptor",
            "statement_descriptor_suffix",
            "transfer_data",
            "transfer_group",
        ],
    );
    tx.put(&charge);
    tx.emit(if paid { "charge.succeeded" } else { "charge.failed" }, &charge);
    charge
}

fn details(method: &Value, amount: i64) -> Value {
    let card = with_nulls(
        json!({
            "amount_authorized": amount,
            "brand": method.text("/card/brand"),
            "checks": method.pointer("/card/checks"),
            "country": "US",
            "exp_month": method.int("/card/exp_month"),
            "exp_year": method.int("/card/exp_year"),
            "fingerprint": method.text("/card/fingerprint"),
            "funding": "credit",
            "last4": method.text("/card/last4"),
            "network": method.text("/card/brand"),
            "regulated_status": "unregulated",
            "stored_credential_usage": "recurring",
        }),
        &[
            "authorization_code",
            "electronic_commerce_indicator",
            "installments",
            "mandate",
            "network_transaction_id",
            "three_d_secure",
            "transaction_link_id",
            "wallet",
        ],
    );
    json!({ "card": card, "type": "card" })
}

/// `POST /v1/charges/{id}`
pub(crate) fn update(tx: &mut Tx, call: &Call) -> Outcome<Value> {
    let mut charge = tx.get("charge", call.id(), "id")?;
    for field in ["description", "receipt_email"] {
        if let Some(text) = call.params.text(field)? {
            charge.set(field, Some(text).filter(|text| !text.is_empty()));
        }
    }
    let fraud = call.params.hash("fraud_details");
    fraud.only(&["user_report"])?;
    if let Some(report) = fraud.one_of("user_report", &["fraudulent", "safe"])? {
        charge.set("fraud_details", json!({ "user_report": report }));
    }
    merge_metadata(&mut charge, call.params.raw("metadata"));
    tx.update(&charge, "charge.updated");
    Ok(charge)
}
