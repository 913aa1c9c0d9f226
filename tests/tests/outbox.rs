//! Steps on their way out: one effect each, whatever dies or hangs, and a case that people can follow.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::large_futures,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on fails"
)]

use std::collections::BTreeSet;

use domain::{CaseKey, CaseKind, case::CaseState, trail};
use sandbox::{
    people::{FINANCE_LEAD, FINANCE_SECOND},
    slack::{Fault, Message},
    stripe::seed,
};
use serde_json::Value;
use store::{Retry, StepState, StoreError};
use stories::World;

/// Seconds.
const DAY: i64 = 86_400;

/// A world in which a day of billing was delivered and worked on.
async fn after_a_day() -> World {
    let world = World::new().await;
    seed::day(&world.sandbox.stripe, 56, 7).unwrap();
    for event in world.handled_events() {
        assert_eq!(world.deliver(&event).await, 200);
    }
    world.work(|| None).await;
    world
}

/// The cases of a world.
fn cases(world: &World) -> BTreeSet<CaseKey> {
    let key = |event: &Value| {
        let object = event["data"]["object"]["id"].as_str()?.parse().ok()?;
        Some(CaseKey::new(domain::event::case_kind(event["type"].as_str()?)?, object))
    };
    world.handled_events().iter().filter_map(key).collect()
}

/// The alerts of a case in each channel, oldest first.
async fn threads(world: &World, case: &CaseKey) -> Vec<Vec<Message>> {
    let file = world.cases().file(case).await.unwrap();
    let messages = world.sandbox.slack.messages();
    let message = |row: &&store::StepRow| {
        let (channel, ts) = row.posted().unwrap();
        messages.iter().find(|message| message.channel == channel && message.ts == ts).unwrap().clone()
    };
    file.channels().map(|channel| file.thread(channel).sent.iter().map(message).collect()).collect()
}

/// The small remarks under a message's headline.
fn remarks(message: &Message) -> String {
    let context = message.blocks.iter().find(|block| block["type"] == "context").unwrap();
    let texts = context["elements"].as_array().unwrap().iter();
    texts.map(|element| element["text"].as_str().unwrap()).collect::<Vec<_>>().join("; ")
}

/// Lets Stripe deliver what happened since, and works on it.
async fn go_on(world: &World, delivered: &mut usize) {
    for event in &world.handled_events()[*delivered..] {
        assert_eq!(world.deliver(event).await, 200);
        *delivered += 1;
    }
    world.work(|| None).await;
}

/// A charge that the customer's bank asks about; the dispute, and how many events were delivered.
async fn after_an_inquiry(world: &World) -> (String, usize) {
    let stripe = &world.sandbox.stripe;
    let id = |object: Value| object["id"].as_str().unwrap().to_owned();
    let customer = id(stripe.create_customer("Customer 17", "canary-17@example.test").unwrap());
    stripe.attach_card(&customer, "pm_card_visa").unwrap();
    let subscription = stripe.subscribe(&customer, 4900, "usd").unwrap();
    let charge = stripe.charge_of(subscription["latest_invoice"].as_str().unwrap()).unwrap();
    let dispute = id(stripe.open_inquiry(&charge, "unrecognized", 4900, stories::START + 10 * DAY).unwrap());
    let mut delivered = 0;
    go_on(world, &mut delivered).await;
    (dispute, delivered)
}

/// Whether every case is one thread and its card says how it stands; how many messages answer a card.
async fn agrees(world: &World) -> usize {
    let mut answers = 0;
    for key in cases(world) {
        let case = world.cases().case(&key).await.unwrap().unwrap();
        for thread in threads(world, &key).await {
            let [card, rest @ ..] = thread.as_slice() else { continue };
            assert_eq!(card.thread_ts, None, "{key}");
            assert!(rest.iter().all(|answer| answer.thread_ts.as_ref() == Some(&card.ts)), "{key}");
            assert!(thread.iter().all(|message| message.unfurl_links == Some(false)));
            answers += rest.len();
            let state = if case.state == CaseState::Open { "open" } else { "closed" };
            let bucket = case.classification.bucket.as_str().replace('_', " ");
            let told = remarks(card);
            assert!(told.contains(&format!("State: {state}, {bucket}")), "{key}: {told}");
        }
    }
    answers
}

