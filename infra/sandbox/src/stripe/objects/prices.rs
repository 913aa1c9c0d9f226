//! Prices per unit, recurring or once: <https://docs.stripe.com/api/prices>. A recurring price is a
//! plan as well: <https://docs.stripe.com/api/plans>.

use serde_json::{Value, json};

use super::products;
use crate::stripe::{
    document::{Document as _, merge_metadata, with_nulls},
    failure::{Failure, Outcome},
    form::Params,
    lists,
    routes::Call,
    store::Tx,
};

const KIND: &str = "price";

const INTERVALS: &[&str] = &["day", "month", "week", "year"];

/// Parameters of [`create`].
pub(crate) const PARAMS: &[&str] = &[
    "active",
    "currency",
    "lookup_key",
    "metadata",
    "nickname",
    "product",
    "product_data",
    "recurring",
    "unit_amount",
];

/// Parameters of [`update`].
pub(crate) const UPDATE_PARAMS: &[&str] = &["active", "lookup_key", "metadata", "nickname"];

/// Parameters of [`create_plan`].
pub(crate) const PLAN_PARAMS: &[&str] =
    &["active", "amount", "currency", "id", "interval", "interval_count", "metadata", "nickname", "product"];

/// How often a price recurs.
pub(crate) struct Interval<'i> {
    pub unit: &'i str,
    pub count: i64,
}

/// A new price each month; `amount` in minor units.
pub(crate) fn monthly(tx: &mut Tx, product: &str, amount: i64, currency: &str) -> Value {
    let id = tx.fresh("price_");
    let price = document(tx, &id, product, amount, currency, Some(&Interval { unit: "month", count: 1 }));
    keep(tx, &price);
    price
}

/// Seconds of a recurring price's interval; a month has 30 days here and a year 365.
pub(crate) fn seconds(price: &Value) -> i64 {
    let days = match price.text("/recurring/interval") {
        "day" => 1,
        "week" => 7,
        "year" => 365,
        _ => 30,
    };
    days * 86_400 * price.int("/recurring/interval_count").max(1)
}

/// A recurring price as the plan that it also is.
pub(crate) fn plan(price: &Value) -> Value {
    let mut plan = with_nulls(
        json!({
            "id": price.id(),
            "object": "plan",
            "active": price.get("active"),
            "amount": price.get("unit_amount"),
            "amount_decimal": price.get("unit_amount_decimal"),
            "billing_scheme": "per_unit",
            "created": price.get("created"),
            "currency": price.get("currency"),
            "interval": price.pointer("/recurring/interval"),
            "interval_count": price.pointer("/recurring/interval_count"),
            "livemode": false,
            "metadata": price.get("metadata"),
            "nickname": price.get("nickname"),
            "product": price.get("product"),
            "usage_type": "licensed",
        }),
        &["meter", "tiers_mode", "transform_usage", "trial_period_days"],
    );
    if price.flag("deleted") {
        plan = json!({ "id": price.id(), "object": "plan", "deleted": true });
    }
    plan
}

fn document(
    tx: &Tx,
    id: &str,
    product: &str,
    amount: i64,
    currency: &str,
    interval: Option<&Interval>,
) -> Value {
    let recurring = interval.map(|interval| {
        json!({
            "interval": interval.unit, "interval_count": interval.count, "meter": null,
            "trial_period_days": null, "usage_type": "licensed",
        })
    });
    with_nulls(
        json!({
            "id": id,
            "object": KIND,
            "active": true,
            "billing_scheme": "per_unit",
            "created": tx.now,
            "currency": currency,
            "livemode": false,
            "metadata": {},
            "product": product,
            "type": if recurring.is_some() { "recurring" } else { "one_time" },
            "recurring": recurring,
            "tax_behavior": "unspecified",
            "unit_amount": amount,
            "unit_amount_decimal": amount.to_string(),
        }),
        &["custom_unit_amount", "lookup_key", "nickname", "tiers_mode", "transform_quantity"],
    )
}

fn keep(tx: &mut Tx, price: &Value) {
    tx.put(price);
    if price.text("type") == "recurring" {
        tx.emit("plan.created", &plan(price));
    }
    tx.emit("price.created", price);
}

/// `POST /v1/prices`
pub(crate) fn create(tx: &mut Tx, call: &Call) -> Outcome<Value> {
    let params = &call.params;
    let product = product_of(tx, params, "product_data")?;
    let recurring = params.hash("recurring");
    recurring.only(&["interval", "interval_count"])?;
    let interval = interval(&recurring)?;
    let amount = params.int("unit_amount")?.ok_or_else(|| Failure::required("unit_amount"))?;
    let currency = params.required("currency")?.to_lowercase();
    let id = tx.fresh("price_");
    let mut price = document(tx, &id, &product, amount, &currency, interval.as_ref());
    change(&mut price, params)?;
    keep(tx, &price);
    Ok(price)
}

