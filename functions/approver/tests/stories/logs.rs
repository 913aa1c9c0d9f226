use sandbox::people::{FINANCE_LEAD, FINANCE_SECOND};

use crate::world::{Browser, LOGS, World};

#[tokio::test]
async fn abuse_67_neither_secrets_nor_people_are_logged_by_any_test() {
    let world = World::new().await;
    let (id, _) = world.proposed(1999).await;
    let link = world.link_of(FINANCE_LEAD);
    let mut finance = world.browser(FINANCE_LEAD).await;
    let session = finance.cookies["__Host-session"].clone();
    let (_, csrf) = finance.token(&id).await;
    world.browser(FINANCE_SECOND).await.get(&link).await;
    Browser::new(&world.app).get("/sign-in/callback?code=canary-code&state=canary-state").await;
    Browser::new(&world.app).get(&format!("/a/{id}?t=canary-token")).await;
    finance.decide(&id, "approve").await;
    world.sandbox.slack.fail("chat.postMessage", sandbox::slack::Fault::ServerError, 9);
    world.proposed_silently(500).await;

    let logged = LOGS.text();
    assert!(logged.contains(id.as_str()) && logged.contains("a vote was counted"), "{logged}");
    let keys = &world.sandbox.keys;
    let token = link.split("?t=").nth(1).unwrap();
    for secret in [
        session.as_str(),
        &csrf,
        token,
        "canary",
        "Customer",
        "customer17",
        "Finance lead",
        &keys.stripe_read_key,
        &keys.stripe_write_key,
        &keys.slack_token,
        &keys.oidc_client_secret,
    ] {
        assert!(!logged.contains(secret), "{secret}: {logged}");
    }
}
