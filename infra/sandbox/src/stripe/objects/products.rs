//! Products: <https://docs.stripe.com/api/products>.

use serde_json::{Value, json};

use crate::stripe::{
    document::{Document as _, merge_metadata, with_nulls},
    failure::{Failure, Outcome},
    form::Params,
    routes::Call,
    store::Tx,
};

const KIND: &str = "product";

/// Parameters of [`create`] and [`update`].
pub(crate) const PARAMS: &[&str] =
    &["active", "description", "metadata", "name", "statement_descriptor", "unit_label", "url"];

/// A new product.
pub(crate) fn new(tx: &mut Tx, name: &str) -> Value {
    let product = document(tx, name);
    tx.put(&product);
    tx.emit("product.created", &product);
    product
}

fn document(tx: &mut Tx, name: &str) -> Value {
    with_nulls(
        json!({
            "id": tx.fresh("prod_"),
            "object": KIND,
            "active": true,
            "created": tx.now,
            "images": [],
            "livemode": false,
            "marketing_features": [],
            "metadata": {},
            "name": name,
            "type": "service",
            "updated": tx.now,
        }),
        &[
            "default_price",
            "description",
            "package_dimensions",
            "shippable",
            "statement_descriptor",
            "tax_code",
            "tax_details",
            "unit_label",
            "url",
        ],
    )
}

/// `POST /v1/products`
pub(crate) fn create(tx: &mut Tx, call: &Call) -> Outcome<Value> {
    let mut product = document(tx, call.params.required("name")?);
    change(&mut product, &call.params)?;
    tx.put(&product);
    tx.emit("product.created", &product);
    Ok(product)
}

/// `POST /v1/products/{id}`
pub(crate) fn update(tx: &mut Tx, call: &Call) -> Outcome<Value> {
    let mut product = tx.get(KIND, call.id(), "id")?;
    change(&mut product, &call.params)?;
    if tx.look(call.id()) != Some(&product) {
        product.set("updated", tx.now);
    }
    tx.update(&product, "product.updated");
    Ok(product)
}

/// `DELETE /v1/products/{id}`: only one without prices.
pub(crate) fn delete(tx: &mut Tx, call: &Call) -> Outcome<Value> {
    let product = tx.get(KIND, call.id(), "id")?;
    if !tx.with("price", "product", call.id()).is_empty() {
        return Err(Failure::refused(
            "This product cannot be deleted because it has one or more user-created prices.",
        ));
    }
    let deleted = json!({ "id": product.id(), "object": KIND, "deleted": true });
    tx.put(&deleted);
    tx.emit("product.deleted", &product);
    Ok(deleted)
}

fn change(product: &mut Value, params: &Params) -> Outcome<()> {
    if let Some(name) = params.text("name")?.filter(|name| !name.is_empty()) {
        product.set("name", name);
    }
    for field in ["description", "statement_descriptor", "unit_label", "url"] {
        if let Some(text) = params.text(field)? {
            product.set(field, Some(text).filter(|text| !text.is_empty()));
        }
    }
    if let Some(active) = params.flag("active")? {
        product.set("active", active);
    }
    merge_metadata(product, params.raw("metadata"));
    Ok(())
}
