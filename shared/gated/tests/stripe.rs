//! The writer against a scripted server: what is sent, and what each answer means.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::needless_pass_by_value,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test may fail anywhere"
)]

mod grants;
#[path = "../../stripe/tests/support/mod.rs"]
mod support;

use std::time::Duration;

use domain::{
    AccountId, ChargeId, CustomerId, DisputeId, InvoiceId, Money, PaymentMethodId, SubscriptionId, Timestamp,
    approval::{
        AccessChange, Action, CancelFeedback, CreditNoteReason, EmailAddress, Evidence, Operation,
        PauseBehavior, Private, RefundReason,
    },
    money::Currency,
};
use gated::stripe::{Effect, NotDone, Outcome, Settings, Why, Writer};
use grants::{action, granted};
use serde_json::{Value, json};
use stripe::{ApiKey, Base};
use support::{Recorded, Scripted, Server, http, ok, sample};

fn usd(amount: i64) -> Money {
    Money::new(amount, Currency::parse("usd").unwrap())
}

fn invoice() -> InvoiceId {
    InvoiceId::parse("in_1").unwrap()
}

fn subscription() -> SubscriptionId {
    SubscriptionId::parse("sub_1").unwrap()
}

fn dispute() -> DisputeId {
    DisputeId::parse("du_1").unwrap()
}

fn refund() -> Operation {
    Operation::Refund {
        charge: ChargeId::parse("ch_1").unwrap(),
        amount: usd(500),
        reason: RefundReason::RequestedByCustomer,
    }
}

fn settings(base: &str) -> Settings {
    Settings {
        base: Base::new(base).unwrap(),
        key: ApiKey::new(&"rk_test_wire123".into()).unwrap(),
        account: AccountId::parse("acct_1").unwrap(),
        connected: [AccountId::parse("acct_123").unwrap()].into(),
        timeout: Duration::from_secs(5),
    }
}

/// Executes one action against one answer; what was sent and what came of it.
async fn execute(action: &Action, answer: Scripted) -> (Vec<Recorded>, Outcome) {
    let server = Server::start([answer]).await;
    let outcome = Writer::new(http(), settings(&server.base)).execute(&granted(action)).await;
    (server.requests(), outcome)
}

async fn outcome(answer: Scripted) -> Outcome {
    let (requests, outcome) = execute(&action(refund()), answer).await;
    assert_eq!(requests.len(), 1, "a write is made once, whatever the answer");
    outcome
}

fn captured(name: &str) -> Value {
    let text = include_str!("../../../tests/fixtures/stripe/wire_requests.json");
    let all: Value = serde_json::from_str(text).unwrap();
    all["requests"].as_array().unwrap().iter().find(|one| one["name"] == name).expect(name).clone()
}

/// Each operation, and the request of Stripe's own library that does the same.
fn operations() -> Vec<(&'static str, Operation)> {
    let evidence = Evidence::new([("receipt".to_owned(), "file_1".to_owned())].into()).unwrap();
    let method = || PaymentMethodId::parse("pm_1").ok();
    vec![
        (
            "credit_note_amount",
            Operation::CreditNote {
                invoice: invoice(),
                amount: usd(500),
                to_balance: 500,
                reason: CreditNoteReason::ProductUnsatisfactory,
                memo: Some("Sorry & thanks – 100%".into()),
                email: false,
            },
        ),
        (
            "customer_balance_credit",
            Operation::BalanceCredit {
                customer: CustomerId::parse("cus_1").unwrap(),
                amount: usd(500),
                description: Some("goodwill".into()),
            },
        ),
        ("dispute_submit", Operation::SubmitEvidence { dispute: dispute(), amount: usd(1), evidence }),
        ("dispute_close", Operation::AcceptDispute { dispute: dispute(), amount: usd(1) }),
        (
            "subscription_cancel_now",
            Operation::CancelSubscription {
                subscription: subscription(),
                invoice_now: false,
                prorate: false,
                feedback: Some(CancelFeedback::TooExpensive),
                comment: Some("asked by email".into()),
            },
        ),
        ("subscription_cancel_at_period_end", Operation::CancelAtPeriodEnd { subscription: subscription() }),
        (
            "subscription_pause_collection",
            Operation::PauseCollection {
                subscription: subscription(),
                behavior: PauseBehavior::Void,
                resumes_at: Some(Timestamp::from_seconds(1_795_000_000)),
            },
        ),
        ("subscription_unpause_collection", Operation::ResumeCollection { subscription: subscription() }),
        ("invoice_void", Operation::VoidInvoice { invoice: invoice(), amount: usd(1) }),
        ("invoice_mark_uncollectible", Operation::MarkUncollectible { invoice: invoice(), amount: usd(1) }),
        ("invoice_pay", Operation::PayInvoice { invoice: invoice(), amount: usd(1), payment_method: None }),
        (
            "invoice_pay_with_pm",
            Operation::PayInvoice { invoice: invoice(), amount: usd(1), payment_method: method() },
        ),
    ]
}

