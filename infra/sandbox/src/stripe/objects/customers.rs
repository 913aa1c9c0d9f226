//! Customers: <https://docs.stripe.com/api/customers>.

use serde_json::{Value, json};

use crate::stripe::{
    document::{Document as _, merge_metadata, with_nulls},
    failure::Outcome,
    form::Params,
    routes::Call,
    store::Tx,
};

const KIND: &str = "customer";

/// Parameters of create and update.
pub(crate) const PARAMS: &[&str] =
    &["description", "email", "invoice_settings", "metadata", "name", "phone", "preferred_locales"];

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

/// `POST /v1/customers`
pub(crate) fn create(tx: &mut Tx, call: &Call) -> Outcome<Value> {
    let name = call.params.text("name")?.unwrap_or_default();
    let email = call.params.text("email")?.unwrap_or_default();
    let mut customer = document(tx, name, email);
    change(tx, &mut customer, &call.params)?;
    tx.put(&customer);
    tx.emit("customer.created", &customer);
    Ok(customer)
}

/// `POST /v1/customers/{id}`
pub(crate) fn update(tx: &mut Tx, call: &Call) -> Outcome<Value> {
    let mut customer = tx.get(KIND, call.id(), "id")?;
    change(tx, &mut customer, &call.params)?;
    tx.update(&customer, "customer.updated");
    Ok(customer)
}

/// `DELETE /v1/customers/{id}`
pub(crate) fn delete(tx: &mut Tx, call: &Call) -> Outcome<Value> {
    let customer = tx.get(KIND, call.id(), "id")?;
    for subscription in tx.with("subscription", "customer", call.id()) {
        if subscription.text("status") != "canceled" {
            super::subscriptions::cancel(tx, subscription.id(), "cancellation_requested")?;
        }
    }
    let deleted = json!({ "id": customer.id(), "object": KIND, "deleted": true });
    tx.put(&deleted);
    tx.emit("customer.deleted", &customer);
    Ok(deleted)
}

fn change(tx: &Tx, customer: &mut Value, params: &Params) -> Outcome<()> {
    for field in ["description", "email", "name", "phone"] {
        if let Some(text) = params.text(field)? {
            customer.set(field, Some(text).filter(|text| !text.is_empty()));
        }
    }
    if params.raw("preferred_locales").is_some() {
        customer.set("preferred_locales", params.texts("preferred_locales"));
    }
    let settings = params.hash("invoice_settings");
    settings.only(&["default_payment_method"])?;
    if let Some(method) = settings.text("default_payment_method")? {
        if !method.is_empty() {
            tx.get("payment_method", method, "invoice_settings[default_payment_method]")?;
        }
        let method = Some(method).filter(|method| !method.is_empty());
        customer.set("/invoice_settings/default_payment_method", method);
    }
    merge_metadata(customer, params.raw("metadata"));
    Ok(())
}
