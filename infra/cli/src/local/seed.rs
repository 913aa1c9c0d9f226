//! The webhook endpoint at the Stripe stand-in, and one realistic day of billing.

use anyhow::{Context as _, Result};
use sandbox::{Sandbox, stripe::Disturbance, stripe::seed};
use serde::{Deserialize, Serialize};

const CUSTOMERS: usize = 48;
const SEED: u64 = 17;
const SPACE: &str = "local";

#[derive(Deserialize, Serialize)]
struct Seeded {
    customers: usize,
}

/// Events that arrive twice or more, late, or never. The reconciler finds the last.
const DISTURBED: [(Disturbance, &str, u32); 8] = [
    (Disturbance::Drop, "invoice.payment_failed", 1),
    (Disturbance::Duplicate(1), "invoice.payment_failed", 4),
    (Disturbance::Duplicate(2), "charge.updated", 3),
    (Disturbance::Duplicate(1), "invoice.paid", 12),
    (Disturbance::Delay(5), "charge.dispute.created", 1),
    (Disturbance::Drop, "charge.refunded", 1),
    (Disturbance::Duplicate(1), "customer.subscription.updated", 6),
    (Disturbance::Duplicate(1), "refund.created", 2),
];

/// Makes Stripe deliver everything to `url`, once, however often this is called and whatever the URL
/// was before.
pub(super) fn endpoint(sandbox: &Sandbox, url: &str) -> Result<()> {
    let stripe = &sandbox.stripe;
    match stripe.objects("webhook_endpoint").first().and_then(|known| known.get("id")?.as_str()) {
        Some(id) => {
            let form = form_urlencoded::Serializer::new(String::new()).append_pair("url", url).finish();
            stripe.request("POST", &format!("/v1/webhook_endpoints/{id}"), &form)?;
        }
        None => drop(stripe.add_endpoint(url, &sandbox.keys.webhook_secret, &["*"])?),
    }
    Ok(())
}

/// The day, unless the state has one already. Its deliveries come in another order than they happened.
pub(super) fn day(sandbox: &Sandbox) -> Result<()> {
    let stripe = &sandbox.stripe;
    if sandbox.shelf.all::<Seeded>(SPACE)?.is_empty() {
        for (disturbance, events, times) in DISTURBED {
            stripe.disturb(disturbance, events, times);
        }
        seed::day(stripe, CUSTOMERS, SEED).context("cannot seed a day of billing")?;
        sandbox.shelf.put(SPACE, "seeded", &Seeded { customers: CUSTOMERS })?;
    }
    stripe.reorder(Some(SEED));
    Ok(())
}

/// A paid charge about which nothing is asked yet, for the reader to try a refund on.
pub(super) fn untouched_charge(sandbox: &Sandbox) -> Option<String> {
    let charges = sandbox.stripe.objects("charge");
    let untouched = charges.iter().find(|charge| {
        let is =
            |name: &str, value: bool| charge.get(name).and_then(serde_json::Value::as_bool) == Some(value);
        let asked = charge.pointer("/metadata/refund_request").is_some();
        is("paid", true) && is("refunded", false) && is("disputed", false) && !asked
    });
    untouched?.get("id")?.as_str().map(str::to_owned)
}
