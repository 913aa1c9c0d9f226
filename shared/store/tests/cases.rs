//! Claims, turns and steps against real conditional writes.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on fails"
)]

use domain::{
    Case, CaseKey, CaseKind, CustomerId, Envelope, EventId, ObjectId, RequestId, RunId, Timestamp,
    case::CaseState,
    classify::{Bucket, Classification},
    plan::{Priority, Step, StepKind},
    policy::Verdict,
    trail::Head,
};
use runtime::{Env, aws::Aws};
use sandbox::Loopback;
use store::{Cases, Claim, EventOutcome, RequestRow, StepState, StoreError, Turn, TurnState};

const NOW: Timestamp = Timestamp::from_seconds(1_790_000_000);

struct World {
    _tables: Loopback,
    cases: Cases,
}

async fn world() -> World {
    let tables = sandbox::dynamodb::serve(0, None).await.unwrap();
    let url = tables.url();
    let env = Env::from([
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("AWS_ENDPOINT_URL", url.as_str()),
    ]);
    let client = Aws::from_env(&env).unwrap().dynamodb();
    store::schema::create(&client, "cases").await.unwrap();
    store::schema::create(&client, "cases").await.expect("creating it again changes nothing");
    World { _tables: tables, cases: Cases::new(client, "cases") }
}

fn run(name: &str) -> RunId {
    RunId::parse(name).unwrap()
}

fn event(id: &str) -> Envelope {
    Envelope {
        id: EventId::parse(id).unwrap(),
        kind: "invoice.payment_failed".into(),
        object: ObjectId::parse("in_1").unwrap(),
        customer: CustomerId::parse("cus_1").ok(),
        account: None,
        context: None,
        livemode: false,
        api_version: None,
        created: NOW,
        received: NOW,
        endpoint: "default".into(),
    }
}

fn key(object: &str) -> CaseKey {
    CaseKey::new(CaseKind::Recovery, ObjectId::parse(object).unwrap())
}

fn step(case: &CaseKey) -> Step {
    let origin = domain::event::Origin::default();
    let kind =
        StepKind::Request { operation: "refund.create".into(), origin, source: None, parameters: [].into() };
    Step::new(case, None, kind, "1")
}

fn decided(key: &CaseKey, steps: &[Step], head: Head) -> (Case, domain::trail::Entry) {
    let entry = head.entry(&key.to_string(), "decided", NOW, "{}".into());
    let case = Case {
        key: key.clone(),
        customer: CustomerId::parse("cus_1").ok(),
        state: CaseState::Open,
        classification: Classification::new(Bucket::HardDecline, "a reason"),
        priority: Priority::Normal,
        escalation: Verdict {
            asked: "escalate".into(),
            permitted: false,
            rules: Vec::new(),
            errors: Vec::new(),
            policy: "1".into(),
        },
        next: String::new(),
        otherwise: String::new(),
        contacted: false,
        amount: None,
        deadline: None,
        verdicts: Vec::new(),
        suppressed: Vec::new(),
        steps: steps.iter().map(|step| step.key.clone()).collect(),
        origin: domain::event::Origin::default(),
        opened: NOW,
        changed: NOW,
        revisit: Some(NOW.plus(900)),
        trail: entry.head(),
        advice: None,
    };
    (case, entry)
}

async fn commit(
    world: &World,
    before: &TurnState,
    key: &CaseKey,
    event: Option<&EventId>,
    steps: &[Step],
) -> Result<(), StoreError> {
    let head = before.case.value.as_ref().map_or(Head::START, |case| case.trail);
    let (case, entry) = decided(key, steps, head);
    let run = run("r1");
    let turn = Turn { event, run: &run, lease: NOW.plus(90), case: &case, steps, entry: &entry };
    world.cases.commit(before, &turn).await.map(drop)
}

