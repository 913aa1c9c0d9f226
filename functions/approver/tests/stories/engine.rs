//! Every operation through the same engine, and what limits it.

use domain::approval::Stage;
use sandbox::{
    people::{FINANCE_LEAD, FINANCE_SECOND, SUPPORT},
    stripe::Fault,
};

use crate::world::{World, deliver};

/// What is filled in on a form, by name.
type Parameters<'a> = &'a [(&'a str, &'a str)];

/// A customer with a card, and what they subscribed to.
pub(crate) fn subscription(world: &World) -> (String, String) {
    let stripe = &world.sandbox.stripe;
    let customer = stripe.create_customer("Customer 18", "customer18@example.test").unwrap();
    let customer = customer["id"].as_str().unwrap().to_owned();
    stripe.attach_card(&customer, "pm_card_visa").unwrap();
    let subscription = stripe.subscribe(&customer, 2900, "usd").unwrap();
    (customer, subscription["id"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn what_finance_asks_for_and_a_colleague_approves_is_done_in_stripe() {
    let world = World::new().await;
    let stripe = &world.sandbox.stripe;
    let (customer, subscription) = subscription(&world);
    let invoice = stripe.open_invoice(&customer, 4200, "usd").unwrap()["id"].as_str().unwrap().to_owned();
    let mut lead = world.browser(FINANCE_LEAD).await;
    let cases: [(&str, &str, Parameters<'_>); 5] = [
        ("subscription.pause_collection", &subscription, &[("behavior", "keep_as_draft")]),
        ("subscription.resume_collection", &subscription, &[]),
        ("subscription.cancel_at_period_end", &subscription, &[]),
        ("customer_balance.credit", &customer, &[("amount", "5.00"), ("currency", "usd")]),
        ("invoice.void", &invoice, &[]),
    ];
    for (operation, object, more) in cases {
        let before = world.writes().len();
        let answer = lead.ask(operation, object, more).await;
        assert_eq!(answer.status, 303, "{operation}: {}", answer.body);
        let id = answer.proposal();
        assert_eq!(world.writes().len(), before, "{operation}: asking does nothing");
        let answer = world.browser(FINANCE_SECOND).await.decide(&id, "approve").await;
        assert!(answer.body.contains("Approved and done"), "{operation}: {}", answer.body);
        assert!(matches!(world.stage(&id).await, Stage::Executed { .. }), "{operation}");
        assert_eq!(world.writes().len(), before + 1, "{operation}");
    }
    assert_eq!(stripe.object(&invoice).unwrap()["status"], "void");
    assert_eq!(stripe.object(&subscription).unwrap()["cancel_at_period_end"], true);
    assert_eq!(stripe.object(&customer).unwrap()["balance"], -500);
}

#[tokio::test]
async fn a_lost_answer_to_a_call_without_metadata_is_found_by_its_event() {
    let world = World::new().await;
    let stripe = &world.sandbox.stripe;
    let (customer, _) = subscription(&world);
    let invoice = stripe.open_invoice(&customer, 4200, "usd").unwrap()["id"].as_str().unwrap().to_owned();
    let id = world.browser(FINANCE_LEAD).await.ask("invoice.void", &invoice, &[]).await.proposal();
    stripe.fault(Fault::DropAfterCommit, &format!("POST /v1/invoices/{invoice}/void"), 1);
    world.browser(FINANCE_SECOND).await.decide(&id, "approve").await;
    world.wait(61);
    world.settle().await;
    assert!(matches!(world.stage(&id).await, Stage::Executed { .. }), "{:?}", world.stage(&id).await);
    let voids = world.writes().into_iter().filter(|write| write.path.ends_with("/void")).count();
    assert_eq!(voids, 1, "it was found, and not sent again");
}

#[tokio::test]
async fn cancelling_shows_which_open_invoices_are_collected_no_longer() {
    let world = World::new().await;
    let (_, subscription) = subscription(&world);
    let id = world.browser(SUPPORT).await.ask("subscription.cancel", &subscription, &[]).await.proposal();
    let page = world.browser(FINANCE_LEAD).await.get(&format!("/a/{id}")).await;
    assert!(page.body.contains("Not collected any more"), "{}", page.body);
    world.browser(FINANCE_LEAD).await.decide(&id, "approve").await;
    assert_eq!(world.sandbox.stripe.object(&subscription).unwrap()["status"], "canceled");
}

#[tokio::test]
async fn support_asks_only_for_what_the_policy_lets_it() {
    let world = World::new().await;
    let (customer, _) = subscription(&world);
    let invoice = world.sandbox.stripe.open_invoice(&customer, 4200, "usd").unwrap();
    let mut support = world.browser(SUPPORT).await;
    let answer = support.ask("invoice.void", invoice["id"].as_str().unwrap(), &[]).await;
    assert_eq!(answer.status, 403, "{}", answer.body);
    assert_eq!(support.ask("message.send", &customer, &[]).await.status, 422, "no message by hand");
    assert!(world.approvals.proposals().await.unwrap().is_empty());
}

#[tokio::test]
async fn what_was_asked_for_in_stripe_is_never_done_on_one_signature() {
    let world = World::new().await;
    let charge = world.charge(100);
    world.ask_in_stripe(&charge, "requested_by_customer");
    let request = world.request(&charge).await;
    deliver(&world.app, &request).await;
    let id = domain::ProposalId::of(&request, 0);
    assert_eq!(world.file(&id).await.proposal().action.need, 2, "whoever set the metadata could sign");
    world.second_signs(&id).await;
    assert_eq!(world.refunds(), 0);
    world.browser(FINANCE_LEAD).await.decide(&id, "approve").await;
    assert_eq!(world.refunds(), 1);
}

#[tokio::test]
async fn a_large_amount_is_typed_by_whoever_approves_it() {
    let world = World::new().await;
    let (id, _) = world.proposed(200_001).await;
    world.browser(FINANCE_SECOND).await.token(&id).await;
    let here = format!("/a/{id}");
    for user in [FINANCE_SECOND, FINANCE_LEAD] {
        let mut browser = world.browser(user).await;
        let (digest, csrf) = browser.token(&id).await;
        let fields = |amount| {
            [
                ("decision", "approve"),
                ("digest", digest.as_str()),
                ("csrf", csrf.as_str()),
                ("amount", amount),
            ]
        };
        for wrong in ["", "2000.00", "200001", "2,000.01"] {
            assert_eq!(browser.post(&here, &fields(wrong)).await.status, 422, "{wrong}");
        }
        assert_eq!(browser.post(&here, &fields("2000.01")).await.status, 200);
    }
    assert_eq!(world.refunds(), 1);
}

#[tokio::test]
async fn what_was_asked_for_is_taken_back_by_whoever_asked_and_by_nobody_unconcerned() {
    let world = World::new().await;
    let (id, charge) = world.proposed(1999).await;
    let mut support = world.browser(SUPPORT).await;
    let csrf = {
        let page = support.get(&format!("/a/{id}")).await;
        // Who asked cannot decide, so the page holds no form for it; finance has the same token's form.
        assert!(!page.body.contains("name=\"decision\""));
        page.body.contains("/withdraw").then(|| page.field("csrf"))
    };
    let csrf = csrf.expect("who asked may take it back");
    let answer = support.post(&format!("/a/{id}/withdraw"), &[("csrf", "")]).await;
    assert_eq!(answer.status, 403);
    let answer = support.post(&format!("/a/{id}/withdraw"), &[("csrf", &csrf)]).await;
    assert_eq!(answer.status, 303, "{}", answer.body);
    assert!(matches!(world.stage(&id).await, Stage::Withdrawn { .. }));
    let more = [("amount", "1.00"), ("reason", "duplicate")];
    assert_eq!(support.ask("refund.create", &charge, &more).await.status, 303, "the object is free again");
    assert_eq!(world.writes().len(), 0);
}

#[tokio::test]
async fn asking_in_the_place_of_an_open_proposal_leaves_one_open() {
    let world = World::new().await;
    let (id, charge) = world.proposed(1999).await;
    let mut support = world.browser(SUPPORT).await;
    let supersedes = id.to_string();
    let more = [("amount", "5.00"), ("reason", "duplicate"), ("supersedes", supersedes.as_str())];
    let next = support.ask("refund.create", &charge, &more).await.proposal();
    assert!(matches!(world.stage(&id).await, Stage::Withdrawn { .. }));
    assert_eq!(world.approvals.open_proposals().await.unwrap().len(), 1);
    let answer = world.browser(FINANCE_LEAD).await.decide(&next, "approve").await;
    assert!(answer.body.contains("Approved and done"), "{}", answer.body);
    assert_eq!(world.sandbox.stripe.objects("refund")[0]["amount"], 500);
}

#[tokio::test]
async fn an_unknown_outcome_is_ended_by_a_person_who_looked_and_nothing_is_sent_again() {
    let world = World::new().await;
    let (id, _) = world.proposed(1999).await;
    world.sandbox.stripe.fault(Fault::DropBeforeCommit, "POST /v1/refunds", 9);
    world.browser(FINANCE_LEAD).await.decide(&id, "approve").await;
    assert_eq!(world.stage(&id).await.name(), "unknown");
    world.wait(61);
    let here = format!("/a/{id}/looked");
    let sent = world.writes().len();
    let looked = |csrf: String, saw: &'static str| {
        [("outcome", "not_done".to_owned()), ("saw", saw.to_owned()), ("csrf", csrf)]
    };
    let mut second = world.browser(FINANCE_SECOND).await;
    let page = second.get(&format!("/a/{id}")).await;
    let csrf = page.field("csrf");
    for (saw, status) in [("", 422), ("no refund on the charge", 303)] {
        let form = looked(csrf.clone(), saw);
        let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
        assert_eq!(second.post(&here, &form).await.status, status, "{saw}");
    }
    let Stage::Failed { code, .. } = world.stage(&id).await else { panic!("{:?}", world.stage(&id).await) };
    assert_eq!((code.as_str(), world.writes().len()), (domain::approval::LOOKED_NOT_DONE, sent));
    let last = world.file(&id).await.trail.pop().unwrap();
    assert!(last.event == "resolved" && last.body.contains("no refund on the charge"), "{last:?}");
}
