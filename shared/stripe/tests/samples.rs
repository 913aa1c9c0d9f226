//! The client against what was recorded: every sample of an error, and every read that Stripe's own
//! library was seen to send and that the client makes as well.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::needless_pass_by_value,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test may fail anywhere"
)]

mod support;

use std::time::Duration;

use domain::{ChargeId, DisputeId, EventId, InvoiceId, PaymentIntentId, Timestamp};
use serde_json::{Value, json};
use stripe::{
    Base, Client, Settings, Verdict,
    client::{Cursor, EventQuery, Pace, Retry},
};
use support::{Recorded, Scripted, Server, http, ok, sample};

/// A client that asks once more where the rule says so, and its server.
async fn scripted(answers: impl IntoIterator<Item = Scripted>) -> (Server, Client) {
    let server = Server::start(answers).await;
    let settings = Settings {
        base: Base::new(&server.base).unwrap(),
        key: stripe::ApiKey::new(&"rk_test_wire123".into()).unwrap(),
        timeout: Duration::from_secs(5),
        retry: Retry { retries: 1, first: Duration::from_millis(1), longest: Duration::from_millis(2) },
        pace: Pace { per_second: 1000, burst: 1000 },
        random: || 0,
    };
    (server, Client::new(http(), settings))
}

fn charge() -> ChargeId {
    ChargeId::parse("ch_1").unwrap()
}

#[tokio::test]
async fn every_sample_of_an_error_has_its_verdict_word_and_tries() {
    // As an answer to a read: what to do, the word that tells it, and how often it was asked.
    let expected = [
        ("card_declined", Some(Verdict::GiveUp), "`insufficient_funds`", 1),
        ("authentication_required_off_session", Some(Verdict::GiveUp), "`authentication_required`", 1),
        ("idempotency_params_mismatch", Some(Verdict::GiveUp), "`idempotency_error`", 1),
        ("idempotency_key_in_use", Some(Verdict::Retry), "changing the object", 2),
        ("rate_limited", Some(Verdict::Retry), "limited the rate", 1),
        ("lock_timeout", Some(Verdict::Retry), "changing the object", 2),
        ("resource_missing", None, "", 1),
        ("permission_denied_restricted_key", Some(Verdict::Look), "rak_charge_write", 1),
        ("bad_api_key", Some(Verdict::Look), "permission unknown", 1),
        ("charge_already_refunded", Some(Verdict::GiveUp), "`charge_already_refunded`", 1),
        ("refund_more_than_paid", Some(Verdict::GiveUp), "`invalid_request_error`", 1),
        ("refund_disputed", Some(Verdict::GiveUp), "`charge_disputed`", 1),
        ("unknown_parameter", Some(Verdict::GiveUp), "`parameter_unknown`", 1),
        ("api_error_500", Some(Verdict::Retry), "status 500", 1),
        // A success whose body is no charge.
        ("idempotent_replay_200", Some(Verdict::Look), "another shape", 1),
    ];
    let text = include_str!("../../../tests/fixtures/stripe/error_samples.json");
    let all: Value = serde_json::from_str(text).unwrap();
    let names: Vec<_> = all["errors"].as_array().unwrap().iter().map(|one| one["name"].clone()).collect();
    assert_eq!(names, expected.map(|(name, ..)| Value::from(name)));

    for (name, verdict, word, tries) in expected {
        let (server, client) = scripted([sample(name), sample(name)]).await;
        let outcome = client.charge(&charge()).await;
        assert_eq!(outcome.as_ref().err().map(stripe::Error::verdict), verdict, "{name}");
        assert_eq!(server.requests().len(), tries, "{name}");
        if let Err(error) = outcome {
            assert!(error.to_string().contains(word), "{name}: {error}");
            assert!(error.request_id().unwrap().starts_with("req_TEST"), "{name}");
            let prose = sample(name).body;
            let prose: Value = serde_json::from_str(&prose).unwrap();
            if let Some(message) = prose["error"]["message"].as_str() {
                assert!(!format!("{error:?}").contains(message), "{name}: {error:?}");
            }
        }
    }
}

/// Path and query of a request, as it was recorded.
fn recorded(name: &str) -> (String, String) {
    let text = include_str!("../../../tests/fixtures/stripe/wire_requests.json");
    let all: Value = serde_json::from_str(text).unwrap();
    let one = all["requests"].as_array().unwrap().iter().find(|one| one["name"] == name).expect(name).clone();
    assert_eq!(one["method"], "GET", "{name}");
    (one["path"].as_str().unwrap().into(), one["query"].as_str().unwrap_or_default().into())
}

#[tokio::test]
async fn every_recorded_read_that_the_client_makes_is_spelled_byte_for_byte() {
    let invoice = json!({ "id": "in_1", "status": "open", "currency": "usd", "amount_due": 1,
        "amount_remaining": 1, "created": 1 });
    let paid = json!({ "id": "ch_1", "status": "succeeded", "currency": "usd", "amount": 1, "livemode": false,
        "created": 1 });
    let dispute = json!({ "id": "du_1", "status": "lost", "reason": "general", "currency": "usd", "amount": 1,
        "charge": "ch_1", "created": 1, "evidence_details": {} });
    let empty = || ok(json!({ "object": "list", "data": [], "has_more": false }));
    let (server, client) =
        scripted([ok(invoice), ok(paid), ok(dispute), empty(), empty(), empty(), empty()]).await;
    client.invoice(&InvoiceId::parse("in_1").unwrap()).await.unwrap();
    client.charge(&charge()).await.unwrap();
    client.dispute(&DisputeId::parse("du_1").unwrap()).await.unwrap();
    client.refunds(&charge()).await.unwrap();
    client.early_fraud_warnings(&charge()).await.unwrap();
    client.invoice_payments(&PaymentIntentId::parse("pi_1").unwrap()).await.unwrap();
    let query = EventQuery {
        types: vec!["invoice.payment_failed".into(), "charge.dispute.created".into()],
        delivery_success: Some(false),
        from: Some(Timestamp::from_seconds(1_790_000_000)),
        until: Some(Timestamp::from_seconds(1_790_003_600)),
        cursor: EventId::parse("evt_0").ok().map(Cursor::StartingAfter),
    };
    client.events(&query, Timestamp::from_seconds(0), "sweep").await.unwrap();

    let requests = server.requests();
    let ours = |request: &Recorded| (request.path.clone(), request.query.clone().unwrap_or_default());
    // The same, but for what we ask for besides, or do not need.
    let with = |(path, query): (String, String), more: &str| (path, format!("{query}{more}"));
    let without = |(path, query): (String, String), less: &str| {
        (path, query.strip_suffix(less).expect("it is there").to_owned())
    };
    let subscription = "&expand%5B2%5D=parent.subscription_details.subscription";
    let expected = [
        with(recorded("get_invoice_expand"), subscription),
        without(recorded("get_charge_expand"), "&expand%5B1%5D=balance_transaction"),
        without(recorded("get_dispute"), "expand%5B0%5D=charge&expand%5B1%5D=payment_intent"),
        recorded("list_refunds"),
        with(recorded("list_efw"), "&limit=100"),
        with(recorded("list_invoice_payments_by_pi"), "&limit=100"),
        recorded("list_events"),
    ];
    assert_eq!(requests.iter().map(ours).collect::<Vec<_>>(), expected);
}
