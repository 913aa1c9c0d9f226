//! Two help desks, as far as Countersign uses them: people, what they wrote, and tickets with internal
//! notes, kept on the shelf, with a page at `/` that shows them as a colleague sees them. The vendors'
//! modules name the pages that their shapes are from.
//!
//! Not modelled: roles, views, attachments, mail, limits (except on demand).

pub mod intercom;
mod page;
pub mod zendesk;

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use anyhow::Result;
use maud::html;
use serde::{Deserialize, Serialize};

pub use crate::fault::Fault;
use crate::{
    Clock, Shelf,
    fault::{Answer, Faults, answer},
};

/// Somebody who writes to the help desk.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Person {
    /// The business's own id of the customer, which is Stripe's; the help desk may not know it.
    pub customer: Option<String>,
    /// Their address.
    pub email: String,
    /// Their name.
    pub name: String,
}

/// What somebody wrote, to be put there.
#[derive(Clone, Debug, Default)]
pub struct Said {
    /// What it is about.
    pub subject: String,
    /// The words.
    pub text: String,
    /// The vendor's word: `open`, `solved`, `closed`.
    pub state: String,
    /// The vendor's word: `urgent` in Zendesk, `priority` in Intercom.
    pub priority: Option<String>,
    /// What the team marked it with.
    pub tags: Vec<String>,
    /// When it was written, in seconds since 1970.
    pub at: i64,
}

/// A conversation or a ticket.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Thread {
    /// The vendor's id.
    pub id: String,
    /// The vendor's id of whoever it is with or about.
    pub person: Option<String>,
    /// What it is about.
    pub subject: String,
    /// The case, where it is a ticket that Countersign made.
    pub case: Option<String>,
    /// The vendor's word.
    pub state: String,
    /// The vendor's word.
    pub priority: Option<String>,
    /// What the team marked it with.
    pub tags: Vec<String>,
    /// When it began, in seconds since 1970.
    pub created: i64,
    /// When it last changed.
    pub updated: i64,
    /// What was written in it, oldest first.
    pub entries: Vec<Entry>,
}

/// Something that was written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// By the customer; else by a colleague or by us.
    pub by_customer: bool,
    /// Whether the customer sees it.
    pub public: bool,
    /// HTML.
    pub html: String,
    /// When, in seconds since 1970.
    pub at: i64,
}

impl Entry {
    /// As people see it: without markup, which is where a browser would act on it.
    pub fn seen(&self) -> String {
        let lines = self.html.replace("<br>", "\n").replace("</p><p>", "\n\n");
        let (mut out, mut tag) = (String::new(), false);
        for character in lines.chars() {
            match character {
                '<' => tag = true,
                '>' if tag => tag = false,
                other if !tag => out.push(other),
                _ => {}
            }
        }
        out.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&")
    }
}

/// HTML that shows a text.
fn shown(text: &str) -> String {
    html! { (text) }.into_string().replace('\n', "<br>")
}

/// People and threads by id, kept on the shelf, and the faults that are waiting.
struct Book {
    spaces: [&'static str; 2],
    shelf: Shelf,
    clock: Clock,
    faults: Faults,
    memory: Mutex<Memory>,
}

struct Memory {
    people: BTreeMap<String, Person>,
    threads: BTreeMap<String, Thread>,
}

impl Book {
    /// `spaces` hold the people and the threads.
    fn open(spaces: [&'static str; 2], shelf: Shelf, clock: Clock) -> Result<Self> {
        let [people, threads] = spaces;
        let memory = Memory {
            people: shelf.all(people)?.into_iter().collect(),
            threads: shelf.all(threads)?.into_iter().collect(),
        };
        Ok(Self { spaces, shelf, clock, faults: Faults::default(), memory: Mutex::new(memory) })
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn people(&self) -> Vec<(String, Person)> {
        self.memory().people.iter().map(|(id, person)| (id.clone(), person.clone())).collect()
    }

    fn threads(&self) -> Vec<Thread> {
        self.memory().threads.values().cloned().collect()
    }

    fn thread(&self, id: &str) -> Option<Thread> {
        self.memory().threads.get(id).cloned()
    }

    /// Puts a person there with what they wrote. Whoever is there already is left as they are.
    fn seed(&self, person: &Person, said: &[Said]) -> Result<()> {
        if self.memory().people.values().any(|known| known == person) {
            return Ok(());
        }
        let id = {
            let mut memory = self.memory();
            let id = (memory.people.len() + 70_001).to_string();
            self.shelf.put(self.spaces[0], &id, person)?;
            memory.people.insert(id.clone(), person.clone());
            id
        };
        for Said { subject, text, state, priority, tags, at } in said.iter().cloned() {
            let entry = Entry { by_customer: true, public: true, html: shown(&text), at };
            self.begin(|thread_id| Thread {
                id: thread_id,
                person: Some(id.clone()),
                subject,
                case: None,
                state,
                priority,
                tags,
                created: at,
                updated: at,
                entries: vec![entry],
            })?;
        }
        Ok(())
    }

    /// Makes a thread.
    fn begin(&self, make: impl FnOnce(String) -> Thread) -> Result<Thread> {
        let mut memory = self.memory();
        let thread = make((memory.threads.len() + 1001).to_string());
        self.shelf.put(self.spaces[1], &thread.id, &thread)?;
        memory.threads.insert(thread.id.clone(), thread.clone());
        Ok(thread)
    }

    /// Adds to a thread if `allowed` of it; all in one go, as the vendors do. `None` if there is none.
    fn add<E>(
        &self,
        id: &str,
        entry: Entry,
        allowed: impl FnOnce(&Thread) -> Result<(), E>,
    ) -> Result<Option<Result<Thread, E>>> {
        let mut memory = self.memory();
        let Some(thread) = memory.threads.get_mut(id) else { return Ok(None) };
        if let Err(refused) = allowed(thread) {
            return Ok(Some(Err(refused)));
        }
        // No two changes have the same second: clocks of tests stand still.
        thread.updated = self.clock.seconds().max(thread.updated + 1);
        thread.entries.push(entry);
        self.shelf.put(self.spaces[1], id, thread)?;
        Ok(Some(Ok(thread.clone())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_seen_as_it_was_written() {
        let text = "<b>a</b> & \"b\"\n<script>";
        let entry = Entry { by_customer: true, public: true, html: shown(text), at: 0 };
        assert_eq!(entry.seen(), text);
        assert!(!entry.html.contains("<b>") && !entry.html.contains("<script>"));
    }
}
