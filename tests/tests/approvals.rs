//! From a request to a refund: one approval makes one effect, whatever happens on the way.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::large_futures,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on fails"
)]

use std::collections::{BTreeMap, BTreeSet};

use domain::{ProposalId, RequestId, approval::Stage, trail};
use sandbox::{
    people::{FINANCE_LEAD, FINANCE_SECOND},
    stripe::seed,
};
use serde_json::{Value, json};
use stories::{World, chaos::Dice};

/// Approves everything that is open, with as many people as it needs; the proposals by id.
async fn approve_all(world: &World) -> BTreeSet<ProposalId> {
    let open = world.approvals().open_proposals().await.unwrap();
    let mut finance = world.browser(FINANCE_LEAD).await;
    let mut second = world.browser(FINANCE_SECOND).await;
    let mut approved = BTreeSet::new();
    for row in open {
        let id = row.proposal.action.proposal.clone();
        let answer = finance.decide(&id, "approve").await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        if row.proposal.action.need > 1 {
            assert!(refunds_of(world, &id).is_none(), "one signature of two does nothing");
            assert_eq!(second.decide(&id, "approve").await.status, 200);
        }
        approved.insert(id);
    }
    approved
}

/// The refund that Stripe made for a proposal.
fn refunds_of(world: &World, id: &ProposalId) -> Option<Value> {
    let ours = |refund: &Value| refund["metadata"]["approval_id"] == id.as_str();
    world.sandbox.stripe.objects("refund").into_iter().find(ours)
}

/// What Stripe was asked to refund by us: idempotency key to the number of refunds made under it.
fn refunds_by_us(world: &World) -> BTreeMap<String, usize> {
    let mut refunds = BTreeMap::new();
    for write in world.sandbox.stripe.writes() {
        let key = write.idempotency_key.clone().unwrap_or_default();
        if write.path == "/v1/refunds" && key.starts_with("ap1_") {
            *refunds.entry(key).or_default() += usize::from(write.status == 200 && !write.replayed);
        }
    }
    refunds
}

async fn settle(world: &World) {
    approver::handle(&world.approver, json!({ "schedule": "settle" })).await.unwrap();
}

#[tokio::test]
async fn the_same_day_in_order_or_in_chaos_asks_for_the_same_refunds_and_each_approval_makes_one() {
    let mut ends = Vec::new();
    for seed in [None, Some(11), Some(12)] {
        let world = World::new().await;
        seed::day(&world.sandbox.stripe, 56, 7).unwrap();
        let events = world.handled_events();
        let mut dice = Dice(seed.unwrap_or_default());
        let mut deliveries: Vec<&Value> = events.iter().collect();
        if seed.is_some() {
            deliveries = events.iter().chain(&events).chain(&events).collect();
            dice.shuffle(&mut deliveries);
        }
        let mut fate =
            || (seed.is_some() && dice.below(3) == 0).then(|| 1 + u32::try_from(dice.below(300)).unwrap());
        for event in deliveries {
            world.deliver(event).await;
        }
        for _ in 0..12 {
            world.work(&mut fate).await;
            world.work_approvals(&mut fate).await;
            world.wait(181);
            world.sweep_steps().await;
        }
        world.work(|| None).await;
        world.work_approvals(|| None).await;
        assert_eq!((world.queued(), world.dead()), (0, 0), "{seed:?}");

        let approved = approve_all(&world).await;
        assert!(!approved.is_empty(), "the day asks for refunds");
        world.wait(200);
        settle(&world).await;
        for id in &approved {
            let file = world.approvals().proposal(id).await.unwrap().unwrap();
            assert!(
                matches!(file.proposal().stage, Stage::Executed { .. }),
                "{id}: {:?}",
                file.proposal().stage
            );
            trail::verify(id.as_str(), &file.trail, Some(file.proposal().trail)).unwrap();
        }
        let refunds = refunds_by_us(&world);
        assert_eq!(refunds.len(), approved.len(), "{seed:?}");
        assert!(refunds.values().all(|&made| made == 1), "{seed:?}: {refunds:?}");
        ends.push((approved, refunds));
    }
    assert_eq!(ends[0].0, ends[1].0);
    assert_eq!(ends[0].0, ends[2].0);
}

