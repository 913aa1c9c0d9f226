//! The inbox, the review page and the decision.

use anyhow::Result;
use domain::{
    Digest, PersonId, ProposalId,
    approval::{
        Attempt, Decision, EmailAddress, Link, LinkRefused, PasskeyRefused, Person, Receipt, Stage,
        vote_challenge,
    },
    policy::{RuleRef, Verdict},
    snapshot::Customer,
};
use http::StatusCode;
use runtime::failure;
use serde::Deserialize;
use store::{ProposalFile, ProposalRow};

use super::{
    answer::Answer,
    passkeys::{Answered, CHALLENGE_LIFE, base64url},
    request::{Refused, Request},
    sessions::{self, SignedIn},
};
use crate::{
    ballot::{self, Ballot, NoVote},
    eligible,
    execute::Progress,
    keys, notify,
    pages::{self, Prompt, Reread, Review, Standing},
    passkeys, propose, read,
    turn::Turn,
};

/// How many decided proposals the inbox shows.
const DECIDED: usize = 20;

/// A vote this soon after its page, in seconds, is counted by itself: many of them mean that nobody reads.
const QUICK: i64 = 5;

/// How long somebody has to have the page before an approval counts, in seconds.
const READING: i64 = 2;

/// `GET /`: what waits for me, what waits for others, what was decided.
pub(super) async fn inbox(turn: Turn<'_>, request: &Request) -> Result<Answer> {
    let Some(me) = sessions::signed_in(turn, request).await? else { return Ok(sessions::ask("/")) };
    let approvals = &turn.app.approvals;
    let (open, decided, frozen) =
        tokio::try_join!(approvals.open_proposals(), approvals.decided(DECIDED), approvals.frozen())?;
    let (mut mine, mut others) = (Vec::new(), Vec::new());
    for row in open {
        if waits_for(turn, &me.person, &row).await? { mine.push(row) } else { others.push(row) }
    }
    let mandates = mandates(turn, &me).await?;
    let (shown, frozen, now) = (me.shown(turn), frozen.is_some(), turn.now());
    Ok(Answer::ok(pages::inbox(&shown, &mut mine, &mut others, &decided, &mandates, frozen, now)))
}

/// The mandates that stand, each with the token to stop it if this person may.
async fn mandates(turn: Turn<'_>, me: &SignedIn) -> Result<Vec<Standing>> {
    let mut all = Vec::new();
    for mandate in turn.app.approvals.standing_mandates().await? {
        let mandate = mandate.value;
        let granting = turn.app.approvals.proposal(&mandate.proposal).await?;
        let may_stop = granting.is_some_and(|granting| propose::may_withdraw(turn, &me.person, &granting));
        let stop = may_stop.then(|| me.csrf(turn, "stop", &[mandate.id.as_str()]));
        all.push(Standing { mandate, stop });
    }
    Ok(all)
}

async fn waits_for(turn: Turn<'_>, me: &Person, row: &ProposalRow) -> Result<bool> {
    if !row.proposal.is_open(turn.now()) || !eligible::by_row(turn.app, me, row) {
        return Ok(false);
    }
    let file = turn.app.approvals.proposal(row.id()).await?;
    Ok(file.is_some_and(|file| !notify::has_voted(&file, me)))
}

/// `GET /a/{id}`: shows a proposal, and changes nothing. With a token it only finds out who is meant.
pub(super) async fn review(turn: Turn<'_>, request: &Request, id: &str) -> Result<Answer> {
    let Ok(id) = ProposalId::parse(id) else { return Ok(Answer::not_found()) };
    if let Some(token) = request.query.get("t") {
        return by_link(turn, request, &id, token).await;
    }
    let Some(me) = sessions::signed_in(turn, request).await? else {
        return Ok(sessions::ask(&format!("/a/{id}")));
    };
    let Some(file) = turn.app.approvals.proposal(&id).await? else { return Ok(Answer::not_found()) };
    Box::pin(show(turn, &me, &file, None)).await
}