#[tokio::test]
async fn every_write_is_the_request_of_stripes_own_library_plus_our_two_keys() {
    for (name, operation) in operations() {
        let expected = captured(name);
        let takes_metadata = operation.takes_metadata();
        let action = action(operation);
        let (requests, outcome) = execute(&action, ok(json!({ "id": "obj_1", "status": "done" }))).await;
        assert!(matches!(outcome, Outcome::Done(_)), "{name}: {outcome:?}");
        let [request] = &requests[..] else { panic!("{name}: {requests:?}") };
        assert_eq!(request.method, expected["method"], "{name}");
        assert_eq!(request.path, expected["path"], "{name}");
        assert_eq!(request.query.as_deref(), expected["query"].as_str(), "{name}");
        let ours = format!(
            "metadata[approval_id]={}&metadata[approval_digest]={}",
            action.proposal,
            action.digest()
        );
        let body = match (expected["body"].as_str().unwrap_or_default(), takes_metadata) {
            (theirs, true) => format!("{theirs}&{ours}"),
            (theirs, false) => theirs.to_owned(),
        };
        assert_eq!(request.body, body, "{name}");
        let content_type = expected["headers"].get("content-type").and_then(Value::as_str);
        assert_eq!(request.header("content-type"), content_type, "{name}");
        assert_eq!(request.header("stripe-version"), expected["headers"]["stripe-version"].as_str());
        assert_eq!(request.header("authorization"), expected["headers"]["authorization"].as_str());
        assert_eq!(request.header("idempotency-key"), Some(granted(&action).idempotency_key(0).as_str()));
        assert_eq!(request.header("stripe-account"), None);
    }
}

#[tokio::test]
async fn a_refund_carries_exactly_what_was_signed() {
    let action = Action { metadata: [("ticket".to_owned(), "T-1".to_owned())].into(), ..action(refund()) };
    let answer = ok(json!({ "id": "re_1", "object": "refund", "status": "pending" }));
    let (requests, outcome) = execute(&action, answer).await;
    assert_eq!(
        requests[0].body,
        format!(
            "charge=ch_1&amount=500&reason=requested_by_customer&metadata[ticket]=T-1\
             &metadata[approval_id]=ap_0123456789abcdefghjkmnpqrs&metadata[approval_digest]={}",
            action.digest()
        )
    );
    let Outcome::Done(Effect { object, status, request_id, replayed }) = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!((object.as_str(), status.as_deref()), ("re_1", Some("pending")));
    assert_eq!((request_id.as_deref(), replayed), (Some("req_1"), false));
}

#[tokio::test]
async fn the_same_grant_has_the_same_key_and_a_replay_is_told() {
    let done = || ok(json!({ "id": "re_1" }));
    let mut again = done();
    again.headers.push(("Idempotent-Replayed".into(), "true".into()));
    let server = Server::start([done(), again]).await;
    let writer = Writer::new(http(), settings(&server.base));
    let grant = granted(&action(refund()));
    for expected in [false, true] {
        let outcome = writer.execute(&grant).await;
        assert!(
            matches!(outcome, Outcome::Done(Effect { replayed, .. }) if replayed == expected),
            "{outcome:?}"
        );
    }
    let keys: Vec<_> =
        server.requests().iter().map(|one| one.header("idempotency-key").unwrap().to_owned()).collect();
    assert_eq!(keys[0], keys[1]);
    assert!(keys[0].starts_with("ap1_"));
}

