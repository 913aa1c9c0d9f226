//! From a delivery to a decision: what must hold whatever happens on the way.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::large_futures,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on fails"
)]

use std::collections::{BTreeMap, BTreeSet};

use domain::{CaseKey, CaseKind, Envelope, ObjectId, case::CaseState, classify::Bucket};
use sandbox::stripe::seed;
use serde_json::{Value, json};
use store::{EventOutcome, StepState};
use stories::{World, chaos::Dice};

/// A world in which a day of billing has happened and nothing was delivered yet.
async fn after_a_day() -> World {
    let world = World::new().await;
    seed::day(&world.sandbox.stripe, 56, 7).unwrap();
    world
}

/// What came of the day, without what depends on when it was looked at.
#[derive(Debug, PartialEq, Eq)]
struct End {
    cases: BTreeMap<String, (CaseState, Bucket, String)>,
    steps: BTreeMap<String, BTreeSet<(String, String)>>,
    alerts: BTreeMap<String, usize>,
    requests: BTreeSet<String>,
}

async fn end(world: &World) -> End {
    let mut end = End {
        cases: BTreeMap::new(),
        steps: BTreeMap::new(),
        alerts: BTreeMap::new(),
        requests: BTreeSet::new(),
    };
    for event in world.handled_events() {
        let object = event["data"]["object"]["id"].as_str().unwrap();
        let kind = domain::event::case_kind(event["type"].as_str().unwrap()).unwrap();
        let key = CaseKey::new(kind, ObjectId::parse(object).unwrap());
        let id = event["id"].as_str().unwrap().parse().unwrap();
        let row = world.cases().event(&id).await.unwrap().unwrap_or_else(|| panic!("{id} was lost"));
        assert_eq!(row.outcome, Some(EventOutcome::Decided { case: key.clone() }), "{id}");

        let case = world.cases().case(&key).await.unwrap().unwrap();
        let trail = world.cases().trail(&key).await.unwrap();
        domain::trail::verify(&key.to_string(), &trail, Some(case.trail)).unwrap();
        let suppressed = serde_json::to_string(&case.suppressed).unwrap();
        end.cases.insert(key.to_string(), (case.state, case.classification.bucket, suppressed));
        let steps = world.steps(&key).await;
        for row in &steps {
            assert!(matches!(row.state, StepState::Done { .. }), "{key}: {row:?}");
            if let ("request", StepState::Done { vendor_id }) = (row.step.kind.name(), &row.state) {
                end.requests.insert(vendor_id.clone());
            }
        }
        let steps = steps.iter().map(|row| (row.step.kind.name().to_owned(), row.step.key.to_string()));
        end.steps.insert(key.to_string(), steps.collect());
    }
    for message in world.sandbox.slack.messages() {
        let key = message.metadata.as_ref().and_then(|metadata| metadata["event_payload"]["key"].as_str());
        *end.alerts.entry(key.expect("an alert has its step's key").to_owned()).or_default() += 1;
    }
    end
}

#[tokio::test]
async fn a_day_in_order_and_the_same_day_tripled_shuffled_and_killed_end_the_same() {
    let calm = after_a_day().await;
    let events = calm.handled_events();
    assert!(events.len() >= 200, "{} events", events.len());
    for event in &events {
        assert_eq!(calm.deliver(event).await, 200);
    }
    calm.work(|| None).await;
    let expected = end(&calm).await;
    assert!(expected.alerts.len() >= 10 && !expected.requests.is_empty(), "the day asks for something");
    assert!(expected.alerts.values().all(|&times| times == 1), "{:?}", expected.alerts);

    for seed in 1..=2 {
        let wild = after_a_day().await;
        let (mut dice, mut killed) = (Dice(seed), 0);
        let mut deliveries: Vec<&Value> = events.iter().chain(&events).chain(&events).collect();
        dice.shuffle(&mut deliveries);
        for (number, event) in deliveries.iter().enumerate() {
            assert_eq!(wild.deliver(event).await, 200);
            if number % 40 == 39 {
                // Now and then the queue's memory of deduplication ids ends, so that the store's is asked.
                wild.wait(120);
                let mut fate = || (dice.below(3) == 0).then(|| 1 + u32::try_from(dice.below(400)).unwrap());
                wild.work(|| fate().inspect(|_| killed += 1)).await;
            }
        }
        for _ in 0..10 {
            // Leases and visibility end; what was dropped half-way comes again.
            wild.wait(181);
            wild.work(|| None).await;
            wild.sweep_steps().await;
            if wild.queued() == 0 {
                break;
            }
        }
        wild.wait(181);
        wild.sweep_steps().await;
        assert!(killed >= 5, "seed {seed}: only {killed} runs were killed");
        assert_eq!(wild.dead(), 0, "seed {seed}");
        assert_eq!(end(&wild).await, expected, "seed {seed}");
    }
}

