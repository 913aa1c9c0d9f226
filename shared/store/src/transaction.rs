//! Transactions: several conditional writes, all or none.

use aws_sdk_dynamodb::{
    Client,
    operation::transact_write_items::TransactWriteItemsError,
    types::{ConditionCheck, Delete, Put, TransactWriteItem, Update},
};
use domain::Digest;
use serde::Serialize;

use crate::{StoreError, item::Item};

/// A transaction in the making. Each write says what it is about, so that a refusal can be told.
pub(crate) struct Transaction {
    table: String,
    writes: Vec<(&'static str, TransactWriteItem)>,
    /// A write that could not be built: nothing of the transaction may be sent without it.
    unbuilt: Option<StoreError>,
}

/// Why a transaction did not happen.
#[derive(Debug)]
pub(crate) enum Cancelled {
    /// The condition of this write did not hold; the item as it stands is there if it was asked for.
    Condition { what: &'static str, item: Option<Item> },
    /// Another transaction was under way on the same item, or too many were.
    Contention,
    /// Anything else.
    Failed(StoreError),
}

impl Cancelled {
    /// A refusal that the caller had no special answer for.
    pub(crate) fn into_error(self) -> StoreError {
        match self {
            Self::Condition { what, .. } => StoreError::Conflict { what },
            Self::Contention => StoreError::Conflict { what: "the item" },
            Self::Failed(error) => error,
        }
    }
}

impl Transaction {
    pub(crate) fn new(table: &str) -> Self {
        Self { table: table.to_owned(), writes: Vec::new(), unbuilt: None }
    }

    /// Puts an item that must not exist yet.
    pub(crate) fn create(self, what: &'static str, item: Item) -> Self {
        self.put(what, item, "attribute_not_exists(pk)", [])
    }

    /// Puts an item under a condition; values are `:name` and value.
    pub(crate) fn put<const N: usize>(
        mut self,
        what: &'static str,
        item: Item,
        condition: &str,
        values: [(&str, aws_sdk_dynamodb::types::AttributeValue); N],
    ) -> Self {
        let put = Put::builder()
            .table_name(&self.table)
            .set_item(Some(item))
            .condition_expression(condition)
            .set_expression_attribute_values(named(values))
            .return_values_on_condition_check_failure(
                aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure::AllOld,
            );
        match put.build() {
            Ok(put) => self.writes.push((what, TransactWriteItem::builder().put(put).build())),
            Err(error) => self.unbuilt = Some(StoreError::table("a transaction", &error)),
        }
        self
    }

    /// Replaces an item if it still has the version that was read; zero stands for none. The new item
    /// gets the next version.
    pub(crate) fn replace(self, what: &'static str, mut item: Item, version: i64) -> Self {
        item.insert("version".into(), crate::item::n(version.saturating_add(1)));
        if version == 0 {
            self.create(what, item)
        } else {
            self.put(what, item, "version = :version", [(":version", crate::item::n(version))])
        }
    }

    /// Updates an item under a condition.
    pub(crate) fn update<const N: usize>(
        mut self,
        what: &'static str,
        key: Item,
        expression: &str,
        condition: &str,
        values: [(&str, aws_sdk_dynamodb::types::AttributeValue); N],
    ) -> Self {
        let update = Update::builder()
            .table_name(&self.table)
            .set_key(Some(key))
            .update_expression(expression)
            .condition_expression(condition)
            .set_expression_attribute_values(named(values));
        match update.build() {
            Ok(update) => self.writes.push((what, TransactWriteItem::builder().update(update).build())),
            Err(error) => self.unbuilt = Some(StoreError::table("a transaction", &error)),
        }
        self
    }

    /// Deletes an item under a condition.
    pub(crate) fn delete<const N: usize>(
        mut self,
        what: &'static str,
        key: Item,
        condition: &str,
        values: [(&str, aws_sdk_dynamodb::types::AttributeValue); N],
    ) -> Self {
        let delete = Delete::builder()
            .table_name(&self.table)
            .set_key(Some(key))
            .condition_expression(condition)
            .set_expression_attribute_values(named(values));
        match delete.build() {
            Ok(delete) => self.writes.push((what, TransactWriteItem::builder().delete(delete).build())),
            Err(error) => self.unbuilt = Some(StoreError::table("a transaction", &error)),
        }
        self
    }

    /// Asks for a condition on an item that is not written.
    pub(crate) fn check<const N: usize>(
        mut self,
        what: &'static str,
        key: Item,
        condition: &str,
        values: [(&str, aws_sdk_dynamodb::types::AttributeValue); N],
    ) -> Self {
        let check = ConditionCheck::builder()
            .table_name(&self.table)
            .set_key(Some(key))
            .condition_expression(condition)
            .set_expression_attribute_values(named(values));
        match check.build() {
            Ok(check) => {
                self.writes.push((what, TransactWriteItem::builder().condition_check(check).build()));
            }
            Err(error) => self.unbuilt = Some(StoreError::table("a transaction", &error)),
        }
        self
    }

    /// Sends it. The token is a hash of `content`: stable while the SDK retries the same bytes, and
    /// another one as soon as anything differs, since the service refuses an old token with new
    /// content for ten minutes.
    pub(crate) async fn commit(self, client: &Client, content: &impl Serialize) -> Result<(), Cancelled> {
        if let Some(error) = self.unbuilt {
            return Err(Cancelled::Failed(error));
        }
        let json = serde_json::to_vec(content).map_err(|error| {
            Cancelled::Failed(StoreError::Unreadable { key: "(new)".into(), why: error.to_string() })
        })?;
        let token: String = Digest::of(json).to_string().chars().take(36).collect();
        let (names, writes): (Vec<_>, Vec<_>) = self.writes.into_iter().unzip();
        let sent = client
            .transact_write_items()
            .set_transact_items(Some(writes))
            .client_request_token(token)
            .send()
            .await;
        let Err(error) = sent else { return Ok(()) };
        let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) = error.as_service_error()
        else {
            let contended = matches!(
                error.as_service_error(),
                Some(TransactWriteItemsError::TransactionInProgressException(_))
            );
            return Err(if contended {
                Cancelled::Contention
            } else {
                Cancelled::Failed(StoreError::table("a transaction", &error))
            });
        };
        let reasons = cancelled.cancellation_reasons();
        for (what, reason) in names.iter().zip(reasons) {
            if reason.code() == Some("ConditionalCheckFailed") {
                return Err(Cancelled::Condition { what, item: reason.item().cloned() });
            }
        }
        let contended = reasons.iter().any(|reason| {
            matches!(
                reason.code(),
                Some("TransactionConflict" | "ThrottlingError" | "ProvisionedThroughputExceeded")
            )
        });
        Err(if contended {
            Cancelled::Contention
        } else {
            Cancelled::Failed(StoreError::table("a transaction", &error))
        })
    }
}

fn named<const N: usize>(values: [(&str, aws_sdk_dynamodb::types::AttributeValue); N]) -> Option<Item> {
    (N > 0).then(|| values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}