#[tokio::test]
async fn a_vote_killed_at_any_moment_ends_in_one_refund_under_one_key() {
    let world = World::new().await;
    let stripe = &world.sandbox.stripe;
    let customer = stripe.create_customer("Customer 1", "canary-1@example.test").unwrap();
    let customer = customer["id"].as_str().unwrap();
    stripe.attach_card(customer, "pm_card_visa").unwrap();
    let mut finished = false;
    // Every so many polls the process dies, until it lives long enough to finish.
    for polls in (1..400).step_by(3) {
        let invoice = stripe.open_invoice(customer, 1999, "usd").unwrap();
        let invoice = invoice["id"].as_str().unwrap();
        stripe.pay(invoice).unwrap();
        let charge = stripe.charge_of(invoice).unwrap();
        let form = "metadata[refund_request]=requested_by_customer";
        stripe.request("POST", &format!("/v1/charges/{charge}"), form).unwrap();
        let asked = world.handled_events().pop().unwrap();
        assert_eq!(asked["type"], "charge.updated");
        world.deliver(&asked).await;
        world.work(|| None).await;
        world.work_approvals(|| None).await;
        let (id, before) = (only_open(&world).await, refunds_by_us(&world));

        // Asked for in Stripe, so two sign; the second vote is the one that is killed.
        assert_eq!(world.browser(FINANCE_SECOND).await.decide(&id, "approve").await.status, 200);
        let mut finance = world.browser(FINANCE_LEAD).await;
        let page = finance.get(&format!("/a/{id}")).await;
        let (digest, csrf) = page.decision_form();
        world.wait(2);
        let fields = [("decision", "approve"), ("digest", digest.as_str()), ("csrf", csrf.as_str())];
        let vote = async { finance.post(&format!("/a/{id}"), &fields).await.status };
        let lived = stories::chaos::killed_after(polls, vote).await;
        for _ in 0..3 {
            world.wait(200);
            settle(&world).await;
        }
        // Whoever died before the vote was recorded has not voted: they vote again.
        if only_open_or_none(&world).await.as_ref() == Some(&id) {
            assert_eq!(world.browser(FINANCE_LEAD).await.decide(&id, "approve").await.status, 200);
        }
        let file = world.approvals().proposal(&id).await.unwrap().unwrap();
        let stage = &file.proposal().stage;
        assert!(matches!(stage, Stage::Executed { .. }), "killed after {polls} polls: {stage:?}");
        let after = refunds_by_us(&world);
        assert_eq!(after.len(), before.len() + 1, "killed after {polls} polls: one key");
        assert!(after.values().all(|&made| made == 1), "killed after {polls} polls: one refund");
        if lived == Some(200) {
            finished = true;
            break;
        }
    }
    assert!(finished, "at last the vote lives to its end");
}

async fn only_open_or_none(world: &World) -> Option<ProposalId> {
    let open = world.approvals().open_proposals().await.unwrap();
    open.into_iter()
        .map(|row| row.proposal)
        .find(|one| one.stage == Stage::Pending)
        .map(|one| one.action.proposal)
}

async fn only_open(world: &World) -> ProposalId {
    only_open_or_none(world).await.expect("a proposal is open")
}

#[tokio::test]
async fn a_request_delivered_many_times_is_one_proposal() {
    let world = World::new().await;
    seed::day(&world.sandbox.stripe, 56, 7).unwrap();
    for event in world.handled_events() {
        world.deliver(&event).await;
    }
    world.work(|| None).await;
    let requests: BTreeSet<RequestId> = world
        .sandbox
        .sqs
        .peek(sandbox::world::APPROVAL_QUEUE)
        .iter()
        .map(|message| {
            serde_json::from_str::<Value>(&message.body).unwrap()["request"]
                .as_str()
                .unwrap()
                .parse()
                .unwrap()
        })
        .collect();
    for request in requests.iter().chain(&requests) {
        world.wait(301);
        world.request_again(request).await;
        world.work_approvals(|| None).await;
    }
    world.work_approvals(|| None).await;
    let open = world.approvals().open_proposals().await.unwrap();
    let ids: BTreeSet<ProposalId> = requests.iter().map(|request| ProposalId::of(request, 0)).collect();
    let known: BTreeSet<ProposalId> = open.iter().map(|row| row.proposal.action.proposal.clone()).collect();
    assert!(known.is_subset(&ids) && !known.is_empty(), "{known:?} of {ids:?}");
}
