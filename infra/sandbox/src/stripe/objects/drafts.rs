//! Invoices by request: <https://docs.stripe.com/api/invoices/create>.

use serde_json::{Value, json};

use super::{
    bills::{self, Bill},
    invoice_items,
    invoices::KIND,
};
use crate::stripe::{
    document::{Document as _, merge_metadata},
    failure::{Failure, Outcome},
    form::Params,
    routes::Call,
    store::Tx,
};

/// Parameters of [`create`]; Stripe has more, which are not modelled.
pub(crate) const PARAMS: &[&str] = &[
    "auto_advance",
    "collection_method",
    "currency",
    "customer",
    "days_until_due",
    "default_payment_method",
    "description",
    "due_date",
    "footer",
    "metadata",
    "pending_invoice_items_behavior",
    "statement_descriptor",
];

/// Parameters of [`update`].
pub(crate) const UPDATE_PARAMS: &[&str] = &[
    "auto_advance",
    "collection_method",
    "days_until_due",
    "default_payment_method",
    "description",
    "due_date",
    "footer",
    "metadata",
    "statement_descriptor",
];

/// What of an invoice can be changed only while it is a draft.
const DRAFT_ONLY: &[&str] = &["collection_method", "days_until_due", "footer"];

const METHODS: &[&str] = &["charge_automatically", "send_invoice"];

/// The currency of a customer that was never billed.
const CURRENCY: &str = "usd";

/// `POST /v1/invoices`: a draft, empty unless what waits for an invoice is to be included.
pub(crate) fn create(tx: &mut Tx, call: &Call) -> Outcome<Value> {
    let params = &call.params;
    let customer = tx.get("customer", params.required("customer")?, "customer")?;
    let includes =
        params.one_of("pending_invoice_items_behavior", &["exclude", "include"])? == Some("include");
    let own = customer.maybe("currency").unwrap_or(CURRENCY);
    let currency = params.text("currency")?.map_or_else(|| own.to_owned(), str::to_lowercase);
    let method = params.one_of("collection_method", METHODS)?.unwrap_or("charge_automatically");
    let due = due(tx, params)?;
    if (method == "send_invoice") != due.is_some() {
        return Err(Failure::parameter(
            "days_until_due",
            "An invoice has `due_date` or `days_until_due` exactly if `collection_method` is `send_invoice`.",
        ));
    }
    let items = if includes { invoice_items::pending(tx, customer.id(), &currency) } else { Vec::new() };
    let bill = Bill {
        customer: customer.id(),
        currency: &currency,
        reason: "manual",
        subscription: None,
        period: (tx.now, tx.now),
        due,
        advances: params.flag("auto_advance")?.unwrap_or(false),
        lines: invoice_items::lines_of(tx, &items),
    };
    let mut invoice = bills::document(tx, bill)?;
    describe(tx, &mut invoice, params)?;
    bills::plan_advance(tx, &mut invoice);
    tx.put(&invoice);
    invoice_items::settle(tx, items, invoice.id());
    tx.emit("invoice.created", &invoice);
    Ok(invoice)
}

/// `POST /v1/invoices/{id}`
pub(crate) fn update(tx: &mut Tx, call: &Call) -> Outcome<Value> {
    let params = &call.params;
    let mut invoice = tx.get(KIND, call.id(), "id")?;
    let draft = invoice.text("status") == "draft";
    if let Some(name) = params.names().find(|name| !draft && DRAFT_ONLY.contains(name)) {
        return Err(Failure::refused(format!("Finalized invoices can't be updated in `{name}`."))
            .with("code", "invoice_not_editable")
            .with("param", name));
    }
    if let Some(method) = params.one_of("collection_method", METHODS)? {
        invoice.set("collection_method", method);
    }
    if let Some(due) = due(tx, params)? {
        invoice.set("due_date", due);
    }
    match (invoice.text("collection_method"), invoice.int("due_date")) {
        ("send_invoice", 0) => return Err(Failure::required("days_until_due")),
        ("charge_automatically", _) => invoice.set("due_date", Value::Null),
        _ => {}
    }
    describe(tx, &mut invoice, params)?;
    if let Some(advances) = params.flag("auto_advance")? {
        invoice.set("auto_advance", advances);
        if draft {
            bills::plan_advance(tx, &mut invoice);
        }
    }
    tx.update(&invoice, "invoice.updated");
    Ok(invoice)
}

/// `DELETE /v1/invoices/{id}`: a draft of no subscription, with its items.
pub(crate) fn delete(tx: &mut Tx, call: &Call) -> Outcome<Value> {
    let invoice = tx.get(KIND, call.id(), "id")?;
    if invoice.text("status") != "draft" || invoice.get("parent").is_some_and(|parent| !parent.is_null()) {
        return Err(Failure::refused(
            "You can only delete draft invoices that belong to no subscription. Void the others.",
        ));
    }
    invoice_items::drop_of(tx, call.id());
    let deleted = json!({ "id": invoice.id(), "object": KIND, "deleted": true });
    tx.put(&deleted);
    tx.emit("invoice.deleted", &invoice);
    Ok(deleted)
}

fn describe(tx: &Tx, invoice: &mut Value, params: &Params) -> Outcome<()> {
    if let Some(method) = params.text("default_payment_method")?.filter(|id| !id.is_empty()) {
        tx.get("payment_method", method, "default_payment_method")?;
    }
    for field in ["default_payment_method", "description", "footer", "statement_descriptor"] {
        if let Some(text) = params.text(field)? {
            invoice.set(field, Some(text).filter(|text| !text.is_empty()));
        }
    }
    merge_metadata(invoice, params.raw("metadata"));
    Ok(())
}

/// When an invoice is due, in seconds since the epoch.
fn due(tx: &Tx, params: &Params) -> Outcome<Option<i64>> {
    match (params.int("due_date")?, params.int("days_until_due")?) {
        (Some(_), Some(_)) => Err(Failure::parameter(
            "due_date",
            "You may only specify one of these parameters: due_date, days_until_due.",
        )),
        (at, days) => Ok(at.or_else(|| days.map(|days| tx.now + days * 86_400))),
    }
}
