//! Salesforce's REST API with the OAuth 2.0 client credentials flow:
//! <https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/>,
//! <https://help.salesforce.com/s/articleView?id=xcloud.remoteaccess_oauth_client_credentials_flow.htm>.
//!
//! **To set up**: an external client app with that flow, the scope `api` and an integration user who
//! may read and edit accounts, create tasks and read users.
//!
//! **Fields to create** (names can be changed, [`Fields`]): on Account `Stripe_Customer_Id__c`,
//! `Annual_Value__c` (currency), `Renews__c` (date), `Segment__c`, `Payment_Status__c`,
//! `Payment_Open__c` (text) and `Payment_Read__c` (date/time); `Type` is Salesforce's own. On Activity
//! `Countersign_Key__c`, a text that is an External ID and unique.
//!
//! **Once**: a task is upserted by its External ID
//! (<https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/dome_upsert.htm>). Neither
//! notes nor content notes take fields of one's own, so a note is a completed task, which is how
//! Salesforce itself logs what happened: it stands in the account's activity history.
//!
//! The token is kept until it is refused, then got anew once: the flow's answer has no lifetime, which
//! is the session time-out of the organisation.

use std::sync::Arc;

use domain::{
    CustomerId,
    context::{Account, Owner},
    plan::{PaymentStatus, Priority, StepKey, Task},
};
use reqwest::{Client, Method, StatusCode};
use runtime::Clock;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};
use tokio::sync::Mutex;

use super::{Fields, words};
use crate::{
    call::{Answer, Api, Auth, Call, Kind, Refusal, parsed},
    failure::{Cause, ConnectorError, Lost},
};

/// The version of the API, which Salesforce keeps for years.
const VERSION: &str = "v62.0";

/// A client for one organisation.
#[derive(Debug, Clone)]
pub struct Salesforce {
    api: Api,
    credentials: Arc<Credentials>,
    /// The current token. Held while it is got, so that one is got for all.
    token: Arc<Mutex<Option<SecretString>>>,
    fields: Fields,
}

/// The external client app.
#[derive(Debug)]
pub struct Credentials {
    /// The consumer key.
    pub client_id: String,
    /// The consumer secret.
    pub client_secret: SecretString,
}

#[derive(Deserialize)]
struct Found {
    records: Vec<Map<String, Value>>,
}

#[derive(Deserialize)]
struct Upserted {
    id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Row {
    id: String,
}

impl Salesforce {
    /// A client; `base` is the organisation's My Domain URL or a stand-in.
    pub fn new(http: Client, base: &str, credentials: Credentials, fields: Fields, clock: Clock) -> Self {
        let api = Api::new("salesforce", http, base, refusal, clock);
        Self { api, credentials: Arc::new(credentials), token: Arc::default(), fields }
    }

    pub(super) async fn account(&self, customer: &CustomerId) -> Result<Option<Account>, ConnectorError> {
        let Some(record) = self.record(customer).await? else { return Ok(None) };
        let fields = &self.fields;
        let text = |name: &str| text(&record, name);
        let currency = match &fields.currency {
            Some(name) => text(name).and_then(|code| domain::Currency::parse(&code).ok()),
            None => fields.default_currency,
        };
        let amount = text(&fields.annual_value).zip(currency);
        let person = record.get("Owner").and_then(Value::as_object);
        let of_person = |name: &str| person.and_then(|person| self::text(person, name));
        Ok(Some(Account {
            id: self.id(&record)?,
            name: text("Name"),
            annual_value: amount.and_then(|(amount, currency)| words::money(&amount, currency)),
            owner: text("OwnerId").map(|id| Owner { id, name: of_person("Name"), email: of_person("Email") }),
            renews: text(&fields.renews).and_then(|time| words::time(&time)),
            segment: text(&fields.segment),
            lifecycle: text(&fields.lifecycle),
            payment_status: text(&fields.payment_status),
        }))
    }

    async fn record(&self, customer: &CustomerId) -> Result<Option<Map<String, Value>>, ConnectorError> {
        let name = "account.query";
        // Names of fields and ids of customers are checked where they are made: neither has a quote.
        let query = format!(
            "SELECT Id, Name, OwnerId, Owner.Name, Owner.Email, {} FROM Account WHERE {} = '{customer}' LIMIT 2",
            self.fields.of_record().join(", "),
            self.fields.customer
        );
        let call = || self.call(Kind::Read, name, Method::GET, &["query"]).query(&[("q", &query)]);
        let mut found: Found = self.json(name, call).await?;
        if found.records.len() > 1 {
            let cause = Cause::Contradictory("several accounts with this Stripe customer id");
            return Err(self.api.error(name, cause));
        }
        Ok(found.records.pop())
    }

