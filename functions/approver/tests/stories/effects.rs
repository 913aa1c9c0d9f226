//! Messages to customers and changes of their access: signed like a refund, done once, and never
//! repeated where nobody can tell whether they were done.

use approver::Checkpoints;
use domain::{CaseKind, ProposalId, RequestId, approval::Stage};
use sandbox::people::{FINANCE_LEAD, FINANCE_SECOND, SUPPORT};
use serde_json::json;

use crate::{
    outside::{Outside, Trouble},
    world::{Browser, World, deliver},
};

async fn world() -> (World, Outside) {
    let outside = Outside::default();
    let settings = outside.start().await;
    (World::with(settings).await, outside)
}

/// A customer with this address, and an invoice of theirs that is open.
fn customer(world: &World, email: &str) -> (String, String) {
    let stripe = &world.sandbox.stripe;
    let customer = stripe.create_customer("Customer 21", email).unwrap()["id"].as_str().unwrap().to_owned();
    stripe.attach_card(&customer, "pm_card_visa").unwrap();
    let invoice = stripe.open_invoice(&customer, 4200, "usd").unwrap()["id"].as_str().unwrap().to_owned();
    (customer, invoice)
}

/// What a case asks for that wants its customer to be written to.
async fn reminder(world: &World, email: &str) -> (RequestId, String, String) {
    let (customer, invoice) = customer(world, email);
    let template = [("template", "recovery-update-card")];
    let request = world.request_of(CaseKind::Recovery, "message.send", &invoice, &template).await;
    assert_eq!(deliver(&world.app, &request).await["batchItemFailures"], json!([]));
    (request, customer, invoice)
}

async fn pause(world: &World) -> (ProposalId, String) {
    let (customer, _) = customer(world, "customer21@example.test");
    let answer = world.browser(SUPPORT).await.ask("access.change", &customer, &[("change", "pause")]).await;
    assert_eq!(answer.status, 303, "{}", answer.body);
    (answer.proposal(), customer)
}

async fn looked(world: &World, id: &ProposalId, outcome: &str) -> u16 {
    let mut second = world.browser(FINANCE_SECOND).await;
    let page = second.get(&format!("/a/{id}")).await;
    let csrf = page.field("csrf");
    let form = [("outcome", outcome), ("saw", "the customer has it"), ("csrf", csrf.as_str())];
    second.post(&format!("/a/{id}/looked"), &form).await.status
}

#[tokio::test]
async fn a_message_is_sent_once_exactly_as_it_was_shown() {
    let (world, outside) = world().await;
    let (request, _, invoice) = reminder(&world, "customer21@example.test").await;
    let id = ProposalId::of(&request, 0);
    let mut lead = world.browser(FINANCE_LEAD).await;
    let (digest, csrf) = lead.token(&id).await;
    let page = lead.get(&format!("/a/{id}")).await.body;
    assert!(page.contains("customer21@example.test") && page.contains("42.00"), "{page}");
    assert_eq!(outside.sent(), 0);
    let answer = lead.decide(&id, "approve").await;
    assert!(answer.body.contains("Approved and done") && answer.body.contains("m-1"), "{}", answer.body);
    let sent = outside.messages.lock().unwrap()[0].clone();
    assert_eq!(sent["Destination"], json!({ "ToAddresses": ["customer21@example.test"] }));
    assert_eq!(sent["EmailTags"][0]["Value"], id.as_str());
    let text = sent["Content"]["Simple"]["Body"]["Text"]["Data"].as_str().unwrap();
    assert!(text.contains("42.00"), "{text}");
    for line in text.lines().filter(|line| !line.is_empty()) {
        let shown =
            line.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
        assert!(page.contains(shown.trim()), "{shown} is sent and was not shown: {page}");
    }
    assert_eq!(lead.vote(&id, "approve", &digest, &csrf).await.status, 409);
    deliver(&world.app, &request).await;
    world.wait(120);
    world.settle().await;
    assert_eq!((outside.sent(), world.writes().len()), (1, 0), "once, and nothing in Stripe for {invoice}");
    let kept = serde_json::to_string(&world.file(&id).await.trail).unwrap();
    assert!(!kept.contains('@') && !kept.contains("42.00"), "no personal data in the trail: {kept}");
}

