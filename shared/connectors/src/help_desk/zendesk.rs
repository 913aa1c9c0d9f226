//! Zendesk's Support API: <https://developer.zendesk.com/api-reference/ticketing/introduction/>.
//!
//! **Rights**: an agent who may see all tickets and users and write internal notes; the token is an API
//! token (<https://developer.zendesk.com/api-reference/introduction/security-and-auth/>). A user is found by
//! the Stripe customer id in `external_id`, else by e-mail address.
//!
//! **Once**: a case's ticket has the case as its `external_id`, by which tickets are listed; it need not be
//! unique (<https://developer.zendesk.com/api-reference/ticketing/tickets/tickets/#list-tickets>). Creation
//! takes an `Idempotency-Key` besides, kept for two hours
//! (<https://developer.zendesk.com/api-reference/ticketing/introduction/#idempotency>), so it may be repeated.
//! A note has no such key; it is written with `safe_update` and the ticket's own time as it was when its
//! comments were looked through, and so never beside another note: the second is refused with 409
//! (on collisions of updates in <https://developer.zendesk.com/api-reference/ticketing/tickets/tickets/>).
//!
//! A comment's `body` is read as Markdown, in which a customer's text could show a picture from anywhere;
//! so `html_body` is written, with every character as text
//! (<https://developer.zendesk.com/api-reference/ticketing/tickets/ticket_comments/>).

use domain::{
    CaseKey, CustomerId, Timestamp,
    context::{Conversation, Urgency},
    plan::StepKey,
};
use reqwest::{Client, Method, StatusCode};
use runtime::{Clock, http::Base};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::{Tags, Ticket, words};
use crate::{
    ConnectorError,
    call::{Api, Auth, Kind, Refusal, parsed},
    failure::Cause,
};

/// Entries in a page, the most that Zendesk gives.
const PAGE: &str = "100";
/// Pages that are read before giving up.
const PAGES: usize = 5;
/// What our tickets' `external_id` begins with.
const OURS: &str = "countersign:";

/// A client of one Zendesk account.
#[derive(Debug, Clone)]
pub struct Zendesk {
    api: Api,
    tags: Tags,
}

#[derive(Deserialize)]
struct Users {
    users: Vec<User>,
}

#[derive(Deserialize)]
struct User {
    id: u64,
    external_id: Option<String>,
}

#[derive(Deserialize)]
struct Tickets {
    tickets: Vec<Row>,
}

#[derive(Deserialize)]
struct Page<T> {
    #[serde(alias = "tickets", alias = "comments")]
    items: Vec<T>,
    meta: Meta,
}

#[derive(Deserialize)]
struct Meta {
    has_more: bool,
    #[serde(default)]
    after_cursor: Option<String>,
}

#[derive(Deserialize)]
struct One {
    ticket: Row,
}

#[derive(Deserialize)]
struct Row {
    id: u64,
    external_id: Option<String>,
    status: String,
    priority: Option<Urgency>,
    #[serde(default)]
    tags: Vec<String>,
    assignee_id: Option<u64>,
    created_at: String,
    updated_at: String,
}

#[derive(Deserialize)]
struct Comment {
    #[serde(default)]
    body: String,
    #[serde(default)]
    html_body: String,
}

#[derive(Serialize)]
struct Write<'a> {
    ticket: Written<'a>,
}

#[derive(Serialize, Default)]
struct Written<'a> {
    comment: Note,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    external_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    priority: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    requester_id: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    updated_stamp: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    safe_update: Option<bool>,
}

#[derive(Serialize, Default)]
struct Note {
    html_body: String,
    public: bool,
}

impl Zendesk {
    /// A client with an agent's API token
    /// (<https://developer.zendesk.com/api-reference/introduction/security-and-auth/>).
    pub fn new(http: Client, base: &Base, user: &str, token: SecretString, tags: Tags, clock: Clock) -> Self {
        let auth = Auth::Basic { user: format!("{user}/token"), password: token };
        Self { api: Api::new("zendesk", http, base.as_str(), refusal, clock).with_auth(auth), tags }
    }

