//! From a request to a proposal: what Stripe and policy say counts, not what the request says.

use anyhow::Result;
use domain::{
    AccountId, CaseKey, Digest, EventId, Money, PersonId, ProposalId, RequestId, Timestamp,
    approval::{
        Action, CustomerFacts, Facts, Move, NotPossible, Operation, OperationKind, Person, Proposal, Wish,
    },
    policy::ApprovalRule,
    trail,
};
use serde_json::json;
use store::{Dossier, ProposalFile, ProposalRow, Proposed, Reissue};

use crate::{
    effects::NotHere,
    eligible, message, notify, read,
    turn::{Turn, entry},
};

/// How long the run that proposes has to tell everybody, in seconds; then the schedule looks.
const TOLD_WITHIN: i64 = 120;

/// How many proposals one person may ask for in an hour: approvers who are asked too often stop
/// reading.
const MOST_IN_AN_HOUR: u32 = 20;

/// A request.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    pub(crate) request: RequestId,
    pub(crate) asker: Asker,
    /// The connected account of the object, if it has one.
    pub(crate) account: Option<AccountId>,
    pub(crate) wish: Wish,
    pub(crate) source: Option<EventId>,
    pub(crate) case: Option<CaseKey>,
    /// What the requester wrote; empty if nothing.
    pub(crate) note: String,
    /// The open proposal that this one is to take the place of.
    pub(crate) supersedes: Option<ProposalId>,
}

/// Who asks.
#[derive(Debug, Clone)]
pub(crate) enum Asker {
    /// The agent, through the queue.
    Agent,
    /// Somebody who is signed in.
    Person(Box<Person>),
}

/// Why there is no proposal. The text is for the person who asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotProposed {
    #[error("there is no such operation here; do it in the Stripe Dashboard")]
    Unsupported,
    #[error(
        "the object is in an account that nothing is written to from here; add it to `STRIPE_CONNECTED_ACCOUNTS`"
    )]
    OtherAccount,
    #[error("Stripe knows no such object in this account; copy its id from the Stripe Dashboard")]
    NoObject,
    #[error("{0}")]
    NotPossible(#[from] NotPossible),
    #[error(
        "the policy does not let {0} be proposed here; do it in the Stripe Dashboard with the finance team"
    )]
    OverCap(Money),
    #[error("the policy has no rule for approving this; add one to the bundle")]
    NoRule,
    #[error("no rule of the policy lets you ask for this")]
    MayNotAsk,
    #[error("you asked for {MOST_IN_AN_HOUR} things in this hour; ask again in the next one")]
    TooMany,
    #[error("another proposal for this is open already; decide that one first")]
    Occupied(ProposalId),
    #[error("the bundle has no such template in this version")]
    NoTemplate,
    #[error("the template cannot be filled from what Stripe says")]
    NotRendered,
    #[error("{0}")]
    NotHere(#[from] NotHere),
    #[error("the request is about another object than its case")]
    OtherCase,
    #[error("the agent may not choose `{0}`; ask for it on the form")]
    AgentChose(String),
}

