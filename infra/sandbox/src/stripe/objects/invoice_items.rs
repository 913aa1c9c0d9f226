//! Invoice items, which wait for an invoice or are on a draft: <https://docs.stripe.com/api/invoiceitems>.

use serde_json::{Value, json};

use super::{bills, invoices, lines};
use crate::stripe::{
    document::{Document as _, merge_metadata},
    failure::{Failure, Outcome},
    form::Params,
    lists,
    routes::Call,
    store::Tx,
};

const KIND: &str = "invoiceitem";

/// Parameters of [`create`]; Stripe has more, which are not modelled.
pub(crate) const PARAMS: &[&str] = &[
    "amount",
    "currency",
    "customer",
    "description",
    "invoice",
    "metadata",
    "period",
    "pricing",
    "quantity",
    "unit_amount_decimal",
];

/// Parameters of [`update`].
pub(crate) const UPDATE_PARAMS: &[&str] =
    &["amount", "description", "metadata", "period", "pricing", "quantity", "unit_amount_decimal"];

/// Parameters of [`all`].
pub(crate) const LIST_PARAMS: &[&str] =
    &["created", "customer", "ending_before", "invoice", "limit", "pending", "starting_after"];

/// What of a customer waits for an invoice in this currency, oldest first.
pub(crate) fn pending(tx: &Tx, customer: &str, currency: &str) -> Vec<Value> {
    let mut found = tx.with(KIND, "customer", customer);
    found.retain(|item| item.maybe("invoice").is_none() && item.text("currency") == currency);
    found.reverse();
    found
}

/// The lines of items that go on an invoice.
pub(crate) fn lines_of(tx: &mut Tx, items: &[Value]) -> Vec<Value> {
    items.iter().map(|item| lines::of_item(tx, item)).collect()
}

/// Items are now on an invoice.
pub(crate) fn settle(tx: &mut Tx, items: Vec<Value>, invoice: &str) {
    for mut item in items {
        item.set("invoice", invoice);
        tx.put(&item);
    }
}

/// A draft was deleted, and its items with it.
pub(crate) fn drop_of(tx: &mut Tx, invoice: &str) {
    for item in tx.with(KIND, "invoice", invoice) {
        remove(tx, &item);
    }
}

/// `POST /v1/invoiceitems`
pub(crate) fn create(tx: &mut Tx, call: &Call) -> Outcome<Value> {
    let params = &call.params;
    let customer = tx.get("customer", params.required("customer")?, "customer")?;
    let invoice = params.text("invoice")?.filter(|id| !id.is_empty());
    let invoice = invoice.map(|id| editable(tx, id, "invoice")).transpose()?;
    if invoice.as_ref().is_some_and(|invoice| invoice.text("customer") != customer.id()) {
        return Err(Failure::parameter("invoice", "The invoice belongs to another customer."));
    }
    let mut item = json!({
        "id": tx.fresh("ii_"),
        "object": KIND,
        "amount": 0,
        "currency": null,
        "customer": customer.id(),
        "customer_account": null,
        "date": tx.now,
        "description": null,
        "discountable": true,
        "discounts": [],
        "invoice": invoice.as_ref().map(|invoice| invoice.id().to_owned()),
        "livemode": false,
        "metadata": {},
        "net_amount": 0,
        "parent": null,
        "period": { "end": tx.now, "start": tx.now },
        "pricing": null,
        "proration": false,
        "quantity": 1,
        "quantity_decimal": "1",
        "tax_rates": [],
        "test_clock": customer.get("test_clock"),
    });
    let own = invoice.as_ref().unwrap_or(&customer).maybe("currency");
    let currency = params.text("currency")?.map(str::to_lowercase);
    item.set("currency", currency.or_else(|| own.map(str::to_owned)));
    if params.raw("amount").is_none()
        && params.raw("pricing").is_none()
        && params.raw("unit_amount_decimal").is_none()
    {
        return Err(Failure::required("amount"));
    }
    change(tx, &mut item, params)?;
    if item.maybe("currency").is_none() {
        return Err(Failure::required("currency"));
    }
    if invoice.as_ref().is_some_and(|invoice| invoice.text("currency") != item.text("currency")) {
        return Err(Failure::parameter("currency", "The invoice has another currency."));
    }
    claim_currency(tx, customer, item.text("currency"));
    tx.put(&item);
    tx.emit("invoiceitem.created", &item);
    if let Some(invoice) = invoice {
        rebill(tx, &invoice, &item, true);
    }
    Ok(item)
}