#[tokio::test]
async fn a_message_of_unknown_outcome_is_shown_to_people_and_never_sent_again() {
    for (trouble, went_out) in [(Trouble::LostAnswer, 1), (Trouble::LostCall, 0)] {
        let (world, outside) = world().await;
        let (request, ..) = reminder(&world, "customer21@example.test").await;
        let id = ProposalId::of(&request, 0);
        outside.trouble(trouble);
        let answer = world.browser(FINANCE_LEAD).await.decide(&id, "approve").await;
        assert!(answer.body.contains("Nobody knows whether the message went out"), "{}", answer.body);
        for _ in 0..12 {
            world.wait(6 * 3600);
            world.settle().await;
        }
        assert_eq!(world.stage(&id).await.name(), "unknown");
        assert_eq!((*outside.calls.lock().unwrap(), outside.sent()), (1, went_out), "{trouble:?}");
        let told = world.sandbox.slack.messages();
        let told = told.iter().filter(|note| note.text.starts_with("Nobody knows whether a message")).count();
        assert_eq!(told, 1, "said once");
        assert_eq!(looked(&world, &id, "done").await, 403, "not while a run is at it");
        world.wait(60);
        assert_eq!(looked(&world, &id, "done").await, 303);
        assert!(matches!(world.stage(&id).await, Stage::Executed { .. }));
        assert_eq!(*outside.calls.lock().unwrap(), 1, "{trouble:?}");
    }
}

#[tokio::test]
async fn a_run_killed_anywhere_sends_a_message_at_most_once() {
    for (place, went_out) in [("claimed", 0), ("reread", 0), ("sent", 1), ("settled", 1)] {
        let (world, outside) = world().await;
        let (request, ..) = reminder(&world, "customer21@example.test").await;
        let id = ProposalId::of(&request, 0);
        let dying = world.dying(Checkpoints::new(move |at| at == place)).await;
        let mut lead = world.browser(FINANCE_LEAD).await;
        let (digest, csrf) = lead.token(&id).await;
        let mut doomed = Browser { app: &dying, cookies: lead.cookies.clone(), clock: None };
        let fields = [("decision", "approve"), ("digest", digest.as_str()), ("csrf", csrf.as_str())];
        assert_eq!(doomed.post(&format!("/a/{id}"), &fields).await.status, 500, "{place}");
        for _ in 0..4 {
            world.wait(3600);
            world.settle().await;
        }
        assert_eq!(outside.sent(), went_out, "killed after {place}");
        let expected = if place == "settled" { "executed" } else { "unknown" };
        assert_eq!(world.stage(&id).await.name(), expected, "killed after {place}: people look");
    }
}

#[tokio::test]
async fn a_message_that_the_mail_service_turned_away_is_over() {
    for (status, word, code) in [
        (400, "MessageRejected", "MessageRejected"),
        (429, "TooManyRequestsException", "not_sent.rate_limited"),
        (403, "AccessDeniedException", "not_sent.not_allowed"),
    ] {
        let (world, outside) = world().await;
        let (request, ..) = reminder(&world, "customer21@example.test").await;
        let id = ProposalId::of(&request, 0);
        outside.trouble(Trouble::Refused(status, word));
        let answer = world.browser(FINANCE_LEAD).await.decide(&id, "approve").await;
        assert!(answer.body.contains("Approved, but"), "{}", answer.body);
        assert!(
            matches!(world.stage(&id).await, Stage::Failed { code: failed, .. } if failed == code),
            "{code}"
        );
        world.wait(3600);
        world.settle().await;
        assert_eq!((*outside.calls.lock().unwrap(), outside.sent()), (1, 0));
    }
}

#[tokio::test]
async fn test_mode_proposes_no_message_to_anybody_but_its_testers() {
    let (world, outside) = world().await;
    let (request, ..) = reminder(&world, "somebody@real-company.test").await;
    let refused = world.approvals.refusal(&request).await.unwrap().unwrap();
    assert!(refused.body.contains("\"test_mode\""), "{refused:?}");
    let note = world.sandbox.slack.messages().pop().unwrap();
    let note = serde_json::to_string(&note.blocks).unwrap();
    assert!(note.contains("MAIL_TEST_RECIPIENTS") && !note.contains("real-company"), "{note}");
    assert_eq!(outside.sent(), 0);
}

