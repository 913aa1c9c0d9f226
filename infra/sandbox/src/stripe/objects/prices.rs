//! Products and prices, as far as a subscription needs them: <https://docs.stripe.com/api/prices>.

use serde_json::{Value, json};

use crate::stripe::{
    document::{Document as _, merge_metadata, with_nulls},
    failure::{Failure, Outcome},
    routes::Call,
    store::Tx,
};

/// A new product.
pub(crate) fn product(tx: &mut Tx, name: &str) -> Value {
    let product = with_nulls(
        json!({
            "id": tx.fresh("prod_"),
            "object": "product",
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
    );
    tx.put(&product);
    tx.emit("product.created", &product);
    product
}

/// A new price each month, or once; `amount` in minor units.
pub(crate) fn price(tx: &mut Tx, product: &str, amount: i64, currency: &str, monthly: bool) -> Value {
    let recurring = json!({
        "interval": "month", "interval_count": 1, "meter": null, "trial_period_days": null,
        "usage_type": "licensed",
    });
    let price = with_nulls(
        json!({
            "id": tx.fresh("price_"),
            "object": "price",
            "active": true,
            "billing_scheme": "per_unit",
            "created": tx.now,
            "currency": currency,
            "livemode": false,
            "metadata": {},
            "product": product,
            "recurring": Some(recurring).filter(|_| monthly),
            "tax_behavior": "unspecified",
            "type": if monthly { "recurring" } else { "one_time" },
            "unit_amount": amount,
            "unit_amount_decimal": amount.to_string(),
        }),
        &["custom_unit_amount", "lookup_key", "nickname", "tiers_mode", "transform_quantity"],
    );
    tx.put(&price);
    tx.emit("price.created", &price);
    price
}

/// `POST /v1/products`
pub(crate) fn create_product(tx: &mut Tx, call: &Call) -> Outcome<Value> {
    let mut made = product(tx, call.params.required("name")?);
    if let Some(description) = call.params.text("description")? {
        made.set("description", description);
    }
    merge_metadata(&mut made, call.params.raw("metadata"));
    tx.put(&made);
    Ok(made)
}

/// `POST /v1/prices`: monthly or one-time.
pub(crate) fn create_price(tx: &mut Tx, call: &Call) -> Outcome<Value> {
    let params = &call.params;
    let of = params.required("product")?;
    tx.get("product", of, "product")?;
    let recurring = params.hash("recurring");
    recurring.only(&["interval"])?;
    let monthly = recurring.one_of("interval", &["month"])?.is_some();
    let amount = params.int("unit_amount")?.ok_or_else(|| Failure::required("unit_amount"))?;
    let mut made = price(tx, of, amount, &params.required("currency")?.to_lowercase(), monthly);
    if let Some(nickname) = params.text("nickname")? {
        made.set("nickname", nickname);
    }
    merge_metadata(&mut made, params.raw("metadata"));
    tx.put(&made);
    Ok(made)
}
