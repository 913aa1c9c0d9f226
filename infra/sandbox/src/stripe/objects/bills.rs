//! What an invoice bills, as a draft: <https://docs.stripe.com/api/invoices/object>.

use serde_json::{Value, json};

use super::invoices::KIND;
use crate::stripe::{
    document::{self, Document, with_nulls},
    failure::Outcome,
    store::Tx,
};

/// What an invoice bills.
pub(crate) struct Bill<'b> {
    pub customer: &'b str,
    /// Minor units.
    pub amount: i64,
    pub currency: &'b str,
    pub reason: &'b str,
    /// The subscription, if it bills one.
    pub subscription: Option<&'b Value>,
    /// The period that it bills, in seconds since the epoch.
    pub period: (i64, i64),
    /// Whether the customer is asked to pay instead of being charged.
    pub sent: bool,
}

/// A draft.
pub(crate) fn draft(tx: &mut Tx, bill: &Bill) -> Outcome<Value> {
    let customer = tx.get("customer", bill.customer, "customer")?;
    let id = tx.fresh("in_");
    let line = line(tx, &id, bill);
    let parent = bill.subscription.map(|subscription| {
        json!({
            "quote_details": null,
            "subscription_details": { "metadata": {}, "subscription": subscription.id() },
            "type": "subscription_details",
        })
    });
    let mut invoice = json!({
        "id": id,
        "object": KIND,
        "account_country": "US",
        "account_name": "Sandbox",
        "amount_due": bill.amount,
        "amount_overpaid": 0,
        "amount_paid": 0,
        "amount_remaining": bill.amount,
        "amount_shipping": 0,
        "attempt_count": 0,
        "attempted": false,
        "auto_advance": true,
        "billing_reason": bill.reason,
        "collection_method": if bill.sent { "send_invoice" } else { "charge_automatically" },
        "created": tx.now,
        "currency": bill.currency,
        "customer": bill.customer,
        "customer_email": customer.get("email"),
        "customer_name": customer.get("name"),
        "customer_tax_exempt": "none",
        "customer_tax_ids": [],
        "default_tax_rates": [],
        "discounts": [],
        "due_date": bill.sent.then_some(tx.now + 30 * 86_400),
        "lines": document::list(vec![line], false, &format!("/v1/invoices/{id}/lines")),
    });
    let rest = json!({
        "automatic_tax": {
            "disabled_reason": null, "enabled": false, "liability": null, "provider": null, "status": null,
        },
        "issuer": { "type": "self" },
        "livemode": false,
        "metadata": {},
        "parent": parent,
        "payment_settings": {
            "default_mandate": null, "payment_method_options": null, "payment_method_types": null,
        },
        "period_end": bill.period.1,
        "period_start": bill.period.0,
        "post_payment_credit_notes_amount": 0,
        "pre_payment_credit_notes_amount": 0,
        "starting_balance": 0,
        "status": "draft",
        "status_transitions": {
            "finalized_at": null, "marked_uncollectible_at": null, "paid_at": null, "voided_at": null,
        },
        "subtotal": bill.amount,
        "subtotal_excluding_tax": bill.amount,
        "total": bill.amount,
        "total_discount_amounts": [],
        "total_excluding_tax": bill.amount,
        "total_pretax_credit_amounts": [],
        "total_taxes": [],
    });
    for (field, value) in rest.as_object().into_iter().flatten() {
        invoice.set(field, value.clone());
    }
    let invoice = with_nulls(
        invoice,
        &[
            "account_tax_ids",
            "application",
            "automatically_finalizes_at",
            "custom_fields",
            "customer_account",
            "customer_address",
            "customer_phone",
            "customer_shipping",
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
            "next_payment_attempt",
            "number",
            "on_behalf_of",
            "receipt_number",
            "rendering",
            "shipping_cost",
            "shipping_details",
            "statement_descriptor",
            "test_clock",
            "webhooks_delivered_at",
        ],
    );
    tx.put(&invoice);
    tx.emit("invoice.created", &invoice);
    Ok(invoice)
}

fn line(tx: &mut Tx, invoice: &str, bill: &Bill) -> Value {
    let item = bill.subscription.and_then(|subscription| subscription.pointer("/items/data/0"));
    let parent = item.map(|item| {
        json!({
            "invoice_item_details": null,
            "subscription_item_details": {
                "invoice_item": null, "proration": false, "proration_details": null,
                "subscription": item.text("subscription"), "subscription_item": item.id(),
            },
            "type": "subscription_item_details",
        })
    });
    let pricing = item.map(|item| {
        json!({
            "price_details": { "price": item.text("/price/id"), "product": item.text("/price/product") },
            "type": "price_details",
            "unit_amount_decimal": bill.amount.to_string(),
        })
    });
    json!({
        "id": tx.fresh("il_"),
        "object": "line_item",
        "amount": bill.amount,
        "currency": bill.currency,
        "description": "1 × plan",
        "discount_amounts": [],
        "discountable": true,
        "discounts": [],
        "invoice": invoice,
        "livemode": false,
        "metadata": {},
        "parent": parent,
        "period": { "start": bill.period.0, "end": bill.period.1 },
        "pretax_credit_amounts": [],
        "pricing": pricing,
        "quantity": 1,
        "quantity_decimal": "1",
        "subscription": bill.subscription.map(Document::id),
        "subtotal": bill.amount,
        "taxes": [],
    })
}
