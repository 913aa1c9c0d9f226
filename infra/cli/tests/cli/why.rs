//! `why`: from a running pipeline and from a table.

use domain::{Envelope, EventId, RunId, Timestamp};
use runtime::{Env, aws::Aws};
use serde_json::json;
use store::{Cases, EventOutcome};

use crate::support::{Local, Ran, countersign};

async fn run(arguments: &[&str], variables: &[(&str, &str)]) -> Ran {
    let mut command = countersign(arguments);
    command.envs(variables.iter().copied());
    tokio::task::spawn_blocking(move || Ran::of(&mut command, b"")).await.unwrap()
}

#[tokio::test]
async fn an_invoice_its_customer_and_its_event_lead_to_the_same_case_and_an_unknown_event_to_none() {
    let local = Local::start(&["--no-seed"]);
    let event = json!({
        "id": "evt_1",
        "object": "event",
        "api_version": "2026-10-28.endive",
        "created": 1_790_000_000,
        "livemode": false,
        "pending_webhooks": 1,
        "request": null,
        "type": "invoice.payment_failed",
        "data": { "object": { "id": "in_1Test", "object": "invoice", "customer": "cus_1Test" } },
    });
    assert_eq!(local.deliver(&event).await, 200);
    local.until("the event is decided", |board| board["events"][0]["outcome"] == "decided").await;
    let why = async |object: &str| run(&["why", object, "--api", local.at("api")], &[]).await;

    for object in ["in_1Test", "cus_1Test", "evt_1"] {
        let ran = why(object).await;
        assert_eq!(ran.code, 0, "{object}: {}", ran.error);
        assert!(ran.out.contains("Case recovery:in_1Test: open"), "{object}: {}", ran.out);
        assert!(ran.out.contains("Found: gone"), "{}", ran.out);
        assert!(ran.out.contains("[escalate-unknown]"), "{}", ran.out);
        assert!(ran.out.contains("Step alert"), "{}", ran.out);
        assert!(ran.out.contains("Looked at again"), "{}", ran.out);
    }
    let event = why("evt_1").await.out;
    assert!(event.contains("evt_1 (invoice.payment_failed) was received at "), "{event}");
    let part = why("in_1Tes").await;
    assert_eq!(part.code, 1, "a part of an id is another id: {}", part.out);
    let never = why("evt_2").await;
    assert_eq!(never.code, 1);
    assert!(
        never.out.contains("never received") && never.out.contains("events resend evt_2"),
        "{}",
        never.out
    );
    let wrong = run(&["why", "in_1Test", "--api", "http://127.0.0.1:1"], &[]).await;
    assert!(wrong.code == 2 && wrong.error.contains("nothing answers"), "{}", wrong.error);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_starts_no_work_and_one_that_was_refused_say_so_from_the_table() {
    let tables = sandbox::dynamodb::serve(0, None).await.unwrap();
    let url = tables.url();
    let variables = [
        ("AWS_REGION", "eu-central-1"),
        ("AWS_ACCESS_KEY_ID", "local"),
        ("AWS_SECRET_ACCESS_KEY", "local"),
        ("AWS_ENDPOINT_URL", url.as_str()),
    ];
    let client = Aws::from_env(&Env::from(variables)).unwrap().dynamodb();
    store::schema::create(&client, "cases").await.unwrap();
    let cases = Cases::new(client, "cases");
    let (now, holder) = (Timestamp::from_seconds(1_790_000_000), RunId::parse("run-1").unwrap());
    for (id, outcome) in [
        ("evt_ignored", EventOutcome::Ignored),
        ("evt_refused", EventOutcome::Refused { why: "it is of test mode".into() }),
    ] {
        let id = EventId::parse(id).unwrap();
        let envelope = json!({ "id": id, "type": "plan.created", "object": "plan_1", "livemode": false,
                               "created": 1, "received": 2, "endpoint": "default" });
        let envelope: Envelope = serde_json::from_value(envelope).unwrap();
        cases.claim(&envelope, &holder, now, now.plus(60)).await.unwrap();
        cases.finish(&id, &holder, &outcome).await.unwrap();
    }
    let why = async |object: &str| run(&["why", object, "--cases-table", "cases"], &variables).await;
    let ignored = why("evt_ignored").await;
    assert_eq!(ignored.code, 0, "{}", ignored.error);
    assert!(ignored.out.contains("its type starts no work"), "{}", ignored.out);
    assert!(why("evt_refused").await.out.contains("it was refused: it is of test mode."));
    let nothing = why("ch_1").await;
    assert_eq!(nothing.code, 1);
    assert!(nothing.out.starts_with("Nothing is known of ch_1."), "{}", nothing.out);
    assert_eq!(run(&["why", "ch_1", "--cases-table", "elsewhere"], &variables).await.code, 2);
}
