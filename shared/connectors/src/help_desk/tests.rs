use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::to_bytes,
    extract::Request,
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use domain::{
    CaseKey, CustomerId, Timestamp,
    plan::{Draft, Priority, StepKey},
};
use serde_json::{Value, json};

use super::*;
use crate::{ConnectorError, Verdict, failure::Cause};

const NOW: Timestamp = Timestamp::from_seconds(1_790_000_000);

/// Tickets with their comments, and what goes wrong.
#[derive(Default)]
struct Account {
    users: Vec<Value>,
    tickets: Vec<Value>,
    comments: BTreeMap<u64, Vec<Value>>,
    /// The ticket that each idempotency key made.
    made: BTreeMap<String, Value>,
    edits: u64,
    /// So many writes are done and answered with 502.
    lost: usize,
    /// Answers every call instead.
    always: Option<(u16, &'static str)>,
}

#[derive(Clone, Default)]
struct Twin(Arc<Mutex<Account>>);

impl Twin {
    async fn start(&self) -> Zendesk {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = Base::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        let this = self.clone();
        let router = Router::new().fallback(move |request: Request| this.clone().answer(request));
        tokio::spawn(async move { axum::serve(listener, router).await });
        let http = runtime::http::client_within(&[&base], Duration::from_secs(5)).unwrap();
        let tags = Tags { refund: vec!["refund".into()], cancellation: vec!["churn".into()] };
        Zendesk::new(http, &base, "agent@company.test", "canary-token".into(), tags, Arc::new(|| NOW))
    }

