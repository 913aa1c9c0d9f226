//! Idempotency of v1 POST requests: <https://docs.stripe.com/api/idempotent_requests>.
//!
//! The first status and body of a key are replayed for 24 hours, a 500 as well. Nothing is kept of a
//! request that never began to execute.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::{
    failure::Failure,
    ids,
    store::{Changes, State},
};

/// How long a key is kept, in seconds.
pub(crate) const LIFE: i64 = 24 * 3600;

/// The longest key.
pub(crate) const LONGEST: usize = 255;

/// The first answer to a key.
#[derive(Clone, Deserialize, Serialize)]
pub(crate) struct Saved {
    /// Of method, path and parameters.
    pub fingerprint: String,
    pub status: u16,
    pub body: Value,
    pub request_id: String,
    /// Seconds since the epoch.
    pub at: i64,
}

/// What a key asks to be the same.
pub(crate) fn fingerprint(method: &str, path: &str, params: &Value) -> String {
    // The order in the body does not matter.
    let mut params = params.clone();
    params.sort_all_objects();
    let mut hash = Sha256::new();
    hash.update(format!("{method} {path} {params}"));
    ids::hex(&hash.finalize())
}

/// The first answer to this key, if it has one; refused if the key was used for something else.
pub(crate) fn earlier<'s>(
    state: &'s State,
    key: &str,
    fingerprint: &str,
    now: i64,
) -> Result<Option<&'s Saved>, Failure> {
    let Some(saved) = state.saved.get(key).filter(|saved| now < saved.at.saturating_add(LIFE)) else {
        return Ok(None);
    };
    if saved.fingerprint == fingerprint {
        return Ok(Some(saved));
    }
    Err(Failure::new(
        400,
        "idempotency_error",
        format!(
            "Keys for idempotent requests can only be used with the same parameters they were first used with. \
             Try using a key other than '{key}' if you meant to execute a different request."
        ),
    ))
}

/// Forgets the keys that are too old.
pub(crate) fn prune(state: &State, changes: &mut Changes, now: i64) {
    for (key, saved) in &state.saved {
        if now >= saved.at.saturating_add(LIFE) {
            changes.saved.entry(key.clone()).or_insert(None);
        }
    }
}

/// The keys whose requests are running.
#[derive(Clone, Default)]
pub(crate) struct Running(Arc<Mutex<HashSet<String>>>);

impl Running {
    /// Holds a key until the guard goes; refused while another request holds it.
    pub(crate) fn hold(&self, key: &str) -> Result<Held, Failure> {
        let mut keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if keys.insert(key.to_owned()) {
            return Ok(Held { running: self.clone(), key: key.to_owned() });
        }
        let mut failure = Failure::new(
            409,
            "idempotency_error",
            "There is currently another in-progress request using this idempotency key.",
        )
        .with("code", "idempotency_key_in_use");
        failure.retry = Some(true);
        Err(failure)
    }
}

/// A key in use.
pub(crate) struct Held {
    running: Running,
    key: String,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.running.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_in_use_until_its_request_ends() {
        let running = Running::default();
        let held = running.hold("k").unwrap();
        assert_eq!(running.hold("k").err().map(|failure| failure.status), Some(409));
        drop(held);
        assert!(running.hold("k").is_ok());
    }
}
