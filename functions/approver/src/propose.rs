//! From a request to a proposal: what Stripe and policy say counts, not what the request says.

use anyhow::{Context as _, Result};
use domain::{
    AccountId, CaseKey, ChargeId, Digest, EventId, Money, PersonId, ProposalId, RequestId, Timestamp,
    approval::{Action, Move, Operation, Proposal, RefundReason},
    policy::ApprovalRule,
    snapshot::{Charge, ChargeStatus, Read, UnclearRequest},
    trail,
};
use serde_json::json;
use store::{Dossier, ProposalRow, Proposed};

use crate::{
    notify,
    turn::{Turn, entry},
};

/// The one operation that can be asked for so far.
pub(crate) const REFUND: &str = "refund.create";

/// How long the run that proposes has to tell everybody, in seconds; then the schedule looks.
const TOLD_WITHIN: i64 = 120;

/// A request.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    pub(crate) request: RequestId,
    pub(crate) requester: PersonId,
    /// The connected account of the charge, if it has one.
    pub(crate) account: Option<AccountId>,
    pub(crate) charge: ChargeId,
    pub(crate) source: Option<EventId>,
    pub(crate) case: Option<CaseKey>,
    pub(crate) wish: Wish,
    /// What the requester wrote; empty if nothing.
    pub(crate) note: String,
}

/// What is to be refunded.
#[derive(Debug, Clone)]
pub(crate) enum Wish {
    /// What the charge's own metadata asks for.
    AsAskedInStripe,
    /// What a person typed: major units.
    Typed { amount: String, reason: RefundReason },
}

/// Why there is no proposal. The text is for the person who asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotProposed {
    #[error("only the refund of a charge can be asked for; do anything else in the Stripe Dashboard")]
    Unsupported,
    #[error(
        "the charge is in an account that nothing is written to from here; add it to `STRIPE_CONNECTED_ACCOUNTS`"
    )]
    OtherAccount,
    #[error("Stripe knows no such charge in this account; copy its id (ch_…) from the Stripe Dashboard")]
    NoCharge,
    #[error("the charge asks for no refund any more; set `refund_request` on it again if it should")]
    NotAsked,
    #[error("{0}; correct it on the charge in the Stripe Dashboard")]
    Unclear(UnclearRequest),
    #[error("the charge is disputed, so a refund could pay twice; answer the dispute instead")]
    Disputed,
    #[error("the charge has not succeeded, so nothing was taken that could go back")]
    NotPaid,
    #[error(
        "write the amount like 19.99, with at most as many decimals as {0} has, without signs or separators"
    )]
    Amount(domain::Currency),
    #[error("ask for more than nothing")]
    Nothing,
    #[error("only {0} of this charge can still be refunded; ask for that much at most")]
    TooMuch(Money),
    #[error(
        "the policy does not let {0} be proposed here; do it in the Stripe Dashboard with the finance team"
    )]
    OverCap(Money),
    #[error("the policy has no rule for approving refunds; add one to the bundle")]
    NoRule,
    #[error("another proposal for this charge is open already; decide that one first")]
    Occupied(ProposalId),
}

impl NotProposed {
    /// A word for the trail and the figures.
    pub(crate) const fn word(&self) -> &'static str {
        match self {
            Self::Unsupported => "unsupported",
            Self::OtherAccount => "other_account",
            Self::NoCharge => "no_charge",
            Self::NotAsked => "not_asked",
            Self::Unclear(_) => "unclear",
            Self::Disputed => "disputed",
            Self::NotPaid => "not_paid",
            Self::Amount(_) => "amount_form",
            Self::Nothing => "nothing",
            Self::TooMuch(_) => "too_much",
            Self::OverCap(_) => "over_cap",
            Self::NoRule => "no_rule",
            Self::Occupied(_) => "occupied",
        }
    }
}

