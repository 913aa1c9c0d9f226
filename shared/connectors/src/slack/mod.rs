//! Slack's Web API, as far as messages are posted with it: <https://docs.slack.dev/apis/web-api/>.
//!
//! `chat.postMessage` has no documented idempotency: `client_msg_id` is no argument on its page
//! (<https://docs.slack.dev/reference/methods/chat.postMessage>), and nothing says that a second
//! message with the same one is not posted. So each message carries a key in its metadata
//! (<https://docs.slack.dev/messaging/message-metadata>), and after an unknown outcome
//! [`Slack::find`] looks for the key before anything is sent again (I4). What that rests on: only one
//! run holds a step, it waits out its lease before it looks, and Slack shows a posted message in the
//! conversation's history by then. Where more was posted since than is looked through, a person looks.
//! `chat.update` may be repeated at will.
//!
//! The app needs the scopes `chat:write`, `im:write`, and `*:history` for the conversations that it
//! posts in.

pub mod blocks;
mod call;
pub mod card;
mod error;
mod find;
#[cfg(test)]
mod tests;
pub mod text;

use std::sync::{Arc, Mutex};

use reqwest::Client;
use runtime::Clock;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::breaker::Breaker;

pub use blocks::Block;
pub use card::{Card, Standing};
pub use error::{SlackError, Verdict};

/// The address of the Web API.
pub const API: &str = "https://slack.com/api";

/// Slack takes this many blocks in a message: <https://docs.slack.dev/reference/block-kit/blocks>.
const MOST_BLOCKS: usize = 50;

/// Slack asks for no more than this many characters of text and cuts off after ten times as many:
/// <https://docs.slack.dev/reference/methods/chat.postMessage#truncating>.
const LONGEST_TEXT: usize = 4000;

/// A client for one workspace. Clones share the circuit breaker.
#[derive(Clone)]
pub struct Slack {
    http: Client,
    base: String,
    token: SecretString,
    clock: Clock,
    breaker: Arc<Mutex<Breaker>>,
}

/// A message to be posted.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// The conversation's id: `C…`, or `D…` from [`Slack::open_dm`].
    pub channel: String,
    /// What notifications and screen readers say. Plain: it is escaped here, so markup does nothing.
    pub text: String,
    /// What is shown. Those beyond the fiftieth are left out.
    pub blocks: Vec<Block>,
    /// The message that this one answers.
    pub thread: Option<Ts>,
    /// By what this message can be found again.
    pub key: Key,
}

/// By what a message can be found again: its metadata.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    /// What kind of message it is, such as `countersign_step`.
    pub event_type: String,
    /// What makes it one of its kind: a step's or a proposal's key. Ids and digests only; every
    /// member of the conversation's apps can read it.
    pub key: String,
}

/// When a message was posted, as Slack writes it (`1790000000.000100`): its id in its conversation.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ts(pub String);

impl Slack {
    /// A client with a bot token (`xoxb-…`). `base` is [`API`], or a stand-in, without a slash at its
    /// end; the caller has checked that it is HTTPS or on loopback.
    pub fn new(http: Client, base: impl Into<String>, token: SecretString, clock: Clock) -> Self {
        Self { http, base: base.into(), token, clock, breaker: Arc::default() }
    }

    /// Posts a message, without previews of links: a preview is fetched by Slack, from our pages too
    /// (<https://docs.slack.dev/reference/methods/chat.postMessage>).
    ///
    /// # Errors
    /// After [`Verdict::LookFirst`] the message may be there: [`Slack::find`] it before posting again.
    pub async fn post(&self, message: &Message) -> Result<Ts, SlackError> {
        #[derive(Serialize)]
        struct Arguments<'a> {
            channel: &'a str,
            text: String,
            #[serde(skip_serializing_if = "Vec::is_empty")]
            blocks: Vec<&'a Block>,
            #[serde(skip_serializing_if = "Option::is_none")]
            thread_ts: Option<&'a Ts>,
            metadata: Metadata<'a>,
            mrkdwn: bool,
            unfurl_links: bool,
            unfurl_media: bool,
        }

