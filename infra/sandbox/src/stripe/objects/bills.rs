//! What an invoice bills, as a draft: <https://docs.stripe.com/api/invoices/object>.

use serde_json::{Value, json};

use super::invoices::KIND;
use crate::stripe::{
    document::{self, Document, with_nulls},
    failure::Outcome,
    store::Tx,
};

/// How long a draft can be changed before it is finalized by itself, in seconds:
/// <https://docs.stripe.com/invoicing/integration/automatic-advancement-collection>.
pub(crate) const EDITABLE: i64 = 3600;

/// What an invoice bills.
pub(crate) struct Bill<'b> {
    pub customer: &'b str,
    pub currency: &'b str,
    pub reason: &'b str,
    /// The subscription, if it bills one.
    pub subscription: Option<&'b Value>,
    /// The period that it closes, in seconds since the epoch.
    pub period: (i64, i64),
    /// When it is due, in seconds since the epoch, if the customer is asked to pay instead of being
    /// charged.
    pub due: Option<i64>,
    /// Whether it is finalized and collected by itself.
    pub advances: bool,
    /// Of [`lines`](super::lines).
    pub lines: Vec<Value>,
}

/// A draft.
pub(crate) fn draft(tx: &mut Tx, bill: Bill) -> Outcome<Value> {
    let mut invoice = document(tx, bill)?;
    plan_advance(tx, &mut invoice);
    tx.put(&invoice);
    tx.emit("invoice.created", &invoice);
    Ok(invoice)
}

/// Plans when a draft is finalized and first tried, if that happens by itself.
pub(crate) fn plan_advance(tx: &Tx, draft: &mut Value) {
    let at = draft.flag("auto_advance").then_some(tx.now + EDITABLE);
    draft.set("automatically_finalizes_at", at);
    let charged = draft.text("collection_method") == "charge_automatically";
    draft.set("next_payment_attempt", at.filter(|_| charged));
}

/// Puts lines on a draft, each of which then belongs to it, and adds them up.
pub(crate) fn set_lines(invoice: &mut Value, mut lines: Vec<Value>) {
    let id = invoice.id().to_owned();
    for line in &mut lines {
        line.set("invoice", id.as_str());
    }
    invoice.set("lines", document::list(lines, false, &format!("/v1/invoices/{id}/lines")));
    let total: i64 = invoice.each("/lines/data").iter().map(|line| line.int("amount")).sum();
    for field in ["subtotal", "subtotal_excluding_tax", "total", "total_excluding_tax"] {
        invoice.set(field, total);
    }
    for field in ["amount_due", "amount_remaining"] {
        invoice.set(field, total.max(0));
    }
}

/// A draft as a document that is not kept yet.
pub(crate) fn document(tx: &mut Tx, bill: Bill) -> Outcome<Value> {
    let customer = tx.get("customer", bill.customer, "customer")?;
    let parent = bill.subscription.map(|subscription| {
        json!({
            "quote_details": null,
            "subscription_details": {
                "metadata": subscription.get("metadata"), "subscription": subscription.id(),
            },
            "type": "subscription_details",
        })
    });
    let mut invoice = json!({
        "id": tx.fresh("in_"),
        "object": KIND,
        "account_country": "US",
        "account_name": "Sandbox",
        "amount_overpaid": 0,
        "amount_paid": 0,
        "amount_shipping": 0,
        "attempt_count": 0,
        "attempted": false,
        "auto_advance": bill.advances,
        "billing_reason": bill.reason,
        "collection_method": if bill.due.is_some() { "send_invoice" } else { "charge_automatically" },
        "created": tx.now,
        "currency": bill.currency,
        "customer": bill.customer,
        "customer_address": customer.get("address"),
        "customer_email": customer.get("email"),
        "customer_name": customer.get("name"),
        "customer_phone": customer.get("phone"),
        "customer_shipping": customer.get("shipping"),
        "customer_tax_exempt": customer.get("tax_exempt"),
        "customer_tax_ids": [],
        "default_tax_rates": [],
        "discounts": [],
        "due_date": bill.due,
        "parent": parent,
        "period_end": bill.period.1,
        "period_start": bill.period.0,
        "test_clock": customer.get("test_clock"),
    });
    set_lines(&mut invoice, bill.lines);
    let rest = json!({
        "automatic_tax": {
            "disabled_reason": null, "enabled": false, "liability": null, "provider": null, "status": null,
        },
        "issuer": { "type": "self" },
        "livemode": false,
        "metadata": {},
        "payment_settings": {
            "default_mandate": null, "payment_method_options": null, "payment_method_types": null,
        },
        "post_payment_credit_notes_amount": 0,
        "pre_payment_credit_notes_amount": 0,
        "starting_balance": 0,
        "status": "draft",
        "status_transitions": {
            "finalized_at": null, "marked_uncollectible_at": null, "paid_at": null, "voided_at": null,
        },
        "total_discount_amounts": [],
        "total_pretax_credit_amounts": [],
        "total_taxes": [],
    });
    for (field, value) in rest.as_object().into_iter().flatten() {
        invoice.set(field, value.clone());
    }
    Ok(with_nulls(
        invoice,
        &[
            "account_tax_ids",
            "application",
            "custom_fields",
            "customer_account",
            "default_payment_method",
            "default_source",
            "description",
            "effective_at",
            "ending_balance",
            "footer",
            "from_invoice",
            "hosted_invoice_url",
            "invoice_pdf",
            "last_finalization_error",
            "latest_revision",
            "number",
            "on_behalf_of",
            "receipt_number",
            "rendering",
            "shipping_cost",
            "shipping_details",
            "statement_descriptor",
            "webhooks_delivered_at",
        ],
    ))
}
