//! The freeze: while it is set, no vote counts and no execution begins. And the link keys that are
//! good no longer, wherever a copy of them may be.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::types::AttributeValue;
use domain::{PersonId, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Approvals, freeze_key};
use crate::{
    StoreError,
    events::get,
    item::{Item, key, nested, read_optional},
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

    /// The ids of the link keys that were revoked.
    ///
    /// # Errors
    /// If the table does not answer or the row is not readable: then no link is good.
    pub async fn revoked_link_keys(&self) -> Result<BTreeSet<String>, StoreError> {
        match get(&self.client, &self.table, revoked_key()).await? {
            Some(item) => Ok(read_optional(&item, "keys")?.unwrap_or_default()),
            None => Ok(BTreeSet::new()),
        }
    }

    /// Revokes a link key: no link that it signed is good from now on. Whether that was new.
    ///
    /// # Errors
    /// If the table does not answer.
    pub async fn revoke_link_key(&self, id: &str) -> Result<bool, StoreError> {
        let mut keys = self.revoked_link_keys().await?;
        if !keys.insert(id.to_owned()) {
            return Ok(false);
        }
        let mut item = revoked_key();
        item.insert("keys".into(), nested(&keys)?);
        let put = self.client.put_item().table_name(&self.table).set_item(Some(item));
        put.send().await.map(|_| true).map_err(|error| StoreError::table("a revoked link key", &error))
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

fn revoked_key() -> Item {
    key("CONTROL", "REVOKED_LINK_KEYS")
}
