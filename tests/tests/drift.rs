//! Drift between Stripe, the CRM and access: found once, repaired where policy lets the agent, asked for
//! where it takes a signature.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::large_futures,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on fails"
)]

use domain::finding::FindingKind;
use reconciler::Sweep;
use sandbox::fault::Fault;
use serde_json::{Value, json};
use stories::World;

fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_else(|| panic!("no `{name}` in {value}")).to_owned()
}

/// Three customers who pay, known to every system.
async fn world() -> (World, Vec<String>) {
    let world = World::with_systems().await;
    let stripe = &world.sandbox.stripe;
    let join = |number: usize| {
        let mail = format!("canary-{number}@example.test");
        let customer = text(&stripe.create_customer(&format!("Customer {number}"), &mail).unwrap(), "id");
        stripe.attach_card(&customer, "pm_card_visa").unwrap();
        stripe.subscribe(&customer, 4900, "usd").unwrap();
        customer
    };
    let customers = (0..3).map(join).collect();
    world.sandbox.introduce_customers().unwrap();
    for event in world.handled_events() {
        world.deliver(&event).await;
    }
    world.work(|| None).await;
    (world, customers)
}

fn access(world: &World, customer: &str, on: bool) {
    let application = &world.sandbox.application;
    let mut known = application.customer(customer).unwrap().known;
    known["entitlements"][0]["active"] = on.into();
    application.seed(customer, known).unwrap();
}

fn mark(world: &World, customer: &str, status: &str) {
    let status = json!({ "payment_status": status }).as_object().cloned().unwrap();
    world.sandbox.hubspot.seed(&[(customer, status)]).unwrap();
}

fn marked(world: &World, customer: &str) -> Value {
    let companies = world.sandbox.hubspot.entries("companies");
    let of = |entry: &&sandbox::crm::Entry| entry.properties["stripe_customer_id"] == customer;
    companies.iter().find(of).unwrap().properties["payment_status"].clone()
}

async fn counts(world: &World) -> [u64; 3] {
    let report = world.sweep(Sweep::Drift).await;
    assert_eq!(report["failed"], 0, "{report}");
    ["open", "told", "gone"].map(|name| report[name].as_u64().unwrap())
}

#[tokio::test]
async fn each_drift_is_told_once_the_crm_is_repaired_and_access_is_put_before_the_approvers() {
    let (world, customers) = world().await;
    world.wait(3600);
    assert_eq!(counts(&world).await, [0, 0, 0], "all agree");
    mark(&world, &customers[0], "overdue");
    access(&world, &customers[1], false);
    assert_eq!(counts(&world).await, [2, 2, 0]);
    assert_eq!(marked(&world, &customers[0]), "current", "the agent may write that");
    world.work_approvals(|| None).await;
    let open = world.approvals().open_proposals().await.unwrap();
    assert_eq!(open.len(), 1);
    let action = &open[0].proposal.action.operation;
    assert_eq!((action.name(), action.object().as_str()), ("access.change", customers[1].as_str()));
    assert_eq!(counts(&world).await, [1, 0, 1], "the CRM agrees again, and access is known");
    assert_eq!(counts(&world).await, [1, 0, 0]);

    // The same again is news again.
    world.wait(60);
    mark(&world, &customers[0], "overdue");
    assert_eq!(counts(&world).await, [2, 1, 0]);
    access(&world, &customers[1], true);
    assert_eq!(counts(&world).await, [0, 0, 2]);
    let messages = world.sandbox.slack.messages();
    let told = |words: &str| messages.iter().filter(|message| message.text.contains(words)).count();
    assert_eq!((told("the CRM says overdue"), told("access is off")), (2, 1));
    assert!(world.everything().await.is_settled());
}

#[tokio::test]
async fn access_that_comes_back_long_after_the_subscription_ended_is_found_by_the_round() {
    let (world, customers) = world().await;
    let mut subscriptions = world.sandbox.stripe.objects("subscription").into_iter();
    let left = subscriptions.find(|one| one["customer"] == *customers[0]).unwrap();
    world.sandbox.stripe.delete_subscription(&text(&left, "id")).unwrap();
    access(&world, &customers[0], false);
    for _ in 0..2 {
        world.wait(2 * 86_400);
        assert_eq!(counts(&world).await, [0, 0, 0], "all agree, and the event is behind the cursor");
    }
    access(&world, &customers[0], true);
    assert_eq!(counts(&world).await, [1, 1, 0]);
    let found = world.cases().findings(FindingKind::Drift, 9).await.unwrap();
    assert_eq!(found[0].value.finding.what, "served_after_end");
}

#[tokio::test]
async fn who_is_about_to_change_by_itself_is_not_compared_and_a_system_that_is_down_is_no_drift() {
    let (world, customers) = world().await;
    assert_eq!(counts(&world).await, [0, 0, 0]);
    let stripe = &world.sandbox.stripe;
    let subscription =
        stripe.objects("subscription").into_iter().find(|one| one["customer"] == *customers[0]);
    stripe.delete_subscription(&text(&subscription.unwrap(), "id")).unwrap();
    world.wait(2 * 86_400);
    let report = world.sweep(Sweep::Drift).await;
    assert_eq!(report["told"], 1, "an event that is two days old is not waited for");
    let found = world.cases().findings(FindingKind::Drift, 9).await.unwrap();
    assert_eq!(found[0].value.finding.what, "served_after_end");

    mark(&world, &customers[2], "overdue");
    let renewed = stripe.objects("subscription").into_iter().find(|one| one["customer"] == *customers[2]);
    stripe.renew(&text(&renewed.unwrap(), "id")).unwrap();
    world.wait(3600);
    let report = world.sweep(Sweep::Drift).await;
    assert_eq!((&report["waiting"], &report["told"]), (&json!(1), &json!(0)), "its events are under way");

    world.sandbox.application.fail("GET /customers", Fault::ServerError, 100);
    let report = world.sweep(Sweep::Drift).await;
    assert!(report["failed"].as_u64() >= Some(1), "{report}");
    assert_eq!((&report["told"], &report["gone"], &report["open"]), (&json!(0), &json!(0), &json!(1)));
}
