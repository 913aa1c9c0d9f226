//! The methods: what each takes, refuses and answers. Every one has its page at
//! `https://docs.slack.dev/reference/methods/`.

use std::{future, sync::Arc};

use anyhow::Result;
use axum::{
    Json,
    body::Bytes,
    extract::{Path, RawQuery, State},
    response::{IntoResponse as _, Response},
};
use http::{HeaderMap, Method, StatusCode, header};
use serde_json::{Value, json};

use super::{
    DIRECT, Fault, MESSAGES, Message, Slack,
    arguments::{Arguments, Refusal},
    content::{Content, unless_empty},
    history,
};
use crate::people::{Account, Person};

/// An answer, a refusal, or a failure of the stand-in itself.
pub(super) type Answer = Result<Result<Value, Refusal>>;

/// Hands over what a `Result<_, Refusal>` holds, or answers with the refusal.
macro_rules! granted {
    ($result:expr) => {
        match $result {
            Ok(value) => value,
            Err(refusal) => return Ok(Err(Refusal::from(refusal))),
        }
    };
}
pub(super) use granted;

/// One call of the Web API.
pub(super) async fn call(
    State(slack): State<Arc<Slack>>,
    Path(name): Path<String>,
    verb: Method,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
    body: Bytes,
) -> Response {
    let broken = |error| (StatusCode::INTERNAL_SERVER_ERROR, Json(json!({ "ok": false, "error": error })));
    let fault = slack.next_fault(&name);
    match fault {
        Some(Fault::RateLimited(wait)) => {
            let wait = [(header::RETRY_AFTER, wait.as_secs().to_string())];
            let answer = Json(json!({ "ok": false, "error": "ratelimited" }));
            return (StatusCode::TOO_MANY_REQUESTS, wait, answer).into_response();
        }
        Some(Fault::ServerError) => return broken("internal_error").into_response(),
        Some(Fault::HangBefore) => return future::pending().await,
        Some(Fault::ServerErrorAfter | Fault::HangAfter) | None => {}
    }
    let query = query.unwrap_or_default();
    let takes_json =
        matches!(name.as_str(), "auth.test" | "chat.postMessage" | "chat.update" | "conversations.open");
    let answer = Arguments::read(&verb, &headers, &query, &body, takes_json)
        .and_then(|arguments| slack.authenticate(&headers, &arguments).map(|()| arguments))
        .map_or_else(|refusal| Ok(Err(refusal)), |arguments| slack.perform(&name, &arguments));
    let answer = match answer {
        Ok(Ok(answer)) => Json(answer).into_response(),
        Ok(Err(refusal)) => refusal.into_response(),
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), method = name, "the workspace failed");
            broken("internal_error").into_response()
        }
    };
    match fault {
        Some(Fault::HangAfter) => future::pending().await,
        Some(Fault::ServerErrorAfter) => broken("fatal_error").into_response(),
        _ => answer,
    }
}

impl Slack {
    fn perform(&self, name: &str, arguments: &Arguments) -> Answer {
        match name {
            "auth.test" => Ok(Ok(self.auth_test())),
            "chat.postMessage" => self.post_message(arguments),
            "chat.update" => self.update(arguments),
            "conversations.history" => self.history(arguments),
            "conversations.open" => self.open_conversation(arguments),
            "conversations.replies" => self.replies(arguments),
            "users.info" => Ok(self.user_info(arguments)),
            _ => Ok(Err("unknown_method".into())),
        }
    }

    /// The token comes as a header, or as an argument of a form.
    fn authenticate(&self, headers: &HeaderMap, arguments: &Arguments) -> Result<(), Refusal> {
        let header = headers.get(header::AUTHORIZATION).and_then(|given| given.to_str().ok());
        let bearer = header.and_then(|given| given.strip_prefix("Bearer ")).map(str::to_owned);
        match bearer.or_else(|| arguments.text("token")) {
            Some(token) if token == self.workspace.token => Ok(()),
            Some(_) => Err("invalid_auth".into()),
            None => Err("not_authed".into()),
        }
    }

