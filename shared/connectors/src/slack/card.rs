//! What a case looks like in a channel: its first alert is the head of a thread, later ones answer in
//! it, and the head is updated in place when the case moves ([`Slack::update`](super::Slack::update)).
//!
//! The caller keeps the head's `ts`, which [`Slack::post`](super::Slack::post) returned for the case's
//! first alert in that channel, and gives it to later ones.

use domain::{CaseKey, plan::Alert};

use super::{Block, Key, Message, Ts};

/// What one [`Block::facts`] takes.
const MOST_FACTS: usize = 10;

/// An alert of a case, as it is shown.
#[derive(Debug, Clone, Copy)]
pub struct Card<'a> {
    /// The case.
    pub case: &'a CaseKey,
    /// What the team is told. All of it is shown as plain text, whoever wrote it.
    pub alert: &'a Alert,
    /// Where the case stands, once it has moved.
    pub standing: Option<Standing<'a>>,
    /// The address of the page where it is reviewed.
    pub review: Option<&'a str>,
}

/// Where a case stands.
#[derive(Debug, Clone, Copy)]
pub struct Standing<'a> {
    /// In a word or two: `open`, `waits for approval`, `closed`.
    pub state: &'a str,
    /// Who decided, by the name that colleagues know.
    pub decided_by: Option<&'a str>,
}

impl Card<'_> {
    /// The message: the head of the case's thread without `thread`, an answer in it with.
    pub fn message(&self, channel: &str, thread: Option<Ts>, key: Key) -> Message {
        let Self { case, alert, standing, review } = self;
        let priority = format!("Priority: {}", alert.priority.as_str());
        let state = standing.map(|standing| format!("State: {}", standing.state));
        let decided =
            standing.and_then(|standing| standing.decided_by).map(|who| format!("Decided by {who}"));
        let remarks = [Some(priority), state, decided];
        let otherwise = (!alert.otherwise.is_empty()).then(|| format!("Otherwise: {}", alert.otherwise));
        let links = alert.links.iter().map(|(label, url)| (label.as_str(), url.as_str()));
        let mut blocks = vec![
            Block::header(&alert.headline),
            Block::context(remarks.iter().flatten().map(String::as_str)),
        ];
        let facts = alert.facts.chunks(MOST_FACTS);
        blocks.extend(facts.map(|some| Block::facts(some.iter().map(|(name, value)| (&**name, &**value)))));
        blocks.push(Block::section(&alert.next));
        blocks.extend(otherwise.as_deref().map(Block::section));
        blocks.push(Block::links(review.map(|url| ("Review", url)).into_iter().chain(links)));
        let text = format!("{} ({}): {case}", alert.headline, alert.priority.as_str());
        Message { channel: channel.to_owned(), text, blocks, thread, key }
    }
}
