//! The systems around Stripe: where work lands, what decisions rely on, and what only the approver may do.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::large_futures,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on fails"
)]

use std::sync::Arc;

use connectors::help_desk::{HelpDesk, Intercom};
use domain::{
    Case, CaseKind, CustomerId,
    classify::Bucket,
    plan::{Interlock, StepKind},
};
use runtime::http::Base;
use sandbox::{
    Loopback, Shelf,
    application::Fault,
    crm::Entry,
    help_desk::{Person, Said, intercom},
    people::{FINANCE_LEAD, FINANCE_SECOND, SUPPORT},
};
use serde_json::Value;
use store::StepState;
use stories::World;

/// A customer who pays so much every month, is known everywhere, and whose card is then declined.
struct Failing {
    customer: String,
    invoice: String,
}

async fn failing(world: &World, monthly: i64, decline: &str, wrote: &[Said]) -> Failing {
    let stripe = &world.sandbox.stripe;
    let customer = stripe.create_customer("Acme", "canary@example.test").unwrap();
    let customer = customer["id"].as_str().unwrap().to_owned();
    let method = stripe.attach_card(&customer, "pm_card_visa").unwrap();
    let subscription = stripe.subscribe(&customer, monthly, "usd").unwrap();
    let person = Person {
        customer: Some(customer.clone()),
        email: "canary@example.test".to_owned(),
        name: "Acme".to_owned(),
    };
    world.sandbox.zendesk.seed(&person, wrote).unwrap();
    world.sandbox.introduce_customers().unwrap();
    deliver_all(world).await;
    world.work(|| None).await;
    stripe.card_becomes(method["id"].as_str().unwrap(), &format!("pm_card_decline_{decline}")).unwrap();
    let invoice = stripe.renew(subscription["id"].as_str().unwrap()).unwrap().unwrap();
    Failing { customer, invoice: invoice["id"].as_str().unwrap().to_owned() }
}

async fn deliver_all(world: &World) {
    for event in world.handled_events() {
        assert_eq!(world.deliver(&event).await, 200);
    }
}

async fn recovery(world: &World, failing: &Failing) -> Case {
    world.case(CaseKind::Recovery, &failing.invoice).await.unwrap()
}

/// The one company of the customer.
fn company(world: &World, customer: &str) -> Entry {
    let companies = world.sandbox.hubspot.entries("companies").into_iter();
    let mut own = companies.filter(|company| company.properties["stripe_customer_id"] == customer);
    let company = own.next().unwrap();
    assert!(own.next().is_none());
    company
}

#[tokio::test]
async fn a_failed_payment_makes_one_task_for_the_accounts_owner_however_often_it_is_told() {
    let world = World::with_systems().await;
    let failing = failing(&world, 149_900, "insufficient_funds", &[]).await;
    for _ in 0..3 {
        // After two minutes the queue has forgotten the deduplication ids, so that the store is asked.
        deliver_all(&world).await;
        world.work(|| None).await;
        world.wait(301);
    }
    let company = company(&world, &failing.customer);
    let tasks = world.sandbox.hubspot.entries("tasks");
    let [task] = tasks.as_slice() else { panic!("{tasks:?}") };
    assert_eq!(task.of.as_ref(), Some(&company.id), "it stands on the account");
    assert_eq!(task.properties["hubspot_owner_id"], company.properties["hubspot_owner_id"]);
    let case = recovery(&world, &failing).await;
    for row in world.steps(&case.key).await {
        if let StepKind::Task(planned) = &row.step.kind {
            assert_eq!(task.properties["hs_task_subject"], planned.title);
            assert_eq!(row.state, StepState::Done { vendor_id: task.id.clone() });
        }
    }
}

