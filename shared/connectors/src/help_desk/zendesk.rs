//! Zendesk's Support API: <https://developer.zendesk.com/api-reference/ticketing/introduction/>.
//!
//! A ticket of a case has the case as its `external_id`, and everything that we write ends with a mark
//! of the step's key, so that it can be found again. Creating a ticket takes an `Idempotency-Key`, and
//! may be repeated. A note has no such key; it is written with `safe_update` and the ticket's own time
//! as it was when its comments were looked through, and so never beside another note: the second is
//! refused with 409 (the section on update collisions in
//! <https://developer.zendesk.com/api-reference/ticketing/tickets/tickets/>).
//!
//! There are no drafts in this API: a draft is an internal note that says what it is.

use domain::{
    CaseKey, CustomerId, Timestamp,
    context::{Conversation, Conversations, Urgency},
    plan::{Draft, Priority, StepKey},
};
use reqwest::{Client, Method, StatusCode};
use runtime::{Clock, http::Base};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::Tags;
use crate::{
    ConnectorError,
    call::{Api, Auth, Kind, Refusal, parsed},
    failure::Cause,
};

/// Entries in a page, the most that Zendesk gives.
const PAGE: &str = "100";
/// Pages that are read before giving up.
const PAGES: usize = 5;
/// Seconds for which a closed conversation is of interest: 90 days.
const RECENT: i64 = 90 * 86_400;
/// Characters of a text that are sent; Zendesk takes 65,536 bytes.
const LONGEST: usize = 15_000;

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
    tickets: Vec<Ticket>,
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
    ticket: Ticket,
}

#[derive(Deserialize)]
struct Ticket {
    id: u64,
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
    body: String,
}

#[derive(Serialize)]
struct Write<'a> {
    ticket: Written<'a>,
}

#[derive(Serialize)]
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

#[derive(Serialize)]
struct Note {
    body: String,
    public: bool,
}

impl Zendesk {
    /// A client with an agent's API token
    /// (<https://developer.zendesk.com/api-reference/introduction/security-and-auth/>).
    pub fn new(http: Client, base: &Base, user: &str, token: SecretString, tags: Tags, clock: Clock) -> Self {
        let auth = Auth::Basic { user: format!("{user}/token"), password: token };
        Self { api: Api::new("zendesk", http, base.as_str(), refusal, clock).with_auth(auth), tags }
    }

    /// What a customer is talking about; nothing if the help desk does not know them.
    ///
    /// # Errors
    /// [`Cause::Contradictory`] if the customer is there twice, or more is there than is read.
    pub async fn conversations(
        &self,
        customer: &CustomerId,
        email: Option<&str>,
        now: Timestamp,
    ) -> Result<Conversations, ConnectorError> {
        const CALL: &str = "conversations.read";
        let Some(user) = self.user(customer, email).await? else { return Ok(Conversations::default()) };
        let path = ["api", "v2", "users", &user.to_string(), "tickets", "requested"];
        let tickets: Vec<Ticket> = self.all(CALL, &path).await?;
        let unreadable = || self.api.error(CALL, Cause::Contradictory("a ticket without a time"));
        let mut items = Vec::new();
        for ticket in tickets {
            let one = self.conversation(ticket).ok_or_else(unreadable)?;
            if one.open || now.since(one.updated) <= RECENT {
                items.push(one);
            }
        }
        items.sort_by_key(|one| std::cmp::Reverse(one.updated));
        Ok(Conversations { items })
    }

    /// The case's ticket: creates it, or adds an internal note to the one that the case already has.
    /// Doing it again for the same key changes nothing more.
    ///
    /// # Errors
    /// After [`Verdict::LookFirst`](crate::Verdict::LookFirst) call it again: it looks first.
    pub async fn put_ticket(
        &self,
        key: &StepKey,
        case: &CaseKey,
        customer: Option<&CustomerId>,
        subject: &str,
        text: &str,
        priority: Priority,
    ) -> Result<String, ConnectorError> {
        const CALL: &str = "ticket.put";
        if let Some(ticket) = self.find_ticket(case).await? {
            return self.note(CALL, ticket, key, text).await;
        }
        let requester_id = match customer {
            Some(customer) => self.user(customer, None).await?,
            None => None,
        };
        let ticket = Written {
            comment: Note { body: marked(text, key), public: false },
            subject: Some(inert(subject, 150).replace('\n', " ")),
            external_id: Some(external_id(case)),
            priority: Some(priority.as_str()),
            requester_id,
            updated_stamp: None,
            safe_update: None,
        };
        let call = self.api.call(Kind::Idempotent, CALL, Method::POST, &["api", "v2", "tickets"]);
        let created: One =
            call.header("idempotency-key", key.as_str()).json(&Write { ticket }).send().await?;
        Ok(created.ticket.id.to_string())
    }