/// A link locates, and authorises nothing: whoever follows it still signs in, as the one it is for.
async fn by_link(turn: Turn<'_>, request: &Request, id: &ProposalId, token: &str) -> Result<Answer> {
    let Ok(link) = open_link(turn, id, token) else {
        turn.metrics.count("links_refused", 1);
        return Ok(Answer::not_found());
    };
    // Asked after the MAC, so that a stranger costs no read.
    let key = token.split('.').nth(1).unwrap_or_default();
    if turn.app.approvals.revoked_link_keys().await?.contains(key) {
        turn.metrics.count("links_revoked", 1);
        return Ok(Answer::not_found());
    }
    let here = format!("/a/{id}");
    match sessions::signed_in(turn, request).await? {
        None => Ok(sessions::ask(&here)),
        Some(me) if me.session.identity == link.approver => Ok(Answer::see_other(here)),
        Some(me) => {
            turn.metrics.count("links_of_others", 1);
            tracing::warn!(
                proposal = id.as_str(),
                person = me.person.id.as_str(),
                meant = link.approver.user,
                "somebody followed another person's link"
            );
            Ok(Answer::page(StatusCode::FORBIDDEN, pages::not_yours(&me.shown(turn))))
        }
    }
}

fn open_link(turn: Turn<'_>, id: &ProposalId, token: &str) -> Result<Link, LinkRefused> {
    let link = turn.keys.links.open(token, &turn.app.audience, turn.now())?;
    if link.proposal == *id { Ok(link) } else { Err(LinkRefused::BadMac) }
}

/// `POST /a/{id}`: one decision.
pub(super) async fn decide(turn: Turn<'_>, request: &Request, id: &str) -> Result<Answer> {
    let form = request.form_with(&turn.app.origin, ["decision", "digest", "csrf"]);
    let form = form.and_then(|(values, mut more)| {
        let typed = more.remove("amount").unwrap_or_default();
        let answered = Answered::take(&mut more)?;
        if more.is_empty() { Ok((values, typed, answered)) } else { Err(Refused::Unreadable) }
    });
    let ([decision, digest, csrf], typed, answered) = match form {
        Ok(form) => form,
        Err(refused) => {
            turn.metrics.count("forms_refused", 1);
            return Ok(Answer::page(refused.status(), pages::refused(&refused.to_string())));
        }
    };
    let Ok(id) = ProposalId::parse(id) else { return Ok(Answer::not_found()) };
    let here = format!("/a/{id}");
    let Some(me) = sessions::signed_in(turn, request).await? else {
        turn.metrics.count("forms_refused", 1);
        return Ok(Answer::page(StatusCode::FORBIDDEN, pages::sign_in(&here)));
    };
    let nonce = answered.as_ref().map(|answered| answered.nonce.as_str());
    let bound: Vec<&str> = [id.as_str(), &digest].into_iter().chain(nonce).collect();
    let shown_at = me.shown_at(turn, "decide", &bound, &csrf);
    let asks = nonce.is_some() && decision == "approve";
    let too_old = |shown| asks && turn.now().since(shown) > CHALLENGE_LIFE;
    let Some(shown_at) = shown_at.filter(|shown| !too_old(*shown)) else {
        turn.metrics.count("forms_refused", 1);
        return Ok(Answer::page(StatusCode::FORBIDDEN, pages::stale_form(&here)));
    };
    let decision = match decision.as_str() {
        "approve" => Decision::Approve,
        "deny" => Decision::Deny,
        _ => return Ok(Answer::page(StatusCode::BAD_REQUEST, pages::stale_form(&here))),
    };
    let Ok(digest) = Digest::parse(&digest) else {
        return Ok(Answer::page(StatusCode::BAD_REQUEST, pages::stale_form(&here)));
    };
    // Nobody has read a page in so short a time. A denial makes nothing happen, so it may be quick.
    if decision == Decision::Approve && turn.now().since(shown_at) < READING {
        turn.metrics.count("votes_too_fast", 1);
        let Some(file) = turn.app.approvals.proposal(&id).await? else { return Ok(Answer::not_found()) };
        let notice = "It was not counted, because it came too fast. Read it, then decide.";
        return Box::pin(show(turn, &me, &file, Some(notice))).await;
    }
    let assertion = match (decision, answered) {
        (Decision::Approve, Some(answered)) => answered.assertion(&me.person.id),
        _ => Ok(None),
    };
    let cast = match &assertion {
        Ok(assertion) => {
            let assertion = assertion.as_ref();
            let (person, identity) = (&me.person, &me.session.identity);
            let ballot = Ballot { person, identity, digest, decision, typed: &typed, assertion };
            Box::pin(ballot::cast(turn, &id, &ballot)).await?
        }
        Err(refused) => {
            turn.metrics.count_by("passkeys_refused", refused.word(), 1);
            Err(NoVote::Passkey(*refused))
        }
    };
    match cast {
        Ok(progress) => {
            let quick = u64::from(turn.now().since(shown_at) < QUICK);
            turn.metrics.count("votes_within_5s", quick);
            result(turn, &me, &id, decision, &progress).await
        }
        Err(NoVote::Unknown) => Ok(Answer::not_found()),
        Err(refused) => {
            turn.metrics.count("votes_refused", 1);
            tracing::info!(
                proposal = id.as_str(),
                person = me.person.id.as_str(),
                "a vote was refused: {refused}"
            );
            let page = pages::vote_refused(&me.shown(turn), &refused.to_string(), &here);
            Ok(Answer::page(status(&refused), page))
        }
    }
}

