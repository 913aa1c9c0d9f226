//! The account's objects and everything about them, and changes to it, all or none.

use std::collections::{BTreeMap, HashMap};

use anyhow::Result;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    delivery::{self, Job},
    document::{Document as _, previous_attributes},
    events,
    failure::{Failure, Outcome},
    idempotency::{self, Saved},
    ids,
};
use crate::Shelf;

/// What the account holds.
#[derive(Default)]
pub(crate) struct State {
    pub objects: HashMap<String, Row>,
    /// The ids of each kind of object by the order of creation.
    pub kinds: HashMap<String, BTreeMap<u64, String>>,
    /// Events by the order of creation.
    pub events: BTreeMap<u64, Value>,
    /// Deliveries that are still to be made.
    pub jobs: BTreeMap<u64, Job>,
    /// First answers by idempotency key.
    pub saved: HashMap<String, Saved>,
    /// What the account knows and no answer shows: how a test card behaves, an endpoint's secrets.
    pub notes: BTreeMap<String, Value>,
    /// How many ids were given out.
    pub count: u64,
}

/// An object as it is kept.
#[derive(Clone, Deserialize, Serialize)]
pub(crate) struct Row {
    pub seq: u64,
    /// When it last changed, in seconds: search lags behind.
    pub changed: i64,
    pub object: Value,
}

#[derive(Deserialize, Serialize)]
struct EventRow {
    seq: u64,
    event: Value,
}

const OBJECTS: &str = "stripe.objects";
const EVENTS: &str = "stripe.events";
const JOBS: &str = "stripe.jobs";
const SAVED: &str = "stripe.idempotency";
const NOTES: &str = "stripe.notes";
const META: &str = "stripe.meta";

impl State {
    /// What the shelf kept.
    pub(crate) fn load(shelf: &Shelf) -> Result<Self> {
        let mut state = Self::default();
        for (id, row) in shelf.all::<Row>(OBJECTS)? {
            state.insert(id, row);
        }
        for (_, row) in shelf.all::<EventRow>(EVENTS)? {
            state.events.insert(row.seq, row.event);
        }
        state.jobs = shelf.all::<Job>(JOBS)?.into_iter().map(|(_, job)| (job.seq, job)).collect();
        state.saved = shelf.all(SAVED)?.into_iter().collect();
        state.notes = shelf.all(NOTES)?.into_iter().collect();
        state.count = shelf.all::<u64>(META)?.into_iter().map(|(_, count)| count).max().unwrap_or_default();
        Ok(state)
    }

    /// Keeps changes, first on the shelf and then here.
    pub(crate) fn keep(&mut self, disk: &Shelf, changes: Changes) -> Result<()> {
        let mut rows: Vec<(&str, String, Option<Value>)> = Vec::new();
        rows.push((META, "count".into(), Some(changes.count.into())));
        for (id, row) in &changes.objects {
            rows.push((OBJECTS, id.clone(), Some(serde_json::to_value(row)?)));
        }
        for (place, event) in &changes.events {
            let row = EventRow { seq: *place, event: event.clone() };
            rows.push((EVENTS, event.id().to_owned(), Some(serde_json::to_value(row)?)));
        }
        for (place, job) in &changes.jobs {
            let job = job.as_ref().map(serde_json::to_value).transpose()?;
            rows.push((JOBS, format!("{place:020}"), job));
        }
        for (key, saved) in &changes.saved {
            rows.push((SAVED, key.clone(), saved.as_ref().map(serde_json::to_value).transpose()?));
        }
        for (name, note) in &changes.notes {
            rows.push((NOTES, name.clone(), note.clone()));
        }
        let rows: Vec<_> =
            rows.iter().map(|(space, key, value)| (*space, key.as_str(), value.clone())).collect();
        disk.put_all(&rows)?;

        self.count = changes.count;
        for (id, row) in changes.objects {
            self.insert(id, row);
        }
        self.events.extend(changes.events);
        merge(&mut self.jobs, changes.jobs);
        for (key, saved) in changes.saved {
            match saved {
                Some(saved) => self.saved.insert(key, saved),
                None => self.saved.remove(&key),
            };
        }
        merge(&mut self.notes, changes.notes);
        Ok(())
    }
}