#[tokio::test]
async fn what_is_not_configured_is_said_when_it_is_asked_for() {
    let world = World::new().await;
    let (request, customer, _) = reminder(&world, "customer21@example.test").await;
    let refused = world.approvals.refusal(&request).await.unwrap().unwrap();
    assert!(refused.body.contains("\"no_mail\""), "{refused:?}");
    let mut support = world.browser(SUPPORT).await;
    let answer = support.ask("access.change", &customer, &[("change", "pause")]).await;
    assert_eq!(answer.status, 422);
    assert!(answer.body.contains("ACCESS_URL"), "{}", answer.body);
    let form = support.get("/requests/new").await.body;
    assert!(!form.contains("operation=access.change"), "it is not offered either: {form}");
    assert!(world.approvals.proposals().await.unwrap().is_empty());
}

#[tokio::test]
async fn nothing_is_sent_to_the_customer_of_a_connected_account() {
    let outside = Outside::default();
    let mut settings = outside.start().await;
    settings.push(("STRIPE_CONNECTED_ACCOUNTS".into(), "acct_2".into()));
    let world = World::with(settings).await;
    let (_, invoice) = customer(&world, "customer21@example.test");
    let template = [("template", "recovery-update-card")];
    let request = world.request_in("acct_2", CaseKind::Recovery, "message.send", &invoice, &template).await;
    deliver(&world.app, &request).await;
    let refused = world.approvals.refusal(&request).await.unwrap().unwrap();
    assert!(refused.body.contains("\"connected_account\""), "{refused:?}");
    assert_eq!(outside.sent(), 0);
}

#[tokio::test]
async fn a_reminder_of_what_was_paid_meanwhile_is_void() {
    let (world, outside) = world().await;
    let (request, _, invoice) = reminder(&world, "customer21@example.test").await;
    let id = ProposalId::of(&request, 0);
    world.sandbox.stripe.pay(&invoice).unwrap();
    world.browser(FINANCE_LEAD).await.decide(&id, "approve").await;
    assert!(matches!(world.stage(&id).await, Stage::Stale { .. }));
    assert_eq!(*outside.calls.lock().unwrap(), 0);
}

#[tokio::test]
async fn a_message_goes_to_no_address_that_nobody_signed() {
    let (world, outside) = world().await;
    let (request, customer, _) = reminder(&world, "customer21@example.test").await;
    let id = ProposalId::of(&request, 0);
    let form = "email=other@example.test";
    world.sandbox.stripe.request("POST", &format!("/v1/customers/{customer}"), form).unwrap();
    let answer = world.browser(FINANCE_LEAD).await.decide(&id, "approve").await;
    assert!(answer.body.contains("Decide the new one"), "{}", answer.body);
    assert_eq!(*outside.calls.lock().unwrap(), 0);
    world.browser(FINANCE_LEAD).await.decide(&ProposalId::of(&request, 1), "approve").await;
    let sent = outside.messages.lock().unwrap()[0]["Destination"].clone();
    assert_eq!(sent, json!({ "ToAddresses": ["other@example.test"] }));
}

#[tokio::test]
async fn a_message_that_stripe_overtook_is_written_anew_and_says_nothing_of_before() {
    let (world, outside) = world().await;
    let (request, _, invoice) = reminder(&world, "customer21@example.test").await;
    let mut object = world.sandbox.stripe.object(&invoice).unwrap();
    object["amount_remaining"] = 2000.into();
    world.sandbox.stripe.put_object(&object).unwrap();
    let mut lead = world.browser(FINANCE_LEAD).await;
    let answer = lead.decide(&ProposalId::of(&request, 0), "approve").await;
    assert!(answer.body.contains("Decide the new one"), "{}", answer.body);
    assert_eq!(*outside.calls.lock().unwrap(), 0);
    lead.decide(&ProposalId::of(&request, 1), "approve").await;
    let sent = outside.messages.lock().unwrap()[0]["Content"]["Simple"].to_string();
    assert!(sent.contains("20.00") && !sent.contains("42.00"), "{sent}");
}

