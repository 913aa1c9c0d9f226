//! Intercom's REST API, version 2.14: <https://developers.intercom.com/docs/references/2.14/rest-api/api.intercom.io>.
//!
//! **Permissions** of the app: read admins; read and list users and companies; read conversations and
//! write them (notes); read tickets and write them.
//!
//! **To set up**: a ticket type of the category Back-office, which customers do not see, with a text
//! attribute named `countersign_case`. A contact is found by the Stripe customer id in its `external_id`,
//! or in the field that the configuration names, else by its e-mail address.
//!
//! **Once**: this API takes no idempotency key, and neither tickets nor notes take an id of ours that
//! would have to be unique (<https://developers.intercom.com/docs/references/2.14/rest-api/api.intercom.io/tickets/createticket>).
//! What there is to hold on to:
//!
//! - *Notes* and drafts: the conversation or ticket is read by its id, with its parts, and a note whose
//!   mark is there is not written again. A read by id has no delay that Intercom tells of.
//! - *Tickets*: found by `countersign_case`
//!   (<https://developers.intercom.com/docs/references/2.14/rest-api/api.intercom.io/tickets/searchtickets>).
//!   The search may be some minutes behind (it is documented for contacts), so a run that comes after
//!   another one makes no ticket within [`SETTLES`] seconds of the plan: it looks, and waits. After that
//!   time it makes the ticket; if that answer is lost, too, a person looks, since nothing tells any more
//!   whether there is one. Two processes killed one after the other, each between Intercom's commit and
//!   our record and the second within the search's delay, would make two; the next step of the case finds
//!   both and says so.
//!
//! Neither a ticket nor a note has a priority that this API sets; it stands in the text.

mod wire;

use std::sync::Arc;

use domain::{
    CustomerId, Timestamp,
    context::{Conversation, Urgency},
    plan::StepKey,
};
use reqwest::{Client, Method};
use runtime::{Clock, http::Base};
use secrecy::SecretString;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use tokio::sync::OnceCell;

use self::wire::{CASE, Contact, Found, Identified, Made, Row, Thread, TicketType, both, is, refusal};
use super::{RECENT, Tags, Ticket, words};
use crate::{
    ConnectorError,
    call::{Api, Auth, Call, Kind},
    failure::{Cause, Code, Lost, Said},
};

/// Intercom's address; other regions have others.
pub(super) const API: &str = "https://api.intercom.io";
/// The version that the shapes below are of.
const VERSION: &str = "2.14";
/// Entries in a page, the most that Intercom gives.
const PAGE: u32 = 150;
/// Pages that are read before giving up.
const PAGES: usize = 5;
/// Seconds after which the search shows what was made.
const SETTLES: i64 = 900;

/// A client of one Intercom workspace.
#[derive(Debug, Clone)]
pub struct Intercom {
    api: Api,
    tags: Tags,
    ticket_type: String,
    customer_field: String,
    /// Read once: who we are there, and the attribute's id.
    setup: Arc<OnceCell<Setup>>,
}

#[derive(Debug)]
struct Setup {
    admin: String,
    attribute: String,
}

impl Intercom {
    /// A client with the access token of an app of one's own
    /// (<https://developers.intercom.com/docs/build-an-integration/learn-more/authentication>).
    pub fn new(http: Client, base: &Base, token: SecretString, ticket_type: &str, clock: Clock) -> Self {
        let api = Api::new("intercom", http, base.as_str(), refusal, clock).with_auth(Auth::Bearer(token));
        Self {
            api,
            tags: Tags { refund: vec!["refund".into()], cancellation: vec!["cancellation".into()] },
            ticket_type: ticket_type.to_owned(),
            customer_field: "external_id".to_owned(),
            setup: Arc::default(),
        }
    }

    /// Finds contacts by this field instead of `external_id`: `custom_attributes.stripe_id`.
    #[must_use]
    pub fn with_customer_field(mut self, field: &str) -> Self {
        field.clone_into(&mut self.customer_field);
        self
    }

    /// Reads wishes from these tags.
    #[must_use]
    pub fn with_tags(mut self, tags: Tags) -> Self {
        self.tags = tags;
        self
    }

    pub(super) async fn conversations(
        &self,
        customer: &CustomerId,
        email: Option<&str>,
        now: Timestamp,
    ) -> Result<Vec<Conversation>, ConnectorError> {
        let Some(contact) = self.contact(customer, email).await? else { return Ok(Vec::new()) };
        // A day more than is wanted: searches by time may count in days.
        let since = now.plus(-RECENT - 86_400).seconds();
        let current = json!({ "operator": "OR", "value": [
            is("open", true),
            { "field": "updated_at", "operator": ">", "value": since },
        ] });
        let theirs = both(&is("contact_ids", contact.as_str()), &current);
        let ours =
            both(&is("contact_ids", contact.as_str()), &is("ticket_type_id", self.ticket_type.as_str()));
        let (rows, ours) = tokio::try_join!(
            self.search::<Row>("conversations.read", "conversations", &theirs),
            self.search::<Identified>("tickets.read", "tickets", &ours),
        )?;
        Ok(rows
            .into_iter()
            .filter(|row| !ours.iter().any(|ticket| ticket.id == row.id))
            .map(|row| self.conversation(row))
            .collect())
    }

