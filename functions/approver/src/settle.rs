//! The schedule: records what ran out, and takes over what a killed run left behind.

use anyhow::Result;
use domain::{ProposalId, approval::Stage};
use runtime::failure;

use crate::{
    execute::{self, Progress},
    mandate, notify, propose,
    turn::Turn,
};

/// How many proposals one run looks at; the next run takes the rest.
const AT_ONCE: usize = 25;

/// How soon it is asked again whether a day's budget has room, in seconds.
const BUDGET_LOOK: i64 = 900;

/// What a run did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Report {
    pub(crate) looked: usize,
    pub(crate) failed: usize,
}

/// Looks at every proposal that is due: first at money, then at messages, since those can take long
/// and wait well. One that fails does not keep the others waiting.
pub(crate) async fn run(turn: Turn<'_>) -> Result<Report> {
    let due = turn.app.approvals.due(turn.now(), AT_ONCE).await?;
    let mut report = Report { looked: due.len(), failed: 0 };
    let mut failed = |id: &ProposalId, error: &anyhow::Error| {
        report.failed += 1;
        turn.metrics.count("settlements_failed", 1);
        let (proposal, failure) = (id.as_str(), failure::chain(error.as_ref()));
        tracing::warn!(proposal, failure, "a proposal could not be settled; the next run tries again");
    };
    let mut waiting = Vec::new();
    for id in due {
        match advance(turn, &id).await {
            Ok(Some(votes)) => waiting.push((id, votes)),
            Ok(None) => {}
            Err(error) => failed(&id, &error),
        }
    }
    for (id, votes) in waiting {
        if let Err(error) = remind(turn, &id, votes).await {
            failed(&id, &error);
        }
    }
    if let Err(error) = mandate::sweep(turn).await {
        let failure = failure::chain(error.as_ref());
        tracing::warn!(failure, "mandates could not be looked at; the next run tries again");
    }
    turn.metrics.count("settlements", u64::try_from(report.looked).unwrap_or(u64::MAX));
    Ok(report)
}

/// Settles or expires a proposal; how many votes it had if it still waits for some.
async fn advance(turn: Turn<'_>, id: &ProposalId) -> Result<Option<usize>> {
    let votes = turn.app.approvals.proposal(id).await?.map_or(0, |file| file.votes.len());
    match execute::advance(turn, id).await? {
        Progress::RanOut => propose::expire(turn, id).await.map(|_| None),
        Progress::Waiting { .. } => Ok(Some(votes)),
        Progress::OverBudget => put_off(turn, id).await.map(|()| None),
        _ => Ok(None),
    }
}

/// Looks again later, and at the latest when it expires.
async fn put_off(turn: Turn<'_>, id: &ProposalId) -> Result<()> {
    let Some(file) = turn.app.approvals.proposal(id).await? else { return Ok(()) };
    let look = turn.now().plus(BUDGET_LOOK).min(file.proposal().action.expires);
    match turn.app.approvals.set_look(&file.row, look).await {
        Err(error) if error.is_conflict() => Ok(()),
        outcome => outcome.map(drop).map_err(Into::into),
    }
}

/// Tells those who were not told, and puts the next look off until it expires: there is nothing to do
/// before, unless somebody votes.
async fn remind(turn: Turn<'_>, id: &ProposalId, votes: usize) -> Result<()> {
    notify::approvers(turn, id).await?;
    let Some(file) = turn.app.approvals.proposal(id).await? else { return Ok(()) };
    let expires = file.proposal().action.expires;
    // A vote that came meanwhile may have completed the quorum: it must be looked at soon.
    let same = file.votes.len() == votes && file.proposal().stage == Stage::Pending;
    if same && file.row.value.look < expires {
        turn.app.approvals.set_look(&file.row, expires).await?;
    }
    Ok(())
}