/// Opens the proposal of a request. A request that has one already keeps it.
pub(crate) async fn propose(turn: Turn<'_>, ask: &Ask) -> Result<Result<ProposalId, NotProposed>> {
    let app = turn.app;
    // The same form sent twice, or a message that came again.
    let id = ProposalId::of(&ask.request, 0);
    if app.approvals.proposal(&id).await?.is_some() {
        return Ok(Ok(id));
    }
    if !ask.account.as_ref().is_none_or(|account| *account == app.account || app.connected.contains(account))
    {
        return Ok(Err(NotProposed::OtherAccount));
    }
    let Some(charge) = read_charge(turn, ask.account.as_ref(), &ask.charge).await? else {
        return Ok(Err(NotProposed::NoCharge));
    };
    let drafted = wished(&ask.wish, &charge).and_then(|(reason, amount)| {
        let rule = allowed(turn, &charge, amount)?;
        Ok((Operation::Refund { charge: charge.id.clone(), amount, reason }, rule))
    });
    let (operation, rule) = match drafted {
        Ok(drafted) => drafted,
        Err(refused) => return Ok(Err(refused)),
    };
    let why = match (&ask.wish, ask.note.is_empty()) {
        (Wish::AsAskedInStripe, _) => "Support asked for it on the charge in Stripe.".to_owned(),
        (Wish::Typed { .. }, true) => "It was asked for on the request form, without a note.".to_owned(),
        (Wish::Typed { .. }, false) => ask.note.clone(),
    };
    let dossier = Dossier {
        request: ask.request.clone(),
        generation: 0,
        case: ask.case.clone(),
        why,
        facts: charge.clone(),
        replaces: None,
    };
    let now = turn.now();
    let action = Action {
        proposal: id,
        account: ask.account.clone().unwrap_or_else(|| app.account.clone()),
        livemode: charge.livemode,
        need: rule.need(operation.amount().map(|amount| charge.refunded_with(amount))),
        operation,
        metadata: [].into(),
        snapshot: charge.digest(),
        requester: ask.requester.clone(),
        source: ask.source.clone(),
        customer_text: Digest::of(&ask.note),
        policy: app.bundle.id().to_owned(),
        created: now,
        expires: now.plus(rule.life),
    };
    let (row, entry) = new_row(action, dossier, now);
    turn.checkpoint("read")?;
    let mut outcome = app.approvals.propose(&row, &entry).await?;
    if let Proposed::Occupied(other) = &outcome
        && expire(turn, other).await?
    {
        outcome = app.approvals.propose(&row, &entry).await?;
    }
    match outcome {
        Proposed::New => turn.decided(&row, "proposed"),
        Proposed::Known => {}
        Proposed::Occupied(other) => return Ok(Err(NotProposed::Occupied(other))),
    }
    turn.checkpoint("proposed")?;
    Ok(Ok(row.id().clone()))
}

/// The proposal that takes the place of one that Stripe has overtaken: the same wish on what Stripe
/// says now, to be decided anew. An error if it cannot be wished for any more.
pub(crate) fn reissued(
    turn: Turn<'_>,
    old: &ProposalRow,
    charge: &Charge,
    moved: &str,
) -> Result<(ProposalRow, trail::Entry), NotProposed> {
    let before = &old.proposal.action;
    let amount = before.operation.amount().ok_or(NotProposed::Unsupported)?;
    fits(charge, amount)?;
    let rule = allowed(turn, charge, amount)?;
    let generation = old.dossier.generation.saturating_add(1);
    let now = turn.now();
    let action = Action {
        proposal: ProposalId::of(&old.dossier.request, generation),
        snapshot: charge.digest(),
        need: rule.need(Some(charge.refunded_with(amount))).max(before.need),
        policy: turn.app.bundle.id().to_owned(),
        created: now,
        expires: now.plus(rule.life),
        ..before.clone()
    };
    let dossier = Dossier {
        generation,
        facts: charge.clone(),
        replaces: Some((before.proposal.clone(), moved.to_owned())),
        ..old.dossier.clone()
    };
    Ok(new_row(action, dossier, now))
}

/// Records why a request became no proposal, and tells the channel, once.
pub(crate) async fn refuse(turn: Turn<'_>, request: &RequestId, why: &NotProposed) -> Result<()> {
    let body = json!({ "reason": why.word(), "policy": turn.app.bundle.id() }).to_string();
    let entry = trail::Head::START.entry(request.as_str(), "refused", turn.now(), body);
    if turn.app.approvals.refuse_request(request, &entry).await? {
        turn.metrics.count_by("requests_refused", why.word(), 1);
        tracing::warn!(request = request.as_str(), reason = why.word(), "a request became no proposal");
        notify::refused(turn, request, why).await;
    }
    Ok(())
}

