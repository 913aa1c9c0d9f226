//! What an event costs in requests: of Stripe, whose limits bound a busy account, and of DynamoDB, which bills
//! them. And that nobody waits for what could be asked at the same time, or for somebody else's customer.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::large_futures,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on fails"
)]

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{
    Router,
    extract::Request,
    middleware::{self, Next},
};
use domain::{CaseKind, Timestamp, case::CaseState, classify::Bucket};
use processor::Look;
use runtime::Clock;
use sandbox::{
    Loopback, Tally,
    policy::Policy,
    stripe::{Fault, seed},
    world::{CASES_TABLE, Function},
};
use serde_json::Value;
use store::{Cases, StepState};
use stories::World;
use tokio::sync::Barrier;

/// A customer with a subscription whose last renewal was declined.
struct Declined {
    customer: String,
    subscription: String,
    invoice: String,
}

fn declined(world: &World) -> Declined {
    let stripe = &world.sandbox.stripe;
    let customer = text(&stripe.create_customer("Customer", "canary@example.test").unwrap(), "id");
    let method = text(&stripe.attach_card(&customer, "pm_card_visa").unwrap(), "id");
    let subscription = text(&stripe.subscribe(&customer, 2900, "usd").unwrap(), "id");
    stripe.card_becomes(&method, "pm_card_decline_expired_card").unwrap();
    let invoice = text(&stripe.renew(&subscription).unwrap().unwrap(), "id");
    Declined { customer, subscription, invoice }
}

fn text(object: &Value, name: &str) -> String {
    object[name].as_str().unwrap().to_owned()
}

/// Stripe tells something about an object as it is, and delivers it.
async fn tell(world: &World, kind: &str, object: &str) -> String {
    let now = world.sandbox.stripe.object(object).unwrap();
    let id = world.sandbox.stripe.emit(kind, &now).unwrap();
    let events = world.sandbox.stripe.events();
    let event = events.iter().find(|event| event["id"] == id.as_str()).unwrap();
    assert_eq!(world.deliver(event).await, 200);
    id
}

/// The processor's requests of DynamoDB are counted from here on.
fn count_requests(world: &mut World) -> Tally {
    let (tables, tally) = world.counted_tables();
    world.processor.cases = Cases::new(tables, CASES_TABLE);
    tally
}

#[tokio::test]
async fn a_failed_payment_with_one_step_takes_three_reads_of_stripe_and_four_requests_of_the_store() {
    let mut world = World::new().await;
    // How the card's issuer does is asked once in five minutes, for all customers.
    let first = declined(&world);
    tell(&world, "invoice.payment_failed", &first.invoice).await;
    world.work(|| None).await;

    let tally = count_requests(&mut world);
    let second = declined(&world);
    tell(&world, "invoice.payment_failed", &second.invoice).await;
    let before = world.processor.stripe.requests();
    world.work(|| None).await;

    let reads = world.processor.stripe.requests() - before;
    assert_eq!(reads, 3, "the invoice, the customer's charges, the open invoices");
    let requests = tally.take();
    let case = world.case(CaseKind::Recovery, &second.invoice).await.unwrap();
    let steps = world.steps(&case.key).await;
    let sent = steps.iter().filter(|row| row.step.kept.is_none()).count();
    assert_eq!(sent, 1, "{steps:?}");
    assert!(steps.iter().all(|row| matches!(row.state, StepState::Done { .. })), "{steps:?}");
    let expected = [("BatchGetItem", 1), ("TransactWriteItems", 1), ("UpdateItem", 2)];
    assert_eq!(
        requests,
        expected.map(|(name, n)| (name.to_owned(), n)).into(),
        "read, commit, claim, settle"
    );
}

#[tokio::test]
async fn a_duplicate_takes_no_read_of_stripe_and_two_requests_of_the_store() {
    let mut world = World::new().await;
    let one = declined(&world);
    let id = tell(&world, "invoice.payment_failed", &one.invoice).await;
    world.work(|| None).await;
    let (tally, before) = (count_requests(&mut world), world.processor.stripe.requests());
    let events = world.sandbox.stripe.events();
    world.wait(301);
    world.deliver(events.iter().find(|event| event["id"] == id.as_str()).unwrap()).await;
    world.work(|| None).await;
    assert_eq!(world.processor.stripe.requests(), before);
    let requests = tally.take();
    assert_eq!(requests.values().sum::<u64>(), 2, "the claim and the steps that are left: {requests:?}");
}

