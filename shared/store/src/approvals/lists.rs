//! Lists of proposals, from the index of what is due.

use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use domain::{ProposalId, Timestamp, trail};

use super::{
    Approvals,
    file::{DECIDED, PROPOSAL, ProposalRow, partition, proposal_row},
};
use crate::{
    StoreError,
    cases::trail_of,
    item::{at, s},
    schema::DUE_INDEX,
};

impl Approvals {
    /// Proposals that are pending or executing, those that run out first at the start. The index lags
    /// a little: read a proposal before acting on it.
    ///
    /// # Errors
    /// If the table does not answer or a row is not readable.
    pub async fn open_proposals(&self) -> Result<Vec<ProposalRow>, StoreError> {
        self.rows(self.index(PROPOSAL), None).await
    }

    /// The proposals that ended last, the newest first.
    ///
    /// # Errors
    /// If the table does not answer or a row is not readable.
    pub async fn decided(&self, limit: usize) -> Result<Vec<ProposalRow>, StoreError> {
        self.rows(self.index(DECIDED).scan_index_forward(false), Some(limit)).await
    }

    /// Proposals that somebody has to look at: expired, executing without a live lease, or with votes
    /// that nobody may have acted on. The longest overdue first.
    ///
    /// # Errors
    /// If the table does not answer or a row is not readable.
    pub async fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<ProposalId>, StoreError> {
        let query = self
            .index(PROPOSAL)
            .key_condition_expression("due_kind = :kind AND due_at <= :now")
            .expression_attribute_values(":now", at(now));
        Ok(self.rows(query, Some(limit)).await?.iter().map(|row| row.id().clone()).collect())
    }

    /// Every proposal there is, open or not.
    ///
    /// # Errors
    /// If the table does not answer or a row is not readable.
    pub async fn proposals(&self) -> Result<Vec<ProposalRow>, StoreError> {
        let mut all = self.open_proposals().await?;
        all.extend(self.rows(self.index(DECIDED), None).await?);
        Ok(all)
    }

    /// The trail of a proposal, from its start.
    ///
    /// # Errors
    /// If the table does not answer or an entry is not readable.
    pub async fn trail(&self, proposal: &ProposalId) -> Result<Vec<trail::Entry>, StoreError> {
        trail_of(&self.client, &self.table, &partition(proposal)).await
    }

    fn index(&self, kind: &str) -> QueryFluentBuilder {
        self.client
            .query()
            .table_name(&self.table)
            .index_name(DUE_INDEX)
            .key_condition_expression("due_kind = :kind")
            .expression_attribute_values(":kind", s(kind))
    }

    async fn rows(
        &self,
        query: QueryFluentBuilder,
        limit: Option<usize>,
    ) -> Result<Vec<ProposalRow>, StoreError> {
        let page = limit.and_then(|limit| i32::try_from(limit).ok());
        let mut pages = query.set_limit(page).into_paginator().items().send();
        let mut rows = Vec::new();
        while limit.is_none_or(|limit| rows.len() < limit)
            && let Some(item) = pages.next().await
        {
            let item = item.map_err(|error| StoreError::table("a list of proposals", &error))?;
            rows.push(proposal_row(&item)?.value);
        }
        Ok(rows)
    }
}
