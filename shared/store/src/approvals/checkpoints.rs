//! Signed checkpoints: put once, never changed, never deleted.

use aws_sdk_dynamodb::{operation::put_item::PutItemError, types::AttributeValue};
use domain::{Timestamp, trail::Checkpoint};

use super::Approvals;
use crate::{
    StoreError,
    item::{Item, at, key, nested, read, s},
    schema::DUE_INDEX,
};

const PARTITION: &str = "CHECKPOINT";
/// The partition of the index, by the time until which they vouch.
const KIND: &str = "checkpoint";

impl Approvals {
    /// Puts the next checkpoint; false if that number is taken, since another run was faster.
    ///
    /// # Errors
    /// If the table does not answer.
    pub async fn put_checkpoint(&self, checkpoint: &Checkpoint) -> Result<bool, StoreError> {
        let mut item = checkpoint_key(checkpoint.statement.number);
        item.insert("checkpoint".into(), nested(checkpoint)?);
        item.insert("due_kind".into(), s(KIND));
        item.insert("due_at".into(), at(checkpoint.statement.until));
        let put = self.client.put_item().table_name(&self.table).set_item(Some(item));
        match put.condition_expression("attribute_not_exists(pk)").send().await {
            Ok(_) => Ok(true),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(PutItemError::is_conditional_check_failed_exception) =>
            {
                Ok(false)
            }
            Err(error) => Err(StoreError::table("a checkpoint", &error)),
        }
    }

    /// The newest checkpoint.
    ///
    /// # Errors
    /// If the table does not answer or the row is not readable.
    pub async fn last_checkpoint(&self) -> Result<Option<Checkpoint>, StoreError> {
        let asked = self
            .client
            .query()
            .table_name(&self.table)
            .consistent_read(true)
            .key_condition_expression("pk = :pk")
            .expression_attribute_values(":pk", s(PARTITION))
            .scan_index_forward(false)
            .limit(1);
        let found = asked.send().await.map_err(|error| StoreError::table("the last checkpoint", &error))?;
        found.items().first().map(|item| read(item, "checkpoint")).transpose()
    }

    /// All checkpoints that vouch for something from `first` on, and the one before them, so that nobody
    /// has to trust that none is missing at the start. Oldest first.
    ///
    /// # Errors
    /// If the table does not answer or a row is not readable.
    pub async fn checkpoints_from(&self, first: Timestamp) -> Result<Vec<Checkpoint>, StoreError> {
        let before = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(DUE_INDEX)
            .key_condition_expression("due_kind = :kind AND due_at < :first")
            .expression_attribute_values(":kind", s(KIND))
            .expression_attribute_values(":first", at(first))
            .scan_index_forward(false)
            .limit(1);
        let before = before.send().await.map_err(|error| StoreError::table("a checkpoint", &error))?;
        let before: Option<Checkpoint> =
            before.items().first().map(|item| read(item, "checkpoint")).transpose()?;
        let start = before.map_or(0, |before| before.statement.number);
        let mut pages = self
            .client
            .query()
            .table_name(&self.table)
            .consistent_read(true)
            .key_condition_expression("pk = :pk AND sk >= :start")
            .expression_attribute_values(":pk", s(PARTITION))
            .expression_attribute_values(":start", AttributeValue::S(sort_key(start)))
            .into_paginator()
            .items()
            .send();
        let mut row = Vec::new();
        while let Some(item) = pages.next().await {
            let item = item.map_err(|error| StoreError::table("the checkpoints", &error))?;
            row.push(read(&item, "checkpoint")?);
        }
        Ok(row)
    }
}

fn checkpoint_key(number: u32) -> Item {
    key(PARTITION, &sort_key(number))
}

/// Ten digits, so that the order of the keys is that of the numbers.
fn sort_key(number: u32) -> String {
    format!("{number:010}")
}
