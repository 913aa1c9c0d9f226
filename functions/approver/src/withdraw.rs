//! What ends a proposal by hand: taking it back, and saying what became of one whose outcome no machine
//! can tell.

use anyhow::{Error, Result};
use domain::{
    ProposalId,
    approval::{Around, Attempt, Ineligible, Move, Person, Stage},
};
use runtime::failure;
use serde_json::json;
use store::{StoreError, VoteError};

use crate::{
    eligible,
    execute::Progress,
    notify,
    propose::may_withdraw,
    resume::{self, Looked},
    turn::{Turn, entry},
};

/// Why it was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotTaken {
    #[error("there is no such proposal")]
    Unknown,
    #[error("this proposal is {0} already")]
    Closed(&'static str),
    #[error("only who asked for it, or who may sign it, can take it back")]
    NotYours,
    #[error("{0}")]
    Ineligible(#[from] Ineligible),
    #[error("say what you saw")]
    NothingSeen,
    #[error("a run is still at work on it; look again in a moment")]
    Held,
    #[error("what became of it cannot be asked just now; try again in a minute")]
    Unreadable,
    #[error("somebody else was faster; open the proposal again")]
    Raced,
}

/// Takes an open proposal back.
pub(crate) async fn withdraw(
    turn: Turn<'_>,
    id: &ProposalId,
    person: &Person,
) -> Result<Result<(), NotTaken>> {
    let Some(file) = turn.app.approvals.proposal(id).await? else { return Ok(Err(NotTaken::Unknown)) };
    if !may_withdraw(turn, person, &file) {
        return Ok(Err(NotTaken::NotYours));
    }
    let (now, proposal) = (turn.now(), file.proposal());
    let Ok(stage) = proposal.after(Move::Withdraw { by: person.id.clone(), at: now }) else {
        return Ok(Err(NotTaken::Closed(proposal.stage.name())));
    };
    let entry = entry(proposal, "withdrawn", now, &json!({ "person": person.id }));
    match turn.app.approvals.transition(&file.row, stage, &entry, now).await {
        Ok(row) => {
            turn.decided(&row.value, "withdrawn");
            notify::outcome(turn, &row.value).await;
            Ok(Ok(()))
        }
        Err(error) if error.is_conflict() => Ok(Err(NotTaken::Raced)),
        Err(error) => Err(error.into()),
    }
}

/// What somebody says they saw in Stripe, or wherever it was to be done.
#[derive(Debug, Clone)]
pub(crate) struct Seen<'a> {
    pub(crate) person: &'a Person,
    /// Whether it was done.
    pub(crate) done: bool,
    /// In their words, with the id that they found.
    pub(crate) saw: &'a str,
}

/// Ends an execution whose outcome is not known by what a person saw. The system is asked once more first:
/// what it says beats what anybody saw. Nothing is ever sent again by this.
pub(crate) async fn resolve(
    turn: Turn<'_>,
    id: &ProposalId,
    seen: &Seen<'_>,
) -> Result<Result<Progress, NotTaken>> {
    let Some(file) = turn.app.approvals.proposal(id).await? else { return Ok(Err(NotTaken::Unknown)) };
    let (now, proposal) = (turn.now(), file.proposal());
    let Stage::Executing(Attempt { unknown: Some(_), lease, .. }) = &proposal.stage else {
        return Ok(Err(NotTaken::Closed(proposal.stage.name())));
    };
    if *lease > now {
        return Ok(Err(NotTaken::Held));
    }
    // Whose word ends it must be somebody who could have signed it.
    let row = &file.row.value;
    let customer = match eligible::customer_address(turn, row).await {
        Ok(customer) => customer,
        Err(error) => return Ok(Err(unreadable(id, &error))),
    };
    let around = Around { stake: eligible::stake(row), customer: customer.as_ref() };
    if let Err(why) = eligible::check(turn.app, seen.person, &proposal.action, &around) {
        return Ok(Err(why.into()));
    }
    if seen.saw.trim().is_empty() {
        return Ok(Err(NotTaken::NothingSeen));
    }
    match resume::find(turn, proposal).await {
        Ok(Looked::Found(effect)) => return Ok(Ok(resume::confirm(turn, &file.row, &effect).await?)),
        Ok(Looked::Nothing | Looked::CannotTell) => {}
        Err(error) => return Ok(Err(unreadable(id, &error))),
    }
    let effect = format!("{} ({} saw it)", seen.saw.trim(), seen.person.id);
    let next = Move::Resolve { done: seen.done, saw: effect, at: now };
    let Ok(stage) = proposal.after(next) else { return Ok(Err(NotTaken::Raced)) };
    let body = json!({
        "person": seen.person.id,
        "done": seen.done,
        "saw": seen.saw.trim(),
        "digest": proposal.digest,
    });
    let entry = entry(proposal, "resolved", now, &body);
    match turn.app.approvals.transition(&file.row, stage, &entry, now).await {
        Ok(row) => {
            turn.decided(&row.value, "resolved");
            notify::outcome(turn, &row.value).await;
            Ok(Ok(Progress::At(row.value.proposal.stage)))
        }
        Err(VoteError::Store(StoreError::Conflict { .. })) => Ok(Err(NotTaken::Raced)),
        Err(error) => Err(error.into()),
    }
}

fn unreadable(id: &ProposalId, error: &Error) -> NotTaken {
    let (proposal, failure) = (id.as_str(), failure::chain(error.as_ref()));
    tracing::warn!(proposal, failure, "an unknown outcome could not be looked up");
    NotTaken::Unreadable
}