#[tokio::test]
async fn a_burst_of_ten_for_one_customer_takes_half_a_read_of_stripe_for_each() {
    let world = World::new().await;
    let first = declined(&world);
    tell(&world, "invoice.payment_failed", &first.invoice).await;
    world.work(|| None).await;

    // What a renewal that fails sends, several times over as it is tried again.
    let burst = declined(&world);
    for _ in 0..5 {
        tell(&world, "invoice.payment_failed", &burst.invoice).await;
        tell(&world, "customer.subscription.updated", &burst.subscription).await;
    }
    let before = world.processor.stripe.requests();
    world.work(|| None).await;
    let reads = world.processor.stripe.requests() - before;
    assert_eq!(reads, 5, "invoice, charges, open invoices, subscription, customer: once for all ten");

    // Of one object alone: three for all of them.
    let alone = declined(&world);
    for _ in 0..10 {
        tell(&world, "invoice.payment_failed", &alone.invoice).await;
    }
    let before = world.processor.stripe.requests();
    world.work(|| None).await;
    assert_eq!(world.processor.stripe.requests() - before, 3);
    for (kind, object) in [(CaseKind::Recovery, &alone.invoice), (CaseKind::Status, &burst.subscription)] {
        let case = world.case(kind, object).await.unwrap();
        let trail = world.cases().trail(&case.key).await.unwrap();
        assert!(trail.len() >= 5, "every event has its entry: {}", trail.len());
    }
    assert_eq!((world.dead(), world.queued()), (0, 0));
}

#[tokio::test]
async fn a_day_of_billing_takes_three_reads_an_event_at_most() {
    let world = World::new().await;
    seed::day(&world.sandbox.stripe, 56, 7).unwrap();
    let events = world.handled_events();
    for event in &events {
        world.deliver(event).await;
    }
    world.work(|| None).await;
    let reads = world.processor.stripe.requests();
    let events = u64::try_from(events.len()).unwrap();
    // A dispute, a refund or a warning takes four by itself, a failed payment three, most others less.
    assert!(reads <= 3 * events, "{reads} reads for {events} events");
}

#[tokio::test]
async fn what_somebody_else_decided_meanwhile_is_never_decided_again_on_an_older_look() {
    let world = World::new().await;
    let one = declined(&world);
    let (app, metrics) = (&world.processor, world.processor.meter.invocation());
    let envelope = |id: &str| {
        serde_json::from_value(serde_json::json!({
            "id": id, "type": "invoice.payment_failed", "object": one.invoice, "customer": one.customer,
            "livemode": false, "created": 1, "received": 1, "endpoint": "default"
        }))
        .unwrap()
    };
    let now = || Timestamp::from_seconds(world.clock.seconds());
    let mut batch = Look::new(now());
    processor::turn::take(app, &metrics, &app.new_run(), &mut batch, &envelope("evt_1")).await.unwrap();
    let case = world.case(CaseKind::Recovery, &one.invoice).await.unwrap();
    assert_eq!(case.state, CaseState::Open);

    // On the same look the case is decided as before, and nothing is read.
    world.wait(1);
    let before = app.stripe.requests();
    processor::turn::take(app, &metrics, &app.new_run(), &mut batch, &envelope("evt_2")).await.unwrap();
    assert_eq!(app.stripe.requests(), before);

    // Somebody else sees that it was paid.
    world.wait(1);
    world.sandbox.stripe.attach_card(&one.customer, "pm_card_visa").unwrap();
    world.sandbox.stripe.pay(&one.invoice).unwrap();
    let mut newer = Look::new(now());
    processor::turn::take(app, &metrics, &app.new_run(), &mut newer, &envelope("evt_3")).await.unwrap();
    assert_eq!(world.case(CaseKind::Recovery, &one.invoice).await.unwrap().state, CaseState::Closed);

    world.wait(1);
    let before = app.stripe.requests();
    processor::turn::take(app, &metrics, &app.new_run(), &mut batch, &envelope("evt_4")).await.unwrap();
    assert!(app.stripe.requests() > before, "it was read again");
    let case = world.case(CaseKind::Recovery, &one.invoice).await.unwrap();
    assert_eq!((case.state, case.classification.bucket), (CaseState::Closed, Bucket::Paid));
}

