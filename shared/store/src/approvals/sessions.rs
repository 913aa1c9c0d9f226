//! Sessions: kept by the digest of their token, so that a copy of the table opens none.

use domain::{Digest, PersonId, Timestamp, approval::Identity};
use serde::{Deserialize, Serialize};

use super::Approvals;
use crate::{
    StoreError,
    events::get,
    item::{Item, at, key, nested, read},
};

/// A signed-in person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Who it is.
    pub person: PersonId,
    /// As whom the provider knows them.
    pub identity: Identity,
    /// When they signed in.
    pub started: Timestamp,
    /// From then on it is none.
    pub expires: Timestamp,
}

impl Approvals {
    /// Starts a session under the digest of its token.
    ///
    /// # Errors
    /// If the table does not answer.
    pub async fn start_session(&self, token: Digest, session: &Session) -> Result<(), StoreError> {
        let mut item = session_key(token);
        item.insert("session".into(), nested(session)?);
        // Only for cleaning: whether it still counts is asked of the value.
        item.insert("expires_at".into(), at(session.expires));
        self.client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(pk)")
            .send()
            .await
            .map(drop)
            .map_err(|error| StoreError::table("a session", &error))
    }

    /// The session of a token, if it counts at `now`.
    ///
    /// # Errors
    /// If the table does not answer or the row is not readable.
    pub async fn session(&self, token: Digest, now: Timestamp) -> Result<Option<Session>, StoreError> {
        let found = get(&self.client, &self.table, session_key(token)).await?;
        let session: Option<Session> = found.map(|item| read(&item, "session")).transpose()?;
        Ok(session.filter(|session| now < session.expires))
    }

    /// Ends a session.
    ///
    /// # Errors
    /// If the table does not answer.
    pub async fn end_session(&self, token: Digest) -> Result<(), StoreError> {
        self.client
            .delete_item()
            .table_name(&self.table)
            .set_key(Some(session_key(token)))
            .send()
            .await
            .map(drop)
            .map_err(|error| StoreError::table("the end of a session", &error))
    }
}

fn session_key(token: Digest) -> Item {
    key(&format!("SESSION#{token}"), "SESSION")
}
