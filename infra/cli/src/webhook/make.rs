//! Making an endpoint and keeping its secret, so that neither is ever lost: whatever broke off is gone on with.

use std::collections::BTreeMap;

use anyhow::{Result, bail};
use domain::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};

use super::{
    Endpoint, Endpoints,
    compare::{KEPT_AT, MARK, REPLACES, REPLACES_SECRET, SECRET, Wanted, fingerprint},
    keep::Keep,
};

/// Idempotency keys that may lead to endpoints which are gone again. Each lives for a day.
const ATTEMPTS: u64 = 20;

/// What a new endpoint takes the place of, as its metadata keeps it.
pub(super) fn replacing(old: &Endpoint, secrets: &[SecretString]) -> BTreeMap<String, String> {
    let mut metadata = BTreeMap::from([(REPLACES.to_owned(), old.id.clone())]);
    let known = old.metadata.get(SECRET).cloned();
    // The only secret that is kept can only be the only endpoint's.
    let only = || if let [one] = secrets { Some(fingerprint(one)) } else { None };
    metadata.extend(known.or_else(only).map(|print| (REPLACES_SECRET.to_owned(), print)));
    metadata
}

/// An endpoint that was made here and whose secret was not kept yet: something broke off.
pub(super) fn is_unfinished(endpoint: &Endpoint) -> bool {
    endpoint.metadata.contains_key(MARK) && !endpoint.metadata.contains_key(SECRET)
}

/// Makes the endpoint that is wanted, with this metadata, and keeps its secret before all others. `unfinished` is
/// what an earlier run made of the same.
///
/// # Errors
/// If Stripe or the place of the secret refuses; the same once more goes on from there.
pub(super) async fn make(
    endpoints: &Endpoints,
    wanted: &Wanted,
    mut metadata: BTreeMap<String, String>,
    unfinished: Option<&Endpoint>,
    keep: Option<&Keep>,
    now: Timestamp,
) -> Result<(Endpoint, SecretString)> {
    metadata.insert(MARK.to_owned(), "webhook".to_owned());
    let (endpoint, secret) = obtain(endpoints, wanted, &metadata).await?;
    // The answer that told its secret is no longer repeated, so nobody can know it.
    if let Some(lost) = unfinished.filter(|lost| lost.id != endpoint.id) {
        endpoints.delete(&lost.id).await?;
    }
    if let Some(keep) = keep {
        let mut secrets = keep.secrets().await?;
        secrets.retain(|one| one.expose_secret() != secret.expose_secret());
        secrets.insert(0, secret.clone());
        keep.put(&secrets).await?;
    }
    let marks = [(SECRET, fingerprint(&secret)), (KEPT_AT, now.seconds().to_string())];
    let marks = marks.map(|(name, value)| (format!("metadata[{name}]"), value));
    Ok((endpoints.update(&endpoint.id, &marks.to_vec()).await?, secret))
}

/// An endpoint and its secret: a new one, or that of an earlier run if Stripe still repeats its answer.
async fn obtain(
    endpoints: &Endpoints,
    wanted: &Wanted,
    metadata: &BTreeMap<String, String>,
) -> Result<(Endpoint, SecretString)> {
    let metadata: Vec<_> = metadata.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let parameters = wanted.parameters(&metadata);
    for attempt in 0..ATTEMPTS {
        let key = Wanted::idempotency_key(&parameters, attempt);
        let Some(made) = endpoints.create(&parameters, &key).await? else { continue };
        let id = &made.endpoint.id;
        if made.replayed && !endpoints.with_url(&wanted.url).await?.iter().any(|one| one.id == *id) {
            // Somebody deleted since what the first answer made.
            continue;
        }
        match made.secret {
            Some(secret) => return Ok((made.endpoint, secret)),
            // Of no use to anybody.
            None => endpoints.delete(id).await?,
        }
    }
    bail!("Stripe repeats old answers about endpoints that are gone; run the same command again in 24 hours")
}