#[tokio::test]
async fn a_crash_between_the_crms_commit_and_our_record_makes_one_task() {
    let world = World::with_systems().await;
    let failing = failing(&world, 149_900, "insufficient_funds", &[]).await;
    world.sandbox.hubspot.fail("POST /crm/objects/2026-03/tasks/batch/upsert", Fault::DropAfter, 3);
    deliver_all(&world).await;
    world.work(|| None).await;
    world.wait(181);
    world.work(|| None).await;
    world.sweep_steps().await;
    assert_eq!(world.sandbox.hubspot.entries("tasks").len(), 1);
    let case = recovery(&world, &failing).await;
    let steps = world.steps(&case.key).await;
    let task = steps.iter().find(|row| matches!(row.step.kind, StepKind::Task(_))).unwrap();
    assert!(matches!(task.state, StepState::Done { .. }), "{task:?}");
}

#[tokio::test]
async fn a_small_account_gets_a_note_and_no_task() {
    let world = World::with_systems().await;
    let failing = failing(&world, 1900, "insufficient_funds", &[]).await;
    deliver_all(&world).await;
    world.work(|| None).await;
    assert!(world.sandbox.hubspot.entries("tasks").is_empty());
    let notes = world.sandbox.hubspot.entries("notes");
    let failed = |note: &&Entry| note.properties["hs_note_body"].as_str().unwrap().contains("payment failed");
    let notes: Vec<_> = notes.iter().filter(failed).collect();
    assert_eq!(notes.len(), 1, "{notes:?}");
    assert_eq!(notes[0].of.as_ref(), Some(&company(&world, &failing.customer).id));
}

#[tokio::test]
async fn without_the_applications_answer_the_decision_is_more_cautious_and_made_again_later() {
    let world = World::with_systems().await;
    let failing = failing(&world, 1900, "expired_card", &[]).await;
    world.sandbox.application.fail("GET /customers", Fault::ServerError, 100);
    deliver_all(&world).await;
    world.work(|| None).await;
    let blind = recovery(&world, &failing).await;
    assert!(blind.suppressed.iter().any(|one| one.because.contains("application")), "{:?}", blind.suppressed);
    assert!(blind.suppressed.iter().all(|one| one.interlock == Interlock::MissingContext));
    assert!(blind.revisit.is_some(), "it comes due by itself");
    world.wait(901);
    world.sandbox.application.repair();
    world.sweep_cases().await;
    let seeing = recovery(&world, &failing).await;
    assert!(seeing.suppressed.is_empty(), "{:?}", seeing.suppressed);
}

#[tokio::test]
async fn nobody_is_written_to_about_money_while_they_wait_for_urgent_help() {
    let world = World::with_systems().await;
    let urgent = Said {
        subject: "Nobody can sign in".to_owned(),
        text: "canary".to_owned(),
        state: "open".to_owned(),
        priority: Some("urgent".to_owned()),
        at: world.clock.seconds() - 60,
        ..Said::default()
    };
    let failing = failing(&world, 1900, "expired_card", &[urgent]).await;
    deliver_all(&world).await;
    world.work(|| None).await;
    let case = recovery(&world, &failing).await;
    let held: Vec<_> = case.suppressed.iter().map(|one| one.interlock).collect();
    assert_eq!(held, [Interlock::PriorityTicket], "{:?}", case.suppressed);
    assert!(!serde_json::to_string(&case).unwrap().contains("canary"), "their words stay in the help desk");
}

/// A customer's dispute of the one charge, and its invoice.
async fn disputed(world: &World) -> (Case, Value) {
    disputed_by(world, |_| ()).await
}