#[tokio::test]
async fn no_event_payload_reaches_the_queue() {
    let world = after_a_day().await;
    for event in world.handled_events() {
        world.deliver(&event).await;
    }
    let bodies = world.queue_bodies();
    assert!(bodies.contains("evt_"));
    for canary in ["canary-", "example.test", "Customer ", "last4", "visa"] {
        assert!(!bodies.contains(canary), "`{canary}` is on the queue");
    }
    for body in bodies.lines() {
        serde_json::from_str::<Envelope>(body).unwrap();
    }
}

#[tokio::test]
async fn bad_input_gets_its_answer_and_its_neighbours_go_on() {
    let world = after_a_day().await;
    let good = world.handled_events();
    let (first, last) = (&good[0], &good[good.len() - 1]);
    assert_eq!(world.deliver(first).await, 200);
    assert_eq!(world.deliver_bytes(b"{\"id\": \"evt_1\", ").await, 400, "malformed JSON, well signed");
    assert_eq!(world.deliver_bytes(b"\xff\xfe{}").await, 400, "not UTF-8, well signed");
    assert_eq!(world.deliver_bytes(&vec![b'x'; 2 << 20]).await, 413);
    let odd = json!({ "id": "evt_odd", "object": "event", "type": "price.created", "created": 1, "livemode": false,
        "data": { "object": { "id": "price_1", "object": "price" } } });
    assert_eq!(world.deliver(&odd).await, 200, "a type that starts no work is counted");
    let gone = json!({ "id": "evt_gone", "object": "event", "type": "invoice.payment_failed", "created": 1,
        "livemode": false, "data": { "object": { "id": "in_gone", "object": "invoice", "customer": "cus_gone" } } });
    assert_eq!(world.deliver(&gone).await, 200);
    let live = json!({ "id": "evt_live", "object": "event", "type": "invoice.payment_failed", "created": 1,
        "livemode": true, "data": { "object": { "id": "in_live", "object": "invoice" } } });
    assert_eq!(world.deliver(&live).await, 200);
    assert_eq!(world.deliver(last).await, 200);
    world.work(|| None).await;

    let case = world.case(CaseKind::Recovery, "in_gone").await.unwrap();
    assert_eq!((case.classification.bucket, case.state), (Bucket::Gone, CaseState::Open));
    let outcome = |id: &str| {
        let id = id.parse().unwrap();
        let cases = world.cases().clone();
        async move { cases.event(&id).await.unwrap().and_then(|row| row.outcome) }
    };
    assert_eq!(outcome("evt_live").await, None, "nothing is decided about live data with a test key");
    for event in [first, last] {
        let id = event["id"].as_str().unwrap();
        assert!(matches!(outcome(id).await, Some(EventOutcome::Decided { .. })), "{id}");
    }
    for _ in 0..11 {
        world.wait(181);
        world.work(|| None).await;
    }
    assert_eq!((world.queued(), world.dead()), (0, 1), "the live event waits where an alarm shows it");
}