#[tokio::test]
async fn a_connected_account_is_named_and_no_other_is_written_to() {
    let connected = Action { account: AccountId::parse("acct_123").unwrap(), ..action(refund()) };
    let (requests, _) = execute(&connected, ok(json!({ "id": "re_1" }))).await;
    assert_eq!(requests[0].header("stripe-account"), Some("acct_123"));

    let foreign = Action { account: AccountId::parse("acct_666").unwrap(), ..action(refund()) };
    let (requests, outcome) = execute(&foreign, ok(json!({ "id": "re_1" }))).await;
    assert_eq!((requests.len(), outcome), (0, Outcome::NotDone(NotDone::WrongAccount)));
}

#[tokio::test]
async fn a_key_of_the_other_mode_sends_nothing() {
    let live = Action { livemode: true, ..action(refund()) };
    let (requests, outcome) = execute(&live, ok(json!({ "id": "re_1" }))).await;
    assert_eq!((requests.len(), outcome), (0, Outcome::NotDone(NotDone::WrongMode)));
    assert!(!NotDone::WrongMode.may_retry());
}

#[tokio::test]
async fn what_cannot_be_sent_as_signed_is_not_sent() {
    let with = |key: &str, value: &str| Action {
        metadata: [(key.to_owned(), value.to_owned())].into(),
        ..action(refund())
    };
    let amount = |amount| {
        let reason = RefundReason::Duplicate;
        action(Operation::Refund { charge: ChargeId::parse("ch_1").unwrap(), amount: usd(amount), reason })
    };
    let credit = |to_balance| {
        let reason = CreditNoteReason::Duplicate;
        let (amount, memo, email) = (usd(500), None, false);
        action(Operation::CreditNote { invoice: invoice(), amount, to_balance, reason, memo, email })
    };
    let many = (0..49).map(|n| (format!("k{n}"), "v".to_owned())).collect();
    assert!(SubscriptionId::parse("..").is_err(), "another place in the path is no id");
    let on_void = Operation::VoidInvoice { invoice: invoice(), amount: usd(1) };
    let cases = [
        (with("approval_id", "ap_2"), NotDone::Metadata),
        (with("a[b]", "v"), NotDone::Metadata),
        (with("k", ""), NotDone::Metadata),
        (with(&"k".repeat(41), "v"), NotDone::Metadata),
        (with("k", &"v".repeat(501)), NotDone::Metadata),
        (Action { metadata: many, ..action(refund()) }, NotDone::Metadata),
        (Action { operation: on_void, ..with("k", "v") }, NotDone::Metadata),
        (amount(0), NotDone::BadParameter),
        (amount(-1), NotDone::BadParameter),
        (credit(501), NotDone::BadParameter),
        (credit(-1), NotDone::BadParameter),
    ];
    for (action, expected) in cases {
        let (requests, outcome) = execute(&action, ok(json!({ "id": "x" }))).await;
        assert_eq!((requests.len(), outcome), (0, Outcome::NotDone(expected)), "{action:?}");
    }
}

#[tokio::test]
async fn a_message_or_an_entitlement_is_nothing_that_stripe_is_asked_for() {
    let customer = || CustomerId::parse("cus_1").unwrap();
    let message = Operation::SendMessage {
        case: "recovery:in_1".parse().unwrap(),
        customer: customer(),
        recipient: EmailAddress::parse("a@example.test").unwrap(),
        template: "recovery-update-card".into(),
        version: 1,
        locale: "en".into(),
        subject: Private::new("Your payment"),
        body: Private::new("Please update your card."),
    };
    let access = Operation::ChangeAccess { customer: customer(), change: AccessChange::Pause, note: None };
    for operation in [message, access] {
        let (requests, outcome) = execute(&action(operation), ok(json!({ "id": "x" }))).await;
        assert_eq!((requests.len(), outcome), (0, Outcome::NotDone(NotDone::NotAStripeCall)));
    }
    assert!(!NotDone::NotAStripeCall.may_retry());
}

