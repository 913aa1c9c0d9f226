//! Mandates: granted by a quorum like anything else, used where they reach, ended by whatever ends them.
//!
//! A use is a proposal like any other, for which nobody was asked yet. What the mandate's row says only
//! finds it: the receipts of the proposal that granted it are recounted for each use, against registry and
//! policy as they are now. Where it does not reach, people are asked.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result};
use domain::{
    MandateId, PersonId,
    approval::{Around, End, Grant, Mandate, Move, NoMandate, Operation, Person, ReversibleOperation, Use},
    policy::Verdict,
    trail,
};
use runtime::failure;
use serde::Deserialize;
use serde_json::json;
use store::{MandateUse, ProposalFile, ProposalRow, Versioned};

use crate::{
    eligible,
    execute::{self, NotGranted, Progress},
    notify, propose,
    turn::{Turn, entry},
};

/// What a mandate permits, and its count with this use.
pub(crate) struct Reached {
    pub(crate) grant: Grant,
    pub(crate) used: MandateUse,
}

/// The mandate that reaches a proposal for which nobody was asked yet, if one does. One that must end is
/// ended on the way.
///
/// # Errors
/// If the store or Stripe cannot be asked; then people are asked.
pub(crate) async fn reach(turn: Turn<'_>, file: &ProposalFile) -> Result<Option<Reached>> {
    let (row, action) = (&file.row.value, &file.proposal().action);
    let Some(kind) = ReversibleOperation::of(&action.operation) else { return Ok(None) };
    // Once people are asked, or Stripe moved on, it is theirs to decide.
    if row.notified || !file.votes.is_empty() || row.dossier.replaces.is_some() {
        return Ok(None);
    }
    let mut candidates = turn.app.approvals.standing_mandates().await?;
    candidates.retain(|mandate| mandate.value.terms.allows == kind);
    if candidates.is_empty() {
        return Ok(None);
    }
    let rules = asked_by(turn, row).await?;
    let frozen = turn.app.approvals.frozen().await?.is_some();
    for mandate in candidates {
        if let Some(why) = mandate.value.must_end(turn.now(), turn.app.bundle.id(), frozen) {
            end(turn, &mandate, why).await?;
            continue;
        }
        match permit(turn, file, &mandate.value, &rules).await? {
            Ok(grant) => match count(turn, mandate, &grant) {
                Ok(used) => return Ok(Some(Reached { grant, used })),
                Err(why) => told(turn, file, &why),
            },
            Err(NoMandate::Tampered) => {
                turn.metrics.count("integrity_alarms", 1);
                tracing::error!(mandate = mandate.value.id.as_str(), "a stored mandate does not verify");
                end(turn, &mandate, End::Tampered).await?;
            }
            Err(why) => told(turn, file, &why),
        }
    }
    Ok(None)
}

fn told(turn: Turn<'_>, file: &ProposalFile, why: &NoMandate) {
    turn.metrics.count("mandates_not_reaching", 1);
    tracing::info!(proposal = file.row.value.id().as_str(), "a mandate does not reach: {why}");
}

/// The grant of a use whose execution began before: checked as when it began, and counted then.
pub(crate) async fn again(
    turn: Turn<'_>,
    file: &ProposalFile,
    id: &MandateId,
) -> Result<Result<Grant, NotGranted>> {
    let Some(mandate) = turn.app.approvals.mandate(id).await? else {
        return Ok(Err(NotGranted::NoMandate(NoMandate::Tampered)));
    };
    let rules = asked_by(turn, &file.row.value).await?;
    Ok(permit(turn, file, &mandate.value, &rules).await?.map_err(NotGranted::NoMandate))
}

