//! Credit notes: <https://docs.stripe.com/api/credit_notes>.

use serde_json::{Value, json};

use super::{balance, collection, credit_lines, invoices, refunds};
use crate::stripe::{
    document::{self, Document as _, merge_metadata, with_nulls},
    failure::{Failure, Outcome},
    form::Params,
    routes::Call,
    store::Tx,
};

const KIND: &str = "credit_note";

/// Parameters of [`create`].
pub(crate) const PARAMS: &[&str] = &[
    "amount",
    "credit_amount",
    "email_type",
    "invoice",
    "lines",
    "memo",
    "metadata",
    "out_of_band_amount",
    "reason",
    "refund_amount",
    "refunds",
];

/// `POST /v1/credit_notes`: first reduces what remains to be paid; what exceeds it must be given back
/// by refunds, credit or outside of Stripe, to the unit.
pub(crate) fn create(tx: &mut Tx, call: &Call) -> Outcome<Value> {
    let params = &call.params;
    let reason =
        params.one_of("reason", &["duplicate", "fraudulent", "order_change", "product_unsatisfactory"])?;
    params.one_of("email_type", &["credit_note", "none"])?;
    let mut invoice = tx.get("invoice", params.required("invoice")?, "invoice")?;
    let mut lines = credit_lines::read(tx, params, &invoice)?;
    let amount = match (params.int("amount")?, lines.is_empty()) {
        (Some(amount), true) if amount > 0 => amount,
        (None, false) => lines.iter().map(|line| line.int("amount")).sum(),
        (Some(_), true) => {
            return Err(Failure::parameter("amount", "This value must be greater than or equal to 1.")
                .with("code", "parameter_invalid_integer"));
        }
        _ => {
            return Err(Failure::parameter(
                "amount",
                "You must pass one of these parameters: amount, lines.",
            ));
        }
    };
    if !["open", "paid"].contains(&invoice.text("status")) {
        return Err(Failure::refused("A credit note can only be created for an open or paid invoice."));
    }
    let issued: i64 = tx
        .with(KIND, "invoice", invoice.id())
        .iter()
        .filter(|note| note.text("status") == "issued")
        .map(|note| note.int("amount"))
        .sum();
    let left = invoice.int("total") - issued;
    if amount > left {
        return Err(Failure::refused(format!(
            "The sum of credit note amounts ({}) cannot exceed the invoice total ({}).",
            issued + amount,
            invoice.int("total")
        ))
        .with("param", "amount"));
    }
    let unpaid = amount.min(invoice.int("amount_remaining"));
    let paid = amount - unpaid;
    let gifts = Gifts::read(tx, params)?;
    if gifts.total() != paid {
        return Err(Failure::refused(format!(
            "The sum of the refund, credit and out of band amounts ({}) must equal the post payment amount of \
             the credit note ({paid}).",
            gifts.total()
        )));
    }
    if lines.is_empty() {
        lines.push(credit_lines::line(tx, "custom_line_item", amount, 1, None, Some("Adjustment")));
    }

    let id = tx.fresh("cn_");
    let (refunds, credit) = gifts.give(tx, &invoice, &id)?;
    let sequence = tx.with(KIND, "invoice", invoice.id()).len() + 1;
    let mut note = with_nulls(
        json!({
            "id": id,
            "object": KIND,
            "amount": amount,
            "amount_shipping": 0,
            "created": tx.now,
            "currency": invoice.text("currency"),
            "customer": invoice.text("customer"),
            "customer_balance_transaction": credit,
            "discount_amount": 0,
            "discount_amounts": [],
            "effective_at": tx.now,
            "invoice": invoice.id(),
            "lines": document::list(lines, false, &format!("/v1/credit_notes/{id}/lines")),
            "livemode": false,
            "memo": params.text("memo")?,
            "metadata": {},
            "number": format!("{}-CN-{sequence:02}", invoice.text("number")),
            "out_of_band_amount": params.int("out_of_band_amount")?,
            "pdf": format!("https://pay.stripe.com/credit_notes/{}/test_{id}/pdf", tx.setting.account),
            "post_payment_amount": paid,
            "pre_payment_amount": unpaid,
            "pretax_credit_amounts": [],
            "reason": reason,
            "refunds": refunds,
            "status": "issued",
            "subtotal": amount,
            "subtotal_excluding_tax": amount,
            "total": amount,
            "total_excluding_tax": amount,
            "total_taxes": [],
        }),
        &["customer_account", "shipping_cost", "voided_at"],
    );
    note.set(
        "type",
        match (unpaid, paid) {
            (_, 0) => "pre_payment",
            (0, _) => "post_payment",
            _ => "mixed",
        },
    );
    merge_metadata(&mut note, params.raw("metadata"));
    tx.put(&note);
    tx.emit("credit_note.created", &note);
    for (field, change) in [
        ("amount_due", -unpaid),
        ("amount_remaining", -unpaid),
        ("pre_payment_credit_notes_amount", unpaid),
        ("post_payment_credit_notes_amount", paid),
    ] {
        invoice.set(field, invoice.int(field) + change);
    }
    tx.update(&invoice, "invoice.updated");
    request(tx, &mut invoice);
    Ok(note)
}

