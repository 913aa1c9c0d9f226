//! Customers: <https://docs.stripe.com/api/customers>.

use serde_json::{Value, json};

use super::{addresses, methods, test_clocks};
use crate::stripe::{
    document::{Document as _, merge_metadata, with_nulls},
    failure::{Failure, Outcome},
    form::Params,
    lists,
    routes::Call,
    store::Tx,
};

const KIND: &str = "customer";

/// Parameters of [`create`]; Stripe has more, which are not modelled.
pub(crate) const PARAMS: &[&str] = &[
    "address",
    "description",
    "email",
    "invoice_settings",
    "metadata",
    "name",
    "payment_method",
    "phone",
    "preferred_locales",
    "shipping",
    "tax_exempt",
    "test_clock",
];

/// Parameters of [`update`].
pub(crate) const UPDATE_PARAMS: &[&str] = &[
    "address",
    "description",
    "email",
    "invoice_settings",
    "metadata",
    "name",
    "phone",
    "preferred_locales",
    "shipping",
    "tax_exempt",
];

/// Parameters of [`all`].
pub(crate) const LIST_PARAMS: &[&str] =
    &["created", "email", "ending_before", "limit", "starting_after", "test_clock"];

/// A new customer.
pub(crate) fn new(tx: &mut Tx, name: &str, email: &str) -> Value {
    let customer = document(tx, name, email);
    tx.put(&customer);
    tx.emit("customer.created", &customer);
    customer
}

fn document(tx: &mut Tx, name: &str, email: &str) -> Value {
    let id = tx.fresh("cus_");
    let prefix: String = id.chars().filter(char::is_ascii_alphanumeric).skip(3).take(8).collect();
    with_nulls(
        json!({
            "id": id,
            "object": KIND,
            "balance": 0,
            "created": tx.now,
            "delinquent": false,
            "email": Some(email).filter(|email| !email.is_empty()),
            "invoice_prefix": prefix.to_uppercase(),
            "invoice_settings": {
                "custom_fields": null, "default_payment_method": null, "footer": null, "rendering_options": null,
            },
            "livemode": false,
            "metadata": {},
            "name": Some(name).filter(|name| !name.is_empty()),
            "next_invoice_sequence": 1,
            "preferred_locales": [],
            "tax_exempt": "none",
        }),
        &[
            "address",
            "currency",
            "customer_account",
            "default_source",
            "description",
            "discount",
            "phone",
            "shipping",
            "test_clock",
        ],
    )
}

/// Makes a payment method the one that invoices are charged to.
pub(crate) fn set_default_method(tx: &mut Tx, customer: &str, method: &str) -> Outcome<Value> {
    let mut customer = tx.get(KIND, customer, "customer")?;
    customer.set("/invoice_settings/default_payment_method", method);
    tx.update(&customer, "customer.updated");
    Ok(customer)
}

/// `POST /v1/customers`: a test card that is attached by name can be the default by the same name.
pub(crate) fn create(tx: &mut Tx, call: &Call) -> Outcome<Value> {
    let params = &call.params;
    let mut customer = document(tx, "", "");
    if let Some(clock) = params.text("test_clock")?.filter(|id| !id.is_empty()) {
        tx.get(test_clocks::KIND, clock, "test_clock")?;
        customer.set("test_clock", clock);
    }
    let attached = match params.text("payment_method")?.filter(|name| !name.is_empty()) {
        Some(name) => Some((name, methods::attachable(tx, name)?)),
        None => None,
    };
    let default = params.hash("invoice_settings").text("default_payment_method")?.map(str::to_owned);
    change(&mut customer, params)?;
    if let Some(default) = default.filter(|name| !name.is_empty()) {
        match &attached {
            Some((name, method)) if *name == default || method.id() == default => {
                customer.set("/invoice_settings/default_payment_method", method.id());
            }
            _ => return Err(not_attached()),
        }
    }
    tx.put(&customer);
    tx.emit("customer.created", &customer);
    if let Some((_, mut method)) = attached {
        methods::bind(tx, &mut method, customer.id());
    }
    Ok(customer)
}

fn not_attached() -> Failure {
    Failure::refused("The customer does not have this payment method: attach it first.")
        .with("code", "resource_missing")
        .with("param", "invoice_settings[default_payment_method]")
}

/// `POST /v1/customers/{id}`
pub(crate) fn update(tx: &mut Tx, call: &Call) -> Outcome<Value> {
    let mut customer = tx.get(KIND, call.id(), "id")?;
    change(&mut customer, &call.params)?;
    if let Some(method) = call.params.hash("invoice_settings").text("default_payment_method")? {
        let found = tx.look(method).filter(|found| found.text("customer") == call.id());
        if !method.is_empty() && found.is_none() {
            return Err(not_attached());
        }
        let method = Some(method).filter(|method| !method.is_empty());
        customer.set("/invoice_settings/default_payment_method", method);
    }
    tx.update(&customer, "customer.updated");
    Ok(customer)
}

/// `DELETE /v1/customers/{id}`
pub(crate) fn delete(tx: &mut Tx, call: &Call) -> Outcome<Value> {
    let customer = tx.get(KIND, call.id(), "id")?;
    remove(tx, &customer)
}

/// Deletes a customer and ends what it has subscribed to.
pub(crate) fn remove(tx: &mut Tx, customer: &Value) -> Outcome<Value> {
    for subscription in tx.with("subscription", "customer", customer.id()) {
        if subscription.text("status") != "canceled" {
            super::subscriptions::cancel(tx, subscription.id(), "cancellation_requested")?;
        }
    }
    let deleted = json!({ "id": customer.id(), "object": KIND, "deleted": true });
    tx.put(&deleted);
    tx.emit("customer.deleted", customer);
    Ok(deleted)
}

/// `GET /v1/customers`: those of test clocks only if they are asked for.
pub(crate) fn all(tx: &mut Tx, call: &Call) -> Outcome<Value> {
    let params = &call.params;
    let (email, clock) = (params.text("email")?, params.text("test_clock")?);
    let wanted = |customer: &Value| {
        !customer.flag("deleted")
            && email.is_none_or(|email| customer.text("email") == email)
            && customer.maybe("test_clock") == clock
    };
    lists::page(params, tx.all(KIND), wanted, "/v1/customers", KIND)
}

fn change(customer: &mut Value, params: &Params) -> Outcome<()> {
    for field in ["description", "email", "name", "phone"] {
        if let Some(text) = params.text(field)? {
            customer.set(field, Some(text).filter(|text| !text.is_empty()));
        }
    }
    if params.raw("preferred_locales").is_some() {
        customer.set("preferred_locales", params.texts("preferred_locales"));
    }
    if let Some(address) = addresses::address(params, "address")? {
        customer.set("address", address);
    }
    if let Some(shipping) = addresses::shipping(params)? {
        customer.set("shipping", shipping);
    }
    if let Some(exempt) = params.one_of("tax_exempt", &["exempt", "none", "reverse"])? {
        customer.set("tax_exempt", exempt);
    }
    params.hash("invoice_settings").only(&["default_payment_method"])?;
    merge_metadata(customer, params.raw("metadata"));
    Ok(())
}
