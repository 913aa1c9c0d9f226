//! The Web API as a sender sees it.

use axum::body::{Body, to_bytes};
use http::{Request, StatusCode};
use serde_json::json;
use tower::ServiceExt as _;

use super::*;
use crate::people::{FINANCE_LEAD, FINANCE_SECOND, FORMER, GUEST, OUTSIDER, ROBOT};

const TOKEN: &str = "sandbox-bot-token";
const BILLING: &str = "C0BILLING1";

fn workspace() -> Arc<Slack> {
    workspace_on(Shelf::memory().unwrap())
}

fn workspace_on(shelf: Shelf) -> Arc<Slack> {
    Slack::open(Workspace::seeded(TOKEN), People::seeded(), shelf, Clock::held_at(1_790_000_000)).unwrap()
}

async fn send(slack: &Arc<Slack>, request: Request<Body>) -> (StatusCode, http::HeaderMap, Vec<u8>) {
    let (head, body) = slack.clone().router().oneshot(request).await.unwrap().into_parts();
    (head.status, head.headers, to_bytes(body, usize::MAX).await.unwrap().to_vec())
}

fn posted(method: &str, body: &Value) -> Request<Body> {
    Request::post(format!("/api/{method}"))
        .header("authorization", format!("Bearer {TOKEN}"))
        .header("content-type", "application/json; charset=utf-8")
        .body(body.to_string().into())
        .unwrap()
}

/// A method that takes JSON; its answer is always a 200.
async fn call(slack: &Arc<Slack>, method: &str, body: Value) -> Value {
    let (status, _, answer) = send(slack, posted(method, &body)).await;
    assert_eq!(status, 200);
    serde_json::from_slice(&answer).unwrap()
}

/// A method that takes a query.
async fn get(slack: &Arc<Slack>, method: &str, query: &[(&str, &str)]) -> Value {
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
    let request =
        Request::get(format!("/api/{method}?{query}")).header("authorization", format!("Bearer {TOKEN}"));
    serde_json::from_slice(&send(slack, request.body(Body::empty()).unwrap()).await.2).unwrap()
}

async fn say(slack: &Arc<Slack>, text: &str) -> String {
    let answer = call(slack, "chat.postMessage", json!({ "channel": BILLING, "text": text })).await;
    answer["ts"].as_str().expect("not posted").to_owned()
}

#[tokio::test]
async fn a_wrong_token_is_a_200_that_is_not_ok() {
    let slack = workspace();
    for (token, error) in
        [(Some("Bearer another"), "invalid_auth"), (Some("Basic x"), "not_authed"), (None, "not_authed")]
    {
        let mut request = posted("auth.test", &json!({}));
        request.headers_mut().remove("authorization");
        if let Some(token) = token {
            request.headers_mut().insert("authorization", token.parse().unwrap());
        }
        let (status, _, body) = send(&slack, request).await;
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!((status.as_u16(), &body["ok"], &body["error"]), (200, &false.into(), &error.into()));
    }
    assert_eq!(call(&slack, "auth.test", json!({})).await["team_id"], TEAM);
    assert_eq!(call(&slack, "chat.invented", json!({})).await["error"], "unknown_method");
}

#[tokio::test]
async fn a_message_is_kept_as_it_was_sent() {
    let slack = workspace();
    let answer = call(
        &slack,
        "chat.postMessage",
        json!({
            "channel": "#billing",
            "text": "Refund to review",
            "blocks": [{ "type": "section", "text": { "type": "mrkdwn", "text": "*Refund*" } }],
            "metadata": { "event_type": "proposal", "event_payload": { "id": "ap_1" } },
            "client_msg_id": "one",
            "unfurl_links": false,
        }),
    )
    .await;
    assert_eq!((&answer["ok"], &answer["channel"]), (&true.into(), &BILLING.into()));
    let [message] = slack.messages().try_into().unwrap();
    assert_eq!(answer["ts"], message.ts.as_str());
    assert_eq!(message.ts, "1790000000.000000");
    assert_eq!(message.text, "Refund to review");
    assert_eq!(message.blocks[0]["text"]["text"], "*Refund*");
    assert_eq!(message.metadata.unwrap()["event_payload"]["id"], "ap_1");
    assert_eq!((message.client_msg_id.as_deref(), message.unfurl_links), (Some("one"), Some(false)));
}

