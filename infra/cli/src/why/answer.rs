//! What is known of an object. It holds ids and words of ours: no message's text, no names.

use domain::{
    Case, CaseKey, Money, ObjectId, PersonId, ProposalId, RequestId, Timestamp, approval::Stage,
    classify::Classification, plan::Suppression, policy::step_word,
};
use serde::{Deserialize, Serialize};
use store::{EventOutcome, Freeze, ProposalFile, StepRow, StepState};

/// Everything known about an object.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Answer {
    pub(crate) object: ObjectId,
    /// Whether the agent's steps are stopped.
    pub(crate) steps_stopped: bool,
    /// Whether approvals are stopped, and by whom.
    pub(crate) approvals_stopped: Option<Freeze>,
    /// Whether the table of approvals was looked at.
    pub(crate) approvals_seen: bool,
    /// The event, if that was asked for and it was received.
    pub(crate) event: Option<Received>,
    /// Items that this program cannot have written: what was asked for may be among them.
    pub(crate) unreadable: Vec<String>,
    /// The cases that are about it or name it.
    pub(crate) stories: Vec<Story>,
    /// Proposals about it that no case asked for.
    pub(crate) proposals: Vec<Proposed>,
}

/// An event that was received.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Received {
    pub(crate) kind: String,
    pub(crate) at: Timestamp,
    /// `None` while a run holds it, or after that run died.
    pub(crate) outcome: Option<EventOutcome>,
    /// What its turn brought, if it had one.
    pub(crate) turn: Option<Turned>,
}

/// What the turn of an event brought.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Turned {
    pub(crate) at: Timestamp,
    /// The steps that it planned, by their kinds.
    pub(crate) steps: Vec<String>,
    pub(crate) suppressed: Vec<Suppression>,
    /// When the case was decided anew after it, if it was.
    pub(crate) superseded: Option<Timestamp>,
}

/// A case with its steps, what was decided before, and what people were asked.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Story {
    pub(crate) case: Case,
    pub(crate) steps: Vec<Told>,
    /// Decisions that a later one superseded, the first one first.
    pub(crate) earlier: Vec<Earlier>,
    pub(crate) proposals: Vec<Proposed>,
    /// Requests that became no proposal, with the reason in one word.
    pub(crate) refused: Vec<(RequestId, String)>,
}

/// A step, without its words.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Told {
    pub(crate) step: String,
    pub(crate) key: String,
    pub(crate) kept: Option<String>,
    pub(crate) state: StepState,
    pub(crate) tries: i64,
    pub(crate) at: Timestamp,
}

/// A decision that a later one superseded.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Earlier {
    pub(crate) at: Timestamp,
    pub(crate) found: Classification,
    pub(crate) suppressed: Vec<Suppression>,
}

/// A proposal with its votes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Proposed {
    pub(crate) id: ProposalId,
    pub(crate) operation: String,
    pub(crate) object: ObjectId,
    pub(crate) amount: Option<Money>,
    pub(crate) case: Option<CaseKey>,
    pub(crate) requester: PersonId,
    pub(crate) stage: Stage,
    pub(crate) need: u32,
    pub(crate) expires: Timestamp,
    /// Who voted what, when.
    pub(crate) votes: Vec<(PersonId, String, Timestamp)>,
    /// The proposal that it replaces.
    pub(crate) replaces: Option<ProposalId>,
}

impl Told {
    pub(crate) fn of(row: StepRow) -> Self {
        let (step, key) = (step_word(&row.step), row.step.key.to_string());
        Self { step, key, kept: row.step.kept, state: row.state, tries: row.tries, at: row.since }
    }
}

impl Proposed {
    pub(crate) fn of(file: &ProposalFile) -> Self {
        let (proposal, dossier) = (file.proposal(), &file.row.value.dossier);
        let action = &proposal.action;
        let vote = |vote: &store::Vote| {
            let body = &vote.receipt.body;
            (vote.person.clone(), body.decision.as_str().to_owned(), body.at)
        };
        Self {
            id: action.proposal.clone(),
            operation: action.operation.name().to_owned(),
            object: action.operation.object(),
            amount: action.operation.amount(),
            case: dossier.case.clone(),
            requester: action.requester.clone(),
            stage: proposal.stage.clone(),
            need: action.need.into(),
            expires: action.expires,
            votes: file.votes.iter().map(vote).collect(),
            replaces: dossier.replaces.as_ref().map(|(id, _)| id.clone()),
        }
    }
}

impl Answer {
    /// Whether nothing is known.
    pub(crate) const fn is_empty(&self) -> bool {
        self.event.is_none() && self.stories.is_empty() && self.proposals.is_empty()
    }
}
