//! The freeze: while it is set, no vote counts and no execution begins.

use aws_sdk_dynamodb::types::AttributeValue;
use domain::{PersonId, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Approvals, freeze_key};
use crate::{
    StoreError,
    events::get,
    item::{nested, read_optional},
};

/// Who stopped everything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Freeze {
    /// Who.
    pub by: PersonId,
    /// Why.
    pub why: String,
    /// When.
    pub at: Timestamp,
}

impl Approvals {
    /// Stops everything.
    ///
    /// # Errors
    /// If the table does not answer.
    pub async fn freeze(&self, freeze: &Freeze) -> Result<(), StoreError> {
        self.set_freeze(Some(freeze)).await
    }

    /// Lets everything go on.
    ///
    /// # Errors
    /// If the table does not answer.
    pub async fn unfreeze(&self) -> Result<(), StoreError> {
        self.set_freeze(None).await
    }

    /// Who stopped everything, if somebody did.
    ///
    /// # Errors
    /// If the table does not answer or the row is not readable: then act as if everything is stopped.
    pub async fn frozen(&self) -> Result<Option<Freeze>, StoreError> {
        match get(&self.client, &self.table, freeze_key()).await? {
            Some(item) => read_optional(&item, "freeze"),
            None => Ok(None),
        }
    }

    async fn set_freeze(&self, freeze: Option<&Freeze>) -> Result<(), StoreError> {
        let mut item = freeze_key();
        item.insert("frozen".into(), AttributeValue::Bool(freeze.is_some()));
        if let Some(freeze) = freeze {
            item.insert("freeze".into(), nested(freeze)?);
        }
        let put = self.client.put_item().table_name(&self.table).set_item(Some(item));
        put.send().await.map(drop).map_err(|error| StoreError::table("the freeze", &error))
    }
}
