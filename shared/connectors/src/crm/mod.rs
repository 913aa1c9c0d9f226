//! The CRM: who the customer is to the business, and where colleagues find their work.
//!
//! Two vendors, one enum. The customer's record is the company (HubSpot) or account (Salesforce) whose
//! field holds the Stripe customer id; two such records are a contradiction, not a choice. Each vendor's
//! module says which scopes, properties and fields it needs; [`Crm::check`] finds what is missing.
//!
//! Every write can be repeated. A task or note carries the step's key in a unique field; it is looked
//! for by that key, created by an upsert on that key if it is not there, and never changed again, so a
//! redelivery neither makes a second one nor undoes what a colleague did to the first (I4).

mod config;
mod fields;
mod hubspot;
mod salesforce;
mod words;

use domain::{
    CustomerId,
    context::Account,
    plan::{PaymentStatus, StepKey, Task},
};

use crate::failure::ConnectorError;

pub use fields::{FieldError, Fields};
pub use hubspot::HubSpot;
pub use salesforce::{Credentials, Salesforce};

/// The configured CRM.
#[derive(Debug, Clone)]
pub enum Crm {
    /// HubSpot.
    HubSpot(HubSpot),
    /// Salesforce.
    Salesforce(Salesforce),
}

/// A task or a note.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Task,
    Note,
}

impl Crm {
    /// The customer's record; `None` if the CRM has none.
    ///
    /// # Errors
    /// [`Cause::Contradictory`](crate::failure::Cause::Contradictory) if there are several.
    pub async fn account(&self, customer: &CustomerId) -> Result<Option<Account>, ConnectorError> {
        match self {
            Self::HubSpot(crm) => crm.account(customer).await,
            Self::Salesforce(crm) => crm.account(customer).await,
        }
    }

    /// Makes sure that the step's task is there, and gives the CRM's id of it.
    ///
    /// # Errors
    /// May be repeated after every error.
    pub async fn put_task(
        &self,
        key: &StepKey,
        customer: &CustomerId,
        task: &Task,
    ) -> Result<String, ConnectorError> {
        match self {
            Self::HubSpot(crm) => crm.put_task(key, customer, task).await,
            Self::Salesforce(crm) => crm.put_task(key, customer, task).await,
        }
    }

    /// Makes sure that the step's note is there, and gives the CRM's id of it.
    ///
    /// # Errors
    /// May be repeated after every error.
    pub async fn put_note(
        &self,
        key: &StepKey,
        customer: &CustomerId,
        text: &str,
    ) -> Result<String, ConnectorError> {
        match self {
            Self::HubSpot(crm) => crm.put_note(key, customer, text).await,
            Self::Salesforce(crm) => crm.put_note(key, customer, text).await,
        }
    }

    /// Writes how the customer's payments stand, unless the record has it from a later or the same
    /// read, and gives the CRM's id of the record. Neither vendor compares and writes in one: between
    /// the look and the write lies a moment, which the order of work within one customer covers.
    ///
    /// # Errors
    /// May be repeated after every error.
    pub async fn put_payment_status(
        &self,
        customer: &CustomerId,
        status: &PaymentStatus,
    ) -> Result<String, ConnectorError> {
        match self {
            Self::HubSpot(crm) => crm.put_payment_status(customer, status).await,
            Self::Salesforce(crm) => crm.put_payment_status(customer, status).await,
        }
    }

    /// The CRM's id of the step's task, if it is there.
    ///
    /// # Errors
    /// As for any read.
    pub async fn find_task(&self, key: &StepKey) -> Result<Option<String>, ConnectorError> {
        match self {
            Self::HubSpot(crm) => crm.find(Kind::Task, key).await,
            Self::Salesforce(crm) => crm.find(key).await,
        }
    }

    /// The CRM's id of the step's note, if it is there.
    ///
    /// # Errors
    /// As for any read.
    pub async fn find_note(&self, key: &StepKey) -> Result<Option<String>, ConnectorError> {
        match self {
            Self::HubSpot(crm) => crm.find(Kind::Note, key).await,
            Self::Salesforce(crm) => crm.find(key).await,
        }
    }

    /// What is missing, each with what to do; reads only, for `countersign doctor`.
    ///
    /// # Errors
    /// If the CRM does not answer or refuses the key.
    pub async fn check(&self) -> Result<Vec<String>, ConnectorError> {
        match self {
            Self::HubSpot(crm) => crm.check().await,
            Self::Salesforce(crm) => crm.check().await,
        }
    }
}
