//! Expansion: <https://docs.stripe.com/expand>.

use serde_json::Value;

use super::{
    document::{self, Document as _},
    failure::{Failure, Outcome},
    keys::Key,
    store::Tx,
};

/// Fields whose id can be replaced by the object.
const REFERENCES: &[&str] = &[
    "balance_transaction",
    "charge",
    "credit_note",
    "customer",
    "customer_balance_transaction",
    "default_payment_method",
    "default_price",
    "failure_balance_transaction",
    "invoice",
    "latest_charge",
    "latest_invoice",
    "payment_intent",
    "payment_method",
    "price",
    "product",
    "refund",
    "source",
    "subscription",
];

/// The parameter `expand`: at most four levels each, `data` counted.
pub(crate) fn paths(wanted: &[String]) -> Outcome<Vec<Vec<&str>>> {
    wanted
        .iter()
        .map(|path| {
            let levels: Vec<&str> = path.split('.').collect();
            if levels.len() > 4 {
                return Err(Failure::parameter(
                    "expand",
                    format!("You cannot expand more than 4 levels of a property. Property: {path}"),
                ));
            }
            Ok(levels)
        })
        .collect()
}

/// Expands one path of an answer. The key must be allowed to read what it brings.
pub(crate) fn expand(tx: &Tx, key: &Key, target: &mut Value, path: &[&str]) -> Outcome<()> {
    let Some((field, rest)) = path.split_first() else { return Ok(()) };
    match target {
        Value::Array(all) => {
            for element in all {
                expand(tx, key, element, path)?;
            }
            return Ok(());
        }
        Value::Object(_) => {}
        _ => return Ok(()),
    }
    if let Some(list) = included(tx, target, field) {
        permit(tx, key, list.0)?;
        target.set(field, list.1);
    }
    let Some(child) = target.get_mut(*field) else { return Err(refused(field)) };
    match child {
        Value::String(id) if REFERENCES.contains(field) => {
            let Some(object) = tx.look(id).cloned() else { return Err(refused(field)) };
            permit(tx, key, object.text("object"))?;
            *child = object;
        }
        Value::Object(_) | Value::Array(_) | Value::Null => {}
        _ => return Err(refused(field)),
    }
    expand(tx, key, child, rest)
}

/// Lists that an object shows only when they are expanded.
fn included(tx: &Tx, target: &Value, field: &str) -> Option<(&'static str, Value)> {
    let id = target.id();
    let (kind, by, url) = match (target.text("object"), field) {
        // A restricted key is asked for credit notes here, say public code bases.
        ("invoice", "payments") => {
            ("invoice_payment", "invoice", format!("/v1/invoice_payments?invoice={id}"))
        }
        ("charge", "refunds") => ("refund", "charge", format!("/v1/charges/{id}/refunds")),
        ("customer", "subscriptions") => {
            ("subscription", "customer", format!("/v1/customers/{id}/subscriptions"))
        }
        _ => return None,
    };
    let all = tx.with(kind, by, id);
    let has_more = all.len() > 10;
    Some((kind, document::list(all.into_iter().take(10).collect(), has_more, &url)))
}

fn permit(tx: &Tx, key: &Key, kind: &str) -> Outcome<()> {
    key.permit(&tx.setting.account, resource(kind), false)
}

/// The resource that a scope names for a kind of object.
pub(crate) fn resource(kind: &str) -> &str {
    match kind {
        "refund" | "balance_transaction" => "charge",
        "customer_balance_transaction" => "customer",
        "invoice_payment" => "credit_note",
        "price" => "plan",
        "radar.early_fraud_warning" => "early_fraud_warning",
        other => other,
    }
}

fn refused(field: &str) -> Failure {
    Failure::parameter("expand", format!("This property cannot be expanded ({field})."))
}
