use domain::{ProposalId, approval::Stage, trail};
use sandbox::people::{FINANCE_LEAD, FINANCE_SECOND, SUPPORT};
use serde_json::json;

use crate::world::{World, deliver};

#[tokio::test]
async fn what_support_asks_for_and_finance_approves_is_refunded_once() {
    let world = World::new().await;
    let (id, charge) = world.proposed(1999).await;
    let mut finance = world.browser(FINANCE_LEAD).await;
    let page = finance.get(&format!("/a/{id}")).await;
    for words in ["19.99 USD", "&lt;b&gt;Customer&lt;/b&gt; 17", &charge, "Finance second"] {
        assert!(page.body.contains(words), "{words}: {}", page.body);
    }
    let answer = finance.decide(&id, "approve").await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert!(answer.body.contains("Approved and done"), "{}", answer.body);

    let file = world.file(&id).await;
    let Stage::Executed { effect, request, .. } = &file.proposal().stage else {
        panic!("{:?}", file.proposal().stage)
    };
    let refund = world.sandbox.stripe.object(effect).unwrap();
    assert_eq!((refund["amount"].as_i64(), refund["charge"].as_str()), (Some(1999), Some(charge.as_str())));
    assert_eq!(refund["metadata"]["approval_id"], id.as_str());
    assert_eq!(refund["metadata"]["approval_digest"], file.proposal().digest.to_string());
    assert_eq!(world.writes().len(), 1);
    assert_eq!(request.as_deref(), Some(world.writes()[0].request_id.as_str()));

    trail::verify(id.as_str(), &file.trail, Some(file.proposal().trail)).unwrap();
    let events: Vec<_> = file.trail.iter().map(|entry| entry.event.as_str()).collect();
    assert_eq!(events, ["proposed", "voted", "claimed", "executed"]);
    let kept = serde_json::to_string(&file.trail).unwrap();
    assert!(!kept.contains("Customer") && !kept.contains('@'), "no personal data in the trail: {kept}");
}

#[tokio::test]
async fn a_message_that_comes_again_makes_no_second_proposal_and_no_second_message() {
    let world = World::new().await;
    let charge = world.charge(1999);
    world.ask_in_stripe(&charge, "requested_by_customer:500");
    let request = world.request(&charge).await;
    for _ in 0..3 {
        assert_eq!(deliver(&world.app, &request).await, json!({ "batchItemFailures": [] }));
        world.wait(1);
    }
    assert_eq!(world.approvals.proposals().await.unwrap().len(), 1);
    assert_eq!(world.sandbox.slack.messages().len(), 2, "one for each of the two who may sign");
    let file = world.file(&ProposalId::of(&request, 0)).await;
    assert_eq!(file.proposal().action.operation.amount().unwrap().to_string(), "5.00 USD");
    assert_eq!(file.proposal().action.requester.as_str(), "agent");
}

#[tokio::test]
async fn above_the_threshold_two_people_have_to_sign() {
    let world = World::new().await;
    let (id, _) = world.proposed(50_001).await;
    let answer = world.browser(FINANCE_LEAD).await.decide(&id, "approve").await;
    assert!(answer.body.contains("1 of 2 have signed"), "{}", answer.body);
    assert_eq!(world.writes().len(), 0);
    let mut inbox = world.browser(FINANCE_LEAD).await;
    assert!(inbox.get("/").await.body.contains("Nothing waits for you."));
    let answer = world.browser(FINANCE_SECOND).await.decide(&id, "approve").await;
    assert!(answer.body.contains("Approved and done"), "{}", answer.body);
    assert_eq!((world.writes().len(), world.refunds()), (1, 1));
}

#[tokio::test]
async fn a_denial_ends_it_and_sends_nothing() {
    let world = World::new().await;
    let (id, _) = world.proposed(1999).await;
    let answer = world.browser(FINANCE_LEAD).await.decide(&id, "deny").await;
    assert!(answer.body.contains("You denied it"), "{}", answer.body);
    assert!(matches!(world.stage(&id).await, Stage::Denied { .. }));
    let page = world.browser(FINANCE_SECOND).await.get(&format!("/a/{id}")).await;
    assert!(!page.body.contains("name=\"decision\""), "{}", page.body);
    assert_eq!(world.writes().len(), 0);
    let notes = world.sandbox.slack.messages();
    assert_eq!(notes.last().unwrap().text, "Denied");
}

