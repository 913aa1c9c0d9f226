//! What the session keys authenticate: anti-forgery tokens and the cookie of a sign-in under way.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::encoding;
use ring::{
    hmac,
    rand::{SecureRandom as _, SystemRandom},
};
use secrecy::{ExposeSecret as _, SecretSlice};

/// Shorter keys are refused: the strength of a MAC is that of its key.
const SHORTEST: usize = 32;

/// The keys: the first signs, all verify.
pub(crate) struct SessionKeys(Vec<hmac::Key>);

/// A key that is too short, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there must be at least one session key, each of at least {SHORTEST} bytes")]
pub(crate) struct WeakKeys;

impl SessionKeys {
    pub(crate) fn new(keys: &[(String, SecretSlice<u8>)]) -> Result<Self, WeakKeys> {
        let long = |key: &SecretSlice<u8>| key.expose_secret().len() >= SHORTEST;
        if keys.is_empty() || !keys.iter().all(|(_, key)| long(key)) {
            return Err(WeakKeys);
        }
        Ok(Self(keys.iter().map(|(_, key)| hmac::Key::new(hmac::HMAC_SHA256, key.expose_secret())).collect()))
    }

    /// The tag of these fields for one purpose; another purpose has other tags.
    pub(crate) fn tag(&self, purpose: &str, fields: &[&str]) -> String {
        let tag = self.0.first().map(|key| hmac::sign(key, &message(purpose, fields)));
        tag.map(|tag| URL_SAFE_NO_PAD.encode(tag.as_ref())).unwrap_or_default()
    }

    /// Whether one of the keys made this tag. Takes the same time for every wrong one.
    pub(crate) fn verify(&self, purpose: &str, fields: &[&str], tag: &str) -> bool {
        let Ok(tag) = URL_SAFE_NO_PAD.decode(tag) else { return false };
        let message = message(purpose, fields);
        self.0.iter().any(|key| hmac::verify(key, &message, &tag).is_ok())
    }
}

fn message(purpose: &str, fields: &[&str]) -> Vec<u8> {
    encoding::encode(purpose, |to| fields.iter().for_each(|field| to.text(field)))
}

/// The system's source of randomness failed; nothing secret can be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the system gave no random bytes")]
pub(crate) struct NoRandom;

/// Random bytes that nobody can guess.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], NoRandom> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).map_err(|_| NoRandom)?;
    Ok(bytes)
}

/// A random text of 256 bits.
pub(crate) fn random_token() -> Result<String, NoRandom> {
    Ok(URL_SAFE_NO_PAD.encode(random::<32>()?))
}

/// A random id with a prefix, of 128 bits.
pub(crate) fn random_id(prefix: &str) -> Result<String, NoRandom> {
    Ok(format!("{prefix}_{}", encoding::base32(&random::<16>()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(all: &[u8]) -> SessionKeys {
        let keys: Vec<_> =
            all.iter().map(|byte| (format!("k{byte}"), SecretSlice::from(vec![*byte; 32]))).collect();
        SessionKeys::new(&keys).unwrap()
    }

    #[test]
    fn a_tag_is_good_for_its_purpose_its_fields_and_a_live_key() {
        let tag = keys(&[1]).tag("csrf", &["session", "id"]);
        assert!(keys(&[1]).verify("csrf", &["session", "id"], &tag));
        assert!(keys(&[2, 1]).verify("csrf", &["session", "id"], &tag), "an older key still counts");
        assert!(!keys(&[2]).verify("csrf", &["session", "id"], &tag));
        assert!(!keys(&[1]).verify("cookie", &["session", "id"], &tag));
        assert!(!keys(&[1]).verify("csrf", &["sessioni", "d"], &tag));
        assert!(!keys(&[1]).verify("csrf", &["session", "id"], ""));
    }

    #[test]
    fn a_short_key_is_refused() {
        assert!(SessionKeys::new(&[("k".into(), SecretSlice::from(vec![1; 31]))]).is_err());
        assert!(SessionKeys::new(&[]).is_err());
    }
}
