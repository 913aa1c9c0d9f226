//! From a quorum to one call: claim, check everything again, call once, record what came of it.
//!
//! No row is trusted. The receipts are recounted, who signed is asked of the registry as it is now,
//! how many must sign of the policy as it is now, and what is to be refunded of Stripe.

use std::collections::BTreeMap;

use anyhow::Result;
use domain::{
    PersonId, ProposalId, Timestamp,
    approval::{
        Action, Around, Attempt, Facts, Grant, Identity, IllegalMove, Ineligible, Move, NoGrant, NoMandate,
        OperationKind, PasskeyRefused, Passkeys, Person, Receipt, Stage, System,
    },
};
use serde_json::{Value, json};
use store::{Budget, ProposalFile, ProposalRow, Reissue, Versioned, VoteError};

use crate::{
    app::LEASE,
    effects::Came,
    eligible, mandate, notify, passkeys, propose,
    propose::NotProposed,
    read, resume,
    turn::{Turn, entry, new_run},
};

/// How far a proposal came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Progress {
    /// More people have to sign.
    Waiting { got: usize, need: u8 },
    /// The time to sign has run out.
    RanOut,
    /// Everything is stopped.
    Frozen,
    /// What may be done today is used up.
    OverBudget,
    /// Another run is at work on it, or on the same object.
    Busy,
    /// It stands where this says.
    At(Stage),
    /// Stripe moved on, and another proposal took its place.
    Replaced(ProposalId),
}

/// What is kept as the reason when one idempotency key stood for two different calls. Nothing is sent
/// again after it.
pub(crate) const MISMATCH: &str = "stripe knows the idempotency key with another request";

/// How often an execution is begun under a mandate that others use at the same time.
const TRIES: usize = 4;

/// Takes a proposal as far as it can go now.
pub(crate) async fn advance(turn: Turn<'_>, id: &ProposalId) -> Result<Progress> {
    for _ in 0..TRIES {
        if let Some(progress) = Box::pin(advance_once(turn, id)).await? {
            return Ok(progress);
        }
    }
    Ok(Progress::Busy)
}

/// `None` if a mandate under which it would have begun was used, or ended, by somebody else meanwhile.
async fn advance_once(turn: Turn<'_>, id: &ProposalId) -> Result<Option<Progress>> {
    let Some(file) = turn.app.approvals.proposal(id).await? else {
        anyhow::bail!("the proposal is not there")
    };
    let now = turn.now();
    match &file.proposal().stage {
        Stage::Pending if now >= file.proposal().action.expires => Ok(Some(Progress::RanOut)),
        Stage::Pending => Box::pin(begin(turn, &file)).await,
        Stage::Executing(attempt) if attempt.lease <= now && file.row.value.look <= now => {
            resume::take_over(turn, &file).await.map(Some)
        }
        Stage::Executing(_) => Ok(Some(Progress::Busy)),
        stage => Ok(Some(Progress::At(stage.clone()))),
    }
}

