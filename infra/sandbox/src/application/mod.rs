//! The company's own application, as `connectors::application` (reads) and `gated::access` (changes)
//! ask it: what it knows of its customers, and whether they have access. To copy from, too: a real one
//! keeps customers and executions in its database.
//!
//! | request | signed with | answer |
//! | --- | --- | --- |
//! | `GET /customers/{id}` | the key for reading | what is known, or 404 `no_such_customer` |
//! | `POST /customers/{id}/access` | the key for access | the change, made once for its execution |
//! | `GET /executions/{id}` | the key for access | the change, or 404 `no_such_execution` |
//!
//! Two keys, since whoever reads must not be able to pause anybody.

mod page;
mod signature;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use anyhow::Result;
use axum::{
    Router,
    body::Bytes,
    extract::State,
    response::Response,
    routing::{any, get},
};
use http::{HeaderMap, Method, Uri};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub use crate::fault::Fault;
use crate::{
    Clock, Shelf,
    fault::{Answer, Faults, answer},
};

const CUSTOMERS: &str = "application.customer";
const EXECUTIONS: &str = "application.execution";

/// A customer that nobody has: Countersign asks for it to see whether it is understood.
const NOBODY: &str = "cus_countersign_check";

/// What signs requests.
#[derive(Clone)]
pub struct Keys {
    /// Reads.
    pub read: String,
    /// Changes of access, and questions about them.
    pub access: String,
}

/// The application.
pub struct Application {
    keys: Keys,
    shelf: Shelf,
    clock: Clock,
    faults: Faults,
    memory: Mutex<Memory>,
}

struct Memory {
    customers: BTreeMap<String, Customer>,
    executions: BTreeMap<String, Execution>,
}

/// A customer.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Customer {
    /// What the application tells: `orders`, `usage`, `contract`, `entitlements`, each only if it is kept.
    pub known: Value,
    /// Whether access is paused: no entitlement works then.
    pub paused: bool,
}

/// A change of access that was made.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Execution {
    /// Whose access.
    pub customer: String,
    /// `pause` or `restore`.
    pub change: String,
    /// Why.
    pub note: Option<String>,
    /// Seconds since 1970.
    pub at: i64,
}

impl Application {
    /// The application with what is on the shelf.
    ///
    /// # Errors
    /// If the shelf cannot be read.
    pub fn open(keys: Keys, shelf: Shelf, clock: Clock) -> Result<Arc<Self>> {
        let customers = shelf.all(CUSTOMERS)?.into_iter().collect();
        let executions = shelf.all(EXECUTIONS)?.into_iter().collect();
        let memory = Mutex::new(Memory { customers, executions });
        Ok(Arc::new(Self { keys, shelf, clock, faults: Faults::default(), memory }))
    }

    /// The API, and at `/` a page that shows who has access.
    pub fn router(self: Arc<Self>) -> Router {
        let show = |State(this): State<Arc<Self>>| async move { page::show(&this.memory()) };
        Router::new().route("/", get(show)).fallback(any(call)).with_state(self)
    }

    /// Lets the application know a customer, by Stripe's id; access stays as it is.
    ///
    /// # Errors
    /// If the shelf cannot be written.
    pub fn seed(&self, customer: &str, known: Value) -> Result<()> {
        let mut memory = self.memory();
        let paused = memory.customers.get(customer).is_some_and(|one| one.paused);
        let seeded = Customer { known, paused };
        self.shelf.put(CUSTOMERS, customer, &seeded)?;
        memory.customers.insert(customer.to_owned(), seeded);
        Ok(())
    }

    /// A customer, by Stripe's id.
    pub fn customer(&self, id: &str) -> Option<Customer> {
        self.memory().customers.get(id).cloned()
    }

    /// The changes of access that were made, by execution.
    pub fn executions(&self) -> BTreeMap<String, Execution> {
        self.memory().executions.clone()
    }

    /// Makes the next `times` calls that begin with `on` (`GET /customers`) go wrong.
    pub fn fail(&self, on: &str, fault: Fault, times: usize) {
        self.faults.add(on, fault, times);
    }