    pub(super) async fn conversations(
        &self,
        customer: &CustomerId,
        email: Option<&str>,
    ) -> Result<Vec<Conversation>, ConnectorError> {
        const CALL: &str = "conversations.read";
        let Some(user) = self.user(customer, email).await? else { return Ok(Vec::new()) };
        let path = ["api", "v2", "users", &user.to_string(), "tickets", "requested"];
        let tickets: Vec<Row> = self.all(CALL, &path).await?;
        let theirs = tickets
            .into_iter()
            .filter(|row| !row.external_id.as_ref().is_some_and(|id| id.starts_with(OURS)))
            .map(|row| self.conversation(row));
        let items: Option<Vec<Conversation>> = theirs.collect();
        items.ok_or_else(|| self.api.error(CALL, Cause::Contradictory("a ticket without a time")))
    }

    pub(super) async fn put_ticket(&self, ticket: &Ticket<'_>) -> Result<String, ConnectorError> {
        const CALL: &str = "ticket.put";
        if let Some(id) = self.find_ticket(ticket.case).await? {
            return self.note(CALL, id, ticket.key, ticket.text).await;
        }
        let requester_id = match ticket.customer {
            Some(customer) => self.user(customer, None).await?,
            None => None,
        };
        let written = Written {
            comment: Note { html_body: words::html(ticket.text, ticket.key), public: false },
            subject: Some(words::subject(ticket.subject)),
            external_id: Some(external_id(ticket.case)),
            priority: Some(ticket.priority.as_str()),
            requester_id,
            ..Written::default()
        };
        let call = self.api.call(Kind::Idempotent, CALL, Method::POST, &["api", "v2", "tickets"]);
        let call = call.header("idempotency-key", ticket.key.as_str());
        let created = call.json(&Write { ticket: written }).send::<One>().await;
        Ok(self.unless_busy(created)?.ticket.id.to_string())
    }

    pub(super) async fn put_reply_draft(
        &self,
        key: &StepKey,
        conversation: &str,
        text: &str,
    ) -> Result<String, ConnectorError> {
        const CALL: &str = "reply_draft.put";
        let failed = |_| self.api.error(CALL, Cause::NotFound("a conversation of that id"));
        self.note(CALL, conversation.parse().map_err(failed)?, key, text).await
    }

    async fn find_ticket(&self, case: &CaseKey) -> Result<Option<u64>, ConnectorError> {
        const CALL: &str = "ticket.find";
        let call = self.api.call(Kind::Read, CALL, Method::GET, &["api", "v2", "tickets"]);
        let found: Tickets = call.query(&[("external_id", &*external_id(case))]).send().await?;
        match found.tickets.as_slice() {
            [] => Ok(None),
            [one] => Ok(Some(one.id)),
            _ => Err(self.api.error(CALL, Cause::Contradictory("several tickets of one case"))),
        }
    }

    pub(super) async fn check(&self) -> Result<Vec<String>, ConnectorError> {
        for (name, path) in [("tickets.read", "tickets"), ("users.read", "users")] {
            let call = self.api.call(Kind::Read, name, Method::GET, &["api", "v2", path]);
            call.query(&[("page[size]", "1")]).answer().await?;
        }
        Ok(Vec::new())
    }

