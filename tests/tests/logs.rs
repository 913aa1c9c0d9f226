//! What must never be in a log. Alone in its file, so that no other test logs meanwhile.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::large_futures,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on fails"
)]

use sandbox::{
    people::{FINANCE_LEAD, FINANCE_SECOND},
    stripe::seed,
};
use serde_json::json;
use stories::World;

/// The values of a field in the lines with this message.
fn values(log: &str, message: &str, field: &str) -> Vec<String> {
    let lines = log.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let said = lines.filter(|line| line["fields"]["message"] == message);
    said.filter_map(|line| line["fields"][field].as_str().map(str::to_owned)).collect()
}

#[tokio::test]
async fn one_trace_leads_from_the_delivery_to_the_execution_and_each_decision_is_one_line() {
    let log = stories::captured_log(async {
        let world = World::new().await;
        seed::day(&world.sandbox.stripe, 14, 7).unwrap();
        for event in world.handled_events() {
            world.deliver(&event).await;
        }
        world.work(|| None).await;
        world.work_approvals(|| None).await;
        for row in world.approvals().open_proposals().await.unwrap() {
            for who in [FINANCE_LEAD, FINANCE_SECOND] {
                world.browser(who).await.decide(row.id(), "approve").await;
            }
        }
        world.handled_events().len()
    });
    let (events, log) = log.await;
    let decided = values(&log, "decided", "trace");
    assert!(decided.len() <= events, "one line for each decision");
    let queued = values(&log, "queued", "trace");
    assert!(decided.iter().all(|trace| trace.len() == 32 && queued.contains(trace)));
    let moved = values(&log, "a proposal moved", "trace");
    assert!(!moved.is_empty() && moved.iter().all(|trace| decided.contains(trace)));
    assert!(values(&log, "a proposal moved", "event").contains(&"executed".to_owned()));
}

#[tokio::test]
async fn nothing_personal_and_no_secret_is_in_any_log() {
    let log = stories::captured_log(async {
        let world = World::new().await;
        seed::day(&world.sandbox.stripe, 56, 7).unwrap();
        for event in world.handled_events() {
            world.deliver(&event).await;
        }
        world.deliver_bytes(b"{\"email\":\"canary-body@example.test\"}").await;
        world.work(|| None).await;
        world.work_approvals(|| None).await;
        let mut finance = world.browser(FINANCE_LEAD).await;
        for row in world.approvals().open_proposals().await.unwrap() {
            finance.decide(&row.proposal.action.proposal, "approve").await;
        }
        approver::handle(&world.approver, json!({ "schedule": "settle" })).await.unwrap();
        let keys = &world.sandbox.keys;
        [
            keys.webhook_secret.clone(),
            keys.stripe_read_key.clone(),
            keys.stripe_write_key.clone(),
            keys.slack_token.clone(),
        ]
    });
    let (secrets, log) = log.await;
    assert!(log.contains("decided") && log.contains("evt_"), "there is a log");
    for canary in ["canary-", "example.test", "Customer ", "last4", "4242424242424242"]
        .iter()
        .copied()
        .chain(secrets.iter().map(String::as_str))
    {
        assert!(!log.contains(canary), "`{canary}` is in the log");
    }
}