#[tokio::test]
async fn access_is_changed_once_by_a_signature() {
    let (world, outside) = world().await;
    let (id, customer) = pause(&world).await;
    assert_eq!(*outside.calls.lock().unwrap(), 0, "asking does nothing");
    let answer = world.browser(FINANCE_LEAD).await.decide(&id, "approve").await;
    assert!(answer.body.contains("The application did it"), "{}", answer.body);
    let change = outside.changes.lock().unwrap()[0].clone();
    assert_eq!((&change["customer"], &change["change"]), (&json!(customer), &json!("pause")));
    assert_eq!((outside.changed(), world.writes().len()), (1, 0));
}

#[tokio::test]
async fn a_lost_answer_about_access_is_asked_for_and_a_lost_call_made_again_under_the_same_id() {
    for (trouble, calls) in [(Trouble::LostAnswer, 1), (Trouble::LostCall, 2)] {
        let (world, outside) = world().await;
        let (id, _) = pause(&world).await;
        outside.trouble(trouble);
        world.browser(FINANCE_LEAD).await.decide(&id, "approve").await;
        world.wait(61);
        world.settle().await;
        assert!(matches!(world.stage(&id).await, Stage::Executed { .. }), "{trouble:?}");
        assert_eq!((*outside.calls.lock().unwrap(), outside.changed()), (calls, 1), "{trouble:?}");
    }
}

#[tokio::test]
async fn while_the_application_does_not_tell_nothing_is_sent_again() {
    let (world, outside) = world().await;
    let (id, _) = pause(&world).await;
    outside.trouble(Trouble::LostAnswer);
    *outside.mute.lock().unwrap() = true;
    world.browser(FINANCE_LEAD).await.decide(&id, "approve").await;
    for _ in 0..4 {
        world.wait(3600);
        world.settle().await;
    }
    assert_eq!((world.stage(&id).await.name(), *outside.calls.lock().unwrap()), ("unknown", 1));
    world.wait(60);
    assert_eq!(looked(&world, &id, "not_done").await, 503, "what it says counts, so it is asked first");
    *outside.mute.lock().unwrap() = false;
    world.wait(6 * 3600);
    world.settle().await;
    assert!(matches!(world.stage(&id).await, Stage::Executed { .. }));
    assert_eq!((*outside.calls.lock().unwrap(), outside.changed()), (1, 1));
}

#[tokio::test]
async fn a_run_killed_anywhere_changes_access_once() {
    for place in ["claimed", "reread", "sent", "settled"] {
        let (world, outside) = world().await;
        let (id, _) = pause(&world).await;
        let dying = world.dying(Checkpoints::new(move |at| at == place)).await;
        let mut lead = world.browser(FINANCE_LEAD).await;
        let (digest, csrf) = lead.token(&id).await;
        let mut doomed = Browser { app: &dying, cookies: lead.cookies.clone(), clock: None };
        let fields = [("decision", "approve"), ("digest", digest.as_str()), ("csrf", csrf.as_str())];
        assert_eq!(doomed.post(&format!("/a/{id}"), &fields).await.status, 500, "{place}");
        world.wait(61);
        world.settle().await;
        assert!(matches!(world.stage(&id).await, Stage::Executed { .. }), "killed after {place}");
        assert_eq!(outside.changed(), 1, "killed after {place}");
    }
}

#[tokio::test]
async fn what_the_application_refuses_is_over() {
    let (world, outside) = world().await;
    let (id, _) = pause(&world).await;
    outside.trouble(Trouble::Refused(409, "already_ended"));
    let answer = world.browser(FINANCE_LEAD).await.decide(&id, "approve").await;
    assert!(answer.body.contains("The application refused it (already_ended)"), "{}", answer.body);
    assert!(matches!(world.stage(&id).await, Stage::Failed { .. }));
    assert_eq!(outside.changed(), 0);
}