    /// By our id of the customer, else by e-mail address.
    async fn user(&self, customer: &CustomerId, email: Option<&str>) -> Result<Option<u64>, ConnectorError> {
        const CALL: &str = "customer.find";
        let contradictory = |what| Err(self.api.error(CALL, Cause::Contradictory(what)));
        let search = |name: &'static str, value: String| async move {
            let call = self.api.call(Kind::Read, CALL, Method::GET, &["api", "v2", "users", "search"]);
            call.query(&[(name, &value)]).send::<Users>().await.map(|found| found.users)
        };
        match search("external_id", customer.as_str().to_owned()).await?.as_slice() {
            [one] => return Ok(Some(one.id)),
            [] => {}
            _ => return contradictory("the customer is there twice"),
        }
        // A quotation mark would end the term and begin another.
        let Some(email) = email.filter(|email| !email.contains(['"', '\\', ' '])) else { return Ok(None) };
        match search("query", format!("type:user email:\"{email}\"")).await?.as_slice() {
            [] => Ok(None),
            [User { external_id: Some(other), .. }] if !other.is_empty() && other != customer.as_str() => {
                contradictory("the address belongs to another customer")
            }
            [one] => Ok(Some(one.id)),
            _ => contradictory("the address is there twice"),
        }
    }

    async fn note(
        &self,
        name: &'static str,
        ticket: u64,
        key: &StepKey,
        text: &str,
    ) -> Result<String, ConnectorError> {
        let id = ticket.to_string();
        let path = ["api", "v2", "tickets", &id];
        // The time is read before the comments: a note that comes between makes the write a conflict.
        let before: One = self.api.call(Kind::Read, name, Method::GET, &path).send().await?;
        let comments: Vec<Comment> = self.all(name, &["api", "v2", "tickets", &id, "comments"]).await?;
        let mark = words::mark(key);
        if comments.iter().any(|one| one.body.contains(&mark) || one.html_body.contains(&mark)) {
            return Ok(id);
        }
        let ticket = Written {
            comment: Note { html_body: words::html(text, key), public: false },
            updated_stamp: Some(&before.ticket.updated_at),
            safe_update: Some(true),
            ..Written::default()
        };
        let call = self.api.call(Kind::Once, name, Method::PUT, &path).json(&Write { ticket });
        self.unless_busy(call.send::<One>().await)?;
        Ok(id)
    }

    /// 409 means that another run writes at the same time: to be called again, which looks first.
    fn unless_busy<T>(&self, sent: Result<T, ConnectorError>) -> Result<T, ConnectorError> {
        sent.map_err(|error| match error.cause {
            Cause::Refused { status: 409, .. } => self.api.error(error.call, Cause::Limited { after: None }),
            _ => error,
        })
    }

    async fn all<T: for<'a> Deserialize<'a>>(
        &self,
        name: &'static str,
        path: &[&str],
    ) -> Result<Vec<T>, ConnectorError> {
        let (mut all, mut after) = (Vec::new(), None::<String>);
        for _ in 0..PAGES {
            let mut query = vec![("page[size]", PAGE)];
            query.extend(after.as_deref().map(|after| ("page[after]", after)));
            let page: Page<T> =
                self.api.call(Kind::Read, name, Method::GET, path).query(&query).send().await?;
            all.extend(page.items);
            match page.meta {
                Meta { has_more: false, .. } => return Ok(all),
                Meta { after_cursor: None, .. } => break,
                Meta { after_cursor, .. } => after = after_cursor,
            }
        }
        Err(self.api.error(name, Cause::Contradictory("more entries than are read")))
    }

    fn conversation(&self, row: Row) -> Option<Conversation> {
        let (asks_refund, asks_cancellation) = self.tags.asked(row.tags.iter().map(String::as_str));
        Some(Conversation {
            id: row.id.to_string(),
            // A word that is not known counts as open.
            open: !matches!(row.status.as_str(), "solved" | "closed"),
            asks_refund,
            asks_cancellation,
            assignee: row.assignee_id.map(|id| id.to_string()),
            created: Timestamp::parse_rfc3339(&row.created_at)?,
            updated: Timestamp::parse_rfc3339(&row.updated_at)?,
            urgency: row.priority.unwrap_or(Urgency::Normal),
        })
    }
}

fn external_id(case: &CaseKey) -> String {
    format!("{OURS}{case}")
}

/// `{"error": "RecordInvalid", "description": "…"}`; `error` is an object for some.
fn refusal(_: StatusCode, body: &[u8]) -> Refusal {
    #[derive(Deserialize)]
    struct Said {
        error: serde_json::Value,
        description: Option<String>,
    }
    let Some(Said { error, description }) = parsed(body) else { return Refusal::default() };
    let code = error.as_str().or_else(|| error.get("title")?.as_str()).map(str::to_owned);
    Refusal { code, said: description, ..Refusal::default() }
}
