//! Intercom, version 2.14: searches of contacts, conversations and tickets, reads of one with its parts,
//! tickets of one back-office type, and notes
//! (<https://developers.intercom.com/docs/references/2.14/rest-api/api.intercom.io>,
//! <https://developers.intercom.com/docs/references/rest-api/errors/error-codes/>,
//! <https://developers.intercom.com/docs/references/rest-api/errors/rate-limiting/>).
//!
//! There is no idempotency key, and a search can be behind: [`Intercom::delay_search`].

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering::SeqCst},
};

use anyhow::Result;
use axum::{
    Router,
    body::Bytes,
    extract::State,
    response::Response,
    routing::{any, get},
};
use http::{HeaderMap, HeaderValue, Method, Uri, header};
use serde_json::{Map, Value, json};

use super::{Answer, Book, Entry, Fault, Person, Said, Thread, page, shown};
use crate::{Clock, Shelf};

const VERSION: &str = "2.14";
const ADMIN: &str = "60001";
/// The attribute that holds the case, and its id.
const CASE: (&str, &str) = ("countersign_case", "9001");

/// One Intercom workspace.
pub struct Intercom {
    token: String,
    book: Book,
    /// Seconds after which a search finds what was made.
    delay: AtomicI64,
}

impl Intercom {
    /// The id of the only ticket type.
    pub const TICKET_TYPE: &'static str = "501";

    /// The workspace with what is on the shelf; `token` is the only one that is accepted.
    ///
    /// # Errors
    /// If the shelf cannot be read.
    pub fn open(token: &str, shelf: Shelf, clock: Clock) -> Result<Arc<Self>> {
        let book = Book::open(["intercom.contacts", "intercom.threads"], shelf, clock)?;
        Ok(Arc::new(Self { token: token.to_owned(), book, delay: AtomicI64::new(0) }))
    }

    /// The API, and at `/` a page for people to read.
    pub fn router(self: Arc<Self>) -> Router {
        let show = |State(desk): State<Arc<Self>>| async move { page::show("Intercom", &desk.book) };
        Router::new().route("/", get(show)).fallback(any(call)).with_state(self)
    }

    /// Puts a person there with what they wrote. Whoever is there already is left as they are.
    ///
    /// # Errors
    /// If the shelf cannot be written.
    pub fn seed(&self, person: &Person, said: &[Said]) -> Result<()> {
        self.book.seed(person, said)
    }

    /// All conversations and tickets.
    pub fn threads(&self) -> Vec<Thread> {
        self.book.threads()
    }

    /// Makes the next `times` calls that begin with `on` go wrong: `POST /tickets `, with a space at the
    /// end where no longer path is meant.
    pub fn fail(&self, on: &str, fault: Fault, times: usize) {
        self.book.faults.add(on, fault, times);
    }

    /// From now on a search finds a conversation or ticket only so many seconds after it was made.
    pub fn delay_search(&self, seconds: i64) {
        self.delay.store(seconds, SeqCst);
    }

    fn perform(&self, method: &Method, path: &str, body: &[u8]) -> Answer {
        let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        Ok(match (method.as_str(), parts.as_slice()) {
            ("GET", ["me"]) => (
                200,
                json!({ "type": "admin", "id": ADMIN, "name": "Countersign", "email": "app@example.test" }),
            ),
            ("GET", ["ticket_types", Self::TICKET_TYPE]) => (200, ticket_type()),
            ("POST", ["contacts", "search"]) => {
                let all = self.book.people();
                let contacts = all.iter().map(|(id, person)| contact(id, person));
                found("data", "list", &body, contacts.map(|one| (one.clone(), one)))
            }
            ("POST", ["conversations", "search"]) => {
                let threads = self.searchable();
                let rows = threads.iter().map(|one| (searched(one), conversation(one)));
                found("conversations", "conversation.list", &body, rows)
            }
            ("POST", ["tickets", "search"]) => {
                let threads = self.searchable();
                let tickets = threads.iter().filter(|one| one.case.is_some());
                found("tickets", "ticket.list", &body, tickets.map(|one| (searched(one), ticket(one))))
            }
            ("GET", ["conversations", id]) => self
                .book
                .thread(id)
                .map_or_else(|| not_found("Conversation not found"), |one| (200, conversation(&one))),
            ("GET", ["tickets", id]) => {
                let one = self.book.thread(id).filter(|one| one.case.is_some());
                one.map_or_else(|| not_found("Ticket not found"), |one| (200, ticket(&one)))
            }
            ("POST", ["tickets"]) => return self.create(&body),
            ("POST", [place @ ("conversations" | "tickets"), id, "reply"]) => {
                return self.reply(place, id, &body);
            }
            _ => not_found("The requested resource was not found"),
        })
    }

