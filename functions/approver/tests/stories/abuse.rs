use aws_sdk_dynamodb::types::AttributeValue;
use domain::{
    Digest, ProposalId,
    approval::{Decision, Identity, Method, ReceiptBody, ReceiptSigner, Stage},
};
use sandbox::{
    people::{FINANCE_LEAD, FINANCE_SECOND, SUPPORT, TEAM},
    world::APPROVALS_TABLE,
};
use serde_json::Value;
use store::{Freeze, ProposalRow, Versioned, Vote};

use crate::world::{Browser, World, deliver, encoded, person};

#[tokio::test]
async fn nobody_approves_what_they_asked_for() {
    let world = World::new().await;
    let charge = world.charge(1999);
    let mut finance = world.browser(FINANCE_LEAD).await;
    let form = finance.get("/requests/new").await;
    let (nonce, csrf) = (form.field("nonce"), form.field("csrf"));
    let fields = [
        ("operation", "refund.create"),
        ("object", charge.as_str()),
        ("amount", "19.99"),
        ("reason", "duplicate"),
        ("why", ""),
        ("nonce", &nonce),
        ("csrf", &csrf),
    ];
    let here = finance.post("/requests", &fields).await.header("location").to_owned();
    let page = finance.get(&here).await;
    assert!(!page.body.contains("name=\"decision\""), "{}", page.body);
    // They make the request all the same, with a token made for somebody else's page.
    let id = ProposalId::parse(here.strip_prefix("/a/").unwrap()).unwrap();
    let digest = world.file(&id).await.proposal().digest.to_string();
    for csrf in ["", &csrf, &world.browser(FINANCE_SECOND).await.token(&id).await.1] {
        let fields = [("decision", "approve"), ("digest", digest.as_str()), ("csrf", csrf)];
        assert_eq!(finance.post(&here, &fields).await.status, 403);
    }
    assert_eq!(world.stage(&id).await, Stage::Pending);
    assert_eq!(world.writes().len(), 0);
}

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
async fn a_form_that_is_forged_late_or_of_another_page_counts_for_nothing() {
    let world = World::new().await;
    let (id, _) = world.proposed(1999).await;
    let (other, _) = world.proposed(2999).await;
    let here = format!("/a/{id}");
    let mut finance = world.browser(FINANCE_LEAD).await;
    let (digest, csrf) = finance.token(&id).await;
    let (other_digest, other_csrf) = finance.token(&other).await;
    let zero = Digest::ZERO.to_string();
    let cases: [(&[(&str, &str)], u16); 8] = [
        (&[("decision", "approve"), ("digest", &digest)], 400),
        (&[("decision", "approve"), ("digest", &digest), ("csrf", "")], 403),
        (&[("decision", "approve"), ("digest", &digest), ("csrf", &other_csrf)], 403),
        (&[("decision", "approve"), ("digest", &zero), ("csrf", &csrf)], 403),
        (&[("decision", "approve"), ("digest", &other_digest), ("csrf", &other_csrf)], 403),
        (&[("decision", "maybe"), ("digest", &digest), ("csrf", &csrf)], 400),
        (&[("decision", "approve"), ("digest", &digest), ("csrf", &csrf), ("extra", "1")], 400),
        (&[("decision", "deny"), ("decision", "approve"), ("digest", &digest), ("csrf", &csrf)], 400),
    ];
    for (fields, status) in cases {
        assert_eq!(finance.post(&here, fields).await.status, status, "{fields:?}");
    }
    let form = encoded(&[("decision", "approve"), ("digest", &digest), ("csrf", &csrf)]);
    let mut spoilt = async |change: &dyn Fn(&mut Value), status: u16| {
        let answer = finance.send("POST", &here, &form, |event| change(event)).await;
        assert_eq!(answer.status, status, "{}", answer.body);
    };
    spoilt(&|event| event["headers"]["origin"] = "https://evil.test".into(), 403).await;
    spoilt(&|event| event["headers"]["origin"] = "null".into(), 403).await;
    spoilt(&|event| drop(event["headers"].as_object_mut().unwrap().remove("origin")), 403).await;
    spoilt(&|event| event["headers"]["content-type"] = "text/plain".into(), 415).await;
    spoilt(&|event| event["headers"]["content-type"] = "application/json".into(), 415).await;
    spoilt(&|event| event["cookies"] = serde_json::json!([]), 403).await;
    let mut stranger = Browser::new(&world.app);
    assert_eq!(stranger.send("POST", &here, &form, |_| {}).await.status, 403);
    let mut colleague = world.browser(FINANCE_SECOND).await;
    assert_eq!(colleague.send("POST", &here, &form, |_| {}).await.status, 403, "another session's token");
    assert_eq!(world.file(&id).await.row.version, 2, "only the note that they were told");
    assert_eq!(world.writes().len(), 0);
}

