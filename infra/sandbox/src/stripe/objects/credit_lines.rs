//! The lines of a credit note: <https://docs.stripe.com/api/credit_notes/line_item>.

use serde_json::{Value, json};

use crate::stripe::{
    document::Document as _,
    failure::{Failure, Outcome},
    form::Params,
    store::Tx,
};

/// The lines that a request asks for.
pub(crate) fn read(tx: &mut Tx, params: &Params, invoice: &Value) -> Outcome<Vec<Value>> {
    let mut lines = Vec::new();
    for asked in params.hashes("lines") {
        asked.only(&[
            "amount",
            "description",
            "invoice_line_item",
            "metadata",
            "quantity",
            "type",
            "unit_amount",
        ])?;
        asked.required("type")?;
        let quantity = asked.int("quantity")?.unwrap_or(1);
        let kind = asked.one_of("type", &["custom_line_item", "invoice_line_item"])?;
        let made = if kind == Some("invoice_line_item") {
            let id = asked.required("invoice_line_item")?;
            let Some(billed) = invoice.each("/lines/data").iter().find(|line| line.id() == id) else {
                return Err(Failure::missing("invoice_line_item", id, &asked.called("invoice_line_item")));
            };
            let unit = billed.int("amount") / billed.int("quantity").max(1);
            let amount = asked.int("amount")?.unwrap_or(unit * quantity);
            if amount > billed.int("amount") {
                return Err(Failure::refused("A line cannot be credited by more than it was billed.")
                    .with("param", asked.called("amount")));
            }
            line(tx, "invoice_line_item", amount, quantity, Some(id), billed.maybe("description"))
        } else {
            let unit = asked.int("unit_amount")?;
            let unit = unit.ok_or_else(|| Failure::required(&asked.called("unit_amount")))?;
            line(tx, "custom_line_item", unit * quantity, quantity, None, asked.text("description")?)
        };
        lines.push(made);
    }
    Ok(lines)
}

/// A line of `amount` minor units, of an invoice's line if `of` names one.
pub(crate) fn line(
    tx: &mut Tx,
    kind: &str,
    amount: i64,
    quantity: i64,
    of: Option<&str>,
    description: Option<&str>,
) -> Value {
    let unit = amount / quantity.max(1);
    let mut line = json!({
        "id": tx.fresh("cnli_"),
        "object": "credit_note_line_item",
        "amount": amount,
        "description": description,
        "discount_amount": 0,
        "discount_amounts": [],
        "livemode": false,
        "metadata": {},
        "pretax_credit_amounts": [],
        "quantity": quantity,
        "tax_rates": [],
        "taxes": [],
        "type": kind,
        "unit_amount": unit,
        "unit_amount_decimal": unit.to_string(),
    });
    if let Some(of) = of {
        line.set("invoice_line_item", of);
    }
    line
}
