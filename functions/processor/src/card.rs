//! A case in the team's chat: its first alert in a channel is the card, later ones answer in its thread,
//! and the card is brought up to date when the case moves.
//!
//! Which message is the card stands nowhere by itself: it is the first one that was sent, by the vendor's
//! ids in the outbox. So a card that could not be posted keeps nobody from hearing: whichever alert comes
//! first is the card.

use std::borrow::Cow;

use connectors::slack::{Card, Key, Message, SlackError, Standing, Ts, Verdict};
use domain::{
    Case,
    case::{CaseKey, CaseState},
    plan::{Alert, Step, StepKey, StepKind},
};
use runtime::{Metrics, failure};
use store::{CaseFile, StepRow, StepState, StoreError};

use crate::{App, dispatch::Sent};

/// How often a card is shown anew because the case moved on meanwhile.
const ROUNDS: u32 = 3;

/// Posts an alert. Slack has no idempotency key, so the message carries the step's key as metadata, and a
/// run that takes over a step looks for it before it posts: in the channel, and in the threads that it may
/// have been an answer in. `new` is the case, if it has just begun and need not be read.
pub(crate) async fn tell(
    app: &App,
    step: &Step,
    told: &Alert,
    again: Option<&StepRow>,
    new: Option<&CaseFile>,
) -> Sent {
    let Some(channel) = app.channels.get(&told.channel) else {
        return Sent::Failed(format!("`SLACK_CHANNELS` has no `{}` any more", told.channel));
    };
    let file = match new {
        Some(file) => Cow::Borrowed(file),
        None => match app.cases.file(&step.case).await {
            Ok(file) => Cow::Owned(file),
            Err(error) => return Sent::Later { why: failure::chain(&error), after: None },
        },
    };
    let thread = file.thread(&told.channel);
    let sent = thread.sent.iter().filter_map(|row| row.posted());
    let heads: Vec<Ts> =
        sent.filter(|(place, _)| place == channel).map(|(_, ts)| Ts(ts.to_owned())).collect();
    if let Some(row) = again {
        for place in std::iter::once(None).chain(heads.iter().map(Some)) {
            match app.slack.find(channel, place, &key(&step.key), row.since).await {
                Ok(Some(ts)) => return done(channel, &ts),
                Ok(None) => {}
                Err(error) => return later(&error),
            }
        }
    }
    let message = match heads.first() {
        None if file.planned(&step.key) => head(app, &file, told, step, channel),
        card => {
            let answer = Card { case: &step.case, alert: told, standing: None, review: review(app) };
            answer.message(channel, card.cloned(), key(&step.key))
        }
    };
    let posted = match app.slack.post(&message).await {
        // The card may be gone, and nothing was posted: the team hears all the same.
        Err(SlackError::Refused { .. }) if message.thread.is_some() => {
            app.slack.post(&Message { thread: None, ..message }).await
        }
        posted => posted,
    };
    match posted {
        Ok(ts) => done(channel, &ts),
        Err(error) if error.verdict() == Verdict::GiveUp => Sent::Failed(failure::chain(&error)),
        Err(error) => later(&error),
    }
}

/// Brings the cards of a case up to date. Whoever finds afterwards that the case moved on shows it again,
/// so the last one to write shows the last state; a card that could not be reached is due again when the
/// lease of its turn is over.
///
/// # Errors
/// If the store does not answer.
pub async fn show(app: &App, metrics: &Metrics, key: &CaseKey) -> Result<(), StoreError> {
    if app.cases.is_frozen().await? {
        return Ok(());
    }
    for _ in 0..ROUNDS {
        let file = app.cases.file(key).await?;
        let Some(case) = &file.case else { return Ok(()) };
        if !all_shown(app, metrics, &file).await || app.cases.settle_card(case).await? {
            return Ok(());
        }
    }
    Ok(())
}

/// Whether every card of the case shows it as it is, or never will.
async fn all_shown(app: &App, metrics: &Metrics, file: &CaseFile) -> bool {
    let mut all = true;
    for channel in file.channels() {
        let thread = file.thread(channel);
        let Some(StepKind::Alert(latest)) = thread.latest.map(|row| &row.step.kind) else { continue };
        let Some((card, (conversation, ts))) = thread.sent.first().and_then(|row| Some((row, row.posted()?)))
        else {
            // It is being sent, perhaps as the case was before.
            all = false;
            continue;
        };
        let message = head(app, file, latest, &card.step, conversation);
        match app.slack.update(&Ts(ts.to_owned()), &message).await {
            Ok(()) => metrics.count("cards_updated", 1),
            Err(error) if error.verdict() == Verdict::GiveUp => {
                tracing::warn!(case = %card.step.case, failure = failure::chain(&error), "a card is lost");
                metrics.count("cards_lost", 1);
            }
            Err(error) => {
                tracing::warn!(case = %card.step.case, failure = failure::chain(&error), "a card waits");
                all = false;
            }
        }
    }
    all
}

/// The card: the newest alert, and where the case stands.
fn head(app: &App, file: &CaseFile, latest: &Alert, card: &Step, conversation: &str) -> Message {
    let mut alert = latest.clone();
    if file.case.as_ref().is_some_and(|case| case.state == CaseState::Closed) {
        alert.headline = format!("Closed: {}", alert.headline);
        "Nothing is left to do.".clone_into(&mut alert.next);
        alert.otherwise.clear();
    }
    let state = file.case.as_ref().map(|case| standing(case, &file.steps));
    let standing = state.as_deref().map(|state| Standing { state, decided_by: None });
    let card_of = Card { case: &card.case, alert: &alert, standing, review: review(app) };
    card_of.message(conversation, None, key(&card.key))
}

/// Where a case stands, in words. What became of a request the approver tells.
fn standing(case: &Case, steps: &[StepRow]) -> String {
    let asks = |row: &StepRow| {
        let sent = row.step.kept.is_none() && !matches!(row.state, StepState::Failed { .. });
        matches!(row.step.kind, StepKind::Request { .. }) && sent
    };
    let state = match case.state {
        CaseState::Closed => "closed",
        CaseState::Open => "open",
    };
    let mut words = vec![state.to_owned(), case.classification.bucket.as_str().replace('_', " ")];
    if case.state == CaseState::Open {
        words.extend(case.deadline.map(|deadline| format!("until {}", deadline.day())));
        words.extend(steps.iter().any(asks).then(|| "approval asked for".to_owned()));
    }
    words.join(", ")
}

fn review(app: &App) -> Option<&str> {
    app.console.as_deref()
}

fn key(step: &StepKey) -> Key {
    Key { event_type: "countersign_step".into(), key: step.as_str().to_owned() }
}

fn done(channel: &str, ts: &Ts) -> Sent {
    Sent::Done(format!("{channel}/{}", ts.0))
}

fn later(error: &SlackError) -> Sent {
    Sent::Later { why: failure::chain(error), after: error.retry_after() }
}