    fn auth_test(&self) -> Value {
        json!({
            "ok": true, "url": "https://sandbox.slack.test/", "team": "Sandbox", "user": "countersign",
            "team_id": self.workspace.team, "user_id": self.workspace.bot, "bot_id": self.bot_id(),
            "is_enterprise_install": false,
        })
    }

    fn user_info(&self, arguments: &Arguments) -> Result<Value, Refusal> {
        let id = arguments.text("user").unwrap_or_default();
        let person = self.colleague(&id).ok_or("user_not_found")?;
        Ok(json!({ "ok": true, "user": user(&person) }))
    }

    fn open_conversation(&self, arguments: &Arguments) -> Answer {
        if let Some(channel) = arguments.text("channel") {
            let known = self.memory().direct.contains_key(&channel);
            let opened =
                json!({ "ok": true, "no_op": true, "already_open": true, "channel": { "id": channel } });
            return Ok(if known { Ok(opened) } else { Err("channel_not_found".into()) });
        }
        let users = granted!(arguments.text("users").ok_or("users_list_not_supplied"));
        let users: Vec<String> = users.split(',').map(|id| id.trim().to_owned()).collect();
        if users.len() > 8 {
            return Ok(Err("too_many_users".into()));
        }
        for id in &users {
            let person = granted!(self.colleague(id).ok_or("user_not_found"));
            if !person.active {
                return Ok(Err("user_disabled".into()));
            }
            if person.account == Account::Bot {
                return Ok(Err("cannot_dm_bot".into()));
            }
        }
        let (channel, new) = self.direct_channel(users)?;
        Ok(Ok(json!({ "ok": true, "no_op": !new, "already_open": !new, "channel": { "id": channel } })))
    }

    fn post_message(&self, arguments: &Arguments) -> Answer {
        let channel = match granted!(self.postable(&granted!(arguments.required("channel")))) {
            Place::Channel(id) => id,
            Place::Person(id) => self.direct_channel(vec![id])?.0,
        };
        let content = granted!(Content::read(arguments));
        let blocks = content.blocks.unwrap_or_default();
        if content.text.is_none() && blocks.is_empty() {
            return Ok(Err("no_text".into()));
        }
        let thread_ts = arguments.text("thread_ts");
        if thread_ts.as_deref().is_some_and(|ts| history::micros(ts).is_none()) {
            return Ok(Err("invalid_thread_ts".into()));
        }
        let mut memory = self.memory();
        memory.last = (memory.last + 1).max(self.clock.millis() * 1000);
        let message = Message {
            channel,
            ts: history::ts(memory.last),
            thread_ts,
            text: content.text.unwrap_or_default(),
            blocks,
            metadata: content.metadata.and_then(unless_empty),
            client_msg_id: arguments.text("client_msg_id"),
            unfurl_links: arguments.flag("unfurl_links"),
            edited: None,
        };
        self.shelf.put(MESSAGES, &message.ts, &message)?;
        let shown = self.shown(&message, true);
        let answer = json!({ "ok": true, "channel": message.channel, "ts": message.ts, "message": shown });
        memory.messages.insert(message.ts.clone(), message);
        Ok(Ok(answer))
    }

    /// Blocks and metadata that are not given stay; given empty, they go.
    fn update(&self, arguments: &Arguments) -> Answer {
        let channel = granted!(self.readable(&granted!(arguments.required("channel"))));
        let ts = granted!(arguments.required("ts"));
        let content = granted!(Content::read(arguments));
        let mut memory = self.memory();
        let found = memory.messages.get(&ts).filter(|message| message.channel == channel);
        let mut message = granted!(found.cloned().ok_or("message_not_found"));
        if content.text.is_none() && content.blocks.is_none() {
            return Ok(Err("no_text".into()));
        }
        message.text = content.text.unwrap_or(message.text);
        message.blocks = content.blocks.unwrap_or(message.blocks);
        message.metadata = match content.metadata {
            Some(given) => unless_empty(given),
            None => message.metadata,
        };
        message.edited = Some(history::ts(self.clock.millis() * 1000));
        self.shelf.put(MESSAGES, &ts, &message)?;
        let shown = self.shown(&message, true);
        let answer =
            json!({ "ok": true, "channel": channel, "ts": ts, "text": message.text, "message": shown });
        memory.messages.insert(ts, message);
        Ok(Ok(answer))
    }

