//! From a request to the people who hear of it, or to the reason why nobody does.

use domain::{ProposalId, approval::Identity};
use sandbox::people::{SUPPORT, TEAM};

use crate::world::{World, deliver, person};

#[tokio::test]
async fn who_no_rule_lets_sign_cannot() {
    let world = World::new().await;
    let charge = world.charge(1999);
    world.ask_in_stripe(&charge, "duplicate");
    let request = world.request(&charge).await;
    deliver(&world.app, &request).await;
    let id = ProposalId::of(&request, 0);
    let page = world.browser(SUPPORT).await.get(&format!("/a/{id}")).await;
    assert!(page.body.contains("No rule of the policy"), "{}", page.body);
    assert!(!page.body.contains("name=\"decision\""));
}

#[tokio::test]
async fn a_request_that_stripe_does_not_bear_out_is_recorded_and_told_once() {
    let world = World::new().await;
    let unclear = world.charge(1999);
    world.ask_in_stripe(&unclear, "fraudulent");
    let silent = world.charge(1999);
    for charge in [unclear, silent, "ch_nowhere".into()] {
        let request = world.request(&charge).await;
        for _ in 0..2 {
            assert_eq!(deliver(&world.app, &request).await["batchItemFailures"], serde_json::json!([]));
            world.wait(1);
        }
        assert!(world.approvals.refusal(&request).await.unwrap().is_some(), "{charge}");
    }
    assert_eq!(world.sandbox.slack.messages().len(), 3);
    assert!(world.approvals.proposals().await.unwrap().is_empty());
}

#[tokio::test]
async fn one_account_that_cannot_be_written_to_keeps_nobody_else_from_hearing() {
    let world = World::new().await;
    let gone = domain::approval::Person {
        id: person("a-former-colleague"),
        name: "Somebody who left".into(),
        identities: vec![Identity { team: TEAM.into(), user: "U0NOBODY".into() }],
        groups: vec!["finance".into()],
        kind: domain::approval::PersonKind::Member,
        active: true,
        emails: Vec::new(),
        limits: [].into(),
    };
    world.approvals.put_person(&gone).await.unwrap();
    let (id, _) = world.proposed(1999).await;
    let told = world.sandbox.slack.messages();
    let asked = told.iter().filter(|message| message.text == "Your approval is asked for").count();
    assert_eq!(asked, 2);
    assert!(world.file(&id).await.row.value.notified);
}
