//! A proposal in the thread of its case: the card says how it stands, and what became of it answers there.

use connectors::slack::{Card, Key, Standing, Ts, Verdict};
use domain::{
    PersonId,
    approval::{Person, Stage},
    plan::StepKind,
};
use runtime::failure;
use store::{CaseFile, ProposalRow};

use crate::turn::Turn;

/// The messages about the case that asked, if a case did and the chat has any. Nothing depends on them:
/// what cannot be read is as if it were not there.
pub(crate) async fn file(turn: Turn<'_>, row: &ProposalRow) -> Option<CaseFile> {
    match turn.app.cases.file(row.dossier.case.as_ref()?).await {
        Ok(file) => Some(file),
        Err(error) => {
            let failure = failure::chain(&error);
            tracing::warn!(proposal = row.id().as_str(), failure, "the case of a proposal was not read");
            None
        }
    }
}

/// The card that notes about the case answer: the first that was posted.
pub(crate) fn head(file: &CaseFile) -> Option<(&str, Ts)> {
    let cards = file.channels().filter_map(|channel| file.thread(channel).sent.first()?.posted());
    cards.min_by_key(|(_, ts)| *ts).map(|(conversation, ts)| (conversation, Ts(ts.to_owned())))
}

/// Brings the cards of the case up to date. The page says the same, so a card that is not reached is not
/// tried again; the case's next move shows it anew.
pub(crate) async fn show(turn: Turn<'_>, row: &ProposalRow, file: &CaseFile, state: &str) {
    let decided_by = decided_by(turn, row).await;
    let review = format!("{}/a/{}", turn.app.origin, row.id());
    for channel in file.channels() {
        let thread = file.thread(channel);
        let Some(StepKind::Alert(alert)) = thread.latest.map(|latest| &latest.step.kind) else { continue };
        let Some((card, (conversation, ts))) = thread.sent.first().and_then(|row| Some((row, row.posted()?)))
        else {
            continue;
        };
        let standing = Some(Standing { state, decided_by: decided_by.as_deref() });
        let key = Key { event_type: "countersign_step".into(), key: card.step.key.as_str().to_owned() };
        let shown = Card { case: &card.step.case, alert, standing, review: Some(&review) };
        let message = shown.message(conversation, None, key);
        match turn.app.slack.update(&Ts(ts.to_owned()), &message).await {
            Ok(()) => turn.metrics.count("cards_updated", 1),
            Err(error) => {
                turn.metrics.count("cards_lost", 1);
                let (failure, gone) = (failure::chain(&error), error.verdict() == Verdict::GiveUp);
                tracing::warn!(proposal = row.id().as_str(), failure, gone, "a card was not updated");
            }
        }
    }
}

/// Who decided, by the names that colleagues know.
async fn decided_by(turn: Turn<'_>, row: &ProposalRow) -> Option<String> {
    let who: Vec<PersonId> = match &row.proposal.stage {
        Stage::Denied { by, .. } | Stage::Withdrawn { by, .. } => vec![by.clone()],
        Stage::Executed { .. } | Stage::Failed { .. } => {
            let file = turn.app.approvals.proposal(row.id()).await.ok()??;
            file.votes.into_iter().map(|vote| vote.person).collect()
        }
        _ => return None,
    };
    let people = turn.app.approvals.people().await.ok()?;
    let names = people.iter().filter(|Person { id, .. }| who.contains(id)).map(|person| person.name.as_str());
    let names: Vec<&str> = names.collect();
    (!names.is_empty()).then(|| names.join(", "))
}
