//! Tables read from end to end: for a developer's console, for tests that compare how things ended, and for
//! whoever verifies the trail or asks about an object that has no case. Never part of a function: it reads every item.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::Client;
use domain::{
    Case,
    approval::{Mandate, Passkeys},
    finding::FindingRow,
    trail,
};

use crate::{
    EventRow, ProposalRow, StepRow, StoreError,
    approvals::proposal_row,
    events::event_row,
    item::{Item, read, text},
    steps::step_row,
};

/// What the tables hold. Items that change meanwhile are read as they were or as they are.
#[derive(Debug, Clone, Default)]
pub struct Everything {
    /// All events, by id.
    pub events: Vec<EventRow>,
    /// All cases, by key.
    pub cases: Vec<Case>,
    /// All steps, by case.
    pub steps: Vec<StepRow>,
    /// All findings, by id.
    pub findings: Vec<FindingRow>,
    /// All proposals, by id.
    pub proposals: Vec<ProposalRow>,
    /// The chains, each in order, by subject.
    pub trails: BTreeMap<String, Vec<trail::Entry>>,
    /// Where each subject says that its chain ends.
    pub heads: BTreeMap<String, trail::Head>,
    /// All checkpoints, oldest first.
    pub checkpoints: Vec<trail::Checkpoint>,
    /// The keys of items that this program cannot have written.
    pub unreadable: Vec<String>,
}

/// Reads these tables.
///
/// # Errors
/// If one does not answer.
pub async fn everything(
    client: &Client,
    tables: impl IntoIterator<Item = &str>,
) -> Result<Everything, StoreError> {
    let mut all = Everything::default();
    for table in tables {
        let mut pages = client.scan().table_name(table).consistent_read(true).into_paginator().items().send();
        while let Some(item) = pages.next().await {
            let item = item.map_err(|error| StoreError::table("the read of a table", &error))?;
            if let Err(error) = all.add(&item) {
                all.unreadable.push(error.to_string());
            }
        }
    }
    all.events.sort_by(|one, other| one.id.cmp(&other.id));
    all.cases.sort_by(|one, other| one.key.cmp(&other.key));
    all.steps.sort_by(|one, other| (&one.step.case, &one.step.key).cmp(&(&other.step.case, &other.step.key)));
    all.findings.sort_by_key(|row| row.finding.id());
    all.proposals.sort_by(|one, other| one.id().cmp(other.id()));
    all.checkpoints.sort_by_key(|one| one.statement.number);
    // A table gives a partition in the order of its keys, and the entries' keys are their order; this
    // does not depend on it.
    all.trails.values_mut().for_each(|entries| entries.sort_by_key(|entry| entry.seq));
    Ok(all)
}

impl Everything {
    fn add(&mut self, item: &Item) -> Result<(), StoreError> {
        let kind = text(item, "sk").unwrap_or_default();
        match kind.split_once('#').map_or(kind, |(kind, _)| kind) {
            "EVENT" => self.events.push(event_row(item)?),
            "CASE" => {
                let case: Case = read(item, "case")?;
                self.heads.insert(case.key.to_string(), case.trail);
                self.cases.push(case);
            }
            "STEP" => self.steps.push(step_row(item)?),
            "FINDING" => {
                let row: FindingRow = read(item, "finding")?;
                self.heads.insert(row.finding.id(), row.trail);
                self.findings.push(row);
            }
            "TRAIL" => {
                let entry: trail::Entry = read(item, "entry")?;
                self.trails.entry(entry.subject.clone()).or_default().push(entry);
            }
            "PROPOSAL" => {
                let row = proposal_row(item)?.value;
                self.heads.insert(row.id().to_string(), row.proposal.trail);
                self.proposals.push(row);
            }
            "PASSKEYS" => {
                let row: Passkeys = read(item, "passkeys")?;
                self.heads.insert(Passkeys::subject(&row.person), row.trail);
            }
            "MANDATE" => {
                let mandate: Mandate = read(item, "mandate")?;
                self.heads.insert(mandate.id.to_string(), mandate.trail);
            }
            _ if item.contains_key("checkpoint") => self.checkpoints.push(read(item, "checkpoint")?),
            // A refusal is put once, with the only entry of its trail.
            "REQUEST" if item.contains_key("refusal") => {
                let entry: trail::Entry = read(item, "refusal")?;
                self.heads.insert(entry.subject.clone(), entry.head());
            }
            _ => {}
        }
        Ok(())
    }

    /// Whether every chain ends where its subject says: if not, something was written in between, or
    /// away.
    pub fn is_settled(&self) -> bool {
        let ends = self.trails.iter().all(|(subject, entries)| {
            self.heads.get(subject).map(|head| head.length) == u32::try_from(entries.len()).ok()
        });
        ends && self.heads.iter().all(|(subject, head)| head.length == 0 || self.trails.contains_key(subject))
    }
}
