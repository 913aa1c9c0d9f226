//! Test clocks: time that only the objects of some customers live in.
//! <https://docs.stripe.com/billing/testing/test-clocks>

use serde_json::{Value, json};

use super::{customers, due, prices};
use crate::stripe::{
    document::Document as _,
    failure::{Failure, Outcome},
    routes::Call,
    store::Tx,
};

pub(crate) const KIND: &str = "test_helpers.test_clock";

/// Parameters of [`create`].
pub(crate) const PARAMS: &[&str] = &["frozen_time", "name"];

/// How long a clock lives, in seconds.
const LIFE: i64 = 30 * 86_400;

/// How far a clock without subscriptions can be moved at once, in seconds.
const FARTHEST: i64 = 2 * 365 * 86_400;

/// `POST /v1/test_helpers/test_clocks`
pub(crate) fn create(tx: &mut Tx, call: &Call) -> Outcome<Value> {
    let frozen = call.params.int("frozen_time")?.ok_or_else(|| Failure::required("frozen_time"))?;
    let clock = json!({
        "id": tx.fresh("clock_"),
        "object": KIND,
        "created": tx.at,
        "deletes_after": tx.at + LIFE,
        "frozen_time": frozen,
        "livemode": false,
        "name": call.params.text("name")?.filter(|name| !name.is_empty()),
        "status": "ready",
        "status_details": {},
    });
    tx.put(&clock);
    tx.emit("test_helpers.test_clock.created", &clock);
    Ok(clock)
}

/// `POST /v1/test_helpers/test_clocks/{id}/advance`: everything happens that falls due until then. The
/// answer still says `advancing`, as Stripe's does; who reads the clock afterwards finds it ready.
pub(crate) fn advance(tx: &mut Tx, call: &Call) -> Outcome<Value> {
    let mut clock = tx.get(KIND, call.id(), "test_clock")?;
    let target = call.params.int("frozen_time")?.ok_or_else(|| Failure::required("frozen_time"))?;
    let from = clock.int("frozen_time");
    let until = from + reach(tx, call.id());
    if target <= from || target > until {
        return Err(Failure::refused(format!(
            "A test clock moves forward only, and at most two intervals of its shortest subscription (two years \
             if it has none): `frozen_time` must be later than {from} and not later than {until}."
        ))
        .with("param", "frozen_time"));
    }
    clock.set("status", "advancing");
    clock.set("status_details", json!({ "advancing": { "target_frozen_time": target } }));
    let advancing = clock.clone();
    tx.put(&clock);
    tx.emit("test_helpers.test_clock.advancing", &clock);
    due::settle(tx, Some(call.id()), target)?;
    clock.set("frozen_time", target);
    clock.set("status", "ready");
    clock.set("status_details", json!({}));
    tx.put(&clock);
    tx.emit("test_helpers.test_clock.ready", &clock);
    Ok(advancing)
}

/// `DELETE /v1/test_helpers/test_clocks/{id}`: its customers go with it.
pub(crate) fn delete(tx: &mut Tx, call: &Call) -> Outcome<Value> {
    let clock = tx.get(KIND, call.id(), "test_clock")?;
    for customer in tx.with("customer", "test_clock", call.id()) {
        customers::remove(tx, &customer)?;
    }
    let deleted = json!({ "id": clock.id(), "object": KIND, "deleted": true });
    tx.put(&deleted);
    tx.emit("test_helpers.test_clock.deleted", &clock);
    Ok(deleted)
}

/// How far a clock can be moved at once, in seconds.
fn reach(tx: &Tx, clock: &str) -> i64 {
    let all = tx.with("subscription", "test_clock", clock);
    let running = all.iter().filter(|one| !["canceled", "incomplete_expired"].contains(&one.text("status")));
    let intervals = running.filter_map(|one| one.pointer("/items/data/0/price").map(prices::seconds));
    intervals.min().map_or(FARTHEST, |shortest| 2 * shortest)
}
