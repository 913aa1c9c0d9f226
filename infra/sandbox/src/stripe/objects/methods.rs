//! Payment methods: <https://docs.stripe.com/api/payment_methods>.

use serde_json::{Value, json};

use super::cards::{self, Behaviour};
use crate::stripe::{
    document::{Document as _, merge_metadata, with_nulls},
    failure::{Failure, Outcome},
    lists,
    routes::Call,
    store::Tx,
};

const KIND: &str = "payment_method";

/// Attaches the test card `name` (as `pm_card_visa`) to a customer, as a payment method of its own.
pub(crate) fn attach(tx: &mut Tx, name: &str, customer: &str) -> Outcome<Value> {
    tx.get("customer", customer, "customer")?;
    let Some(card) = cards::card(name) else { return Err(Failure::missing(KIND, name, "payment_method")) };
    let id = tx.fresh("pm_");
    let expires = 1970 + tx.now / 31_556_952 + 3;
    let shown = json!({
        "brand": card.brand,
        "checks": { "address_line1_check": null, "address_postal_code_check": null, "cvc_check": "pass" },
        "country": "US",
        "display_brand": card.brand,
        "exp_month": 8,
        "exp_year": expires,
        "fingerprint": tx.fresh("fp_"),
        "funding": "credit",
        "generated_from": null,
        "last4": card.last4,
        "networks": { "available": [card.brand], "preferred": null },
        "regulated_status": "unregulated",
        "three_d_secure_usage": { "supported": true },
        "wallet": null,
    });
    let address = json!({ "city": null, "country": "US", "line1": null, "line2": null, "postal_code": null, "state": null });
    let method = with_nulls(
        json!({
            "id": id,
            "object": KIND,
            "allow_redisplay": "limited",
            "billing_details": { "address": address, "email": null, "name": null, "phone": null, "tax_id": null },
            "card": shown,
            "created": tx.now,
            "customer": customer,
            "livemode": false,
            "metadata": {},
            "type": "card",
        }),
        &["customer_account"],
    );
    tx.put(&method);
    behave(tx, &id, name);
    tx.emit("payment_method.attached", &method);
    Ok(method)
}

/// Lets a payment method behave as the test card `name` from now on.
pub(crate) fn behave(tx: &mut Tx, method: &str, name: &str) {
    tx.set_note(&format!("card:{method}"), name.into());
}

/// How a payment method behaves.
pub(crate) fn behaviour(tx: &Tx, method: &str) -> Behaviour {
    tx.note(&format!("card:{method}"))
        .and_then(Value::as_str)
        .and_then(cards::card)
        .map_or(Behaviour::Approves, |card| card.behaviour)
}

/// The network told Stripe of a new card: `payment_method.automatically_updated`.
pub(crate) fn renew(tx: &mut Tx, id: &str, name: &str) -> Outcome<Value> {
    let mut method = tx.get(KIND, id, "payment_method")?;
    let Some(card) = cards::card(name) else { return Err(Failure::missing(KIND, name, "payment_method")) };
    method.set("/card/exp_year", method.int("/card/exp_year") + 3);
    method.set("/card/last4", card.last4);
    behave(tx, id, name);
    tx.update(&method, "payment_method.automatically_updated");
    Ok(method)
}

/// `POST /v1/payment_methods/{id}`
pub(crate) fn update(tx: &mut Tx, call: &Call) -> Outcome<Value> {
    let mut method = tx.get(KIND, call.id(), "payment_method")?;
    merge_metadata(&mut method, call.params.raw("metadata"));
    tx.update(&method, "payment_method.updated");
    Ok(method)
}

/// `POST /v1/payment_methods/{id}/attach`: only test cards by name.
pub(crate) fn attach_call(tx: &mut Tx, call: &Call) -> Outcome<Value> {
    attach(tx, call.id(), call.params.required("customer")?)
}

/// `POST /v1/payment_methods/{id}/detach`
pub(crate) fn detach(tx: &mut Tx, call: &Call) -> Outcome<Value> {
    let mut method = tx.get(KIND, call.id(), "payment_method")?;
    if method.maybe("customer").is_none() {
        return Err(Failure::refused(
            "The payment method you provided is not attached to a customer so detachment is impossible.",
        ));
    }
    method.set("customer", Value::Null);
    tx.update(&method, "payment_method.detached");
    Ok(method)
}

/// `GET /v1/customers/{id}/payment_methods`
pub(crate) fn of_customer(tx: &mut Tx, call: &Call) -> Outcome<Value> {
    tx.get("customer", call.id(), "customer")?;
    let found = tx.with(KIND, "customer", call.id());
    lists::page(&call.params, &found, |_| true, &format!("/v1/customers/{}/payment_methods", call.id()), KIND)
}