    /// A message as Slack shows it to the app.
    pub(super) fn shown(&self, message: &Message, with_metadata: bool) -> Value {
        let mut shown = json!({
            "type": "message", "user": self.workspace.bot, "bot_id": self.bot_id(), "app_id": "A0COUNTERS",
            "team": self.workspace.team, "ts": message.ts, "text": message.text, "blocks": message.blocks,
        });
        if let Some(fields) = shown.as_object_mut() {
            let edited = message.edited.as_ref().map(|ts| json!({ "user": self.workspace.bot, "ts": ts }));
            let thread = message.thread_ts.as_deref().map(Value::from);
            let metadata = message.metadata.clone().filter(|_| with_metadata);
            for (name, value) in [("edited", edited), ("thread_ts", thread), ("metadata", metadata)] {
                fields.extend(value.map(|value| (name.to_owned(), value)));
            }
        }
        shown
    }

    fn postable(&self, given: &str) -> Result<Place, Refusal> {
        if let Some(person) = self.colleague(given) {
            return Ok(Place::Person(person.id));
        }
        let name = given.strip_prefix('#').unwrap_or(given);
        let mut channels = self.workspace.channels.iter();
        let known = channels.find(|channel| channel.name == name || channel.id == given);
        if known.is_some_and(|channel| channel.archived) {
            return Err("is_archived".into());
        }
        self.readable(known.map_or(given, |channel| &channel.id)).map(Place::Channel)
    }

    /// The id of a conversation that the app is in.
    pub(super) fn readable(&self, id: &str) -> Result<String, Refusal> {
        match self.workspace.channels.iter().find(|channel| channel.id == id) {
            Some(channel) if !channel.joined => Err("not_in_channel".into()),
            Some(channel) => Ok(channel.id.clone()),
            None if self.memory().direct.contains_key(id) => Ok(id.to_owned()),
            None => Err("channel_not_found".into()),
        }
    }

    /// The conversation with these people, and whether it is new. Its id follows from theirs.
    fn direct_channel(&self, mut users: Vec<String>) -> Result<(String, bool)> {
        users.sort();
        users.dedup();
        let tail = |id: &str| id.chars().skip(1).collect::<String>();
        let id = match users.as_slice() {
            [one] => format!("D{}", tail(one)),
            many => format!("G{}", many.iter().map(|id| tail(id)).collect::<String>()),
        };
        let mut memory = self.memory();
        let new = !memory.direct.contains_key(&id);
        if new {
            self.shelf.put(DIRECT, &id, &users)?;
            memory.direct.insert(id.clone(), users);
        }
        Ok((id, new))
    }

    fn colleague(&self, id: &str) -> Option<Person> {
        self.people.find(id).filter(|person| person.team == self.workspace.team)
    }

    fn bot_id(&self) -> String {
        self.workspace.bot.replacen('U', "B", 1)
    }
}

/// Where a message may be addressed to.
enum Place {
    Channel(String),
    Person(String),
}

/// A user object: <https://docs.slack.dev/reference/objects/user-object>.
fn user(person: &Person) -> Value {
    json!({
        "id": person.id, "team_id": person.team, "name": person.name.to_lowercase().replace(' ', "."),
        "real_name": person.name, "deleted": !person.active, "is_bot": person.account == Account::Bot,
        "is_app_user": false, "is_admin": false, "is_owner": false, "is_primary_owner": false,
        "is_restricted": person.account == Account::Guest, "is_ultra_restricted": false,
        "is_email_confirmed": person.email_verified, "tz": "Etc/UTC",
        "profile": { "real_name": person.name, "display_name": person.name, "email": person.email },
    })
}
