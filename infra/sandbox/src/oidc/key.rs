//! The provider's RSA key: made at the first start, kept on the shelf, published as a JWK.

use std::sync::{Mutex, PoisonError};

use anyhow::{Context as _, Result, anyhow};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::{
    digest,
    rand::SystemRandom,
    rsa::{KeyPair, PublicKeyComponents},
    signature::RSA_PKCS1_SHA256,
};
use rsa::{RsaPrivateKey, pkcs8::EncodePrivateKey as _, rand_core::OsRng};
use serde_json::{Value, json};

use crate::Shelf;

const SPACE: &str = "oidc.key";
const BITS: usize = 2048;

/// The key that this process made.
static MADE: Mutex<Option<Vec<u8>>> = Mutex::new(None);

/// A signing key. `rsa` only makes it (ring cannot); ring signs, in constant time.
pub(super) struct Key {
    pair: KeyPair,
    kid: String,
    modulus: String,
    exponent: String,
}

impl Key {
    /// The key on the shelf, or a new one which is put there.
    pub(super) fn open(shelf: &Shelf) -> Result<Self> {
        if let Some((_, kept)) = shelf.all::<String>(SPACE)?.into_iter().next() {
            let der = URL_SAFE_NO_PAD.decode(kept).context("the key on the shelf is not base64")?;
            return Self::from_der(&der);
        }
        let der = generated()?;
        let key = Self::from_der(&der)?;
        shelf.put(SPACE, &key.kid, &URL_SAFE_NO_PAD.encode(der))?;
        Ok(key)
    }

    fn from_der(der: &[u8]) -> Result<Self> {
        let pair = KeyPair::from_pkcs8(der)
            .map_err(|error| anyhow!("the RSA key is refused: {error}; delete the shelf's file"))?;
        let PublicKeyComponents::<Vec<u8>> { n, e } = pair.public().into();
        let (modulus, exponent) = (URL_SAFE_NO_PAD.encode(n), URL_SAFE_NO_PAD.encode(e));
        // The thumbprint of RFC 7638: the required members, sorted, without blanks.
        let members = format!(r#"{{"e":"{exponent}","kty":"RSA","n":"{modulus}"}}"#);
        let kid = URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, members.as_bytes()));
        Ok(Self { pair, kid, modulus, exponent })
    }

    /// The id under which the public half is published.
    pub(super) fn kid(&self) -> &str {
        &self.kid
    }

    /// The public half as a JWK (RFC 7517).
    pub(super) fn public(&self) -> Value {
        json!({
            "kty": "RSA", "use": "sig", "alg": "RS256",
            "kid": self.kid, "n": self.modulus, "e": self.exponent,
        })
    }

    /// An RS256 signature.
    pub(super) fn sign(&self, input: &[u8]) -> Result<Vec<u8>> {
        let mut signature = vec![0; self.pair.public().modulus_len()];
        self.pair
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), input, &mut signature)
            .map_err(|_| anyhow!("cannot sign with the RSA key"))?;
        Ok(signature)
    }
}

/// A new key as PKCS#8; one for each process, since making one takes a good part of a second and
/// tests open many providers.
fn generated() -> Result<Vec<u8>> {
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(der) = made.as_ref() {
        return Ok(der.clone());
    }
    let key = RsaPrivateKey::new(&mut OsRng, BITS).context("cannot make an RSA key")?;
    let der = key.to_pkcs8_der().context("cannot encode the RSA key")?.as_bytes().to_vec();
    *made = Some(der.clone());
    Ok(der)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shelf_keeps_its_key_in_a_process_that_makes_another() {
        let shelf = Shelf::memory().unwrap();
        let first = Key::open(&shelf).unwrap();
        // What a restart does.
        *MADE.lock().unwrap() = None;
        assert_ne!(Key::open(&Shelf::memory().unwrap()).unwrap().kid(), first.kid());
        assert_eq!(Key::open(&shelf).unwrap().public(), first.public());
    }
}