#[tokio::test]
async fn an_event_is_taken_when_nobody_has_it_when_its_lease_is_over_or_when_it_is_mine_already() {
    let world = world().await;
    let claim = |name, now: Timestamp| {
        let (cases, run) = (world.cases.clone(), run(name));
        async move { cases.claim(&event("evt_1"), &run, now, now.plus(90)).await.unwrap() }
    };
    assert_eq!(claim("r1", NOW).await, Claim::Mine);
    assert_eq!(claim("r1", NOW.plus(1)).await, Claim::Mine, "a lost answer is no other run");
    assert_eq!(claim("r2", NOW.plus(89)).await, Claim::Held, "held is not done");
    assert_eq!(claim("r2", NOW.plus(91)).await, Claim::Mine);
    assert_eq!(claim("r1", NOW.plus(92)).await, Claim::Held);
}

#[tokio::test]
async fn a_finished_event_is_a_duplicate_for_everybody_for_ever() {
    let world = world().await;
    let (id, mine) = (event("evt_1").id, run("r1"));
    world.cases.claim(&event("evt_1"), &mine, NOW, NOW.plus(90)).await.unwrap();
    assert!(world.cases.finish(&id, &run("r2"), &EventOutcome::Ignored).await.unwrap_err().is_conflict());
    world.cases.finish(&id, &mine, &EventOutcome::Ignored).await.unwrap();
    let later = NOW.plus(29 * 86_400);
    for name in ["r1", "r2"] {
        let again = world.cases.claim(&event("evt_1"), &run(name), later, later.plus(90)).await.unwrap();
        assert_eq!(again, Claim::Done(EventOutcome::Ignored));
    }
}

#[tokio::test]
async fn fifty_runs_that_claim_one_event_at_once_get_it_once() {
    let world = world().await;
    let tries = (0..50).map(|number| {
        let (cases, run) = (world.cases.clone(), run(&format!("r{number}")));
        tokio::spawn(async move { cases.claim(&event("evt_1"), &run, NOW, NOW.plus(90)).await.unwrap() })
    });
    let mut mine = 0;
    for one in tries.collect::<Vec<_>>() {
        mine += usize::from(one.await.unwrap() == Claim::Mine);
    }
    assert_eq!(mine, 1);
}