impl State {
    fn insert(&mut self, id: String, row: Row) {
        let kind = row.object.text("object").to_owned();
        self.kinds.entry(kind).or_default().insert(row.seq, id.clone());
        self.objects.insert(id, row);
    }

    /// All objects of a kind, oldest first.
    pub(crate) fn all(&self, kind: &str) -> impl Iterator<Item = &Value> {
        let ids = self.kinds.get(kind).into_iter().flat_map(BTreeMap::values);
        ids.filter_map(|id| self.objects.get(id)).map(|row| &row.object)
    }
}

fn merge<K: Ord, V>(all: &mut BTreeMap<K, V>, changes: BTreeMap<K, Option<V>>) {
    for (key, value) in changes {
        match value {
            Some(value) => all.insert(key, value),
            None => all.remove(&key),
        };
    }
}

/// Changes that are kept together; `None` deletes.
#[derive(Default)]
pub(crate) struct Changes {
    pub objects: BTreeMap<String, Row>,
    pub events: BTreeMap<u64, Value>,
    pub jobs: BTreeMap<u64, Option<Job>>,
    pub saved: BTreeMap<String, Option<Saved>>,
    pub notes: BTreeMap<String, Option<Value>>,
    pub count: u64,
}

/// Who causes a change, as its events tell.
#[derive(Clone, Debug, Default)]
pub(crate) struct Origin {
    pub request: Option<String>,
    pub idempotency_key: Option<String>,
}

/// What every object of the account shares.
#[derive(Clone)]
pub(crate) struct Setting {
    pub account: String,
    pub api_version: String,
    pub seed: u64,
}

/// One request's view of the state and its changes so far.
pub(crate) struct Tx<'s> {
    base: &'s State,
    changes: Changes,
    origin: Origin,
    silent: bool,
    pub setting: &'s Setting,
    /// The account's own time in seconds since the epoch: of events, deliveries and idempotency keys.
    pub at: i64,
    /// The time of the objects at hand: that of the test clock they belong to, else the account's.
    pub now: i64,
}

impl<'s> Tx<'s> {
    pub(crate) fn new(base: &'s State, setting: &'s Setting, origin: Origin, now: i64, silent: bool) -> Self {
        let changes = Changes { count: base.count, ..Changes::default() };
        Self { base, changes, origin, silent, setting, at: now, now }
    }

    /// The changes, with a delivery of each event to each endpoint that wants it.
    pub(crate) fn finish(mut self, rules: &mut Vec<delivery::Rule>) -> Changes {
        let endpoints: Vec<Value> = self.all("webhook_endpoint").into_iter().cloned().collect();
        let mut events = std::mem::take(&mut self.changes.events);
        for event in events.values_mut() {
            let jobs = delivery::jobs(event, &endpoints, rules, self.at);
            let waiting = jobs.iter().filter(|job| !job.extra).count();
            event.set("pending_webhooks", waiting);
            for mut job in jobs.into_iter().filter(|job| !job.dropped) {
                job.seq = self.next();
                self.changes.jobs.insert(job.seq, Some(job));
            }
        }
        self.changes.events = events;
        idempotency::prune(self.base, &mut self.changes, self.at);
        self.changes
    }

    fn next(&mut self) -> u64 {
        self.changes.count += 1;
        self.changes.count
    }

    /// A new id.
    pub(crate) fn fresh(&mut self, prefix: &str) -> String {
        let count = self.next();
        ids::derived(prefix, self.setting.seed, count)
    }

    fn row(&self, id: &str) -> Option<&Row> {
        self.changes.objects.get(id).or_else(|| self.base.objects.get(id))
    }

    /// An object, whatever it is.
    pub(crate) fn look(&self, id: &str) -> Option<&Value> {
        self.row(id).map(|row| &row.object)
    }

    /// When an object last changed.
    pub(crate) fn changed(&self, id: &str) -> i64 {
        self.row(id).map_or(0, |row| row.changed)
    }

