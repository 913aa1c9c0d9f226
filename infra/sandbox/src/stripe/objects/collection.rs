//! Collecting an invoice: an attempt to charge, and what it leaves behind.
//! <https://docs.stripe.com/billing/revenue-recovery/smart-retries>

use serde_json::Value;

use super::{
    attempts::{Attempt, Session, attempt},
    charges, invoices, subscriptions,
};
use crate::stripe::{
    document::Document as _,
    failure::{Failure, Outcome},
    store::Tx,
};

/// Days from each scheduled attempt to the next: eight retries in two weeks.
const RETRY_DAYS: &[i64] = &[1, 2, 2, 2, 2, 2, 2, 1];

/// What an attempt came to.
pub(crate) enum Collected {
    Paid(Value),
    /// The invoice as it is now, and the refusal that a caller of `pay` gets.
    Failed {
        invoice: Value,
        refusal: Failure,
    },
}

impl Collected {
    /// The invoice after the attempt.
    pub(crate) fn invoice(self) -> Value {
        match self {
            Self::Paid(invoice) | Self::Failed { invoice, .. } => invoice,
        }
    }
}

/// Finalizes a draft whose time has come, and charges what then remains.
pub(crate) fn advance(tx: &mut Tx, draft: &str, scheduled: bool) -> Outcome<Value> {
    let open = invoices::finalize(tx, draft)?;
    if open.text("status") != "open" || open.text("collection_method") == "send_invoice" {
        return Ok(open);
    }
    collect(tx, draft, None, Session::Invoice, scheduled).map(Collected::invoice)
}

/// Charges what remains of an open invoice. Only a scheduled attempt counts and plans the next one.
pub(crate) fn collect(
    tx: &mut Tx,
    invoice: &str,
    method: Option<&str>,
    session: Session,
    scheduled: bool,
) -> Outcome<Collected> {
    let mut invoice = tx.get("invoice", invoice, "invoice")?;
    let method = method.map(str::to_owned).or_else(|| method_of(tx, &invoice));
    let Some(method) = method else {
        failed(tx, &mut invoice, scheduled, false)?;
        let mut refusal = Failure::refused(
            "There is no `default_payment_method` set on this Customer or Invoice. Please set one, and try again.",
        );
        refusal.commits = true;
        return Ok(Collected::Failed { invoice, refusal });
    };
    let Some(mut intent) = intent_of(tx, &invoice) else {
        return Err(Failure::refused("This invoice has no payment that could be tried."));
    };
    let tried = attempt(tx, &mut intent, &method, session);
    follow(tx, &mut invoice, &tried, scheduled)?;
    match tried {
        Attempt::Paid(charge) => {
            charges::settle(tx, &charge)?;
            Ok(Collected::Paid(invoice))
        }
        // An invoice's payments are never only authorised.
        Attempt::Held => Ok(Collected::Paid(invoice)),
        Attempt::Declined(refusal) => Ok(Collected::Failed { invoice, refusal }),
        Attempt::WantsAction => {
            let mut refusal = Failure::new(
                402,
                "card_error",
                "This payment requires additional user action before it can be completed successfully.",
            )
            .with("code", "invoice_payment_intent_requires_action");
            (refusal.executed, refusal.commits) = (true, true);
            Ok(Collected::Failed { invoice, refusal })
        }
    }
}

/// What an attempt means for the invoice that it was to pay.
pub(crate) fn follow(tx: &mut Tx, invoice: &mut Value, tried: &Attempt, scheduled: bool) -> Outcome<()> {
    match tried {
        Attempt::Paid(charge) => {
            paid(tx, invoice, charge.int("amount"));
            Ok(())
        }
        Attempt::Held => Ok(()),
        Attempt::WantsAction => failed(tx, invoice, scheduled, true),
        Attempt::Declined(_) => failed(tx, invoice, scheduled, false),
    }
}

/// The open invoice that an intent is to pay.
pub(crate) fn invoice_of(tx: &Tx, intent: &str) -> Option<Value> {
    let payments = tx.with("invoice_payment", "/payment/payment_intent", intent);
    let payment = payments.iter().find(|payment| payment.text("status") == "open")?;
    tx.look(payment.text("invoice")).cloned()
}

/// Whether there is anything to charge a customer's invoices to.
pub(crate) fn can_charge(tx: &Tx, subscription: &Value) -> bool {
    let customer = tx.look(subscription.text("customer"));
    subscription.maybe("default_payment_method").is_some()
        || customer.is_some_and(|one| one.maybe("/invoice_settings/default_payment_method").is_some())
}