const fn status(refused: &NoVote) -> StatusCode {
    match refused {
        NoVote::Unknown => StatusCode::NOT_FOUND,
        NoVote::Closed(_) | NoVote::OtherDigest | NoVote::Tampered | NoVote::Voted | NoVote::Raced => {
            StatusCode::CONFLICT
        }
        NoVote::Expired => StatusCode::GONE,
        NoVote::Frozen => StatusCode::LOCKED,
        NoVote::OtherAmount => StatusCode::UNPROCESSABLE_ENTITY,
        NoVote::Unreadable => StatusCode::SERVICE_UNAVAILABLE,
        NoVote::Ineligible(_) | NoVote::Passkey(_) => StatusCode::FORBIDDEN,
    }
}

async fn result(
    turn: Turn<'_>,
    me: &SignedIn,
    id: &ProposalId,
    decision: Decision,
    progress: &Progress,
) -> Result<Answer> {
    let Some(file) = turn.app.approvals.proposal(id).await? else { return Ok(Answer::not_found()) };
    let status = if *progress == Progress::Frozen { StatusCode::LOCKED } else { StatusCode::OK };
    let own = receipt_of(&file, &me.person);
    Ok(Answer::page(status, pages::result(&me.shown(turn), &file, own, decision, progress)))
}

/// The receipt of somebody's own vote.
fn receipt_of<'a>(file: &'a ProposalFile, person: &Person) -> Option<&'a Receipt> {
    file.votes.iter().find(|vote| vote.person == person.id).map(|vote| &vote.receipt)
}

