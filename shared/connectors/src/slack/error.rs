//! What can go wrong with a call, and what to do then.

/// A call that did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum SlackError {
    /// Slack said no; nothing happened.
    #[error("slack refused {method} with `{code}`; see the errors on that method's page")]
    Refused {
        /// The method.
        method: &'static str,
        /// Slack's word for it, such as `channel_not_found`.
        code: String,
    },
    /// Too many calls; nothing happened (<https://docs.slack.dev/apis/web-api/rate-limits>).
    #[error("slack asks to wait {retry_after} s before the next {method}")]
    RateLimited {
        /// The method.
        method: &'static str,
        /// Seconds.
        retry_after: u64,
    },
    /// Slack was not called, because it failed too often just before; nothing happened.
    #[error("slack is not called for {retry_after} s after failures in a row; {method} waits")]
    LeftAlone {
        /// The method.
        method: &'static str,
        /// Seconds.
        retry_after: u64,
    },
    /// No answer, and nothing happened: the call reads, or never left.
    #[error("slack could not be reached for {method}; try again later")]
    Unavailable {
        /// The method.
        method: &'static str,
        /// What came instead of an answer.
        #[source]
        cause: Cause,
    },
    /// The message may have been posted, or not.
    #[error("the outcome of {method} is unknown; look for the message before sending it again")]
    Unknown {
        /// The method.
        method: &'static str,
        /// What came instead of an answer.
        #[source]
        cause: Cause,
    },
}

/// What came instead of an answer. Without addresses and bodies.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Cause {
    /// No connection.
    #[error("no connection")]
    NoConnection,
    /// Nothing within the time-out.
    #[error("no answer in time")]
    TimedOut,
    /// The connection broke.
    #[error("the connection was lost")]
    Lost,
    /// A status that is not 200.
    #[error("status {0}")]
    Status(u16),
    /// A body that is no answer of the Web API.
    #[error("an unreadable answer")]
    Unreadable,
    /// Slack failed, and says that part of the work may have been done.
    #[error("slack failed with `{0}`")]
    Failed(String),
    /// More messages than are looked through.
    #[error("more than {0} messages since then")]
    TooMany(usize),
}

/// What to do about a [`SlackError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It will be refused again until somebody changes something.
    GiveUp,
    /// Call again after this many seconds at the earliest.
    RetryAfter(u64),
    /// Look whether it happened, then call again only if it did not.
    LookFirst,
}

impl SlackError {
    /// Seconds to wait, if Slack or the breaker said how many.
    pub const fn retry_after(&self) -> Option<u64> {
        match self {
            Self::RateLimited { retry_after, .. } | Self::LeftAlone { retry_after, .. } => Some(*retry_after),
            _ => None,
        }
    }

    /// What to do. Exhaustive on purpose: a new variant must choose.
    pub fn verdict(&self) -> Verdict {
        match self {
            Self::Refused { code, .. } if blames_the_message(code) => Verdict::GiveUp,
            // The token, a scope, the conversation: somebody repairs that, and the message is still due.
            Self::Refused { .. } => Verdict::RetryAfter(60),
            Self::RateLimited { retry_after, .. } | Self::LeftAlone { retry_after, .. } => {
                Verdict::RetryAfter(*retry_after)
            }
            Self::Unavailable { .. } => Verdict::RetryAfter(1),
            Self::Unknown { .. } => Verdict::LookFirst,
        }
    }
}

/// Whether Slack would refuse this very message whatever else is repaired
/// (<https://docs.slack.dev/reference/methods/chat.postMessage#errors>,
/// <https://docs.slack.dev/reference/methods/chat.update#errors>).
fn blames_the_message(code: &str) -> bool {
    code.starts_with("invalid_blocks")
        || code.starts_with("metadata_")
        || matches!(
            code,
            "cant_update_message"
                | "edit_window_closed"
                | "invalid_arguments"
                | "invalid_metadata_format"
                | "invalid_metadata_schema"
                | "message_not_found"
                | "msg_too_long"
                | "no_text"
                | "too_many_attachments"
        )
}