/// Recounts the mandate, and asks whether it permits this proposal.
async fn permit(
    turn: Turn<'_>,
    file: &ProposalFile,
    mandate: &Mandate,
    rules: &BTreeSet<String>,
) -> Result<Result<Grant, NoMandate>> {
    let (row, action) = (&file.row.value, &file.proposal().action);
    let Some(granting) = turn.app.approvals.proposal(&mandate.proposal).await? else {
        return Ok(Err(NoMandate::Tampered));
    };
    let quorum = match Box::pin(execute::recount(turn, &granting)).await? {
        Ok(quorum) => quorum,
        Err(NotGranted::No(why)) if why.is_tampering() => return Ok(Err(NoMandate::Tampered)),
        Err(NotGranted::No(domain::approval::NoGrant::TooFew { got, need })) => {
            return Ok(Err(NoMandate::TooFew { got, need }));
        }
        Err(_) => return Ok(Err(NoMandate::Ended)),
    };
    let stake = eligible::stake(row);
    let rule = turn.app.bundle.approval(action.operation.name()).filter(|rule| rule.allows(stake));
    let Some(rule) = rule else { return Ok(Err(NoMandate::OtherPolicy)) };
    let mut people: BTreeMap<&PersonId, Person> = BTreeMap::new();
    for id in quorum.signers() {
        people.extend(turn.app.approvals.person(id).await?.map(|person| (id, person)));
    }
    let customer = eligible::customer_address(turn, row).await?;
    let around = Around { stake, customer: customer.as_ref() };
    let may_sign = |id: &PersonId| {
        people.get(id).is_some_and(|person| eligible::check(turn.app, person, action, &around).is_ok())
    };
    Ok(mandate.permit(
        &quorum,
        &Use {
            action,
            digest: file.proposal().digest,
            rules,
            policy: turn.app.bundle.id(),
            may_sign: &may_sign,
            need: eligible::need(turn.app, rule, action, stake),
            now: turn.now(),
        },
    ))
}

fn count(turn: Turn<'_>, before: Versioned<Mandate>, grant: &Grant) -> Result<MandateUse, NoMandate> {
    let now = turn.now();
    let mut after = before.value.used(now)?;
    let body = json!({
        "proposal": grant.action().proposal,
        "digest": grant.digest(),
        "left_today": after.left(now),
    });
    let entry = before.value.trail.entry(after.id.as_str(), "used", now, body.to_string());
    after.trail = entry.head();
    Ok(MandateUse { before, after, entry })
}

/// The rules by which a proposal is asked for: of a person, by what policy says of them now; of the agent,
/// by the newest decision of its case, as far as that was taken under the policy of now.
async fn asked_by(turn: Turn<'_>, row: &ProposalRow) -> Result<BTreeSet<String>> {
    let (app, action) = (turn.app, &row.proposal.action);
    let verdict = if action.requester == app.agent {
        match &row.dossier.case {
            Some(case) => newest_verdict(&app.cases.trail(case).await?),
            None => None,
        }
    } else {
        let person = app.approvals.person(&action.requester).await?;
        let person = person.filter(|person| person.may_enter().is_ok());
        let (kind, amount) = (action.operation.kind(), action.operation.amount());
        person.map(|person| app.bundle.may_ask(&person, kind, action.livemode, amount))
    };
    let counts = verdict.filter(|verdict| verdict.permitted && verdict.policy == app.bundle.id());
    Ok(counts.into_iter().flat_map(|verdict| verdict.rules).map(|rule| rule.id).collect())
}

/// Whether the agent may ask, by the newest decision of a case.
fn newest_verdict(entries: &[trail::Entry]) -> Option<Verdict> {
    #[derive(Deserialize)]
    struct Decided {
        decision: Verdicts,
    }
    #[derive(Deserialize)]
    struct Verdicts {
        verdicts: Vec<Verdict>,
    }
    let newest = entries.iter().rev().find_map(|entry| serde_json::from_str::<Decided>(&entry.body).ok())?;
    newest.decision.verdicts.into_iter().find(|verdict| verdict.asked == "request")
}

