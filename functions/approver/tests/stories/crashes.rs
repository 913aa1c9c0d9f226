use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use approver::Checkpoints;
use domain::{ProposalId, approval::Stage};
use sandbox::{
    people::{FINANCE_LEAD, FINANCE_SECOND},
    stripe::Fault,
};

use crate::world::{Browser, World, deliver};

/// Dies at the place with this number, counted from zero, and writes down where that was.
fn dying_at(number: usize) -> (Checkpoints, Arc<Mutex<Option<&'static str>>>) {
    let (passed, place_of_death) = (AtomicUsize::new(0), Arc::new(Mutex::new(None)));
    let written = Arc::clone(&place_of_death);
    let checkpoints = Checkpoints::new(move |place| {
        let now = passed.fetch_add(1, Ordering::SeqCst) == number;
        if now {
            *written.lock().unwrap() = Some(place);
        }
        now
    });
    (checkpoints, place_of_death)
}

/// What goes wrong beside the death.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Trouble {
    None,
    /// Stripe does it and the answer is lost.
    LostAnswer,
    /// The call is lost.
    LostCall,
    /// The Dashboard refunds a part before the vote, so it is proposed anew.
    Overtaken,
}

/// Lets one run after another die, each at the next place, until one lives to the end. Answers the
/// places.
async fn die_everywhere(trouble: Trouble) -> BTreeSet<&'static str> {
    let world = World::new().await;
    let mut places = BTreeSet::new();
    for number in 0.. {
        let (checkpoints, place_of_death) = dying_at(number);
        let dying = world.dying(checkpoints).await;
        let charge = world.charge(1999);
        world.ask_in_stripe(&charge, "requested_by_customer:500");
        let request = world.request(&charge).await;
        let first = ProposalId::of(&request, 0);
        let messages = world.sandbox.slack.messages().len();

        // It dies in the middle of the queue's message, of the vote, or of a settlement; what comes
        // after goes on.
        deliver(&dying, &request).await;
        deliver(&world.app, &request).await;
        let (mut refunds, mut writes) = (world.refunds(), world.writes().len());
        match trouble {
            Trouble::None => {}
            Trouble::LostAnswer => world.sandbox.stripe.fault(Fault::DropAfterCommit, "POST /v1/refunds", 1),
            Trouble::LostCall => world.sandbox.stripe.fault(Fault::DropBeforeCommit, "POST /v1/refunds", 1),
            Trouble::Overtaken => {
                world.sandbox.stripe.refund(&charge, Some(100), "duplicate").unwrap();
                (refunds, writes) = (world.refunds(), world.writes().len());
            }
        }
        let id = if trouble == Trouble::Overtaken {
            approve(&world, &dying, &first).await;
            settle(&world, &dying).await;
            let (stage, place) = (world.stage(&first).await, *place_of_death.lock().unwrap());
            if let Some(place @ ("claimed" | "reread")) = place {
                // Whoever takes over cannot know that nothing was sent, and Stripe moved on: people look.
                assert_eq!((stage.name(), world.refunds() - refunds), ("unknown", 0), "killed after {place}");
                places.insert(place);
                continue;
            }
            assert!(matches!(stage, Stage::Stale { .. }), "{trouble:?}, killed after {place:?}: {stage:?}");
            ProposalId::of(&request, 1)
        } else {
            first
        };
        approve(&world, &dying, &id).await;
        settle(&world, &dying).await;

        let place = *place_of_death.lock().unwrap();
        let context = format!("{trouble:?}, killed after {place:?}");
        let stage = world.stage(&id).await;
        assert!(matches!(stage, Stage::Executed { .. }), "{context}: {stage:?}");
        assert_eq!(world.refunds() - refunds, 1, "{context}");
        let writes = world.writes().split_off(writes);
        let ours = writes.iter().filter(|write| write.path == "/v1/refunds");
        let keys: BTreeSet<_> = ours.filter_map(|write| write.idempotency_key.clone()).collect();
        assert_eq!(keys.len(), 1, "{context}");
        let told = world.sandbox.slack.messages().split_off(messages);
        let asked = told.iter().filter(|message| message.text == "Your approval is asked for").count();
        assert_eq!(asked, if trouble == Trouble::Overtaken { 4 } else { 2 }, "{context}: each is told once");
        let file = world.file(&id).await;
        domain::trail::verify(id.as_str(), &file.trail, Some(file.proposal().trail)).unwrap();
        world.sandbox.stripe.clear_faults();
        match place {
            Some(place) => places.insert(place),
            None => break,
        };
    }
    places
}

async fn approve(world: &World, dying: &approver::App, id: &ProposalId) {
    world.second_signs(id).await;
    let mut finance = world.browser(FINANCE_LEAD).await;
    let (digest, csrf) = finance.token(id).await;
    let fields = [("decision", "approve"), ("digest", digest.as_str()), ("csrf", csrf.as_str())];
    let mut doomed = Browser { app: dying, cookies: finance.cookies.clone(), clock: None };
    doomed.post(&format!("/a/{id}"), &fields).await;
}

async fn settle(world: &World, dying: &approver::App) {
    for _ in 0..3 {
        world.wait(200);
        // A scheduled run that dies has looked at one proposal; the next run takes over.
        approver::handle(dying, serde_json::json!({ "schedule": "settle" })).await.unwrap();
        world.wait(200);
        world.settle().await;
    }
}

#[tokio::test]
async fn a_run_killed_anywhere_leaves_one_refund_and_one_idempotency_key() {
    let places = Box::pin(die_everywhere(Trouble::None)).await;
    let all = ["read", "proposed", "told", "voted", "claimed", "reread", "sent", "settled"];
    assert_eq!(places, all.into(), "every place was died at");
}

