//! The Stripe read client from the configuration: three functions read Stripe in the same way.

use std::time::Duration;

use anyhow::{Context as _, Result};
use secrecy::SecretString;
use stripe::{
    ApiKey, Client, Settings,
    client::{Pace, Retry},
    probe::Probe,
};

use crate::{Env, EnvError, http};

/// How long one try may take: several of them fit into a turn.
const TIMEOUT: Duration = Duration::from_secs(8);

/// A client with the read key. `STRIPE_API_BASE` and `STRIPE_REQUESTS_PER_SECOND` (of each account,
/// 20 unless set; Stripe's own limit is 100 in live mode and 25 in a sandbox) are read from `env`.
///
/// # Errors
/// If a setting or the key cannot be used.
pub fn reader(env: &Env, http: reqwest::Client, key: &SecretString) -> Result<Client> {
    let base = base(env)?;
    let mut pace = Pace::default();
    if let Some(text) = env.optional("STRIPE_REQUESTS_PER_SECOND") {
        let wrong = || EnvError::invalid("STRIPE_REQUESTS_PER_SECOND", "a whole number from 1 to 10000");
        let rate: u32 = text.parse().map_err(|_| wrong())?;
        if !(1..=10_000).contains(&rate) {
            return Err(wrong().into());
        }
        pace = Pace { per_second: rate, burst: pace.burst.max(rate / 2) };
    }
    let key = ApiKey::new(key).context("the secret in `STRIPE_READ_KEY_SECRET` is no Stripe key")?;
    let base = stripe::Base::new(base.as_str())?;
    let settings = Settings { base, key, timeout: TIMEOUT, retry: Retry::default(), pace, random };
    Ok(Client::new(http, settings))
}

/// The probe of what a key may do, at the same address.
///
/// # Errors
/// If `STRIPE_API_BASE` is no address.
pub fn probe(env: &Env, http: reqwest::Client) -> Result<Probe> {
    Ok(Probe::new(http, stripe::Base::new(base(env)?.as_str())?, TIMEOUT))
}

/// The address that a client of these settings will call, for [`http::client`].
///
/// # Errors
/// If `STRIPE_API_BASE` is no address.
pub fn base(env: &Env) -> Result<http::Base, EnvError> {
    env.base("STRIPE_API_BASE", "https://api.stripe.com")
}

/// For the jitter between tries.
fn random() -> u32 {
    uuid::Uuid::new_v4().as_fields().0
}
