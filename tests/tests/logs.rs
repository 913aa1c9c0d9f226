//! What must never be in a log. Alone in its file, so that no other test logs meanwhile.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::large_futures,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on fails"
)]

use sandbox::{people::FINANCE_LEAD, stripe::seed};
use serde_json::json;
use stories::World;

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
