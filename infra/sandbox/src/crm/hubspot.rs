//! HubSpot, version 2026-03: search, reads and changes of companies, upserts of tasks and notes by a unique
//! property, and default associations (<https://developers.hubspot.com/docs/api-reference/2026-03/overview>,
//! <https://developers.hubspot.com/docs/api-reference/latest/crm/activities/tasks/guide>,
//! <https://developers.hubspot.com/docs/api-reference/error-handling>,
//! <https://developers.hubspot.com/docs/api/usage-details>).

use std::sync::Arc;

use anyhow::Result;
use axum::{
    Router,
    body::Bytes,
    extract::State,
    response::Response,
    routing::{any, get},
};
use http::{HeaderMap, HeaderValue, Method, Uri, header};
use serde_json::{Value, json};

use super::{Answer, Book, Entry, Fault, Properties, page};
use crate::Shelf;

const VERSION: &str = "2026-03";

/// One HubSpot account.
pub struct HubSpot {
    token: String,
    book: Book,
}

impl HubSpot {
    /// The account with what is on the shelf; `token` is the only one that is accepted.
    ///
    /// # Errors
    /// If the shelf cannot be read.
    pub fn open(token: &str, shelf: Shelf) -> Result<Arc<Self>> {
        Ok(Arc::new(Self { token: token.to_owned(), book: Book::open("crm.hubspot", shelf)? }))
    }

    /// The API, and at `/` a page for people to read.
    pub fn router(self: Arc<Self>) -> Router {
        let show = |State(crm): State<Arc<Self>>| async move {
            page::show(
                "HubSpot",
                crm.entries("companies"),
                &[crm.entries("tasks"), crm.entries("notes")].concat(),
            )
        };
        Router::new().route("/", get(show)).fallback(any(call)).with_state(self)
    }

    /// Puts companies there, each by its Stripe customer id.
    ///
    /// # Errors
    /// If the shelf cannot be written.
    pub fn seed(&self, companies: &[(&str, Properties)]) -> Result<()> {
        companies.iter().try_for_each(|(customer, properties)| {
            self.book.upsert("companies", ("stripe_customer_id", customer), properties).map(drop)
        })
    }

    /// All of a kind: `companies`, `tasks`, `notes`.
    pub fn entries(&self, kind: &str) -> Vec<Entry> {
        self.book.all(kind)
    }

    /// Makes the next `times` calls that begin with `on` (`POST /crm/objects/2026-03/tasks`) go wrong.
    pub fn fail(&self, on: &str, fault: Fault, times: usize) {
        self.book.faults.add(on, fault, times);
    }

    /// From now on `kind` has no property `name`.
    pub fn lack(&self, kind: &str, name: &str) {
        self.book.lack(kind, name);
    }