#[tokio::test]
async fn a_day_of_cases_are_threads_whose_cards_say_how_they_stand() {
    let world = after_a_day().await;
    agrees(&world).await;
    world.wait(181);
    let report = serde_json::to_value(world.sweep_steps().await).unwrap();
    assert_eq!((&report["due"], &report["cards"]), (&0.into(), &0.into()), "nothing lags behind");
}

#[tokio::test]
async fn an_inquiry_that_becomes_a_chargeback_answers_its_card_and_closes_it() {
    let world = World::new().await;
    let (dispute, mut delivered) = after_an_inquiry(&world).await;
    let key = CaseKey::new(CaseKind::Dispute, dispute.parse().unwrap());
    let first = threads(&world, &key).await[0][0].clone();
    assert!(remarks(&first).contains("State: open"), "{}", remarks(&first));

    world.sandbox.stripe.escalate_inquiry(&dispute, stories::START + 8 * DAY).unwrap();
    go_on(&world, &mut delivered).await;
    assert_eq!(agrees(&world).await, 1, "the second alert answers the first");
    let card = threads(&world, &key).await[0][0].clone();
    assert_eq!(card.ts, first.ts);
    assert!(card.edited.is_some() && card.blocks != first.blocks, "it is shown anew, in place");

    world.sandbox.stripe.decide_dispute(&dispute, "lost").unwrap();
    go_on(&world, &mut delivered).await;
    agrees(&world).await;
    let card = threads(&world, &key).await[0][0].clone();
    assert!(remarks(&card).contains("State: closed"), "{}", remarks(&card));
    assert!(card.text.starts_with("Closed: "), "{}", card.text);
}

#[tokio::test]
async fn the_card_follows_an_approval_and_the_thread_hears_of_it() {
    let world = after_a_day().await;
    world.work_approvals(|| None).await;
    let open = world.approvals().open_proposals().await.unwrap();
    let row = open.iter().find(|row| row.dossier.case.is_some()).unwrap();
    let (id, key) = (row.id().clone(), row.dossier.case.clone().unwrap());
    let card = threads(&world, &key).await[0][0].clone();
    assert!(remarks(&card).contains("State: waits for approval"), "{}", remarks(&card));
    assert!(card.blocks.iter().any(|block| block.to_string().contains(&format!("/a/{id}\""))));

    let signers = [FINANCE_LEAD, FINANCE_SECOND];
    let signers = &signers[..usize::from(row.proposal.action.need)];
    for signer in signers {
        assert_eq!(world.browser(signer).await.decide(&id, "approve").await.status, 200);
    }
    let card = threads(&world, &key).await[0][0].clone();
    let told = remarks(&card);
    assert!(told.contains("State: Approved and done"), "{told}");
    let people = world.approvals().people().await.unwrap();
    for signer in signers {
        let known = people.iter().find(|person| person.identities.iter().any(|one| one.user == *signer));
        assert!(told.contains("Decided by ") && told.contains(&known.unwrap().name), "{told}");
    }
    let heard = world.sandbox.slack.messages();
    let heard = heard.iter().filter(|message| message.text == "Approved and done");
    assert!(
        heard.clone().count() == 1 && heard.clone().all(|note| note.thread_ts.as_ref() == Some(&card.ts))
    );

    // Stripe says that the money went back: the case is closed, and so is its card.
    for event in world.handled_events() {
        world.deliver(&event).await;
    }
    world.work(|| None).await;
    let card = threads(&world, &key).await[0][0].clone();
    assert!(remarks(&card).contains("State: closed, refund made"), "{}", remarks(&card));
}

