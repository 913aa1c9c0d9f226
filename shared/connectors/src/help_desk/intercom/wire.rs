//! What goes over the wire, as the pages in the parent's documentation have it.

use reqwest::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::call::{Refusal, parsed};

/// The attribute of our ticket type that holds the case.
pub(super) const CASE: &str = "countersign_case";

#[derive(Deserialize)]
pub(super) struct Identified {
    pub(super) id: String,
}

#[derive(Deserialize)]
pub(super) struct TicketType {
    pub(super) category: String,
    #[serde(default)]
    pub(super) archived: bool,
    pub(super) ticket_type_attributes: Attributes,
}

#[derive(Deserialize)]
pub(super) struct Attributes {
    pub(super) data: Vec<Attribute>,
}

#[derive(Deserialize)]
pub(super) struct Attribute {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) data_type: String,
    #[serde(default)]
    pub(super) archived: bool,
}

#[derive(Deserialize)]
pub(super) struct Found<T> {
    #[serde(alias = "data", alias = "conversations", alias = "tickets")]
    pub(super) items: Vec<T>,
    #[serde(default)]
    pub(super) pages: Option<Pages>,
}

#[derive(Deserialize)]
pub(super) struct Pages {
    pub(super) next: Option<Next>,
}

#[derive(Deserialize)]
pub(super) struct Next {
    pub(super) starting_after: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Contact {
    pub(super) id: String,
    #[serde(flatten)]
    pub(super) fields: Map<String, Value>,
}

#[derive(Deserialize)]
pub(super) struct Row {
    pub(super) id: String,
    pub(super) state: String,
    pub(super) priority: Option<String>,
    pub(super) admin_assignee_id: Option<u64>,
    #[serde(default)]
    pub(super) tags: TagList,
    pub(super) created_at: i64,
    pub(super) updated_at: i64,
}

#[derive(Deserialize, Default)]
pub(super) struct TagList {
    #[serde(default)]
    pub(super) tags: Vec<Tag>,
}

#[derive(Deserialize)]
pub(super) struct Tag {
    pub(super) name: String,
}

#[derive(Deserialize)]
pub(super) struct Made {
    pub(super) id: String,
    #[serde(default)]
    pub(super) ticket_attributes: Map<String, Value>,
}

/// A conversation or a ticket with what was written in it.
#[derive(Deserialize)]
pub(super) struct Thread {
    #[serde(alias = "conversation_parts", alias = "ticket_parts")]
    pub(super) parts: Parts,
    #[serde(default)]
    pub(super) ticket_attributes: Map<String, Value>,
}

#[derive(Deserialize)]
pub(super) struct Parts {
    #[serde(alias = "conversation_parts", alias = "ticket_parts")]
    pub(super) items: Vec<Part>,
    pub(super) total_count: usize,
}

#[derive(Deserialize)]
pub(super) struct Part {
    pub(super) body: Option<String>,
}

impl TicketType {
    /// The id of the attribute that holds the case, or what is wrong with the ticket type.
    pub(super) fn attribute(&self) -> Result<&str, &'static str> {
        if self.archived || self.category != "Back-office" {
            return Err(
                "the ticket type must be in use and of the category Back-office, unseen by customers",
            );
        }
        let named = |one: &&Attribute| one.name == CASE && one.data_type == "string" && !one.archived;
        let found = self.ticket_type_attributes.data.iter().find(named);
        found
            .map(|one| one.id.as_str())
            .ok_or("add a text attribute named countersign_case to the ticket type")
    }
}

impl Contact {
    /// The text in a field, `custom_attributes.x` or one of Intercom's own.
    pub(super) fn holds(&self, field: &str) -> Option<&str> {
        let held = match field.split_once('.') {
            Some((group, name)) => self.fields.get(group)?.get(name)?,
            None => self.fields.get(field)?,
        };
        held.as_str().filter(|held| !held.is_empty())
    }
}

pub(super) fn is(field: &str, value: impl Into<Value>) -> Value {
    json!({ "field": field, "operator": "=", "value": value.into() })
}

pub(super) fn both(one: &Value, other: &Value) -> Value {
    json!({ "operator": "AND", "value": [one, other] })
}

/// `{"type": "error.list", "errors": [{"code": "parameter_invalid", "message": "…"}]}`
/// (<https://developers.intercom.com/docs/references/rest-api/errors/error-codes/>).
pub(super) fn refusal(_: StatusCode, body: &[u8]) -> Refusal {
    #[derive(Deserialize)]
    struct List {
        errors: Vec<Told>,
    }
    #[derive(Deserialize)]
    struct Told {
        code: String,
        message: Option<String>,
    }

    let Some(told) = parsed::<List>(body).and_then(|mut list| list.errors.pop()) else {
        return Refusal::default();
    };
    let limited = matches!(told.code.as_str(), "rate_limit_exceeded" | "too_many_requests" | "retry_after");
    // 402: the plan does not have it.
    let repairable = told.code.starts_with("token_") || told.code == "api_plan_restricted";
    Refusal { code: Some(told.code), said: told.message, limited, repairable }
}
