//! HubSpot's CRM API, version 2026-03, with a private app's token:
//! <https://developers.hubspot.com/docs/api-reference/2026-03/overview>. Versions are supported for 18 months;
//! the older v3 and v4 end in 2027
//! (<https://developers.hubspot.com/docs/api-reference/legacy/migration-guide>).
//!
//! **Scopes**: `crm.objects.companies.read`, `crm.objects.companies.write`,
//! `crm.objects.contacts.read`, `crm.objects.contacts.write` (tasks and notes),
//! `crm.objects.owners.read`, `crm.schemas.companies.read`.
//!
//! **Properties to create** (names can be changed, [`Fields`]): on companies `stripe_customer_id`,
//! `annual_value` (number), `renews` (date), `segment`, `payment_status`, `payment_open` (text) and
//! `payment_read` (date and time); `lifecyclestage` is HubSpot's own. On tasks and on notes
//! `countersign_key`, a text that requires unique values.
//!
//! **Once**: HubSpot upserts tasks and notes by a unique property
//! (<https://developers.hubspot.com/docs/api-reference/latest/crm/activities/tasks/batch/upsert-tasks>),
//! and a read by that property (`idProperty`) does not wait for the search index. An upsert makes no
//! association, so that is a second call, which may be repeated
//! (<https://developers.hubspot.com/docs/api-reference/latest/crm/associations/associate-records/update-association>).
//! The company itself is found by search, whose index lags behind writes
//! (<https://developers.hubspot.com/docs/api-reference/search/guide>): a company that was created a
//! moment ago may not be found yet, and what is decided on is then read by id.

use domain::{
    CustomerId, Timestamp,
    context::{Account, Owner},
    plan::{PaymentStatus, Priority, StepKey, Task},
};
use reqwest::{Client, Method, StatusCode};
use runtime::Clock;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Fields, Kind, words};
use crate::{
    call::{Api, Auth, Kind as CallKind, Refusal, parsed},
    failure::{Cause, Code, ConnectorError, Said},
};

/// HubSpot's address.
pub(super) const API: &str = "https://api.hubapi.com";
/// The version of the API.
const VERSION: &str = "2026-03";

/// A client for one HubSpot account.
#[derive(Debug, Clone)]
pub struct HubSpot {
    api: Api,
    fields: Fields,
}

/// A record with the properties that were asked for.
#[derive(Deserialize)]
struct Record {
    id: String,
    #[serde(default)]
    properties: Map<String, Value>,
}

#[derive(Deserialize)]
struct Found {
    total: u64,
    results: Vec<Record>,
}

impl HubSpot {
    /// A client; `base` is [`API`] or a stand-in.
    pub fn new(http: Client, base: &str, token: SecretString, fields: Fields, clock: Clock) -> Self {
        let api = Api::new("hubspot", http, base, refusal, clock).with_auth(Auth::Bearer(token));
        Self { api, fields }
    }

    pub(super) async fn account(&self, customer: &CustomerId) -> Result<Option<Account>, ConnectorError> {
        let Some(record) = self.record(customer).await? else { return Ok(None) };
        let fields = &self.fields;
        let currency = match &fields.currency {
            Some(name) => record.text(name).and_then(|code| domain::Currency::parse(&code).ok()),
            None => fields.default_currency,
        };
        let annual_value = record.text(&fields.annual_value).zip(currency);
        let owner = match record.text("hubspot_owner_id") {
            Some(id) => Some(self.owner(id).await?),
            None => None,
        };
        Ok(Some(Account {
            name: record.text("name"),
            annual_value: annual_value.and_then(|(amount, currency)| words::money(&amount, currency)),
            owner,
            renews: record.text(&fields.renews).and_then(|time| words::time(&time)),
            segment: record.text(&fields.segment),
            lifecycle: record.text(&fields.lifecycle),
            payment_status: record.text(&fields.payment_status),
            id: record.id,
        }))
    }