#[tokio::test]
async fn a_digest_that_is_not_the_stored_one_is_a_conflict() {
    let world = World::new().await;
    let charge = world.charge(1999);
    world.ask_in_stripe(&charge, "requested_by_customer:500");
    let request = world.request(&charge).await;
    deliver(&world.app, &request).await;
    let id = ProposalId::of(&request, 0);
    let mut finance = world.browser(FINANCE_LEAD).await;
    let (digest, csrf) = finance.token(&id).await;
    // The proposal was edited after the page was shown: action and digest, consistently.
    let file = world.file(&id).await;
    let mut row = file.row.value.clone();
    row.proposal.action.need = 3;
    row.proposal.digest = row.proposal.action.digest();
    overwrite(&world, &row).await;
    let fields = [("decision", "approve"), ("digest", digest.as_str()), ("csrf", csrf.as_str())];
    assert_eq!(finance.post(&format!("/a/{id}"), &fields).await.status, 409);
    assert_eq!(world.writes().len(), 0);
}

#[tokio::test]
async fn a_double_click_is_one_vote_and_one_refund() {
    let world = World::new().await;
    let (id, _) = world.proposed(1999).await;
    let here = format!("/a/{id}");
    let mut finance = world.browser(FINANCE_LEAD).await;
    let (digest, csrf) = finance.token(&id).await;
    let fields = [("decision", "approve"), ("digest", digest.as_str()), ("csrf", csrf.as_str())];
    let mut second = Browser { app: &world.app, cookies: finance.cookies.clone(), clock: None };
    let (one, two) = tokio::join!(finance.post(&here, &fields), second.post(&here, &fields));
    let mut statuses = [one.status, two.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409]);
    assert_eq!(finance.post(&here, &fields).await.status, 409, "and again afterwards");
    assert_eq!((world.file(&id).await.votes.len(), world.refunds()), (1, 1));
}

#[tokio::test]
async fn a_charge_has_one_open_proposal() {
    let world = World::new().await;
    let (id, charge) = world.proposed(1999).await;
    let mut support = world.browser(SUPPORT).await;
    let form = support.get("/requests/new").await;
    let (nonce, csrf) = (form.field("nonce"), form.field("csrf"));
    let fields = [
        ("operation", "refund.create"),
        ("object", charge.as_str()),
        ("amount", "1.00"),
        ("reason", "duplicate"),
        ("why", ""),
        ("nonce", &nonce),
        ("csrf", &csrf),
    ];
    let answer = support.post("/requests", &fields).await;
    assert_eq!(answer.status, 409);
    assert!(answer.body.contains(&format!("/a/{id}")), "{}", answer.body);
    world.wait(3 * 86_400);
    let mut support = world.browser(SUPPORT).await;
    let form = support.get("/requests/new").await;
    let (nonce, csrf) = (form.field("nonce"), form.field("csrf"));
    let fields = [fields[0], fields[1], fields[2], fields[3], fields[4], ("nonce", &nonce), ("csrf", &csrf)];
    assert_eq!(support.post("/requests", &fields).await.status, 303, "the one that ran out makes room");
    assert!(matches!(world.stage(&id).await, Stage::Expired { .. }));
}

