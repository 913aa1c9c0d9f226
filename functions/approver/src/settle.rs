//! The schedule: records what ran out, and takes over what a killed run left behind.

use anyhow::Result;
use domain::{ProposalId, approval::Stage};
use runtime::failure;

use crate::{
    execute::{self, Progress},
    notify, propose,
    turn::Turn,
};

/// How many proposals one run looks at; the next run takes the rest.
const AT_ONCE: usize = 25;

/// What a run did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Report {
    pub(crate) looked: usize,
    pub(crate) failed: usize,
}

/// Looks at every proposal that is due. One that fails does not keep the others waiting.
pub(crate) async fn run(turn: Turn<'_>) -> Result<Report> {
    let due = turn.app.approvals.due(turn.now(), AT_ONCE).await?;
    let mut report = Report { looked: due.len(), failed: 0 };
    for id in due {
        if let Err(error) = look_at(turn, &id).await {
            report.failed += 1;
            turn.metrics.count("settlements_failed", 1);
            let failure = failure::chain(error.as_ref());
            tracing::warn!(
                proposal = id.as_str(),
                failure,
                "a proposal could not be settled; the next run tries again"
            );
        }
    }
    turn.metrics.count("settlements", u64::try_from(report.looked).unwrap_or(u64::MAX));
    Ok(report)
}

async fn look_at(turn: Turn<'_>, id: &ProposalId) -> Result<()> {
    match execute::advance(turn, id).await? {
        Progress::RanOut => propose::expire(turn, id).await.map(drop),
        Progress::Waiting { .. } => {
            notify::approvers(turn, id).await?;
            // Nothing to do before it expires, unless somebody votes.
            let Some(file) = turn.app.approvals.proposal(id).await? else { return Ok(()) };
            let expires = file.proposal().action.expires;
            if file.proposal().stage == Stage::Pending && file.row.value.look < expires {
                turn.app.approvals.set_look(&file.row, expires).await?;
            }
            Ok(())
        }
        _ => Ok(()),
    }
}
