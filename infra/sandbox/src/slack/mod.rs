//! Slack's Web API for one workspace and the one app that posts in it:
//! <https://docs.slack.dev/apis/web-api/>.
//!
//! A message is posted as often as it is asked for. `client_msg_id` is not among the documented
//! arguments of <https://docs.slack.dev/reference/methods/chat.postMessage>; two of that page's
//! errors speak of it, and nothing promises that it deduplicates. So it is only recorded here, and a
//! sender that must not repeat itself has to look for its own message by metadata, through
//! `conversations.history` with `include_all_metadata`.
//!
//! Not modelled: other authors than the app, attachments, files, reactions, unfurling, interactivity,
//! scopes, `markdown_text`, broadcast replies, and rate limits (except on demand).

mod arguments;
mod blocks;
mod content;
mod history;
mod methods;
mod page;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::Result;
use axum::{Router, routing::get};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    Clock, Shelf,
    people::{People, TEAM},
};

/// The Web API of one workspace.
pub struct Slack {
    workspace: Workspace,
    people: People,
    shelf: Shelf,
    clock: Clock,
    memory: Mutex<Memory>,
}

/// What exists before anything is posted.
#[derive(Clone, Debug)]
pub struct Workspace {
    /// The app's bot token, the only one that is accepted.
    pub token: String,
    /// The workspace's id, `T…`.
    pub team: String,
    /// The user id of the app, the author of every message.
    pub bot: String,
    /// The channels.
    pub channels: Vec<Channel>,
}

impl Workspace {
    /// The workspace of [`crate::people`] with the channels `billing` and `finance`, and two that
    /// refuse: `attic` is archived, `private` has not let the app in.
    pub fn seeded(token: &str) -> Self {
        Self {
            token: token.to_owned(),
            team: TEAM.to_owned(),
            bot: "U0COUNTERS".to_owned(),
            channels: vec![
                Channel::new("C0BILLING1", "billing"),
                Channel::new("C0FINANCE1", "finance"),
                Channel { archived: true, ..Channel::new("C0ATTIC001", "attic") },
                Channel { joined: false, ..Channel::new("C0PRIVATE1", "private") },
            ],
        }
    }
}

/// A channel.
#[derive(Clone, Debug)]
pub struct Channel {
    /// `C…`.
    pub id: String,
    /// Without `#`.
    pub name: String,
    /// Refuses every message.
    pub archived: bool,
    /// Whether the app is in it.
    pub joined: bool,
}

impl Channel {
    /// A channel that the app is in.
    pub fn new(id: &str, name: &str) -> Self {
        Self { id: id.to_owned(), name: name.to_owned(), archived: false, joined: true }
    }
}

/// A message as it stands now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// The channel's id, `D…` for a direct message.
    pub channel: String,
    /// Seconds and microseconds since the epoch; the message's id within its channel.
    pub ts: String,
    /// The `ts` of the message that this one replies to.
    pub thread_ts: Option<String>,
    /// The text, which is the notification if there are blocks.
    pub text: String,
    /// Block Kit blocks.
    pub blocks: Vec<Value>,
    /// `{event_type, event_payload}`.
    pub metadata: Option<Value>,
    /// What the sender gave; see the module's words on it.
    pub client_msg_id: Option<String>,
    /// Whether links to pages may be expanded; Slack's own choice if `None`.
    pub unfurl_links: Option<bool>,
    /// The `ts` of the last edit.
    pub edited: Option<String>,
}

/// What goes wrong with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// 429 with `Retry-After` in whole seconds; nothing is done.
    RateLimited(Duration),
    /// 500; nothing is done.
    ServerError,
    /// 500 although it was done. Slack's `fatal_error` warns of exactly that.
    ServerErrorAfter,
    /// No answer until the caller gives up; nothing is done.
    HangBefore,
    /// No answer until the caller gives up, although it was done.
    HangAfter,
}

#[derive(Default)]
struct Memory {
    /// By `ts`, which is unique here across channels.
    messages: BTreeMap<String, Message>,
    /// The people in each opened conversation, by channel id.
    direct: BTreeMap<String, Vec<String>>,
    /// Microseconds of the last `ts`.
    last: i64,
    /// Method, fault, how often still.
    faults: Vec<(String, Fault, usize)>,
}

const MESSAGES: &str = "slack.message";
const DIRECT: &str = "slack.direct";

impl Slack {
    /// The workspace with the messages that are on the shelf.
    ///
    /// # Errors
    /// If the shelf cannot be read.
    pub fn open(
        workspace: Workspace,
        people: impl Into<People>,
        shelf: Shelf,
        clock: Clock,
    ) -> Result<Arc<Self>> {
        let messages: BTreeMap<String, Message> = shelf.all(MESSAGES)?.into_iter().collect();
        let last = messages.keys().filter_map(|ts| history::micros(ts)).max().unwrap_or_default();
        let memory =
            Memory { messages, direct: shelf.all(DIRECT)?.into_iter().collect(), last, faults: Vec::new() };
        Ok(Arc::new(Self { workspace, people: people.into(), shelf, clock, memory: Mutex::new(memory) }))
    }

    /// The methods under `/api/`, and at `/` a page for people to read.
    pub fn router(self: Arc<Self>) -> Router {
        Router::new()
            .route("/", get(page::show))
            .route("/api/{method}", get(methods::call).post(methods::call))
            .with_state(self)
    }

    /// All messages, oldest first.
    pub fn messages(&self) -> Vec<Message> {
        self.memory().messages.values().cloned().collect()
    }

    /// The people in an opened conversation (`D…`, `G…`); nobody for other channels.
    pub fn people_in(&self, channel: &str) -> Vec<String> {
        self.memory().direct.get(channel).cloned().unwrap_or_default()
    }

    /// What people call a channel: `#billing`, or the names of those in a direct message.
    pub fn place(&self, channel: &str) -> String {
        page::place(self, channel)
    }

    /// Makes the next `times` calls of `method` go wrong. Several faults of a method take turns in
    /// the order of asking.
    pub fn fail(&self, method: &str, fault: Fault, times: usize) {
        self.memory().faults.push((method.to_owned(), fault, times));
    }

    /// Everything works again.
    pub fn repair(&self) {
        self.memory().faults.clear();
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The fault for this call, used up by it.
    fn next_fault(&self, method: &str) -> Option<Fault> {
        let mut memory = self.memory();
        let waiting = memory.faults.iter_mut().find(|(name, _, left)| name == method && *left > 0)?;
        waiting.2 -= 1;
        Some(waiting.1)
    }
}