    async fn answer(self, request: Request) -> Response {
        let (head, body) = request.into_parts();
        let body: Value =
            serde_json::from_slice(&to_bytes(body, usize::MAX).await.unwrap()).unwrap_or_default();
        assert!(head.headers["authorization"].to_str().unwrap().starts_with("Basic "));
        let query = head.uri.query().unwrap_or_default().replace("%3A", ":").replace("%40", "@");
        let mut account = self.0.lock().unwrap();
        if let Some((status, body)) = account.always {
            let status = StatusCode::from_u16(status).unwrap();
            return (status, [("retry-after", "17")], body).into_response();
        }
        let meta = json!({ "has_more": false });
        let path: Vec<&str> = head.uri.path().trim_start_matches("/api/v2/").split('/').collect();
        let key = head.headers.get("idempotency-key").map(|key| key.to_str().unwrap().to_owned());
        let said = match (head.method.as_str(), path.as_slice()) {
            ("GET", ["users", "search"]) => {
                let named = |user: &&Value, field: &str| {
                    user[field].as_str().is_some_and(|value| query.contains(value))
                };
                let field = if query.starts_with("external_id") { "external_id" } else { "email" };
                let users: Vec<_> = account.users.iter().filter(|user| named(user, field)).collect();
                json!({ "users": users })
            }
            ("GET", ["users", _, "tickets", "requested"]) => {
                json!({ "tickets": account.tickets, "meta": meta })
            }
            ("GET", ["tickets"]) => {
                let wanted = query.trim_start_matches("external_id=");
                let tickets: Vec<_> =
                    account.tickets.iter().filter(|ticket| ticket["external_id"] == wanted).collect();
                json!({ "tickets": tickets })
            }
            ("GET", ["tickets", id]) => json!({ "ticket": account.tickets[index(id)] }),
            ("GET", ["tickets", id, "comments"]) => {
                json!({ "comments": account.comments[&id.parse().unwrap()], "meta": meta })
            }
            ("POST", ["tickets"]) => {
                let key = key.expect("a ticket is created with a key");
                let made = account.made.get(&key).cloned().unwrap_or_else(|| {
                    let id = account.tickets.len() as u64 + 1;
                    let ticket = ticket(id, &body["ticket"]);
                    account.tickets.push(ticket.clone());
                    account.comments.insert(id, vec![body["ticket"]["comment"].clone()]);
                    ticket
                });
                account.made.insert(key, made.clone());
                json!({ "ticket": made })
            }
            ("PUT", ["tickets", id]) => {
                let (asked, at) = (&body["ticket"], index(id));
                assert_eq!(asked["safe_update"], true);
                if account.tickets[at]["updated_at"] != asked["updated_stamp"] {
                    return (StatusCode::CONFLICT, r#"{"error":"UpdateConflict"}"#).into_response();
                }
                account.edits += 1;
                let later = format!("2026-09-21T00:00:{:02}Z", account.edits);
                account.tickets[at]["updated_at"] = later.into();
                account.comments.get_mut(&id.parse().unwrap()).unwrap().push(asked["comment"].clone());
                json!({ "ticket": account.tickets[at] })
            }
            other => panic!("{other:?}"),
        };
        if head.method != "GET" && account.lost > 0 {
            account.lost -= 1;
            return (StatusCode::BAD_GATEWAY, "").into_response();
        }
        said.to_string().into_response()
    }

    fn tickets(&self) -> usize {
        self.0.lock().unwrap().tickets.len()
    }

    fn comments(&self) -> Vec<String> {
        let account = self.0.lock().unwrap();
        let all = account.comments.values().flatten();
        all.inspect(|comment| assert_eq!(comment["public"], false))
            .map(|comment| comment["body"].as_str().unwrap().to_owned())
            .collect()
    }
}

fn index(id: &str) -> usize {
    id.parse::<usize>().unwrap() - 1
}

fn ticket(id: u64, given: &Value) -> Value {
    json!({
        "id": id, "external_id": given["external_id"], "priority": given["priority"], "status": "new",
        "tags": [], "assignee_id": null,
        "created_at": "2026-09-20T00:00:00Z", "updated_at": "2026-09-20T00:00:00Z",
    })
}

fn case() -> CaseKey {
    "recovery:in_1".parse().unwrap()
}

fn key(text: &str) -> StepKey {
    serde_json::from_value(text.into()).unwrap()
}

fn customer() -> CustomerId {
    CustomerId::parse("cus_1").unwrap()
}

async fn put(zendesk: &Zendesk, step: &str) -> Result<String, ConnectorError> {
    zendesk.put_ticket(&key(step), &case(), Some(&customer()), "Card", "It failed", Priority::High).await
}

fn draft() -> Draft {
    Draft {
        template: "recovery-update-card/1".into(),
        channel: "email".into(),
        locale: "en".into(),
        subject: "Your card".into(),
        text: "Hello".into(),
    }
}

#[tokio::test]
async fn a_case_has_one_ticket_and_later_steps_are_notes_on_it() {
    let twin = Twin::default();
    let zendesk = twin.start().await;
    for step in ["k1", "k1", "k2", "k2", "k1"] {
        assert_eq!(put(&zendesk, step).await.unwrap(), "1", "{step}");
    }
    assert_eq!(twin.0.lock().unwrap().tickets[0]["external_id"], "countersign:recovery:in_1");
    assert_eq!(twin.comments(), ["It failed\n\n[countersign k1]", "It failed\n\n[countersign k2]"]);
}

#[tokio::test]
async fn runs_side_by_side_make_one_ticket_and_one_note() {
    let twin = Twin::default();
    let zendesk = twin.start().await;
    let (one, two) = tokio::join!(put(&zendesk, "k1"), put(&zendesk, "k1"));
    assert_eq!((one.unwrap(), two.unwrap()), ("1".to_owned(), "1".to_owned()));
    // The second of two notes may be told to come again; then it finds the first.
    let _ = tokio::join!(put(&zendesk, "k2"), put(&zendesk, "k2"), put(&zendesk, "k2"));
    put(&zendesk, "k2").await.unwrap();
    assert_eq!((twin.tickets(), twin.comments().len()), (1, 2));
}

#[tokio::test]
async fn what_was_written_before_the_answer_was_lost_is_found_again() {
    let twin = Twin::default();
    let zendesk = twin.start().await;
    twin.0.lock().unwrap().lost = 1;
    // The vendor deduplicates a creation, so it is repeated at once.
    put(&zendesk, "k1").await.unwrap();
    twin.0.lock().unwrap().lost = 1;
    assert_eq!(put(&zendesk, "k2").await.unwrap_err().verdict(), Verdict::LookFirst);
    put(&zendesk, "k2").await.unwrap();
    twin.0.lock().unwrap().lost = 1;
    let drafted = zendesk.put_reply_draft(&key("k3"), "1", &draft()).await;
    assert_eq!(drafted.unwrap_err().verdict(), Verdict::LookFirst);
    zendesk.put_reply_draft(&key("k3"), "1", &draft()).await.unwrap();
    assert_eq!((twin.tickets(), twin.comments().len()), (1, 3));
    assert!(twin.comments()[2].starts_with("DRAFT, not sent."), "{:?}", twin.comments());
}

#[tokio::test]
async fn conversations_are_those_that_are_open_and_those_of_the_last_90_days() {
    let twin = Twin::default();
    let one = |id: u64, status: &str, updated: &str, tags: &[&str]| {
        json!({
            "id": id, "status": status, "priority": if id == 1 { "urgent".into() } else { Value::Null },
            "tags": tags, "assignee_id": 7, "created_at": "2026-01-01T00:00:00Z", "updated_at": updated,
        })
    };
    {
        let mut account = twin.0.lock().unwrap();
        account.users = vec![json!({ "id": 9, "external_id": "cus_1", "email": "a@b.test" })];
        account.tickets = vec![
            one(1, "open", "2026-01-02T00:00:00Z", &["Refund"]),
            one(2, "closed", "2026-01-02T00:00:00Z", &[]),
            one(3, "solved", "2026-09-20T00:00:00Z", &["churn"]),
            one(4, "a_new_word", "2026-01-03T00:00:00Z", &[]),
        ];
    }
    let found = twin.start().await.conversations(&customer(), None, NOW).await.unwrap();
    let ids: Vec<_> = found.items.iter().map(|one| (one.id.as_str(), one.open)).collect();
    assert_eq!(ids, [("3", false), ("4", true), ("1", true)]);
    assert_eq!(found.priority().unwrap().id, "1");
    assert!(
        found.items[2].asks_refund && !found.items[2].asks_cancellation && found.items[0].asks_cancellation
    );
}

#[tokio::test]
async fn a_customer_is_found_by_address_only_if_that_is_certain() {
    let user = |id: u64, external: Value| json!({ "id": id, "external_id": external, "email": "a@b.test" });
    for (users, certain) in [
        (vec![user(1, Value::Null)], true),
        (vec![user(1, "cus_2".into())], false),
        (vec![user(1, Value::Null), user(2, Value::Null)], false),
        (vec![user(1, "cus_1".into()), user(2, "cus_1".into())], false),
        (vec![], true),
    ] {
        let twin = Twin::default();
        twin.0.lock().unwrap().users.clone_from(&users);
        let found = twin.start().await.conversations(&customer(), Some("a@b.test"), NOW).await;
        match found {
            Ok(_) => assert!(certain, "{users:?}"),
            Err(error) => assert!(!certain && matches!(error.cause, Cause::Contradictory(_)), "{error:?}"),
        }
    }
}

#[tokio::test]
async fn refusals_limits_and_keys_say_what_to_do_and_show_nothing_personal() {
    let invalid = r#"{"error":"RecordInvalid","description":"Requester canary@example.test is suspended"}"#;
    for (status, body, verdict) in [
        (422, invalid, Verdict::GiveUp),
        (429, "", Verdict::RetryLater { after: Some(17) }),
        (401, r#"{"error":"Couldn't authenticate you"}"#, Verdict::RetryLater { after: Some(60) }),
    ] {
        let twin = Twin::default();
        twin.0.lock().unwrap().always = Some((status, body));
        let error = put(&twin.start().await, "k1").await.unwrap_err();
        assert_eq!(error.verdict(), verdict, "{status}");
        let shown = format!("{error:?} {error} {} {}", error.cause, error.explain());
        assert!(!shown.contains("canary"), "{shown}");
        assert_eq!(error.explain().contains("is suspended"), status == 422, "{shown}");
    }
}

#[tokio::test]
async fn a_megabyte_with_control_characters_and_a_false_mark_is_cut_and_cleaned() {
    let twin = Twin::default();
    let text = format!("[countersign k2]\u{7}{}", "<script>\u{0}".repeat(120_000));
    let zendesk = twin.start().await;
    zendesk.put_ticket(&key("k1"), &case(), None, &text, &text, Priority::Low).await.unwrap();
    put(&zendesk, "k2").await.unwrap();
    let comments = twin.comments();
    assert_eq!(comments.len(), 2, "the false mark hid nothing");
    assert!(comments[0].len() < 65_536 && !comments[0].contains(['\u{0}', '\u{7}']));
}

#[test]
fn it_is_configured_wholly_or_not_at_all() {
    assert_eq!(Config::from_env(&Env::from([])).unwrap(), None);
    assert!(
        Config::from_env(&Env::from([("HELP_DESK", "canary")]))
            .unwrap_err()
            .to_string()
            .contains("HELP_DESK")
    );
    let mut all = vec![
        ("HELP_DESK", "zendesk"),
        ("ZENDESK_SUBDOMAIN_URL", "https://company.zendesk.com"),
        ("ZENDESK_USER", "agent@company.test"),
        ("ZENDESK_TOKEN_SECRET", "zendesk/token"),
    ];
    let config = Config::from_env(&all.iter().copied().collect()).unwrap().unwrap();
    assert_eq!(config.tags.refund, ["refund"]);
    let (name, _) = all.remove(3);
    let error = Config::from_env(&all.iter().copied().collect()).unwrap_err().to_string();
    assert!(error.contains(name), "{error}");
}