    /// The company, by search.
    async fn record(&self, customer: &CustomerId) -> Result<Option<Record>, ConnectorError> {
        let name = "company.search";
        let filter = json!({ "propertyName": self.fields.customer, "operator": "EQ", "value": customer });
        let mut properties = self.fields.of_record();
        properties.extend(["name", "hubspot_owner_id"]);
        let mut found: Found = self
            .api
            .call(CallKind::Read, name, Method::POST, &["crm", "objects", VERSION, "companies", "search"])
            .json(&json!({
                "filterGroups": [{ "filters": [filter] }], "properties": properties, "limit": 2,
            }))
            .send()
            .await?;
        if found.total > 1 || found.results.len() > 1 {
            let cause = Cause::Contradictory("several companies with this Stripe customer id");
            return Err(self.api.error(name, cause));
        }
        Ok(found.results.pop())
    }

    async fn owner(&self, id: String) -> Result<Owner, ConnectorError> {
        #[derive(Deserialize, Default)]
        #[serde(rename_all = "camelCase", default)]
        struct Person {
            email: Option<String>,
            first_name: Option<String>,
            last_name: Option<String>,
        }

        let path = ["crm", "owners", VERSION, &id];
        let call = self.api.call(CallKind::Read, "owner.read", Method::GET, &path);
        let person: Person = call.send_if_found().await?.unwrap_or_default();
        let names: Vec<String> = person.first_name.into_iter().chain(person.last_name).collect();
        let name = names.join(" ").trim().to_owned();
        Ok(Owner { id, name: (!name.is_empty()).then_some(name), email: person.email })
    }

    pub(super) async fn put_task(
        &self,
        key: &StepKey,
        customer: &CustomerId,
        task: &Task,
    ) -> Result<String, ConnectorError> {
        let priority = match task.priority {
            Priority::Low => "LOW",
            Priority::Normal => "MEDIUM",
            Priority::High | Priority::Urgent => "HIGH",
        };
        let properties = json!({
            "hs_task_subject": words::title(&task.title), "hs_task_body": words::html(&words::task(task)),
            "hs_task_priority": priority, "hs_task_status": "NOT_STARTED", "hs_task_type": "TODO",
            "hs_timestamp": task.due.to_string(), "hubspot_owner_id": task.owner,
        });
        self.put(Kind::Task, key, customer, properties).await
    }

    pub(super) async fn put_note(
        &self,
        key: &StepKey,
        customer: &CustomerId,
        text: &str,
    ) -> Result<String, ConnectorError> {
        let now = self.api.now();
        let properties = json!({ "hs_note_body": words::html(text), "hs_timestamp": now.to_string() });
        self.put(Kind::Note, key, customer, properties).await
    }

    async fn put(
        &self,
        kind: Kind,
        key: &StepKey,
        customer: &CustomerId,
        properties: Value,
    ) -> Result<String, ConnectorError> {
        let record = self.must_have(customer, "company.search").await?;
        let id = match self.find(kind, key).await? {
            Some(id) => id,
            None => match self.create(kind, key, properties).await {
                Ok(id) => id,
                // Another run may have been quicker; then its one is the one.
                Err(refused) => self.find(kind, key).await?.ok_or(refused)?,
            },
        };
        let path = [
            "crm",
            "objects",
            VERSION,
            kind.plural(),
            &id,
            "associations",
            "default",
            "companies",
            &record.id,
        ];
        self.api.call(CallKind::Idempotent, "association.put", Method::PUT, &path).answer().await?;
        Ok(id)
    }

    pub(super) async fn find(&self, kind: Kind, key: &StepKey) -> Result<Option<String>, ConnectorError> {
        let path = ["crm", "objects", VERSION, kind.plural(), key.as_str()];
        let call = self.api.call(CallKind::Read, kind.finding(), Method::GET, &path);
        let found: Option<Record> = call.query(&[("idProperty", &self.fields.key)]).send_if_found().await?;
        Ok(found.map(|record| record.id))
    }

    async fn create(
        &self,
        kind: Kind,
        key: &StepKey,
        mut properties: Value,
    ) -> Result<String, ConnectorError> {
        #[derive(Deserialize)]
        struct Upserted {
            #[serde(default)]
            results: Vec<Record>,
            /// Status 207 tells of what failed in a successful answer.
            #[serde(default)]
            errors: Vec<Told>,
        }

        if let Some(properties) = properties.as_object_mut() {
            properties.retain(|_, value| !value.is_null());
            properties.insert(self.fields.key.clone(), key.as_str().into());
        }
        let input = json!({ "idProperty": self.fields.key, "id": key.as_str(), "properties": properties });
        let path = ["crm", "objects", VERSION, kind.plural(), "batch", "upsert"];
        let call = self.api.call(CallKind::Idempotent, kind.creating(), Method::POST, &path);
        let Upserted { results, errors } = call.json(&json!({ "inputs": [input] })).send().await?;
        results.into_iter().next().map(|record| record.id).ok_or_else(|| {
            let told = errors.into_iter().next().unwrap_or_default();
            let said = Said::new(told.message.as_deref().unwrap_or_default());
            let code = Code::new(told.category.as_deref());
            self.api.error(kind.creating(), Cause::Refused { status: 207, code, said })
        })
    }

