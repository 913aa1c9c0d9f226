//! The table of approvals, against a DynamoDB stand-in.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "helpers of tests panic as tests do"
)]

use domain::{
    AccountId, ChargeId, Currency, Digest, Money, PersonId, ProposalId, RequestId, RunId, Timestamp,
    approval::{
        Action, Attempt, Decision, Facts, Identity, Method, Operation, Person, PersonKind, Proposal,
        ReceiptBody, ReceiptSigner, RefundReason, Stage,
    },
    snapshot::{Charge, ChargeStatus},
    trail,
};
use sandbox::Loopback;
use store::{
    Approvals, Dossier, Freeze, ProposalRow, Proposed, Reissue, Session, Versioned, Vote, VoteError,
};

const NOW: Timestamp = Timestamp::from_seconds(1_790_000_000);

struct Table {
    approvals: Approvals,
    client: aws_sdk_dynamodb::Client,
    _server: Loopback,
}

async fn table() -> Table {
    let server = sandbox::dynamodb::serve(0, None).await.unwrap();
    let env = runtime::Env::from([
        ("AWS_REGION", "eu-central-1"),
        ("AWS_ACCESS_KEY_ID", "local"),
        ("AWS_SECRET_ACCESS_KEY", "local"),
        ("AWS_ENDPOINT_URL", &server.url()),
    ]);
    let client = runtime::aws::Aws::from_env(&env).unwrap().dynamodb();
    store::schema::create(&client, "approvals").await.unwrap();
    Table { approvals: Approvals::new(client.clone(), "approvals"), client, _server: server }
}

fn person(id: &str) -> PersonId {
    PersonId::parse(id).unwrap()
}

fn request() -> RequestId {
    RequestId::parse("rq_1").unwrap()
}

fn row(generation: u32) -> ProposalRow {
    let usd = |amount| Money::new(amount, Currency::parse("usd").unwrap());
    let charge = ChargeId::parse("ch_1").unwrap();
    let facts = Charge {
        id: charge.clone(),
        status: ChargeStatus::Succeeded,
        amount: usd(1999),
        amount_refunded: usd(0),
        disputed: false,
        captured: true,
        customer: None,
        payment_intent: None,
        latest_refund: None,
        outcome: None,
        refund_request: None,
        livemode: false,
        issuer: None,
        metadata: domain::snapshot::Metadata::default(),
        created: NOW,
    };
    let action = Action {
        proposal: ProposalId::of(&request(), generation),
        account: AccountId::parse("acct_1").unwrap(),
        livemode: false,
        operation: Operation::Refund { charge, amount: usd(1999), reason: RefundReason::RequestedByCustomer },
        metadata: [].into(),
        snapshot: facts.digest(),
        requester: person("agent"),
        source: None,
        customer_text: Digest::of(""),
        policy: "policy-1".into(),
        need: 1,
        created: NOW,
        expires: NOW.plus(3600),
    };
    let dossier = Dossier {
        request: request(),
        generation,
        case: None,
        why: "asked for".into(),
        facts: Facts::Charge(facts),
        customer: None,
        replaces: None,
    };
    ProposalRow::new(Proposal::new(action), dossier)
}

/// A new row as it is proposed, with the first entry of its trail.
fn proposed(generation: u32) -> (ProposalRow, trail::Entry) {
    let mut row = row(generation);
    let entry = trail::Head::START.entry(row.id().as_str(), "proposed", NOW, "{}".into());
    row.proposal.trail = entry.head();
    (row, entry)
}

async fn open(table: &Table) -> Versioned<ProposalRow> {
    let (row, entry) = proposed(0);
    assert_eq!(table.approvals.propose(&row, &entry, None).await.unwrap(), Proposed::New);
    Versioned { value: row, version: 1 }
}

fn next(before: &Versioned<ProposalRow>, event: &str, at: Timestamp) -> trail::Entry {
    before.value.proposal.trail.entry(before.value.id().as_str(), event, at, "{}".into())
}

fn vote(before: &Versioned<ProposalRow>, who: &str, at: Timestamp) -> Vote {
    let receipt = ReceiptSigner::new("r1", &[7; 32]).unwrap().sign(ReceiptBody {
        id: format!("rc_{who}"),
        proposal: before.value.id().clone(),
        digest: before.value.proposal.digest,
        decision: Decision::Approve,
        voter: Identity { team: "T1".into(), user: who.into() },
        method: Method::Oidc,
        at,
    });
    Vote { person: person(who), receipt }
}

