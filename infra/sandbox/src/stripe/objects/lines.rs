//! The lines of an invoice: <https://docs.stripe.com/api/invoice-line-item/object>.

use serde_json::{Value, json};

use crate::stripe::{document::Document as _, store::Tx};

/// What one line says; its invoice is known when it is put on one.
struct Line<'l> {
    /// Minor units.
    amount: i64,
    currency: &'l str,
    description: Option<String>,
    quantity: i64,
    /// In seconds since the epoch.
    period: (i64, i64),
    parent: Value,
    pricing: Value,
    subscription: Option<&'l str>,
}

/// A line for each item of a subscription, for the items' current period. A trial costs nothing.
pub(crate) fn of_subscription(tx: &mut Tx, subscription: &Value, trial: bool) -> Vec<Value> {
    let mut lines = Vec::new();
    for item in subscription.each("/items/data") {
        let (quantity, unit) = (item.int("quantity"), item.int("/price/unit_amount"));
        let product = tx.look(item.text("/price/product"));
        let name = product.map_or("plan", |product| product.text("name"));
        let description =
            if trial { format!("Trial period for {name}") } else { format!("{quantity} × {name}") };
        let line = Line {
            amount: if trial { 0 } else { unit * quantity },
            currency: subscription.text("currency"),
            description: Some(description),
            quantity,
            period: (item.int("current_period_start"), item.int("current_period_end")),
            parent: json!({
                "invoice_item_details": null,
                "subscription_item_details": {
                    "invoice_item": null, "proration": false, "proration_details": null,
                    "subscription": subscription.id(), "subscription_item": item.id(),
                },
                "type": "subscription_item_details",
            }),
            pricing: json!({
                "price_details": { "price": item.text("/price/id"), "product": item.text("/price/product") },
                "type": "price_details",
                "unit_amount_decimal": if trial { 0 } else { unit }.to_string(),
            }),
            subscription: Some(subscription.id()),
        };
        lines.push(document(tx, &line));
    }
    lines
}

/// A line of `amount` minor units that nothing else is known of.
pub(crate) fn single(tx: &mut Tx, amount: i64, currency: &str) -> Value {
    let line = Line {
        amount,
        currency,
        description: None,
        quantity: 1,
        period: (tx.now, tx.now),
        parent: Value::Null,
        pricing: Value::Null,
        subscription: None,
    };
    document(tx, &line)
}

/// The line of an invoice item.
pub(crate) fn of_item(tx: &mut Tx, item: &Value) -> Value {
    let line = Line {
        amount: item.int("amount"),
        currency: item.text("currency"),
        description: item.maybe("description").map(str::to_owned),
        quantity: item.int("quantity"),
        period: (item.int("/period/start"), item.int("/period/end")),
        parent: json!({
            "invoice_item_details": {
                "invoice_item": item.id(), "proration": false, "proration_details": null, "subscription": null,
            },
            "subscription_item_details": null,
            "type": "invoice_item_details",
        }),
        pricing: item.get("pricing").cloned().unwrap_or_default(),
        subscription: None,
    };
    let mut line = document(tx, &line);
    line.set("metadata", item.get("metadata").cloned());
    line
}

fn document(tx: &mut Tx, line: &Line) -> Value {
    json!({
        "id": tx.fresh("il_"),
        "object": "line_item",
        "amount": line.amount,
        "currency": line.currency,
        "description": line.description,
        "discount_amounts": [],
        "discountable": true,
        "discounts": [],
        "invoice": null,
        "livemode": false,
        "metadata": {},
        "parent": line.parent,
        "period": { "start": line.period.0, "end": line.period.1 },
        "pretax_credit_amounts": [],
        "pricing": line.pricing,
        "quantity": line.quantity,
        "quantity_decimal": line.quantity.to_string(),
        "subscription": line.subscription,
        "subtotal": line.amount,
        "taxes": [],
    })
}