#[tokio::test]
async fn what_is_remembered_decides_nothing_once_somebody_else_opened_a_case_of_the_customer() {
    let world = World::new().await;
    let one = declined(&world);
    let (app, metrics) = (&world.processor, world.processor.meter.invocation());
    let envelope = |id: &str, kind: &str, object: &str| {
        serde_json::from_value(serde_json::json!({
            "id": id, "type": kind, "object": object, "customer": one.customer,
            "livemode": false, "created": 1, "received": 1, "endpoint": "default"
        }))
        .unwrap()
    };
    let now = || Timestamp::from_seconds(world.clock.seconds());
    let failed = |id| envelope(id, "invoice.payment_failed", &one.invoice);
    let mut batch = Look::new(now());
    processor::turn::take(app, &metrics, &app.new_run(), &mut batch, &failed("evt_1")).await.unwrap();

    let stripe = &world.sandbox.stripe;
    let mut charges = stripe.objects("charge").into_iter();
    let paid = charges.find(|one| one["status"] == "succeeded").unwrap();
    let due = world.clock.seconds() + 864_000;
    let dispute = text(&stripe.open_dispute(&text(&paid, "id"), "fraudulent", 2900, due).unwrap(), "id");
    let told = envelope("evt_2", "charge.dispute.created", &dispute);
    processor::turn::take(app, &metrics, &app.new_run(), &mut Look::new(now()), &told).await.unwrap();

    let before = app.stripe.requests();
    processor::turn::take(app, &metrics, &app.new_run(), &mut batch, &failed("evt_3")).await.unwrap();
    assert!(app.stripe.requests() > before, "it was read again");
}

/// Lets requests go on only once `together` of them wait, the first of each place in `places`.
fn gated(router: Router, places: &'static [&'static str], together: &Arc<Barrier>) -> Router {
    let (gate, waited) = (Arc::clone(together), Arc::new(AtomicUsize::new(0)));
    router.layer(middleware::from_fn(move |request: Request, next: Next| {
        let (gate, waited) = (Arc::clone(&gate), Arc::clone(&waited));
        async move {
            let place = places.iter().position(|place| request.uri().to_string().contains(place));
            if let Some(place) = place
                && waited.fetch_or(1 << place, Ordering::SeqCst) & (1 << place) == 0
            {
                gate.wait().await;
            }
            next.run(request).await
        }
    }))
}

/// None of them is answered before all were asked: asked one after another, they would never be.
#[tokio::test]
async fn what_stands_around_a_customer_is_asked_at_the_same_time() {
    let mut world = World::with_systems().await;
    let one = declined(&world);
    world.sandbox.introduce_customers().unwrap();
    let (reads, systems) = (Arc::new(Barrier::new(3)), Arc::new(Barrier::new(3)));
    let sandbox = &world.sandbox;
    let stripe: &[&str] = &["/v1/invoices/in_", "/v1/charges?", "/v1/invoices?"];
    let mut servers = Vec::new();
    let mut serve = async |router, places, gate| {
        servers.push(Loopback::serve(0, gated(router, places, gate)).await.unwrap());
        servers[servers.len() - 1].url()
    };
    let moved = [
        ("STRIPE_API_BASE", serve(sandbox.stripe.router(), stripe, &reads).await),
        ("HUBSPOT_API_BASE", serve(Arc::clone(&sandbox.hubspot).router(), &["/"], &systems).await),
        ("ZENDESK_SUBDOMAIN_URL", serve(Arc::clone(&sandbox.zendesk).router(), &["/"], &systems).await),
        ("APPLICATION_URL", serve(Arc::clone(&sandbox.application).router(), &["/"], &systems).await),
    ];
    let starter = Path::new(env!("CARGO_MANIFEST_DIR")).join("../infra/policy");
    let policy = Policy::relying(&starter).unwrap();
    let mut variables = sandbox.variables(Function::Processor);
    variables.extend(sandbox.systems(Function::Processor));
    variables.extend(moved.map(|(name, url)| (name.to_owned(), url)));
    variables.insert("POLICY_DIR".into(), policy.folder().to_str().unwrap().into());
    let hands = world.clock.clone();
    let clock: Clock = Arc::new(move || Timestamp::from_seconds(hands.seconds()));
    world.processor = processor::App::from_env(&variables.into_iter().collect(), clock).await.unwrap();

    let id = tell(&world, "invoice.payment_failed", &one.invoice).await;
    world.work(|| None).await;
    let key = world.case(CaseKind::Recovery, &one.invoice).await.unwrap().key;
    let trail = world.cases().trail(&key).await.unwrap();
    let entry: Value = serde_json::from_str(&trail[0].body).unwrap();
    assert_eq!(entry["event"], id.as_str());
    for part in ["account", "conversations", "application", "charges", "open_invoices"] {
        assert!(entry["context"][part]["known"].is_object(), "{part}: {}", entry["context"][part]);
    }
}

