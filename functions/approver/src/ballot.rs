//! One person's decision on one proposal.

use anyhow::Result;
use domain::{
    Digest, Money, ProposalId,
    approval::{
        Around, Assertion, Decision, EmailAddress, Identity, Ineligible, Method, Move, PasskeyRefused,
        Person, Receipt, ReceiptBody, Stage,
    },
    policy::ApprovalRule,
};
use serde_json::json;
use store::{ProposalFile, StoreError, Vote, VoteError};

use crate::{
    eligible,
    execute::{self, Progress},
    keys, notify,
    passkeys::{self, Used},
    turn::{Turn, entry},
};

/// A decision that somebody posted.
#[derive(Debug, Clone)]
pub(crate) struct Ballot<'a> {
    pub(crate) person: &'a Person,
    /// As whom they are signed in.
    pub(crate) identity: &'a Identity,
    /// What they were shown.
    pub(crate) digest: Digest,
    pub(crate) decision: Decision,
    /// The amount that they typed, if they were asked to; major units.
    pub(crate) typed: &'a str,
    /// What their passkey signed, if it was asked for.
    pub(crate) assertion: Option<&'a Assertion>,
}

/// Why a decision does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoVote {
    #[error("there is no such proposal")]
    Unknown,
    #[error("this proposal is {0} already")]
    Closed(&'static str),
    #[error("the time to decide has run out")]
    Expired,
    #[error("the proposal is not the one that you were shown; open it again")]
    OtherDigest,
    #[error("what is stored is not what was proposed; nobody can decide it")]
    Tampered,
    #[error("you have voted already")]
    Voted,
    #[error("everything is stopped; an administrator has to lift the freeze first")]
    Frozen,
    #[error("{0}")]
    Ineligible(#[from] Ineligible),
    #[error("type the amount exactly as it is shown, without the currency")]
    OtherAmount,
    #[error("{0}")]
    Passkey(#[from] PasskeyRefused),
    #[error(
        "Stripe cannot be read just now, so nobody can be told apart from the customer; try again in a minute"
    )]
    Unreadable,
    #[error("somebody else was faster; open the proposal again")]
    Raced,
}

/// How often a vote is tried while others vote on the same proposal.
const TRIES: usize = 4;

/// Counts a decision, and acts on it if it completes the quorum. Whatever the page was shown with is
/// asked again here, and once more by the condition of the write.
pub(crate) async fn cast(
    turn: Turn<'_>,
    id: &ProposalId,
    ballot: &Ballot<'_>,
) -> Result<Result<Progress, NoVote>> {
    for _ in 0..TRIES {
        let Some(file) = turn.app.approvals.proposal(id).await? else { return Ok(Err(NoVote::Unknown)) };
        let customer = match eligible::customer_address(turn, &file.row.value).await {
            Ok(customer) => customer,
            Err(error) => {
                let failure = runtime::failure::chain(error.as_ref());
                tracing::warn!(proposal = id.as_str(), failure, "a vote could not be checked");
                return Ok(Err(NoVote::Unreadable));
            }
        };
        if let Err(refused) = open_to(turn, &file, ballot, customer.as_ref()).await? {
            return Ok(Err(refused));
        }
        if let (Decision::Approve, Some(amount)) = (ballot.decision, typed_amount(turn, &file))
            && Money::parse(ballot.typed, amount.currency) != Some(amount)
        {
            return Ok(Err(NoVote::OtherAmount));
        }
        let receipt = receipt(turn, &file, ballot)?;
        // A denial makes nothing happen, so nobody needs their passkey for it.
        let used = match ballot.decision {
            Decision::Approve => passkeys::check(turn, &file.row.value, &ballot.person.id, &receipt).await?,
            Decision::Deny => Ok(None),
        };
        let used = match used {
            Ok(used) => used,
            Err(refused) => {
                turn.metrics.count_by("passkeys_refused", refused.word(), 1);
                return Ok(Err(refused.into()));
            }
        };
        match write(turn, &file, ballot, receipt, used.as_ref()).await {
            Ok(()) => {}
            Err(VoteError::Frozen) => return Ok(Err(NoVote::Frozen)),
            Err(VoteError::Voted) => return Ok(Err(NoVote::Voted)),
            Err(error) if error.is_conflict() => continue,
            Err(error) => return Err(error.into()),
        }
        turn.metrics.count_by("votes", ballot.decision.as_str(), 1);
        turn.metrics.seconds("time_to_decision", seconds(turn.now().since(file.proposal().action.created)));
        tracing::info!(
            proposal = id.as_str(),
            person = ballot.person.id.as_str(),
            decision = ballot.decision.as_str(),
            "a vote was counted"
        );
        turn.checkpoint("voted")?;
        if ballot.decision == Decision::Deny {
            let file = turn.app.approvals.proposal(id).await?;
            if let Some(file) = file {
                turn.decided(&file.row.value, "denied");
                notify::outcome(turn, &file.row.value).await;
            }
        }
        return Ok(Ok(execute::advance(turn, id).await?));
    }
    Ok(Err(NoVote::Raced))
}