    async fn must_have(&self, customer: &CustomerId) -> Result<Map<String, Value>, ConnectorError> {
        let missing = Cause::NotFound("an account with this Stripe customer id");
        self.record(customer).await?.ok_or_else(|| self.api.error("account.query", missing))
    }

    fn id(&self, record: &Map<String, Value>) -> Result<String, ConnectorError> {
        text(record, "Id").ok_or_else(|| self.api.error("account.query", Cause::NoAnswer(Lost::Unreadable)))
    }

    pub(super) async fn put_task(
        &self,
        key: &StepKey,
        customer: &CustomerId,
        task: &Task,
    ) -> Result<String, ConnectorError> {
        let priority = match task.priority {
            Priority::Low => "Low",
            Priority::Normal => "Normal",
            Priority::High | Priority::Urgent => "High",
        };
        let mut fields = json!({
            "Subject": words::title(&task.title), "Description": words::plain(&words::task(task)),
            "Priority": priority, "ActivityDate": task.due.day(),
        });
        if let (Some(fields), Some(owner)) = (fields.as_object_mut(), &task.owner) {
            fields.insert("OwnerId".to_owned(), owner.as_str().into());
        }
        self.put(key, customer, fields).await
    }

    pub(super) async fn put_note(
        &self,
        key: &StepKey,
        customer: &CustomerId,
        text: &str,
    ) -> Result<String, ConnectorError> {
        let fields = json!({
            "Subject": words::title(text), "Description": words::plain(text), "Status": "Completed",
            "ActivityDate": self.api.now().day(),
        });
        self.put(key, customer, fields).await
    }

    async fn put(
        &self,
        key: &StepKey,
        customer: &CustomerId,
        mut fields: Value,
    ) -> Result<String, ConnectorError> {
        if let Some(id) = self.find(key).await? {
            return Ok(id);
        }
        let record = self.must_have(customer).await?;
        if let Some(fields) = fields.as_object_mut() {
            fields.insert("WhatId".to_owned(), self.id(&record)?.into());
        }
        let path = ["sobjects", "Task", &self.fields.key, key.as_str()];
        let name = "task.upsert";
        let call = || self.call(Kind::Idempotent, name, Method::PATCH, &path).json(&fields);
        match self.json::<Upserted>(name, call).await {
            Ok(upserted) => Ok(upserted.id),
            // Another run may have been quicker; then its one is the one.
            Err(refused) => self.find(key).await?.ok_or(refused),
        }
    }

