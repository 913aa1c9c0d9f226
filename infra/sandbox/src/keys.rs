//! The keys of one sandbox: made once, kept with its data, never worth anything elsewhere.

use anyhow::{Context as _, Result, anyhow};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use ring::rand::{SecureRandom as _, SystemRandom};
use serde::{Deserialize, Serialize};
use serde_json::json;

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
    /// Key sets as [`key_set`] writes them: for links, receipts and sessions.
    pub link_keys: String,
    /// See `link_keys`; the seed of an Ed25519 key.
    pub receipt_key: String,
    /// See `link_keys`.
    pub session_keys: String,
}

impl Keys {
    /// The keys on the shelf, or new ones, which are put there.
    pub(crate) fn open(shelf: &Shelf) -> Result<Self> {
        if let Some((_, keys)) = shelf.all::<Self>(SPACE)?.into_iter().next() {
            return Ok(keys);
        }
        let keys = Self {
            webhook_secret: format!("whsec_{}", token()?),
            stripe_secret_key: format!("sk_test_{}", token()?),
            stripe_read_key: format!("rk_test_{}", token()?),
            stripe_write_key: format!("rk_test_{}", token()?),
            slack_token: format!("xoxb-{}", token()?),
            oidc_client_secret: token()?,
            link_keys: key_set("l1", &random::<32>()?),
            receipt_key: key_set("r1", &random::<32>()?),
            session_keys: key_set("s1", &random::<32>()?),
        };
        shelf.put(SPACE, "keys", &keys)?;
        Ok(keys)
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
}