/// Lets the open payment ask for what now remains, or ends it.
fn request(tx: &mut Tx, invoice: &mut Value) {
    let remaining = invoice.int("amount_remaining");
    if invoice.text("status") != "open" {
        return;
    }
    if remaining == 0 {
        invoices::stop_payment(tx, invoice.id(), "automatic");
        collection::paid(tx, invoice, 0);
        return;
    }
    for mut payment in tx.with("invoice_payment", "invoice", invoice.id()) {
        if payment.text("status") == "open" {
            payment.set("amount_requested", remaining);
            tx.put(&payment);
            if let Some(mut intent) = tx.look(payment.text("/payment/payment_intent")).cloned() {
                intent.set("amount", remaining);
                tx.put(&intent);
            }
        }
    }
}

/// `POST /v1/credit_notes/{id}`
pub(crate) fn update(tx: &mut Tx, call: &Call) -> Outcome<Value> {
    let mut note = tx.get(KIND, call.id(), "id")?;
    if let Some(memo) = call.params.text("memo")? {
        note.set("memo", Some(memo).filter(|memo| !memo.is_empty()));
    }
    merge_metadata(&mut note, call.params.raw("metadata"));
    tx.update(&note, "credit_note.updated");
    Ok(note)
}

/// `POST /v1/credit_notes/{id}/void`: only while the invoice is open.
pub(crate) fn void(tx: &mut Tx, call: &Call) -> Outcome<Value> {
    let mut note = tx.get(KIND, call.id(), "id")?;
    let mut invoice = tx.get("invoice", note.text("invoice"), "invoice")?;
    if note.text("status") != "issued" || invoice.text("status") != "open" {
        return Err(Failure::refused("You can only void an issued credit note of an open invoice."));
    }
    note.set("status", "void");
    note.set("voided_at", tx.now);
    tx.put(&note);
    tx.emit("credit_note.voided", &note);
    let back = note.int("pre_payment_amount");
    for (field, change) in
        [("amount_due", back), ("amount_remaining", back), ("pre_payment_credit_notes_amount", -back)]
    {
        invoice.set(field, invoice.int(field) + change);
    }
    tx.update(&invoice, "invoice.updated");
    request(tx, &mut invoice);
    Ok(note)
}

/// How what was already paid is given back.
struct Gifts {
    refund: i64,
    credit: i64,
    out_of_band: i64,
    /// Refunds that were made before, and how much of each counts.
    refunds: Vec<(String, i64)>,
}

impl Gifts {
    fn read(tx: &Tx, params: &Params) -> Outcome<Self> {
        let mut refunds = Vec::new();
        for asked in params.hashes("refunds") {
            asked.only(&["amount_refunded", "refund", "type"])?;
            let refund = tx.get("refund", asked.required("refund")?, &asked.called("refund"))?;
            let counts = asked.int("amount_refunded")?.unwrap_or_else(|| refund.int("amount"));
            if counts > refund.int("amount") {
                return Err(Failure::parameter(&asked.called("amount_refunded"), "The refund is smaller."));
            }
            refunds.push((refund.id().to_owned(), counts));
        }
        Ok(Self {
            refund: params.int("refund_amount")?.unwrap_or_default(),
            credit: params.int("credit_amount")?.unwrap_or_default(),
            out_of_band: params.int("out_of_band_amount")?.unwrap_or_default(),
            refunds,
        })
    }

    fn total(&self) -> i64 {
        self.refund
            + self.credit
            + self.out_of_band
            + self.refunds.iter().map(|(_, amount)| amount).sum::<i64>()
    }

    /// Refunds and credits; answers the note's refunds and its balance transaction.
    fn give(mut self, tx: &mut Tx, invoice: &Value, note: &str) -> Outcome<(Vec<Value>, Option<String>)> {
        if self.refund > 0 {
            let payments = tx.with("invoice_payment", "invoice", invoice.id());
            let paid = payments.iter().find(|payment| payment.text("status") == "paid");
            let charge = paid
                .and_then(|payment| tx.look(payment.text("/payment/payment_intent")))
                .and_then(|intent| intent.maybe("latest_charge"))
                .ok_or_else(|| {
                    Failure::refused("This invoice has no charge to refund.").with("param", "refund_amount")
                })?
                .to_owned();
            let refund = refunds::issue(tx, &charge, Some(self.refund), None, None)?;
            self.refunds.push((refund.id().to_owned(), self.refund));
        }
        let mut credit = None;
        if self.credit > 0 {
            let (customer, currency) = (invoice.text("customer"), invoice.text("currency"));
            let entry = balance::adjust(tx, customer, -self.credit, currency, "credit_note", Some(note))?;
            credit = Some(entry.id().to_owned());
        }
        let refunds = self.refunds.into_iter().map(|(refund, amount)| {
            json!({ "amount_refunded": amount, "payment_record_refund": null, "refund": refund, "type": "refund" })
        });
        Ok((refunds.collect(), credit))
    }
}
