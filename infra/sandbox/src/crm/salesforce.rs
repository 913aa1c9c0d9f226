//! Salesforce: tokens by client credentials, the one query for an account, changes of accounts, upserts of
//! tasks by External ID, and descriptions of objects
//! (<https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/dome_upsert.htm>,
//! <https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_sobject_describe.htm>,
//! <https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/errorcodes.htm>,
//! <https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/headers_api_usage.htm>).

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
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
use serde_json::{Value, json};

use super::{Answer, Book, Entry, Fault, Properties, page};
use crate::Shelf;

/// One organisation.
pub struct Salesforce {
    client_secret: String,
    /// How often all sessions ended; a token is of its time.
    ended: AtomicUsize,
    /// How many tokens were given.
    given: AtomicUsize,
    /// Tokens are given, and none is accepted.
    locked: AtomicBool,
    book: Book,
}

impl Salesforce {
    /// The organisation with what is on the shelf; `client_secret` is the only one that is accepted.
    ///
    /// # Errors
    /// If the shelf cannot be read.
    pub fn open(client_secret: &str, shelf: Shelf) -> Result<Arc<Self>> {
        let book = Book::open("crm.salesforce", shelf)?;
        let client_secret = client_secret.to_owned();
        let (ended, given, locked) = Default::default();
        Ok(Arc::new(Self { client_secret, ended, given, locked, book }))
    }

    /// The API, and at `/` a page for people to read.
    pub fn router(self: Arc<Self>) -> Router {
        let show = |State(crm): State<Arc<Self>>| async move {
            page::show("Salesforce", crm.entries("Account"), &crm.entries("Task"))
        };
        Router::new().route("/", get(show)).fallback(any(call)).with_state(self)
    }

    /// Puts accounts there, each by its Stripe customer id.
    ///
    /// # Errors
    /// If the shelf cannot be written.
    pub fn seed(&self, accounts: &[(&str, Properties)]) -> Result<()> {
        accounts.iter().try_for_each(|(customer, properties)| {
            self.book.upsert("Account", ("Stripe_Customer_Id__c", customer), properties).map(drop)
        })
    }

    /// All of a kind: `Account`, `Task`.
    pub fn entries(&self, kind: &str) -> Vec<Entry> {
        self.book.all(kind)
    }

    /// Makes the next `times` calls that begin with `on` (`PATCH /services/data`) go wrong.
    pub fn fail(&self, on: &str, fault: Fault, times: usize) {
        self.book.faults.add(on, fault, times);
    }

    /// Ends all sessions.
    pub fn expire(&self) {
        self.ended.fetch_add(1, SeqCst);
    }

    /// From now on tokens are given, and none is accepted: what an integration user without the right to use
    /// the API sees.
    pub fn lock_out(&self) {
        self.locked.store(true, SeqCst);
    }

    /// How many tokens were given.
    pub fn tokens_given(&self) -> usize {
        self.given.load(SeqCst)
    }

    /// From now on `kind` has no field `name`.
    pub fn lack(&self, kind: &str, name: &str) {
        self.book.lack(kind, name);
    }

    fn token(&self) -> String {
        format!("00D!{}", self.ended.load(SeqCst))
    }

    /// The fields that Countersign asks for, as they are to be created.
    fn describe(&self, kind: &str) -> (u16, Value) {
        let names: &[&str] = match kind {
            "Account" => &[
                "Stripe_Customer_Id__c",
                "Annual_Value__c",
                "Renews__c",
                "Segment__c",
                "Type",
                "Payment_Status__c",
                "Payment_Open__c",
                "Payment_Read__c",
            ],
            "Task" => &["Countersign_Key__c"],
            _ => return not_found(),
        };
        let fields: Vec<Value> = names
            .iter()
            .filter(|name| !self.book.lacks(kind, name))
            .map(|name| json!({ "name": name, "externalId": kind == "Task", "unique": kind == "Task" }))
            .collect();
        (200, json!({ "name": kind, "fields": fields }))
    }

