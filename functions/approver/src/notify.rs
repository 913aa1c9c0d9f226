//! Telling people: a message with a link to each who may sign, and a note to the channel.

use anyhow::{Context as _, Result};
use connectors::slack::{Block, Key, Message, Ts, Verdict};
use domain::{
    ProposalId, RequestId,
    approval::{End, Identity, Link, Mandate, Person, ReversibleOperation, Stage, System},
};
use runtime::failure;
use store::{ProposalFile, ProposalRow};

use crate::{app::LINK_LIFE, card, eligible, keys, mandate, pages, propose::NotProposed, turn::Turn};

/// Tells everybody who may sign an open proposal, unless they were told. Where it is not known
/// whether a message went out, it is looked for before it is sent again (I4).
pub(crate) async fn approvers(turn: Turn<'_>, id: &ProposalId) -> Result<()> {
    let app = turn.app;
    let file = app.approvals.proposal(id).await?.context("the proposal is not there")?;
    let row = &file.row.value;
    if row.notified || !row.proposal.is_open(turn.now()) {
        return Ok(());
    }
    let people = app.approvals.people().await?;
    let eligible: Vec<&Person> = people.iter().filter(|person| eligible::by_row(app, person, row)).collect();
    if eligible.len() < usize::from(row.proposal.action.need) {
        tracing::warn!(proposal = id.as_str(), "too few people of the registry may sign a proposal");
        turn.metrics.count("proposals_without_approver", 1);
        note(turn, row, "A proposal waits, and too few people of the registry may sign it", None).await;
    }
    let asked_by = people
        .iter()
        .find(|person| person.id == row.proposal.action.requester)
        .map_or("the agent", |person| person.name.as_str());
    let (mut reached, mut failed) = (0, None);
    for person in eligible {
        let Some(identity) = chat_identity(person) else { continue };
        // One account that cannot be written to must not keep the others from hearing.
        match tell(turn, row, identity, asked_by).await {
            Ok(()) => reached += 1,
            Err(error) => failed = Some(error),
        }
        turn.checkpoint("told")?;
    }
    if let Some(error) = failed {
        turn.metrics.count("approvers_not_told", 1);
        if reached < usize::from(row.proposal.action.need) {
            return Err(error);
        }
        let failure = failure::chain(error.as_ref());
        tracing::warn!(proposal = id.as_str(), failure, "an approver was not told; others were");
    }
    if let Some(case) = card::file(turn, row).await {
        Box::pin(card::show(turn, row, &case, "waits for approval")).await;
    }
    match app.approvals.set_notified(&file.row).await {
        // Somebody voted meanwhile: the next look finds the messages.
        Err(error) if error.is_conflict() => Ok(()),
        outcome => outcome.map(drop).map_err(Into::into),
    }
}

/// The identity that can be written to: a workspace's. Other providers are known by their address.
fn chat_identity(person: &Person) -> Option<&Identity> {
    person.identities.iter().find(|identity| !identity.team.contains("://"))
}

async fn tell(turn: Turn<'_>, row: &ProposalRow, to: &Identity, asked_by: &str) -> Result<()> {
    let app = turn.app;
    let url = link(turn, row, to)?;
    let action = &row.proposal.action;
    let (expires, digest) = (action.expires.to_string(), row.proposal.digest.short());
    let mut facts =
        vec![("Asked for by", asked_by), ("Decide before", expires.as_str()), ("Check", digest.as_str())];
    let moved = row.dossier.replaces.as_ref().map(|(_, moved)| moved.as_str());
    facts.extend(moved.map(|moved| ("Proposed anew, because", moved)));
    let what = format!("{}.", action.operation);
    let blocks = vec![
        Block::header("Your approval is asked for"),
        Block::section(&what),
        Block::facts(facts),
        Block::links([("Review", url.as_str())]),
        Block::context(["The link is yours alone and lasts an hour; opening it decides nothing."]),
    ];
    let channel = app.slack.open_dm(&to.user).await.context("could not open a direct message")?;
    let key = Key { event_type: "countersign_approval".into(), key: format!("{}.{}", row.id(), to.user) };
    if let Some(_there) = app.slack.find(&channel, None, &key, action.created).await? {
        return Ok(());
    }
    let text = "Your approval is asked for".to_owned();
    match app.slack.post(&Message { channel, text, blocks, thread: None, key }).await {
        Ok(_) => turn.metrics.count("approvers_told", 1),
        // It will not get better; the inbox shows the proposal all the same.
        Err(error) if error.verdict() == Verdict::GiveUp => {
            turn.metrics.count("approvers_not_told", 1);
            tracing::error!(
                proposal = row.id().as_str(),
                failure = failure::chain(&error),
                "an approver was not told"
            );
        }
        Err(error) => return Err(error).context("could not send a direct message"),
    }
    Ok(())
}

