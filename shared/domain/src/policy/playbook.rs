//! What to do about a bucket.

use serde::Deserialize;

/// What to do about a bucket.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Playbook {
    /// The channel that hears of it.
    pub channel: String,
    /// What happened, in a line.
    pub headline: String,
    /// What to do next.
    pub next: String,
    /// The template of a message to the customer, if there is something to say.
    #[serde(default)]
    pub draft: Option<String>,
    /// The gated action that the agent asks for, if any: `refund.create`.
    #[serde(default)]
    pub request: Option<String>,
}
