//! The keys of one sandbox: made once, kept with its data, never worth anything elsewhere.

use anyhow::{Context as _, Result, anyhow};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use ring::rand::{SecureRandom as _, SystemRandom};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::Shelf;

const SPACE: &str = "sandbox.keys";

/// What the stand-ins accept and the functions are given.
#[derive(Clone, Deserialize, Serialize)]
pub struct Keys {
    /// Signs the deliveries to the endpoint `default`.
    pub webhook_secret: String,
    /// The Stripe key of whoever plays Stripe's user: it may do everything.
    pub stripe_secret_key: String,
    /// The processor's Stripe key: it may only read.
    pub stripe_read_key: String,
    /// The approver's second Stripe key.
    pub stripe_write_key: String,
    /// Slack's bot token.
    pub slack_token: String,
    /// The secret of the application that people sign in to.
    pub oidc_client_secret: String,
    /// The token of HubSpot's private app.
    pub hubspot_token: String,
    /// The API token of the agent [`crate::world::HELP_DESK_AGENT`] in Zendesk.
    pub zendesk_token: String,
    /// Signs the processor's reads of the company's application.
    pub application_key: String,
    /// Signs the approver's changes of access in the company's application.
    pub access_key: String,
    /// The key of the language model.
    pub model_key: String,
    /// Key sets as [`key_set`] writes them: for links, receipts and sessions.
    pub link_keys: String,
    /// See `link_keys`; the seed of an Ed25519 key.
    pub receipt_key: String,
    /// See `link_keys`.
    pub session_keys: String,
}

impl Keys {
    /// The keys on the shelf; those that are not there are made and put there.
    pub(crate) fn open(shelf: &Shelf) -> Result<Self> {
        let kept: Option<(String, Map<String, Value>)> = shelf.all(SPACE)?.into_iter().next();
        let mut keys = serde_json::to_value(Self::new()?)?;
        if let (Some(keys), Some((_, kept))) = (keys.as_object_mut(), kept) {
            keys.extend(kept);
        }
        let keys = serde_json::from_value(keys)?;
        shelf.put(SPACE, "keys", &keys)?;
        Ok(keys)
    }

    fn new() -> Result<Self> {
        Ok(Self {
            webhook_secret: format!("whsec_{}", token()?),
            stripe_secret_key: format!("sk_test_{}", token()?),
            stripe_read_key: format!("rk_test_{}", token()?),
            stripe_write_key: format!("rk_test_{}", token()?),
            slack_token: format!("xoxb-{}", token()?),
            oidc_client_secret: token()?,
            hubspot_token: format!("pat-na1-{}", token()?),
            zendesk_token: token()?,
            application_key: token()?,
            access_key: token()?,
            model_key: format!("sk-{}", token()?),
            link_keys: key_set("l1", &random::<32>()?),
            receipt_key: key_set("r1", &random::<32>()?),
            session_keys: key_set("s1", &random::<32>()?),
        })
    }
}

/// A key set with one key, in the shape in which the functions keep theirs.
pub fn key_set(id: &str, key: &[u8]) -> String {
    json!({ "keys": [{ "id": id, "key": STANDARD.encode(key) }] }).to_string()
}

/// Letters and digits only, as in the vendors' own keys.
fn token() -> Result<String> {
    let text = URL_SAFE_NO_PAD.encode(random::<32>()?);
    Ok(text.chars().filter(char::is_ascii_alphanumeric).take(32).collect())
}

fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| anyhow!("the system gave no random bytes"))
        .context("cannot make the sandbox's keys")?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_made_once_and_no_two_are_alike() {
        let shelf = Shelf::memory().unwrap();
        let first = Keys::open(&shelf).unwrap();
        let again = Keys::open(&shelf).unwrap();
        assert_eq!(first.webhook_secret, again.webhook_secret);
        assert_ne!(first.stripe_read_key, first.stripe_write_key);
        assert_ne!(first.link_keys, first.session_keys);
        assert!(first.webhook_secret.len() >= 36, "a signing secret must not be guessable");
    }

    #[test]
    fn a_folder_of_before_a_key_existed_gets_that_key_and_keeps_the_others() {
        let shelf = Shelf::memory().unwrap();
        let first = Keys::open(&shelf).unwrap();
        let mut kept = serde_json::to_value(&first).unwrap();
        kept.as_object_mut().unwrap().remove("access_key");
        shelf.put(SPACE, "keys", &kept).unwrap();
        let again = Keys::open(&shelf).unwrap();
        assert_eq!(first.webhook_secret, again.webhook_secret);
        assert_eq!(again.access_key, Keys::open(&shelf).unwrap().access_key);
    }
}
