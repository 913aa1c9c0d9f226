//! 39 to 42 and 71: what somebody can do who writes the table and holds no key.

use std::{
    fs,
    path::{Path, PathBuf},
};

use aws_sdk_dynamodb::types::AttributeValue;
use domain::{
    ProposalId,
    approval::{Decision, Identity, Method, Receipt, ReceiptBody, ReceiptSigner, Stage},
    trail::{self, Entry},
};
use sandbox::{
    people::{FINANCE_LEAD, FINANCE_SECOND, TEAM},
    world::APPROVALS_TABLE,
};
use serde_json::Value;
use store::Vote;

use super::{overwrite, untouched};
use crate::world::{Browser, LOGS, World, person};

/// A proposal that needs two signatures and has one.
async fn half_signed(world: &World) -> ProposalId {
    let (id, _) = world.proposed(50_001).await;
    world.browser(FINANCE_LEAD).await.decide(&id, "approve").await;
    id
}

async fn stopped(world: &World, id: &ProposalId) {
    world.settle().await;
    let stage = world.stage(id).await;
    assert!(matches!(stage, Stage::Tampered { .. }), "{stage:?}");
    assert_eq!(world.writes().len(), 0);
    assert!(world.sandbox.slack.messages().last().unwrap().text.starts_with("Stopped"));
    let logged = LOGS.text();
    let mut alarms = logged.lines().filter(|line| line.contains("stored approvals do not verify"));
    assert!(alarms.any(|line| line.contains(id.as_str())), "an alarm watches this");
    let page = world.browser(FINANCE_SECOND).await.get(&format!("/a/{id}")).await;
    assert!(page.status == 200 && !page.body.contains("name=\"decision\""), "{}", page.body);
}

#[tokio::test]
async fn abuse_39_an_edited_action_is_never_sent() {
    let edits: [fn(&mut Value); 5] = [
        |row| row["proposal"]["action"]["operation"]["amount"]["amount"] = 99.into(),
        |row| row["proposal"]["action"]["operation"]["amount"]["currency"] = "jpy".into(),
        |row| row["proposal"]["action"]["need"] = 1.into(),
        |row| row["proposal"]["action"]["requester"] = "somebody-else".into(),
        |row| row["proposal"]["action"]["expires"] = 4_000_000_000_i64.into(),
    ];
    for edit in edits {
        let world = World::new().await;
        let id = half_signed(&world).await;
        let mut row = serde_json::to_value(world.file(&id).await.row.value).unwrap();
        edit(&mut row);
        overwrite(&world, &serde_json::from_value(row).unwrap()).await;
        stopped(&world, &id).await;
    }
    // With its digest it no longer is what the receipts are for.
    let world = World::new().await;
    let id = half_signed(&world).await;
    let mut row = world.file(&id).await.row.value;
    row.proposal.action.need = 1;
    row.proposal.digest = row.proposal.action.digest();
    overwrite(&world, &row).await;
    stopped(&world, &id).await;
}

#[tokio::test]
async fn abuse_40_a_row_that_claims_to_be_signed_sends_nothing() {
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
    row.look = world.now();
    overwrite(&world, &row).await;
    for _ in 0..4 {
        world.wait(4000);
        world.settle().await;
    }
    assert_eq!(world.stage(&id).await.name(), "unknown", "people look; nothing is sent");
    assert_eq!(world.writes().len(), 0);
}

/// Puts a vote that no page wrote.
async fn forge(world: &World, id: &ProposalId, voter: &str, seed: u8, change: impl FnOnce(&mut ReceiptBody)) {
    let file = world.file(id).await;
    let mut body = ReceiptBody {
        id: "rc_forged".into(),
        proposal: id.clone(),
        digest: file.proposal().digest,
        decision: Decision::Approve,
        voter: Identity { team: TEAM.into(), user: voter.into() },
        method: Method::Oidc,
        at: world.now(),
    };
    change(&mut body);
    let receipt = ReceiptSigner::new("r1", &[seed; 32]).unwrap().sign(body);
    put(world, id, voter, receipt).await;
}

async fn put(world: &World, id: &ProposalId, voter: &str, receipt: Receipt) {
    let file = world.file(id).await;
    let vote = Vote { person: person(&voter.to_lowercase()), receipt };
    let entry = file.proposal().trail.entry(id.as_str(), "voted", world.now(), "{}".into());
    world.approvals.vote(&file.row, &vote, &entry, world.now()).await.unwrap();
}