    /// From now on it is the time of the test clock that one of these objects belongs to, if any does.
    pub(crate) fn follow<'i>(&mut self, ids: impl IntoIterator<Item = &'i str>) {
        if let Some(time) = ids.into_iter().find_map(|id| self.clock_time(id)) {
            self.now = time;
        }
    }

    /// The time of the test clock that an object belongs to, by itself or through what it names.
    fn clock_time(&self, id: &str) -> Option<i64> {
        let object = self.look(id).filter(|object| !object.flag("deleted"))?;
        if let Some(time) = object.get("frozen_time").and_then(Value::as_i64) {
            return Some(time);
        }
        let owners = ["test_clock", "customer", "charge", "invoice"];
        owners.iter().filter_map(|field| object.maybe(field)).find_map(|owner| self.clock_time(owner))
    }

    /// A copy of the object of a kind, to be changed and [`Tx::put`] back.
    pub(crate) fn get(&self, kind: &str, id: &str, param: &str) -> Outcome<Value> {
        match self.look(id) {
            Some(object) if object.text("object") == kind && !object.flag("deleted") => Ok(object.clone()),
            _ => Err(Failure::missing(kind, id, param)),
        }
    }

    /// All objects of a kind, newest first.
    pub(crate) fn all(&self, kind: &str) -> Vec<&Value> {
        let known = self.base.kinds.get(kind).into_iter().flat_map(BTreeMap::values);
        let known = known.filter_map(|id| self.row(id));
        let new = self.changes.objects.values().filter(|row| row.seq > self.base.count);
        let mut rows: Vec<&Row> = known.chain(new.filter(|row| row.object.text("object") == kind)).collect();
        rows.sort_by_key(|row| std::cmp::Reverse((row.object.int("created"), row.seq)));
        rows.into_iter().map(|row| &row.object).collect()
    }

    /// All objects of a kind whose field is `value`, newest first.
    pub(crate) fn with(&self, kind: &str, field: &str, value: &str) -> Vec<Value> {
        self.all(kind).into_iter().filter(|object| object.text(field) == value).cloned().collect()
    }

    /// Keeps an object, new or changed.
    pub(crate) fn put(&mut self, object: &Value) {
        let id = object.id().to_owned();
        let seq = match self.row(&id) {
            Some(row) => row.seq,
            None => self.next(),
        };
        self.changes.objects.insert(id, Row { seq, changed: self.at, object: object.clone() });
    }

    /// Keeps a changed object and emits `kind` with its previous attributes, if anything changed.
    pub(crate) fn update(&mut self, object: &Value, kind: &str) {
        let old = self.look(object.id()).cloned().unwrap_or_default();
        if old != *object {
            self.put(object);
            self.changed_to(kind, &old, object);
        }
    }

    /// Emits that an object changed, which is kept or shown elsewhere.
    pub(crate) fn changed_to(&mut self, kind: &str, old: &Value, new: &Value) {
        if old != new {
            let previous = previous_attributes(old, new);
            self.happened(kind, &json!({ "object": new, "previous_attributes": previous }));
        }
    }

    /// Emits an event about an object as it is now.
    pub(crate) fn emit(&mut self, kind: &str, object: &Value) {
        self.happened(kind, &json!({ "object": object }));
    }

    fn happened(&mut self, kind: &str, data: &Value) {
        if self.silent {
            return;
        }
        let id = self.fresh("evt_");
        let seq = self.next();
        let event = events::document(&id, kind, data, self.at, &self.setting.api_version, &self.origin);
        self.changes.events.insert(seq, event);
    }

    /// All events, newest first.
    pub(crate) fn events(&self) -> impl Iterator<Item = &Value> {
        self.base.events.values().rev()
    }

    /// What is known of `name` and never shown.
    pub(crate) fn note(&self, name: &str) -> Option<&Value> {
        match self.changes.notes.get(name) {
            Some(note) => note.as_ref(),
            None => self.base.notes.get(name),
        }
    }

    /// Keeps a note.
    pub(crate) fn set_note(&mut self, name: &str, note: Value) {
        self.changes.notes.insert(name.to_owned(), Some(note));
    }

    /// Keeps an answer under an idempotency key.
    pub(crate) fn save(&mut self, key: &str, saved: Saved) {
        self.changes.saved.insert(key.to_owned(), Some(saved));
    }
}
