//! The probe of restricted keys against a scripted server.

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

use serde_json::json;
use stripe::{
    ApiKey, Base,
    probe::{Access, Probe, Report, Role, State},
};
use support::{Recorded, Scripted, Server, http, ok, sample};

/// How many questions there are.
const READS: usize = 15;
const WRITES: usize = 13;

async fn report(role: Role, key: &str, answers: Vec<Scripted>) -> (Vec<Recorded>, Report) {
    let server = Server::start(answers).await;
    let probe = Probe::new(http(), Base::new(&server.base).unwrap(), Duration::from_secs(5));
    let report = probe.report(role, &ApiKey::new(&key.into()).unwrap()).await;
    (server.requests(), report)
}

fn missing() -> Scripted {
    sample("resource_missing")
}

fn denied() -> Scripted {
    sample("permission_denied_restricted_key")
}

/// What a key that can read everything and write nothing is answered.
fn reads_only() -> Vec<Scripted> {
    let mut answers = vec![ok(json!({ "id": "acct_1", "email": "canary@example.test" }))];
    answers.extend((1..READS).map(|_| missing()));
    answers.extend((0..WRITES).map(|_| denied()));
    answers
}

#[tokio::test]
async fn a_key_that_reads_everything_and_writes_nothing_is_exact() {
    let (requests, report) = report(Role::Read, "rk_test_wire123", reads_only()).await;
    assert!(report.is_exact() && !report.is_alarm(), "{report:#?}");
    assert_eq!(requests.len(), READS + WRITES);
    assert_eq!(report.findings[0].request_id.as_deref(), Some("req_1"));
    let text = serde_json::to_string(&report).unwrap();
    assert!(!text.contains("wire123") && !text.contains("canary") && !text.contains("abcd"), "{text}");
}

#[tokio::test]
async fn what_is_asked_can_do_nothing() {
    let (requests, _) = report(Role::Read, "rk_test_wire123", reads_only()).await;
    for request in &requests[1..] {
        let asked = format!("{} {}", request.path, request.body);
        assert!(asked.contains("_countersign_asks_only"), "{asked}");
        assert_eq!(request.header("idempotency-key"), None);
        assert_eq!(request.header("stripe-version"), Some("2026-10-28.endive"));
        assert!(["GET", "POST"].contains(&request.method.as_str()));
    }
    let body = |path: &str| {
        let found = requests.iter().find(|one| one.method == "POST" && one.path.starts_with(path));
        found.unwrap().body.clone()
    };
    assert_eq!(body("/v1/refunds"), "charge=ch_countersign_asks_only&amount=0");
    assert_eq!(body("/v1/disputes"), "submit=false");
    assert_eq!(body("/v1/credit_notes"), "invoice=in_countersign_asks_only");
    for path in ["/v1/invoices", "/v1/subscriptions", "/v1/customers", "/v1/payouts", "/v1/webhook_endpoints"]
    {
        assert_eq!(body(path), "", "{path}");
    }
}

#[tokio::test]
async fn a_key_for_reading_that_can_refund_is_an_alarm() {
    let mut answers = reads_only();
    answers[READS] = missing();
    let (_, report) = report(Role::Read, "rk_test_wire123", answers).await;
    let excess: Vec<_> = report.excess().map(|one| (one.resource, one.access)).collect();
    assert_eq!(excess, [("refunds", Access::Write)]);
    assert!(report.is_alarm() && !report.is_exact());
}

#[tokio::test]
async fn a_missing_permission_is_named_for_the_editor_of_keys() {
    let mut answers = reads_only();
    answers[2] = denied();
    let (_, report) = report(Role::Read, "rk_test_wire123", answers).await;
    let lacking: Vec<_> = report.lacking().collect();
    assert_eq!((lacking.len(), lacking[0].resource), (1, "charges"));
    assert_eq!(lacking[0].state, State::Lacking { permission: "rak_charge_write".into() });
    assert!(!report.is_alarm(), "too little is no danger");
    assert_eq!(
        serde_json::to_value(lacking[0]).unwrap(),
        json!({ "resource": "charges", "access": "read", "needed": true, "state": "lacking",
            "permission": "rak_charge_write", "request_id": "req_TEST" })
    );
}

#[tokio::test]
async fn an_answer_that_does_not_tell_is_neither_held_nor_lacking() {
    let mut answers = reads_only();
    answers[1] = sample("bad_api_key");
    answers[2] = sample("rate_limited");
    answers[READS] = sample("api_error_500");
    let (_, report) = report(Role::Read, "rk_test_wire123", answers).await;
    let unclear: Vec<_> = report.unclear().map(|one| one.state.clone()).collect();
    assert_eq!(unclear, [401, 429, 500].map(|status| State::Unclear { status: Some(status) }));
    assert!(!report.is_exact() && !report.is_alarm());
    assert_eq!(report.lacking().count() + report.excess().count(), 0);
}

#[tokio::test]
async fn nobody_at_home_is_unclear() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let base = Base::new(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    drop(listener);
    let key = ApiKey::new(&"rk_test_wire123".into()).unwrap();
    let report = Probe::new(http(), base, Duration::from_secs(5)).report(Role::Write, &key).await;
    assert!(report.findings.iter().all(|one| one.state == State::Unclear { status: None }));
    assert_eq!(report.unclear().count(), 11, "charges and customers may stand beside what is gated");
}

#[tokio::test]
async fn a_secret_key_is_too_much_without_a_question() {
    for (role, alarm) in [(Role::Read, true), (Role::Write, false)] {
        let (requests, report) = report(role, "sk_test_wire123", Vec::new()).await;
        assert!(requests.is_empty() && report.findings.is_empty());
        assert_eq!((report.is_exact(), report.is_alarm()), (false, alarm));
    }
}