/// The payment method of a renewal: the invoice's, the subscription's, the customer's.
fn method_of(tx: &Tx, invoice: &Value) -> Option<String> {
    let subscription = invoice.maybe("/parent/subscription_details/subscription");
    let subscription = subscription.and_then(|id| tx.look(id));
    let customer = tx.look(invoice.text("customer"));
    invoice
        .maybe("default_payment_method")
        .or_else(|| subscription?.maybe("default_payment_method"))
        .or_else(|| customer?.maybe("/invoice_settings/default_payment_method"))
        .map(str::to_owned)
}

fn intent_of(tx: &Tx, invoice: &Value) -> Option<Value> {
    let payment = tx.with("invoice_payment", "invoice", invoice.id());
    let payment = payment.iter().find(|payment| payment.text("status") == "open")?;
    tx.look(payment.text("/payment/payment_intent")).cloned()
}

/// The invoice is paid, `charged` minor units of it through Stripe.
pub(crate) fn paid(tx: &mut Tx, invoice: &mut Value, charged: i64) {
    for mut payment in tx.with("invoice_payment", "invoice", invoice.id()) {
        if payment.text("status") == "open" && charged > 0 {
            payment.set("amount_paid", charged);
            payment.set("status", "paid");
            payment.set("/status_transitions/paid_at", tx.now);
            tx.put(&payment);
            tx.emit("invoice_payment.paid", &payment);
        }
    }
    invoice.set("amount_paid", invoice.int("amount_paid") + charged);
    invoice.set("amount_remaining", 0);
    invoice.set("attempted", true);
    if invoice.int("attempt_count") == 0 && charged > 0 {
        invoice.set("attempt_count", 1);
    }
    invoice.set("next_payment_attempt", Value::Null);
    invoice.set("status", "paid");
    invoice.set("/status_transitions/paid_at", tx.now);
    tx.update(invoice, "invoice.updated");
    tx.emit("invoice.paid", invoice);
    tx.emit("invoice.payment_succeeded", invoice);
    set_standing(tx, invoice, false);
}

/// An attempt failed.
fn failed(tx: &mut Tx, invoice: &mut Value, scheduled: bool, action: bool) -> Outcome<()> {
    let mut exhausted = false;
    invoice.set("attempted", true);
    if scheduled {
        let count = invoice.int("attempt_count") + 1;
        let wait = usize::try_from(count - 1).ok().and_then(|place| RETRY_DAYS.get(place));
        invoice.set("attempt_count", count);
        invoice.set("next_payment_attempt", wait.map(|days| tx.now + days * 86_400));
        exhausted = wait.is_none();
    }
    tx.update(invoice, "invoice.updated");
    if action {
        tx.emit("invoice.payment_action_required", invoice);
    }
    tx.emit("invoice.payment_failed", invoice);
    set_standing(tx, invoice, true);
    let subscription = invoice.maybe("/parent/subscription_details/subscription");
    if let (true, Some(subscription)) = (exhausted, subscription) {
        subscriptions::cancel(tx, subscription, "payment_failed")?;
        // Cancelling stopped the automatic collection of this invoice.
        if let Some(now) = tx.look(invoice.id()) {
            *invoice = now.clone();
        }
    }
    Ok(())
}

/// The subscription becomes past due or active again, the customer delinquent or not.
fn set_standing(tx: &mut Tx, invoice: &Value, owing: bool) {
    let subscription = invoice.maybe("/parent/subscription_details/subscription");
    if let Some(mut subscription) = subscription.and_then(|id| tx.look(id)).cloned() {
        let status = match (subscription.text("status"), owing) {
            ("active" | "trialing", true) => Some("past_due"),
            ("past_due" | "unpaid" | "incomplete", false) => Some("active"),
            _ => None,
        };
        if let Some(status) = status {
            subscription.set("status", status);
            tx.update(&subscription, "customer.subscription.updated");
        }
    }
    if let Some(mut customer) = tx.look(invoice.text("customer")).cloned() {
        let owes = tx
            .with("invoice", "customer", customer.id())
            .iter()
            .any(|invoice| invoice.text("status") == "open" && invoice.flag("attempted"));
        if !customer.flag("deleted") && customer.flag("delinquent") != owes {
            customer.set("delinquent", owes);
            tx.update(&customer, "customer.updated");
        }
    }
}