fn executing(run: &str, at: Timestamp) -> Stage {
    Stage::Executing(Attempt {
        run: RunId::parse(run).unwrap(),
        lease: at.plus(60),
        first: at,
        tries: 1,
        unknown: None,
    })
}

fn executed(at: Timestamp) -> Stage {
    Stage::Executed { effect: "re_1".into(), request: None, at }
}

#[tokio::test]
async fn a_redelivered_request_makes_no_second_proposal() {
    let table = table().await;
    open(&table).await;
    let (row, _) = proposed(0);
    let entry = trail::Head::START.entry(row.id().as_str(), "proposed", NOW.plus(1), "{}".into());
    assert_eq!(table.approvals.propose(&row, &entry, None).await.unwrap(), Proposed::Known);
    let file = table.approvals.proposal(row.id()).await.unwrap().unwrap();
    assert_eq!((file.row.value, file.trail.len()), (row, 1));
}

#[tokio::test]
async fn an_object_has_one_open_proposal_until_that_one_ends() {
    let table = table().await;
    let first = open(&table).await;
    let (second, entry) = proposed(1);
    let occupied = Proposed::Occupied(first.value.id().clone());
    assert_eq!(table.approvals.propose(&second, &entry, None).await.unwrap(), occupied);
    let end = next(&first, "expired", NOW.plus(3600));
    table
        .approvals
        .transition(&first, Stage::Expired { at: NOW.plus(3600) }, &end, NOW.plus(3600))
        .await
        .unwrap();
    assert_eq!(table.approvals.propose(&second, &entry, None).await.unwrap(), Proposed::New);
}

#[tokio::test]
async fn a_vote_is_written_with_its_receipt_and_its_trail() {
    let table = table().await;
    let before = open(&table).await;
    let entry = next(&before, "voted", NOW.plus(9));
    let cast = vote(&before, "U1", NOW.plus(9));
    table.approvals.vote(&before, &cast, &entry, NOW.plus(69)).await.unwrap();
    let file = table.approvals.proposal(before.value.id()).await.unwrap().unwrap();
    assert_eq!((file.receipts(), file.votes.len()), (vec![cast.receipt.clone()], 1));
    assert_eq!(file.row.version, 2);
    trail::verify(before.value.id().as_str(), &file.trail, Some(file.proposal().trail)).unwrap();
    assert!(table.approvals.due(NOW.plus(68), 9).await.unwrap().is_empty());
    assert_eq!(
        table.approvals.due(NOW.plus(69), 9).await.unwrap().len(),
        1,
        "somebody looks after the quorum"
    );
}

#[tokio::test]
async fn the_same_person_votes_once() {
    let table = table().await;
    let before = open(&table).await;
    let entry = next(&before, "voted", NOW);
    let after = table.approvals.vote(&before, &vote(&before, "U1", NOW), &entry, NOW.plus(60)).await.unwrap();
    let entry = next(&after, "voted", NOW.plus(1));
    let again = table.approvals.vote(&after, &vote(&after, "U1", NOW.plus(1)), &entry, NOW.plus(61)).await;
    assert!(matches!(again, Err(VoteError::Voted)), "{again:?}");
}

#[tokio::test]
async fn a_vote_that_is_late_frozen_or_by_the_requester_is_not_written() {
    let table = table().await;
    let before = open(&table).await;
    let try_it = async |who, at: Timestamp| {
        let entry = next(&before, "voted", at);
        table.approvals.vote(&before, &vote(&before, who, at), &entry, at.plus(60)).await
    };
    assert!(try_it("U1", NOW.plus(3600)).await.unwrap_err().is_conflict());
    assert!(try_it("agent", NOW).await.unwrap_err().is_conflict());
    let freeze = Freeze { by: person("U9"), why: "drill".into(), at: NOW };
    table.approvals.freeze(&freeze).await.unwrap();
    assert_eq!(table.approvals.frozen().await.unwrap(), Some(freeze));
    assert!(matches!(try_it("U1", NOW).await, Err(VoteError::Frozen)));
    table.approvals.unfreeze().await.unwrap();
    assert!(try_it("U1", NOW).await.is_ok());
}