/// Stripe never answers about one customer's invoice, and that customer's events stand before all others.
#[tokio::test]
async fn a_customer_whose_events_are_stuck_holds_up_nobody_else() {
    let world = World::new().await;
    let stuck = declined(&world);
    let others: Vec<_> = (0..4).map(|_| declined(&world)).collect();
    world.sandbox.stripe.fault(Fault::HangBeforeCommit, &format!("GET /v1/invoices/{}", stuck.invoice), 100);
    for _ in 0..3 {
        tell(&world, "invoice.payment_failed", &stuck.invoice).await;
    }
    for other in &others {
        tell(&world, "invoice.payment_failed", &other.invoice).await;
    }
    let all_others_are_decided = async {
        for other in &others {
            while world.case(CaseKind::Recovery, &other.invoice).await.is_none() {
                tokio::task::yield_now().await;
            }
        }
    };
    tokio::select! {
        biased;
        () = world.work(|| None) => panic!("the batch ended before the others were decided"),
        () = all_others_are_decided => {}
    }
    assert!(world.case(CaseKind::Recovery, &stuck.invoice).await.is_none(), "it is still waiting");
}

/// Rows of a finished event and of an open case that is not due, many times over.
fn fill(world: &World, times: usize) {
    let rows = world.sandbox.tables.rows(CASES_TABLE).unwrap();
    let mut copies = Vec::new();
    for copy in 0..times {
        for row in &rows {
            let text = ["evt_", "in_", "cus_", "sub_"]
                .iter()
                .fold(row.to_string(), |text, prefix| text.replace(prefix, &format!("{prefix}{copy}x")));
            let mut row: Value = serde_json::from_str(&text).unwrap();
            if row.get("due_at").is_some() {
                row["due_at"]["N"] = "9999999999".into();
            }
            copies.push(row);
        }
    }
    world.sandbox.tables.fill(CASES_TABLE, copies).unwrap();
}

#[tokio::test]
async fn what_an_event_takes_does_not_grow_with_what_is_stored() {
    let mut world = World::new().await;
    tell(&world, "invoice.payment_failed", &declined(&world).invoice).await;
    world.work(|| None).await;
    let tally = count_requests(&mut world);
    let one_more = async || {
        let (one, reads) = (declined(&world), world.processor.stripe.requests());
        tell(&world, "invoice.payment_failed", &one.invoice).await;
        world.work(|| None).await;
        let event = (world.processor.stripe.requests() - reads, tally.take());
        let far = Timestamp::from_seconds(world.clock.seconds()).plus(30 * 86_400);
        let due = world.cases().due_cases(far, 100).await.unwrap();
        assert_eq!(due.unreadable, 0);
        (event, due.rows.len(), tally.take())
    };
    let (small, cases, sweep) = one_more().await;
    fill(&world, 2000);
    let (large, more, swept) = one_more().await;
    assert_eq!(small, large, "an event");
    assert_eq!((sweep, more), (swept, cases + 1), "a look at what is due finds that and nothing else");
}
