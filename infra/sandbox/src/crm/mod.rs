//! Two CRMs, as far as Countersign uses them: records, tasks and notes, kept on the shelf, with a page
//! at `/` that shows them. The vendors' modules name the pages that their shapes are from.
//!
//! Not modelled: scopes, other objects, limits (except on demand), the delay of HubSpot's search index.

pub mod hubspot;
mod page;
pub mod salesforce;

use std::{
    collections::BTreeMap,
    io,
    pin::Pin,
    sync::{Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use anyhow::Result;
use axum::{
    Json,
    body::{Body, Bytes},
    response::{IntoResponse as _, Response},
};
use http::{StatusCode, header};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::Shelf;

/// What a record, a task or a note holds.
pub type Properties = Map<String, Value>;

/// A record of a customer, a task or a note.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// The vendor's word for what it is: `companies`, `Task`.
    pub kind: String,
    /// The id.
    pub id: String,
    /// The fields.
    pub properties: Properties,
    /// The id of the record that it belongs to.
    pub of: Option<String>,
}

/// What goes wrong with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The vendor's refusal of too many calls, with seconds to wait; nothing is done.
    RateLimited(u64),
    /// 500; nothing is done.
    ServerError,
    /// No answer until the caller gives up; nothing is done.
    HangBefore,
    /// It is done, and the connection closes without an answer.
    DropAfter,
}

/// Entries by id, kept on the shelf, and the faults that are waiting.
struct Book {
    space: &'static str,
    shelf: Shelf,
    memory: Mutex<Memory>,
}

#[derive(Default)]
struct Memory {
    entries: BTreeMap<String, Entry>,
    /// Method and beginning of the path, fault, how often still.
    faults: Vec<(String, Fault, usize)>,
}

impl Book {
    fn open(space: &'static str, shelf: Shelf) -> Result<Self> {
        let entries = shelf.all(space)?.into_iter().collect();
        Ok(Self { space, shelf, memory: Mutex::new(Memory { entries, faults: Vec::new() }) })
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn all(&self, kind: &str) -> Vec<Entry> {
        self.memory().entries.values().filter(|entry| entry.kind == kind).cloned().collect()
    }

    fn get(&self, kind: &str, id: &str) -> Option<Entry> {
        self.memory().entries.get(id).filter(|entry| entry.kind == kind).cloned()
    }

    fn with(&self, kind: &str, property: &str, value: &str) -> Vec<Entry> {
        let holds = |entry: &Entry| entry.properties.get(property).is_some_and(|held| held == value);
        self.all(kind).into_iter().filter(holds).collect()
    }

    /// Changes the entry that holds this value, or makes one; in one go, as the vendors do. Says
    /// whether it is new.
    fn upsert(&self, kind: &str, (name, value): (&str, &str), given: &Properties) -> Result<(Entry, bool)> {
        let mut memory = self.memory();
        let holds = |entry: &&mut Entry| {
            entry.kind == kind && entry.properties.get(name).is_some_and(|held| held == value)
        };
        if let Some(entry) = memory.entries.values_mut().find(holds) {
            entry.properties.extend(given.clone());
            self.shelf.put(self.space, &entry.id, entry)?;
            return Ok((entry.clone(), false));
        }
        let mut properties = given.clone();
        properties.insert(name.to_owned(), value.into());
        let id = (memory.entries.len() + 90_001).to_string();
        let entry = Entry { kind: kind.to_owned(), id: id.clone(), properties, of: None };
        self.shelf.put(self.space, &id, &entry)?;
        memory.entries.insert(id, entry.clone());
        Ok((entry, true))
    }

    /// Changes an entry; `None` if there is none.
    fn change(&self, kind: &str, id: &str, change: impl FnOnce(&mut Entry)) -> Result<Option<Entry>> {
        let mut memory = self.memory();
        let Some(entry) = memory.entries.get_mut(id).filter(|entry| entry.kind == kind) else {
            return Ok(None);
        };
        change(entry);
        self.shelf.put(self.space, id, entry)?;
        Ok(Some(entry.clone()))
    }

    fn fail(&self, on: &str, fault: Fault, times: usize) {
        self.memory().faults.push((on.to_owned(), fault, times));
    }

    fn next_fault(&self, call: &str) -> Option<Fault> {
        let mut memory = self.memory();
        let waiting =
            memory.faults.iter_mut().find(|(on, _, left)| *left > 0 && call.starts_with(on.as_str()))?;
        waiting.2 -= 1;
        Some(waiting.1)
    }
}

/// A status and JSON; `Null` is no body.
type Answer = Result<(u16, Value)>;

/// Answers, or lets the fault have its way. `limited` is the vendor's refusal of too many calls.
async fn answer(fault: Option<Fault>, limited: (u16, Value), perform: impl FnOnce() -> Answer) -> Response {
    match fault {
        Some(Fault::RateLimited(wait)) => {
            let mut response = spell(limited);
            response.headers_mut().insert(header::RETRY_AFTER, wait.into());
            return response;
        }
        Some(Fault::ServerError) => return StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        Some(Fault::HangBefore) => return std::future::pending().await,
        Some(Fault::DropAfter) | None => {}
    }
    match perform() {
        Ok(_) if fault == Some(Fault::DropAfter) => Response::new(Body::new(Broken)),
        Ok(answer) => spell(answer),
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "the CRM failed");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

fn spell((status, body): (u16, Value)) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if body.is_null() { status.into_response() } else { (status, Json(body)).into_response() }
}

/// A body that makes the server close the connection.
struct Broken;

impl http_body::Body for Broken {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, io::Error>>> {
        Poll::Ready(Some(Err(io::Error::other("the connection was dropped on purpose"))))
    }
}