/// `POST /v1/prices/{id}`
pub(crate) fn update(tx: &mut Tx, call: &Call) -> Outcome<Value> {
    let mut price = tx.get(KIND, call.id(), "price")?;
    change(&mut price, &call.params)?;
    updated(tx, &price);
    Ok(price)
}

/// `POST /v1/plans`: the older way to make a recurring price.
pub(crate) fn create_plan(tx: &mut Tx, call: &Call) -> Outcome<Value> {
    let params = &call.params;
    let product = product_of(tx, params, "product")?;
    let interval = interval(params)?.ok_or_else(|| Failure::required("interval"))?;
    let amount = params.int("amount")?.ok_or_else(|| Failure::required("amount"))?;
    let currency = params.required("currency")?.to_lowercase();
    let id = match params.text("id")?.filter(|id| !id.is_empty()) {
        Some(id) if tx.look(id).is_some() => {
            return Err(Failure::refused("Plan already exists.").with("code", "resource_already_exists"));
        }
        Some(id) => id.to_owned(),
        None => tx.fresh("plan_"),
    };
    let mut price = document(tx, &id, &product, amount, &currency, Some(&interval));
    change(&mut price, params)?;
    keep(tx, &price);
    Ok(plan(&price))
}

/// `POST /v1/plans/{id}`
pub(crate) fn update_plan(tx: &mut Tx, call: &Call) -> Outcome<Value> {
    let mut price = of_plan(tx, call.id())?;
    change(&mut price, &call.params)?;
    updated(tx, &price);
    Ok(plan(&price))
}

/// `DELETE /v1/plans/{id}`: subscriptions that have it keep it.
pub(crate) fn delete_plan(tx: &mut Tx, call: &Call) -> Outcome<Value> {
    let price = of_plan(tx, call.id())?;
    let deleted = json!({ "id": price.id(), "object": KIND, "deleted": true });
    tx.put(&deleted);
    tx.emit("plan.deleted", &plan(&price));
    tx.emit("price.deleted", &price);
    Ok(plan(&deleted))
}

/// `GET /v1/plans/{id}`
pub(crate) fn retrieve_plan(tx: &mut Tx, call: &Call) -> Outcome<Value> {
    of_plan(tx, call.id()).map(|price| plan(&price))
}

/// `GET /v1/plans`
pub(crate) fn all_plans(tx: &mut Tx, call: &Call) -> Outcome<Value> {
    let product = call.params.text("product")?;
    let mut plans = tx.with(KIND, "type", "recurring");
    plans.retain(|price| product.is_none_or(|id| price.text("product") == id));
    let plans: Vec<Value> = plans.iter().map(plan).collect();
    lists::page(&call.params, &plans, |_| true, "/v1/plans", "plan")
}

fn of_plan(tx: &Tx, id: &str) -> Outcome<Value> {
    match tx.get(KIND, id, "plan") {
        Ok(price) if price.text("type") == "recurring" => Ok(price),
        _ => Err(Failure::missing("plan", id, "plan")),
    }
}

fn updated(tx: &mut Tx, price: &Value) {
    if price.text("type") == "recurring"
        && let Some(old) = tx.look(price.id()).cloned()
    {
        tx.changed_to("plan.updated", &plan(&old), &plan(price));
    }
    tx.update(price, "price.updated");
}

/// The product that a request names, or a new one that it describes in the hash `described`.
fn product_of(tx: &mut Tx, params: &Params, described: &str) -> Outcome<String> {
    if params.raw(described).is_some_and(Value::is_object) {
        let described = params.hash(described);
        described.only(&["name"])?;
        let product = products::new(tx, described.required("name")?);
        return Ok(product.id().to_owned());
    }
    let id = params.required("product")?;
    tx.get("product", id, "product").map(|product| product.id().to_owned())
}

fn interval(params: &Params) -> Outcome<Option<Interval<'_>>> {
    let count = params.int("interval_count")?.unwrap_or(1).max(1);
    Ok(params.one_of("interval", INTERVALS)?.map(|unit| Interval { unit, count }))
}

fn change(price: &mut Value, params: &Params) -> Outcome<()> {
    for field in ["lookup_key", "nickname"] {
        if let Some(text) = params.text(field)? {
            price.set(field, Some(text).filter(|text| !text.is_empty()));
        }
    }
    if let Some(active) = params.flag("active")? {
        price.set("active", active);
    }
    merge_metadata(price, params.raw("metadata"));
    Ok(())
}