#[tokio::test]
async fn a_turn_is_committed_whole_and_completes_its_event() {
    let world = world().await;
    let (key, id) = (key("in_1"), event("evt_1").id);
    world.cases.claim(&event("evt_1"), &run("r1"), NOW, NOW.plus(90)).await.unwrap();
    let before = world.cases.turn_state(&key, CustomerId::parse("cus_1").ok().as_ref()).await.unwrap();
    commit(&world, &before, &key, Some(&id), &[step(&key)]).await.unwrap();

    let outcome = world.cases.event(&id).await.unwrap().unwrap().outcome;
    assert_eq!(outcome, Some(EventOutcome::Decided { case: key.clone() }));
    let after = world.cases.turn_state(&key, CustomerId::parse("cus_1").ok().as_ref()).await.unwrap();
    assert!(after.customer.value.open.contains(&key));
    let case = after.case.value.unwrap();
    let trail = world.cases.trail(&key).await.unwrap();
    domain::trail::verify(&key.to_string(), &trail, Some(case.trail)).unwrap();
    assert_eq!(world.cases.steps(&key).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_turn_that_read_an_older_case_changes_nothing() {
    let world = world().await;
    let key = key("in_1");
    let before = world.cases.turn_state(&key, None).await.unwrap();
    commit(&world, &before, &key, None, &[]).await.unwrap();
    let refused = commit(&world, &before, &key, None, &[step(&key)]).await.unwrap_err();
    assert!(refused.is_conflict(), "{refused}");
    assert!(world.cases.steps(&key).await.unwrap().is_empty(), "no part of it was written");
    assert_eq!(world.cases.trail(&key).await.unwrap().len(), 1);
}

#[tokio::test]
async fn two_cases_of_one_customer_cannot_both_take_steps_from_the_same_view() {
    let world = world().await;
    let customer = CustomerId::parse("cus_1").ok();
    let (one, two) = (key("in_1"), key("in_2"));
    let first = world.cases.turn_state(&one, customer.as_ref()).await.unwrap();
    let second = world.cases.turn_state(&two, customer.as_ref()).await.unwrap();
    commit(&world, &first, &one, None, &[step(&one)]).await.unwrap();
    let refused = commit(&world, &second, &two, None, &[step(&two)]).await.unwrap_err();
    assert!(refused.is_conflict(), "{refused}");
}

#[tokio::test]
async fn a_turn_whose_event_was_taken_over_by_another_run_is_refused() {
    let world = world().await;
    let (key, id) = (key("in_1"), event("evt_1").id);
    world.cases.claim(&event("evt_1"), &run("r1"), NOW, NOW.plus(90)).await.unwrap();
    world.cases.claim(&event("evt_1"), &run("r2"), NOW.plus(100), NOW.plus(190)).await.unwrap();
    let before = world.cases.turn_state(&key, None).await.unwrap();
    assert!(commit(&world, &before, &key, Some(&id), &[]).await.unwrap_err().is_conflict());
}

#[tokio::test]
async fn a_step_comes_due_when_its_run_is_gone_and_only_one_run_takes_it_over() {
    let world = world().await;
    let key = key("in_1");
    let before = world.cases.turn_state(&key, None).await.unwrap();
    commit(&world, &before, &key, None, &[step(&key)]).await.unwrap();

    assert!(world.cases.due_steps("request", NOW.plus(89), 10).await.unwrap().rows.is_empty());
    let later = NOW.plus(91);
    let due = world.cases.due_steps("request", later, 10).await.unwrap().rows;
    assert_eq!(due.len(), 1);
    let taken = world.cases.take_step(&due[0], &run("r2"), later, later.plus(90)).await.unwrap().unwrap();
    assert_eq!(taken.tries, 2);
    assert_eq!(world.cases.take_step(&due[0], &run("r3"), later, later.plus(90)).await.unwrap(), None);
    let again = world.cases.take_step(&due[0], &run("r2"), later, later.plus(90)).await.unwrap();
    assert_eq!(again.map(|row| row.tries), Some(2), "a lost answer does not count twice");

    let done = StepState::Done { vendor_id: "1790000000.000100".into() };
    let late = world.cases.settle_step(&taken.step, &run("r1"), &done).await.unwrap_err();
    assert!(late.is_conflict(), "the run that lost it cannot settle it");
    world.cases.settle_step(&taken.step, &run("r2"), &done).await.unwrap();
    assert!(world.cases.due_steps("request", later.plus(9999), 10).await.unwrap().rows.is_empty());
    assert_eq!(world.cases.steps(&key).await.unwrap()[0].state, done);
}

#[tokio::test]
async fn a_request_is_put_once_and_never_changed() {
    let world = world().await;
    let row = |operation: &str| RequestRow {
        id: RequestId::parse("rq_1").unwrap(),
        case: key("in_1"),
        operation: operation.into(),
        object: ObjectId::parse("ch_1").unwrap(),
        parameters: [].into(),
        origin: domain::event::Origin::default(),
        source: None,
        at: NOW,
    };
    assert!(world.cases.put_request(&row("refund.create")).await.unwrap());
    assert!(!world.cases.put_request(&row("something.else")).await.unwrap());
    let kept = world.cases.request(&RequestId::parse("rq_1").unwrap()).await.unwrap();
    assert_eq!(kept, Some(row("refund.create")));
}

#[tokio::test]
async fn the_store_names_the_events_that_it_has_never_seen() {
    let world = world().await;
    let ids: Vec<EventId> = (0..250).map(|n| EventId::parse(format!("evt_{n}")).unwrap()).collect();
    for id in ids.iter().step_by(2) {
        let envelope = Envelope { id: id.clone(), ..event("evt_0") };
        world.cases.claim(&envelope, &run("r1"), NOW, NOW.plus(90)).await.unwrap();
    }
    let unseen = world.cases.unseen(&ids).await.unwrap();
    assert_eq!(unseen, ids.iter().skip(1).step_by(2).cloned().collect::<Vec<_>>());
}

#[tokio::test]
async fn a_case_comes_due_when_it_is_to_be_decided_anew() {
    let world = world().await;
    let key = key("in_1");
    let before = world.cases.turn_state(&key, None).await.unwrap();
    commit(&world, &before, &key, None, &[]).await.unwrap();
    assert!(world.cases.due_cases(NOW.plus(899), 10).await.unwrap().rows.is_empty());
    let due = world.cases.due_cases(NOW.plus(900), 10).await.unwrap();
    assert_eq!((due.rows.len(), due.unreadable), (1, 0));
    assert_eq!(due.rows[0].key, key);
}

#[tokio::test]
async fn the_kill_switch_refuses_a_turn_that_was_decided_before_it_was_turned_on() {
    let world = world().await;
    let key = key("in_1");
    let before = world.cases.turn_state(&key, None).await.unwrap();
    assert!(!before.frozen);
    world.cases.freeze().await.unwrap();
    assert!(commit(&world, &before, &key, None, &[step(&key)]).await.unwrap_err().is_conflict());
    assert!(world.cases.turn_state(&key, None).await.unwrap().frozen);
    world.cases.unfreeze().await.unwrap();
    commit(&world, &before, &key, None, &[step(&key)]).await.unwrap();
}

#[tokio::test]
async fn a_card_lags_behind_when_its_case_moves_until_it_shows_the_newest() {
    let world = world().await;
    let (key, customer) = (key("in_1"), CustomerId::parse("cus_1").ok());
    let before = world.cases.turn_state(&key, customer.as_ref()).await.unwrap();
    commit(&world, &before, &key, None, &[]).await.unwrap();
    let due = async |now| world.cases.due_cards(now, 10).await.unwrap().rows;
    assert!(due(NOW.plus(9999)).await.is_empty(), "a new case has no card yet");

    let before = world.cases.turn_state(&key, customer.as_ref()).await.unwrap();
    commit(&world, &before, &key, None, &[step(&key)]).await.unwrap();
    assert!(due(NOW.plus(89)).await.is_empty(), "its own run shows it");
    assert_eq!(due(NOW.plus(90)).await, std::slice::from_ref(&key));
    let later = NOW.plus(100);
    assert!(world.cases.take_card(&key, later, later.plus(90)).await.unwrap());
    assert!(!world.cases.take_card(&key, later, later.plus(90)).await.unwrap(), "one run takes it");

    let seen = world.cases.file(&key).await.unwrap();
    assert_eq!(seen.steps.len(), 1);
    let shown = seen.case.unwrap();
    let older = Case { trail: before.case.value.unwrap().trail, ..shown.clone() };
    assert!(!world.cases.settle_card(&older).await.unwrap(), "it showed the case as it was before");
    assert!(world.cases.settle_card(&shown).await.unwrap());
    assert!(due(later.plus(9999)).await.is_empty());
}

#[tokio::test]
async fn a_step_that_is_put_off_is_not_due_before_and_only_its_run_puts_it_off() {
    let world = world().await;
    let key = key("in_1");
    let before = world.cases.turn_state(&key, None).await.unwrap();
    commit(&world, &before, &key, None, &[step(&key)]).await.unwrap();
    let step = step(&key);
    assert!(world.cases.put_off_step(&step, &run("r2"), NOW.plus(600)).await.unwrap_err().is_conflict());
    world.cases.put_off_step(&step, &run("r1"), NOW.plus(600)).await.unwrap();
    let due = async |kind, now| world.cases.due_steps(kind, now, 10).await.unwrap().rows.len();
    assert_eq!(due("request", NOW.plus(599)).await, 0);
    assert_eq!((due("request", NOW.plus(600)).await, due("alert", NOW.plus(600)).await), (1, 0));
}
