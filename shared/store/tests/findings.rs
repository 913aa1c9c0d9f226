//! Findings, places and reasons against real conditional writes.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on fails"
)]

use domain::{
    CaseKey, CaseKind, CustomerId, Envelope, EventId, ObjectId, RunId, Timestamp,
    finding::{Finding, FindingKind, FindingRow},
    plan::{Step, StepKind},
    trail,
};
use runtime::{Env, aws::Aws};
use sandbox::Loopback;
use store::{Cases, Versioned};

const NOW: Timestamp = Timestamp::from_seconds(1_790_000_000);

async fn cases() -> (Loopback, Cases) {
    let tables = sandbox::dynamodb::serve(0, None).await.unwrap();
    let url = tables.url();
    let env = Env::from([
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("AWS_ENDPOINT_URL", url.as_str()),
    ]);
    let client = Aws::from_env(&env).unwrap().dynamodb();
    store::schema::create(&client, "cases").await.unwrap();
    (tables, Cases::new(client, "cases"))
}

fn finding(customer: &str) -> Finding {
    Finding {
        kind: FindingKind::Drift,
        what: "access_off".into(),
        subject: customer.into(),
        customer: CustomerId::parse(customer).ok(),
        headline: "A subscription is active and access is off".into(),
        values: [("application.access".to_owned(), "off".to_owned())].into(),
        repair: "Restore access".into(),
    }
}

fn step(customer: &str, revision: &str) -> Step {
    let case = CaseKey::new(CaseKind::Status, ObjectId::parse(customer).unwrap());
    Step::new(&case, CustomerId::parse(customer).ok(), StepKind::Note { text: "found".into() }, revision)
}

fn run() -> RunId {
    RunId::parse("r1").unwrap()
}

async fn put(
    cases: &Cases,
    before: &Versioned<Option<FindingRow>>,
    customer: &str,
    steps: &[Step],
) -> Result<FindingRow, store::StoreError> {
    let (row, entry) = FindingRow::found(before.value.as_ref(), finding(customer), NOW).unwrap();
    cases.put_finding(before.version, &row, &entry, steps, &run(), NOW.plus(90)).await?;
    Ok(row)
}

#[tokio::test]
async fn a_finding_and_its_step_are_written_once_and_two_runs_cannot_both_tell() {
    let (_tables, cases) = cases().await;
    let nothing = cases.finding("drift:access_off:cus_1").await.unwrap();
    assert_eq!(nothing.value, None);
    put(&cases, &nothing, "cus_1", &[step("cus_1", "1")]).await.unwrap();
    let other_run = FindingRow::found(None, finding("cus_1"), NOW.plus(1)).unwrap();
    let lost = cases.put_finding(0, &other_run.0, &other_run.1, &[], &run(), NOW.plus(90)).await;
    assert!(lost.unwrap_err().is_conflict(), "the other run was faster");
    let case = CaseKey::new(CaseKind::Status, ObjectId::parse("cus_1").unwrap());
    assert_eq!(cases.steps(&case).await.unwrap().len(), 1);
    assert_eq!(cases.due_steps("note", NOW.plus(91), 9).await.unwrap().rows.len(), 1, "it is in the outbox");
}

#[tokio::test]
async fn while_the_kill_switch_is_on_no_step_of_a_finding_is_written_and_neither_is_the_finding() {
    let (_tables, cases) = cases().await;
    cases.freeze().await.unwrap();
    let nothing = cases.finding("drift:access_off:cus_1").await.unwrap();
    assert!(put(&cases, &nothing, "cus_1", &[step("cus_1", "1")]).await.unwrap_err().is_conflict());
    assert_eq!(cases.finding("drift:access_off:cus_1").await.unwrap().value, None);
}

#[tokio::test]
async fn only_open_findings_are_listed_and_their_trail_holds_to_the_end() {
    let (_tables, cases) = cases().await;
    for customer in ["cus_1", "cus_2"] {
        let before = cases.finding(&finding(customer).id()).await.unwrap();
        put(&cases, &before, customer, &[]).await.unwrap();
    }
    let open = cases.findings(FindingKind::Drift, 9).await.unwrap();
    assert_eq!(open.len(), 2);
    assert_eq!(cases.findings(FindingKind::Deadline, 9).await.unwrap(), []);
    let (gone, entry) = open[0].value.resolved(NOW.plus(60));
    cases.put_finding(open[0].version, &gone, &entry, &[], &run(), NOW.plus(150)).await.unwrap();
    let open = cases.findings(FindingKind::Drift, 9).await.unwrap();
    assert_eq!(open.len(), 1, "what is gone costs nothing any more");
    let entries = cases.entries(NOW, NOW.plus(61)).await.unwrap();
    let chain: Vec<_> = entries.into_iter().filter(|entry| entry.subject == gone.finding.id()).collect();
    trail::verify(&gone.finding.id(), &chain, Some(gone.trail)).unwrap();
    assert_eq!(cases.entries(NOW, NOW).await.unwrap(), [], "the end is not included");
}

#[tokio::test]
async fn a_round_remembers_its_place_and_begins_anew() {
    let (_tables, cases) = cases().await;
    assert_eq!(cases.place("round").await.unwrap(), None);
    cases.set_place("round", Some("sub_1")).await.unwrap();
    assert_eq!(cases.place("round").await.unwrap().as_deref(), Some("sub_1"));
    cases.set_place("round", None).await.unwrap();
    assert_eq!(cases.place("round").await.unwrap(), None);
}

#[tokio::test]
async fn the_reason_of_a_failed_turn_is_kept_by_the_run_that_holds_the_event_and_by_no_other() {
    let (_tables, cases) = cases().await;
    let event: Envelope = serde_json::from_value(serde_json::json!({
        "id": "evt_1", "type": "invoice.paid", "object": "in_1", "livemode": false,
        "created": 1, "received": 2, "endpoint": "default",
    }))
    .unwrap();
    cases.claim(&event, &run(), NOW, NOW.plus(90)).await.unwrap();
    cases.note_failure(&event.id, &RunId::parse("r2").unwrap(), "store").await.unwrap();
    assert_eq!(cases.event(&event.id).await.unwrap().unwrap().failure, None);
    cases.note_failure(&event.id, &run(), "stripe").await.unwrap();
    assert_eq!(cases.event(&event.id).await.unwrap().unwrap().failure.as_deref(), Some("stripe"));
    let ids = [event.id.clone(), EventId::parse("evt_2").unwrap()];
    assert_eq!(cases.unfinished(&ids).await.unwrap(), ids, "held is not finished");
    assert_eq!(cases.unseen(&ids).await.unwrap(), ids[1..], "but seen");
}
