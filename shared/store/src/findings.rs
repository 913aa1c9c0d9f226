//! `FINDING#id`: what a sweep found, with its trail. Open ones are in the index of what is due, by kind, so
//! that looking at them again costs what is open and not what ever was.

use domain::{
    RunId, Timestamp,
    finding::{FindingKind, FindingRow},
    plan::Step,
    trail,
};

use crate::{
    Cases, StoreError, Versioned,
    cases::{freeze_key, trail_item},
    events::get,
    item::{Item, at, key, nested, number, read, s},
    schema::DUE_INDEX,
    steps::step_item,
    transaction::Transaction,
};

impl Cases {
    /// What is known of a finding.
    ///
    /// # Errors
    /// If the table does not answer or the row is not readable.
    pub async fn finding(&self, id: &str) -> Result<Versioned<Option<FindingRow>>, StoreError> {
        let found = get(&self.client, &self.table, finding_key(id)).await?;
        found.map_or(Ok(Versioned { value: None, version: 0 }), |item| {
            versioned(&item).map(|row| Versioned { version: row.version, value: Some(row.value) })
        })
    }

    /// The findings of a kind that are not gone, the oldest first, at most `limit`.
    ///
    /// # Errors
    /// If the table does not answer or a row is not readable.
    pub async fn findings(
        &self,
        kind: FindingKind,
        limit: usize,
    ) -> Result<Vec<Versioned<FindingRow>>, StoreError> {
        let mut pages = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(DUE_INDEX)
            .key_condition_expression("due_kind = :kind")
            .expression_attribute_values(":kind", s(partition(kind)))
            .into_paginator()
            .items()
            .send();
        let mut rows = Vec::new();
        while rows.len() < limit
            && let Some(item) = pages.next().await
        {
            rows.push(versioned(&item.map_err(|error| StoreError::table("a list of findings", &error))?)?);
        }
        Ok(rows)
    }

    /// Writes a finding with the entry of its trail and what is done about it, all or nothing.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if it was changed since `version` was read, or everything is stopped.
    pub async fn put_finding(
        &self,
        version: i64,
        row: &FindingRow,
        entry: &trail::Entry,
        steps: &[Step],
        run: &RunId,
        lease: Timestamp,
    ) -> Result<(), StoreError> {
        let id = row.finding.id();
        let mut item = finding_key(&id);
        item.insert("finding".into(), nested(row)?);
        if row.gone.is_none() {
            item.insert("due_kind".into(), s(partition(row.finding.kind)));
            item.insert("due_at".into(), at(row.since));
        }
        let mut all = Transaction::new(&self.table)
            .replace("the finding", item, version)
            .create("the trail", trail_item(&format!("FINDING#{id}"), entry)?);
        if !steps.is_empty() {
            all = all.check("the kill switch", freeze_key(), "attribute_not_exists(pk)", []);
        }
        for step in steps {
            all = all.create("a step", step_item(step, run, row.told, lease)?);
        }
        let content = (version, row, entry, steps, run);
        all.commit(&self.client, &content).await.map_err(crate::transaction::Cancelled::into_error)
    }

    /// Where a sweep that goes round and round stopped; `None` at the start of a round.
    ///
    /// # Errors
    /// If the table does not answer.
    pub async fn place(&self, sweep: &str) -> Result<Option<String>, StoreError> {
        let row = get(&self.client, &self.table, key("CURSOR", sweep)).await?;
        row.filter(|row| row.contains_key("place")).map(|row| read(&row, "place")).transpose()
    }

    /// Remembers where a sweep that goes round and round stopped.
    ///
    /// # Errors
    /// If the table does not answer.
    pub async fn set_place(&self, sweep: &str, place: Option<&str>) -> Result<(), StoreError> {
        let mut item = key("CURSOR", sweep);
        item.extend(place.map(|place| ("place".to_owned(), s(place))));
        let sent = self.client.put_item().table_name(&self.table).set_item(Some(item)).send().await;
        sent.map(drop).map_err(|error| StoreError::table("a sweep's place", &error))
    }
}

/// The partition of the index.
fn partition(kind: FindingKind) -> String {
    format!("finding.{}", kind.as_str())
}

fn finding_key(id: &str) -> Item {
    key(&format!("FINDING#{id}"), "FINDING")
}

fn versioned(item: &Item) -> Result<Versioned<FindingRow>, StoreError> {
    Ok(Versioned { value: read(item, "finding")?, version: number(item, "version").unwrap_or_default() })
}
