use std::sync::{Arc, Mutex};

use axum::{
    Router,
    body::Bytes,
    extract::{Path, RawQuery, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse as _, Response},
    routing::any,
};
use domain::{
    Timestamp,
    plan::{Alert, Priority},
};
use serde_json::{Value, json};

use super::*;

const TOKEN: &str = "xoxb-canary";

/// A status, seconds to wait, and a body.
type Given = (u16, Option<u64>, String);

/// A server that gives prepared answers in turn and keeps what it was asked.
#[derive(Clone, Default)]
struct Prepared {
    answers: Arc<Mutex<Vec<Given>>>,
    asked: Arc<Mutex<Vec<Asked>>>,
}

#[derive(Clone)]
struct Asked {
    method: String,
    token: String,
    query: String,
    body: Value,
}

async fn answer(
    State(prepared): State<Prepared>,
    Path(method): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let token = headers["authorization"].to_str().unwrap().to_owned();
    let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
    prepared.asked.lock().unwrap().push(Asked { method, token, query: query.unwrap_or_default(), body });
    let (status, wait, body) = prepared.answers.lock().unwrap().remove(0);
    let mut response = (StatusCode::from_u16(status).unwrap(), body).into_response();
    if let Some(wait) = wait {
        response.headers_mut().insert("retry-after", wait.into());
    }
    response
}

async fn slack(answers: &[(u16, Option<u64>, Value)]) -> (Slack, Prepared) {
    raw(answers.iter().map(|(status, wait, body)| (*status, *wait, body.to_string())).collect()).await
}

async fn raw(answers: Vec<Given>) -> (Slack, Prepared) {
    let prepared = Prepared { answers: Arc::new(Mutex::new(answers)), ..Prepared::default() };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}/api", listener.local_addr().unwrap());
    let router = Router::new().route("/api/{method}", any(answer)).with_state(prepared.clone());
    tokio::spawn(async { axum::serve(listener, router).await });
    (at(&base), prepared)
}

fn at(base: &str) -> Slack {
    let base = runtime::http::Base::parse(base).unwrap();
    let http = runtime::http::client(&[&base]).unwrap();
    Slack::new(http, base.as_str(), TOKEN.into(), Arc::new(|| Timestamp::from_seconds(1_790_000_000)))
}

fn key() -> Key {
    Key { event_type: "countersign_step".to_owned(), key: "k1".to_owned() }
}

fn message() -> Message {
    Message {
        channel: "C1".to_owned(),
        text: "Payment of <b> failed".to_owned(),
        blocks: vec![Block::header("Payment failed"), Block::links([])],
        thread: None,
        key: key(),
    }
}

fn posted(ts: &str, key: &str) -> Value {
    json!({ "ts": ts, "text": "…", "metadata": { "event_type": "countersign_step", "event_payload": { "key": key } } })
}

const SINCE: Timestamp = Timestamp::from_seconds(1_790_000_000);