#[tokio::test]
async fn a_poison_message_ends_in_the_dead_letter_queue_and_holds_up_only_its_own_group() {
    let world = after_a_day().await;
    world.processor_queue_poison("not an envelope", "group-of-its-own").await;
    let event = &world.handled_events()[0];
    world.deliver(event).await;
    for _ in 0..11 {
        world.work(|| None).await;
        world.wait(181);
    }
    assert_eq!(world.dead(), 1);
    let id = event["id"].as_str().unwrap().parse().unwrap();
    assert!(world.cases().event(&id).await.unwrap().unwrap().outcome.is_some());
}

#[tokio::test]
async fn events_that_were_never_delivered_are_found_and_worked_on() {
    let world = after_a_day().await;
    let events = world.handled_events();
    for event in events.iter().step_by(2) {
        world.deliver(event).await;
    }
    world.work(|| None).await;
    let recent: Vec<_> = events
        .iter()
        .filter(|event| event["created"].as_i64().unwrap() > stories::START - 6 * 3600)
        .collect();
    world.wait(600);
    world.sweep_events().await;
    world.work(|| None).await;
    for event in recent {
        let id = event["id"].as_str().unwrap().parse().unwrap();
        let row = world.cases().event(&id).await.unwrap();
        if event["created"].as_i64().unwrap() > stories::START + 600 - 6 * 3600 {
            assert!(row.is_some_and(|row| row.outcome.is_some()), "{id}");
        }
    }
    let again = serde_json::to_value(world.sweep_events().await).unwrap();
    assert_eq!(again["missed"], 0, "a second sweep finds nothing");
}

#[tokio::test]
async fn stripe_out_of_reach_delays_an_event_and_loses_nothing() {
    use sandbox::stripe::Fault;
    let world = after_a_day().await;
    let event = &world.handled_events()[0];
    world.sandbox.stripe.fault(Fault::ServerError { commits: false }, "GET /v1/", 50);
    world.deliver(event).await;
    world.work(|| None).await;
    let id = event["id"].as_str().unwrap().parse().unwrap();
    assert_eq!(world.cases().event(&id).await.unwrap().unwrap().outcome, None);
    world.sandbox.stripe.clear_faults();
    world.wait(181);
    world.work(|| None).await;
    assert!(world.cases().event(&id).await.unwrap().unwrap().outcome.is_some());
}

#[tokio::test]
async fn while_the_kill_switch_is_on_cases_are_decided_and_nothing_is_sent() {
    let world = after_a_day().await;
    world.cases().freeze().await.unwrap();
    for event in world.handled_events() {
        world.deliver(&event).await;
    }
    world.work(|| None).await;
    assert!(world.sandbox.slack.messages().is_empty());
    let failed =
        world.handled_events().into_iter().find(|event| event["type"] == "charge.dispute.created").unwrap();
    let case = world.case(CaseKind::Dispute, failed["data"]["object"]["id"].as_str().unwrap()).await.unwrap();
    assert_eq!(case.suppressed[0].interlock, domain::plan::Interlock::KillSwitch);
    world.cases().unfreeze().await.unwrap();
    world.wait(6 * 3600 + 1);
    for _ in 0..20 {
        world.sweep_cases().await;
    }
    let case = world.cases().case(&case.key).await.unwrap().unwrap();
    let stopped = case.suppressed.iter().filter(|one| one.interlock == domain::plan::Interlock::KillSwitch);
    assert_eq!(stopped.count(), 0, "what was held back is done when it comes due");
    assert!(!case.steps.is_empty());
    assert!(!world.sandbox.slack.messages().is_empty());
}

#[tokio::test]
async fn the_read_key_is_examined_and_can_do_exactly_what_it_needs() {
    let world = World::new().await;
    let before = world.sandbox.stripe.events().len();
    let activation = reconciler::Activation { sweep: reconciler::Sweep::Key };
    let report = reconciler::handle(&world.reconciler, activation).await.unwrap();
    let expected = json!({ "lacking": [], "excess": [], "unclear": 0, "alarm": false });
    assert_eq!(serde_json::to_value(report).unwrap(), expected);
    assert_eq!(world.sandbox.stripe.events().len(), before, "asking changed nothing");
}
