//! The effects outside Stripe, by the approver's clients against the stand-ins: access and mail.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::large_futures,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on fails"
)]

#[path = "../../shared/gated/tests/grants/mod.rs"]
mod grants;

use std::{sync::Arc, time::Duration};

use connectors::application::CustomerContext;
use domain::{
    CustomerId, ProposalId, Timestamp,
    approval::{AccessChange, Action, EmailAddress, Grant, Operation, Private, Proposal},
};
use gated::{
    access::{Access, NotDone, Outcome, Settings, Why},
    mail::{self, Mail},
};
use grants::{action, granted};
use runtime::{
    Env,
    aws::Aws,
    http::{Base, client_within},
};
use sandbox::{
    application::Fault,
    ses::Refusal,
    world::{Function, Sandbox},
};
use secrecy::SecretString;
use serde_json::json;
use stories::{START, World};

const NOW: Timestamp = Timestamp::from_seconds(START);

fn customer() -> CustomerId {
    CustomerId::parse("cus_1").unwrap()
}

fn access_change(change: AccessChange, proposal: char) -> Grant {
    granted_now(
        Operation::ChangeAccess { customer: customer(), change, note: Some("unpaid".into()) },
        proposal,
    )
}

fn message() -> Grant {
    let operation = Operation::SendMessage {
        case: "recovery:in_1".parse().unwrap(),
        customer: customer(),
        recipient: EmailAddress::parse("customer@example.test").unwrap(),
        template: "recovery-update-card".into(),
        version: 1,
        locale: "en".into(),
        subject: Private::new("Your card"),
        body: Private::new("Hello <b>you</b>,\n\nplease update your card."),
    };
    granted_now(operation, 'm')
}

/// Of a proposal that was made and signed just before.
fn granted_now(operation: Operation, proposal: char) -> Grant {
    granted(&Action {
        proposal: ProposalId::parse(format!("ap_0123456789abcdefghjkmnpqr{proposal}")).unwrap(),
        created: NOW.plus(-100),
        expires: NOW.plus(3600),
        ..action(operation)
    })
}

/// What the approver is told of the systems around.
fn env(sandbox: &Sandbox) -> Env {
    let variables = sandbox.variables(Function::Approver).into_iter();
    variables.chain(sandbox.systems(Function::Approver)).collect()
}

/// The proposal that was granted.
fn proposal(grant: &Grant) -> Proposal {
    Proposal::new(grant.action().clone())
}

fn access(sandbox: &Sandbox, key: &str) -> Access {
    let config = gated::access::Config::from_env(&env(sandbox)).unwrap().unwrap();
    let http = client_within(&[&config.base], Duration::from_secs(5)).unwrap();
    let secrets = vec![SecretString::from(key)];
    Access::new(http, Settings { base: config.base, secrets, timeout: Duration::from_millis(500) })
}

fn mail(sandbox: &Sandbox) -> Mail {
    let env = env(sandbox);
    Mail::new(&Aws::from_env(&env).unwrap(), mail::Config::from_env(&env).unwrap().unwrap())
}

fn reads(sandbox: &Sandbox, key: &str) -> CustomerContext {
    let base = Base::parse(&sandbox.urls.application).unwrap();
    let http = runtime::http::client(&[&base]).unwrap();
    CustomerContext::new(http, base, vec![SecretString::from(key)], Arc::new(|| NOW))
}

async fn known() -> World {
    let world = World::with_systems().await;
    let known = json!({ "entitlements": [{ "name": "team", "active": true }] });
    world.sandbox.application.seed("cus_1", known).unwrap();
    world
}

#[tokio::test]
async fn access_is_paused_once_for_a_grant_and_restored_by_another() {
    let world = known().await;
    let sandbox = &world.sandbox;
    let (access, reads) =
        (access(sandbox, &sandbox.keys.access_key), reads(sandbox, &sandbox.keys.application_key));
    let pause = access_change(AccessChange::Pause, 'a');
    assert_eq!(access.settle(&proposal(&pause), NOW).await, Outcome::NotDone(NotDone::NeverArrived));
    sandbox.application.fail("POST /customers", Fault::DropAfter, 1);
    assert_eq!(access.execute(&pause, NOW).await, Outcome::Unknown(Why::ConnectionLost));
    let done = Outcome::Done { reference: pause.idempotency_key(0) };
    assert_eq!(access.settle(&proposal(&pause), NOW).await, done);
    let (first, second) = tokio::join!(access.execute(&pause, NOW), access.execute(&pause, NOW));
    assert_eq!((first, second), (done.clone(), done));
    assert_eq!(sandbox.application.executions().len(), 1);
    assert_eq!(reads.read(&customer()).await.unwrap().has_access(), Some(false));

    let restore = access_change(AccessChange::Restore, 'b');
    assert!(matches!(access.execute(&restore, NOW).await, Outcome::Done { .. }));
    assert_eq!(reads.read(&customer()).await.unwrap().has_access(), Some(true));
    // The first one again, late: it was done, and does nothing more.
    assert!(matches!(access.execute(&pause, NOW).await, Outcome::Done { .. }));
    assert_eq!(reads.read(&customer()).await.unwrap().has_access(), Some(true));
}

