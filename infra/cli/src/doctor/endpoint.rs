//! The webhook endpoint in Stripe: its URL, event types, version and secret, by the same look as
//! `countersign webhook status`.

use runtime::{Env, secrets::list};

use super::{Findings, Stored};
use crate::webhook::{Endpoints, KEY, Wanted, examine as look};

const WHAT: &str = "webhook";

/// `url` is where it sends events; the canary's door stands beside it.
pub(super) async fn examine(url: Option<&str>, env: &Env, stored: Option<&Stored>, found: &mut Findings) {
    let beside = env.optional("CANARY_URL").and_then(|url| url.strip_suffix("/canary"));
    let beside = beside.map(|base| format!("{base}/default"));
    let Some(url) = url.map(ToOwned::to_owned).or(beside) else { return };
    if env.optional(KEY).is_none() {
        return found.unknown(
            WHAT,
            format!(
                "set {KEY} to a key that may read webhook endpoints, and run this again to have it compared"
            ),
        );
    }
    let wanted = Wanted::at(&url);
    let all = match Endpoints::from_env(env) {
        Ok(endpoints) => endpoints.with_url(&wanted.url).await,
        Err(error) => Err(error),
    };
    let all = match all {
        Ok(all) => all,
        Err(error) => return found.bad(WHAT, format!("{error:#}")),
    };
    let name = url.rsplit('/').next().unwrap_or_default();
    let pairs = env.optional("WEBHOOK_SECRETS").unwrap_or_default().split(',');
    let mut named = pairs.filter_map(|pair| pair.split_once('='));
    let secret = named.find(|(endpoint, _)| endpoint.trim() == name).map(|(_, secret)| secret.trim());
    let secrets = match (stored, secret) {
        // What is wrong with the secret itself was said before.
        (Some(stored), Some(secret)) => {
            stored.secrets.get(secret).await.ok().and_then(|text| list(secret, &text).ok())
        }
        _ => None,
    };
    for (good, what) in look(&all, secrets.as_deref(), &wanted) {
        if good {
            found.good(WHAT, what);
        } else {
            found.bad(WHAT, what);
        }
    }
}
