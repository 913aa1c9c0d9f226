//! `why`: from a running pipeline and from a table.

use domain::{Envelope, EventId, RunId, Timestamp};
use serde_json::json;
use store::{Cases, EventOutcome};

use crate::support::{Local, Ran, Tables, countersign};

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
    let why = async |object: &str| Ran::beside(countersign(&["why", object, "--api", local.at("api")])).await;

    for object in ["in_1Test", "cus_1Test", "evt_1"] {
        let ran = why(object).await;
        assert_eq!(ran.code, 0, "{object}: {}", ran.error);
        assert!(ran.out.contains("Case recovery:in_1Test: open"), "{object}: {}", ran.out);
        assert!(ran.out.contains("Found: gone"), "{}", ran.out);
        assert!(ran.out.contains("[escalate-unknown]"), "{}", ran.out);
        assert!(ran.out.contains("Step alert"), "{}", ran.out);
        assert!(ran.out.contains("Looked at again"), "{}", ran.out);
    }
    let first = why("evt_1").await.out;
    assert!(first.contains("evt_1 (invoice.payment_failed) was received at "), "{first}");
    assert!(first.contains("that is a duplicate and does nothing"), "{first}");
    assert!(first.contains("brought task, alert."), "{first}");

    let mut again = event.clone();
    again["id"] = "evt_3".into();
    assert_eq!(local.deliver(&again).await, 200);
    local.until("both events are decided", |board| board["events"][1]["outcome"] == "decided").await;
    local.until("both events are decided", |board| board["events"][0]["outcome"] == "decided").await;
    let second = why("evt_3").await.out;
    assert!(second.contains("brought nothing new"), "{second}");
    let first = why("evt_1").await.out;
    assert!(first.contains("Superseded: the case was decided anew at"), "{first}");
    let part = why("in_1Tes").await;
    assert_eq!(part.code, 1, "a part of an id is another id: {}", part.out);
    let never = why("evt_2").await;
    assert_eq!(never.code, 1);
    assert!(
        never.out.contains("never received") && never.out.contains("events resend evt_2"),
        "{}",
        never.out
    );
    let wrong = Ran::beside(countersign(&["why", "in_1Test", "--api", "http://127.0.0.1:1"])).await;
    assert!(wrong.code == 2 && wrong.error.contains("nothing answers"), "{}", wrong.error);
}

#[tokio::test]
async fn what_waits_for_a_signature_says_so_on_the_page_and_in_the_terminal() {
    let local = Local::start(&[]);
    let board = local.until("an approval waits", |board| board["totals"]["pending"].as_u64() > Some(0)).await;
    let waiting =
        board["approvals"].as_array().unwrap().iter().find(|one| one["stage"] == "pending").unwrap();
    let id = waiting["id"].as_str().unwrap();
    let ran = Ran::beside(countersign(&["why", id, "--api", local.at("api")])).await;
    assert_eq!(ran.code, 0, "{}", ran.error);
    assert!(ran.out.contains(&format!("Proposal {id}, refund.create of ")), "{}", ran.out);
    assert!(ran.out.contains("waiting for approval, 0 of 2 signatures, until "), "{}", ran.out);
    assert!(ran.out.contains("Case charge:"), "the case that asked: {}", ran.out);

    let page = |path: &str| {
        let url = format!("{}/_console/why{path}", local.at("api"));
        let asked = local.http().get(url).header("accept", "text/html").send();
        async move {
            let asked = asked.await.unwrap();
            (asked.status().as_u16(), asked.headers().clone(), asked.text().await.unwrap())
        }
    };
    let (status, headers, text) = page(&format!("/{id}")).await;
    assert_eq!(status, 200);
    assert!(headers["content-security-policy"].to_str().unwrap().contains("default-src 'none'"));
    assert!(text.contains("waiting for approval") && text.contains("name=\"object\""), "{text}");
    assert_eq!(page("?object=%20in_1%20").await.1["location"], "/_console/why/in_1");
    let (status, _, odd) = page("?object=%3Cscript%3E").await;
    assert!(status == 400 && odd.contains("&lt;script&gt;") && !odd.contains("<script>"), "{odd}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_starts_no_work_and_one_that_was_refused_say_so_from_the_table() {
    let tables = Tables::of(&["cases"]).await;
    let cases = Cases::new(tables.client.clone(), "cases");
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
    let why = async |object: &str| tables.run(&["why", object, "--cases-table", "cases"]).await;
    let ignored = why("evt_ignored").await;
    assert_eq!(ignored.code, 0, "{}", ignored.error);
    assert!(ignored.out.contains("its type starts no work"), "{}", ignored.out);
    assert!(why("evt_refused").await.out.contains("it was refused: it is of test mode."));
    assert!(ignored.out.contains("--approvals-table"), "{}", ignored.out);
    cases.freeze().await.unwrap();
    assert!(why("evt_refused").await.out.contains("The switch that stops the agent is on"));
    let nothing = why("ch_1").await;
    assert_eq!(nothing.code, 1);
    assert!(nothing.out.starts_with("Nothing is known of ch_1."), "{}", nothing.out);
    assert_eq!(tables.run(&["why", "ch_1", "--cases-table", "elsewhere"]).await.code, 2);
}
