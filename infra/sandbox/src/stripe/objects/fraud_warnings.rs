//! Early fraud warnings: <https://docs.stripe.com/api/radar/early_fraud_warnings>.

use serde_json::{Value, json};

use crate::stripe::{document::Document as _, failure::Outcome, store::Tx};

const KIND: &str = "radar.early_fraud_warning";

/// The issuer suspects fraud.
pub(crate) fn new(tx: &mut Tx, charge: &str, fraud_type: &str) -> Outcome<Value> {
    let charge = tx.get("charge", charge, "charge")?;
    let warning = json!({
        "id": tx.fresh("issfr_"),
        "object": KIND,
        "actionable": !charge.flag("disputed") && !charge.flag("refunded"),
        "charge": charge.id(),
        "created": tx.now,
        "fraud_type": fraud_type,
        "livemode": false,
        "payment_intent": charge.text("payment_intent"),
    });
    tx.put(&warning);
    tx.emit("radar.early_fraud_warning.created", &warning);
    Ok(warning)
}

/// A charge was disputed or fully refunded: nothing can be done about its warnings any more.
pub(crate) fn settle(tx: &mut Tx, charge: &str) {
    for mut warning in tx.with(KIND, "charge", charge) {
        warning.set("actionable", false);
        tx.update(&warning, "radar.early_fraud_warning.updated");
    }
}
