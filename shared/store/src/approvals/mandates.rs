//! Mandates: written with the proposal that grants one, counted with each proposal that uses one.

use aws_sdk_dynamodb::types::AttributeValue;
use domain::{
    MandateId, Timestamp,
    approval::{Mandate, Stage, Standing},
    trail,
};

use super::{Approvals, VoteError, file::ProposalRow, proposals::moved};
use crate::{
    StoreError, Versioned,
    cases::{trail_item, trail_of},
    events::get,
    item::{Item, key, n, nested, number, read, unreadable},
    transaction::{Cancelled, Transaction},
};

const MANDATES: &str = "MANDATES";
const THE_MANDATE: &str = "the mandate";

/// One more use of a mandate.
#[derive(Debug, Clone)]
pub struct MandateUse {
    /// As it was read.
    pub before: Versioned<Mandate>,
    /// With this use counted, and the end of its trail after `entry`.
    pub after: Mandate,
    /// What its trail says about it.
    pub entry: trail::Entry,
}

impl Approvals {
    /// The mandates that stand, in the order of their ids.
    ///
    /// # Errors
    /// If the table does not answer or a row is not readable.
    pub async fn standing_mandates(&self) -> Result<Vec<Versioned<Mandate>>, StoreError> {
        let mut pages = self
            .client
            .query()
            .table_name(&self.table)
            .consistent_read(true)
            .key_condition_expression("pk = :pk")
            .expression_attribute_values(":pk", AttributeValue::S(MANDATES.into()))
            .into_paginator()
            .items()
            .send();
        let mut mandates = Vec::new();
        while let Some(item) = pages.next().await {
            let item = item.map_err(|error| StoreError::table("the mandates", &error))?;
            let mandate = mandate_row(&item)?;
            if matches!(mandate.value.standing, Standing::Live { .. }) {
                mandates.push(mandate);
            }
        }
        Ok(mandates)
    }

    /// A mandate, whether it stands or ended.
    ///
    /// # Errors
    /// If the table does not answer or the row is not readable.
    pub async fn mandate(&self, id: &MandateId) -> Result<Option<Versioned<Mandate>>, StoreError> {
        let found = get(&self.client, &self.table, mandate_key(id)).await?;
        found.as_ref().map(mandate_row).transpose()
    }

    /// The trail of a mandate, from its start.
    ///
    /// # Errors
    /// If the table does not answer or an entry is not readable.
    pub async fn mandate_trail(&self, id: &MandateId) -> Result<Vec<trail::Entry>, StoreError> {
        trail_of(&self.client, &self.table, &partition(id)).await
    }

    /// Settles the proposal that grants a mandate, and puts the mandate: both or neither.
    ///
    /// # Errors
    /// A conflict if the proposal has moved.
    pub async fn grant_mandate(
        &self,
        before: &Versioned<ProposalRow>,
        stage: Stage,
        entry: &trail::Entry,
        mandate: &Mandate,
        first: &trail::Entry,
    ) -> Result<Versioned<ProposalRow>, VoteError> {
        let row = moved(&before.value, stage, entry);
        let all = self
            .ending(before, &row, entry, true)?
            .create(THE_MANDATE, mandate_item(mandate, 1)?)
            .create("the mandate's trail", trail_item(&partition(&mandate.id), first)?);
        all.commit(&self.client, &(&row, before.version, mandate)).await?;
        Ok(Versioned { value: row, version: before.version.saturating_add(1) })
    }

    /// Begins an execution under a mandate: as [`Self::claim`] does, with the use counted in the same
    /// transaction. Of several runs at its last use for a day, one gets it.
    ///
    /// # Errors
    /// As there; a conflict also if the mandate was used, or ended, since it was read.
    pub async fn claim_under(
        &self,
        before: &Versioned<ProposalRow>,
        stage: Stage,
        entry: &trail::Entry,
        now: Timestamp,
        used: &MandateUse,
    ) -> Result<Versioned<ProposalRow>, VoteError> {
        let Stage::Executing(attempt) = &stage else {
            return Err(StoreError::Conflict { what: "the proposal" }.into());
        };
        let lease = attempt.lease;
        let mut row = moved(&before.value, stage, entry);
        row.mandate = Some(used.after.id.clone());
        let all = self.executing(before, &row, entry, lease, now)?;
        let all = replace(all, &used.before, &used.after, &used.entry)?;
        all.commit(&self.client, &(&row, before.version, &used.after, used.before.version, now)).await?;
        Ok(Versioned { value: row, version: before.version.saturating_add(1) })
    }

    /// Ends a mandate, with the entry of its trail.
    ///
    /// # Errors
    /// A conflict if it was used, or ended, since it was read.
    pub async fn end_mandate(
        &self,
        before: &Versioned<Mandate>,
        after: &Mandate,
        entry: &trail::Entry,
    ) -> Result<(), StoreError> {
        let all = replace(Transaction::new(&self.table), before, after, entry)?;
        all.commit(&self.client, &(after, before.version)).await.map_err(Cancelled::into_error)
    }
}

/// Replaces the version that was read, and adds to its trail.
fn replace(
    all: Transaction,
    before: &Versioned<Mandate>,
    after: &Mandate,
    entry: &trail::Entry,
) -> Result<Transaction, StoreError> {
    let item = mandate_item(after, before.version.saturating_add(1))?;
    Ok(all
        .put(THE_MANDATE, item, "version = :version", [(":version", n(before.version))])
        .create("the mandate's trail", trail_item(&partition(&after.id), entry)?))
}

fn mandate_row(item: &Item) -> Result<Versioned<Mandate>, StoreError> {
    let version = number(item, "version").ok_or_else(|| unreadable(item, "`version` is missing".into()))?;
    Ok(Versioned { value: read(item, "mandate")?, version })
}

fn mandate_item(mandate: &Mandate, version: i64) -> Result<Item, StoreError> {
    let mut item = mandate_key(&mandate.id);
    item.insert("mandate".into(), nested(mandate)?);
    item.insert("version".into(), n(version));
    Ok(item)
}

fn mandate_key(id: &MandateId) -> Item {
    key(MANDATES, &format!("MANDATE#{id}"))
}

fn partition(id: &MandateId) -> String {
    format!("MANDATE#{id}")
}
