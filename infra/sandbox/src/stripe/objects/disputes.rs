//! Disputes: <https://docs.stripe.com/api/disputes> and
//! <https://docs.stripe.com/disputes/how-disputes-work>.

use serde_json::{Value, json};

use super::{balance, evidence, fraud_warnings};
use crate::stripe::{
    document::{Document as _, merge_metadata},
    failure::{Failure, Outcome},
    routes::Call,
    store::Tx,
};

const KIND: &str = "dispute";

/// What a dispute costs, in minor units.
const FEE: i64 = 1500;

/// The bank disputes a charge, or with `inquiry` asks about it first. `due_by` in seconds since the
/// epoch.
pub(crate) fn open(
    tx: &mut Tx,
    charge: &str,
    reason: &str,
    amount: i64,
    due_by: i64,
    inquiry: bool,
) -> Outcome<Value> {
    let mut charge = tx.get("charge", charge, "charge")?;
    let id = tx.fresh("du_");
    let brand = charge.text("/payment_method_details/card/brand").to_owned();
    let code = if reason == "fraudulent" { "10.4" } else { "13.1" };
    let mut dispute = json!({
        "id": id,
        "object": KIND,
        "amount": amount,
        "balance_transactions": [],
        "charge": charge.id(),
        "created": tx.now,
        "currency": charge.text("currency"),
        "enhanced_eligibility_types": [],
        "evidence": evidence::empty(),
        "evidence_details": {
            "due_by": due_by, "enhanced_eligibility": {}, "has_evidence": false, "past_due": false,
            "submission_count": 0, "submission_method": "not_submitted",
        },
        "intended_submission_method": null,
        "is_charge_refundable": inquiry,
        "livemode": false,
        "metadata": {},
        "network_reason_code": code,
        "payment_intent": charge.get("payment_intent"),
        "payment_method_details": {
            "card": {
                "brand": brand, "case_type": if inquiry { "inquiry" } else { "chargeback" }, "network": brand,
                "network_reason_code": code,
            },
            "type": "card",
        },
        "reason": reason,
        "status": if inquiry { "warning_needs_response" } else { "needs_response" },
    });
    if !inquiry {
        withdraw(tx, &mut dispute);
    }
    tx.put(&dispute);
    charge.set("disputed", true);
    tx.put(&charge);
    tx.emit("charge.dispute.created", &dispute);
    if !inquiry {
        tx.emit("charge.dispute.funds_withdrawn", &dispute);
    }
    fraud_warnings::settle(tx, charge.id());
    Ok(dispute)
}

/// An inquiry becomes a chargeback, with a new deadline.
pub(crate) fn escalate(tx: &mut Tx, id: &str, due_by: i64) -> Outcome<Value> {
    let mut dispute = tx.get(KIND, id, "id")?;
    if !dispute.text("status").starts_with("warning_") {
        return Err(Failure::refused("Only an inquiry can escalate."));
    }
    dispute.set("status", "needs_response");
    dispute.set("is_charge_refundable", false);
    dispute.set("/payment_method_details/card/case_type", "chargeback");
    dispute.set("/evidence_details/due_by", due_by);
    dispute.set("/evidence_details/submission_count", 0);
    dispute.set("/evidence_details/submission_method", "not_submitted");
    withdraw(tx, &mut dispute);
    tx.update(&dispute, "charge.dispute.updated");
    tx.emit("charge.dispute.funds_withdrawn", &dispute);
    Ok(dispute)
}

/// The bank decides: `won`, `lost` or, for an inquiry, `warning_closed`.
pub(crate) fn decide(tx: &mut Tx, id: &str, status: &str) -> Outcome<Value> {
    let mut dispute = tx.get(KIND, id, "id")?;
    dispute.set("status", status);
    if status == "won" {
        let (amount, currency) = (dispute.int("amount"), dispute.text("currency").to_owned());
        let booked = balance::book(tx, "adjustment", amount, -FEE, &currency, id);
        add(&mut dispute, booked);
    }
    tx.put(&dispute);
    tx.emit("charge.dispute.closed", &dispute);
    if status == "won" {
        tx.emit("charge.dispute.funds_reinstated", &dispute);
    }
    Ok(dispute)
}

fn withdraw(tx: &mut Tx, dispute: &mut Value) {
    let id = dispute.id().to_owned();
    let booked = balance::book(tx, "adjustment", -dispute.int("amount"), FEE, dispute.text("currency"), &id);
    add(dispute, booked);
}

fn add(dispute: &mut Value, booked: Value) {
    let mut all = dispute.each("balance_transactions").to_vec();
    all.push(booked);
    dispute.set("balance_transactions", all);
}

/// `POST /v1/disputes/{id}`: without `submit=false` what is staged goes to the bank, once.
pub(crate) fn update(tx: &mut Tx, call: &Call) -> Outcome<Value> {
    let params = &call.params;
    let submit = params.flag("submit")?.unwrap_or(true);
    let method = params.one_of(
        "intended_submission_method",
        &["manual", "prefer_manual", "prefer_smart_disputes", "smart_disputes"],
    )?;
    let mut dispute = tx.get(KIND, call.id(), "id")?;
    let given = params.hash("evidence");
    let mut staged = dispute.get("evidence").cloned().unwrap_or_default();
    evidence::merge(&mut staged, &given)?;
    let staging = params.raw("evidence").is_some();
    let has_evidence = evidence::is_given(&staged);
    let next = match dispute.text("status") {
        "needs_response" => Some("under_review"),
        "warning_needs_response" => Some("warning_under_review"),
        "appeal_needs_response" => Some("appeal_under_review"),
        _ => None,
    };
    let due_by = dispute.int("/evidence_details/due_by");
    let past_due = due_by > 0 && tx.now > due_by;
    let sends = submit && has_evidence && next.is_some();
    if staging && next.is_none() {
        return Err(Failure::refused(format!(
            "This dispute is {}: its evidence can no longer be changed.",
            dispute.text("status").replace('_', " ")
        ))
        .with("param", "evidence"));
    }
    if (staging || sends) && past_due {
        return Err(Failure::refused("The deadline to submit evidence for this dispute has passed."));
    }
    dispute.set("evidence", staged);
    dispute.set("/evidence_details/has_evidence", has_evidence);
    if let Some(method) = method {
        dispute.set("intended_submission_method", method);
    }
    merge_metadata(&mut dispute, params.raw("metadata"));
    if let (true, Some(next)) = (sends, next) {
        dispute.set("status", next);
        let count = dispute.int("/evidence_details/submission_count") + 1;
        dispute.set("/evidence_details/submission_count", count);
        dispute.set("/evidence_details/submission_method", "manual");
    }
    tx.update(&dispute, "charge.dispute.updated");
    Ok(dispute)
}

/// `POST /v1/disputes/{id}/close`: accepts the dispute, for good.
pub(crate) fn close(tx: &mut Tx, call: &Call) -> Outcome<Value> {
    let dispute = tx.get(KIND, call.id(), "id")?;
    let status = match dispute.text("status") {
        "needs_response" | "appeal_needs_response" => "lost",
        "warning_needs_response" => "warning_closed",
        _ => return Err(Failure::refused("This dispute is already closed or under review.")),
    };
    decide(tx, call.id(), status)
}