    pub(super) async fn find(&self, key: &StepKey) -> Result<Option<String>, ConnectorError> {
        let path = ["sobjects", "Task", &self.fields.key, key.as_str()];
        let call = || self.call(Kind::Read, "task.find", Method::GET, &path).query(&[("fields", "Id")]);
        match self.json::<Row>("task.find", call).await {
            Ok(row) => Ok(Some(row.id)),
            Err(ConnectorError { cause: Cause::Refused { status: 404, .. }, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(super) async fn put_payment_status(
        &self,
        customer: &CustomerId,
        status: &PaymentStatus,
    ) -> Result<String, ConnectorError> {
        let (record, fields, name) = (self.must_have(customer).await?, &self.fields, "payment_status.put");
        let id = self.id(&record)?;
        let stored = match text(&record, &fields.payment_read) {
            Some(time) => Some(words::time(&time).ok_or_else(|| {
                self.api.error(name, Cause::Contradictory("an unreadable time of reading"))
            })?),
            None => None,
        };
        if stored.is_none_or(|stored| stored < status.read) {
            let values: Map<String, Value> = [
                (fields.payment_status.clone(), json!(status.status)),
                (fields.payment_open.clone(), json!(status.open.map(|open| open.to_string()))),
                (fields.payment_read.clone(), json!(status.read.to_string())),
            ]
            .into_iter()
            .collect();
            let path = ["sobjects", "Account", &id];
            self.answer(|| self.call(Kind::Idempotent, name, Method::PATCH, &path).json(&values)).await?;
        }
        Ok(id)
    }

    pub(super) async fn check(&self) -> Result<Vec<String>, ConnectorError> {
        #[derive(Deserialize)]
        struct Described {
            fields: Vec<Field>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Field {
            name: String,
            #[serde(default)]
            external_id: bool,
            #[serde(default)]
            unique: bool,
        }

        let name = "object.describe";
        let mut missing = Vec::new();
        for (object, names) in
            [("Account", self.fields.of_record()), ("Task", vec![self.fields.key.as_str()])]
        {
            let call = || self.call(Kind::Read, name, Method::GET, &["sobjects", object, "describe"]);
            let described: Described = self.json(name, call).await?;
            for name in names {
                match described.fields.iter().find(|field| field.name == name) {
                    None => missing.push(format!(
                        "Salesforce: create the field `{name}` on {object}, visible to the integration user"
                    )),
                    Some(field) if object == "Task" && !(field.external_id && field.unique) => {
                        missing
                            .push(format!("Salesforce: `{name}` on {object} must be a unique External ID"));
                    }
                    Some(_) => {}
                }
            }
        }
        Ok(missing)
    }

    fn call(&self, kind: Kind, name: &'static str, method: Method, path: &[&str]) -> Call<'_> {
        let path: Vec<&str> = ["services", "data", VERSION].iter().chain(path).copied().collect();
        self.api.call(kind, name, method, &path)
    }

    async fn json<'a, T: DeserializeOwned>(
        &'a self,
        name: &'static str,
        call: impl Fn() -> Call<'a>,
    ) -> Result<T, ConnectorError> {
        let answer = self.answer(call).await?;
        parsed(&answer.body).ok_or_else(|| self.api.error(name, Cause::NoAnswer(Lost::Unreadable)))
    }

    /// Sends a call with the token, and once more with a new one if it is refused.
    async fn answer<'a>(&'a self, call: impl Fn() -> Call<'a>) -> Result<Answer, ConnectorError> {
        let token = self.token(None).await?;
        match call().auth(Auth::Bearer(token.clone())).answer().await {
            Err(ConnectorError { cause: Cause::NotAllowed { status: 401, .. }, .. }) => {
                let token = self.token(Some(&token)).await?;
                call().auth(Auth::Bearer(token)).answer().await
            }
            // <https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/errorcodes.htm>
            Err(ConnectorError { system, call, cause: Cause::Refused { status: 300, .. } }) => {
                let cause = Cause::Contradictory("several records with this External ID");
                Err(ConnectorError { system, call, cause })
            }
            other => other,
        }
    }

    /// The token that is kept, or a new one if there is none or it is the refused one.
    async fn token(&self, refused: Option<&SecretString>) -> Result<SecretString, ConnectorError> {
        #[derive(Deserialize)]
        struct Given {
            access_token: String,
        }

        let mut kept = self.token.lock().await;
        if let Some(token) = &*kept
            && refused.is_none_or(|refused| refused.expose_secret() != token.expose_secret())
        {
            return Ok(token.clone());
        }
        let Credentials { client_id, client_secret } = &*self.credentials;
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", client_id.as_str()),
            ("client_secret", client_secret.expose_secret()),
        ];
        let path = ["services", "oauth2", "token"];
        let call = self.api.call(Kind::Read, "token.get", Method::POST, &path);
        let Given { access_token } = call.form(&form).send().await?;
        let token = SecretString::from(access_token);
        *kept = Some(token.clone());
        Ok(token)
    }
}

/// A text, or a number as it was written.
fn text(record: &Map<String, Value>, name: &str) -> Option<String> {
    match record.get(name)? {
        Value::String(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// `[{errorCode, message}]`, or from the token's address `{error, error_description}`.
fn refusal(_: StatusCode, body: &[u8]) -> Refusal {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Told {
        error_code: String,
        message: Option<String>,
    }
    #[derive(Deserialize)]
    struct NoToken {
        error: String,
        error_description: Option<String>,
    }

    if let Some(told) = parsed::<Vec<Told>>(body).and_then(|mut all| all.pop()) {
        let limited = told.error_code == "REQUEST_LIMIT_EXCEEDED";
        return Refusal { code: Some(told.error_code), said: told.message, limited, repairable: false };
    }
    match parsed::<NoToken>(body) {
        Some(told) => {
            Refusal { code: Some(told.error), said: told.error_description, limited: false, repairable: true }
        }
        None => Refusal::default(),
    }
}
