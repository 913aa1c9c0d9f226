//! Refunds: <https://docs.stripe.com/api/refunds>.

use serde_json::{Value, json};

use super::{balance, cards::Behaviour, fraud_warnings, methods};
use crate::stripe::{
    document::{Document as _, merge_metadata, with_nulls},
    failure::{Failure, Outcome},
    lists,
    routes::Call,
    store::Tx,
};

const KIND: &str = "refund";

/// Parameters of [`create`]; those of Connect are accepted and change nothing.
pub(crate) const PARAMS: &[&str] = &[
    "amount",
    "charge",
    "instructions_email",
    "metadata",
    "payment_intent",
    "reason",
    "refund_application_fee",
    "reverse_transfer",
];

/// Refunds a charge in part or, without `amount`, all that is left.
pub(crate) fn issue(
    tx: &mut Tx,
    charge: &str,
    amount: Option<i64>,
    reason: Option<&str>,
    metadata: Option<&Value>,
) -> Outcome<Value> {
    let mut charge = tx.get("charge", charge, "charge")?;
    let id = charge.id().to_owned();
    if !charge.flag("paid") {
        return Err(Failure::refused(format!("Charge {id} has not been paid; cannot issue a refund.")));
    }
    if !charge.flag("captured") && !charge.flag("refunded") {
        return Err(Failure::refused(format!("Charge {id} is not captured; cancel its payment instead.")));
    }
    let left = (charge.int("amount_captured") - charge.int("amount_refunded")).max(0);
    if left == 0 {
        return Err(Failure::refused(format!("Charge {id} has already been refunded."))
            .with("code", "charge_already_refunded"));
    }
    let disputed = tx.with("dispute", "charge", &id);
    if disputed.iter().any(|dispute| !dispute.flag("is_charge_refundable")) {
        return Err(Failure::refused(format!("Charge {id} has been charged back; cannot issue a refund."))
            .with("code", "charge_disputed"));
    }
    let amount = amount.unwrap_or(left);
    if amount > left {
        return Err(Failure::refused(format!(
            "Refund amount ({amount}) is greater than unrefunded amount on charge ({left})"
        ))
        .with("param", "amount"));
    }
    let pending = methods::behaviour(tx, charge.text("payment_method")) == Behaviour::DelaysRefunds;
    let refund_id = tx.fresh("re_");
    let booked = balance::book(tx, "refund", -amount, 0, charge.text("currency"), &refund_id);
    let mut refund = with_nulls(
        json!({
            "id": refund_id,
            "object": KIND,
            "amount": amount,
            "balance_transaction": booked.id(),
            "charge": id,
            "created": tx.now,
            "currency": charge.text("currency"),
            "customer": charge.get("customer"),
            "destination_details": {
                "card": { "reference_status": "pending", "reference_type": "acquirer_reference_number", "type": "refund" },
                "type": "card",
            },
            "metadata": {},
            "payment_intent": charge.get("payment_intent"),
            "payment_method": charge.get("payment_method"),
            "reason": reason,
            "status": if pending { "pending" } else { "succeeded" },
        }),
        &["customer_account", "receipt_number", "source_transfer_reversal", "transfer_reversal"],
    );
    if pending {
        refund.set("pending_reason", "processing");
    }
    merge_metadata(&mut refund, metadata);
    tx.put(&refund);
    tx.emit("refund.created", &refund);
    charge.set("amount_refunded", charge.int("amount_refunded") + amount);
    charge.set("refunded", amount == left);
    if reason == Some("fraudulent") {
        charge.set("fraud_details", json!({ "user_report": "fraudulent" }));
    }
    tx.put(&charge);
    tx.emit("charge.refunded", &charge);
    if charge.flag("refunded") {
        fraud_warnings::settle(tx, &id);
    }
    Ok(refund)
}

