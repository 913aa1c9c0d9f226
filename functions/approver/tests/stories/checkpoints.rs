//! Signed checkpoints over every chain.

use domain::{
    approval::{ReceiptKeys, ReceiptSigner},
    trail::{Checkpoint, chain_name, verify_chain, verify_row},
};
use sandbox::people::FINANCE_LEAD;
use serde_json::{Value, json};

use crate::world::World;

async fn sign(world: &World) -> Value {
    approver::handle(&world.app, json!({ "schedule": "checkpoint" })).await.unwrap()
}

fn seed(world: &World) -> Vec<u8> {
    use base64::Engine as _;
    let set: Value = serde_json::from_str(&world.sandbox.keys.receipt_key).unwrap();
    base64::engine::general_purpose::STANDARD.decode(set["keys"][0]["key"].as_str().unwrap()).unwrap()
}

fn keys(world: &World) -> ReceiptKeys {
    let set: Value = serde_json::from_str(&world.sandbox.keys.receipt_key).unwrap();
    let id = set["keys"][0]["id"].as_str().unwrap();
    ReceiptKeys::new([ReceiptSigner::new(id, &seed(world)).unwrap().public()])
}

fn verifies(keys: &ReceiptKeys) -> impl Fn(&Checkpoint) -> bool {
    |one| keys.verify_bytes(&one.key, &one.statement.encode(), &one.signature)
}

#[tokio::test]
async fn a_checkpoint_names_what_grew_and_the_next_one_continues_it() {
    let world = World::new().await;
    let (first, _) = world.proposed(1999).await;
    assert_eq!(sign(&world).await, json!({ "signed": 1, "chains": 0 }), "too young to be sure of");
    world.wait(300);
    assert_eq!(sign(&world).await, json!({ "signed": 1, "chains": 1 }));
    assert_eq!(sign(&world).await, json!({ "signed": 0, "chains": 0 }), "no time has passed");
    world.wait(60);
    let (second, _) = world.proposed(2999).await;
    world.browser(FINANCE_LEAD).await.decide(&first, "approve").await;
    world.wait(301);
    assert_eq!(sign(&world).await, json!({ "signed": 1, "chains": 2 }));
    world.wait(3600);
    assert_eq!(sign(&world).await, json!({ "signed": 1, "chains": 0 }), "it says that nothing grew");

    let row = world.approvals.checkpoints_from(world.file(&first).await.trail[0].at).await.unwrap();
    assert_eq!(row.iter().map(|one| one.statement.number).collect::<Vec<_>>(), [0, 1, 2, 3]);
    let until = verify_row(&row, verifies(&keys(&world))).unwrap();
    assert_eq!(until, Some(world.now().plus(-300)));
    for id in [&first, &second] {
        let file = world.file(id).await;
        assert_eq!(row[2].statement.heads[&chain_name(id.as_str())], file.proposal().trail);
        verify_chain(id.as_str(), &file.trail, &row).unwrap();
        let cut = &file.trail[..file.trail.len() - 1];
        assert!(verify_chain(id.as_str(), cut, &row).is_err(), "a cut tail");
    }
    let later = world.approvals.checkpoints_from(world.file(&second).await.trail[0].at).await.unwrap();
    assert_eq!(later.first().map(|one| one.statement.number), Some(1), "and the one before");
}

#[tokio::test]
async fn two_runs_at_once_make_one_row() {
    let world = World::new().await;
    world.proposed(1999).await;
    world.wait(301);
    let other = world.instance().await;
    let run = async |app| approver::handle(app, json!({ "schedule": "checkpoint" })).await.unwrap();
    let (one, two) = tokio::join!(run(&world.app), run(&other));
    let signed = one["signed"].as_u64().unwrap() + two["signed"].as_u64().unwrap();
    let row = world.approvals.checkpoints_from(world.now()).await.unwrap();
    assert_eq!(signed, 1);
    assert_eq!(row.len(), 1);
    verify_row(&row, verifies(&keys(&world))).unwrap();
}
