//! The evidence of a dispute: <https://docs.stripe.com/disputes/api>.

use serde_json::{Map, Value, json};

use crate::stripe::{
    document::{Document as _, with_nulls},
    failure::{Failure, Outcome},
    form::Params,
};

/// The most characters of all texts together.
const LONGEST: usize = 150_000;

/// Texts of at most 20,000 characters each.
const LONG: &[&str] = &[
    "access_activity_log",
    "cancellation_policy_disclosure",
    "cancellation_rebuttal",
    "duplicate_charge_explanation",
    "product_description",
    "refund_policy_disclosure",
    "refund_refusal_explanation",
    "uncategorized_text",
];

const FIELDS: &[&str] = &[
    "access_activity_log",
    "billing_address",
    "cancellation_policy",
    "cancellation_policy_disclosure",
    "cancellation_rebuttal",
    "customer_communication",
    "customer_email_address",
    "customer_name",
    "customer_purchase_ip",
    "customer_signature",
    "duplicate_charge_documentation",
    "duplicate_charge_explanation",
    "duplicate_charge_id",
    "product_description",
    "receipt",
    "refund_policy",
    "refund_policy_disclosure",
    "refund_refusal_explanation",
    "service_date",
    "service_documentation",
    "shipping_address",
    "shipping_carrier",
    "shipping_date",
    "shipping_documentation",
    "shipping_tracking_number",
    "uncategorized_file",
    "uncategorized_text",
];

/// No evidence.
pub(crate) fn empty() -> Value {
    with_nulls(json!({ "enhanced_evidence": {} }), FIELDS)
}

/// Whether there is any.
pub(crate) fn is_given(evidence: &Value) -> bool {
    let enhanced = evidence.get("enhanced_evidence").and_then(Value::as_object);
    FIELDS.iter().any(|field| evidence.maybe(field).is_some()) || enhanced.is_some_and(|map| !map.is_empty())
}

/// Adds what a request gives; empty clears a field (of the plain fields Stripe does not say so).
pub(crate) fn merge(evidence: &mut Value, given: &Params) -> Outcome<()> {
    for name in given.names() {
        if name == "enhanced_evidence" {
            enhanced(evidence, &given.hash(name))?;
            continue;
        }
        if !FIELDS.contains(&name) {
            return Err(Failure::unknown(&given.called(name)));
        }
        let text = given.text(name)?.unwrap_or_default();
        if LONG.contains(&name) && text.chars().count() > 20_000 {
            return Err(Failure::parameter(
                &given.called(name),
                "Invalid string: it must be at most 20000 characters.",
            ));
        }
        evidence.set(name, Some(text).filter(|text| !text.is_empty()));
    }
    let all: usize = FIELDS.iter().map(|field| evidence.text(field).chars().count()).sum();
    if all > LONGEST {
        return Err(Failure::parameter(
            "evidence",
            "The combined character count of the evidence must be at most 150000.",
        ));
    }
    Ok(())
}

fn enhanced(evidence: &mut Value, given: &Params) -> Outcome<()> {
    given.only(&["mastercard_compliance", "visa_compelling_evidence_3", "visa_compliance"])?;
    for name in ["mastercard_compliance", "visa_compliance"] {
        let compliance = given.hash(name);
        if let Some(acknowledged) = compliance.flag("fee_acknowledged")? {
            evidence.set(&format!("/enhanced_evidence/{name}"), json!({ "fee_acknowledged": acknowledged }));
        }
    }
    let compelling = given.hash("visa_compelling_evidence_3");
    compelling.only(&["disputed_transaction", "prior_undisputed_transactions"])?;
    if compelling.names().next().is_none() {
        return Ok(());
    }
    let disputed = compelling.raw("disputed_transaction").map(|given| {
        let mut transaction = transaction(given);
        transaction.set("merchandise_or_services", given.get("merchandise_or_services").cloned());
        transaction
    });
    let prior: Vec<Value> = compelling
        .raw("prior_undisputed_transactions")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .map(|given| {
            let mut transaction = transaction(given);
            transaction.set("charge", given.text("charge"));
            transaction
        })
        .collect();
    evidence.set(
        "/enhanced_evidence/visa_compelling_evidence_3",
        json!({ "disputed_transaction": disputed, "prior_undisputed_transactions": prior }),
    );
    Ok(())
}

/// The fields that both kinds of transactions have.
fn transaction(given: &Value) -> Value {
    let mut all = Map::new();
    for field in [
        "customer_account_id",
        "customer_device_fingerprint",
        "customer_device_id",
        "customer_email_address",
        "customer_purchase_ip",
        "product_description",
    ] {
        all.insert(field.to_owned(), given.get(field).cloned().unwrap_or_default());
    }
    let address = given.get("shipping_address").map(|given| {
        let parts = ["city", "country", "line1", "line2", "postal_code", "state"];
        let parts = parts.map(|part| (part.to_owned(), given.get(part).cloned().unwrap_or_default()));
        Value::Object(parts.into_iter().collect())
    });
    all.insert("shipping_address".to_owned(), address.unwrap_or_default());
    Value::Object(all)
}