#[tokio::test]
async fn sending_twice_posts_twice_even_with_the_same_client_id() {
    let slack = workspace();
    let body = json!({ "channel": BILLING, "text": "again", "client_msg_id": "one" });
    let first = call(&slack, "chat.postMessage", body.clone()).await;
    let second = call(&slack, "chat.postMessage", body).await;
    assert_ne!(first["ts"], second["ts"], "no two messages share a ts, though the clock stands still");
    assert_eq!(slack.messages().len(), 2);
}

#[tokio::test]
async fn a_message_that_cannot_be_posted_is_refused_and_not_kept() {
    let slack = workspace();
    let long_payload = json!({ "event_type": "x", "event_payload": { "text": "x".repeat(8_001) } });
    for (body, error) in [
        (json!({ "text": "hi" }), "invalid_arguments"),
        (json!({ "channel": BILLING }), "no_text"),
        (json!({ "channel": BILLING, "text": "" }), "no_text"),
        (json!({ "channel": "C0NOWHERE1", "text": "hi" }), "channel_not_found"),
        (json!({ "channel": "D0NOTOPEN1", "text": "hi" }), "channel_not_found"),
        (json!({ "channel": OUTSIDER, "text": "hi" }), "channel_not_found"),
        (json!({ "channel": "attic", "text": "hi" }), "is_archived"),
        (json!({ "channel": "C0ATTIC001", "text": "hi" }), "is_archived"),
        (json!({ "channel": "private", "text": "hi" }), "not_in_channel"),
        (json!({ "channel": BILLING, "text": "hi", "thread_ts": "yesterday" }), "invalid_thread_ts"),
        (json!({ "channel": BILLING, "blocks": "{" }), "invalid_blocks_format"),
        (json!({ "channel": BILLING, "blocks": {} }), "invalid_blocks_format"),
        (json!({ "channel": BILLING, "text": "hi", "metadata": [] }), "invalid_metadata_format"),
        (
            json!({ "channel": BILLING, "text": "hi", "metadata": { "event_type": "x" } }),
            "invalid_metadata_schema",
        ),
        (json!({ "channel": BILLING, "text": "hi", "metadata": long_payload }), "metadata_too_large"),
    ] {
        let answer = call(&slack, "chat.postMessage", body.clone()).await;
        assert_eq!((&answer["ok"], &answer["error"]), (&false.into(), &error.into()), "{body}");
    }
    assert_eq!(slack.messages(), []);
}

