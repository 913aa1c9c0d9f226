//! A proposal as it is kept, with everything that belongs to it.

use aws_sdk_dynamodb::types::AttributeValue;
use domain::{
    CaseKey, MandateId, Money, PersonId, ProposalId, RequestId, Timestamp,
    approval::{CustomerFacts, Facts, Proposal, Receipt, Stage},
    trail,
};
use serde::{Deserialize, Serialize};

use super::Approvals;
use crate::{
    StoreError, Versioned,
    item::{Item, at, key, nested, number, read, s, text, unreadable},
};

/// A proposal's row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProposalRow {
    /// The action, its digest, where it stands and the end of its trail.
    pub proposal: Proposal,
    /// What belongs to it and is not signed.
    pub dossier: Dossier,
    /// When the schedule looks at it. While it is pending: its expiry, or earlier if votes are there
    /// that nobody may have acted on. While it is executed: later and later, since the lease is over as soon
    /// as its run is.
    pub look: Timestamp,
    /// Whether everybody who may sign was told.
    pub notified: bool,
    /// What its execution took of a day's budget, until it definitely failed.
    #[serde(default)]
    pub reserved: Option<Reserved>,
    /// The mandate under which its execution began. It proves nothing: whoever sends recounts.
    #[serde(default)]
    pub mandate: Option<MandateId>,
}

/// A part of a day's budget.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reserved {
    /// The day in UTC: `2026-11-24`.
    pub day: String,
    /// How much.
    pub amount: Money,
}

/// Where a proposal comes from, for people to read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dossier {
    /// The request that it answers.
    pub request: RequestId,
    /// How often it was reissued.
    pub generation: u32,
    /// The case that asked, if a case did.
    pub case: Option<CaseKey>,
    /// Why it was proposed, in words.
    pub why: String,
    /// What it rests on, as Stripe said when this was proposed.
    pub facts: Facts,
    /// The customer to whom it happens, as they were then.
    pub customer: Option<CustomerFacts>,
    /// The proposal that this one replaces, and what moved meanwhile.
    pub replaces: Option<(ProposalId, String)>,
}

impl ProposalRow {
    /// A new row, open for votes.
    pub fn new(proposal: Proposal, dossier: Dossier) -> Self {
        let look = proposal.action.expires;
        Self { proposal, dossier, look, notified: false, reserved: None, mandate: None }
    }

    /// The proposal's id.
    pub const fn id(&self) -> &ProposalId {
        &self.proposal.action.proposal
    }

    /// The partition of the index and the time in it.
    fn due(&self) -> (&'static str, Timestamp) {
        match &self.proposal.stage {
            Stage::Pending => (PROPOSAL, self.look),
            Stage::Executing(attempt) => (PROPOSAL, attempt.lease.max(self.look)),
            Stage::Executed { at, .. }
            | Stage::Failed { at, .. }
            | Stage::Denied { at, .. }
            | Stage::Withdrawn { at, .. }
            | Stage::Expired { at }
            | Stage::Stale { at, .. }
            | Stage::Tampered { at, .. } => (DECIDED, *at),
        }
    }

    /// The item, with what conditions ask for beside the value itself.
    pub(super) fn item(&self, version: i64) -> Result<Item, StoreError> {
        let action = &self.proposal.action;
        let (kind, due) = self.due();
        let more: [(&str, AttributeValue); 8] = [
            ("proposal", nested(self)?),
            ("version", crate::item::n(version)),
            ("stage_name", s(self.proposal.stage.name())),
            ("action_digest", s(self.proposal.digest.to_string())),
            ("votes_until", at(action.expires)),
            ("requester", s(action.requester.as_str())),
            ("due_kind", s(kind)),
            ("due_at", at(due)),
        ];
        let mut item = proposal_key(self.id());
        item.extend(more.map(|(name, value)| (name.to_owned(), value)));
        Ok(item)
    }
}

pub(super) const PROPOSAL: &str = "proposal";
pub(super) const DECIDED: &str = "decided";

/// One vote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Vote {
    /// Whose it is, by the row that keeps it. Not trusted: the receipt says who signed.
    pub person: PersonId,
    /// The signed record.
    pub receipt: Receipt,
}

/// Everything that is kept of one proposal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProposalFile {
    /// The proposal.
    pub row: Versioned<ProposalRow>,
    /// The votes, by person.
    pub votes: Vec<Vote>,
    /// The trail from its start.
    pub trail: Vec<trail::Entry>,
}

impl ProposalFile {
    /// The proposal itself.
    pub const fn proposal(&self) -> &Proposal {
        &self.row.value.proposal
    }

    /// The receipts of all votes.
    pub fn receipts(&self) -> Vec<Receipt> {
        self.votes.iter().map(|vote| vote.receipt.clone()).collect()
    }
}

impl Approvals {
    /// A proposal with its votes and its trail, in one read.
    ///
    /// # Errors
    /// If the table does not answer or a row is not readable.
    pub async fn proposal(&self, id: &ProposalId) -> Result<Option<ProposalFile>, StoreError> {
        let mut pages = self
            .client
            .query()
            .table_name(&self.table)
            .consistent_read(true)
            .key_condition_expression("pk = :pk")
            .expression_attribute_values(":pk", s(partition(id)))
            .into_paginator()
            .items()
            .send();
        let (mut row, mut votes, mut trail) = (None, Vec::new(), Vec::new());
        while let Some(item) = pages.next().await {
            let item = item.map_err(|error| StoreError::table("the read of a proposal", &error))?;
            match text(&item, "sk") {
                Some("PROPOSAL") => row = Some(proposal_row(&item)?),
                Some(sk) if sk.starts_with("TRAIL#") => trail.push(read(&item, "entry")?),
                Some(sk) => {
                    let person = sk.strip_prefix("VOTE#").and_then(|person| PersonId::parse(person).ok());
                    let person = person.ok_or_else(|| unreadable(&item, "it is no vote".into()))?;
                    votes.push(Vote { person, receipt: read(&item, "receipt")? });
                }
                None => return Err(unreadable(&item, "it has no sort key".into())),
            }
        }
        match row {
            None => Ok(None),
            // A row that speaks of another proposal would be written back there.
            Some(row) if row.value.id() != id => {
                Err(StoreError::Unreadable { key: partition(id), why: "it holds another proposal".into() })
            }
            Some(row) => Ok(Some(ProposalFile { row, votes, trail })),
        }
    }
}

pub(crate) fn proposal_row(item: &Item) -> Result<Versioned<ProposalRow>, StoreError> {
    let version = number(item, "version").ok_or_else(|| unreadable(item, "`version` is missing".into()))?;
    Ok(Versioned { value: read(item, "proposal")?, version })
}

pub(super) fn partition(id: &ProposalId) -> String {
    format!("PROPOSAL#{id}")
}

pub(super) fn proposal_key(id: &ProposalId) -> Item {
    key(&partition(id), "PROPOSAL")
}

pub(super) fn vote_item(id: &ProposalId, vote: &Vote) -> Result<Item, StoreError> {
    let mut item = key(&partition(id), &format!("VOTE#{}", vote.person));
    item.insert("receipt".into(), nested(&vote.receipt)?);
    Ok(item)
}
