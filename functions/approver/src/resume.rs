//! Taking over an execution whose run is gone, or whose outcome is not known: look first.

use anyhow::Result;
use domain::{
    Money, ProposalId,
    approval::{Attempt, Move, OperationKind, Proposal, Stage, idempotency_key},
    snapshot::Read,
};
use runtime::failure;
use serde_json::json;
use store::{ProposalFile, ProposalRow, Versioned, VoteError};
use stripe::client::EventQuery;

use crate::{
    app::LEASE,
    execute::{self, MISMATCH, NotGranted, PEOPLE_LOOK, Progress, busy, lose_sight, patience, recount, step},
    read,
    turn::{Turn, entry, new_run},
};

/// Stripe may forget an idempotency key after 24 hours
/// (<https://docs.stripe.com/api/idempotent_requests>); an hour earlier nothing is sent any more.
const KEY_LIVES: i64 = 23 * 3600;

/// How far Stripe's clock may be behind ours, in seconds.
const SKEW: i64 = 300;

/// Takes an execution whose lease ran out: confirms what Stripe has; sends again with the same key if
/// Stripe has nothing of it, the key still lives and nothing else changed; and leaves the rest to
/// people.
pub(crate) async fn take_over(turn: Turn<'_>, file: &ProposalFile) -> Result<Progress> {
    let proposal = file.proposal();
    let Stage::Executing(before) = &proposal.stage else { return Ok(Progress::Busy) };
    let (now, run) = (turn.now(), new_run()?);
    let lease = now.plus(LEASE);
    let stage = match proposal.after(Move::Reclaim { run: run.clone(), at: now, lease }) {
        Ok(stage) => stage,
        Err(illegal) => return Ok(busy(illegal)),
    };
    let entry =
        entry(proposal, "reclaimed", now, &json!({ "run": run, "tries": before.tries.saturating_add(1) }));
    let mut held = file.row.clone();
    held.value.look = patience(before.tries, now);
    let row = match turn.app.approvals.transition(&held, stage, &entry, now).await {
        Ok(row) => row,
        Err(VoteError::Frozen) => return Ok(Progress::Frozen),
        Err(error) if error.is_conflict() => return Ok(Progress::Busy),
        Err(error) => return Err(error.into()),
    };
    turn.metrics.count("executions_taken_over", 1);
    turn.checkpoint("reclaimed")?;
    match find(turn, &row.value.proposal).await {
        Ok(Looked::Found(effect)) => confirm(turn, &row, &effect).await,
        Ok(Looked::Nothing) => again(turn, file, &row, before).await,
        // A vendor without idempotency is never asked twice (I2).
        Ok(Looked::CannotTell) => lose_sight(turn, &row, &nobody_can_tell(before), None).await,
        Err(error) => {
            tracing::warn!(
                proposal = row.value.id().as_str(),
                failure = failure::chain(error.as_ref()),
                "an unknown outcome could not be looked up"
            );
            // A mismatch outlives a failed look: nothing is ever sent after it.
            let why = before.unknown.as_deref().filter(|why| *why == MISMATCH);
            let unasked = format!("{} could not be asked", proposal.action.operation.kind().system());
            lose_sight(turn, &row, why.unwrap_or(&unasked), None).await
        }
    }
}

/// Why people have to look: what is known of the first attempt is kept.
fn nobody_can_tell(before: &Attempt) -> String {
    match &before.unknown {
        Some(why) => why.clone(),
        None => format!(
            "the run that was to do it is gone, and nobody can be asked whether it did; {PEOPLE_LOOK}"
        ),
    }
}

