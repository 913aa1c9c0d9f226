//! The chains of both tables: what grew since a checkpoint, and everything about one case or proposal
//! for an auditor.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::Client;
use domain::{
    CaseKey, MandateId, PersonId, ProposalId, Timestamp,
    approval::{Action, OperationKind, Passkeys},
    trail::{self, Checkpoint, Head},
};

use crate::{
    Approvals, Cases, StoreError,
    cases::TRAIL,
    item::{at, read, s},
    schema::DUE_INDEX,
};

/// The trail of one case and of what was proposed for it, with what vouches for it: the trails of the passkeys
/// that were used, and where something was done under a mandate, the mandate and the proposal that granted it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Excerpt {
    /// The chains, each in order, by subject.
    pub trails: BTreeMap<String, Vec<trail::Entry>>,
    /// Where each subject says that its chain ends.
    pub heads: BTreeMap<String, Head>,
    /// What was proposed, with every parameter that was signed.
    pub actions: Vec<Action>,
    /// All checkpoints from the one before the first entry on.
    pub checkpoints: Vec<Checkpoint>,
}

/// A chain that is written while it is read looks as if it were cut; it is read again this often.
const LOOKS: usize = 5;

impl Cases {
    /// Where the chains end that grew in this time, both ends included, by subject.
    ///
    /// # Errors
    /// If the table does not answer or an entry is not readable.
    pub async fn grown(
        &self,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<BTreeMap<String, Head>, StoreError> {
        grown(&self.client, &self.table, from, until).await
    }

    /// The entries of this time, its end not included, of all chains, as they came.
    ///
    /// # Errors
    /// If the table does not answer or an entry is not readable.
    pub async fn entries(&self, from: Timestamp, until: Timestamp) -> Result<Vec<trail::Entry>, StoreError> {
        entries(&self.client, &self.table, from, until.plus(-1)).await
    }
}

impl Approvals {
    /// The entries of this time, its end not included, of all chains, as they came.
    ///
    /// # Errors
    /// If the table does not answer or an entry is not readable.
    pub async fn entries(&self, from: Timestamp, until: Timestamp) -> Result<Vec<trail::Entry>, StoreError> {
        entries(&self.client, &self.table, from, until.plus(-1)).await
    }