/// Carries out what grants a mandate: from now on it stands.
pub(crate) async fn stand(turn: Turn<'_>, row: &Versioned<ProposalRow>, grant: &Grant) -> Result<Progress> {
    let now = turn.now();
    let mut mandate = Mandate::granted(grant, now).context("the grant is for no mandate")?;
    let body = json!({
        "proposal": mandate.proposal,
        "digest": grant.digest(),
        "signers": grant.signers(),
        "terms": mandate.terms,
        "policy": mandate.policy,
    });
    let first = trail::Head::START.entry(mandate.id.as_str(), "granted", now, body.to_string());
    mandate.trail = first.head();
    let proposal = &row.value.proposal;
    let confirm = Move::Confirm { effect: mandate.id.to_string(), request: None, at: now };
    let stage = proposal.after(confirm)?;
    let body = json!({ "effect": mandate.id, "digest": grant.digest() });
    let entry = entry(proposal, "executed", now, &body);
    let settled = match turn.app.approvals.grant_mandate(row, stage, &entry, &mandate, &first).await {
        Ok(settled) => settled,
        Err(error) if error.is_conflict() => return Ok(Progress::Busy),
        Err(error) => return Err(error.into()),
    };
    turn.metrics.count("mandates_granted", 1);
    turn.decided(&settled.value, "executed");
    turn.checkpoint("settled")?;
    notify::outcome(turn, &settled.value).await;
    Ok(Progress::At(settled.value.proposal.stage))
}

/// Why a mandate was not stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotStopped {
    #[error("there is no such mandate")]
    Unknown,
    #[error("only who asked for it, or who may sign it, can stop it")]
    NotYours,
    #[error("it is being used just now; press it again")]
    Raced,
}

/// How often it is tried to stop a mandate that is being used.
const TRIES: usize = 4;

/// Stops a mandate at once. One that ended already stays as it is.
pub(crate) async fn stop(turn: Turn<'_>, id: &MandateId, person: &Person) -> Result<Result<(), NotStopped>> {
    for _ in 0..TRIES {
        let Some(mandate) = turn.app.approvals.mandate(id).await? else {
            return Ok(Err(NotStopped::Unknown));
        };
        let Some(granting) = turn.app.approvals.proposal(&mandate.value.proposal).await? else {
            return Ok(Err(NotStopped::Unknown));
        };
        if !propose::may_withdraw(turn, person, &granting) {
            return Ok(Err(NotStopped::NotYours));
        }
        if end(turn, &mandate, End::Stopped { by: person.id.clone() }).await? {
            return Ok(Ok(()));
        }
    }
    Ok(Err(NotStopped::Raced))
}

/// Ends a mandate, and tells the channel; false if somebody else moved it meanwhile.
async fn end(turn: Turn<'_>, before: &Versioned<Mandate>, why: End) -> Result<bool> {
    let now = turn.now();
    let body = json!({ "why": why.to_string(), "end": why }).to_string();
    let Some(mut after) = before.value.ended(why.clone(), now) else { return Ok(true) };
    let entry = before.value.trail.entry(after.id.as_str(), "ended", now, body);
    after.trail = entry.head();
    match turn.app.approvals.end_mandate(before, &after, &entry).await {
        Ok(()) => {}
        Err(error) if error.is_conflict() => return Ok(false),
        Err(error) => return Err(error.into()),
    }
    turn.metrics.count("mandates_ended", 1);
    tracing::info!(mandate = after.id.as_str(), "a mandate ended: {why}");
    notify::mandate_ended(turn, &after, &why).await;
    Ok(true)
}

/// The schedule: ends what must end, whether or not somebody would have used it.
pub(crate) async fn sweep(turn: Turn<'_>) -> Result<()> {
    let frozen = turn.app.approvals.frozen().await?.is_some();
    for mandate in turn.app.approvals.standing_mandates().await? {
        if let Some(why) = mandate.value.must_end(turn.now(), turn.app.bundle.id(), frozen) {
            end(turn, &mandate, why).await?;
        }
    }
    Ok(())
}

/// How a mandate is called in a list.
pub(crate) fn sentence(mandate: &Mandate) -> String {
    Operation::GrantMandate(mandate.terms.clone()).to_string()
}

/// What fails here must not keep people from being asked.
pub(crate) async fn reach_or_ask(turn: Turn<'_>, file: &ProposalFile) -> Option<Reached> {
    match reach(turn, file).await {
        Ok(reached) => reached,
        Err(error) => {
            let (proposal, failure) = (file.row.value.id().as_str(), failure::chain(error.as_ref()));
            tracing::warn!(proposal, failure, "mandates could not be looked at, so people are asked");
            None
        }
    }
}