/// `POST /v1/refunds`
pub(crate) fn create(tx: &mut Tx, call: &Call) -> Outcome<Value> {
    let params = &call.params;
    let amount = params.int("amount")?;
    if amount.is_some_and(|amount| amount <= 0) {
        return Err(Failure::parameter("amount", "This value must be greater than or equal to 1.")
            .with("code", "parameter_invalid_integer"));
    }
    let reason = params.one_of("reason", &["duplicate", "fraudulent", "requested_by_customer"])?;
    params.flag("refund_application_fee")?;
    params.flag("reverse_transfer")?;
    let charge = match (params.text("charge")?, params.text("payment_intent")?) {
        (Some(charge), None) => charge.to_owned(),
        (None, Some(intent)) => {
            let intent = tx.get("payment_intent", intent, "payment_intent")?;
            intent.maybe("latest_charge").map(str::to_owned).ok_or_else(|| {
                Failure::refused("This PaymentIntent does not have a successful charge to refund.")
            })?
        }
        (Some(_), Some(_)) => {
            return Err(Failure::parameter(
                "payment_intent",
                "You may only specify one of these parameters: charge, payment_intent.",
            ));
        }
        (None, None) => {
            return Err(Failure::new(
                400,
                "invalid_request_error",
                "One of the following params should be provided for this request: payment_intent or charge.",
            )
            .with("code", "parameter_missing"));
        }
    };
    issue(tx, &charge, amount, reason, params.raw("metadata"))
}

/// `POST /v1/refunds/{id}`
pub(crate) fn update(tx: &mut Tx, call: &Call) -> Outcome<Value> {
    let mut refund = tx.get(KIND, call.id(), "id")?;
    merge_metadata(&mut refund, call.params.raw("metadata"));
    changed(tx, &refund);
    Ok(refund)
}

/// `POST /v1/refunds/{id}/cancel`
pub(crate) fn cancel(tx: &mut Tx, call: &Call) -> Outcome<Value> {
    let mut refund = tx.get(KIND, call.id(), "id")?;
    if refund.text("status") != "requires_action" {
        return Err(Failure::refused(format!(
            "This refund cannot be canceled: it is {}.",
            refund.text("status")
        )));
    }
    refund.set("status", "canceled");
    give_back(tx, &refund)?;
    changed(tx, &refund);
    Ok(refund)
}

/// A pending refund went through.
pub(crate) fn succeed(tx: &mut Tx, id: &str) -> Outcome<Value> {
    let mut refund = tx.get(KIND, id, "id")?;
    refund.set("status", "succeeded");
    if let Value::Object(fields) = &mut refund {
        fields.remove("pending_reason");
    }
    changed(tx, &refund);
    Ok(refund)
}

/// The bank sent a refund back, also after it had succeeded.
pub(crate) fn fail(tx: &mut Tx, id: &str, reason: &str) -> Outcome<Value> {
    let mut refund = tx.get(KIND, id, "id")?;
    if ["failed", "canceled"].contains(&refund.text("status")) {
        return Err(Failure::refused("This refund has already ended."));
    }
    let (amount, currency) = (refund.int("amount"), refund.text("currency").to_owned());
    let booked = balance::book(tx, "refund_failure", amount, 0, &currency, id);
    refund.set("failure_balance_transaction", booked.id());
    refund.set("failure_reason", reason);
    refund.set("status", "failed");
    give_back(tx, &refund)?;
    changed(tx, &refund);
    tx.emit("refund.failed", &refund);
    Ok(refund)
}

/// `refund.updated` and its older twin.
fn changed(tx: &mut Tx, refund: &Value) {
    tx.update(refund, "refund.updated");
    tx.emit("charge.refund.updated", refund);
}

fn give_back(tx: &mut Tx, refund: &Value) -> Outcome<()> {
    let mut charge = tx.get("charge", refund.text("charge"), "charge")?;
    charge.set("amount_refunded", charge.int("amount_refunded") - refund.int("amount"));
    charge.set("refunded", false);
    tx.update(&charge, "charge.updated");
    Ok(())
}

/// `GET /v1/charges/{id}/refunds`
pub(crate) fn of_charge(tx: &mut Tx, call: &Call) -> Outcome<Value> {
    tx.get("charge", call.id(), "charge")?;
    let found = tx.with(KIND, "charge", call.id());
    lists::page(&call.params, &found, |_| true, &format!("/v1/charges/{}/refunds", call.id()), KIND)
}