#[tokio::test]
async fn blocks_beyond_slacks_limits_are_refused_with_a_pointer_to_each() {
    let slack = workspace();
    let text = |kind: &str, length: usize| json!({ "type": kind, "text": "é".repeat(length) });
    let section = |length| json!({ "type": "section", "text": text("mrkdwn", length) });
    let header = |kind, length| json!({ "type": "header", "text": text(kind, length) });
    let button = |label: Value, id: &str| json!({ "type": "button", "text": label, "action_id": id });
    let actions = |elements: Value| json!({ "type": "actions", "elements": elements });
    let good = json!([
        header("plain_text", 150),
        section(3_000),
        { "type": "section", "fields": [text("plain_text", 2_000)], "accessory": button(text("plain_text", 75), "a") },
        { "type": "divider" },
        { "type": "context", "elements": [text("mrkdwn", 1), { "type": "image", "image_url": "https://x.test/", "alt_text": "x" }] },
        actions(json!([button(text("plain_text", 1), "a"), button(text("plain_text", 1), "b")])),
        { "type": "rich_text", "elements": [] },
    ]);
    assert_eq!(
        call(&slack, "chat.postMessage", json!({ "channel": BILLING, "blocks": good })).await["ok"],
        true
    );
    let fifty = vec![json!({ "type": "divider" }); 50];
    assert_eq!(
        call(&slack, "chat.postMessage", json!({ "channel": BILLING, "blocks": fifty })).await["ok"],
        true
    );

    for (blocks, pointer) in [
        (json!(vec![json!({ "type": "divider" }); 51]), "/blocks]"),
        (json!(["text"]), "/blocks/0]"),
        (json!([section(3_001)]), "/blocks/0/text/text]"),
        (json!([section(0)]), "/blocks/0/text/text]"),
        (json!([header("plain_text", 151)]), "/blocks/0/text/text]"),
        (json!([header("mrkdwn", 1)]), "/blocks/0/text/type]"),
        (json!([{ "type": "divider" }, { "type": "carousel3d" }]), "/blocks/1/type]"),
        (json!([{ "text": text("mrkdwn", 1) }]), "/blocks/0/type]"),
        (json!([{ "type": "section" }]), "/blocks/0]"),
        (json!([{ "type": "section", "text": "bare" }]), "/blocks/0/text]"),
        (json!([{ "type": "section", "text": { "type": "markdown", "text": "x" } }]), "/blocks/0/text/type]"),
        (
            json!([{ "type": "section", "text": { "type": "mrkdwn", "text": "x", "emoji": true } }]),
            "/blocks/0/text]",
        ),
        (json!([{ "type": "section", "text": text("mrkdwn", 1), "txt": 1 }]), "/blocks/0]"),
        (json!([{ "type": "section", "fields": vec![text("mrkdwn", 1); 11] }]), "/blocks/0/fields]"),
        (json!([{ "type": "section", "fields": [text("mrkdwn", 2_001)] }]), "/blocks/0/fields/0/text]"),
        (json!([{ "type": "context", "elements": vec![text("mrkdwn", 1); 11] }]), "/blocks/0/elements]"),
        (json!([actions(json!([]))]), "/blocks/0/elements]"),
        (json!([actions(json!([button(text("mrkdwn", 1), "a")]))]), "/blocks/0/elements/0/text/type]"),
        (json!([actions(json!([button(text("plain_text", 76), "a")]))]), "/blocks/0/elements/0/text/text]"),
        (
            json!([actions(json!([button(text("plain_text", 1), "a"), button(text("plain_text", 1), "a")]))]),
            "/blocks/0/elements/1/action_id]",
        ),
        (
            json!([{ "type": "divider", "block_id": "x" }, { "type": "divider", "block_id": "x" }]),
            "/blocks/1/block_id]",
        ),
    ] {
        let answer = call(&slack, "chat.postMessage", json!({ "channel": BILLING, "blocks": blocks })).await;
        assert_eq!(answer["error"], "invalid_blocks", "{blocks}");
        let [why] = answer["errors"].as_array().unwrap().as_slice() else { panic!("{answer}") };
        assert!(why.as_str().unwrap().ends_with(&format!("[json-pointer:{pointer}")), "{pointer}: {why}");
        assert_eq!(answer["response_metadata"]["messages"][0], format!("[ERROR] {}", why.as_str().unwrap()));
    }
    assert_eq!(slack.messages().len(), 2);
}

#[tokio::test]
async fn a_direct_message_goes_to_one_conversation_however_it_is_opened() {
    let slack = workspace();
    let opened = call(&slack, "conversations.open", json!({ "users": FINANCE_LEAD })).await;
    assert_eq!((&opened["ok"], &opened["already_open"]), (&true.into(), &false.into()));
    let again = call(&slack, "conversations.open", json!({ "users": FINANCE_LEAD })).await;
    assert_eq!((&again["already_open"], &again["channel"]), (&true.into(), &opened["channel"]));
    let by_id = call(&slack, "chat.postMessage", json!({ "channel": FINANCE_LEAD, "text": "hi" })).await;
    assert_eq!(by_id["channel"], opened["channel"]["id"]);
    let channel = by_id["channel"].as_str().unwrap();
    assert_eq!(slack.people_in(channel), [FINANCE_LEAD]);

    let both = format!("{FINANCE_SECOND},{FINANCE_LEAD}");
    let group = call(&slack, "conversations.open", json!({ "users": both })).await;
    assert_eq!(slack.people_in(group["channel"]["id"].as_str().unwrap()).len(), 2);
    for (users, error) in [
        (OUTSIDER, "user_not_found"),
        (FORMER, "user_disabled"),
        (ROBOT, "cannot_dm_bot"),
        ("", "users_list_not_supplied"),
    ] {
        assert_eq!(call(&slack, "conversations.open", json!({ "users": users })).await["error"], error);
    }
}

