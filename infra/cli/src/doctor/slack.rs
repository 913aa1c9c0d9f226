//! Slack: the token, and every channel that alerts go to.

use connectors::slack::{API, Slack, SlackError};
use runtime::{Env, failure, system_clock};

use super::{Findings, Stored};

pub(super) async fn examine(env: &Env, stored: &Stored, found: &mut Findings) {
    let Some(token) = stored.get(env, "SLACK_TOKEN_SECRET").await else { return };
    let base = match env.base("SLACK_API_BASE", API) {
        Ok(base) => base,
        Err(error) => return found.bad("Slack", error),
    };
    let http = match runtime::http::client(&[&base]) {
        Ok(http) => http,
        Err(error) => return found.bad("Slack", format!("{error:#}")),
    };
    let slack = Slack::new(http, base.as_str(), token, system_clock());
    if let Err(error) = slack.check().await {
        return found.bad("Slack", format!("{}; {}", failure::chain(&error), repair(&error)));
    }
    found.good("Slack", "the token is accepted");
    let pairs = env.optional("SLACK_CHANNELS").unwrap_or_default().split(',');
    let channels: Vec<_> = pairs.filter_map(|pair| pair.split_once('=')).collect();
    if channels.is_empty() {
        found.bad(
            "Slack",
            "`SLACK_CHANNELS` names no channel; set it as billing-alerts=C0123,billing-risk=C0456",
        );
    }
    for (name, id) in channels {
        let what = format!("Slack #{}", name.trim());
        match slack.check_channel(id.trim()).await {
            Ok(()) => found.good(&what, "the app is in it and can look for its messages"),
            Err(error) => found.bad(&what, format!("{}; {}", failure::chain(&error), repair(&error))),
        }
    }
}

/// What to do about an error.
fn repair(error: &SlackError) -> &'static str {
    let SlackError::Refused { code, .. } = error else {
        return "check the network and Slack's status, and run this again";
    };
    match code.as_str() {
        "not_in_channel" => "invite the app to the channel",
        "channel_not_found" => {
            "correct the id in `SLACK_CHANNELS`, and invite the app if the channel is private"
        }
        "is_archived" => "unarchive the channel, or name another in `SLACK_CHANNELS`",
        "missing_scope" => {
            "add the scopes chat:write, im:write, im:history and channels:history (groups:history for private channels), \
             and install the app again"
        }
        "invalid_auth" | "not_authed" | "token_revoked" | "token_expired" | "account_inactive" => {
            "install the app again and store its bot token (xoxb-…)"
        }
        _ => "see the errors on that method's page",
    }
}