    /// Where the chains end that grew in this time, both ends included, by subject.
    ///
    /// # Errors
    /// If the table does not answer or an entry is not readable.
    pub async fn grown(
        &self,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<BTreeMap<String, Head>, StoreError> {
        grown(&self.client, &self.table, from, until).await
    }
}

async fn grown(
    client: &Client,
    table: &str,
    from: Timestamp,
    until: Timestamp,
) -> Result<BTreeMap<String, Head>, StoreError> {
    let mut heads: BTreeMap<String, Head> = BTreeMap::new();
    for entry in entries(client, table, from, until).await? {
        let head = entry.head();
        let known = heads.entry(entry.subject).or_insert(head);
        if known.length < head.length {
            *known = head;
        }
    }
    Ok(heads)
}

async fn entries(
    client: &Client,
    table: &str,
    from: Timestamp,
    until: Timestamp,
) -> Result<Vec<trail::Entry>, StoreError> {
    if until < from {
        return Ok(Vec::new());
    }
    let mut pages = client
        .query()
        .table_name(table)
        .index_name(DUE_INDEX)
        .key_condition_expression("due_kind = :kind AND due_at BETWEEN :from AND :until")
        .expression_attribute_values(":kind", s(TRAIL))
        .expression_attribute_values(":from", at(from))
        .expression_attribute_values(":until", at(until))
        .into_paginator()
        .items()
        .send();
    let mut entries = Vec::new();
    while let Some(item) = pages.next().await {
        let item = item.map_err(|error| StoreError::table("the read of new entries", &error))?;
        entries.push(read(&item, "entry")?);
    }
    Ok(entries)
}

/// The excerpt about a case (`charge:ch_…`) or a proposal (`ap_…`), which brings its case; `None` if
/// there is no such thing. Never part of a function: it looks through all proposals.
///
/// # Errors
/// If a table does not answer or a row is not readable.
pub async fn excerpt(cases: &Cases, approvals: &Approvals, id: &str) -> Result<Option<Excerpt>, StoreError> {
    let rows = approvals.proposals().await?;
    let named = rows.iter().find(|row| row.id().as_str() == id);
    let case = named.map_or_else(|| id.parse::<CaseKey>().ok(), |row| row.dossier.case.clone());
    let belongs = |row: &&crate::ProposalRow| match (&case, named) {
        (Some(case), _) => row.dossier.case.as_ref() == Some(case),
        // What replaced it, or was replaced by it, answers the same request.
        (None, Some(named)) => row.dossier.request == named.dossier.request,
        (None, None) => false,
    };
    let mut all = Excerpt::default();
    if let Some(case) = &case {
        all.add_case(cases, case).await?;
    }
    for row in rows.iter().filter(belongs) {
        all.add_proposal(approvals, row.id()).await?;
        let grants = row.proposal.action.operation.kind() == OperationKind::GrantMandate;
        let granted = grants.then(|| MandateId::of(row.id()));
        for mandate in row.mandate.iter().chain(&granted) {
            all.add_mandate(approvals, mandate).await?;
        }
    }
    let Some(first) = all.trails.values().flatten().map(|entry| entry.at).min() else { return Ok(None) };
    all.checkpoints = approvals.checkpoints_from(first).await?;
    Ok(Some(all))
}

impl Excerpt {
    async fn add_case(&mut self, cases: &Cases, key: &CaseKey) -> Result<(), StoreError> {
        for look in 1..=LOOKS {
            let Some(case) = cases.case(key).await? else { break };
            let entries = cases.trail(key).await?;
            if settled(&entries, case.trail) || look == LOOKS {
                self.add(key.to_string(), entries, case.trail);
                break;
            }
        }
        Ok(())
    }

    async fn add_mandate(&mut self, approvals: &Approvals, id: &MandateId) -> Result<(), StoreError> {
        for look in 1..=LOOKS {
            let Some(mandate) = approvals.mandate(id).await? else { break };
            let entries = approvals.mandate_trail(id).await?;
            let head = mandate.value.trail;
            if settled(&entries, head) || look == LOOKS {
                self.add(id.to_string(), entries, head);
                self.add_proposal(approvals, &mandate.value.proposal).await?;
                break;
            }
        }
        Ok(())
    }

    async fn add_proposal(&mut self, approvals: &Approvals, id: &ProposalId) -> Result<(), StoreError> {
        if self.heads.contains_key(id.as_str()) {
            return Ok(());
        }
        for look in 1..=LOOKS {
            let Some(file) = approvals.proposal(id).await? else { break };
            let head = file.proposal().trail;
            if settled(&file.trail, head) || look == LOOKS {
                self.actions.push(file.proposal().action.clone());
                let signed = file.votes.iter().filter(|vote| vote.receipt.assertion.is_some());
                for vote in signed {
                    self.add_passkeys(approvals, &vote.person).await?;
                }
                self.add(id.to_string(), file.trail, head);
                break;
            }
        }
        Ok(())
    }

    async fn add_passkeys(&mut self, approvals: &Approvals, person: &PersonId) -> Result<(), StoreError> {
        let subject = Passkeys::subject(person);
        for look in 1..=LOOKS {
            let head = approvals.passkeys(person).await?.value.trail;
            let entries = approvals.passkeys_trail(person).await?;
            if settled(&entries, head) || look == LOOKS {
                self.add(subject, entries, head);
                break;
            }
        }
        Ok(())
    }

    fn add(&mut self, subject: String, entries: Vec<trail::Entry>, head: Head) {
        self.trails.insert(subject.clone(), entries);
        self.heads.insert(subject, head);
    }
}

fn settled(entries: &[trail::Entry], head: Head) -> bool {
    u32::try_from(entries.len()) == Ok(head.length)
}
