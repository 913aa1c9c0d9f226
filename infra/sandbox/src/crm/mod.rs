//! Two CRMs, as far as Countersign uses them: records, tasks and notes, kept on the shelf, with a page
//! at `/` that shows them. The vendors' modules name the pages that their shapes are from.
//!
//! Not modelled: scopes, other objects, limits (except on demand), the delay of HubSpot's search index.

pub mod hubspot;
mod page;
pub mod salesforce;

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use anyhow::Result;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use crate::fault::Fault;
use crate::{
    Shelf,
    fault::{Answer, Faults, answer},
};

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

/// Entries by id, kept on the shelf, and the faults that are waiting.
struct Book {
    space: &'static str,
    shelf: Shelf,
    entries: Mutex<BTreeMap<String, Entry>>,
    /// Kinds and names of properties that nobody has created.
    lacking: Mutex<Vec<(String, String)>>,
    faults: Faults,
}

impl Book {
    fn open(space: &'static str, shelf: Shelf) -> Result<Self> {
        let entries = Mutex::new(shelf.all(space)?.into_iter().collect());
        Ok(Self { space, shelf, entries, lacking: Mutex::default(), faults: Faults::default() })
    }

    fn entries(&self) -> MutexGuard<'_, BTreeMap<String, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lack(&self, kind: &str, name: &str) {
        let mut lacking = self.lacking.lock().unwrap_or_else(PoisonError::into_inner);
        lacking.push((kind.to_owned(), name.to_owned()));
    }

    fn lacks(&self, kind: &str, name: &str) -> bool {
        let lacking = self.lacking.lock().unwrap_or_else(PoisonError::into_inner);
        lacking.iter().any(|(of, named)| of == kind && named == name)
    }

    fn all(&self, kind: &str) -> Vec<Entry> {
        self.entries().values().filter(|entry| entry.kind == kind).cloned().collect()
    }

    fn get(&self, kind: &str, id: &str) -> Option<Entry> {
        self.entries().get(id).filter(|entry| entry.kind == kind).cloned()
    }

    fn with(&self, kind: &str, property: &str, value: &str) -> Vec<Entry> {
        let holds = |entry: &Entry| entry.properties.get(property).is_some_and(|held| held == value);
        self.all(kind).into_iter().filter(holds).collect()
    }

    /// Changes the entry that holds this value, or makes one; in one go, as the vendors do. Says
    /// whether it is new.
    fn upsert(&self, kind: &str, (name, value): (&str, &str), given: &Properties) -> Result<(Entry, bool)> {
        let mut entries = self.entries();
        let holds = |entry: &&mut Entry| {
            entry.kind == kind && entry.properties.get(name).is_some_and(|held| held == value)
        };
        if let Some(entry) = entries.values_mut().find(holds) {
            entry.properties.extend(given.clone());
            self.shelf.put(self.space, &entry.id, entry)?;
            return Ok((entry.clone(), false));
        }
        let mut properties = given.clone();
        properties.insert(name.to_owned(), value.into());
        let id = (entries.len() + 90_001).to_string();
        let entry = Entry { kind: kind.to_owned(), id: id.clone(), properties, of: None };
        self.shelf.put(self.space, &id, &entry)?;
        entries.insert(id, entry.clone());
        Ok((entry, true))
    }

    /// Changes an entry; `None` if there is none.
    fn change(&self, kind: &str, id: &str, change: impl FnOnce(&mut Entry)) -> Result<Option<Entry>> {
        let mut entries = self.entries();
        let Some(entry) = entries.get_mut(id).filter(|entry| entry.kind == kind) else {
            return Ok(None);
        };
        change(entry);
        self.shelf.put(self.space, id, entry)?;
        Ok(Some(entry.clone()))
    }
}
