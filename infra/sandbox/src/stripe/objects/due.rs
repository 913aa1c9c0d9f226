//! What happens by itself as time passes: drafts are finalized, invoices tried again, trials announced
//! and ended, periods begun, subscriptions ended.

use serde_json::{Value, json};

use super::{attempts::Session, collection, invoices, periods, subscriptions};
use crate::stripe::{document::Document as _, failure::Outcome, store::Tx};

/// How long Stripe waits for the first payment of a subscription, in seconds:
/// <https://docs.stripe.com/billing/subscriptions/overview#subscription-statuses>.
const FIRST_PAYMENT: i64 = 23 * 3600;

/// Something that falls due.
#[derive(Clone, Copy)]
enum Due {
    Advance,
    Retry,
    Announce,
    NextPeriod,
    Cancel,
    Expire,
    CollectAgain,
}

/// Does everything that falls due until `until`, in its order, each at its time: for the objects of a
/// test clock, or for those that belong to none. Time stands at `until` afterwards.
pub(crate) fn settle(tx: &mut Tx, clock: Option<&str>, until: i64) -> Outcome<()> {
    while let Some((at, due, id)) = next(tx, clock, until) {
        tx.now = at;
        happen(tx, due, &id)?;
    }
    tx.now = until;
    Ok(())
}

fn happen(tx: &mut Tx, due: Due, id: &str) -> Outcome<()> {
    match due {
        Due::Advance => advance(tx, id),
        Due::Retry => collection::collect(tx, id, None, Session::Invoice, true).map(drop),
        Due::Announce => {
            let subscription = tx.get(subscriptions::KIND, id, "id")?;
            periods::announce(tx, &subscription);
            Ok(())
        }
        Due::NextPeriod => periods::next(tx, id).map(drop),
        Due::Cancel => subscriptions::cancel(tx, id, "cancellation_requested").map(drop),
        Due::Expire => periods::expire(tx, id),
        Due::CollectAgain => {
            let mut subscription = tx.get(subscriptions::KIND, id, "id")?;
            subscription.set("pause_collection", Value::Null);
            tx.update(&subscription, "customer.subscription.updated");
            Ok(())
        }
    }
}

/// A draft that cannot be finalized waits for a person.
fn advance(tx: &mut Tx, id: &str) -> Outcome<()> {
    let Err(failure) = collection::advance(tx, id, true) else { return Ok(()) };
    let mut draft = tx.get(invoices::KIND, id, "id")?;
    draft.set("automatically_finalizes_at", Value::Null);
    draft.set("next_payment_attempt", Value::Null);
    draft.set("last_finalization_error", json!(failure.error));
    tx.put(&draft);
    tx.emit("invoice.finalization_failed", &draft);
    Ok(())
}

/// The first thing that falls due until then; of what falls due together, the oldest object's.
fn next(tx: &Tx, clock: Option<&str>, until: i64) -> Option<(i64, Due, String)> {
    let mut first: Option<(i64, Due, String)> = None;
    let of_clock = |object: &&&Value| !object.flag("deleted") && object.maybe("test_clock") == clock;
    for (kind, dues) in [(invoices::KIND, of_invoice as Of), (subscriptions::KIND, of_subscription as Of)] {
        for object in tx.all(kind).iter().rev().filter(of_clock) {
            for (at, due) in dues(tx, object) {
                if at <= until && first.as_ref().is_none_or(|(earliest, ..)| at < *earliest) {
                    first = Some((at, due, object.id().to_owned()));
                }
            }
        }
    }
    first
}

type Of = fn(&Tx, &Value) -> Vec<(i64, Due)>;

/// When what falls due of an invoice.
fn of_invoice(_: &Tx, invoice: &Value) -> Vec<(i64, Due)> {
    let at = |field: &str| invoice.get(field).and_then(Value::as_i64);
    if !invoice.flag("auto_advance") {
        return Vec::new();
    }
    match invoice.text("status") {
        "draft" => at("automatically_finalizes_at").map(|at| (at, Due::Advance)).into_iter().collect(),
        "open" => at("next_payment_attempt").map(|at| (at, Due::Retry)).into_iter().collect(),
        _ => Vec::new(),
    }
}

/// When what falls due of a subscription.
fn of_subscription(tx: &Tx, subscription: &Value) -> Vec<(i64, Due)> {
    let at = |field: &str| subscription.pointer(field).and_then(Value::as_i64);
    let mut found = Vec::new();
    let mut add = |at: Option<i64>, due| found.extend(at.map(|at| (at, due)));
    match subscription.text("status") {
        "incomplete" => add(at("/created").map(|at| at + FIRST_PAYMENT), Due::Expire),
        "trialing" | "active" | "past_due" => {
            if !subscription.flag("cancel_at_period_end") {
                add(at("/cancel_at"), Due::Cancel);
            }
            if tx.note(&periods::told(subscription.id())).is_none() {
                let ends = at("/trial_end").filter(|_| subscription.text("status") == "trialing");
                add(ends.map(|at| at - periods::NOTICE), Due::Announce);
            }
            add(at("/pause_collection/resumes_at"), Due::CollectAgain);
            add(at("/items/data/0/current_period_end"), Due::NextPeriod);
        }
        _ => {}
    }
    found
}