/// Looks once for what an unknown outcome left behind; `None` if nothing is there, or nothing can be
/// said.
pub(crate) async fn look(turn: Turn<'_>, id: &ProposalId) -> Result<Option<Progress>> {
    let Some(file) = turn.app.approvals.proposal(id).await? else { return Ok(None) };
    match find(turn, file.proposal()).await {
        Ok(Looked::Found(effect)) if matches!(file.proposal().stage, Stage::Executing(_)) => {
            confirm(turn, &file.row, &effect).await.map(Some)
        }
        Ok(_) => Ok(None),
        Err(error) => {
            let (proposal, failure) = (id.as_str(), failure::chain(error.as_ref()));
            tracing::warn!(proposal, failure, "an unknown outcome could not be looked up");
            Ok(None)
        }
    }
}

/// What a look found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Looked {
    /// Something that this proposal did.
    Found(Effect),
    /// All that there is was read, and nothing is of this proposal.
    Nothing,
    /// There is no way to look.
    CannotTell,
}

/// What a proposal did, as the system tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Effect {
    /// The object that was made, or the event that tells of the change.
    id: String,
    /// The digest that it carries; of a change, that its idempotency key stands for.
    digest: Option<String>,
    /// The amount that it carries, where it has one.
    amount: Option<Money>,
}

/// Looks for what this proposal did: an object with its id in the metadata, or, where nothing is made,
/// an event that its idempotency key caused.
///
/// # Errors
/// If Stripe cannot be asked, or a list was not read to its end: then it proves nothing.
pub(crate) async fn find(turn: Turn<'_>, proposal: &Proposal) -> Result<Looked> {
    let action = &proposal.action;
    let client = turn.stripe_of(&action.account);
    let object = action.operation.object();
    let ours = |id: &Option<String>| id.as_deref() == Some(action.proposal.as_str());
    match action.operation.kind() {
        OperationKind::Refund => match client.refund_of(&action.proposal, &object.into()).await?.value {
            Read::Found(refund) => Ok(Looked::Found(Effect {
                id: refund.id.to_string(),
                digest: refund.approval_digest,
                amount: Some(refund.amount),
            })),
            Read::Gone => Ok(Looked::Nothing),
        },
        OperationKind::CreditNote => {
            let listed = client.credit_notes(&object.into()).await?.value;
            let complete = listed.complete && listed.skipped == 0;
            let note = listed.items.into_iter().find(|note| ours(&note.approval_id));
            found(complete, note, |note| Effect {
                id: note.id.to_string(),
                digest: note.approval_digest,
                amount: Some(note.amount),
            })
        }
        OperationKind::BalanceCredit => {
            let listed = client.customer_credits(&object.into()).await?.value;
            let complete = listed.complete && listed.skipped == 0;
            let entry = listed.items.into_iter().find(|entry| ours(&entry.approval_id));
            found(complete, entry, |entry| Effect {
                id: entry.id.to_string(),
                digest: entry.approval_digest,
                // Negative in the customer's favour there.
                amount: Some(Money::new(entry.amount.amount.saturating_neg(), entry.amount.currency)),
            })
        }
        OperationKind::SendMessage => Ok(Looked::CannotTell),
        OperationKind::ChangeAccess => Ok(match turn.app.effects.look(proposal, turn.now()).await? {
            // The execution's id stands for the digest.
            Some(id) => Looked::Found(Effect { id, digest: Some(proposal.digest.to_string()), amount: None }),
            None => Looked::Nothing,
        }),
        // The mandate and the settlement are one write.
        OperationKind::GrantMandate => Ok(Looked::Nothing),
        kind => event(turn, proposal, kind).await,
    }
}