#[tokio::test]
async fn an_amount_that_cannot_be_is_told_so() {
    let world = World::new().await;
    let charge = world.charge(1999);
    let big = world.charge(2_000_000);
    let disputed = world.charge(1999);
    let due = world.clock.seconds() + 86_400;
    world.sandbox.stripe.open_dispute(&disputed, "fraudulent", 1999, due).unwrap();
    let mut support = world.browser(SUPPORT).await;
    for (charge, amount, words) in [
        (charge.as_str(), "20.00", "only 19.99 usd"),
        (&charge, "0", "more than nothing"),
        (&charge, "0.00", "more than nothing"),
        (&charge, "-1", "like 19.99"),
        (&charge, "1.999", "like 19.99"),
        (&charge, "1,000", "like 19.99"),
        (&charge, "99999999999999999999", "like 19.99"),
        (&big, "10000.01", "policy does not let"),
        (&disputed, "1", "disputed"),
        ("ch_nowhere", "1", "no such object"),
        ("../refunds", "1", "no such object"),
    ] {
        let form = support.get("/requests/new").await;
        let (nonce, csrf) = (form.field("nonce"), form.field("csrf"));
        let fields = [
            ("operation", "refund.create"),
            ("object", charge),
            ("amount", amount),
            ("reason", "duplicate"),
            ("why", ""),
            ("nonce", &nonce),
            ("csrf", &csrf),
        ];
        let answer = support.post("/requests", &fields).await;
        assert_eq!(answer.status, 422, "{charge} {amount}");
        assert!(answer.body.to_lowercase().contains(words), "{charge} {amount}: {}", answer.body);
    }
    assert!(world.approvals.proposals().await.unwrap().is_empty());
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
async fn while_everything_is_stopped_nothing_is_approved_and_denials_count() {
    let world = World::new().await;
    let (id, _) = world.proposed(50_001).await;
    world.browser(FINANCE_LEAD).await.decide(&id, "approve").await;
    let mut second = world.browser(FINANCE_SECOND).await;
    let (digest, csrf) = second.token(&id).await;
    let freeze = Freeze { by: person("admin"), why: "drill".into(), at: world.now() };
    world.approvals.freeze(&freeze).await.unwrap();
    let fields = [("decision", "approve"), ("digest", digest.as_str()), ("csrf", csrf.as_str())];
    assert_eq!(second.post(&format!("/a/{id}"), &fields).await.status, 423);
    assert_eq!(world.stage(&id).await, Stage::Pending);
    assert_eq!(second.decide(&id, "deny").await.status, 200);
    assert_eq!(world.writes().len(), 0);
}

#[tokio::test]
async fn a_vote_of_somebody_who_was_removed_since_does_not_count() {
    let world = World::new().await;
    let (id, _) = world.proposed(50_001).await;
    world.browser(FINANCE_LEAD).await.decide(&id, "approve").await;
    let all = world.approvals.people().await.unwrap();
    let mut lead = all.into_iter().find(|one| one.name == "Finance lead").unwrap();
    lead.groups.clear();
    world.approvals.put_person(&lead).await.unwrap();
    let answer = world.browser(FINANCE_SECOND).await.decide(&id, "approve").await;
    assert!(answer.body.contains("1 of 2 have signed"), "{}", answer.body);
    assert_eq!(world.writes().len(), 0);
}

/// Writes a row as somebody with access to the table would.
async fn overwrite(world: &World, row: &ProposalRow) {
    let value: AttributeValue = as_attribute(row);
    world
        .dynamodb
        .update_item()
        .table_name(APPROVALS_TABLE)
        .key("pk", AttributeValue::S(format!("PROPOSAL#{}", row.id())))
        .key("sk", AttributeValue::S("PROPOSAL".into()))
        .update_expression("SET proposal = :row, action_digest = :digest, due_at = :due")
        .expression_attribute_values(":row", value)
        .expression_attribute_values(":digest", AttributeValue::S(row.proposal.digest.to_string()))
        .expression_attribute_values(":due", AttributeValue::N("0".into()))
        .send()
        .await
        .unwrap();
}

fn as_attribute(row: &ProposalRow) -> AttributeValue {
    attribute(&serde_json::to_value(row).unwrap())
}

fn attribute(value: &Value) -> AttributeValue {
    match value {
        Value::Null => AttributeValue::Null(true),
        Value::Bool(flag) => AttributeValue::Bool(*flag),
        Value::Number(number) => AttributeValue::N(number.to_string()),
        Value::String(text) => AttributeValue::S(text.clone()),
        Value::Array(items) => AttributeValue::L(items.iter().map(attribute).collect()),
        Value::Object(map) => {
            AttributeValue::M(map.iter().map(|(name, value)| (name.clone(), attribute(value))).collect())
        }
    }
}

#[tokio::test]
async fn an_edited_action_is_never_sent() {
    let world = World::new().await;
    let (id, _) = world.proposed(50_001).await;
    world.browser(FINANCE_LEAD).await.decide(&id, "approve").await;
    let mut row = world.file(&id).await.row.value;
    row.proposal.action.need = 1;
    overwrite(&world, &row).await;
    world.settle().await;
    let stage = world.stage(&id).await;
    assert!(matches!(stage, Stage::Tampered { .. }), "{stage:?}");
    assert_eq!(world.writes().len(), 0);
}

#[tokio::test]
async fn an_action_edited_with_its_digest_does_not_match_the_receipts() {
    let world = World::new().await;
    let (id, _) = world.proposed(50_001).await;
    world.browser(FINANCE_LEAD).await.decide(&id, "approve").await;
    let mut row = world.file(&id).await.row.value;
    row.proposal.action.need = 1;
    row.proposal.digest = row.proposal.action.digest();
    overwrite(&world, &row).await;
    world.settle().await;
    assert!(matches!(world.stage(&id).await, Stage::Tampered { .. }));
    assert_eq!(world.writes().len(), 0);
}

/// Puts a vote that no page wrote.
async fn forge(world: &World, id: &ProposalId, voter: &str, seed: u8, decision: Decision) {
    let file = world.file(id).await;
    let receipt = ReceiptSigner::new("r1", &[seed; 32]).unwrap().sign(ReceiptBody {
        id: "rc_forged".into(),
        proposal: id.clone(),
        digest: file.proposal().digest,
        decision,
        voter: Identity { team: TEAM.into(), user: voter.into() },
        method: Method::Oidc,
        at: world.now(),
    });
    let vote = Vote { person: person(&voter.to_lowercase()), receipt };
    let before: Versioned<ProposalRow> = file.row.clone();
    let entry = before.value.proposal.trail.entry(id.as_str(), "voted", world.now(), "{}".into());
    world.approvals.vote(&before, &vote, &entry, world.now()).await.unwrap();
}

#[tokio::test]
async fn a_forged_receipt_stops_everything() {
    let world = World::new().await;
    let (id, _) = world.proposed(1999).await;
    forge(&world, &id, FINANCE_LEAD, 9, Decision::Approve).await;
    world.settle().await;
    assert!(matches!(world.stage(&id).await, Stage::Tampered { .. }));
    assert_eq!(world.writes().len(), 0);
    assert!(world.sandbox.slack.messages().last().unwrap().text.starts_with("Stopped"));
}

#[tokio::test]
async fn a_row_that_claims_to_be_executing_without_receipts_sends_nothing() {
    let world = World::new().await;
    let (id, _) = world.proposed(1999).await;
    let mut row = world.file(&id).await.row.value;
    row.proposal.stage = Stage::Executing(domain::approval::Attempt {
        run: domain::RunId::parse("run_forged").unwrap(),
        lease: world.now(),
        first: world.now(),
        tries: 1,
        unknown: None,
    });
    overwrite(&world, &row).await;
    for _ in 0..4 {
        world.wait(4000);
        world.settle().await;
    }
    assert_eq!(world.stage(&id).await.name(), "unknown", "people look; nothing is sent");
    assert_eq!(world.writes().len(), 0);
}

#[tokio::test]
async fn an_executed_proposal_cannot_be_made_to_run_again() {
    let world = World::new().await;
    let charge = world.charge(1999);
    world.ask_in_stripe(&charge, "requested_by_customer:500");
    let request = world.request(&charge).await;
    deliver(&world.app, &request).await;
    let id = ProposalId::of(&request, 0);
    world.second_signs(&id).await;
    let mut finance = world.browser(FINANCE_LEAD).await;
    let (digest, csrf) = finance.token(&id).await;
    finance.decide(&id, "approve").await;
    let fields = [("decision", "approve"), ("digest", digest.as_str()), ("csrf", csrf.as_str())];
    assert_eq!(finance.post(&format!("/a/{id}"), &fields).await.status, 409);
    deliver(&world.app, &request).await;
    // Somebody sets it back by hand: Stripe moved on, so it goes to people again.
    let mut row = world.file(&id).await.row.value;
    row.proposal.stage = Stage::Pending;
    row.look = world.now();
    overwrite(&world, &row).await;
    world.settle().await;
    assert_eq!((world.writes().len(), world.refunds()), (1, 1));
}

#[tokio::test]
async fn small_parts_of_a_large_refund_need_as_many_signatures_as_the_whole() {
    let world = World::new().await;
    let charge = world.charge(100_000);
    let mut support = world.browser(SUPPORT).await;
    let part = |amount: &'static str| [("amount", amount), ("reason", "requested_by_customer")];
    let first = support.ask("refund.create", &charge, &part("500.00")).await.proposal();
    assert_eq!(world.file(&first).await.proposal().action.need, 1);
    world.browser(FINANCE_LEAD).await.decide(&first, "approve").await;
    assert_eq!(world.refunds(), 1);

    let second = support.ask("refund.create", &charge, &part("1.00")).await.proposal();
    assert_eq!(world.file(&second).await.proposal().action.need, 2, "500 USD went back already");
    world.browser(FINANCE_LEAD).await.decide(&second, "approve").await;
    assert_eq!(world.refunds(), 1, "one signature is not enough");
    world.browser(FINANCE_SECOND).await.decide(&second, "approve").await;
    assert_eq!(world.refunds(), 2);
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