    fn searchable(&self) -> Vec<Thread> {
        let until = self.book.clock.seconds() - self.delay.load(SeqCst);
        let mut threads = self.book.threads();
        threads.retain(|one| one.created <= until);
        threads
    }

    fn create(&self, body: &Value) -> Answer {
        let now = self.book.clock.seconds();
        let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        if text("/ticket_type_id").as_deref() != Some(Self::TICKET_TYPE) {
            return Ok(not_found("Ticket type not found"));
        }
        let contact = text("/contacts/0/id").filter(|id| self.book.memory().people.contains_key(id));
        let Some(contact) = contact else { return Ok(not_found("User Not Found")) };
        let attributes =
            body.get("ticket_attributes").and_then(Value::as_object).cloned().unwrap_or_default();
        let known = ["_default_title_", "_default_description_", CASE.0];
        if let Some(name) = attributes.keys().find(|name| !known.contains(&name.as_str())) {
            return Ok(refused(400, "parameter_invalid", &format!("unknown attribute {name}")));
        }
        let attribute = |name: &str| attributes.get(name).and_then(Value::as_str).unwrap_or_default();
        let html = shown(attribute("_default_description_"));
        let made = self.book.begin(|id| Thread {
            id,
            person: Some(contact),
            subject: attribute("_default_title_").to_owned(),
            case: Some(attribute(CASE.0).to_owned()),
            state: "open".to_owned(),
            priority: None,
            tags: Vec::new(),
            created: now,
            updated: now,
            entries: vec![Entry { by_customer: false, public: false, html, at: now }],
        })?;
        Ok((200, ticket(&made)))
    }

    fn reply(&self, place: &str, id: &str, body: &Value) -> Answer {
        let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
        if text("type") != "admin" || text("admin_id") != ADMIN {
            return Ok(refused(404, "admin_not_found", "Admin for admin_id not found"));
        }
        let (kind, html) = (text("message_type"), text("body").to_owned());
        if !matches!(kind, "note" | "comment") || html.is_empty() {
            return Ok(refused(400, "parameter_invalid", "message_type or body is invalid"));
        }
        let at = self.book.clock.seconds();
        let entry = Entry { by_customer: false, public: kind == "comment", html, at };
        let allowed = |one: &Thread| {
            let missing = place == "tickets" && one.case.is_none();
            if missing { Err(not_found("Ticket not found")) } else { Ok(()) }
        };
        Ok(match self.book.add(id, entry, allowed)? {
            None => not_found("Resource Not Found"),
            Some(Err(refused)) => refused,
            Some(Ok(one)) if place == "tickets" => {
                (200, parts("ticket_part", &one).pop().unwrap_or_default())
            }
            Some(Ok(one)) => (200, conversation(&one)),
        })
    }
}

async fn call(
    State(desk): State<Arc<Intercom>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let fault = desk.book.faults.next(&format!("{method} {} ", uri.path()));
    let limited = refused(429, "rate_limit_exceeded", "Exceeded rate limit of 167 in 10_seconds");
    let mut response = super::answer(fault, limited, || {
        let given = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let token = given(header::AUTHORIZATION.as_str()).and_then(|given| given.strip_prefix("Bearer "));
        if token != Some(desk.token.as_str()) {
            return Ok(refused(401, "unauthorized", "Access Token Invalid"));
        }
        if given("intercom-version") != Some(VERSION) {
            return Ok(refused(400, "intercom_version_invalid", "The requested version could not be found"));
        }
        desk.perform(&method, uri.path(), &body)
    })
    .await;
    let (left, wait) = match fault {
        Some(Fault::RateLimited(wait)) => (0, wait),
        _ => (166, 10),
    };
    let reset = desk.book.clock.seconds() + i64::try_from(wait).unwrap_or(10);
    let headers = response.headers_mut();
    // Intercom tells when the window ends, and not how long to wait.
    headers.remove(header::RETRY_AFTER);
    headers.insert("x-ratelimit-limit", HeaderValue::from_static("167"));
    headers.insert("x-ratelimit-remaining", left.into());
    headers.insert("x-ratelimit-reset", reset.into());
    response
}

/// Those that a search's query is true of: each comes as what is searched and what is answered.
fn found(name: &str, kind: &str, body: &Value, rows: impl Iterator<Item = (Value, Value)>) -> (u16, Value) {
    let query = body.get("query").cloned().unwrap_or_default();
    let mut items = Vec::new();
    for (fields, row) in rows {
        match holds(&query, &fields) {
            Ok(true) => items.push(row),
            Ok(false) => {}
            Err(why) => return refused(400, "parameter_invalid", &why),
        }
    }
    let per_page = body.pointer("/pagination/per_page").and_then(Value::as_u64).unwrap_or(20);
    let pages = json!({ "type": "pages", "page": 1, "per_page": per_page, "total_pages": 1 });
    let total = items.len();
    (200, json!({ "type": kind, name: items, "total_count": total, "pages": pages }))
}