#[tokio::test]
async fn of_twenty_claims_one_wins() {
    let table = table().await;
    let before = open(&table).await;
    let claims = (0..20).map(|run| {
        let (approvals, before) = (table.approvals.clone(), before.clone());
        tokio::spawn(async move {
            let entry = next(&before, "claimed", NOW);
            approvals.transition(&before, executing(&format!("run{run}"), NOW), &entry, NOW).await.is_ok()
        })
    });
    let mut won = 0;
    for claim in claims.collect::<Vec<_>>() {
        won += usize::from(claim.await.unwrap());
    }
    assert_eq!(won, 1);
}

#[tokio::test]
async fn a_claim_is_refused_when_it_is_late_or_everything_is_stopped() {
    let table = table().await;
    let before = open(&table).await;
    let claim = async |at: Timestamp| {
        table.approvals.transition(&before, executing("run1", at), &next(&before, "claimed", at), at).await
    };
    assert!(claim(NOW.plus(3600)).await.unwrap_err().is_conflict());
    table.approvals.freeze(&Freeze { by: person("U9"), why: "drill".into(), at: NOW }).await.unwrap();
    assert!(matches!(claim(NOW).await, Err(VoteError::Frozen)));
}

#[tokio::test]
async fn an_object_has_one_execution_at_a_time_and_is_free_again_afterwards() {
    let table = table().await;
    let before = open(&table).await;
    let claimed = table
        .approvals
        .transition(&before, executing("run1", NOW), &next(&before, "claimed", NOW), NOW)
        .await
        .unwrap();
    // Another proposal for the same object, as if it were for another operation.
    let (other, entry) = proposed(1);
    let slot = [("pk", "OPEN#ch_1#refund.create"), ("sk", "OPEN")];
    let slot = slot
        .map(|(name, value)| (name.to_owned(), aws_sdk_dynamodb::types::AttributeValue::S(value.to_owned())));
    table.client.delete_item().table_name("approvals").set_key(Some(slot.into())).send().await.unwrap();
    assert_eq!(table.approvals.propose(&other, &entry, None).await.unwrap(), Proposed::New);
    let other = Versioned { value: other, version: 1 };
    let claim = async |at: Timestamp| {
        table.approvals.transition(&other, executing("run2", at), &next(&other, "claimed", at), at).await
    };
    assert!(claim(NOW.plus(1)).await.unwrap_err().is_conflict(), "the object is locked");
    assert!(claim(NOW.plus(61)).await.is_ok(), "a lock ends with its lease");
    // Slot and lock belong to the other one by now. The end is recorded, and they stay with it.
    let end = next(&claimed, "executed", NOW.plus(62));
    table.approvals.transition(&claimed, executed(NOW.plus(62)), &end, NOW.plus(62)).await.unwrap();
    let (third, entry) = proposed(2);
    let occupied = Proposed::Occupied(other.value.id().clone());
    assert_eq!(table.approvals.propose(&third, &entry, None).await.unwrap(), occupied);
}

#[tokio::test]
async fn a_settled_proposal_leaves_the_open_list_and_heads_the_decided_one() {
    let table = table().await;
    let before = open(&table).await;
    let claimed = table
        .approvals
        .transition(&before, executing("run1", NOW), &next(&before, "claimed", NOW), NOW)
        .await
        .unwrap();
    assert_eq!(table.approvals.due(NOW.plus(60), 9).await.unwrap().len(), 1, "its lease ran out");
    let end = next(&claimed, "executed", NOW.plus(2));
    table.approvals.transition(&claimed, executed(NOW.plus(2)), &end, NOW.plus(2)).await.unwrap();
    assert!(table.approvals.open_proposals().await.unwrap().is_empty());
    assert_eq!(table.approvals.decided(5).await.unwrap().len(), 1);
    assert_eq!(table.approvals.proposals().await.unwrap().len(), 1);
    assert_eq!(table.approvals.trail(before.value.id()).await.unwrap().len(), 3);
    let (second, entry) = proposed(1);
    assert_eq!(table.approvals.propose(&second, &entry, None).await.unwrap(), Proposed::New);
}

#[tokio::test]
async fn a_denial_ends_the_proposal_with_its_receipt_even_while_everything_is_stopped() {
    let table = table().await;
    let before = open(&table).await;
    table.approvals.freeze(&Freeze { by: person("U9"), why: "drill".into(), at: NOW }).await.unwrap();
    let stage = Stage::Denied { by: person("U1"), at: NOW };
    let cast = vote(&before, "U1", NOW);
    table.approvals.deny(&before, stage.clone(), &cast, &next(&before, "denied", NOW)).await.unwrap();
    let file = table.approvals.proposal(before.value.id()).await.unwrap().unwrap();
    assert_eq!((&file.proposal().stage, file.votes.len()), (&stage, 1));
}