    /// Everything works again.
    pub fn repair(&self) {
        self.faults.clear();
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn perform(&self, method: &Method, uri: &Uri, headers: &HeaderMap, body: &[u8]) -> Answer {
        let segments: Vec<&str> = uri.path().trim_matches('/').split('/').collect();
        let reads = matches!((method.as_str(), segments.as_slice()), ("GET", ["customers", _]));
        let key = if reads { &self.keys.read } else { &self.keys.access };
        let header = headers.get("countersign-signature").and_then(|value| value.to_str().ok());
        let target = uri.path_and_query().map_or("/", |all| all.as_str());
        let signed = (method.as_str(), target, body);
        if !header.is_some_and(|header| signature::is_signed(key, header, signed, self.clock.seconds())) {
            return Ok(refused(401, "bad_signature"));
        }
        match (method.as_str(), segments.as_slice()) {
            ("GET", ["customers", id]) => Ok(self.read(id)),
            ("POST", ["customers", id, "access"]) => self.change(id, body),
            ("GET", ["executions", id]) => match self.memory().executions.get(*id) {
                Some(execution) => Ok((200, execution.told(id))),
                None => Ok(refused(404, "no_such_execution")),
            },
            _ => Ok(refused(404, "no_such_page")),
        }
    }

    fn read(&self, id: &str) -> (u16, Value) {
        match self.memory().customers.get(id) {
            Some(customer) if id != NOBODY => (200, customer.told()),
            _ => refused(404, "no_such_customer"),
        }
    }

    fn change(&self, id: &str, body: &[u8]) -> Answer {
        let asked: Value = serde_json::from_slice(body).unwrap_or_default();
        let text = |name: &str| asked.get(name).and_then(Value::as_str);
        let (Some(execution), Some(change @ ("pause" | "restore"))) = (text("execution"), text("change"))
        else {
            return Ok(refused(400, "bad_request"));
        };
        if text("customer") != Some(id) {
            return Ok(refused(400, "other_customer"));
        }
        let mut memory = self.memory();
        if let Some(earlier) = memory.executions.get(execution) {
            let same = earlier.customer == id && earlier.change == change;
            return if same {
                Ok((200, earlier.told(execution)))
            } else {
                Ok(refused(409, "other_execution"))
            };
        }
        let Some(customer) = memory.customers.get(id) else { return Ok(refused(404, "no_such_customer")) };
        let customer = Customer { paused: change == "pause", ..customer.clone() };
        let done = Execution {
            customer: id.to_owned(),
            change: change.to_owned(),
            note: text("note").map(str::to_owned),
            at: self.clock.seconds(),
        };
        // Both or neither: a change without its execution would be made twice.
        self.shelf.put_all(&[
            (CUSTOMERS, id, Some(serde_json::to_value(&customer)?)),
            (EXECUTIONS, execution, Some(serde_json::to_value(&done)?)),
        ])?;
        let told = done.told(execution);
        memory.customers.insert(id.to_owned(), customer);
        memory.executions.insert(execution.to_owned(), done);
        Ok((200, told))
    }
}

impl Customer {
    /// What is known, with entitlements as they work now.
    fn told(&self) -> Value {
        let mut told = self.known.clone();
        if self.paused {
            let entitlements = told.get_mut("entitlements").and_then(Value::as_array_mut);
            for one in entitlements.into_iter().flatten().filter_map(Value::as_object_mut) {
                one.insert("active".to_owned(), false.into());
            }
        }
        told
    }
}

impl Execution {
    fn told(&self, id: &str) -> Value {
        json!({ "execution": id, "customer": self.customer, "change": self.change, "state": "done" })
    }
}

async fn call(
    State(this): State<Arc<Application>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let fault = this.faults.next(&format!("{method} {}", uri.path()));
    let limited = (429, json!({ "error": "rate_limited" }));
    answer(fault, limited, || this.perform(&method, &uri, &headers, &body)).await
}

fn refused(status: u16, word: &str) -> (u16, Value) {
    (status, json!({ "error": word }))
}
