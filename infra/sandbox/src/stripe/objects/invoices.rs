//! Invoices and their payments: <https://docs.stripe.com/api/invoices> and
//! <https://docs.stripe.com/api/invoice-payment>.

use serde_json::{Value, json};

use super::{
    attempts::Session,
    balance,
    bills::EDITABLE,
    collection::{self, Collected},
    intents, methods,
};
use crate::stripe::{
    document::{Document, with_nulls},
    failure::{Failure, Outcome},
    lists,
    routes::Call,
    store::Tx,
};

pub(crate) const KIND: &str = "invoice";

/// Opens a draft: it gets its number, the customer's credit is used, and its payment begins.
pub(crate) fn finalize(tx: &mut Tx, id: &str) -> Outcome<Value> {
    let mut invoice = tx.get(KIND, id, "invoice")?;
    if invoice.text("status") != "draft" {
        return Err(Failure::refused(
            "This invoice is already finalized, you can't re-finalize a non-draft invoice.",
        )
        .with("code", "invoice_not_editable"));
    }
    if invoice.int("total") < 0 {
        return Err(Failure::refused("Invoices of a negative total are not modelled."));
    }
    number(tx, &mut invoice)?;
    use_credit(tx, &mut invoice)?;
    let hosted = format!("https://invoice.stripe.com/i/{}/test_{id}", tx.setting.account);
    invoice.set("status", "open");
    invoice.set("automatically_finalizes_at", Value::Null);
    invoice.set("next_payment_attempt", Value::Null);
    invoice.set("/status_transitions/finalized_at", tx.now);
    invoice.set("effective_at", tx.now);
    invoice.set("invoice_pdf", format!("{hosted}/pdf"));
    invoice.set("hosted_invoice_url", hosted);
    if invoice.int("amount_remaining") > 0 {
        let intent = intents::for_invoice(tx, &invoice);
        open_payment(tx, &invoice, intent.id());
    }
    tx.update(&invoice, "invoice.updated");
    tx.emit("invoice.finalized", &invoice);
    if invoice.int("amount_remaining") == 0 {
        collection::paid(tx, &mut invoice, 0);
    }
    Ok(invoice)
}

fn number(tx: &mut Tx, invoice: &mut Value) -> Outcome<()> {
    let mut customer = tx.get("customer", invoice.text("customer"), "customer")?;
    let sequence = customer.int("next_invoice_sequence").max(1);
    invoice.set("number", format!("{}-{sequence:04}", customer.text("invoice_prefix")));
    customer.set("next_invoice_sequence", sequence + 1);
    tx.put(&customer);
    Ok(())
}

fn use_credit(tx: &mut Tx, invoice: &mut Value) -> Outcome<()> {
    let customer = tx.get("customer", invoice.text("customer"), "customer")?;
    let (balance, total) = (customer.int("balance"), invoice.int("total"));
    let used = (-balance).clamp(0, total.max(0));
    invoice.set("starting_balance", balance);
    invoice.set("ending_balance", balance + used);
    if used > 0 {
        invoice.set("amount_due", total - used);
        invoice.set("amount_remaining", total - used);
        let currency = invoice.text("currency").to_owned();
        let mut entry = balance::adjust(tx, customer.id(), used, &currency, "applied_to_invoice", None)?;
        entry.set("invoice", invoice.id());
        tx.put(&entry);
    }
    Ok(())
}

fn open_payment(tx: &mut Tx, invoice: &Value, intent: &str) {
    let payment = with_nulls(
        json!({
            "id": tx.fresh("inpay_"),
            "object": "invoice_payment",
            "amount_requested": invoice.int("amount_remaining"),
            "created": tx.now,
            "currency": invoice.text("currency"),
            "invoice": invoice.id(),
            "is_default": true,
            "livemode": false,
            "payment": { "payment_intent": intent, "type": "payment_intent" },
            "status": "open",
            "status_transitions": { "canceled_at": null, "paid_at": null },
        }),
        &["amount_paid"],
    );
    tx.put(&payment);
}

/// Cancels what was to pay the invoice.
pub(crate) fn stop_payment(tx: &mut Tx, invoice: &str, reason: &str) {
    for mut payment in tx.with("invoice_payment", "invoice", invoice) {
        if payment.text("status") == "open" {
            payment.set("status", "canceled");
            payment.set("/status_transitions/canceled_at", tx.now);
            tx.put(&payment);
            let id = payment.text("/payment/payment_intent").to_owned();
            if let Some(mut intent) = tx.look(&id).cloned() {
                intents::cancel(tx, &mut intent, Some(reason));
            }
        }
    }
}

/// `POST /v1/invoices/{id}/finalize`: with `auto_advance` it is charged an hour later.
pub(crate) fn finalize_call(tx: &mut Tx, call: &Call) -> Outcome<Value> {
    let advance = call.params.flag("auto_advance")?;
    let mut invoice = finalize(tx, call.id())?;
    invoice.set("auto_advance", advance.unwrap_or_else(|| invoice.flag("auto_advance")));
    let charged = invoice.text("status") == "open" && invoice.text("collection_method") != "send_invoice";
    if charged && invoice.flag("auto_advance") {
        invoice.set("next_payment_attempt", tx.now + EDITABLE);
    }
    tx.update(&invoice, "invoice.updated");
    Ok(invoice)
}