#[tokio::test]
async fn abuse_41_a_receipt_that_is_forged_copied_or_flipped_stops_everything() {
    let world = World::new().await;
    let (id, _) = world.proposed(1999).await;
    forge(&world, &id, FINANCE_LEAD, 9, |_| {}).await;
    stopped(&world, &id).await;

    // Honest ones: of another proposal, with another decision, and of another voter.
    let changes: [fn(&mut Receipt); 3] = [
        |_| {},
        |receipt| receipt.body.decision = Decision::Deny,
        |receipt| receipt.body.voter.user = FINANCE_SECOND.into(),
    ];
    for change in changes {
        let world = World::new().await;
        let other = half_signed(&world).await;
        let (id, _) = world.proposed(1999).await;
        let mut receipt = world.file(&other).await.votes[0].receipt.clone();
        change(&mut receipt);
        let digest = world.file(&id).await.proposal().digest;
        // The table itself asks for this digest, so a copy has to claim it.
        receipt.body.digest = digest;
        put(&world, &id, FINANCE_SECOND, receipt).await;
        stopped(&world, &id).await;
        assert_eq!(world.stage(&other).await, Stage::Pending);
    }
}

/// The shipped policy with one file changed, for a world.
struct Policy(PathBuf);

impl Policy {
    fn with(world: &World, file: &str, change: impl FnOnce(String) -> String) -> Self {
        let folder = std::env::temp_dir().join(format!("policy-{}", world.sandbox.keys.stripe_read_key));
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../infra/policy");
        copy(&shipped, &folder);
        let file = folder.join(file);
        let before = fs::read_to_string(&file).unwrap();
        let after = change(before.clone());
        assert_ne!(before, after);
        fs::write(file, after).unwrap();
        Self(folder)
    }

    /// Goes on with this policy.
    async fn applies(&self, world: &mut World) {
        world.set("POLICY_DIR", self.0.to_str().unwrap());
        world.app = world.instance().await;
    }
}