#[tokio::test]
async fn a_run_killed_anywhere_after_a_lost_answer_leaves_one_refund() {
    let places = Box::pin(die_everywhere(Trouble::LostAnswer)).await;
    assert!(places.is_superset(&["sent", "unknown", "settled"].into()), "{places:?}");
}

#[tokio::test]
async fn a_run_killed_anywhere_after_a_lost_call_leaves_one_refund() {
    let places = Box::pin(die_everywhere(Trouble::LostCall)).await;
    assert!(places.is_superset(&["sent", "unknown", "reclaimed", "settled"].into()), "{places:?}");
}

#[tokio::test]
async fn a_run_killed_anywhere_while_it_is_proposed_anew_leaves_one_refund_at_most() {
    let places = Box::pin(die_everywhere(Trouble::Overtaken)).await;
    assert!(places.is_superset(&["reread", "reissued", "told", "settled"].into()), "{places:?}");
}

#[tokio::test]
async fn an_answer_lost_after_stripe_did_it_is_found_and_not_repeated() {
    let world = World::new().await;
    let (id, _) = world.proposed(1999).await;
    world.sandbox.stripe.fault(Fault::DropAfterCommit, "POST /v1/refunds", 1);
    let answer = world.browser(FINANCE_LEAD).await.decide(&id, "approve").await;
    assert!(answer.body.contains("Approved and done"), "{}", answer.body);
    assert_eq!((world.writes().len(), world.refunds()), (1, 1));
    let file = world.file(&id).await;
    let events: Vec<_> = file.trail.iter().map(|entry| entry.event.as_str()).collect();
    assert_eq!(events, ["proposed", "voted", "claimed", "unknown", "executed"]);
}

#[tokio::test]
async fn a_request_lost_before_stripe_did_it_is_sent_again_with_the_same_key() {
    let world = World::new().await;
    let (id, _) = world.proposed(1999).await;
    world.sandbox.stripe.fault(Fault::DropBeforeCommit, "POST /v1/refunds", 1);
    let answer = world.browser(FINANCE_LEAD).await.decide(&id, "approve").await;
    assert!(answer.body.contains("Nobody knows yet"), "{}", answer.body);
    world.settle().await;
    assert_eq!(world.refunds(), 0, "the lease still runs");
    world.wait(61);
    world.settle().await;
    assert!(matches!(world.stage(&id).await, Stage::Executed { .. }));
    assert_eq!(world.refunds(), 1);
    let keys: BTreeSet<_> = world.writes().into_iter().filter_map(|write| write.idempotency_key).collect();
    assert_eq!(keys.len(), 1);
}

#[tokio::test]
async fn a_500_that_stripe_repeats_for_the_key_stays_unknown_until_people_look() {
    let world = World::new().await;
    let (id, _) = world.proposed(1999).await;
    world.sandbox.stripe.fault(Fault::ServerError { commits: false }, "POST /v1/refunds", 1);
    world.browser(FINANCE_LEAD).await.decide(&id, "approve").await;
    for _ in 0..30 {
        world.wait(3 * 3600);
        world.settle().await;
    }
    assert_eq!(world.stage(&id).await.name(), "unknown");
    assert_eq!(world.refunds(), 0);
    let keys: BTreeSet<_> = world.writes().iter().filter_map(|write| write.idempotency_key.clone()).collect();
    assert_eq!(keys.len(), 1, "no new key is ever made");
    let first = world.writes()[0].at;
    assert!(
        world.writes().iter().all(|write| write.at < first + 23 * 3600),
        "nothing is sent when the key may be forgotten"
    );
    let page = world.browser(FINANCE_SECOND).await.get(&format!("/a/{id}")).await;
    assert!(page.body.contains("do not do it by hand"), "{}", page.body);
    let told = world.sandbox.slack.messages();
    assert_eq!(
        told.iter().filter(|note| note.text.starts_with("Nobody knows yet")).count(),
        2,
        "told when it began, and when people have to look"
    );
}

#[tokio::test]
async fn stripe_refusing_it_ends_it() {
    let world = World::new().await;
    let (id, charge) = world.proposed(1999).await;
    // Between the last look and the call somebody refunds it in the Dashboard.
    let stripe = Arc::clone(&world.sandbox.stripe);
    let racing = world
        .dying(Checkpoints::new(move |place| {
            if place == "reread" {
                stripe.refund(&charge, None, "duplicate").unwrap();
            }
            false
        }))
        .await;
    let mut finance = world.browser(FINANCE_LEAD).await;
    finance.app = &racing;
    let answer = finance.decide(&id, "approve").await;
    assert!(answer.body.contains("Stripe refused it"), "{}", answer.body);
    let Stage::Failed { code, .. } = world.stage(&id).await else { panic!() };
    assert_eq!(code, "charge_already_refunded");
    assert_eq!(world.refunds(), 1, "the Dashboard's");
}

#[tokio::test]
async fn two_runs_that_take_over_at_once_send_once() {
    let world = World::new().await;
    let (id, _) = world.proposed(1999).await;
    world.sandbox.stripe.fault(Fault::DropBeforeCommit, "POST /v1/refunds", 1);
    world.browser(FINANCE_LEAD).await.decide(&id, "approve").await;
    world.wait(61);
    let other = world.instance().await;
    let event = || serde_json::json!({ "schedule": "settle" });
    let (one, two) = tokio::join!(approver::handle(&world.app, event()), approver::handle(&other, event()));
    one.unwrap();
    two.unwrap();
    assert!(matches!(world.stage(&id).await, Stage::Executed { .. }));
    assert_eq!((world.writes().len(), world.refunds()), (2, 1), "one lost, one sent");
}