fn seconds(whole: i64) -> f64 {
    i32::try_from(whole).map_or(f64::MAX, f64::from)
}

/// Whether this decision can be taken now.
pub(crate) async fn open_to(
    turn: Turn<'_>,
    file: &ProposalFile,
    ballot: &Ballot<'_>,
    customer: Option<&EmailAddress>,
) -> Result<Result<(), NoVote>, StoreError> {
    let proposal = file.proposal();
    if proposal.stage != Stage::Pending {
        let mine = notify::has_voted(file, ballot.person);
        return Ok(Err(if mine { NoVote::Voted } else { NoVote::Closed(proposal.stage.name()) }));
    }
    if !proposal.is_open(turn.now()) {
        return Ok(Err(NoVote::Expired));
    }
    if ballot.digest != proposal.digest {
        return Ok(Err(NoVote::OtherDigest));
    }
    if proposal.action.digest() != proposal.digest {
        turn.alarm(proposal, "the action");
        return Ok(Err(NoVote::Tampered));
    }
    let around = Around { stake: eligible::stake(&file.row.value), customer };
    if let Err(why) = eligible::check(turn.app, ballot.person, &proposal.action, &around) {
        return Ok(Err(NoVote::Ineligible(why)));
    }
    if notify::has_voted(file, ballot.person) {
        return Ok(Err(NoVote::Voted));
    }
    // A denial makes nothing happen, so it is taken even then.
    if ballot.decision == Decision::Approve && turn.app.approvals.frozen().await?.is_some() {
        return Ok(Err(NoVote::Frozen));
    }
    Ok(Ok(()))
}

/// The amount that whoever approves has to type, if policy says so: nobody types a large amount in
/// passing.
pub(crate) fn typed_amount(turn: Turn<'_>, file: &ProposalFile) -> Option<Money> {
    let operation = &file.proposal().action.operation;
    let rule: Option<&ApprovalRule> = turn.app.bundle.approval(operation.name());
    operation.amount().filter(|amount| rule.is_some_and(|rule| rule.is_typed(*amount)))
}

fn receipt(turn: Turn<'_>, file: &ProposalFile, ballot: &Ballot<'_>) -> Result<Receipt> {
    let proposal = file.proposal();
    let body = ReceiptBody {
        id: keys::random_id("rc")?,
        proposal: proposal.action.proposal.clone(),
        digest: proposal.digest,
        decision: ballot.decision,
        voter: ballot.identity.clone(),
        method: Method::Oidc,
        at: turn.now(),
    };
    Ok(turn.keys.signer.sign_with(body, ballot.assertion.cloned()))
}

async fn write(
    turn: Turn<'_>,
    file: &ProposalFile,
    ballot: &Ballot<'_>,
    receipt: Receipt,
    used: Option<&Used>,
) -> Result<(), VoteError> {
    let proposal = file.proposal();
    let now = receipt.body.at;
    let verdict = turn.app.bundle.may_sign(ballot.person, &proposal.action);
    let rules: Vec<&str> = verdict.rules.iter().map(|rule| rule.id.as_str()).collect();
    let body = json!({
        "person": ballot.person.id,
        "receipt": receipt,
        "policy": verdict.policy,
        "rules": rules,
    });
    let vote = Vote { person: ballot.person.id.clone(), receipt };
    match ballot.decision {
        Decision::Approve => {
            let entry = entry(proposal, "voted", now, &body);
            let look = now.plus(crate::app::LEASE);
            let used = used.map(|used| (&used.before, &used.after));
            turn.app.approvals.vote_with(&file.row, &vote, &entry, look, used).await.map(drop)
        }
        Decision::Deny => {
            let by = ballot.person.id.clone();
            let stage = proposal.after(Move::Deny { by, at: now }).map_err(|_| conflict())?;
            let entry = entry(proposal, "denied", now, &body);
            turn.app.approvals.deny(&file.row, stage, &vote, &entry).await
        }
    }
}

fn conflict() -> VoteError {
    StoreError::Conflict { what: "the proposal" }.into()
}