#[tokio::test]
async fn the_key_that_reads_changes_no_access_and_the_other_way_round() {
    let world = known().await;
    let sandbox = &world.sandbox;
    let refused = access(sandbox, &sandbox.keys.application_key);
    let pause = access_change(AccessChange::Pause, 'a');
    assert_eq!(refused.execute(&pause, NOW).await, Outcome::NotDone(NotDone::NotAllowed));
    assert!(sandbox.application.executions().is_empty());
    assert!(!sandbox.application.customer("cus_1").unwrap().paused);
    assert!(reads(sandbox, &sandbox.keys.access_key).read(&customer()).await.is_err());
    assert!(reads(sandbox, &sandbox.keys.application_key).check().await.is_ok());
}

#[tokio::test]
async fn a_customer_whom_the_application_does_not_know_is_refused_in_its_own_word() {
    let world = World::with_systems().await;
    let access = access(&world.sandbox, &world.sandbox.keys.access_key);
    let outcome = access.execute(&access_change(AccessChange::Pause, 'a'), NOW).await;
    assert_eq!(outcome, Outcome::Refused { code: "no_such_customer".into() });
}

#[tokio::test]
async fn an_approved_message_is_in_the_outbox_word_for_word() {
    let world = World::with_systems().await;
    let (mail, grant) = (mail(&world.sandbox), message());
    mail.check().await.unwrap();
    let Outcome::Done { reference } = mail.execute(&grant).await else { panic!("it is sent") };
    let messages = world.sandbox.ses.messages();
    let [sent] = messages.as_slice() else { panic!("{messages:?}") };
    assert_eq!((sent.id.as_str(), sent.from.as_str()), (reference.as_str(), sandbox::world::MAIL_FROM));
    assert_eq!(sent.to, ["customer@example.test"]);
    assert_eq!(sent.subject, "Your card");
    assert_eq!(sent.text, "Hello <b>you</b>,\n\nplease update your card.");
    assert_eq!(sent.tags[0].1, grant.action().proposal.as_str());
    let http = runtime::http::client(&[&Base::parse(&world.sandbox.urls.ses).unwrap()]).unwrap();
    let page = http.get(&world.sandbox.urls.ses).send().await.unwrap().text().await.unwrap();
    assert!(page.contains("Hello &lt;b&gt;you&lt;/b&gt;"), "shown as text: {page}");
}

#[tokio::test]
async fn a_message_whose_answer_is_lost_was_sent_and_nobody_knows() {
    let world = World::with_systems().await;
    world.sandbox.ses.fail("POST /v2/email/outbound-emails", Fault::DropAfter, 1);
    let outcome = mail(&world.sandbox).execute(&message()).await;
    assert!(matches!(outcome, Outcome::Unknown(_)), "{outcome:?}");
    assert_eq!(world.sandbox.ses.messages().len(), 1, "it is called once");
}

#[tokio::test]
async fn what_ses_refuses_was_not_sent() {
    let world = World::with_systems().await;
    let mail = mail(&world.sandbox);
    for (refusal, expected) in [
        (Refusal::Paused, Outcome::NotDone(NotDone::NotAllowed)),
        (Refusal::Suspended, Outcome::NotDone(NotDone::NotAllowed)),
        (Refusal::DomainNotVerified, Outcome::NotDone(NotDone::NotAllowed)),
        (Refusal::Rejected, Outcome::Refused { code: "MessageRejected".into() }),
    ] {
        world.sandbox.ses.refuse(Some(refusal));
        assert_eq!(mail.execute(&message()).await, expected, "{refusal:?}");
    }
    assert!(mail.check().await.is_ok(), "only paused sending shows");
    world.sandbox.ses.refuse(Some(Refusal::Paused));
    assert!(mail.check().await.unwrap_err().contains("paused"));
    world.sandbox.ses.refuse(None);
    world.sandbox.ses.fail("POST /v2/email", Fault::RateLimited(1), 1);
    assert_eq!(mail.execute(&message()).await, Outcome::NotDone(NotDone::RateLimited));
    assert!(world.sandbox.ses.messages().is_empty());
}