#[tokio::test]
async fn a_card_that_was_out_of_reach_is_brought_up_to_date_by_the_sweep() {
    let world = World::new().await;
    let (dispute, mut delivered) = after_an_inquiry(&world).await;
    world.sandbox.slack.fail("chat.update", Fault::ServerError, 1);
    world.sandbox.stripe.decide_dispute(&dispute, "warning_closed").unwrap();
    go_on(&world, &mut delivered).await;
    let key = CaseKey::new(CaseKind::Dispute, dispute.parse().unwrap());
    let card = threads(&world, &key).await[0][0].clone();
    assert!(remarks(&card).contains("State: open"), "{}", remarks(&card));

    world.wait(181);
    let report = serde_json::to_value(world.sweep_steps().await).unwrap();
    assert_eq!(report["cards"], 1, "{report}");
    let again = serde_json::to_value(world.sweep_steps().await).unwrap();
    assert_eq!(again["cards"], 0);
    let card = threads(&world, &key).await[0][0].clone();
    assert!(remarks(&card).contains("State: closed"), "{}", remarks(&card));
}

#[tokio::test]
async fn a_failed_step_is_sent_again_under_its_old_key_once_somebody_asks_for_it() {
    let mut world = World::new().await;
    seed::day(&world.sandbox.stripe, 14, 7).unwrap();
    let channels = std::mem::take(&mut world.processor.channels);
    for event in world.handled_events() {
        world.deliver(&event).await;
    }
    world.work(|| None).await;
    assert!(world.sandbox.slack.messages().is_empty());
    let (mut failed, now) = (Vec::new(), world.processor.clock.clone());
    for key in cases(&world) {
        let refused = |row: &store::StepRow| matches!(row.state, StepState::Failed { .. });
        failed.extend(world.steps(&key).await.into_iter().filter(refused));
    }
    assert!(failed.len() > 2, "{} steps failed", failed.len());
    world.wait(100_000);
    world.sweep_steps().await;
    assert!(world.sandbox.slack.messages().is_empty(), "what failed for good is not tried by itself");

    world.processor.channels.clone_from(&channels);
    for row in &failed {
        let StepState::Failed { why } = &row.state else { panic!("{row:?}") };
        assert!(why.contains("SLACK_CHANNELS"), "{why}");
        let (case, key) = (&row.step.case, row.step.key.as_str());
        let ask = |by| world.cases().retry_step(case, key, by, now());
        let both = tokio::join!(ask("support-lead"), ask("finance-lead"));
        let queued =
            |asked: &Result<Retry, StoreError>| matches!(asked, Ok(Retry::Queued(kind)) if kind == "alert");
        assert!(queued(&both.0) != queued(&both.1), "one of two wins: {both:?}");
        assert_eq!(ask("support-lead").await.unwrap(), Retry::NotFailed(StepState::Sending));
        let last = world.cases().trail(case).await.unwrap().pop().unwrap();
        assert_eq!(last.event, "step_retried");
        let by = if queued(&both.0) { "support-lead" } else { "finance-lead" };
        assert!(last.body.contains(by) && last.body.contains(key), "{}", last.body);
        let head = world.cases().case(case).await.unwrap().unwrap().trail;
        trail::verify(&case.to_string(), &world.cases().trail(case).await.unwrap(), Some(head)).unwrap();
    }
    for _ in 0..4 {
        world.sweep_steps().await;
    }
    let keys: Vec<Value> = world
        .sandbox
        .slack
        .messages()
        .into_iter()
        .map(|message| message.metadata.unwrap()["event_payload"]["key"].clone())
        .collect();
    assert_eq!(keys.len(), failed.len());
    assert!(failed.iter().all(|row| keys.iter().any(|key| key == row.step.key.as_str())));
    let done = failed[0].step.clone();
    let again = world.cases().retry_step(&done.case, done.key.as_str(), "support-lead", now()).await.unwrap();
    assert!(matches!(again, Retry::NotFailed(StepState::Done { .. })), "{again:?}");
    let unknown = world.cases().retry_step(&done.case, "no-such-step", "support-lead", now()).await.unwrap();
    assert_eq!(unknown, Retry::Unknown);
}
