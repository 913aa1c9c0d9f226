//! The help desk: what a customer is talking about, tickets for colleagues, and drafts of replies.
//! Nothing here is ever sent to a customer, and nothing that a customer wrote is read.
//!
//! Two vendors, one enum. Each vendor's module says which rights and settings it needs;
//! [`HelpDesk::check`] finds what is missing. A case has one ticket, and each later step of it is an
//! internal note there; a draft is an internal note that says what it is, since neither vendor's API has
//! drafts. Whatever we write ends with a mark of the step's key, by which it is found again (I4).
//!
//! Tickets that we made ourselves are no conversations of the customer: they would hold back messages,
//! and draw drafts to themselves.

mod config;
mod intercom;
mod words;
mod zendesk;

use domain::{
    CaseKey, CustomerId, Timestamp,
    context::Conversations,
    plan::{Draft, Priority, StepKey},
};

use crate::failure::ConnectorError;

pub use config::Tags;
pub use intercom::Intercom;
pub use zendesk::Zendesk;

/// Seconds for which a closed conversation is of interest: 90 days.
const RECENT: i64 = 90 * 86_400;

/// The configured help desk.
#[derive(Debug, Clone)]
pub enum HelpDesk {
    /// Zendesk.
    Zendesk(Zendesk),
    /// Intercom.
    Intercom(Intercom),
}

/// What a case's ticket is to say.
#[derive(Debug, Clone, Copy)]
pub struct Ticket<'a> {
    /// The step that writes it.
    pub key: &'a StepKey,
    /// The case that it belongs to.
    pub case: &'a CaseKey,
    /// Whom it is about.
    pub customer: Option<&'a CustomerId>,
    /// What it is about, in a line.
    pub subject: &'a str,
    /// What happened and what to do.
    pub text: &'a str,
    /// How urgent it is.
    pub priority: Priority,
    /// When the step was planned, if an earlier run may have sent it: an outcome of then may not show
    /// yet.
    pub tried_since: Option<Timestamp>,
}

impl HelpDesk {
    /// What a customer is talking about: newest first what is open and what changed within 90 days;
    /// nothing if the help desk does not know them.
    ///
    /// # Errors
    /// [`Cause::Contradictory`](crate::failure::Cause::Contradictory) if the customer is there twice, or
    /// more is there than is read.
    pub async fn conversations(
        &self,
        customer: &CustomerId,
        email: Option<&str>,
        now: Timestamp,
    ) -> Result<Conversations, ConnectorError> {
        let mut items = match self {
            Self::Zendesk(desk) => desk.conversations(customer, email).await?,
            Self::Intercom(desk) => desk.conversations(customer, email, now).await?,
        };
        items.retain(|one| one.open || now.since(one.updated) <= RECENT);
        items.sort_by_key(|one| std::cmp::Reverse(one.updated));
        Ok(Conversations { items })
    }

    /// The case's ticket: makes it, or adds an internal note to the one that the case already has, and
    /// gives the vendor's id of it. Doing it again for the same key changes nothing more.
    ///
    /// # Errors
    /// After every verdict but [`GiveUp`](crate::Verdict::GiveUp) call it again: it looks first.
    pub async fn put_ticket(&self, ticket: &Ticket<'_>) -> Result<String, ConnectorError> {
        match self {
            Self::Zendesk(desk) => desk.put_ticket(ticket).await,
            Self::Intercom(desk) => desk.put_ticket(ticket).await,
        }
    }

    /// Leaves a draft of a reply in a conversation, for a person to check and send, and gives the
    /// conversation's id. Doing it again for the same key changes nothing more.
    ///
    /// # Errors
    /// As [`HelpDesk::put_ticket`].
    pub async fn put_reply_draft(
        &self,
        key: &StepKey,
        conversation: &str,
        draft: &Draft,
    ) -> Result<String, ConnectorError> {
        let text = words::draft(draft);
        match self {
            Self::Zendesk(desk) => desk.put_reply_draft(key, conversation, &text).await,
            Self::Intercom(desk) => desk.put_reply_draft(key, conversation, &text).await,
        }
    }

    /// What is missing, each with what to do; reads only, for `countersign doctor`.
    ///
    /// # Errors
    /// If the help desk does not answer or refuses the key.
    pub async fn check(&self) -> Result<Vec<String>, ConnectorError> {
        match self {
            Self::Zendesk(desk) => desk.check().await,
            Self::Intercom(desk) => desk.check().await,
        }
    }
}