    fn conversation(&self, row: Row) -> Conversation {
        let (asks_refund, asks_cancellation) =
            self.tags.asked(row.tags.tags.iter().map(|tag| tag.name.as_str()));
        Conversation {
            id: row.id,
            // A snoozed one comes back, and a word that is not known counts as open.
            open: row.state != "closed",
            asks_refund,
            asks_cancellation,
            assignee: row.admin_assignee_id.filter(|id| *id != 0).map(|id| id.to_string()),
            created: Timestamp::from_seconds(row.created_at),
            updated: Timestamp::from_seconds(row.updated_at),
            urgency: match row.priority.as_deref() {
                None | Some("not_priority") => Urgency::Normal,
                Some("priority") => Urgency::High,
                Some(other) => Urgency::Other(other.to_owned()),
            },
        }
    }

    pub(super) async fn put_ticket(&self, ticket: &Ticket<'_>) -> Result<String, ConnectorError> {
        const CALL: &str = "ticket.create";
        let setup = self.setup().await?;
        let case = ticket.case.to_string();
        let text = format!("Priority: {}\n\n{}", ticket.priority.as_str(), ticket.text);
        let query = is(&format!("ticket_attribute.{}", setup.attribute), case.as_str());
        let mut found: Vec<Made> = self.search("ticket.find", "tickets", &query).await?;
        found.retain(|made| made.ticket_attributes.get(CASE).is_some_and(|held| *held == case));
        match found.as_slice() {
            [one] => return self.note("ticket.note", "tickets", &one.id, ticket.key, &text).await,
            [] => {}
            _ => {
                let cause = Cause::Contradictory("several tickets of one case");
                return Err(self.api.error("ticket.find", cause));
            }
        }
        if let Some(planned) = ticket.tried_since
            && let Ok(after @ 1..) = u64::try_from(planned.plus(SETTLES).since(self.api.now()))
        {
            return Err(self.api.error("ticket.find", Cause::Settling { after }));
        }
        let missing = || self.api.error(CALL, Cause::NotFound("a contact with this Stripe customer id"));
        let customer = ticket.customer.ok_or_else(missing)?;
        let contact = self.contact(customer, None).await?.ok_or_else(missing)?;
        let body = json!({
            "ticket_type_id": self.ticket_type,
            "contacts": [{ "id": contact }],
            "skip_notifications": true,
            "ticket_attributes": {
                "_default_title_": words::subject(ticket.subject),
                "_default_description_": words::plain(&text, ticket.key),
                CASE: case,
            },
        });
        let call = self.call(Kind::Once, CALL, Method::POST, &["tickets"]).json(&body);
        match call.send::<Identified>().await {
            Ok(made) => Ok(made.id),
            Err(ConnectorError { cause: Cause::Unknown(_), .. }) if ticket.tried_since.is_some() => {
                let cause = Cause::Contradictory(
                    "the answer to a ticket's creation was lost twice; look in Intercom for the case, and \
                     retry the step if it has no ticket",
                );
                Err(self.api.error(CALL, cause))
            }
            Err(error) => Err(error),
        }
    }

    pub(super) async fn put_reply_draft(
        &self,
        key: &StepKey,
        conversation: &str,
        text: &str,
    ) -> Result<String, ConnectorError> {
        self.note("reply_draft.put", "conversations", conversation, key, text).await
    }

    /// An internal note, unless it is there
    /// (<https://developers.intercom.com/docs/references/2.14/rest-api/api.intercom.io/conversations/replyconversation>).
    /// There is no other kind of reply here: what a customer could see is never written.
    async fn note(
        &self,
        name: &'static str,
        place: &str,
        id: &str,
        key: &StepKey,
        text: &str,
    ) -> Result<String, ConnectorError> {
        let setup = self.setup().await?;
        let thread: Thread = self.call(Kind::Read, name, Method::GET, &[place, id]).send().await?;
        let description = thread.ticket_attributes.get("_default_description_").and_then(Value::as_str);
        let written = thread.parts.items.iter().filter_map(|part| part.body.as_deref()).chain(description);
        if written.into_iter().any(|body| body.contains(&words::mark(key))) {
            return Ok(id.to_owned());
        }
        if thread.parts.total_count > thread.parts.items.len() {
            return Err(self.api.error(name, Cause::Contradictory("more entries than are read")));
        }
        let body = json!({
            "message_type": "note", "type": "admin", "admin_id": setup.admin, "body": words::html(text, key),
        });
        let call = self.call(Kind::Once, name, Method::POST, &[place, id, "reply"]);
        call.json(&body).answer().await?;
        Ok(id.to_owned())
    }

