//! Requests that became no proposal: recorded once, with the reason.

use domain::{RequestId, trail};

use super::Approvals;
use crate::{
    StoreError,
    cases::trail_item,
    events::get,
    item::{Item, key, nested, read},
    transaction::{Cancelled, Transaction},
};

impl Approvals {
    /// Records why a request was refused, as the first entry of its trail; whether that was new.
    /// The very same bytes again within ten minutes count as the same write.
    ///
    /// # Errors
    /// If the table does not answer.
    pub async fn refuse_request(
        &self,
        request: &RequestId,
        entry: &trail::Entry,
    ) -> Result<bool, StoreError> {
        let partition = format!("REQUEST#{request}");
        let mut item = request_key(request);
        item.insert("refusal".into(), nested(entry)?);
        let all = Transaction::new(&self.table)
            .create("the refusal", item)
            .create("the trail", trail_item(&partition, entry)?);
        match all.commit(&self.client, entry).await {
            Ok(()) => Ok(true),
            Err(Cancelled::Condition { .. }) => Ok(false),
            Err(refused) => Err(refused.into_error()),
        }
    }

    /// The entry that says why a request was refused, if it was.
    ///
    /// # Errors
    /// If the table does not answer or the row is not readable.
    pub async fn refusal(&self, request: &RequestId) -> Result<Option<trail::Entry>, StoreError> {
        let found = get(&self.client, &self.table, request_key(request)).await?;
        found.map(|item| read(&item, "refusal")).transpose()
    }
}

fn request_key(request: &RequestId) -> Item {
    key(&format!("REQUEST#{request}"), "REQUEST")
}