        #[derive(Deserialize)]
        struct Posted {
            ts: Ts,
        }

        let posted: Posted = self
            .write(
                "chat.postMessage",
                &Arguments {
                    channel: &message.channel,
                    text: text::plain(&message.text, LONGEST_TEXT),
                    blocks: message.shown(),
                    thread_ts: message.thread.as_ref(),
                    metadata: Metadata::of(&message.key),
                    mrkdwn: false,
                    unfurl_links: false,
                    unfurl_media: false,
                },
            )
            .await?;
        Ok(posted.ts)
    }

    /// Replaces a message of ours: its text, its blocks and its key. Doing it again changes nothing
    /// more, so it may be repeated at will
    /// (<https://docs.slack.dev/reference/methods/chat.update>). The message's `thread` is not sent: an
    /// update moves nothing.
    ///
    /// # Errors
    /// [`Verdict::GiveUp`] if the message is gone or too old to be changed: what it says stays as it is.
    pub async fn update(&self, ts: &Ts, message: &Message) -> Result<(), SlackError> {
        #[derive(Serialize)]
        struct Arguments<'a> {
            channel: &'a str,
            ts: &'a Ts,
            text: String,
            blocks: Vec<&'a Block>,
            metadata: Metadata<'a>,
        }

        #[derive(Deserialize)]
        struct Updated {}

        let Updated {} = self
            .read_post(
                "chat.update",
                &Arguments {
                    channel: &message.channel,
                    ts,
                    text: text::plain(&message.text, LONGEST_TEXT),
                    blocks: message.shown(),
                    metadata: Metadata::of(&message.key),
                },
            )
            .await?;
        Ok(())
    }

    /// Whether the token is accepted, without changing anything
    /// (<https://docs.slack.dev/reference/methods/auth.test>).
    ///
    /// # Errors
    /// [`SlackError::Refused`] with Slack's word for what is wrong with the token.
    pub async fn check(&self) -> Result<(), SlackError> {
        #[derive(Serialize)]
        struct Arguments {}

        #[derive(Deserialize)]
        struct Known {}

        let Known {} = self.read_post("auth.test", &Arguments {}).await?;
        Ok(())
    }

    /// Whether we can look for messages in a conversation, without changing anything.
    ///
    /// # Errors
    /// [`SlackError::Refused`] with Slack's word: `channel_not_found`, `not_in_channel`, `missing_scope`.
    pub async fn check_channel(&self, channel: &str) -> Result<(), SlackError> {
        #[derive(Deserialize)]
        struct History {}

        let History {} = self.read("conversations.history", &[("channel", channel), ("limit", "1")]).await?;
        Ok(())
    }

    /// The id of the direct conversation with a user (`U…`). Asking again gives the same one
    /// (<https://docs.slack.dev/reference/methods/conversations.open>).
    pub async fn open_dm(&self, user: &str) -> Result<String, SlackError> {
        #[derive(Serialize)]
        struct Arguments<'a> {
            users: &'a str,
        }

        #[derive(Deserialize)]
        struct Opened {
            channel: Channel,
        }

        #[derive(Deserialize)]
        struct Channel {
            id: String,
        }

        let opened: Opened = self.read_post("conversations.open", &Arguments { users: user }).await?;
        Ok(opened.channel.id)
    }
}

impl Message {
    /// The blocks that Slack takes.
    fn shown(&self) -> Vec<&Block> {
        self.blocks.iter().filter(|block| !block.is_empty()).take(MOST_BLOCKS).collect()
    }
}

/// Metadata as Slack has it.
#[derive(Serialize)]
struct Metadata<'a> {
    event_type: &'a str,
    event_payload: Payload<'a>,
}

#[derive(Serialize)]
struct Payload<'a> {
    key: &'a str,
}

impl<'a> Metadata<'a> {
    fn of(key: &'a Key) -> Self {
        Self { event_type: &key.event_type, event_payload: Payload { key: &key.key } }
    }
}

impl std::fmt::Debug for Slack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Slack").field("base", &self.base).finish_non_exhaustive()
    }
}
