//! The keys of our own, as they count now: read again from time to time, so that a rotation reaches every
//! running function before the new key signs.

use anyhow::{Context as _, Result, bail};
use domain::{
    Timestamp,
    approval::{LinkKeys, ReceiptKeys, ReceiptSigner},
};
use runtime::{Env, EnvError, Secrets, failure, secrets};
use secrecy::{ExposeSecret as _, SecretSlice, SecretString};
use std::sync::Arc;
use tokio::sync::Mutex;

use crate::keys::SessionKeys;

/// How long keys are used before they are read again, in seconds. `countersign keys rotate` lets a new key
/// wait longer than this before it signs.
const FRESH: i64 = 300;

/// The keys of links, receipts and sessions.
pub(crate) struct Keys {
    pub(crate) links: LinkKeys,
    pub(crate) signer: ReceiptSigner,
    pub(crate) receipts: ReceiptKeys,
    pub(crate) sessions: SessionKeys,
    read: Timestamp,
}

/// Where the keys are, and what was read last.
pub(crate) struct Keyring {
    secrets: Secrets,
    /// Of links, receipts and sessions.
    names: [String; 3],
    known: Mutex<Arc<Keys>>,
}

impl Keyring {
    /// The names of the secrets in the environment: links, receipts, sessions.
    pub(crate) fn names(env: &Env) -> Result<[&str; 3], EnvError> {
        Ok([
            env.required("LINK_KEYS_SECRET")?,
            env.required("RECEIPT_KEY_SECRET")?,
            env.required("SESSION_KEYS_SECRET")?,
        ])
    }

    /// Keys that were just read, in the order of their names.
    pub(crate) fn new(
        secrets: Secrets,
        names: [&str; 3],
        values: &[SecretString; 3],
        now: Timestamp,
    ) -> Result<Self> {
        let names = names.map(str::to_owned);
        let known = Mutex::new(Arc::new(Keys::read(&names, values, now)?));
        Ok(Self { secrets, names, known })
    }

    /// The keys as they count now. If they cannot be read again, those that are known go on: each says
    /// itself until when it counts.
    pub(crate) async fn now(&self, now: Timestamp) -> Arc<Keys> {
        let mut known = self.known.lock().await;
        if now.since(known.read) >= FRESH {
            match self.read(now).await {
                Ok(keys) => *known = Arc::new(keys),
                Err(error) => {
                    let failure = failure::chain(error.as_ref());
                    tracing::warn!(failure, "the keys could not be read again");
                }
            }
        }
        Arc::clone(&known)
    }

    async fn read(&self, now: Timestamp) -> Result<Keys> {
        let values = self.secrets.get_all(&self.names).await?;
        let Ok(values) = <[SecretString; 3]>::try_from(values) else {
            bail!("three secrets were asked for, another number came");
        };
        Keys::read(&self.names, &values, now)
    }
}

impl Keys {
    fn read(names: &[String; 3], values: &[SecretString; 3], now: Timestamp) -> Result<Self> {
        let [links, receipts, sessions] = values;
        let [link_name, receipt_name, session_name] = names;
        let (signer, receipts) = receipt_keys(&secrets::key_set(receipt_name, receipts, now)?)?;
        Ok(Self {
            links: LinkKeys::new(exposed(&secrets::key_set(link_name, links, now)?)),
            signer,
            receipts,
            sessions: SessionKeys::new(&secrets::key_set(session_name, sessions, now)?)?,
            read: now,
        })
    }
}

/// The first key signs, all of them verify.
fn receipt_keys(keys: &[(String, SecretSlice<u8>)]) -> Result<(ReceiptSigner, ReceiptKeys)> {
    let mut signers = Vec::new();
    for (id, seed) in keys {
        let signer = ReceiptSigner::new(id.as_str(), seed.expose_secret());
        signers.push(
            signer.with_context(|| format!("the receipt key `{id}` must be 32 bytes; make a new one"))?,
        );
    }
    let receipts = ReceiptKeys::new(signers.iter().map(ReceiptSigner::public));
    let signer = signers.into_iter().next().context("there is no receipt key; store one")?;
    Ok((signer, receipts))
}

fn exposed(keys: &[(String, SecretSlice<u8>)]) -> Vec<(String, Vec<u8>)> {
    keys.iter().map(|(id, key)| (id.clone(), key.expose_secret().to_vec())).collect()
}