/// The address of the review page, with a token for one person.
fn link(turn: Turn<'_>, row: &ProposalRow, to: &Identity) -> Result<String> {
    let now = turn.now();
    let link = Link {
        audience: turn.app.audience.clone(),
        proposal: row.id().clone(),
        digest: row.proposal.digest,
        approver: to.clone(),
        issued: now,
        expires: now.plus(LINK_LIFE),
        nonce: keys::random()?,
    };
    let token = turn.keys.links.mint(&link).context("there is no link key")?;
    Ok(format!("{}/a/{}?t={token}", turn.app.origin, row.id()))
}

/// Tells the channel how a proposal ended, or that its outcome is unknown: on the card of its case, and by
/// an answer to it. The page says the same, so a note that is lost with its run is not sent again.
pub(crate) async fn outcome(turn: Turn<'_>, row: &ProposalRow) {
    let system = row.proposal.action.operation.kind().system();
    let headline = match &row.proposal.stage {
        Stage::Pending | Stage::Executing(domain::approval::Attempt { unknown: None, .. }) => return,
        Stage::Executing(_) => match system {
            System::Stripe => "Nobody knows yet whether Stripe did it; it is being looked for",
            System::Mail => {
                "Nobody knows whether a message went out; it is not sent again, and somebody has to look"
            }
            System::Application => "Nobody knows yet whether the application did it; it is being looked for",
            System::Here => "Nobody knows yet whether it was done; it is being looked for",
        },
        Stage::Executed { .. } if row.mandate.is_some() => "Done under a mandate",
        Stage::Executed { .. } => "Approved and done",
        Stage::Failed { code, .. } => pages::failure(system, code),
        Stage::Denied { .. } => "Denied",
        Stage::Withdrawn { .. } => "Taken back; nothing was sent",
        Stage::Expired { .. } => "Nobody decided in time",
        Stage::Stale { .. } => "Void: Stripe moved on before it was done, and nothing was sent",
        Stage::Tampered { .. } => "Stopped: what was stored is not what was signed, and nothing was sent",
    };
    // Boxed: the caller is a vote, and a large future already.
    Box::pin(async {
        let Some(case) = card::file(turn, row).await else { return note(turn, row, headline, None).await };
        tokio::join!(card::show(turn, row, &case, headline), note(turn, row, headline, card::head(&case)));
    })
    .await;
}

/// Tells the channel that a request became no proposal.
pub(crate) async fn refused(turn: Turn<'_>, request: &RequestId, why: &NotProposed) {
    let why = format!("{why}.");
    let blocks = vec![
        Block::header("A request was not proposed"),
        Block::section(&why),
        Block::facts([("Request", request.as_str())]),
    ];
    post(turn, "A request was not proposed", blocks, request.as_str(), None).await;
}

async fn note(turn: Turn<'_>, row: &ProposalRow, headline: &str, card: Option<(&str, Ts)>) {
    let what = format!("{}.", row.proposal.action.operation);
    let url = format!("{}/a/{}", turn.app.origin, row.id());
    let undo = format!("{url}/undo");
    let mut links = vec![("Open", url.as_str())];
    let done = matches!(row.proposal.stage, Stage::Executed { .. });
    if done && ReversibleOperation::of(&row.proposal.action.operation).is_some() {
        links.push(("Ask to undo it", undo.as_str()));
    }
    let mut blocks = vec![Block::header(headline), Block::section(&what), Block::links(links)];
    let mandate =
        row.mandate.as_ref().map(|mandate| format!("Mandate {mandate}; the inbox shows what stands."));
    blocks.extend(mandate.as_deref().map(|mandate| Block::context([mandate])));
    let key = format!("{}.{}", row.id(), row.proposal.stage.name());
    post(turn, headline, blocks, &key, card).await;
}

/// Tells the channel that a mandate ended.
pub(crate) async fn mandate_ended(turn: Turn<'_>, mandate: &Mandate, why: &End) {
    let what = format!("{}.", mandate::sentence(mandate));
    let why = format!("It ended because {why}. From now on people are asked.");
    let url = format!("{}/a/{}", turn.app.origin, mandate.proposal);
    let blocks = vec![
        Block::header("A mandate ended"),
        Block::section(&what),
        Block::section(&why),
        Block::links([("Open", url.as_str())]),
    ];
    post(turn, "A mandate ended", blocks, &format!("{}.ended", mandate.id), None).await;
}

async fn post(turn: Turn<'_>, text: &str, blocks: Vec<Block>, key: &str, card: Option<(&str, Ts)>) {
    let key = Key { event_type: "countersign_outcome".into(), key: key.to_owned() };
    let channel = card.as_ref().map_or(turn.app.channel.as_str(), |(channel, _)| channel).to_owned();
    let thread = card.map(|(_, ts)| ts);
    let message = Message { channel, text: text.to_owned(), blocks, thread, key };
    if let Err(error) = turn.app.slack.post(&message).await {
        turn.metrics.count("notes_lost", 1);
        tracing::warn!(failure = failure::chain(&error), "a note was not sent");
    }
}

/// Who voted, by person, for a page.
pub(crate) fn has_voted(file: &ProposalFile, person: &Person) -> bool {
    file.votes.iter().any(|vote| vote.person == person.id)
}