    /// Leaves a draft of a reply in a conversation, for a person to send. Doing it again for the same
    /// key changes nothing more.
    ///
    /// # Errors
    /// As [`Zendesk::put_ticket`].
    pub async fn put_reply_draft(
        &self,
        key: &StepKey,
        conversation: &str,
        draft: &Draft,
    ) -> Result<String, ConnectorError> {
        const CALL: &str = "reply_draft.put";
        let failed = |_| self.api.error(CALL, Cause::NotFound("a conversation of that id"));
        let ticket: u64 = conversation.parse().map_err(failed)?;
        let subject = if draft.subject.is_empty() { "" } else { &format!("{}\n\n", draft.subject) };
        let text = format!(
            "DRAFT, not sent. Template {}, {}. Check it, then send it as a public reply.\n\n{subject}{}",
            draft.template, draft.locale, draft.text
        );
        self.note(CALL, ticket, key, &text).await
    }

    /// The ticket of a case.
    ///
    /// # Errors
    /// [`Cause::Contradictory`] if there are several.
    pub async fn find_ticket(&self, case: &CaseKey) -> Result<Option<u64>, ConnectorError> {
        const CALL: &str = "ticket.find";
        let call = self.api.call(Kind::Read, CALL, Method::GET, &["api", "v2", "tickets"]);
        let found: Tickets = call.query(&[("external_id", &*external_id(case))]).send().await?;
        match found.tickets.as_slice() {
            [] => Ok(None),
            [one] => Ok(Some(one.id)),
            _ => Err(self.api.error(CALL, Cause::Contradictory("several tickets of one case"))),
        }
    }

    /// Whether the token is accepted, without changing anything.
    ///
    /// # Errors
    /// What is wrong.
    pub async fn check(&self) -> Result<(), ConnectorError> {
        let call = self.api.call(Kind::Read, "check", Method::GET, &["api", "v2", "tickets"]);
        let _: Page<Ticket> = call.query(&[("page[size]", "1")]).send().await?;
        Ok(())
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
        if comments.iter().any(|comment| comment.body.contains(&mark(key))) {
            return Ok(id);
        }
        let ticket = Written {
            comment: Note { body: marked(text, key), public: false },
            subject: None,
            external_id: None,
            priority: None,
            requester_id: None,
            updated_stamp: Some(&before.ticket.updated_at),
            safe_update: Some(true),
        };
        let call = self.api.call(Kind::Once, name, Method::PUT, &path).json(&Write { ticket });
        match call.send::<One>().await {
            Ok(_) => Ok(id),
            // Somebody was faster; who it was shows when this is called again.
            Err(ConnectorError { cause: Cause::Refused { status: 409, .. }, .. }) => {
                Err(self.api.error(name, Cause::Limited { after: None }))
            }
            Err(error) => Err(error),
        }
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

    fn conversation(&self, ticket: Ticket) -> Option<Conversation> {
        let asks = |tags: &[String]| ticket.tags.iter().any(|tag| tags.contains(&tag.to_lowercase()));
        Some(Conversation {
            id: ticket.id.to_string(),
            // A word that is not known counts as open.
            open: !matches!(ticket.status.as_str(), "solved" | "closed"),
            asks_refund: asks(&self.tags.refund),
            asks_cancellation: asks(&self.tags.cancellation),
            assignee: ticket.assignee_id.map(|id| id.to_string()),
            created: Timestamp::parse_rfc3339(&ticket.created_at)?,
            updated: Timestamp::parse_rfc3339(&ticket.updated_at)?,
            urgency: ticket.priority.unwrap_or(Urgency::Normal),
        })
    }
}

fn external_id(case: &CaseKey) -> String {
    format!("countersign:{case}")
}

fn mark(key: &StepKey) -> String {
    format!("[countersign {key}]")
}

fn marked(text: &str, key: &StepKey) -> String {
    format!("{}\n\n{}", inert(text, LONGEST), mark(key))
}

/// Without control characters, and without a mark that is not ours; cut with an ellipsis.
fn inert(text: &str, longest: usize) -> String {
    // Four bytes at most for each character: the rest of a megabyte is not looked at.
    let mut out: String =
        text.chars().filter(|c| *c == '\n' || !c.is_control()).take(longest.saturating_add(1)).collect();
    out = out.replace("[countersign", "(countersign");
    if out.chars().count() > longest {
        out = out.chars().take(longest.saturating_sub(1)).chain(['…']).collect();
    }
    out
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