#[tokio::test]
async fn a_person_asks_on_the_form_and_somebody_else_approves() {
    let world = World::new().await;
    let charge = world.charge(1999);
    let mut support = world.browser(SUPPORT).await;
    let form = support.get("/requests/new").await;
    let (nonce, csrf) = (form.field("nonce"), form.field("csrf"));
    let fields = [
        ("operation", "refund.create"),
        ("object", charge.as_str()),
        ("amount", "5.00"),
        ("reason", "requested_by_customer"),
        ("why", "<script>alert(1)</script> pay\u{202E}drow"),
        ("nonce", &nonce),
        ("csrf", &csrf),
    ];
    let answer = support.post("/requests", &fields).await;
    assert_eq!(answer.status, 303, "{}", answer.body);
    let here = answer.header("location").to_owned();
    assert_eq!(support.post("/requests", &fields).await.header("location"), here, "sent twice, it is one");
    assert_eq!(world.approvals.proposals().await.unwrap().len(), 1);
    let id = ProposalId::parse(here.strip_prefix("/a/").unwrap()).unwrap();

    let page = support.get(&here).await;
    assert!(page.body.contains("somebody else must decide"), "{}", page.body);
    assert!(page.body.contains("&lt;script&gt;") && !page.body.contains("<script"), "{}", page.body);
    assert!(!page.body.contains('\u{202E}'));
    world.browser(FINANCE_LEAD).await.decide(&id, "approve").await;
    assert!(matches!(world.stage(&id).await, Stage::Executed { .. }));
    assert_eq!(world.sandbox.stripe.objects("refund")[0]["amount"], 500);
}

#[tokio::test]
async fn nothing_is_done_after_the_time_ran_out() {
    let world = World::new().await;
    let (id, _) = world.proposed(1999).await;
    let mut finance = world.browser(FINANCE_LEAD).await;
    world.wait(3 * 86_400 - 7 * 3600);
    let mut finance_again = world.browser(FINANCE_LEAD).await;
    let (digest, csrf) = finance_again.token(&id).await;
    world.wait(7 * 3600);
    let fields = [("decision", "approve"), ("digest", digest.as_str()), ("csrf", csrf.as_str())];
    let answer = finance_again.post(&format!("/a/{id}"), &fields).await;
    assert_eq!(answer.status, 410, "{}", answer.body);
    assert_eq!(world.stage(&id).await, Stage::Pending, "a refusal records nothing");
    assert!(finance.get("/").await.body.contains("Sign in"), "the first session is over");
    world.settle().await;
    assert!(matches!(world.stage(&id).await, Stage::Expired { .. }));
    assert_eq!(world.sandbox.slack.messages().last().unwrap().text, "Nobody decided in time");
    assert_eq!(world.writes().len(), 0);
}

#[tokio::test]
async fn what_stripe_overtook_is_proposed_anew_with_what_moved() {
    let world = World::new().await;
    let charge = world.charge(1999);
    world.ask_in_stripe(&charge, "requested_by_customer:500");
    let request = world.request(&charge).await;
    deliver(&world.app, &request).await;
    let id = ProposalId::of(&request, 0);
    world.second_signs(&id).await;
    world.sandbox.stripe.refund(&charge, Some(100), "requested_by_customer").unwrap();
    let before = world.writes().len();
    let mut finance = world.browser(FINANCE_LEAD).await;
    let page = finance.get(&format!("/a/{id}")).await;
    assert!(page.body.contains("what went back already was 0.00 USD and is 1.00 USD"), "{}", page.body);
    let answer = finance.decide(&id, "approve").await;
    assert!(answer.body.contains("Decide the new one"), "{}", answer.body);
    assert!(matches!(world.stage(&id).await, Stage::Stale { .. }));
    assert_eq!(world.writes().len(), before, "nothing was sent");

    let next = ProposalId::of(&request, 1);
    let page = finance.get(&format!("/a/{next}")).await;
    assert!(page.body.contains("takes the place of"), "{}", page.body);
    world.second_signs(&next).await;
    finance.decide(&next, "approve").await;
    assert!(matches!(world.stage(&next).await, Stage::Executed { .. }));
    assert_eq!(world.refunds(), 2, "the Dashboard's and ours");
}

#[tokio::test]
async fn what_cannot_be_refunded_any_more_is_not_proposed_anew() {
    let world = World::new().await;
    let (id, charge) = world.proposed(1999).await;
    let now = world.clock.seconds();
    world.sandbox.stripe.open_dispute(&charge, "fraudulent", 1999, now + 86_400).unwrap();
    let answer = world.browser(FINANCE_LEAD).await.decide(&id, "approve").await;
    assert!(answer.body.contains("It was not done"), "{}", answer.body);
    let Stage::Stale { moved, .. } = world.stage(&id).await else { panic!() };
    assert!(moved.contains("disputed was no and is yes") && moved.contains("pay twice"), "{moved}");
    assert_eq!((world.refunds(), world.approvals.proposals().await.unwrap().len()), (0, 1));
}
