//! The digest for finance: once for each business day, in the first hour of work, over everything since the
//! last one, so that Monday's holds the weekend.

use anyhow::{Context as _, Result};
use connectors::slack::{Block, Key, Message};
use domain::Timestamp;
use runtime::Metrics;
use serde::Serialize;

use crate::{App, digest};

/// Where the sweep keeps until when finance was told.
const CURSOR: &str = "digest";

/// A message can be found again this long before the digest's end, in seconds.
const SLACK: i64 = 60;

/// What the sweep did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// From when until when finance was told now.
    pub told: Option<(Timestamp, Timestamp)>,
}

/// Tells finance, if it is time.
///
/// # Errors
/// If a table or Slack does not answer; the next run tries again and does not tell twice.
pub async fn run(app: &App, metrics: &Metrics) -> Result<Report> {
    let processor = &app.processor;
    let now = (processor.clock)();
    let until = Timestamp::from_seconds(now.seconds().div_euclid(86_400) * 86_400);
    let from = processor.cases.cursor(CURSOR).await?.unwrap_or(until.plus(-86_400));
    if from >= until || !processor.bundle.calendar().is_open(now) {
        return Ok(Report::default());
    }
    let digest = digest::gather(&processor.cases, &app.approvals, from, until).await?;
    let facts = digest::message(&digest);
    let name = &processor.bundle.settings().escalation.channel;
    let channel =
        processor.channels.get(name).with_context(|| format!("`SLACK_CHANNELS` has no `{name}`"))?;
    let headline = format!("Billing until {}", until.plus(-1).day());
    // Slack takes ten fields in a section.
    let blocks = std::iter::once(Block::header(&headline)).chain(
        facts
            .chunks(10)
            .map(|some| Block::facts(some.iter().map(|(label, value)| (label.as_str(), value.as_str())))),
    );
    let message = Message {
        channel: channel.clone(),
        text: headline.clone(),
        blocks: blocks.collect(),
        thread: None,
        key: Key { event_type: "countersign_digest".into(), key: until.day() },
    };
    // The run that told may have died before it was noted.
    if processor.slack.find(channel, None, &message.key, until.plus(-SLACK)).await?.is_none() {
        processor.slack.post(&message).await?;
    }
    processor.cases.set_cursor(CURSOR, until).await?;
    metrics.count("digests_told", 1);
    Ok(Report { told: Some((from, until)) })
}