#[tokio::test]
async fn a_users_account_is_told_as_slack_tells_it() {
    let slack = workspace();
    let user = async |id| get(&slack, "users.info", &[("user", id)]).await["user"].take();
    let lead = user(FINANCE_LEAD).await;
    assert_eq!(lead["profile"]["email"], "finance-lead@example.test");
    let flags = |user: &Value| ["deleted", "is_restricted", "is_bot"].map(|name| user[name] == true);
    assert_eq!(flags(&lead), [false, false, false]);
    assert_eq!(flags(&user(FORMER).await), [true, false, false]);
    assert_eq!(flags(&user(GUEST).await), [false, true, false]);
    assert_eq!(flags(&user(ROBOT).await), [false, false, true]);
    assert_eq!(get(&slack, "users.info", &[("user", OUTSIDER)]).await["error"], "user_not_found");
    slack.people.deactivate(FINANCE_LEAD);
    assert_eq!(user(FINANCE_LEAD).await["deleted"], true);
}

#[tokio::test]
async fn methods_that_read_do_not_see_arguments_in_json() {
    let slack = workspace();
    assert_eq!(call(&slack, "users.info", json!({ "user": FINANCE_LEAD })).await["error"], "user_not_found");
    let history = call(&slack, "conversations.history", json!({ "channel": BILLING })).await;
    assert_eq!(history["response_metadata"]["messages"][0], "[ERROR] missing required field: channel");
    let form = Request::post("/api/conversations.history")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(format!("token={TOKEN}&channel={BILLING}").into())
        .unwrap();
    let answer: Value = serde_json::from_slice(&send(&slack, form).await.2).unwrap();
    assert_eq!(answer["ok"], true);
}

