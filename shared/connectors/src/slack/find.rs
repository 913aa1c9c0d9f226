//! Looking for a message of our own.

use domain::Timestamp;
use serde::Deserialize;

use super::{Key, Slack, SlackError, Ts, error::Cause};

/// Messages in one page. Slack recommends no more than 200:
/// <https://docs.slack.dev/apis/web-api/pagination>.
const PAGE: usize = 200;

/// Pages that are looked through before giving up.
const PAGES: usize = 10;

/// Our clock and Slack's need not agree: this many seconds before `since` are looked through too.
const SKEW: i64 = 120;

#[derive(Deserialize)]
struct Page {
    messages: Vec<Posted>,
    #[serde(default)]
    response_metadata: Next,
}

#[derive(Default, Deserialize)]
struct Next {
    #[serde(default)]
    next_cursor: String,
}

#[derive(Deserialize)]
struct Posted {
    ts: Ts,
    metadata: Option<Found>,
}

/// Metadata of any app; only ours has a key of text.
#[derive(Deserialize)]
struct Found {
    #[serde(default)]
    event_type: String,
    #[serde(default)]
    event_payload: serde_json::Value,
}

impl Posted {
    fn is(&self, key: &Key) -> bool {
        self.metadata.as_ref().is_some_and(|found| {
            found.event_type == key.event_type
                && found.event_payload.get("key").and_then(serde_json::Value::as_str) == Some(&key.key)
        })
    }
}

impl Slack {
    /// The message with this key that was posted in a conversation since about then; in the given
    /// thread, if it was an answer, since a conversation's history does not show those
    /// (<https://docs.slack.dev/reference/methods/conversations.history>,
    /// <https://docs.slack.dev/reference/methods/conversations.replies>).
    ///
    /// # Errors
    /// An error says nothing about the message. In particular [`SlackError::Unknown`] comes when the
    /// conversation holds more than was looked through: then a person has to look.
    pub async fn find(
        &self,
        channel: &str,
        thread: Option<&Ts>,
        key: &Key,
        since: Timestamp,
    ) -> Result<Option<Ts>, SlackError> {
        let method = if thread.is_some() { "conversations.replies" } else { "conversations.history" };
        let (oldest, limit) = (since.plus(-SKEW).seconds().to_string(), PAGE.to_string());
        let mut cursor = String::new();
        for _ in 0..PAGES {
            let mut query = vec![
                ("channel", channel),
                ("include_all_metadata", "true"),
                ("inclusive", "true"),
                ("limit", &limit),
                ("oldest", &oldest),
            ];
            query.extend(thread.map(|thread| ("ts", thread.0.as_str())));
            if !cursor.is_empty() {
                query.push(("cursor", &cursor));
            }
            let page: Page = self.read(method, &query).await?;
            if let Some(found) = page.messages.into_iter().find(|message| message.is(key)) {
                return Ok(Some(found.ts));
            }
            cursor = page.response_metadata.next_cursor;
            if cursor.is_empty() {
                return Ok(None);
            }
        }
        Err(SlackError::Unknown { method, cause: Cause::TooMany(PAGE * PAGES) })
    }
}