/// Claims a pending proposal if enough people signed it, or a mandate that reaches it, and carries it out.
async fn begin(turn: Turn<'_>, file: &ProposalFile) -> Result<Option<Progress>> {
    let proposal = file.proposal();
    let recounted = match recount(turn, file).await {
        Ok(recounted) => recounted,
        Err(error) => {
            // The votes stand; the schedule goes on as soon as Stripe can be read.
            let (proposal, failure) = (file.row.value.id().as_str(), runtime::failure::chain(error.as_ref()));
            tracing::warn!(proposal, failure, "receipts could not be recounted yet");
            return Ok(Some(Progress::Busy));
        }
    };
    let (grant, used) = match recounted {
        Ok(grant) => (grant, None),
        Err(NotGranted::NoRule) => {
            return void(turn, &file.row, "the policy does not allow it any more").await.map(Some);
        }
        Err(NotGranted::No(NoGrant::TooFew { got, need })) => match mandate::reach_or_ask(turn, file).await {
            Some(reached) => (reached.grant, Some(reached.used)),
            None => return Ok(Some(Progress::Waiting { got, need })),
        },
        Err(NotGranted::No(why)) => return distrust(turn, &file.row, &why.to_string()).await.map(Some),
        Err(NotGranted::NoMandate(_)) => return Ok(Some(Progress::Busy)),
    };
    let (now, run) = (turn.now(), new_run()?);
    let lease = now.plus(LEASE);
    let stage =
        proposal.after(Move::Claim { grant: Box::new(grant.clone()), run: run.clone(), at: now, lease })?;
    let signers: Vec<_> = grant.signers().iter().collect();
    let body = json!({
        "run": run,
        "signers": signers,
        "digest": grant.digest(),
        "policy": turn.app.bundle.id(),
        "passkey": passkeys::is_needed(turn.app, &file.row.value),
        "idempotency_key": grant.idempotency_key(0),
        "mandate": grant.mandate(),
    });
    let entry = entry(proposal, "claimed", now, &body);
    let approvals = &turn.app.approvals;
    let claimed = match &used {
        Some(used) => approvals.claim_under(&file.row, stage, &entry, now, used).await,
        None => approvals.claim(&file.row, stage, &entry, now, budget(turn, &grant)).await,
    };
    let claimed = match claimed {
        Ok(claimed) => claimed,
        // Whoever was faster counts; looked at again, the mandate reaches or it does not.
        Err(error) if used.is_some() && (error.is_conflict() || matches!(error, VoteError::Frozen)) => {
            return Ok(None);
        }
        Err(VoteError::Frozen) => return Ok(Some(Progress::Frozen)),
        Err(VoteError::OverBudget) => {
            turn.metrics.count("executions_over_budget", 1);
            return Ok(Some(Progress::OverBudget));
        }
        Err(error) if error.is_conflict() => return Ok(Some(Progress::Busy)),
        Err(error) => return Err(error.into()),
    };
    if used.is_some() {
        turn.metrics.count("mandates_used", 1);
    }
    turn.checkpoint("claimed")?;
    carry_out(turn, &claimed, &grant).await.map(Some)
}

/// Reads once more what a claimed proposal rests on, and does it if nothing moved.
async fn carry_out(turn: Turn<'_>, claimed: &Versioned<ProposalRow>, grant: &Grant) -> Result<Progress> {
    let action = &claimed.value.proposal.action;
    let Some(facts) = read::again(turn, action).await? else {
        return void(turn, claimed, "Stripe knows the object no more").await;
    };
    turn.checkpoint("reread")?;
    if facts.digest() != action.snapshot {
        let moved = claimed.value.dossier.facts.moved(&facts);
        return replace(turn, claimed, &facts, &moved.join("; ")).await;
    }
    // The object's own deadline can pass while it is voted on.
    if let Err(refused) = action.operation.clone().on(&facts, turn.now()) {
        return void(turn, claimed, &refused.to_string()).await;
    }
    send(turn, claimed, grant).await
}

/// Makes the one call, and records what came of it.
pub(crate) async fn send(turn: Turn<'_>, row: &Versioned<ProposalRow>, grant: &Grant) -> Result<Progress> {
    if grant.action().operation.kind() == OperationKind::GrantMandate {
        return mandate::stand(turn, row, grant).await;
    }
    let came = turn.app.effects.execute(grant, turn.now()).await;
    turn.checkpoint("sent")?;
    let progress = settle(turn, row, grant, came).await?;
    turn.checkpoint("settled")?;
    Ok(progress)
}

async fn settle(turn: Turn<'_>, row: &Versioned<ProposalRow>, grant: &Grant, came: Came) -> Result<Progress> {
    let at = turn.now();
    let first = matches!(&row.value.proposal.stage, Stage::Executing(attempt) if attempt.tries == 1);
    // A message is never tried again, so that nobody has to know whether an attempt before was the last.
    let once = grant.action().operation.kind().system() == System::Mail;
    match came {
        Came::Done { effect, status, request, replayed } => {
            let body = json!({
                "effect": effect,
                "status": status,
                "stripe_request": request,
                "replayed": replayed,
                "idempotency_key": grant.idempotency_key(0),
                "digest": grant.digest(),
            });
            step(turn, row, Move::Confirm { effect, request, at }, "executed", &body).await
        }
        Came::Refused { code, param, request } => {
            let body = json!({ "code": code, "param": param, "stripe_request": request });
            step(turn, row, Move::Refuse { code, at }, "failed", &body).await
        }
        // Nothing was sent now; but an earlier attempt may have been.
        Came::NotDone { word, why, may_retry } if first && (once || !may_retry) => {
            let code = format!("{NOT_SENT}{word}");
            let body = json!({ "code": code, "why": why });
            step(turn, row, Move::Refuse { code, at }, "failed", &body).await
        }
        Came::NotDone { why, .. } => lose_sight(turn, row, &why, None).await,
        Came::Unknown { why, request } => {
            let why = if once {
                format!("{why}, and nobody can be asked whether it went out; {PEOPLE_LOOK}")
            } else {
                why
            };
            let unknown = lose_sight(turn, row, &why, request.as_deref()).await?;
            turn.checkpoint("unknown")?;
            // It may show at once; if not, the schedule looks again.
            match resume::look(turn, row.value.id()).await? {
                Some(found) => Ok(found),
                None => Ok(unknown),
            }
        }
        Came::Mismatch { request } => {
            turn.alarm(&row.value.proposal, MISMATCH);
            lose_sight(turn, row, MISMATCH, request.as_deref()).await
        }
    }
}

