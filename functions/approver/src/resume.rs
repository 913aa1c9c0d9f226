//! Taking over an execution whose run is gone, or whose outcome is not known: look first.

use anyhow::Result;
use domain::{
    ProposalId,
    approval::{Action, Attempt, Move, Stage},
    snapshot::{Read, Refund},
};
use runtime::failure;
use serde_json::json;
use store::{ProposalFile, ProposalRow, Versioned, VoteError};

use crate::{
    execute::{self, MISMATCH, NotGranted, Progress, busy, lose_sight, patience, recount, step},
    turn::{Turn, entry, new_run},
};

/// Stripe may forget an idempotency key after 24 hours
/// (<https://docs.stripe.com/api/idempotent_requests>); an hour earlier nothing is sent any more.
const KEY_LIVES: i64 = 23 * 3600;

/// Takes an execution whose lease ran out: confirms what Stripe has; sends again with the same key if
/// Stripe has nothing of it, the key still lives and nothing else changed; and leaves the rest to
/// people.
pub(crate) async fn take_over(turn: Turn<'_>, file: &ProposalFile) -> Result<Progress> {
    let proposal = file.proposal();
    let Stage::Executing(before) = &proposal.stage else { return Ok(Progress::Busy) };
    let (now, run) = (turn.now(), new_run()?);
    let lease = patience(before.tries, now);
    let stage = match proposal.after(Move::Reclaim { run: run.clone(), at: now, lease }) {
        Ok(stage) => stage,
        Err(illegal) => return Ok(busy(illegal)),
    };
    let entry =
        entry(proposal, "reclaimed", now, &json!({ "run": run, "tries": before.tries.saturating_add(1) }));
    let row = match turn.app.approvals.transition(&file.row, stage, &entry, now).await {
        Ok(row) => row,
        Err(VoteError::Frozen) => return Ok(Progress::Frozen),
        Err(error) if error.is_conflict() => return Ok(Progress::Busy),
        Err(error) => return Err(error.into()),
    };
    turn.metrics.count("executions_taken_over", 1);
    turn.checkpoint("reclaimed")?;
    match find(turn, &row.value.proposal.action).await {
        Ok(Some(refund)) => confirm(turn, &row, &refund).await,
        Ok(None) => again(turn, file, &row, before).await,
        Err(error) => {
            tracing::warn!(
                proposal = row.value.id().as_str(),
                failure = failure::chain(&error),
                "an unknown outcome could not be looked up"
            );
            // A mismatch outlives a failed look: nothing is ever sent after it.
            let why = before.unknown.as_deref().filter(|why| *why == MISMATCH);
            lose_sight(turn, &row, why.unwrap_or("Stripe could not be asked"), error.request_id()).await
        }
    }
}

/// Looks once for what an unknown outcome left behind; `None` if nothing is there, or nothing can be
/// said.
pub(crate) async fn look(turn: Turn<'_>, id: &ProposalId) -> Result<Option<Progress>> {
    let Some(file) = turn.app.approvals.proposal(id).await? else { return Ok(None) };
    match find(turn, &file.proposal().action).await {
        Ok(Some(refund)) if matches!(file.proposal().stage, Stage::Executing(_)) => {
            confirm(turn, &file.row, &refund).await.map(Some)
        }
        Ok(_) => Ok(None),
        Err(error) => {
            let (proposal, failure) = (id.as_str(), failure::chain(&error));
            tracing::warn!(proposal, failure, "an unknown outcome could not be looked up");
            Ok(None)
        }
    }
}

/// The refund that carries this proposal's id, if Stripe has one.
async fn find(turn: Turn<'_>, action: &Action) -> Result<Option<Refund>, stripe::Error> {
    let charge = domain::ChargeId::from(action.operation.object());
    let client = turn.stripe_of(&action.account);
    match client.refund_of(&action.proposal, &charge).await?.value {
        Read::Found(refund) => Ok(Some(refund)),
        Read::Gone => Ok(None),
    }
}

/// Records what was found, if it is what was signed.
async fn confirm(turn: Turn<'_>, row: &Versioned<ProposalRow>, refund: &Refund) -> Result<Progress> {
    let proposal = &row.value.proposal;
    let signed = proposal.digest.to_string();
    let amount = proposal.action.operation.amount();
    if refund.approval_digest.as_deref() != Some(&signed) || Some(refund.amount) != amount {
        turn.alarm(proposal, "a refund with this proposal's id is not the one that was signed");
        return lose_sight(turn, row, "a refund with this id is not the one that was signed", None).await;
    }
    let body = json!({
        "effect": refund.id,
        "status": refund.status,
        "found": true,
        "digest": proposal.digest,
    });
    let next = Move::Confirm { effect: refund.id.to_string(), request: None, at: turn.now() };
    step(turn, row, next, "executed", &body).await
}

/// Stripe has nothing of it: sends again with the same key, if everything else is as it was.
async fn again(
    turn: Turn<'_>,
    file: &ProposalFile,
    row: &Versioned<ProposalRow>,
    before: &Attempt,
) -> Result<Progress> {
    if before.unknown.as_deref() == Some(MISMATCH) {
        return lose_sight(turn, row, MISMATCH, None).await;
    }
    if turn.now().since(before.first) >= KEY_LIVES {
        return lose_sight(turn, row, "it is too late to try again; somebody has to look in Stripe", None)
            .await;
    }
    if turn.app.approvals.frozen().await?.is_some() {
        return lose_sight(turn, row, "everything is stopped", None).await;
    }
    let grant = match recount(turn, file).await? {
        Ok(grant) => grant,
        Err(NotGranted::NoRule) => {
            return lose_sight(turn, row, "the policy does not allow it any more", None).await;
        }
        Err(NotGranted::No(why)) => {
            if why.is_tampering() {
                turn.alarm(&row.value.proposal, &why.to_string());
            }
            return lose_sight(turn, row, &why.to_string(), None).await;
        }
    };
    let action = &row.value.proposal.action;
    let unchanged =
        execute::reread(turn, action).await?.is_some_and(|charge| charge.digest() == action.snapshot);
    if !unchanged {
        return lose_sight(turn, row, "the charge changed; somebody has to look in Stripe", None).await;
    }
    execute::send(turn, row, &grant).await
}
