//! Zendesk: users and their tickets, tickets by external id, creation with an idempotency key, comments,
//! and updates that are refused if the ticket changed meanwhile
//! (<https://developer.zendesk.com/api-reference/ticketing/tickets/tickets/>,
//! <https://developer.zendesk.com/api-reference/ticketing/tickets/ticket_comments/>,
//! <https://developer.zendesk.com/api-reference/ticketing/introduction/#idempotency>,
//! <https://developer.zendesk.com/api-reference/introduction/rate-limits/>).

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::Result;
use axum::{
    Router,
    body::Bytes,
    extract::State,
    response::Response,
    routing::{any, get},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderValue, Method, Uri, header};
use serde_json::{Value, json};

use super::{Answer, Book, Entry, Fault, Person, Said, Thread, page, shown};
use crate::{Clock, Shelf, clock::instant};

/// Seconds for which an idempotency key is remembered.
const REMEMBERED: i64 = 7200;
/// The agent whose token it is.
const AGENT: u64 = 60_001;

/// Body, ticket and time.
type Made = (Vec<u8>, String, i64);

/// One Zendesk account.
pub struct Zendesk {
    authorization: String,
    book: Book,
    /// What was made under each idempotency key.
    keys: Mutex<BTreeMap<String, Made>>,
}

impl Zendesk {
    /// The account with what is on the shelf; `token` of the agent `user` is the only one that is
    /// accepted.
    ///
    /// # Errors
    /// If the shelf cannot be read.
    pub fn open(user: &str, token: &str, shelf: Shelf, clock: Clock) -> Result<Arc<Self>> {
        let authorization = format!("Basic {}", STANDARD.encode(format!("{user}/token:{token}")));
        let book = Book::open(["zendesk.users", "zendesk.tickets"], shelf, clock)?;
        Ok(Arc::new(Self { authorization, book, keys: Mutex::default() }))
    }

    /// The API, and at `/` a page for people to read.
    pub fn router(self: Arc<Self>) -> Router {
        let show = |State(desk): State<Arc<Self>>| async move { page::show("Zendesk", &desk.book) };
        Router::new().route("/", get(show)).fallback(any(call)).with_state(self)
    }

    /// Puts a person there with what they wrote. Whoever is there already is left as they are.
    ///
    /// # Errors
    /// If the shelf cannot be written.
    pub fn seed(&self, person: &Person, said: &[Said]) -> Result<()> {
        self.book.seed(person, said)
    }

    /// All tickets, of customers and of Countersign.
    pub fn threads(&self) -> Vec<Thread> {
        self.book.threads()
    }

    /// Makes the next `times` calls that begin with `on` (`POST /api/v2/tickets`) go wrong.
    pub fn fail(&self, on: &str, fault: Fault, times: usize) {
        self.book.faults.add(on, fault, times);
    }

    fn perform(&self, method: &Method, path: &str, query: &str, key: Option<&str>, body: &[u8]) -> Answer {
        let Some(path) = path.strip_prefix("/api/v2/") else { return Ok(not_found()) };
        let parts: Vec<&str> = path.trim_end_matches(".json").split('/').collect();
        let asked = |name: &str| {
            let mut pairs = form_urlencoded::parse(query.as_bytes());
            pairs.find(|(given, _)| given == name).map(|(_, value)| value.into_owned())
        };
        Ok(match (method.as_str(), parts.as_slice()) {
            ("GET", ["users"]) => list(
                "users",
                &self.book.people().iter().map(|(id, person)| user(id, person)).collect::<Vec<_>>(),
            ),
            ("GET", ["users", "search"]) => {
                let (external, query) = (asked("external_id"), asked("query").unwrap_or_default());
                let wanted = |person: &Person| match &external {
                    Some(external) => person.customer.as_ref() == Some(external),
                    None => query.contains(&format!("email:\"{}\"", person.email)),
                };
                let people = self.book.people();
                let found: Vec<Value> = people
                    .iter()
                    .filter(|(_, person)| wanted(person))
                    .map(|(id, person)| user(id, person))
                    .collect();
                let count = found.len();
                (200, json!({ "users": found, "next_page": null, "previous_page": null, "count": count }))
            }
            ("GET", ["users", id, "tickets", "requested"]) => {
                self.tickets(|ticket| ticket.person.as_deref() == Some(*id))
            }
            ("GET", ["tickets"]) => match asked("external_id") {
                Some(external) => self.tickets(|ticket| ticket.case.as_ref() == Some(&external)),
                None => self.tickets(|_| true),
            },
            ("GET", ["tickets", id]) => {
                self.book.thread(id).map_or_else(not_found, |one| (200, json!({ "ticket": ticket(&one) })))
            }
            ("GET", ["tickets", id, "comments"]) => self.book.thread(id).map_or_else(not_found, |one| {
                list(
                    "comments",
                    &(1..).zip(&one.entries).map(|(at, entry)| comment(at, entry)).collect::<Vec<_>>(),
                )
            }),
            ("POST", ["tickets"]) => return self.create(key, body),
            ("PUT", ["tickets", id]) => return self.update(id, body),
            _ => not_found(),
        })
    }

    fn tickets(&self, wanted: impl Fn(&Thread) -> bool) -> (u16, Value) {
        list("tickets", &self.book.threads().iter().filter(|one| wanted(one)).map(ticket).collect::<Vec<_>>())
    }