/// The same; whoever is to know the customer hears their id.
async fn disputed_by(world: &World, known: impl FnOnce(&str)) -> (Case, Value) {
    let stripe = &world.sandbox.stripe;
    let customer = stripe.create_customer("Acme", "canary@example.test").unwrap();
    let customer = customer["id"].as_str().unwrap();
    known(customer);
    stripe.attach_card(customer, "pm_card_visa").unwrap();
    stripe.subscribe(customer, 29_900, "usd").unwrap();
    let invoice = stripe.objects("invoice").remove(0);
    let charge = stripe.charge_of(invoice["id"].as_str().unwrap()).unwrap();
    world.sandbox.introduce_customers().unwrap();
    let due = world.clock.seconds() + 9 * 86_400;
    stripe.open_dispute(&charge, "subscription_canceled", 29_900, due).unwrap();
    for _ in 0..2 {
        deliver_all(world).await;
        world.work(|| None).await;
        // The queue forgets the deduplication ids, so that the store is asked.
        world.wait(301);
    }
    let dispute = stripe.objects("dispute").remove(0);
    let case = world.case(CaseKind::Dispute, dispute["id"].as_str().unwrap()).await.unwrap();
    (case, invoice)
}

#[tokio::test]
async fn a_dispute_makes_one_ticket_in_the_help_desk_however_often_it_is_told() {
    let world = World::with_systems().await;
    world.sandbox.zendesk.fail("POST /api/v2/tickets", Fault::DropAfter, 1);
    let (case, _) = disputed(&world).await;
    world.sweep_steps().await;
    let threads = world.sandbox.zendesk.threads();
    let tickets: Vec<_> = threads.iter().filter(|one| one.case.is_some()).collect();
    let [ticket] = tickets.as_slice() else { panic!("{tickets:?}") };
    assert!(ticket.case.as_ref().unwrap().ends_with(&case.key.to_string()), "{ticket:?}");
    assert!(ticket.entries.iter().all(|entry| !entry.public), "the customer sees none of it: {ticket:?}");
}

/// Intercom deduplicates nothing, and its search can be behind: an earlier try is waited for.
#[tokio::test]
async fn a_crash_between_intercoms_commit_and_our_record_makes_one_ticket() {
    let mut world = World::with_systems().await;
    let twin = intercom::Intercom::open("token", Shelf::memory().unwrap(), world.clock.clone()).unwrap();
    let server = Loopback::serve(0, Arc::clone(&twin).router()).await.unwrap();
    let base = Base::parse(&server.url()).unwrap();
    let http = runtime::http::client(&[&base]).unwrap();
    let kind = intercom::Intercom::TICKET_TYPE;
    let client = Intercom::new(http, &base, "token".into(), kind, world.processor.clock.clone());
    let desk = HelpDesk::Intercom(client);
    world.processor.around.help_desk = Some(desk.clone());
    world.reconciler.processor.around.help_desk = Some(desk);
    twin.delay_search(600);
    twin.fail("POST /tickets ", Fault::DropAfter, 1);
    let known = |customer: &str| {
        let (customer, name) = (Some(customer.to_owned()), "Acme".to_owned());
        let email = "canary@example.test".to_owned();
        twin.seed(&Person { customer, email, name }, &[]).unwrap();
    };
    let (case, _) = disputed_by(&world, known).await;
    world.sweep_steps().await;
    assert_eq!(twin.threads().len(), 1, "the search does not show it, and no second one is made");
    world.wait(901);
    world.sweep_steps().await;
    let threads = twin.threads();
    let [ticket] = threads.as_slice() else { panic!("{threads:?}") };
    assert_eq!(ticket.case, Some(case.key.to_string()));
    assert!(ticket.entries.iter().all(|entry| !entry.public), "the customer sees none of it: {ticket:?}");
    let steps = world.steps(&case.key).await;
    let step = steps.iter().find(|row| matches!(row.step.kind, StepKind::Ticket { .. })).unwrap();
    assert_eq!(step.state, StepState::Done { vendor_id: ticket.id.clone() });
}

#[tokio::test]
async fn a_disputes_evidence_has_the_order_of_the_charge() {
    let world = World::with_systems().await;
    let (case, invoice) = disputed(&world).await;
    assert_eq!(case.classification.bucket, Bucket::DisputeNeedsResponse);
    let steps = world.steps(&case.key).await;
    let evidence = steps.iter().find_map(|row| match &row.step.kind {
        StepKind::Evidence { checklist, .. } => Some(checklist),
        _ => None,
    });
    let found: Vec<&str> = evidence.unwrap().iter().filter_map(|item| item.found.as_deref()).collect();
    let number = invoice["number"].as_str().unwrap();
    assert!(found.contains(&format!("application, order A-{number}").as_str()), "{found:?}");
    assert!(found.contains(&"application, contract"), "{found:?}");
}