#[tokio::test]
async fn a_form_carries_blocks_as_text_and_other_bodies_are_refused() {
    let slack = workspace();
    let form = form_urlencoded::Serializer::new(String::new())
        .extend_pairs([("channel", BILLING), ("blocks", r#"[{"type":"divider"}]"#)])
        .finish();
    let mut request = posted("chat.postMessage", &json!({}));
    *request.body_mut() = form.into();
    request.headers_mut().insert("content-type", "application/x-www-form-urlencoded".parse().unwrap());
    send(&slack, request).await;
    assert_eq!(slack.messages()[0].blocks, [json!({ "type": "divider" })]);

    for (kind, body, error) in [
        ("application/json", "{", "invalid_json"),
        ("application/json", "[]", "json_not_object"),
        ("text/plain", "{}", "invalid_post_type"),
    ] {
        let mut request = posted("chat.postMessage", &json!({}));
        *request.body_mut() = body.into();
        request.headers_mut().insert("content-type", kind.parse().unwrap());
        let answer: Value = serde_json::from_slice(&send(&slack, request).await.2).unwrap();
        assert_eq!(answer["error"], error);
    }
}

#[tokio::test]
async fn an_update_changes_what_is_given_and_keeps_the_rest() {
    let slack = workspace();
    let metadata = json!({ "event_type": "proposal", "event_payload": {} });
    let blocks = json!([{ "type": "divider" }]);
    let body = json!({ "channel": BILLING, "text": "open", "metadata": metadata, "blocks": blocks });
    let ts = call(&slack, "chat.postMessage", body).await["ts"].take();
    slack.clock.advance(Duration::from_secs(5));

    let body = json!({ "channel": BILLING, "ts": ts, "text": "approved" });
    let answer = call(&slack, "chat.update", body).await;
    assert_eq!((&answer["ok"], &answer["ts"], &answer["text"]), (&true.into(), &ts, &"approved".into()));
    let message = slack.messages().remove(0);
    assert_eq!((message.text.as_str(), message.blocks.len()), ("approved", 1));
    assert_eq!(message.metadata, Some(metadata));
    assert_eq!(message.edited.as_deref(), Some("1790000005.000000"));

    let body = json!({ "channel": BILLING, "ts": ts, "text": "done", "blocks": [], "metadata": {} });
    call(&slack, "chat.update", body).await;
    let message = slack.messages().remove(0);
    assert_eq!((message.blocks.len(), message.metadata), (0, None));

    for (channel, ts, error) in [
        (BILLING, "1.000000", "message_not_found"),
        ("C0FINANCE1", ts.as_str().unwrap(), "message_not_found"),
        (FINANCE_LEAD, ts.as_str().unwrap(), "channel_not_found"),
    ] {
        let answer = call(&slack, "chat.update", json!({ "channel": channel, "ts": ts, "text": "x" })).await;
        assert_eq!(answer["error"], error);
    }
}

#[tokio::test]
async fn a_sender_finds_its_own_message_by_metadata() {
    let slack = workspace();
    slack.fail("chat.postMessage", Fault::ServerErrorAfter, 1);
    let metadata = json!({ "event_type": "step", "event_payload": { "key": "abc" } });
    let request =
        posted("chat.postMessage", &json!({ "channel": BILLING, "text": "x", "metadata": metadata }));
    assert_eq!(send(&slack, request).await.0, 500);

    let hidden = get(&slack, "conversations.history", &[("channel", BILLING)]).await;
    assert!(hidden["messages"][0].get("metadata").is_none());
    let query = [("channel", BILLING), ("include_all_metadata", "true"), ("oldest", "1789999999")];
    let history = get(&slack, "conversations.history", &query).await;
    assert_eq!(history["messages"][0]["metadata"], metadata);
}

#[tokio::test]
async fn history_is_newest_first_in_pages_and_without_replies() {
    let slack = workspace();
    let mut posted = Vec::new();
    for text in ["1", "2", "3"] {
        posted.push(say(&slack, text).await);
    }
    let reply = json!({ "channel": BILLING, "text": "re: 2", "thread_ts": posted[1] });
    call(&slack, "chat.postMessage", reply).await;
    call(&slack, "chat.postMessage", json!({ "channel": "finance", "text": "elsewhere" })).await;
    let texts = |answer: &Value| -> Vec<String> {
        let messages = answer["messages"].as_array().unwrap().iter();
        messages.map(|message| message["text"].as_str().unwrap().to_owned()).collect()
    };

    let first = get(&slack, "conversations.history", &[("channel", BILLING), ("limit", "2")]).await;
    assert_eq!((texts(&first), &first["has_more"]), (vec!["3".to_owned(), "2".to_owned()], &true.into()));
    assert_eq!(first["messages"][1]["reply_count"], 1);
    let cursor = first["response_metadata"]["next_cursor"].as_str().unwrap();
    let query = [("channel", BILLING), ("limit", "2"), ("cursor", cursor)];
    let second = get(&slack, "conversations.history", &query).await;
    assert_eq!((texts(&second), &second["has_more"]), (vec!["1".to_owned()], &false.into()));

    let between = [("channel", BILLING), ("oldest", &*posted[0]), ("latest", &*posted[2])];
    assert_eq!(texts(&get(&slack, "conversations.history", &between).await), ["2"]);
    let edges = [between.as_slice(), &[("inclusive", "1")]].concat();
    assert_eq!(texts(&get(&slack, "conversations.history", &edges).await), ["3", "2", "1"]);
    let thread = [("channel", BILLING), ("ts", &*posted[1])];
    assert_eq!(texts(&get(&slack, "conversations.replies", &thread).await), ["2", "re: 2"]);

    for (name, value, error) in [
        ("cursor", "junk", "invalid_cursor"),
        ("oldest", "-1", "invalid_ts_oldest"),
        ("latest", "soon", "invalid_ts_latest"),
        ("channel", "private", "channel_not_found"),
        ("channel", "C0PRIVATE1", "not_in_channel"),
    ] {
        let answer = get(&slack, "conversations.history", &[("channel", BILLING), (name, value)]).await;
        assert_eq!(answer["error"], error);
    }
}

#[tokio::test]
async fn faults_come_as_often_as_asked_and_say_whether_it_was_done() {
    let slack = workspace();
    let request = || posted("chat.postMessage", &json!({ "channel": BILLING, "text": "x" }));
    let patience = Duration::from_millis(5);

    slack.fail("chat.postMessage", Fault::RateLimited(Duration::from_secs(30)), 2);
    for _ in 0..2 {
        let (status, headers, body) = send(&slack, request()).await;
        assert_eq!((status.as_u16(), &headers["retry-after"]), (429, &"30".parse().unwrap()));
        assert_eq!(serde_json::from_slice::<Value>(&body).unwrap()["error"], "ratelimited");
    }
    slack.fail("chat.postMessage", Fault::ServerError, 1);
    assert_eq!(send(&slack, request()).await.0, 500);
    slack.fail("chat.postMessage", Fault::HangBefore, 1);
    assert!(tokio::time::timeout(patience, send(&slack, request())).await.is_err());
    assert_eq!(slack.messages(), [], "nothing was done so far");

    slack.fail("chat.postMessage", Fault::HangAfter, 1);
    assert!(tokio::time::timeout(patience, send(&slack, request())).await.is_err());
    assert_eq!(slack.messages().len(), 1);
    slack.fail("chat.update", Fault::ServerError, 1);
    assert_eq!(send(&slack, request()).await.0, 200, "another method's fault does not matter");
    slack.repair();
    assert_eq!(send(&slack, posted("chat.update", &json!({}))).await.0, 200);
}

#[tokio::test]
async fn messages_survive_a_restart_and_new_ones_sort_after_them() {
    let shelf = Shelf::memory().unwrap();
    let before = workspace_on(shelf.clone());
    let first = say(&before, "before").await;
    call(&before, "conversations.open", json!({ "users": FINANCE_LEAD })).await;
    let after = workspace_on(shelf);
    assert_eq!(after.messages(), before.messages());
    assert_eq!(after.people_in("D0FINLEAD1"), [FINANCE_LEAD]);
    assert!(say(&after, "after").await > first);
}

#[tokio::test]
async fn the_page_shows_links_and_buttons_but_lets_nothing_run() {
    let slack = workspace();
    let section = |text: &str| json!({ "type": "section", "text": { "type": "mrkdwn", "text": text } });
    let button = |url: &str| json!({ "type": "button", "text": { "type": "plain_text", "text": "Review" }, "url": url });
    let blocks = json!([
        section("a &lt;b&gt; &amp;amp; <https://x.test/?a=1&amp;b=2|see> <!channel> <javascript:alert(1)|no>"),
        { "type": "header", "text": { "type": "plain_text", "text": "<script>alert(1)</script>" } },
        { "type": "actions", "elements": [button("https://x.test/review"), button("javascript:alert(2)")] },
    ]);
    call(&slack, "chat.postMessage", json!({ "channel": FINANCE_LEAD, "text": "x", "blocks": blocks })).await;
    let (status, headers, body) = send(&slack, Request::get("/").body(Body::empty()).unwrap()).await;
    let page = String::from_utf8(body).unwrap();
    assert_eq!(status, 200);
    assert!(headers["content-security-policy"].to_str().unwrap().starts_with("default-src 'none'"));
    assert!(page.contains("Finance lead"));
    assert!(page.contains(r#"a &lt;b&gt; &amp;amp; <a href="https://x.test/?a=1&amp;b=2""#), "{page}");
    assert!(page.contains(r#"href="https://x.test/review""#));
    assert!(!page.contains("<script>") && !page.contains(r#"href="javascript"#), "{page}");
}