#[tokio::test]
async fn a_refusal_is_told_by_its_code_and_never_by_its_prose() {
    let refused = async |name| match outcome(sample(name)).await {
        Outcome::Refused { code, param, request_id } => {
            assert_eq!(request_id.as_deref(), Some("req_TEST"));
            (code, param)
        }
        other => panic!("{name}: {other:?}"),
    };
    assert_eq!(refused("charge_already_refunded").await, ("charge_already_refunded".into(), None));
    assert_eq!(refused("refund_disputed").await.0, "charge_disputed");
    assert_eq!(
        refused("refund_more_than_paid").await,
        ("invalid_request_error".into(), Some("amount".into()))
    );
    assert_eq!(refused("card_declined").await.0, "insufficient_funds");
    assert_eq!(refused("authentication_required_off_session").await.0, "authentication_required");
    assert_eq!(refused("resource_missing").await.0, "resource_missing");
}

#[tokio::test]
async fn what_may_have_been_done_is_unknown() {
    let unknown = async |answer| match outcome(answer).await {
        Outcome::Unknown { why, .. } => why,
        other => panic!("{other:?}"),
    };
    assert_eq!(unknown(sample("api_error_500")).await, Why::Server(500));
    assert_eq!(unknown(sample("idempotency_key_in_use")).await, Why::InFlight);
    assert_eq!(unknown(sample("lock_timeout")).await, Why::Locked);
    for status in [302, 408, 424, 502, 503, 504] {
        let answer = Scripted { status, headers: Vec::new(), body: String::new() };
        assert_eq!(unknown(answer).await, Why::Server(status));
    }
    assert_eq!(unknown(ok("<html>fine</html>")).await, Why::Unreadable);
}

#[tokio::test]
async fn who_is_turned_away_at_the_door_may_come_again_with_the_same_key() {
    for name in ["rate_limited", "bad_api_key", "permission_denied_restricted_key"] {
        match outcome(sample(name)).await {
            Outcome::NotDone(obstacle) => assert!(obstacle.may_retry(), "{name}"),
            other => panic!("{name}: {other:?}"),
        }
    }
    let missing = outcome(sample("permission_denied_restricted_key")).await;
    assert_eq!(
        missing,
        Outcome::NotDone(NotDone::KeyRefused { permission: Some("rak_charge_write".into()) })
    );
}

#[tokio::test]
async fn the_same_key_for_another_request_is_an_alarm() {
    let outcome = outcome(sample("idempotency_params_mismatch")).await;
    assert_eq!(outcome, Outcome::IntegrityAlarm { request_id: Some("req_TEST".into()) });
}

#[tokio::test]
async fn nobody_at_home_means_that_nothing_was_sent() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let outcome = Writer::new(http(), settings(&base)).execute(&granted(&action(refund()))).await;
    assert_eq!(outcome, Outcome::NotDone(NotDone::Unreachable));
}

/// A server that reads one request and then hangs up, or goes silent.
async fn rude(silent: bool) -> String {
    use tokio::io::AsyncReadExt as _;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut read = vec![0; 4096];
        assert!(socket.read(&mut read).await.unwrap() > 0);
        if silent {
            std::future::pending::<()>().await;
        }
    });
    base
}

#[tokio::test]
async fn a_connection_that_breaks_after_sending_leaves_it_open() {
    let base = rude(false).await;
    let outcome = Writer::new(http(), settings(&base)).execute(&granted(&action(refund()))).await;
    assert_eq!(outcome, Outcome::Unknown { why: Why::ConnectionLost, request_id: None });
}

#[tokio::test]
async fn an_answer_that_does_not_come_leaves_it_open() {
    let base = rude(true).await;
    let settings = Settings { timeout: Duration::from_millis(20), ..settings(&base) };
    let outcome = Writer::new(http(), settings).execute(&granted(&action(refund()))).await;
    assert_eq!(outcome, Outcome::Unknown { why: Why::TimedOut, request_id: None });
}

#[test]
fn no_key_and_no_person_is_in_debug_output() {
    let writer = Writer::new(http(), settings("http://127.0.0.1:1"));
    assert!(!format!("{writer:?}").contains("wire123"));
}