#[tokio::test]
async fn a_reissue_voids_the_old_and_opens_the_new_at_once() {
    let table = table().await;
    let before = open(&table).await;
    let (row, entry) = proposed(1);
    let stage = Stage::Stale { moved: "refunded".into(), at: NOW };
    let reissue = Reissue { row: &row, entry: &entry, most: None };
    table.approvals.reissue(&before, stage, &next(&before, "stale", NOW), &reissue, NOW).await.unwrap();
    let open = table.approvals.open_proposals().await.unwrap();
    assert_eq!(open.iter().map(|row| row.dossier.generation).collect::<Vec<_>>(), [1]);
    let (third, entry) = proposed(2);
    let occupied = Proposed::Occupied(row.id().clone());
    assert_eq!(table.approvals.propose(&third, &entry, None).await.unwrap(), occupied, "the slot went along");
}

#[tokio::test]
async fn a_move_from_an_old_version_is_a_conflict() {
    let table = table().await;
    let before = open(&table).await;
    table.approvals.set_notified(&before).await.unwrap();
    let stage = Stage::Expired { at: NOW };
    let late = table.approvals.transition(&before, stage, &next(&before, "expired", NOW), NOW).await;
    assert!(late.unwrap_err().is_conflict());
    assert_eq!(table.approvals.trail(before.value.id()).await.unwrap().len(), 1, "no entry without its move");
}

fn member(id: &str, user: &str) -> Person {
    Person {
        id: person(id),
        name: "Finance".into(),
        identities: vec![Identity { team: "T1".into(), user: user.into() }],
        groups: vec!["finance".into()],
        kind: PersonKind::Member,
        active: true,
        emails: Vec::new(),
        limits: [].into(),
    }
}

#[tokio::test]
async fn an_identity_belongs_to_one_person() {
    let table = table().await;
    let (one, two) = (member("one", "U1"), member("two", "U1"));
    table.approvals.put_person(&one).await.unwrap();
    assert!(table.approvals.put_person(&two).await.unwrap_err().is_conflict());
    assert_eq!(table.approvals.person_of(&one.identities[0]).await.unwrap(), Some(one.clone()));
    let moved = member("one", "U2");
    table.approvals.put_person(&moved).await.unwrap();
    assert_eq!(table.approvals.person_of(&one.identities[0]).await.unwrap(), None, "it was taken away");
    table.approvals.put_person(&two).await.unwrap();
    assert_eq!(table.approvals.people().await.unwrap().len(), 2);
    let shifted = Identity { team: "T1#".into(), user: "U1".into() };
    assert_eq!(table.approvals.person_of(&shifted).await.unwrap(), None);
}

#[tokio::test]
async fn a_session_counts_until_it_expires_or_is_ended() {
    let table = table().await;
    let token = Digest::of("token");
    let session = Session {
        person: person("one"),
        identity: Identity { team: "T1".into(), user: "U1".into() },
        started: NOW,
        expires: NOW.plus(60),
    };
    table.approvals.start_session(token, &session).await.unwrap();
    assert_eq!(table.approvals.session(token, NOW.plus(59)).await.unwrap(), Some(session));
    assert_eq!(table.approvals.session(token, NOW.plus(60)).await.unwrap(), None);
    assert_eq!(table.approvals.session(Digest::of("other"), NOW).await.unwrap(), None);
    table.approvals.end_session(token).await.unwrap();
    assert_eq!(table.approvals.session(token, NOW).await.unwrap(), None);
}

#[tokio::test]
async fn a_refused_request_is_recorded_once() {
    let table = table().await;
    let entry = trail::Head::START.entry("rq_1", "refused", NOW, "{}".into());
    assert!(table.approvals.refuse_request(&request(), &entry).await.unwrap());
    let again = trail::Head::START.entry("rq_1", "refused", NOW.plus(1), "{}".into());
    assert!(!table.approvals.refuse_request(&request(), &again).await.unwrap());
    assert_eq!(table.approvals.refusal(&request()).await.unwrap(), Some(entry));
}