/// Finance approves the one proposal that is open.
async fn approved(world: &World, operation: &str) {
    let open = world.approvals().open_proposals().await.unwrap();
    let [row] = open.as_slice() else { panic!("{open:?}") };
    let action = &row.proposal.action;
    assert_eq!(action.operation.kind().as_str(), operation);
    for person in [FINANCE_LEAD, FINANCE_SECOND].into_iter().take(action.need.into()) {
        let answer = world.browser(person).await.decide(&action.proposal, "approve").await;
        assert_eq!(answer.status, 200, "{}", answer.body);
    }
}

#[tokio::test]
async fn a_draft_goes_out_when_finance_has_approved_it_and_not_before() {
    let world = World::with_systems().await;
    failing(&world, 1900, "expired_card", &[]).await;
    deliver_all(&world).await;
    world.work(|| None).await;
    world.work_approvals(|| None).await;
    assert!(world.sandbox.ses.messages().is_empty());
    approved(&world, "message.send").await;
    let messages = world.sandbox.ses.messages();
    let [message] = messages.as_slice() else { panic!("{messages:?}") };
    assert_eq!(message.to, ["canary@example.test"]);
    assert!(message.text.contains("19.00"), "{}", message.text);
}

#[tokio::test]
async fn access_is_paused_in_the_application_when_finance_has_approved_it_and_not_before() {
    let world = World::with_systems().await;
    let failing = failing(&world, 1900, "expired_card", &[]).await;
    let paused = || world.sandbox.application.customer(&failing.customer).unwrap().paused;
    let mut support = world.browser(SUPPORT).await;
    let form = support.get("/requests/new?operation=access.change").await;
    let (nonce, csrf) = (form.field("nonce"), form.field("csrf"));
    let fields = [
        ("operation", "access.change"),
        ("object", failing.customer.as_str()),
        ("change", "pause"),
        ("why", "unpaid"),
        ("nonce", nonce.as_str()),
        ("csrf", csrf.as_str()),
    ];
    let asked = support.post("/requests", &fields).await;
    assert_eq!(asked.status, 303, "{}", asked.body);
    assert!(!paused());
    approved(&world, "access.change").await;
    assert!(paused());
    assert_eq!(world.sandbox.application.executions().len(), 1);
}

#[tokio::test]
async fn every_seeded_customer_is_known_everywhere_and_a_second_time_changes_nothing() {
    let world = World::with_systems().await;
    sandbox::stripe::seed::day(&world.sandbox.stripe, 20, 7).unwrap();
    world.sandbox.introduce_customers().unwrap();
    let first = world.sandbox.hubspot.entries("companies");
    assert_eq!(first.len(), 20);
    for customer in world.sandbox.stripe.objects("customer") {
        let id = CustomerId::parse(customer["id"].as_str().unwrap()).unwrap();
        let account = world.processor.around.crm.as_ref().unwrap().account(&id).await.unwrap().unwrap();
        assert!(account.segment.is_some() && account.annual_value.is_some(), "{account:?}");
        assert!(account.renews.is_some() && account.owner.is_some(), "{account:?}");
        let known = world.processor.around.application.as_ref().unwrap().read(&id).await.unwrap();
        assert!(known.has_access() == Some(true) && known.usage.is_some(), "{known:?}");
        for order in known.orders.unwrap() {
            let charge = world.sandbox.stripe.object(order.charge.unwrap().as_str()).unwrap();
            assert_eq!(charge["amount"], Value::from(order.amount.unwrap().amount));
        }
    }
    world.sandbox.introduce_customers().unwrap();
    assert_eq!(world.sandbox.hubspot.entries("companies"), first);
}
