//! What finance is told once a business day.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::large_futures,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on fails"
)]

use domain::{Currency, Timestamp};
use reconciler::{
    Sweep,
    digest::{Sum, gather},
};
use sandbox::people::{FINANCE_LEAD, FINANCE_SECOND};
use serde_json::Value;
use stories::World;

const DAY: i64 = 86_400;

fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_else(|| panic!("no `{name}` in {value}")).to_owned()
}

async fn catch_up(world: &World) {
    for event in world.handled_events() {
        world.deliver(&event).await;
    }
    world.work(|| None).await;
    world.work_approvals(|| None).await;
}

#[tokio::test]
async fn the_digest_tells_a_day_once_with_what_came_back_what_went_out_and_who_signed() {
    let world = World::new().await;
    let stripe = &world.sandbox.stripe;
    let join = |number: usize| {
        let mail = format!("canary-{number}@example.test");
        let customer = text(&stripe.create_customer(&format!("Customer {number}"), &mail).unwrap(), "id");
        let method = text(&stripe.attach_card(&customer, "pm_card_visa").unwrap(), "id");
        let subscription = stripe.subscribe(&customer, 4900, "usd").unwrap();
        let charge = stripe.charge_of(&text(&subscription, "latest_invoice")).unwrap();
        (method, text(&subscription, "id"), charge)
    };
    let people: Vec<_> = (0..5).map(join).collect();
    let fail = |place: usize| {
        let (method, subscription, _) = &people[place];
        stripe.card_becomes(method, "pm_card_decline_insufficient_funds").unwrap();
        text(&stripe.renew(subscription).unwrap().unwrap(), "id")
    };
    let recovers = fail(0);
    fail(1);
    stripe.open_dispute(&people[2].2, "fraudulent", 4900, stories::START + 9 * DAY).unwrap();
    let wish = "metadata[refund_request]=duplicate:500";
    stripe.request("POST", &format!("/v1/charges/{}", people[3].2), wish).unwrap();
    catch_up(&world).await;
    stripe.card_becomes(&people[0].0, "pm_card_visa").unwrap();
    stripe.pay(&recovers).unwrap();
    for row in world.approvals().open_proposals().await.unwrap() {
        for who in [FINANCE_LEAD, FINANCE_SECOND] {
            assert_eq!(world.browser(who).await.decide(row.id(), "approve").await.status, 200);
        }
    }
    stripe.refund(&people[4].2, Some(700), "requested_by_customer").unwrap();
    world.wait(301);
    catch_up(&world).await;

    let midnight = Timestamp::from_seconds(stories::START.div_euclid(DAY) * DAY);
    let digest = gather(world.cases(), &world.approvals(), midnight, midnight.plus(DAY)).await.unwrap();
    let usd = Currency::parse("usd").unwrap();
    let sum = |count, amount| Some(Sum { count, amount });
    assert_eq!(digest.recovered.get(&usd).cloned(), sum(1, 4900), "first months are no recovery");
    assert_eq!(digest.at_risk.get(&usd).cloned(), sum(1, 4900));
    let refunds: Vec<_> =
        digest.returned.iter().map(|one| (one.reason.as_str(), one.sums.get(&usd).cloned())).collect();
    assert_eq!(refunds, [("duplicate", sum(1, 500)), ("requested_by_customer", sum(1, 700))]);
    assert_eq!(digest.disputes.len(), 1);
    assert_eq!(digest.people.len(), 2);
    assert!(digest.people.values().all(|one| one.approved == 1 && one.denied == 0));
    let next = gather(world.cases(), &world.approvals(), midnight.plus(DAY), midnight.plus(2 * DAY)).await;
    assert!(next.unwrap().recovered.is_empty(), "what was told is not told again");

    // In the night nobody is told; in the first hour of work everybody is, once.
    world.wait(12 * 3600);
    assert_eq!(world.sweep(Sweep::Digest).await["told"], Value::Null, "it is night");
    world.wait(6 * 3600);
    assert!(world.sweep(Sweep::Digest).await["told"].is_array());
    assert_eq!(world.sweep(Sweep::Digest).await["told"], Value::Null);
    let told = world.sandbox.slack.messages();
    let told: Vec<_> = told.iter().filter(|one| one.text.starts_with("Billing until 2026-09-21")).collect();
    assert_eq!(told.len(), 1);
    assert!(format!("{:?}", told[0].blocks).contains("49.00 USD"));
}