    fn create(&self, key: Option<&str>, body: &[u8]) -> Answer {
        let now = self.book.clock.seconds();
        // Held until the ticket is there, so that two with one key make one.
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        keys.retain(|_, (_, _, at)| now - *at < REMEMBERED);
        if let Some((before, id, _)) = key.and_then(|key| keys.get(key)) {
            if before.as_slice() != body {
                let description = "Request parameters don't match the given idempotency key";
                return Ok(refused(400, "IdempotentRequestError", description));
            }
            let found = self.book.thread(id);
            return Ok(found.map_or_else(not_found, |one| (201, json!({ "ticket": ticket(&one) }))));
        }
        let given: Value = serde_json::from_slice(body).unwrap_or_default();
        let given = given.get("ticket").cloned().unwrap_or_default();
        let Some(entry) = entry(&given, now) else {
            return Ok(refused(422, "RecordInvalid", "Record validation errors"));
        };
        let text = |name: &str| given.get(name).and_then(Value::as_str).map(str::to_owned);
        let made = self.book.begin(|id| Thread {
            id,
            person: given.get("requester_id").and_then(Value::as_u64).map(|id| id.to_string()),
            subject: text("subject").unwrap_or_default(),
            case: text("external_id"),
            state: "open".to_owned(),
            priority: text("priority"),
            tags: Vec::new(),
            created: now,
            updated: now,
            entries: vec![entry],
        })?;
        if let Some(key) = key {
            keys.insert(key.to_owned(), (body.to_owned(), made.id.clone(), now));
        }
        Ok((201, json!({ "ticket": ticket(&made) })))
    }

    fn update(&self, id: &str, body: &[u8]) -> Answer {
        let given: Value = serde_json::from_slice(body).unwrap_or_default();
        let given = given.get("ticket").cloned().unwrap_or_default();
        let Some(entry) = entry(&given, self.book.clock.seconds()) else {
            return Ok(refused(422, "RecordInvalid", "Record validation errors"));
        };
        let safe = given.get("safe_update").and_then(Value::as_bool).unwrap_or_default();
        let stamp = given.get("updated_stamp").and_then(Value::as_str).map(str::to_owned);
        let allowed = |one: &Thread| {
            if safe && stamp.as_deref() != Some(seconds(one.updated).as_str()) {
                let description = "Safe Update prevented the update due to outdated ticket data.";
                return Err(refused(409, "UpdateConflict", description));
            }
            if one.state == "closed" {
                return Err(refused(422, "RecordInvalid", "Status: closed prevents ticket update"));
            }
            Ok(())
        };
        Ok(match self.book.add(id, entry, allowed)? {
            None => not_found(),
            Some(Err(refused)) => refused,
            Some(Ok(one)) => (200, json!({ "ticket": ticket(&one) })),
        })
    }
}

async fn call(
    State(desk): State<Arc<Zendesk>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let fault = desk.book.faults.next(&format!("{method} {}", uri.path()));
    let limited = refused(429, "APIRateLimitExceeded", "Number of allowed API requests per minute exceeded");
    let mut response = super::answer(fault, limited, || {
        let given = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
        if given(header::AUTHORIZATION.as_str()) != Some(desk.authorization.as_str()) {
            return Ok((401, json!({ "error": "Couldn't authenticate you" })));
        }
        desk.perform(&method, uri.path(), uri.query().unwrap_or_default(), given("idempotency-key"), &body)
    })
    .await;
    let left = if matches!(fault, Some(Fault::RateLimited(_))) { "0" } else { "699" };
    response.headers_mut().insert("x-rate-limit", HeaderValue::from_static("700"));
    response.headers_mut().insert("x-rate-limit-remaining", HeaderValue::from_static(left));
    response
}

/// What a ticket's `comment` says; `None` if there is none.
fn entry(ticket: &Value, now: i64) -> Option<Entry> {
    let comment = ticket.get("comment")?;
    let text = |name: &str| comment.get(name).and_then(Value::as_str);
    let html = text("html_body").map(str::to_owned).or_else(|| text("body").map(shown))?;
    // A comment is public unless it says otherwise.
    let public = comment.get("public").and_then(Value::as_bool).unwrap_or(true);
    (!html.is_empty() && html.len() < 65_536).then_some(Entry { by_customer: false, public, html, at: now })
}

fn ticket(one: &Thread) -> Value {
    json!({
        "id": one.id.parse::<u64>().ok(), "external_id": one.case, "subject": one.subject,
        "raw_subject": one.subject, "status": one.state, "priority": one.priority, "tags": one.tags,
        "requester_id": one.person.as_ref().and_then(|id| id.parse::<u64>().ok()), "assignee_id": null,
        "description": one.entries.first().map(Entry::seen),
        "created_at": seconds(one.created), "updated_at": seconds(one.updated),
    })
}

fn comment(id: u64, entry: &Entry) -> Value {
    let author = if entry.by_customer { None } else { Some(AGENT) };
    json!({
        "id": id, "type": "Comment", "author_id": author, "public": entry.public, "body": entry.seen(),
        "plain_body": entry.seen(), "html_body": format!("<div class=\"zd-comment\">{}</div>", entry.html),
        "created_at": seconds(entry.at),
    })
}

fn user(id: &str, person: &Person) -> Value {
    let Person { customer, email, name } = person;
    let id = id.parse::<u64>().ok();
    json!({ "id": id, "name": name, "email": email, "external_id": customer, "role": "end-user" })
}

/// All in one page.
fn list(name: &str, items: &[Value]) -> (u16, Value) {
    let meta = json!({ "has_more": false, "after_cursor": null, "before_cursor": null });
    (200, json!({ name: items, "meta": meta, "links": { "prev": null, "next": null } }))
}

/// Zendesk tells whole seconds.
fn seconds(at: i64) -> String {
    instant(at).replace(".000Z", "Z")
}

fn not_found() -> (u16, Value) {
    refused(404, "RecordNotFound", "Not found")
}

fn refused(status: u16, error: &str, description: &str) -> (u16, Value) {
    (status, json!({ "error": error, "description": description }))
}