/// `POST /v1/invoices/{id}/pay`
pub(crate) fn pay(tx: &mut Tx, call: &Call) -> Outcome<Value> {
    let out_of_band = call.params.flag("paid_out_of_band")?.unwrap_or(false);
    let forgive = call.params.flag("forgive")?.unwrap_or(false);
    let session =
        if call.params.flag("off_session")? == Some(false) { Session::On } else { Session::Invoice };
    let mut invoice = tx.get(KIND, call.id(), "id")?;
    let method = match call.params.text("payment_method")? {
        Some(name) => Some(methods::usable(tx, name, invoice.maybe("customer"), "payment_method")?),
        None => None,
    };
    if invoice.text("status") == "draft" {
        invoice = finalize(tx, call.id())?;
    }
    match invoice.text("status") {
        "open" | "uncollectible" => {}
        "paid" => {
            return Err(Failure::refused("Invoice is already paid").with("code", "invoice_already_paid"));
        }
        status => {
            return Err(Failure::refused(format!("This invoice can't be paid: it is {status}."))
                .with("code", "invoice_not_payable"));
        }
    }
    if out_of_band || forgive {
        stop_payment(tx, call.id(), "automatic");
        invoice.set("amount_paid_off_stripe", invoice.int("amount_remaining"));
        collection::paid(tx, &mut invoice, 0);
        return Ok(invoice);
    }
    match collection::collect(tx, call.id(), method.as_ref().map(Document::id), session, false)? {
        Collected::Paid(invoice) => Ok(invoice),
        Collected::Failed { refusal, .. } => Err(refusal),
    }
}

/// `POST /v1/invoices/{id}/void`
pub(crate) fn void(tx: &mut Tx, call: &Call) -> Outcome<Value> {
    leave(tx, call.id(), "void", &["open", "uncollectible"])
}

/// `POST /v1/invoices/{id}/mark_uncollectible`
pub(crate) fn mark_uncollectible(tx: &mut Tx, call: &Call) -> Outcome<Value> {
    leave(tx, call.id(), "uncollectible", &["open"])
}

/// Voids an invoice or marks it uncollectible, from one of these states.
pub(crate) fn leave(tx: &mut Tx, id: &str, to: &str, from: &[&str]) -> Outcome<Value> {
    let mut invoice = tx.get(KIND, id, "id")?;
    let status = invoice.text("status").to_owned();
    if !from.contains(&status.as_str()) {
        let done = if to == "void" { "voided" } else { "marked uncollectible" };
        return Err(Failure::refused(format!("The invoice can't be {done}: it is {status}.")));
    }
    let (at, event) = if to == "void" {
        stop_payment(tx, id, "void_invoice");
        ("voided_at", "invoice.voided")
    } else {
        invoice.set("status_details", json!({ "uncollectible": { "reason": "user_forgiven" } }));
        ("marked_uncollectible_at", "invoice.marked_uncollectible")
    };
    invoice.set("status", to);
    invoice.set("next_payment_attempt", Value::Null);
    invoice.set(&format!("/status_transitions/{at}"), tx.now);
    if to == "void" {
        invoice.set("amount_remaining", 0);
    }
    tx.update(&invoice, "invoice.updated");
    tx.emit(event, &invoice);
    Ok(invoice)
}

/// `POST /v1/invoices/{id}/send`: nobody is written to.
pub(crate) fn send(tx: &mut Tx, call: &Call) -> Outcome<Value> {
    let mut invoice = tx.get(KIND, call.id(), "id")?;
    if invoice.text("status") == "draft" {
        invoice = finalize(tx, call.id())?;
    }
    if invoice.text("status") != "open" {
        return Err(Failure::refused("You can only send an open invoice."));
    }
    tx.emit("invoice.sent", &invoice);
    Ok(invoice)
}

/// `GET /v1/invoices/{id}/lines`
pub(crate) fn lines(tx: &mut Tx, call: &Call) -> Outcome<Value> {
    let invoice = tx.get(KIND, call.id(), "id")?;
    let found = invoice.each("/lines/data").to_vec();
    lists::page(&call.params, &found, |_| true, &format!("/v1/invoices/{}/lines", call.id()), "line_item")
}

/// Parameters of [`payments`].
pub(crate) const PAYMENTS_PARAMS: &[&str] =
    &["created", "ending_before", "invoice", "limit", "payment", "starting_after", "status"];

/// `GET /v1/invoice_payments`
pub(crate) fn payments(tx: &mut Tx, call: &Call) -> Outcome<Value> {
    let params = &call.params;
    let invoice = params.text("invoice")?;
    let status = params.one_of("status", &["canceled", "open", "paid"])?;
    let payment = params.hash("payment");
    payment.only(&["payment_intent", "payment_record", "type"])?;
    let intent = payment.text("payment_intent")?;
    if params.raw("payment").is_some() {
        payment.required("type")?;
        payment.one_of("type", &["payment_intent", "payment_record"])?;
    }
    let wanted = |payment: &Value| {
        invoice.is_none_or(|id| payment.text("invoice") == id)
            && status.is_none_or(|status| payment.text("status") == status)
            && intent.is_none_or(|id| payment.text("/payment/payment_intent") == id)
    };
    lists::page(params, tx.all("invoice_payment"), wanted, "/v1/invoice_payments", "invoice_payment")
}