    fn perform(&self, method: &Method, path: &str, query: &str, body: &[u8]) -> Answer {
        let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        match (method.as_str(), parts.as_slice()) {
            ("POST", ["crm", "objects", VERSION, kind, "search"]) => {
                let filter = body.pointer("/filterGroups/0/filters/0").cloned().unwrap_or_default();
                let text = |name: &str| filter.get(name).and_then(Value::as_str).unwrap_or_default();
                let found = self.book.with(kind, text("propertyName"), text("value"));
                let results: Vec<Value> = found.iter().map(record).collect();
                Ok((200, json!({ "total": results.len(), "results": results })))
            }
            ("POST", ["crm", "objects", VERSION, kind, "batch", "upsert"]) => {
                let input = body.pointer("/inputs/0").cloned().unwrap_or_default();
                let text = |name: &str| input.get(name).and_then(Value::as_str);
                let (Some(name), Some(value)) = (text("idProperty"), text("id")) else {
                    return Ok(invalid("Invalid input JSON"));
                };
                let given = input.get("properties").and_then(Value::as_object).cloned().unwrap_or_default();
                let (entry, new) = self.book.upsert(kind, (name, value), &given)?;
                let mut result = record(&entry);
                if let Some(result) = result.as_object_mut() {
                    result.insert("new".to_owned(), new.into());
                }
                Ok((200, json!({ "status": "COMPLETE", "results": [result] })))
            }
            ("PUT", ["crm", "objects", VERSION, kind, id, "associations", "default", _, to]) => {
                let changed = self.book.change(kind, id, |entry| entry.of = Some((*to).to_owned()))?;
                Ok(changed.map_or_else(not_found, |_| (200, json!({ "status": "COMPLETE", "results": [] }))))
            }
            ("GET", ["crm", "objects", VERSION, kind, id]) => {
                let by = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "idProperty");
                let found = match by {
                    Some((_, name)) => self.book.with(kind, &name, id).into_iter().next(),
                    None => self.book.get(kind, id),
                };
                Ok(found.map_or_else(not_found, |entry| (200, record(&entry))))
            }
            ("PATCH", ["crm", "objects", VERSION, kind, id]) => {
                let given = body.get("properties").and_then(Value::as_object).cloned().unwrap_or_default();
                let changed = self.book.change(kind, id, |entry| entry.properties.extend(given))?;
                Ok(changed.map_or_else(not_found, |entry| (200, record(&entry))))
            }
            ("GET", ["crm", "owners", VERSION, id]) => {
                let (first, last) = if *id == "8" { ("Customer", "Success") } else { ("Sales", "Lead") };
                let email = format!("{}@example.test", first.to_lowercase());
                Ok((200, json!({ "id": id, "email": email, "firstName": first, "lastName": last })))
            }
            ("GET", ["crm", "properties", VERSION, kind, name]) => {
                if self.book.lacks(kind, name) {
                    return Ok(not_found());
                }
                Ok((200, json!({ "name": name, "hasUniqueValue": *kind != "companies" })))
            }
            _ => Ok(not_found()),
        }
    }
}

async fn call(
    State(crm): State<Arc<HubSpot>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let fault = crm.book.faults.next(&format!("{method} {}", uri.path()));
    let message = "You have reached your ten_secondly_rolling limit.";
    let limited = json!({ "status": "error", "message": message, "category": "RATE_LIMITS", "policyName": "TEN_SECONDLY_ROLLING" });
    let mut response = super::answer(fault, (429, limited), || {
        let given = headers.get(header::AUTHORIZATION).and_then(|given| given.to_str().ok());
        if given.and_then(|given| given.strip_prefix("Bearer ")) != Some(crm.token.as_str()) {
            let message = "Authentication credentials not found.";
            return Ok((
                401,
                json!({ "status": "error", "message": message, "category": "INVALID_AUTHENTICATION" }),
            ));
        }
        crm.perform(&method, uri.path(), uri.query().unwrap_or_default(), &body)
    })
    .await;
    let headers = response.headers_mut();
    // HubSpot tells how long its window is, and not how long to wait.
    headers.remove(header::RETRY_AFTER);
    let (left, wait) = match fault {
        Some(Fault::RateLimited(wait)) => ("0", wait),
        _ => ("99", 10),
    };
    headers.insert("x-hubspot-ratelimit-max", HeaderValue::from_static("100"));
    headers.insert("x-hubspot-ratelimit-remaining", HeaderValue::from_static(left));
    headers.insert("x-hubspot-ratelimit-interval-milliseconds", (wait * 1000).into());
    response
}

fn record(entry: &Entry) -> Value {
    json!({ "id": entry.id, "properties": entry.properties, "archived": false })
}

fn not_found() -> (u16, Value) {
    (404, json!({ "status": "error", "message": "resource not found", "category": "OBJECT_NOT_FOUND" }))
}

fn invalid(message: &str) -> (u16, Value) {
    (400, json!({ "status": "error", "message": message, "category": "VALIDATION_ERROR" }))
}