fn holds(query: &Value, fields: &Value) -> Result<bool, String> {
    let operator = query.get("operator").and_then(Value::as_str).unwrap_or_default();
    let value = query.get("value").cloned().unwrap_or_default();
    if let (Some(queries), "AND" | "OR") = (value.as_array(), operator) {
        let all: Result<Vec<bool>, String> = queries.iter().map(|query| holds(query, fields)).collect();
        let all = all?;
        return Ok(if operator == "AND" { all.iter().all(|one| *one) } else { all.contains(&true) });
    }
    let name = query.get("field").and_then(Value::as_str).unwrap_or_default();
    let held = fields.get(name).ok_or_else(|| format!("{name} is not a valid field"))?;
    match operator {
        "=" => Ok(held == &value || held.as_array().is_some_and(|all| all.contains(&value))),
        ">" => Ok(held.as_i64().zip(value.as_i64()).is_some_and(|(held, value)| held >= value)),
        other => Err(format!("{other} is not a valid operator")),
    }
}

fn contact(id: &str, person: &Person) -> Value {
    let Person { customer, email, name } = person;
    json!({
        "type": "contact", "id": id, "external_id": customer, "role": "user", "email": email, "name": name,
        "custom_attributes": {},
    })
}

/// What searches of conversations and tickets look at.
fn searched(one: &Thread) -> Value {
    let mut fields = Map::new();
    fields.insert("contact_ids".to_owned(), one.person.iter().cloned().collect());
    fields.insert("open".to_owned(), (one.state != "closed").into());
    fields.insert("updated_at".to_owned(), one.updated.into());
    if let Some(case) = &one.case {
        fields.insert("ticket_type_id".to_owned(), Intercom::TICKET_TYPE.into());
        fields.insert(format!("ticket_attribute.{}", CASE.1), case.as_str().into());
    }
    fields.into()
}

fn conversation(one: &Thread) -> Value {
    let tags: Vec<Value> = (1..)
        .zip(&one.tags)
        .map(|(id, name)| json!({ "type": "tag", "id": id.to_string(), "name": name }))
        .collect();
    let parts = parts("conversation_part", one);
    json!({
        "type": "conversation", "id": one.id, "title": one.subject, "state": one.state,
        "open": one.state != "closed", "priority": one.priority.as_deref().unwrap_or("not_priority"),
        "admin_assignee_id": null, "created_at": one.created, "updated_at": one.updated,
        "contacts": { "type": "contact.list", "contacts": one.person.iter().map(|id| json!({ "type": "contact", "id": id })).collect::<Vec<Value>>() },
        "tags": { "type": "tag.list", "tags": tags },
        "conversation_parts": {
            "type": "conversation_part.list", "total_count": parts.len(), "conversation_parts": parts,
        },
    })
}

fn ticket(one: &Thread) -> Value {
    // What it was made with stands in an attribute and is no part.
    let parts: Vec<Value> = parts("ticket_part", one).into_iter().skip(1).collect();
    json!({
        "type": "ticket", "id": one.id, "ticket_id": one.id, "category": "Back-office",
        "ticket_attributes": {
            "_default_title_": one.subject, CASE.0: one.case,
            "_default_description_": one.entries.first().map(Entry::seen),
        },
        "open": one.state != "closed", "created_at": one.created, "updated_at": one.updated,
        "ticket_type": ticket_type(),
        "ticket_parts": { "type": "ticket_part.list", "total_count": parts.len(), "ticket_parts": parts },
    })
}

fn parts(kind: &str, one: &Thread) -> Vec<Value> {
    let part = |(id, entry): (usize, &Entry)| {
        json!({
            "type": kind, "id": id.to_string(), "part_type": if entry.public { "comment" } else { "note" },
            "body": entry.html, "created_at": entry.at, "updated_at": entry.at,
        })
    };
    (1..).zip(&one.entries).map(part).collect()
}

fn ticket_type() -> Value {
    json!({
        "type": "ticket_type", "id": Intercom::TICKET_TYPE, "category": "Back-office", "archived": false,
        "name": "Billing case",
        "ticket_type_attributes": { "type": "list", "data": [
            { "type": "ticket_type_attribute", "id": CASE.1, "name": CASE.0, "data_type": "string", "archived": false },
        ] },
    })
}

fn not_found(message: &str) -> (u16, Value) {
    refused(404, "not_found", message)
}

fn refused(status: u16, code: &str, message: &str) -> (u16, Value) {
    let errors = json!([{ "code": code, "message": message }]);
    (status, json!({ "type": "error.list", "request_id": "sandbox", "errors": errors }))
}