/// The event that a call without an object of its own caused.
async fn event(turn: Turn<'_>, proposal: &Proposal, kind: OperationKind) -> Result<Looked> {
    let told_by = match kind {
        OperationKind::SubmitEvidence => "charge.dispute.updated",
        OperationKind::AcceptDispute => "charge.dispute.closed",
        OperationKind::CancelSubscription => "customer.subscription.deleted",
        OperationKind::CancelAtPeriodEnd
        | OperationKind::PauseCollection
        | OperationKind::ResumeCollection => "customer.subscription.updated",
        OperationKind::VoidInvoice => "invoice.voided",
        OperationKind::MarkUncollectible => "invoice.marked_uncollectible",
        OperationKind::PayInvoice => "invoice.paid",
        OperationKind::Refund
        | OperationKind::CreditNote
        | OperationKind::BalanceCredit
        | OperationKind::SendMessage
        | OperationKind::ChangeAccess
        | OperationKind::GrantMandate => return Ok(Looked::CannotTell),
    };
    let from = match &proposal.stage {
        Stage::Executing(attempt) => attempt.first,
        _ => proposal.action.created,
    };
    let query =
        EventQuery { types: vec![told_by.to_owned()], from: Some(from.plus(-SKEW)), ..EventQuery::default() };
    let client = turn.stripe_of(&proposal.action.account);
    let listed = client.events(&query, turn.now(), "approver").await?.value;
    let key = idempotency_key(&proposal.action.proposal, proposal.digest, 0);
    let complete = listed.complete && listed.skipped == 0;
    let caused = listed.items.into_iter().find(|event| event.idempotency_key.as_deref() == Some(&key));
    found(complete, caused, |event| Effect {
        id: event.envelope.id.to_string(),
        digest: Some(proposal.digest.to_string()),
        amount: None,
    })
}

/// "Nothing" is only said of a complete list.
fn found<T>(complete: bool, ours: Option<T>, effect: impl FnOnce(T) -> Effect) -> Result<Looked> {
    match ours {
        Some(ours) => Ok(Looked::Found(effect(ours))),
        None if complete => Ok(Looked::Nothing),
        None => Err(anyhow::anyhow!("Stripe's list was too long to read to its end")),
    }
}

/// Records what was found, if it is what was signed.
pub(crate) async fn confirm(
    turn: Turn<'_>,
    row: &Versioned<ProposalRow>,
    effect: &Effect,
) -> Result<Progress> {
    let proposal = &row.value.proposal;
    let signed = proposal.digest.to_string();
    let same_amount = effect.amount.is_none() || effect.amount == proposal.action.operation.amount();
    if effect.digest.as_deref() != Some(&signed) || !same_amount {
        turn.alarm(proposal, "what carries this proposal's id is not what was signed");
        return lose_sight(turn, row, "what carries this proposal's id is not what was signed", None).await;
    }
    let body = json!({ "effect": effect.id, "found": true, "digest": proposal.digest });
    let next = Move::Confirm { effect: effect.id.clone(), request: None, at: turn.now() };
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
        return lose_sight(turn, row, "it is too late to try again; somebody has to look", None).await;
    }
    if turn.app.approvals.frozen().await?.is_some() {
        return lose_sight(turn, row, "everything is stopped", None).await;
    }
    let grant = match recount(turn, file).await {
        Ok(Ok(grant)) => grant,
        Ok(Err(NotGranted::NoRule)) => {
            return lose_sight(turn, row, "the policy does not allow it any more", None).await;
        }
        Ok(Err(NotGranted::No(why))) => {
            if why.is_tampering() {
                turn.alarm(&row.value.proposal, &why.to_string());
            }
            return lose_sight(turn, row, &why.to_string(), None).await;
        }
        Ok(Err(NotGranted::NoMandate(why))) => {
            let why = format!("{why}; {PEOPLE_LOOK}");
            return lose_sight(turn, row, &why, None).await;
        }
        Err(error) => {
            let failure = failure::chain(error.as_ref());
            tracing::warn!(proposal = row.value.id().as_str(), failure, "receipts could not be recounted");
            return lose_sight(turn, row, "Stripe could not be asked", None).await;
        }
    };
    let action = &row.value.proposal.action;
    let unchanged = read::again(turn, action).await?.is_some_and(|facts| facts.digest() == action.snapshot);
    if !unchanged {
        return lose_sight(turn, row, "the object changed; somebody has to look", None).await;
    }
    execute::send(turn, row, &grant).await
}
