//! API keys.

use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret as _, SecretString};

/// The mode that a key works in (<https://docs.stripe.com/keys#test-live-modes>).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Real money.
    Live,
    /// None.
    Test,
}

impl Mode {
    /// Stripe's `livemode`.
    pub const fn is_live(self) -> bool {
        matches!(self, Self::Live)
    }
}

/// A secret or restricted key. Its text leaves only as a header that is marked sensitive.
#[derive(Clone)]
pub struct ApiKey {
    header: HeaderValue,
    mode: Mode,
    restricted: bool,
}

/// A text that is no key. It is not repeated, since it may be a secret all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a key starts with rk_live_, rk_test_, sk_live_ or sk_test_: check the stored secret")]
pub struct NotAKey;

impl ApiKey {
    /// Takes a key as it was stored; white space around it is an accident of storing.
    ///
    /// # Errors
    /// [`NotAKey`] for everything that does not tell its mode: an unknown mode is not guessed.
    pub fn new(secret: &SecretString) -> Result<Self, NotAKey> {
        let text = secret.expose_secret().trim();
        let (kind, rest) = text.split_once('_').ok_or(NotAKey)?;
        let (mode, random) = rest.split_once('_').ok_or(NotAKey)?;
        let mode = match (kind, mode) {
            ("rk" | "sk", "live") => Mode::Live,
            ("rk" | "sk", "test") => Mode::Test,
            _ => return Err(NotAKey),
        };
        if random.is_empty() || !random.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            return Err(NotAKey);
        }
        let mut header = HeaderValue::try_from(format!("Bearer {text}")).map_err(|_| NotAKey)?;
        header.set_sensitive(true);
        Ok(Self { header, mode, restricted: kind == "rk" })
    }

    /// The mode that it works in.
    pub const fn mode(&self) -> Mode {
        self.mode
    }

    /// Whether it is a restricted key. A secret key may do everything.
    pub const fn is_restricted(&self) -> bool {
        self.restricted
    }

    /// The value of `Authorization`.
    pub fn authorization(&self) -> HeaderValue {
        self.header.clone()
    }
}

impl std::fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ApiKey({:?})", self.mode)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_tells_its_mode_and_nothing_else() {
        let key = ApiKey::new(&" rk_live_abc123\n".into()).unwrap();
        assert_eq!((key.mode(), key.is_restricted()), (Mode::Live, true));
        assert_eq!(format!("{key:?} {:?}", key.authorization()), "ApiKey(Live) Sensitive");
        assert_eq!(key.authorization().to_str().unwrap(), "Bearer rk_live_abc123");
        let all = ApiKey::new(&"sk_test_1".into()).unwrap();
        assert_eq!((all.mode(), all.is_restricted()), (Mode::Test, false));
    }

    #[test]
    fn what_does_not_tell_its_mode_is_no_key() {
        for bad in ["", "pk_live_1", "whsec_1", "rk_prod_1", "rk_live_", "rk_live", "rk_live_a b"] {
            assert!(ApiKey::new(&bad.into()).is_err(), "{bad}");
        }
    }
}