    fn give_token(&self, body: &[u8]) -> (u16, Value) {
        let given = form_urlencoded::parse(body).find(|(name, _)| name == "client_secret");
        if given.is_none_or(|(_, secret)| secret != self.client_secret.as_str()) {
            return (
                401,
                json!({ "error": "invalid_client", "error_description": "invalid client credentials" }),
            );
        }
        self.given.fetch_add(1, SeqCst);
        (200, json!({ "access_token": self.token(), "token_type": "Bearer", "scope": "api" }))
    }

    fn perform(&self, method: &Method, parts: &[&str], query: &str, body: &[u8]) -> Answer {
        let given: Properties = serde_json::from_slice(body).unwrap_or_default();
        match (method.as_str(), parts) {
            ("GET", ["query"]) => {
                let query = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "q");
                let query = query.map(|(_, query)| query.into_owned()).unwrap_or_default();
                // `… FROM Account WHERE field = 'value' LIMIT 2`: the one query that is asked.
                let condition = query.split_once(" FROM Account WHERE ").map(|(_, condition)| condition);
                let Some((name, value)) = condition.and_then(|condition| condition.split_once(" = '")) else {
                    return Ok(refused(400, "MALFORMED_QUERY", "unexpected token"));
                };
                let value = value.split('\'').next().unwrap_or_default();
                let found = self.book.with("Account", name, value);
                let records: Vec<Value> = found.iter().map(row).collect();
                Ok((200, json!({ "totalSize": records.len(), "done": true, "records": records })))
            }
            ("GET", ["sobjects", kind, "describe"]) => Ok(self.describe(kind)),
            ("GET", ["sobjects", kind, name, value]) => {
                let found = self.book.with(kind, name, value).into_iter().next();
                Ok(found.map_or_else(not_found, |entry| (200, row(&entry))))
            }
            ("PATCH", ["sobjects", kind, name, value]) => {
                let (entry, created) = self.book.upsert(kind, (name, value), &given)?;
                let of = entry.properties.get("WhatId").and_then(Value::as_str).map(str::to_owned);
                self.book.change(kind, &entry.id, |entry| entry.of = of)?;
                let answer = json!({ "id": entry.id, "success": true, "errors": [], "created": created });
                Ok((if created { 201 } else { 200 }, answer))
            }
            ("PATCH", ["sobjects", kind, id]) => {
                let changed = self.book.change(kind, id, |entry| entry.properties.extend(given))?;
                Ok(changed.map_or_else(not_found, |_| (204, Value::Null)))
            }
            _ => Ok(not_found()),
        }
    }
}

async fn call(
    State(crm): State<Arc<Salesforce>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let fault = crm.book.faults.next(&format!("{method} {}", uri.path()));
    let limited = refused(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.");
    let mut response = super::answer(fault, limited, || {
        let parts: Vec<&str> = uri.path().trim_matches('/').split('/').collect();
        let ["services", place, _, rest @ ..] = parts.as_slice() else { return Ok(not_found()) };
        if *place == "oauth2" {
            return Ok(crm.give_token(&body));
        }
        let given = headers.get(header::AUTHORIZATION).and_then(|given| given.to_str().ok());
        let token = given.and_then(|given| given.strip_prefix("Bearer "));
        if crm.locked.load(SeqCst) || token != Some(crm.token().as_str()) {
            return Ok(refused(401, "INVALID_SESSION_ID", "Session expired or invalid"));
        }
        crm.perform(&method, rest, uri.query().unwrap_or_default(), &body)
    })
    .await;
    // Salesforce counts by the day, and does not say how long to wait.
    response.headers_mut().remove(header::RETRY_AFTER);
    response.headers_mut().insert("sforce-limit-info", HeaderValue::from_static("api-usage=18/100000"));
    response
}

fn row(entry: &Entry) -> Value {
    let mut row = entry.properties.clone();
    row.insert("Id".to_owned(), entry.id.as_str().into());
    row.insert("attributes".to_owned(), json!({ "type": entry.kind }));
    row.into()
}

fn not_found() -> (u16, Value) {
    refused(404, "NOT_FOUND", "The requested resource does not exist")
}

fn refused(status: u16, code: &str, message: &str) -> (u16, Value) {
    (status, json!([{ "errorCode": code, "message": message }]))
}
