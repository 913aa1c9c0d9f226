//! Charges: <https://docs.stripe.com/api/charges>.

use serde_json::{Value, json};

use super::{
    balance,
    cards::{self, Behaviour, Decline},
    disputes, methods,
};
use crate::stripe::{
    document::{Document, merge_metadata, with_nulls},
    failure::Outcome,
    routes::Call,
    store::Tx,
};

/// Seconds to answer a dispute that a test card opens.
const ANSWER_BY: i64 = 9 * 86_400;

/// What a charge comes to at first.
#[derive(Clone, Copy)]
pub(crate) enum Start<'d> {
    Captured,
    /// Only authorised.
    Held,
    Declined(&'d Decline),
}

/// A charge of an intent to a card.
pub(crate) fn new(tx: &mut Tx, intent: &Value, method: &str, start: Start) -> Value {
    let id = tx.fresh("ch_");
    let (amount, currency) = (intent.int("amount"), intent.text("currency"));
    let captured = matches!(start, Start::Captured);
    let declined = match start {
        Start::Declined(decline) => Some(decline),
        Start::Captured | Start::Held => None,
    };
    let paid = declined.is_none();
    let booked = captured.then(|| balance::book(tx, "charge", amount, balance::fee(amount), currency, &id));
    let method = tx.look(method).cloned().unwrap_or_default();
    let charge = with_nulls(
        json!({
            "id": id,
            "object": "charge",
            "amount": amount,
            "amount_captured": if captured { amount } else { 0 },
            "amount_refunded": 0,
            "balance_transaction": booked.as_ref().map(Document::id),
            "billing_details": method.get("billing_details"),
            "calculated_statement_descriptor": "SANDBOX",
            "captured": captured,
            "created": tx.now,
            "currency": currency,
            "customer": intent.get("customer"),
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
            "receipt_email": intent.get("receipt_email"),
            "refunded": false,
            "shipping": intent.get("shipping"),
            "statement_descriptor": intent.get("statement_descriptor"),
            "statement_descriptor_suffix": intent.get("statement_descriptor_suffix"),
            "status": if paid { "succeeded" } else { "failed" },
        }),
        &[
            "application",
            "application_fee",
            "application_fee_amount",
            "failure_balance_transaction",
            "on_behalf_of",
            "receipt_number",
            "receipt_url",
            "review",
            "source",
            "source_transfer",
            "transfer_data",
            "transfer_group",
        ],
    );
    tx.put(&charge);
    tx.emit(if paid { "charge.succeeded" } else { "charge.failed" }, &charge);
    charge
}

/// Takes `amount` minor units of an authorised charge; the rest is released.
pub(crate) fn capture(tx: &mut Tx, id: &str, amount: i64) -> Outcome<Value> {
    let mut charge = tx.get("charge", id, "charge")?;
    let currency = charge.text("currency").to_owned();
    let booked = balance::book(tx, "charge", amount, balance::fee(amount), &currency, id);
    charge.set("amount_captured", amount);
    charge.set("balance_transaction", booked.id());
    charge.set("captured", true);
    tx.put(&charge);
    tx.emit("charge.captured", &charge);
    Ok(charge)
}

/// Releases an authorised charge: Stripe tells it as a refund of the whole.
pub(crate) fn release(tx: &mut Tx, id: &str) -> Outcome<()> {
    let mut charge = tx.get("charge", id, "charge")?;
    charge.set("amount_refunded", charge.int("amount"));
    charge.set("refunded", true);
    tx.put(&charge);
    tx.emit("charge.refunded", &charge);
    Ok(())
}

/// What a test card does once its charge is captured.
pub(crate) fn settle(tx: &mut Tx, charge: &Value) -> Outcome<()> {
    match methods::behaviour(tx, charge.text("payment_method")) {
        Behaviour::Disputes { reason, inquiry } => {
            let due_by = tx.now + ANSWER_BY;
            disputes::open(tx, charge.id(), reason, charge.int("amount_captured"), due_by, inquiry).map(drop)
        }
        Behaviour::PaysAtOnce => {
            balance::release(tx, charge.text("balance_transaction"));
            Ok(())
        }
        _ => Ok(()),
    }
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