/// Records that a proposal ran out, if it did; whether it is out of the way now.
pub(crate) async fn expire(turn: Turn<'_>, id: &ProposalId) -> Result<bool> {
    let Some(file) = turn.app.approvals.proposal(id).await? else { return Ok(true) };
    let now = turn.now();
    let proposal = file.proposal();
    let Ok(stage) = proposal.after(Move::Expire { at: now }) else { return Ok(proposal.stage.is_final()) };
    let entry = entry(proposal, "expired", now, &json!({ "votes": file.votes.len() }));
    let row = turn.app.approvals.transition(&file.row, stage, &entry, now).await?.value;
    turn.decided(&row, "expired");
    notify::outcome(turn, &row).await;
    Ok(true)
}

/// Reads a charge in the account it is in; `None` if Stripe has none.
pub(crate) async fn read_charge(
    turn: Turn<'_>,
    account: Option<&AccountId>,
    id: &ChargeId,
) -> Result<Option<Charge>> {
    let client = turn.stripe_of(account.unwrap_or(&turn.app.account));
    match client.charge(id).await.context("could not read the charge")?.value {
        Read::Found(charge) => Ok(Some(charge)),
        Read::Gone => Ok(None),
    }
}

fn new_row(action: Action, dossier: Dossier, now: Timestamp) -> (ProposalRow, trail::Entry) {
    let mut row = ProposalRow::new(Proposal::new(action), dossier);
    row.look = now.plus(TOLD_WITHIN).min(row.look);
    let action = &row.proposal.action;
    let body = json!({
        "digest": row.proposal.digest,
        "request": row.dossier.request,
        "case": row.dossier.case,
        "source": action.source,
        "requester": action.requester,
        "operation": action.operation,
        "snapshot": action.snapshot,
        "need": action.need,
        "expires": action.expires,
        "policy": action.policy,
        "replaces": row.dossier.replaces.as_ref().map(|(id, _)| id),
    });
    let first = entry(&row.proposal, "proposed", now, &body);
    row.proposal.trail = first.head();
    (row, first)
}

/// What is wished for, checked against the charge.
fn wished(wish: &Wish, charge: &Charge) -> Result<(RefundReason, Money), NotProposed> {
    let (reason, amount) = match wish {
        Wish::AsAskedInStripe => {
            charge.asked_refund().map_err(NotProposed::Unclear)?.ok_or(NotProposed::NotAsked)?
        }
        Wish::Typed { amount, reason } => {
            let currency = charge.amount.currency;
            let amount = Money::parse(amount, currency).ok_or(NotProposed::Amount(currency))?;
            (*reason, amount)
        }
    };
    fits(charge, amount)?;
    Ok((reason, amount))
}

/// Whether a charge can give this much back.
fn fits(charge: &Charge, amount: Money) -> Result<(), NotProposed> {
    if charge.disputed {
        return Err(NotProposed::Disputed);
    }
    if charge.status != ChargeStatus::Succeeded || !charge.captured {
        return Err(NotProposed::NotPaid);
    }
    let left = charge.refundable();
    if amount.amount < 1 {
        return Err(NotProposed::Nothing);
    }
    if amount.currency != left.currency || amount.amount > left.amount {
        return Err(NotProposed::TooMuch(left));
    }
    Ok(())
}

/// The rule by which this much is approved.
fn allowed<'a>(turn: Turn<'a>, charge: &Charge, amount: Money) -> Result<&'a ApprovalRule, NotProposed> {
    // An object of the other mode looks like a missing one.
    if charge.livemode != turn.app.stripe.mode().is_live() {
        return Err(NotProposed::NoCharge);
    }
    let rule = turn.app.bundle.approval(REFUND).ok_or(NotProposed::NoRule)?;
    // What went back already counts, or small parts would pass where the whole does not.
    let all = charge.refunded_with(amount);
    if rule.allows(Some(all)) { Ok(rule) } else { Err(NotProposed::OverCap(all)) }
}