    pub(super) async fn check(&self) -> Result<Vec<String>, ConnectorError> {
        self.me().await?;
        self.contacts(&self.customer_field, "nobody").await?;
        let nowhere = is("contact_ids", "nobody");
        self.search::<Row>("conversations.read", "conversations", &nowhere).await?;
        self.search::<Identified>("tickets.read", "tickets", &nowhere).await?;
        Ok(match self.ticket_type().await? {
            None => vec![format!("Intercom: there is no ticket type `{}`", self.ticket_type)],
            Some(kind) => kind.attribute().err().into_iter().map(|why| format!("Intercom: {why}")).collect(),
        })
    }

    async fn setup(&self) -> Result<&Setup, ConnectorError> {
        self.setup.get_or_try_init(|| self.read_setup()).await
    }

    async fn read_setup(&self) -> Result<Setup, ConnectorError> {
        let (admin, kind) = tokio::try_join!(self.me(), self.ticket_type())?;
        let attribute = match kind.as_ref().map(TicketType::attribute) {
            Some(Ok(id)) => Ok(id.to_owned()),
            Some(Err(why)) => Err(why),
            None => Err("there is no such ticket type"),
        };
        // Somebody repairs it while the step is still due.
        let attribute = attribute.map_err(|why| {
            let (code, said) = (Code::new(Some("ticket_type_unusable")), Said::new(why));
            self.api.error("ticket_type.read", Cause::NotAllowed { status: 200, code, said })
        })?;
        Ok(Setup { admin, attribute })
    }

    /// Who the token belongs to: every note has an author
    /// (<https://developers.intercom.com/docs/references/2.14/rest-api/api.intercom.io/admins/identifyadmin>).
    async fn me(&self) -> Result<String, ConnectorError> {
        const CALL: &str = "admin.read";
        let me: Option<Identified> = self.call(Kind::Read, CALL, Method::GET, &["me"]).send().await?;
        me.map(|me| me.id).ok_or_else(|| self.api.error(CALL, Cause::NoAnswer(Lost::Unreadable)))
    }

    async fn ticket_type(&self) -> Result<Option<TicketType>, ConnectorError> {
        let path = ["ticket_types", self.ticket_type.as_str()];
        self.call(Kind::Read, "ticket_type.read", Method::GET, &path).send_if_found().await
    }

    /// By our id of the customer, else by e-mail address. A contact that was made some minutes ago may
    /// not be found yet
    /// (<https://developers.intercom.com/docs/references/2.14/rest-api/api.intercom.io/contacts/searchcontacts>).
    async fn contact(
        &self,
        customer: &CustomerId,
        email: Option<&str>,
    ) -> Result<Option<String>, ConnectorError> {
        let contradictory = |what| Err(self.api.error("customer.find", Cause::Contradictory(what)));
        match self.contacts(&self.customer_field, customer.as_str()).await?.as_slice() {
            [one] => return Ok(Some(one.id.clone())),
            [] => {}
            _ => return contradictory("the customer is there twice"),
        }
        let Some(email) = email else { return Ok(None) };
        match self.contacts("email", email).await?.as_slice() {
            [] => Ok(None),
            [one] if one.holds(&self.customer_field).is_none_or(|held| held == customer.as_str()) => {
                Ok(Some(one.id.clone()))
            }
            [_] => contradictory("the address belongs to another customer"),
            _ => contradictory("the address is there twice"),
        }
    }

    async fn contacts(&self, field: &str, value: &str) -> Result<Vec<Contact>, ConnectorError> {
        self.search("customer.find", "contacts", &is(field, value)).await
    }

    async fn search<T: DeserializeOwned>(
        &self,
        name: &'static str,
        place: &str,
        query: &Value,
    ) -> Result<Vec<T>, ConnectorError> {
        let (mut all, mut after) = (Vec::new(), None::<String>);
        for _ in 0..PAGES {
            let mut pagination = Map::from_iter([("per_page".to_owned(), PAGE.into())]);
            pagination.extend(after.take().map(|after| ("starting_after".to_owned(), after.into())));
            let call = self.call(Kind::Read, name, Method::POST, &[place, "search"]);
            let found: Found<T> =
                call.json(&json!({ "query": query, "pagination": pagination })).send().await?;
            all.extend(found.items);
            after = found.pages.and_then(|pages| pages.next).and_then(|next| next.starting_after);
            if after.is_none() {
                return Ok(all);
            }
        }
        Err(self.api.error(name, Cause::Contradictory("more entries than are read")))
    }

    fn call(&self, kind: Kind, name: &'static str, method: Method, path: &[&str]) -> Call<'_> {
        self.api.call(kind, name, method, path).header("intercom-version", VERSION)
    }
}
