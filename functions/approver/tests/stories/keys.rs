//! Keys that are rotated while links, sessions, votes and executions are under way.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use domain::approval::Stage;
use sandbox::{
    people::{FINANCE_LEAD, FINANCE_SECOND},
    world::Function,
};
use serde_json::{Value, json};

use crate::world::{Browser, NOW, World};

/// How long keys are used before they are read again.
const FRESH: u64 = 300;

impl World {
    fn secret(&self, variable: &str) -> String {
        self.sandbox.variables(Function::Approver)[variable].clone()
    }

    fn store(&self, variable: &str, value: &str) {
        self.sandbox.secrets.put(&self.secret(variable), value).unwrap();
    }

    /// As `countersign keys rotate` does: a new key from some time on, and an end for the old one.
    fn rotate(&self, variable: &str, before: &str, from: i64, until: i64) {
        let old: Value = serde_json::from_str(before).unwrap();
        let mut old = old["keys"][0].clone();
        old["until"] = until.into();
        let new = json!({ "id": "new", "key": STANDARD.encode([9; 32]), "from": from });
        self.store(variable, &json!({ "keys": [new, old] }).to_string());
    }
}

fn kid(link: &str) -> &str {
    link.split_once("?t=v1.").unwrap().1.split('.').next().unwrap()
}

#[tokio::test]
async fn a_link_of_the_key_before_opens_until_that_key_ends_and_never_after() {
    let world = World::new().await;
    let from = NOW + 600;
    world.rotate("LINK_KEYS_SECRET", &world.sandbox.keys.link_keys, from, from + 1200);
    world.wait(FRESH);
    world.proposed(1999).await;
    let old = world.link_of(FINANCE_LEAD);
    assert_eq!(kid(&old), "l1", "the new one does not sign yet, so that every instance knows it first");
    world.wait(600);
    world.proposed(2999).await;
    let new = world.link_of(FINANCE_LEAD);
    assert_eq!(kid(&new), "new");
    let mut browser = Browser::new(&world.app);
    assert_eq!(browser.get(&old).await.status, 200, "before its own hour is over");
    assert_eq!(browser.get(&new).await.status, 200);
    world.wait(1200);
    let refused = browser.get(&old).await;
    assert_eq!(refused.status, 404, "its key has ended");
    assert_eq!(browser.get(&new).await.status, 200);
    let unknown = browser.get(&new.replacen("v1.new.", "v1.l9.", 1)).await;
    assert_eq!((unknown.status, &unknown.body), (404, &refused.body), "a key that never was, told no apart");
    assert_eq!(world.writes().len(), 0);
}

#[tokio::test]
async fn a_page_that_was_opened_before_a_rotation_still_decides() {
    let world = World::new().await;
    let (id, _) = world.proposed(1999).await;
    let mut finance = world.browser(FINANCE_LEAD).await;
    let (digest, csrf) = finance.token(&id).await;
    world.rotate("SESSION_KEYS_SECRET", &world.sandbox.keys.session_keys, NOW, NOW + 7200);
    world.wait(FRESH);
    let fields = [("decision", "approve"), ("digest", digest.as_str()), ("csrf", csrf.as_str())];
    let answer = finance.post(&format!("/a/{id}"), &fields).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(world.writes().len(), 1);
}

#[tokio::test]
async fn receipts_of_the_old_and_the_new_key_make_one_quorum() {
    let world = World::new().await;
    let (id, _) = world.proposed(50_001).await;
    world.browser(FINANCE_LEAD).await.decide(&id, "approve").await;
    world.rotate("RECEIPT_KEY_SECRET", &world.sandbox.keys.receipt_key, NOW, NOW + 40 * 86_400);
    world.wait(FRESH);
    world.browser(FINANCE_SECOND).await.decide(&id, "approve").await;
    let keys: Vec<_> = world.file(&id).await.votes.iter().map(|vote| vote.receipt.key.clone()).collect();
    assert!(keys.contains(&"r1".to_owned()) && keys.contains(&"new".to_owned()), "{keys:?}");
    assert!(matches!(world.stage(&id).await, Stage::Executed { .. }));
    assert_eq!(world.writes().len(), 1);
}

#[tokio::test]
async fn a_receipt_of_a_key_that_counts_no_more_stops_everything() {
    let world = World::new().await;
    let (id, _) = world.proposed(50_001).await;
    world.browser(FINANCE_LEAD).await.decide(&id, "approve").await;
    // The key is known to be stolen, so it ends at once.
    world.rotate("RECEIPT_KEY_SECRET", &world.sandbox.keys.receipt_key, NOW, NOW + 1);
    world.wait(FRESH);
    world.browser(FINANCE_SECOND).await.decide(&id, "approve").await;
    assert!(matches!(world.stage(&id).await, Stage::Tampered { .. }));
    assert_eq!(world.writes().len(), 0);
}

#[tokio::test]
async fn keys_that_cannot_be_read_again_go_on_as_they_are() {
    let world = World::new().await;
    let (id, _) = world.proposed(1999).await;
    world.store("LINK_KEYS_SECRET", "broken");
    world.wait(FRESH);
    let answer = world.browser(FINANCE_LEAD).await.decide(&id, "approve").await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let env = crate::world::env(&world.sandbox, &[]);
    let clock: runtime::Clock = std::sync::Arc::new(|| domain::Timestamp::from_seconds(NOW));
    assert!(approver::App::from_env(&env, clock).await.is_err(), "but nothing starts with them");
}

#[tokio::test]
async fn abuse_74_a_write_key_that_was_replaced_meanwhile_is_read_once_more_and_one_refund_is_made() {
    let world = World::new().await;
    let (id, _) = world.proposed(1999).await;
    let good = world.sandbox.keys.stripe_write_key.clone();
    world.store("STRIPE_WRITE_KEY_SECRET", "rk_test_rolledlongago");
    let old = world.instance().await;
    world.store("STRIPE_WRITE_KEY_SECRET", &good);
    let mut finance = Browser { clock: Some(world.clock.clone()), ..Browser::new(&old) };
    finance.sign_in(FINANCE_LEAD, "/").await;
    finance.decide(&id, "approve").await;
    assert!(matches!(world.stage(&id).await, Stage::Executed { .. }));
    assert_eq!(world.refunds(), 1);
    let keys: std::collections::BTreeSet<_> =
        world.writes().into_iter().filter_map(|write| write.idempotency_key).collect();
    assert_eq!(keys.len(), 1, "the same key");
}

#[tokio::test]
async fn a_write_key_that_is_refused_and_still_stored_is_tried_once() {
    let world = World::new().await;
    let (id, _) = world.proposed(1999).await;
    world.store("STRIPE_WRITE_KEY_SECRET", "rk_test_rolledlongago");
    let app = world.instance().await;
    let mut finance = Browser { clock: Some(world.clock.clone()), ..Browser::new(&app) };
    finance.sign_in(FINANCE_LEAD, "/").await;
    finance.decide(&id, "approve").await;
    assert!(matches!(world.stage(&id).await, Stage::Executing(_)), "it waits for a key that works");
    assert_eq!(world.refunds(), 0);
}