impl Drop for Policy {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

/// A proposal whose quorum voted and whose run died before it could act on it.
async fn voted(world: &World) -> ProposalId {
    let (id, _) = world.proposed(1999).await;
    vote_and_die(world, &id, FINANCE_LEAD).await;
    id
}

async fn vote_and_die(world: &World, id: &ProposalId, user: &str) {
    assert_eq!(world.file(id).await.proposal().action.need, 1);
    let dying = world.dying(approver::Checkpoints::new(|place| place == "voted")).await;
    let mut browser = world.browser(user).await;
    let (digest, csrf) = browser.token(id).await;
    let mut doomed = Browser { app: &dying, cookies: browser.cookies.clone(), clock: None };
    assert_eq!(doomed.vote(id, "approve", &digest, &csrf).await.status, 500);
    assert_eq!(world.file(id).await.votes.len(), 1);
    world.wait(61);
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[tokio::test]
async fn abuse_42_a_policy_that_asks_for_more_counts_at_once() {
    let mut world = World::new().await;
    let id = voted(&world).await;
    let stricter = Policy::with(&world, "approvals.toml", |text| {
        text.replacen("need = 1\nneed_above = 2", "need = 2\nneed_above = 3", 1)
    });
    stricter.applies(&mut world).await;
    world.settle().await;
    assert_eq!((world.stage(&id).await, world.writes().len()), (Stage::Pending, 0), "the stricter one wins");
    let answer = world.browser(FINANCE_SECOND).await.decide(&id, "approve").await;
    assert!(answer.body.contains("Approved and done"), "{}", answer.body);
    assert_eq!(world.writes().len(), 1);
}

#[tokio::test]
async fn abuse_87_what_the_policy_allows_no_more_is_void_whoever_signed_it() {
    let mut world = World::new().await;
    let customer = world.sandbox.stripe.create_customer("Customer 23", "customer23@example.test").unwrap();
    let customer = customer["id"].as_str().unwrap();
    let credit = [("amount", "5.00"), ("currency", "usd")];
    let id =
        world.browser(FINANCE_LEAD).await.ask("customer_balance.credit", customer, &credit).await.proposal();
    vote_and_die(&world, &id, FINANCE_SECOND).await;
    let without = Policy::with(&world, "approvals.toml", |text| {
        let start = text.find("[approval.\"customer_balance.credit\"]").unwrap();
        let end = text.find("[approval.\"dispute.submit\"]").unwrap();
        format!("{}{}", &text[..start], &text[end..])
    });
    without.applies(&mut world).await;
    world.settle().await;
    assert!(matches!(world.stage(&id).await, Stage::Stale { .. }), "{:?}", world.stage(&id).await);
    let answer = world.browser(FINANCE_LEAD).await.ask("customer_balance.credit", customer, &credit).await;
    assert_eq!((answer.status, world.writes().len()), (422, 0), "{}", answer.body);
}

#[tokio::test]
async fn abuse_88_nobody_releases_by_a_rule_that_they_changed_last() {
    let mut world = World::new().await;
    let id = voted(&world).await;
    let (other, _) = world.proposed(2999).await;
    let (cookies, digest, csrf) = {
        let mut lead = world.browser(FINANCE_LEAD).await;
        let (digest, csrf) = lead.token(&other).await;
        (lead.cookies.clone(), digest, csrf)
    };
    // By the sealed manifest of the next bundle, the rule is the lead's, who voted before that was known.
    let theirs = Policy::with(&world, "manifest.toml", |text| {
        let rule = text.find("[rule.\"finance-signs-refunds\"]").unwrap();
        let (before, after) = text.split_at(rule);
        format!(
            "{before}{}",
            after.replacen("maintainers@countersign.example", "Finance-Lead@example.test", 1)
        )
    });
    theirs.applies(&mut world).await;
    world.settle().await;
    assert_eq!(
        (world.stage(&id).await, world.writes().len()),
        (Stage::Pending, 0),
        "their vote counts no more"
    );
    let before = world.file(&other).await;
    let mut lead = Browser { app: &world.app, cookies, clock: None };
    let page = lead.get(&format!("/a/{other}")).await;
    assert!(!page.body.contains("name=\"decision\"") && page.body.contains("changed"), "{}", page.body);
    assert_eq!(lead.vote(&other, "approve", &digest, &csrf).await.status, 403, "with the page of before");
    untouched(&world, &before).await;
    let answer = world.browser(FINANCE_SECOND).await.decide(&other, "approve").await;
    assert!(answer.body.contains("Approved and done"), "{}", answer.body);
    assert_eq!(world.writes().len(), 1);
}

#[tokio::test]
async fn abuse_71_a_trail_that_somebody_edited_is_found_at_its_first_bad_entry() {
    let world = World::new().await;
    let (id, _) = world.proposed(1999).await;
    world.browser(FINANCE_LEAD).await.decide(&id, "approve").await;
    let honest = world.file(&id).await;
    let verify = |entries: &[Entry]| {
        trail::verify(id.as_str(), entries, Some(honest.proposal().trail))
            .map(drop)
            .map_err(|why| why.to_string())
    };
    assert_eq!((verify(&honest.trail), honest.trail.len()), (Ok(()), 4));
    let item = |seq: usize| {
        let key = |text: String| AttributeValue::S(text);
        [("pk", key(format!("PROPOSAL#{id}"))), ("sk", key(format!("TRAIL#{seq:010}")))]
    };
    let edit = async |seq: usize, entry: &Entry| {
        let value = super::attribute(&serde_json::to_value(entry).unwrap());
        let [pk, sk] = item(seq);
        let update = world.dynamodb.update_item().table_name(APPROVALS_TABLE).key(pk.0, pk.1).key(sk.0, sk.1);
        let update =
            update.update_expression("SET entry = :entry").expression_attribute_values(":entry", value);
        update.send().await.unwrap();
    };
    for seq in 0..4 {
        let said = |found: Result<(), String>, what: &str| {
            let why = found.expect_err(what);
            assert!(
                why.contains(&format!("entry {seq} ")) || why.contains("ends after 3 of 4"),
                "{what} {seq}: {why}"
            );
        };
        let mut edited = honest.trail[seq].clone();
        edited.body = edited.body.replacen('{', "{ ", 1);
        edit(seq, &edited).await;
        said(verify(&world.file(&id).await.trail), "edited");
        edit(seq, &honest.trail[(seq + 1) % 4]).await;
        assert!(verify(&world.file(&id).await.trail).is_err(), "another one in its place");
        let [pk, sk] = item(seq);
        let delete = world.dynamodb.delete_item().table_name(APPROVALS_TABLE);
        delete.key(pk.0, pk.1).key(sk.0, sk.1).send().await.unwrap();
        said(verify(&world.file(&id).await.trail), "deleted");
        // An update of what is not there makes it again.
        edit(seq, &honest.trail[seq]).await;
        assert_eq!(verify(&world.file(&id).await.trail), Ok(()));
    }
    assert_eq!(world.writes().len(), 1);
}