/// How the code of a failure begins of which nothing was sent.
pub(crate) const NOT_SENT: &str = "not_sent.";

/// How a reason ends that no machine will get any further with.
pub(crate) const PEOPLE_LOOK: &str = "somebody has to look";

/// Records that nobody knows whether it was done.
pub(crate) async fn lose_sight(
    turn: Turn<'_>,
    row: &Versioned<ProposalRow>,
    why: &str,
    stripe_request: Option<&str>,
) -> Result<Progress> {
    turn.metrics.count("executions_unknown", 1);
    let body = json!({ "why": why, "stripe_request": stripe_request });
    step(turn, row, Move::LoseSight { why: why.to_owned() }, "unknown", &body).await
}

/// Makes one move, and tells about it.
pub(crate) async fn step(
    turn: Turn<'_>,
    row: &Versioned<ProposalRow>,
    next: Move,
    event: &'static str,
    body: &Value,
) -> Result<Progress> {
    let now = turn.now();
    let proposal = &row.value.proposal;
    // Said once and not at each look, unless now it is people who have to look.
    let known = match (&proposal.stage, &next) {
        (Stage::Executing(Attempt { unknown: Some(before), .. }), Move::LoseSight { why }) => {
            before == why || !why.ends_with(PEOPLE_LOOK)
        }
        _ => false,
    };
    let stage = proposal.after(next)?;
    let entry = entry(proposal, event, now, body);
    let after = match turn.app.approvals.transition(row, stage, &entry, now).await {
        Ok(after) => after,
        Err(VoteError::Frozen) => return Ok(Progress::Frozen),
        Err(error) if error.is_conflict() => return Ok(Progress::Busy),
        Err(error) => return Err(error.into()),
    };
    turn.decided(&after.value, event);
    if !known {
        notify::outcome(turn, &after.value).await;
    }
    Ok(Progress::At(after.value.proposal.stage))
}

/// Ends a proposal that cannot be done any more.
async fn void(turn: Turn<'_>, row: &Versioned<ProposalRow>, moved: &str) -> Result<Progress> {
    let next = Move::Void { moved: moved.to_owned(), at: turn.now() };
    step(turn, row, next, "stale", &json!({ "moved": moved })).await
}

async fn distrust(turn: Turn<'_>, row: &Versioned<ProposalRow>, what: &str) -> Result<Progress> {
    turn.alarm(&row.value.proposal, what);
    let next = Move::Distrust { what: what.to_owned(), at: turn.now() };
    step(turn, row, next, "tampered", &json!({ "what": what })).await
}

/// Voids a proposal that Stripe has overtaken, and proposes the same on what Stripe says now.
async fn replace(
    turn: Turn<'_>,
    row: &Versioned<ProposalRow>,
    facts: &Facts,
    moved: &str,
) -> Result<Progress> {
    let (next, first) = match propose::reissued(turn, &row.value, facts, moved) {
        Ok(reissued) => reissued,
        Err(refused) => return void(turn, row, &told(moved, &refused)).await,
    };
    let now = turn.now();
    let proposal = &row.value.proposal;
    let stage = proposal.after(Move::Void { moved: moved.to_owned(), at: now })?;
    let entry = entry(proposal, "stale", now, &json!({ "moved": moved, "replaced_by": next.id() }));
    let reissue = Reissue { row: &next, entry: &first, most: None };
    match turn.app.approvals.reissue(row, stage, &entry, &reissue, now).await {
        Ok(()) => {}
        Err(error) if error.is_conflict() => return Ok(Progress::Busy),
        Err(error) => return Err(error.into()),
    }
    turn.decided(&row.value, "stale");
    turn.decided(&next, "proposed");
    turn.checkpoint("reissued")?;
    if let Err(error) = notify::approvers(turn, next.id()).await {
        // It is open all the same: the inbox shows it, and the schedule tells them.
        tracing::warn!(
            proposal = next.id().as_str(),
            failure = runtime::failure::chain(error.as_ref()),
            "approvers were not told yet"
        );
    }
    Ok(Progress::Replaced(next.id().clone()))
}