impl NotProposed {
    /// A word for the trail and the figures.
    pub(crate) const fn word(&self) -> &'static str {
        match self {
            Self::Unsupported => "unsupported",
            Self::OtherAccount => "other_account",
            Self::NoObject => "no_object",
            Self::NotPossible(why) => why.word(),
            Self::OverCap(_) => "over_cap",
            Self::NoRule => "no_rule",
            Self::MayNotAsk => "may_not_ask",
            Self::TooMany => "too_many",
            Self::Occupied(_) => "occupied",
            Self::NoTemplate => "no_template",
            Self::NotRendered => "not_rendered",
            Self::NotHere(why) => why.word(),
            Self::OtherCase => "other_case",
            Self::AgentChose(_) => "agent_chose",
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
    let account = ask.account.as_ref().unwrap_or(&app.account);
    let Wish { kind, object, .. } = &ask.wish;
    if let Err(not_here) = app.effects.has(*kind, account) {
        return Ok(Err(not_here.into()));
    }
    let Some(facts) = read::facts(turn, account, *kind, object, ask.case.as_ref()).await? else {
        return Ok(Err(NotProposed::NoObject));
    };
    let now = turn.now();
    let drafted = draft(turn, ask, &facts, now).and_then(|operation| {
        let stake = facts.at_stake(operation.amount());
        let rule = allowed(turn, operation.kind(), &facts, stake)?;
        let expires = rule.expires(now, facts.deadline()).ok_or(NotPossible::TooLate)?;
        Ok((operation, stake, rule, expires))
    });
    let (operation, stake, rule, expires) = match drafted {
        Ok(drafted) => drafted,
        Err(refused) => return Ok(Err(refused)),
    };
    let customer = read::customer_of(turn, account, &facts).await?.map(CustomerFacts::from);
    let mut action = Action {
        proposal: id,
        account: account.clone(),
        livemode: app.stripe.mode().is_live(),
        need: 1,
        operation,
        metadata: [].into(),
        snapshot: facts.digest(),
        requester: requester(turn, &ask.asker),
        source: ask.source.clone(),
        customer_text: Digest::of(&ask.note),
        policy: app.bundle.id().to_owned(),
        created: now,
        expires,
    };
    let floor = eligible::floor(&action.operation, customer.as_ref());
    action.need = eligible::need(app, rule, &action, stake).max(floor);
    if let Err(not_here) = app.effects.ready(&action) {
        return Ok(Err(not_here.into()));
    }
    let dossier = Dossier {
        request: ask.request.clone(),
        generation: 0,
        case: ask.case.clone(),
        why: why(ask),
        facts,
        customer,
        replaces: ask.supersedes.clone().map(|other| (other, "it was asked for anew".to_owned())),
    };
    let (row, entry) = new_row(action, dossier, now);
    turn.checkpoint("read")?;
    open(turn, ask, row, &entry).await
}

/// Puts the proposal where none is open, or in the place of the one that it supersedes.
async fn open(
    turn: Turn<'_>,
    ask: &Ask,
    row: ProposalRow,
    entry: &trail::Entry,
) -> Result<Result<ProposalId, NotProposed>> {
    let approvals = &turn.app.approvals;
    let most = matches!(ask.asker, Asker::Person(_)).then_some(MOST_IN_AN_HOUR);
    let mut outcome = approvals.propose(&row, entry, most).await?;
    if let Proposed::Occupied(other) = &outcome {
        if ask.supersedes.as_ref() == Some(other) {
            let done = supersede(turn, ask, other, &row, entry, most).await?;
            return Ok(if done { Ok(row.id().clone()) } else { Err(NotProposed::Occupied(other.clone())) });
        }
        if expire(turn, other).await? {
            outcome = approvals.propose(&row, entry, most).await?;
        }
    }
    match outcome {
        Proposed::New => turn.decided(&row, "proposed"),
        Proposed::Known => {}
        Proposed::Occupied(other) => return Ok(Err(NotProposed::Occupied(other))),
        Proposed::TooMany => return Ok(Err(NotProposed::TooMany)),
    }
    turn.checkpoint("proposed")?;
    Ok(Ok(row.id().clone()))
}

/// Takes an open proposal back and opens another in its place, both or neither, if the asker may.
async fn supersede(
    turn: Turn<'_>,
    ask: &Ask,
    other: &ProposalId,
    next: &ProposalRow,
    first: &trail::Entry,
    most: Option<u32>,
) -> Result<bool> {
    let (Some(file), Asker::Person(person)) = (turn.app.approvals.proposal(other).await?, &ask.asker) else {
        return Ok(false);
    };
    if !may_withdraw(turn, person, &file) {
        return Ok(false);
    }
    let (now, proposal) = (turn.now(), file.proposal());
    let Ok(stage) = proposal.after(Move::Withdraw { by: person.id.clone(), at: now }) else {
        return Ok(false);
    };
    let body = json!({ "person": person.id, "replaced_by": next.id() });
    let entry = entry(proposal, "withdrawn", now, &body);
    let reissue = Reissue { row: next, entry: first, most };
    match turn.app.approvals.reissue(&file.row, stage, &entry, &reissue, now).await {
        Ok(()) => {
            turn.decided(&file.row.value, "withdrawn");
            turn.decided(next, "proposed");
            Ok(true)
        }
        Err(error) if error.is_conflict() => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Who asked may take it back, and so may whoever policy lets sign it.
pub(crate) fn may_withdraw(turn: Turn<'_>, person: &Person, file: &ProposalFile) -> bool {
    let action = &file.proposal().action;
    person.may_enter().is_ok()
        && (person.id == action.requester || turn.app.bundle.may_sign(person, action).permitted)
}

/// The proposal that takes the place of one that Stripe has overtaken: the same wish on what Stripe
/// says now, to be decided anew. An error if it cannot be wished for any more.
pub(crate) fn reissued(
    turn: Turn<'_>,
    old: &ProposalRow,
    facts: &Facts,
    moved: &str,
) -> Result<(ProposalRow, trail::Entry), NotProposed> {
    let before = &old.proposal.action;
    let now = turn.now();
    let operation = match &before.operation {
        // Written anew: its words were made of what Stripe said before.
        Operation::SendMessage { case, template, version, locale, .. } => {
            let named = [("template".to_owned(), format!("{template}.{locale}/{version}"))].into();
            message::draft(&turn.app.bundle, case, &named, facts)?
        }
        other => other.clone(),
    };
    let operation = operation.on(facts, now)?;
    let stake = facts.at_stake(operation.amount());
    let rule = allowed(turn, operation.kind(), facts, stake)?;
    let expires = rule.expires(now, facts.deadline()).ok_or(NotPossible::TooLate)?;
    let generation = old.dossier.generation.saturating_add(1);
    let mut action = Action {
        proposal: ProposalId::of(&old.dossier.request, generation),
        operation,
        snapshot: facts.digest(),
        policy: turn.app.bundle.id().to_owned(),
        created: now,
        expires,
        ..before.clone()
    };
    action.need = eligible::need(turn.app, rule, &action, stake).max(before.need);
    turn.app.effects.ready(&action)?;
    let dossier = Dossier {
        generation,
        facts: facts.clone(),
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
        "operation": action.operation.for_trail(),
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

/// The operation that is asked for, on what Stripe says, if the asker may ask for it.
fn draft(turn: Turn<'_>, ask: &Ask, facts: &Facts, now: Timestamp) -> Result<Operation, NotProposed> {
    let operation = match (&ask.case, ask.wish.kind) {
        (Some(case), OperationKind::SendMessage) => {
            message::draft(&turn.app.bundle, case, &ask.wish.parameters, facts)?.on(facts, now)?
        }
        _ => ask.wish.on(facts, now)?,
    };
    if let Asker::Person(person) = &ask.asker {
        let live = turn.app.stripe.mode().is_live();
        let verdict = turn.app.bundle.may_ask(person, operation.kind(), live, operation.amount());
        if !verdict.permitted {
            return Err(NotProposed::MayNotAsk);
        }
    }
    Ok(operation)
}

fn requester(turn: Turn<'_>, asker: &Asker) -> PersonId {
    match asker {
        Asker::Agent => turn.app.agent.clone(),
        Asker::Person(person) => person.id.clone(),
    }
}

/// Why it is proposed, in words for whoever decides.
fn why(ask: &Ask) -> String {
    match (&ask.asker, ask.wish.kind) {
        (Asker::Agent, OperationKind::Refund) if ask.wish.parameters.is_empty() => {
            "Somebody asked for it on the charge in Stripe, which does not say who.".to_owned()
        }
        (Asker::Agent, _) => "The playbook of its case asks for it.".to_owned(),
        (Asker::Person(_), _) if ask.note.is_empty() => {
            "It was asked for on the request form, without a note.".to_owned()
        }
        (Asker::Person(_), _) => ask.note.clone(),
    }
}

/// The rule by which this much is approved.
fn allowed<'a>(
    turn: Turn<'a>,
    kind: OperationKind,
    facts: &Facts,
    stake: Option<Money>,
) -> Result<&'a ApprovalRule, NotProposed> {
    // An object of the other mode looks like a missing one.
    if facts.charge().is_some_and(|charge| charge.livemode != turn.app.stripe.mode().is_live()) {
        return Err(NotProposed::NoObject);
    }
    let rule = turn.app.bundle.approval(kind.as_str()).ok_or(NotProposed::NoRule)?;
    match stake {
        Some(amount) if !rule.allows(stake) => Err(NotProposed::OverCap(amount)),
        _ => Ok(rule),
    }
}