    pub(super) async fn put_payment_status(
        &self,
        customer: &CustomerId,
        status: &PaymentStatus,
    ) -> Result<String, ConnectorError> {
        let (fields, name) = (&self.fields, "payment_status.put");
        let id = self.must_have(customer, "company.search").await?.id;
        let path = ["crm", "objects", VERSION, "companies", &id];
        // By id: the search index may lag behind the last write.
        let call = self.api.call(CallKind::Read, "company.read", Method::GET, &path);
        let record: Record = call.query(&[("properties", &fields.payment_read)]).send().await?;
        let stored = record.time(&fields.payment_read).map_err(|cause| self.api.error(name, cause))?;
        if stored.is_none_or(|stored| stored < status.read) {
            let open = status.open.map(|open| open.to_string()).unwrap_or_default();
            let properties = [
                (fields.payment_status.clone(), json!(status.status)),
                (fields.payment_open.clone(), json!(open)),
                (fields.payment_read.clone(), json!(status.read.to_string())),
            ];
            let properties: Map<String, Value> = properties.into_iter().collect();
            let call = self.api.call(CallKind::Idempotent, name, Method::PATCH, &path);
            call.json(&json!({ "properties": properties })).answer().await?;
        }
        Ok(id)
    }

    async fn must_have(&self, customer: &CustomerId, name: &'static str) -> Result<Record, ConnectorError> {
        let missing = Cause::NotFound("a company with this Stripe customer id");
        self.record(customer).await?.ok_or_else(|| self.api.error(name, missing))
    }

    pub(super) async fn check(&self) -> Result<Vec<String>, ConnectorError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Property {
            #[serde(default)]
            has_unique_value: bool,
        }

        let key = self.fields.key.as_str();
        let record = self.fields.of_record().into_iter().map(|name| ("companies", name));
        let mut missing = Vec::new();
        for (object, name) in record.chain([("tasks", key), ("notes", key)]) {
            let path = ["crm", "properties", VERSION, object, name];
            let call = self.api.call(CallKind::Read, "property.read", Method::GET, &path);
            match call.send_if_found::<Property>().await? {
                None => missing.push(format!("HubSpot: create the property `{name}` on {object}")),
                Some(property) if object != "companies" && !property.has_unique_value => {
                    missing.push(format!("HubSpot: `{name}` on {object} must require unique values"));
                }
                Some(_) => {}
            }
        }
        Ok(missing)
    }
}

impl Record {
    fn text(&self, name: &str) -> Option<String> {
        self.properties.get(name)?.as_str().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
    }

    fn time(&self, name: &str) -> Result<Option<Timestamp>, Cause> {
        let read =
            |text: String| words::time(&text).ok_or(Cause::Contradictory("an unreadable time of reading"));
        self.text(name).map(read).transpose()
    }
}

impl Kind {
    const fn plural(self) -> &'static str {
        match self {
            Self::Task => "tasks",
            Self::Note => "notes",
        }
    }

    const fn finding(self) -> &'static str {
        match self {
            Self::Task => "task.find",
            Self::Note => "note.find",
        }
    }

    const fn creating(self) -> &'static str {
        match self {
            Self::Task => "task.create",
            Self::Note => "note.create",
        }
    }
}

/// <https://developers.hubspot.com/docs/api-reference/error-handling>.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Told {
    /// Some tell it as `errorType`.
    #[serde(alias = "errorType")]
    category: Option<String>,
    message: Option<String>,
}

fn refusal(_: StatusCode, body: &[u8]) -> Refusal {
    let Told { category, message } = parsed(body).unwrap_or_default();
    let limited = matches!(category.as_deref(), Some("RATE_LIMITS" | "RATE_LIMIT"));
    Refusal { code: category, said: message, limited, repairable: false }
}