#[tokio::test]
async fn a_message_is_posted_with_its_key_and_without_previews() {
    let (slack, prepared) = slack(&[(200, None, json!({ "ok": true, "channel": "C1", "ts": "1.2" }))]).await;
    assert_eq!(slack.post(&message()).await.unwrap(), Ts("1.2".to_owned()));
    let asked = prepared.asked.lock().unwrap().remove(0);
    assert_eq!(asked.method, "chat.postMessage");
    assert_eq!(asked.token, format!("Bearer {TOKEN}"));
    assert_eq!(asked.query, "");
    insta::with_settings!({ sort_maps => true }, {
    insta::assert_json_snapshot!(asked.body, @r#"
    {
      "blocks": [
        {
          "text": {
            "emoji": false,
            "text": "Payment failed",
            "type": "plain_text"
          },
          "type": "header"
        }
      ],
      "channel": "C1",
      "metadata": {
        "event_payload": {
          "key": "k1"
        },
        "event_type": "countersign_step"
      },
      "mrkdwn": false,
      "text": "Payment of &lt;b&gt; failed",
      "unfurl_links": false,
      "unfurl_media": false
    }
    "#);
            });
}

#[tokio::test]
async fn a_refusal_of_the_message_is_final_and_one_that_somebody_can_repair_is_not() {
    let (slack, _) = slack(&[(200, None, json!({ "ok": false, "error": "invalid_blocks" }))]).await;
    assert_eq!(slack.post(&message()).await.unwrap_err().verdict(), Verdict::GiveUp);
    let (slack, _) = self::slack(&[(200, None, json!({ "ok": false, "error": "channel_not_found" }))]).await;
    let error = slack.post(&message()).await.unwrap_err();
    assert!(matches!(&error, SlackError::Refused { code, .. } if code == "channel_not_found"), "{error:?}");
    assert_eq!(error.verdict(), Verdict::RetryAfter(60), "the app is invited, or the channel corrected");
}

#[tokio::test]
async fn an_error_code_that_is_no_word_is_not_repeated() {
    let (slack, _) = slack(&[(200, None, json!({ "ok": false, "error": "No <canary> here" }))]).await;
    let error = slack.post(&message()).await.unwrap_err();
    assert!(!format!("{error:?} {error}").contains("canary"), "{error:?}");
}

#[tokio::test]
async fn a_rate_limit_says_how_long_to_wait() {
    let limited = json!({ "ok": false, "error": "ratelimited" });
    let (slack, _) = slack(&[(429, Some(7), limited.clone()), (200, None, limited)]).await;
    assert_eq!(slack.post(&message()).await.unwrap_err().verdict(), Verdict::RetryAfter(7));
    assert_eq!(slack.post(&message()).await.unwrap_err().verdict(), Verdict::RetryAfter(30));
}

#[tokio::test]
async fn after_an_unknown_outcome_one_has_to_look_first() {
    let answers = [
        (500, "oops"),
        (200, "<html>"),
        (200, r#"{"ok":true}"#),
        (200, r#"{"ok":false,"error":"internal_error"}"#),
        (200, r#"{"ok":false,"error":"fatal_error"}"#),
    ];
    let (slack, prepared) = raw(answers.map(|(status, body)| (status, None, body.to_owned())).to_vec()).await;
    for (status, body) in answers {
        let error = slack.post(&message()).await.unwrap_err();
        assert_eq!(error.verdict(), Verdict::LookFirst, "{status} {body}: {error:?}");
    }
    assert_eq!(prepared.asked.lock().unwrap().len(), answers.len(), "no call repeats itself");
}

#[tokio::test]
async fn a_lost_connection_is_an_unknown_outcome() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let slack = at(&format!("http://{}", listener.local_addr().unwrap()));
    tokio::spawn(async move {
        let (connection, _) = listener.accept().await.unwrap();
        connection.readable().await.unwrap();
        drop(connection);
    });
    let error = slack.post(&message()).await.unwrap_err();
    assert_eq!(error.verdict(), Verdict::LookFirst, "{error:?}");
}

#[tokio::test]
async fn without_a_connection_nothing_was_sent() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let error = at(&format!("http://{address}")).post(&message()).await.unwrap_err();
    assert!(matches!(error, SlackError::Unavailable { .. }), "{error:?}");
    assert_eq!(error.verdict(), Verdict::RetryAfter(1));
}

#[tokio::test]
async fn a_message_is_found_by_its_key_on_a_later_page() {
    let (slack, prepared) = slack(&[
        (
            200,
            None,
            json!({
                "ok": true,
                "messages": [
                    { "ts": "9.0", "text": "a person's" },
                    { "ts": "8.0", "metadata": { "event_type": "other", "event_payload": { "key": "k1" } } },
                    { "ts": "7.0", "metadata": { "event_type": "countersign_step", "event_payload": { "key": 1 } } },
                    posted("6.0", "k2"),
                ],
                "response_metadata": { "next_cursor": "n=1&" },
            }),
        ),
        (200, None, json!({ "ok": true, "messages": [posted("5.0", "k1")] })),
    ])
    .await;
    assert_eq!(slack.find("C1", None, &key(), SINCE).await.unwrap(), Some(Ts("5.0".to_owned())));
    let asked = prepared.asked.lock().unwrap();
    assert_eq!(asked[0].method, "conversations.history");
    let first = "channel=C1&include_all_metadata=true&inclusive=true&limit=200&oldest=1789999880";
    assert_eq!(asked[0].query, first);
    assert_eq!(asked[1].query, format!("{first}&cursor=n%3D1%26"));
}

#[tokio::test]
async fn an_answer_in_a_thread_is_looked_for_in_the_thread() {
    let (slack, prepared) = slack(&[(
        200,
        None,
        json!({ "ok": true, "messages": [], "response_metadata": { "next_cursor": "" } }),
    )])
    .await;
    let thread = Ts("4.0".to_owned());
    assert_eq!(slack.find("C1", Some(&thread), &key(), SINCE).await.unwrap(), None);
    let asked = prepared.asked.lock().unwrap();
    assert_eq!(asked[0].method, "conversations.replies");
    assert!(asked[0].query.ends_with("&ts=4.0"), "{}", asked[0].query);
}

#[tokio::test]
async fn a_conversation_too_long_to_look_through_does_not_count_as_not_found() {
    let page = json!({ "ok": true, "messages": [], "response_metadata": { "next_cursor": "more" } });
    let (slack, _) = slack(&vec![(200, None, page); 10]).await;
    let error = slack.find("C1", None, &key(), SINCE).await.unwrap_err();
    assert_eq!(error.verdict(), Verdict::LookFirst, "{error:?}");
}

#[tokio::test]
async fn a_failed_look_may_be_repeated() {
    let (slack, _) = slack(&[(503, None, json!({}))]).await;
    let error = slack.find("C1", None, &key(), SINCE).await.unwrap_err();
    assert_eq!(error.verdict(), Verdict::RetryAfter(1), "{error:?}");
}

#[tokio::test]
async fn a_direct_conversation_is_opened_by_user() {
    let (slack, prepared) = slack(&[(200, None, json!({ "ok": true, "channel": { "id": "D1" } }))]).await;
    assert_eq!(slack.open_dm("U1").await.unwrap(), "D1");
    let asked = prepared.asked.lock().unwrap();
    assert_eq!((asked[0].method.as_str(), &asked[0].body), ("conversations.open", &json!({ "users": "U1" })));
}

fn alert() -> Alert {
    Alert {
        channel: "billing-alerts".to_owned(),
        headline: "Payment of <!channel> failed\u{202E}".to_owned(),
        priority: Priority::High,
        facts: vec![("Customer".to_owned(), "<https://evil.example.test|Approve>".to_owned())],
        next: "Call them".to_owned(),
        otherwise: "The subscription ends".to_owned(),
        links: vec![("Invoice".to_owned(), "https://dashboard.stripe.com/invoices/in_1".to_owned())],
    }
}

#[tokio::test]
async fn a_case_grows_one_thread_and_its_head_is_updated_in_place() {
    let said = |ts: &str| (200, None, json!({ "ok": true, "channel": "C1", "ts": ts }));
    let (slack, prepared) = slack(&[said("1.0"), said("2.0"), said("1.0")]).await;
    let (case, alert) = ("recovery:in_1".parse().unwrap(), alert());
    let review = "https://console.example.test/a/ap_1";
    let mut card = Card { case: &case, alert: &alert, standing: None, review: Some(review) };
    let head = slack.post(&card.message("C1", None, key())).await.unwrap();
    slack.post(&card.message("C1", Some(head.clone()), key())).await.unwrap();
    card.standing = Some(Standing { state: "refunded", decided_by: Some("Ada *Lead*") });
    slack.update(&head, &card.message("C1", None, key())).await.unwrap();

    let asked = prepared.asked.lock().unwrap();
    let bodies: Vec<_> = asked.iter().map(|asked| &asked.body).collect();
    assert!(bodies[0].get("thread_ts").is_none());
    assert_eq!(bodies[1]["thread_ts"], "1.0");
    assert_eq!((asked[2].method.as_str(), &bodies[2]["ts"]), ("chat.update", &json!("1.0")));
    assert!(bodies.iter().all(|body| body["metadata"]["event_payload"]["key"] == "k1"));
    let remarks = &bodies[2]["blocks"][1]["elements"];
    let remark = |index: usize| remarks[index]["text"].as_str().unwrap();
    assert_eq!(
        [remark(0), remark(1), remark(2)],
        ["Priority: high", "State: refunded", "Decided by Ada *Lead*"]
    );
    let buttons = bodies[0]["blocks"].as_array().unwrap().last().unwrap();
    let urls: Vec<_> = buttons["elements"].as_array().unwrap().iter().map(|button| &button["url"]).collect();
    assert_eq!(urls, [review, "https://dashboard.stripe.com/invoices/in_1"]);
    for body in bodies {
        let text = body.to_string();
        assert!(!text.contains("mrkdwn\"") || body["mrkdwn"] == false, "{text}");
        assert!(!text.contains('<') && !text.contains('\u{202E}'), "{text}");
    }
}

#[tokio::test]
async fn a_million_characters_of_a_customer_are_cut_to_what_slack_takes() {
    let (slack, prepared) = slack(&[(200, None, json!({ "ok": true, "ts": "1.0" }))]).await;
    let long = "<@U1> \u{7}".repeat(150_000);
    let alert = Alert { facts: vec![("Said".to_owned(), long.clone())], next: long, ..alert() };
    let case = "recovery:in_1".parse().unwrap();
    let card = Card { case: &case, alert: &alert, standing: None, review: None };
    slack.post(&card.message("C1", None, key())).await.unwrap();
    let sent = prepared.asked.lock().unwrap()[0].body.to_string();
    assert!(sent.len() < 10_000 && !sent.contains('<'), "{}", sent.len());
}

#[tokio::test]
async fn an_update_may_be_repeated_and_a_message_that_is_gone_is_left_alone() {
    let gone = json!({ "ok": false, "error": "message_not_found" });
    let (slack, _) = slack(&[(500, None, json!({})), (200, None, gone)]).await;
    let ts = Ts("1.0".to_owned());
    assert_eq!(slack.update(&ts, &message()).await.unwrap_err().verdict(), Verdict::RetryAfter(1));
    assert_eq!(slack.update(&ts, &message()).await.unwrap_err().verdict(), Verdict::GiveUp);
}

#[tokio::test]
async fn the_check_tells_a_bad_token() {
    let bad = json!({ "ok": false, "error": "invalid_auth" });
    let (slack, prepared) = slack(&[(200, None, json!({ "ok": true })), (200, None, bad)]).await;
    slack.check().await.unwrap();
    assert!(matches!(slack.check().await, Err(SlackError::Refused { code, .. }) if code == "invalid_auth"));
    assert_eq!(prepared.asked.lock().unwrap()[0].method, "auth.test");
}

#[tokio::test]
async fn after_failures_in_a_row_slack_is_left_alone() {
    let failures = vec![(500, None, json!({})); 5];
    let (slack, prepared) = slack(&failures).await;
    for _ in 0..5 {
        assert_eq!(slack.check().await.unwrap_err().verdict(), Verdict::RetryAfter(1));
    }
    for _ in 0..3 {
        let error = slack.clone().post(&message()).await.unwrap_err();
        assert_eq!((error.retry_after(), error.verdict()), (Some(30), Verdict::RetryAfter(30)));
    }
    assert_eq!(prepared.asked.lock().unwrap().len(), 5, "the rest was not sent");
}

#[tokio::test]
async fn every_fact_is_shown_however_many_there_are() {
    let (slack, prepared) = slack(&[(200, None, json!({ "ok": true, "ts": "1.0" }))]).await;
    let facts = (0..23).map(|number| (format!("Fact {number}"), "so".to_owned())).collect();
    let alert = Alert { facts, ..alert() };
    let case = "recovery:in_1".parse().unwrap();
    let card = Card { case: &case, alert: &alert, standing: None, review: None };
    slack.post(&card.message("C1", None, key())).await.unwrap();
    let sent = prepared.asked.lock().unwrap()[0].body.to_string();
    assert!((0..23).all(|number| sent.contains(&format!("Fact {number}\\n"))), "{sent}");
}

#[test]
fn the_token_is_not_in_debug_output() {
    let shown = format!("{:?}", at("http://127.0.0.1:1"));
    assert!(shown.contains("127.0.0.1") && !shown.contains("canary"), "{shown}");
}
