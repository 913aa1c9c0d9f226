//! Payment methods, which are test cards: <https://docs.stripe.com/api/payment_methods>.

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

/// Parameters of [`create`].
pub(crate) const PARAMS: &[&str] = &["billing_details", "card", "metadata", "type"];

/// Attaches the test card `name` (as `pm_card_visa`) to a customer, as a payment method of its own.
pub(crate) fn attach(tx: &mut Tx, name: &str, customer: &str) -> Outcome<Value> {
    tx.get("customer", customer, "customer")?;
    let mut method = new(tx, name)?;
    bind(tx, &mut method, customer);
    Ok(method)
}

/// The test card `name` as a payment method that belongs to nobody yet.
pub(crate) fn new(tx: &mut Tx, name: &str) -> Outcome<Value> {
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
            "livemode": false,
            "metadata": {},
            "type": "card",
        }),
        &["customer", "customer_account"],
    );
    tx.put(&method);
    behave(tx, &id, name);
    Ok(method)
}

/// Attaches a payment method to a customer.
pub(crate) fn bind(tx: &mut Tx, method: &mut Value, customer: &str) {
    method.set("customer", customer);
    tx.put(method);
    tx.emit("payment_method.attached", method);
}

/// The payment method that a request names: by its id, or a test card, of which it makes one.
pub(crate) fn named(tx: &mut Tx, name: &str, param: &str) -> Outcome<Value> {
    if tx.look(name).is_none() && cards::card(name).is_some() {
        return new(tx, name);
    }
    let method = tx.get(KIND, name, param)?;
    if tx.note(&gone(name)).is_some() {
        return Err(Failure::refused(
            "The provided PaymentMethod was detached from a Customer and may not be used again.",
        )
        .with("param", param));
    }
    Ok(method)
}

/// The same for a payment of this customer, whose own it must be or nobody's.
pub(crate) fn usable(tx: &mut Tx, name: &str, customer: Option<&str>, param: &str) -> Outcome<Value> {
    let method = named(tx, name, param)?;
    match method.maybe("customer") {
        Some(own) if customer != Some(own) => Err(Failure::refused(
            "The provided PaymentMethod belongs to a Customer. Please include the Customer in the request.",
        )
        .with("param", param)),
        _ => Ok(method),
    }
}

/// What a card says when its bank is asked to confirm it, before it is kept for later payments.
pub(crate) fn check(method: &Value, tx: &Tx) -> Outcome<()> {
    let card = tx.note(&card_of(method.id())).and_then(Value::as_str).unwrap_or_default();
    match (cards::fails_later(card), behaviour(tx, method.id())) {
        (false, Behaviour::Declines(code)) => Err(Failure::declined(cards::decline(&code).error(None, None))),
        _ => Ok(()),
    }
}

/// Lets a payment method behave as the test card `name` from now on.
pub(crate) fn behave(tx: &mut Tx, method: &str, name: &str) {
    tx.set_note(&card_of(method), name.into());
}

/// How a payment method behaves.
pub(crate) fn behaviour(tx: &Tx, method: &str) -> Behaviour {
    tx.note(&card_of(method))
        .and_then(Value::as_str)
        .and_then(cards::card)
        .map_or(Behaviour::Approves, |card| card.behaviour)
}

fn card_of(method: &str) -> String {
    format!("card:{method}")
}

fn gone(method: &str) -> String {
    format!("detached:{method}")
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

/// `POST /v1/payment_methods`: a card by its test token, as `tok_visa`. Card numbers are refused, as
/// Stripe does unless an account asked for them.
pub(crate) fn create(tx: &mut Tx, call: &Call) -> Outcome<Value> {
    let params = &call.params;
    params.required("type")?;
    params.one_of("type", &["card"])?;
    let card = params.hash("card");
    card.only(&["token"])?;
    let token = card.required("token")?;
    let name = token.strip_prefix("tok_").map(|name| format!("pm_card_{name}"));
    let name = name.filter(|name| cards::card(name).is_some());
    let Some(name) = name else { return Err(Failure::missing("token", token, "card[token]")) };
    let mut method = new(tx, &name)?;
    describe(&mut method, call)?;
    tx.put(&method);
    Ok(method)
}

/// `POST /v1/payment_methods/{id}`
pub(crate) fn update(tx: &mut Tx, call: &Call) -> Outcome<Value> {
    let mut method = tx.get(KIND, call.id(), "payment_method")?;
    describe(&mut method, call)?;
    tx.update(&method, "payment_method.updated");
    Ok(method)
}

fn describe(method: &mut Value, call: &Call) -> Outcome<()> {
    let given = call.params.hash("billing_details");
    given.only(&["email", "name", "phone"])?;
    for field in ["email", "name", "phone"] {
        if let Some(text) = given.text(field)? {
            method.set(&format!("/billing_details/{field}"), Some(text).filter(|text| !text.is_empty()));
        }
    }
    merge_metadata(method, call.params.raw("metadata"));
    Ok(())
}

/// `POST /v1/payment_methods/{id}/attach`: the bank is asked first.
pub(crate) fn attach_call(tx: &mut Tx, call: &Call) -> Outcome<Value> {
    let customer = call.params.required("customer")?;
    tx.get("customer", customer, "customer")?;
    let mut method = attachable(tx, call.id())?;
    bind(tx, &mut method, customer);
    Ok(method)
}

/// A payment method that a request names and that can still be attached: its bank was asked.
pub(crate) fn attachable(tx: &mut Tx, name: &str) -> Outcome<Value> {
    let method = named(tx, name, "payment_method")?;
    if method.maybe("customer").is_some() {
        return Err(Failure::refused(
            "The payment method you provided has already been attached to a customer.",
        ));
    }
    check(&method, tx)?;
    Ok(method)
}

/// `POST /v1/payment_methods/{id}/detach`: for good, and it is nobody's default any more.
pub(crate) fn detach(tx: &mut Tx, call: &Call) -> Outcome<Value> {
    let mut method = tx.get(KIND, call.id(), "payment_method")?;
    let Some(customer) = method.maybe("customer").map(str::to_owned) else {
        return Err(Failure::refused(
            "The payment method you provided is not attached to a customer so detachment is impossible.",
        ));
    };
    method.set("customer", Value::Null);
    tx.set_note(&gone(call.id()), true.into());
    tx.update(&method, "payment_method.detached");
    if let Some(mut customer) = tx.look(&customer).cloned()
        && customer.text("/invoice_settings/default_payment_method") == call.id()
    {
        customer.set("/invoice_settings/default_payment_method", Value::Null);
        tx.update(&customer, "customer.updated");
    }
    Ok(method)
}

/// `GET /v1/customers/{id}/payment_methods`
pub(crate) fn of_customer(tx: &mut Tx, call: &Call) -> Outcome<Value> {
    tx.get("customer", call.id(), "customer")?;
    let found = tx.with(KIND, "customer", call.id());
    lists::page(&call.params, &found, |_| true, &format!("/v1/customers/{}/payment_methods", call.id()), KIND)
}