/// `POST /v1/invoiceitems/{id}`
pub(crate) fn update(tx: &mut Tx, call: &Call) -> Outcome<Value> {
    let mut item = tx.get(KIND, call.id(), "invoiceitem")?;
    let invoice = item.maybe("invoice").map(|id| editable(tx, id, "invoiceitem")).transpose()?;
    change(tx, &mut item, &call.params)?;
    tx.put(&item);
    if let Some(invoice) = invoice {
        rebill(tx, &invoice, &item, true);
    }
    Ok(item)
}

/// `DELETE /v1/invoiceitems/{id}`: only while it waits or its invoice is a draft.
pub(crate) fn delete(tx: &mut Tx, call: &Call) -> Outcome<Value> {
    let item = tx.get(KIND, call.id(), "invoiceitem")?;
    let invoice = item.maybe("invoice").map(|id| editable(tx, id, "invoiceitem")).transpose()?;
    if let Some(invoice) = invoice {
        rebill(tx, &invoice, &item, false);
    }
    Ok(remove(tx, &item))
}

/// `GET /v1/invoiceitems`
pub(crate) fn all(tx: &mut Tx, call: &Call) -> Outcome<Value> {
    let params = &call.params;
    let (customer, invoice) = (params.text("customer")?, params.text("invoice")?);
    let pending = params.flag("pending")?;
    let wanted = |item: &Value| {
        !item.flag("deleted")
            && customer.is_none_or(|id| item.text("customer") == id)
            && invoice.is_none_or(|id| item.text("invoice") == id)
            && pending.is_none_or(|yes| item.maybe("invoice").is_none() == yes)
    };
    lists::page(params, tx.all(KIND), wanted, "/v1/invoiceitems", KIND)
}

/// The first charge in a currency binds the customer to it.
pub(crate) fn claim_currency(tx: &mut Tx, mut customer: Value, currency: &str) {
    if customer.maybe("currency").is_none() {
        customer.set("currency", currency);
        tx.update(&customer, "customer.updated");
    }
}

fn change(tx: &Tx, item: &mut Value, params: &Params) -> Outcome<()> {
    if let Some(text) = params.text("description")? {
        item.set("description", Some(text).filter(|text| !text.is_empty()));
    }
    let period = params.hash("period");
    period.only(&["end", "start"])?;
    for end in ["end", "start"] {
        if let Some(at) = period.int(end)? {
            item.set(&format!("/period/{end}"), at);
        }
    }
    let pricing = params.hash("pricing");
    pricing.only(&["price"])?;
    if let Some(id) = pricing.text("price")? {
        let price = tx.get("price", id, "pricing[price]")?;
        item.set("currency", price.text("currency"));
        item.set(
            "pricing",
            json!({
                "price_details": { "price": price.id(), "product": price.text("product") },
                "type": "price_details",
                "unit_amount_decimal": price.text("unit_amount_decimal"),
            }),
        );
    }
    if let Some(unit) = params.int("unit_amount_decimal")? {
        item.set("pricing", json!({ "type": "price_details", "unit_amount_decimal": unit.to_string() }));
    }
    if let Some(quantity) = params.int("quantity")? {
        item.set("quantity", quantity);
        item.set("quantity_decimal", quantity.to_string());
    }
    let unit: i64 = item.text("/pricing/unit_amount_decimal").parse().unwrap_or_default();
    let amount = match params.int("amount")? {
        Some(amount) => {
            item.set(
                "pricing",
                json!({ "type": "price_details", "unit_amount_decimal": amount.to_string() }),
            );
            amount
        }
        None => unit * item.int("quantity"),
    };
    item.set("amount", amount);
    item.set("net_amount", amount);
    merge_metadata(item, params.raw("metadata"));
    Ok(())
}

/// An invoice that is still a draft.
fn editable(tx: &Tx, id: &str, param: &str) -> Outcome<Value> {
    let invoice = tx.get(invoices::KIND, id, param)?;
    if invoice.text("status") == "draft" {
        return Ok(invoice);
    }
    Err(Failure::refused("The invoice is no longer a draft: its items can't be changed.")
        .with("code", "invoice_not_editable"))
}

/// Puts an item on a draft again or takes it off.
fn rebill(tx: &mut Tx, invoice: &Value, item: &Value, keep: bool) {
    let mut invoice = invoice.clone();
    let mut all = invoice.each("/lines/data").to_vec();
    all.retain(|line| line.text("/parent/invoice_item_details/invoice_item") != item.id());
    if keep {
        all.push(lines::of_item(tx, item));
    }
    bills::set_lines(&mut invoice, all);
    tx.update(&invoice, "invoice.updated");
}

fn remove(tx: &mut Tx, item: &Value) -> Value {
    let deleted = json!({ "id": item.id(), "object": KIND, "deleted": true });
    tx.put(&deleted);
    tx.emit("invoiceitem.deleted", item);
    deleted
}