/// The review page, with everything read again.
async fn show(
    turn: Turn<'_>,
    me: &SignedIn,
    file: &ProposalFile,
    notice: Option<&'static str>,
) -> Result<Answer> {
    let proposal = file.proposal();
    let row = &file.row.value;
    let now = match read::again(turn, &proposal.action).await {
        Ok(Some(facts)) => Reread::Found(Box::new(facts)),
        Ok(None) => Reread::Gone,
        Err(error) => {
            tracing::warn!(failure = failure::chain(error.as_ref()), "a review page could not read Stripe");
            Reread::Unreadable
        }
    };
    let facts = now.facts();
    let customer: Option<Customer> = match facts {
        Some(facts) => read::customer_of(turn, &proposal.action.account, facts).await.ok().flatten(),
        None => None,
    };
    let address = customer.as_ref().and_then(|customer| customer.email.clone());
    let address = address.and_then(|email| EmailAddress::parse(email).ok());
    let (frozen, people) = tokio::try_join!(turn.app.approvals.frozen(), turn.app.approvals.people())?;
    let ballot = Ballot {
        person: &me.person,
        identity: &me.session.identity,
        digest: proposal.digest,
        decision: Decision::Approve,
        typed: "",
        assertion: None,
    };
    let refused = ballot::open_to(turn, file, &ballot, address.as_ref()).await?.err();
    // A denial makes nothing happen, so it is offered while everything is stopped, or unreadable.
    let may_deny = matches!(refused, None | Some(NoVote::Frozen));
    let may_approve = refused.is_none() && facts.is_some();
    let digest = proposal.digest.to_string();
    let id = proposal.action.proposal.as_str();
    let needs_passkey = may_approve && passkeys::is_needed(turn.app, row);
    let prompt = if needs_passkey { prompt(turn, me, file).await? } else { None };
    let without_passkey = needs_passkey && prompt.is_none();
    let refused = refused.or_else(|| without_passkey.then_some(NoVote::Passkey(PasskeyRefused::None)));
    let nonce = prompt.as_ref().map(|prompt| prompt.nonce.as_str());
    let bound: Vec<&str> = [id, &digest].into_iter().chain(nonce).collect();
    let csrf = me.timed_csrf(turn, "decide", &bound);
    let moved = facts.map(|now| row.dossier.facts.moved(now));
    let name =
        |id: &PersonId| people.iter().find(|person| person.id == *id).map(|person| person.name.clone());
    let verdict = turn.app.bundle.may_sign(&me.person, &proposal.action);
    let shown = me.shown(turn);
    // Who may deny it has no use for a second button that ends it.
    let may_withdraw =
        proposal.stage == Stage::Pending && !may_deny && propose::may_withdraw(turn, &me.person, file);
    let may_look = matches!(&proposal.stage, Stage::Executing(Attempt { unknown: Some(_), lease, .. })
        if *lease <= turn.now())
        && verdict.permitted
        && me.person.id != proposal.action.requester;
    let review = Review {
        me: &shown,
        file,
        now_read: &now,
        customer: customer.as_ref().filter(|customer| !customer.deleted),
        moved: moved.unwrap_or_default(),
        asked_by_rules: asked_by_rules(turn, file).await,
        rules: &verdict.rules,
        requester: name(&proposal.action.requester).unwrap_or_else(|| "the agent".to_owned()),
        signed: file
            .votes
            .iter()
            .map(|vote| name(&vote.person).unwrap_or_else(|| vote.person.to_string()))
            .collect(),
        may_sign: people
            .iter()
            .filter(|person| eligible::by_row(turn.app, person, row) && !notify::has_voted(file, person))
            .map(|person| person.name.clone())
            .collect(),
        receipt: receipt_of(file, &me.person),
        refused: refused.map(|refused| refused.to_string()),
        may_approve: may_approve && !without_passkey,
        may_deny,
        prompt,
        typed: ballot::typed_amount(turn, file),
        withdraw: may_withdraw.then(|| me.csrf(turn, "withdraw", &[id])),
        looked: may_look.then(|| me.csrf(turn, "looked", &[id])),
        notice,
        frozen: frozen.is_some(),
        csrf,
        account: Some(&proposal.action.account).filter(|account| **account != turn.app.account),
        now: turn.now(),
    };
    let page = Answer::ok(pages::review(&review));
    Ok(if review.prompt.is_some() { page.with_script() } else { page })
}

/// What the browser needs to ask for a passkey; `None` if the reader has none that counts. Nothing is
/// stored, since showing a page changes nothing (I9): the page carries the nonce, and its anti-forgery
/// token says that it is ours. It cannot be used twice, since nobody votes twice.
async fn prompt<'a>(turn: Turn<'a>, me: &SignedIn, file: &ProposalFile) -> Result<Option<Prompt<'a>>> {
    let own = turn.app.approvals.passkeys(&me.person.id).await?.value;
    let credentials: Vec<_> =
        passkeys::usable(turn.app, &own, turn.now()).map(|passkey| passkey.credential.clone()).collect();
    if credentials.is_empty() {
        return Ok(None);
    }
    let proposal = file.proposal();
    let nonce = keys::random_token()?;
    let challenge = vote_challenge(&nonce, &proposal.action.proposal, proposal.digest, Decision::Approve);
    Ok(Some(Prompt { challenge: base64url(challenge), party: &turn.app.party.id, credentials, nonce }))
}

/// The rules by which the agent asked, from the trail of the case. They are only shown; without them the
/// page says the rest.
async fn asked_by_rules(turn: Turn<'_>, file: &ProposalFile) -> Vec<RuleRef> {
    #[derive(Deserialize)]
    struct Decided {
        decision: Verdicts,
    }
    #[derive(Deserialize)]
    struct Verdicts {
        verdicts: Vec<Verdict>,
    }
    let Some(case) = &file.row.value.dossier.case else { return Vec::new() };
    let entries = match turn.app.cases.trail(case).await {
        Ok(entries) => entries,
        Err(error) => {
            tracing::warn!(failure = failure::chain(&error), "a review page could not read the case's trail");
            return Vec::new();
        }
    };
    let asked = entries.iter().rev().find_map(|entry| {
        let decided: Decided = serde_json::from_str(&entry.body).ok()?;
        decided.decision.verdicts.into_iter().find(|verdict| verdict.asked == "request" && verdict.permitted)
    });
    asked.map(|verdict| verdict.rules).unwrap_or_default()
}