fn told(moved: &str, refused: &NotProposed) -> String {
    format!("{moved}; it was not proposed again: {refused}")
}

/// What the execution takes of the day's budget, if policy sets one.
fn budget(turn: Turn<'_>, grant: &Grant) -> Option<Budget> {
    let operation = &grant.action().operation;
    let amount = operation.amount()?;
    let limit = turn.app.bundle.approval(operation.name())?.budget(amount.currency)?;
    Some(Budget { limit, amount })
}

/// Why nothing may be sent.
#[derive(Debug)]
pub(crate) enum NotGranted {
    /// The policy of today does not allow it at all.
    NoRule,
    /// The receipts do not carry it.
    No(NoGrant),
    /// Nor does the mandate under which it began.
    NoMandate(NoMandate),
}

/// Recounts the receipts against registry, policy and customer as they are now.
///
/// # Errors
/// If the store or Stripe cannot be asked.
pub(crate) async fn recount(turn: Turn<'_>, file: &ProposalFile) -> Result<Result<Grant, NotGranted>> {
    let row = &file.row.value;
    if let Some(id) = &row.mandate {
        return Box::pin(mandate::again(turn, file, id)).await;
    }
    let action = &file.proposal().action;
    // Facts that are not those that were signed count as the stricter case.
    let stake = eligible::stake(row);
    let rule = turn.app.bundle.approval(action.operation.name()).filter(|rule| rule.allows(stake));
    let Some(rule) = rule else { return Ok(Err(NotGranted::NoRule)) };
    let receipts = file.receipts();
    let mut people: BTreeMap<Identity, Person> = BTreeMap::new();
    let mut own_passkeys: BTreeMap<PersonId, Passkeys> = BTreeMap::new();
    for vote in &file.votes {
        let voter = &vote.receipt.body.voter;
        let person = turn.app.approvals.person_of(voter).await?;
        // An account that somebody else has by now votes for nobody.
        let Some(person) = person.filter(|person| person.id == vote.person) else { continue };
        if vote.receipt.assertion.is_some() {
            let own = turn.app.approvals.passkeys(&person.id).await?.value;
            own_passkeys.insert(person.id.clone(), own);
        }
        people.insert(voter.clone(), person);
    }
    // Nobody has to be asked about the customer before there is a vote that could count.
    let customer = if people.is_empty() { None } else { eligible::customer_address(turn, row).await? };
    let around = Around { stake, customer: customer.as_ref() };
    let voter = |receipt: &Receipt, action: &Action| {
        let person = people.get(&receipt.body.voter).ok_or(Ineligible::Unknown)?;
        eligible::check(turn.app, person, action, &around)?;
        if rule.needs_passkey(stake) {
            let own = own_passkeys.get(&person.id).ok_or(PasskeyRefused::Missing);
            own.and_then(|own| own.carry(receipt)).map_err(|_| Ineligible::NoPasskey)?;
        }
        Ok(person.id.clone())
    };
    let need = eligible::need(turn.app, rule, action, stake);
    let grant = Grant::issue(action, file.proposal().digest, &receipts, &turn.keys.receipts, &voter, need);
    Ok(grant.map_err(NotGranted::No))
}

/// When the schedule looks again at what was taken over: later and later, up to six hours. The lease itself
/// is over much sooner, so that a person can say what they saw in between.
pub(crate) fn patience(tries: u32, now: Timestamp) -> Timestamp {
    let seconds = LEASE.saturating_mul(1_i64.checked_shl(tries.min(9)).unwrap_or(512)).min(6 * 3600);
    now.plus(seconds)
}

/// A move that the stage does not allow: somebody else moved it.
pub(crate) fn busy(_: IllegalMove) -> Progress {
    Progress::Busy
}
