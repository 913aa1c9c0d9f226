//! Credential ids and public keys, in the one form that each can have.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::signature::{ECDSA_P256_SHA256_ASN1, ED25519, UnparsedPublicKey};
use serde::{Deserialize, Serialize};

use super::PasskeyRefused;
use crate::Digest;

/// The id of a passkey: 1 to 1023 bytes in base64url without padding.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CredentialId(String);

/// A text that is no credential id, or no public key of a passkey.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is no credential id or public key of WebAuthn in base64url")]
pub struct NotACredential;

impl CredentialId {
    /// Longer ids are refused (§7.1).
    const LONGEST: usize = 1023;

    /// Reads it as browsers and receipts write it.
    ///
    /// # Errors
    /// [`NotACredential`] for anything else.
    pub fn parse(text: impl Into<String>) -> Result<Self, NotACredential> {
        let text = text.into();
        match URL_SAFE_NO_PAD.decode(&text) {
            Ok(bytes) if (1..=Self::LONGEST).contains(&bytes.len()) => Ok(Self(text)),
            _ => Err(NotACredential),
        }
    }

    pub(super) fn of(bytes: &[u8]) -> Result<Self, NotACredential> {
        Self::parse(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// In base64url.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<CredentialId> for String {
    fn from(id: CredentialId) -> Self {
        id.0
    }
}

impl TryFrom<String> for CredentialId {
    type Error = NotACredential;

    fn try_from(text: String) -> Result<Self, NotACredential> {
        Self::parse(text)
    }
}

/// A public key as it was enrolled: a COSE key, which names its algorithm. WebAuthn allows exactly one
/// encoding of it (§6.5.1: the canonical form of CTAP2, with no parameter that may be left out), so the
/// bytes around the key itself are constants and no parser is needed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PublicKey {
    cose: Vec<u8>,
    algorithm: Algorithm,
}

/// The algorithms that are offered, by their COSE numbers: -7 and -8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Algorithm {
    Es256,
    Ed25519,
}

/// `{1: 2, 3: -7, -1: 1, -2: x, -3: y}`: a point of P-256 for ES256.
const ES256: [&[u8]; 2] = [&[0xa5, 1, 2, 3, 0x26, 0x20, 1, 0x21, 0x58, 32], &[0x22, 0x58, 32]];
/// `{1: 1, 3: -8, -1: 6, -2: x}`: a key of Ed25519.
const ED25519_KEY: &[u8] = &[0xa4, 1, 1, 3, 0x27, 0x20, 6, 0x21, 0x58, 32];

impl PublicKey {
    /// Takes the key from the start of some bytes, and gives what comes after it.
    pub(super) fn take(bytes: &[u8]) -> Result<(Self, &[u8]), PasskeyRefused> {
        let ecdsa = || {
            let rest = bytes.strip_prefix(ES256[0])?.get(32..)?;
            rest.strip_prefix(ES256[1])?.get(32..)
        };
        let eddsa = || bytes.strip_prefix(ED25519_KEY)?.get(32..);
        let (algorithm, rest) = ecdsa()
            .map(|rest| (Algorithm::Es256, rest))
            .or_else(|| eddsa().map(|rest| (Algorithm::Ed25519, rest)))
            .ok_or(PasskeyRefused::Algorithm)?;
        let cose = bytes.get(..bytes.len().saturating_sub(rest.len())).unwrap_or_default().to_vec();
        Ok((Self { cose, algorithm }, rest))
    }

    /// Whether the private key signed this message, by the algorithm of the key.
    pub(super) fn has_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        match self.algorithm {
            // The form that ring takes (SEC 1, 2.3.3): 4, then both coordinates.
            Algorithm::Es256 => {
                let coordinate =
                    |from: usize| self.cose.get(from..from.saturating_add(32)).unwrap_or_default();
                let x = ES256[0].len();
                let point = [&[4], coordinate(x), coordinate(x + 32 + ES256[1].len())].concat();
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point).verify(message, signature).is_ok()
            }
            Algorithm::Ed25519 => {
                let key = self.cose.get(ED25519_KEY.len()..).unwrap_or_default();
                UnparsedPublicKey::new(&ED25519, key).verify(message, signature).is_ok()
            }
        }
    }

    /// What people compare when a passkey is confirmed: the first 64 bits of the key's hash, in groups.
    pub fn fingerprint(&self) -> String {
        let digits: Vec<char> = Digest::of(&self.cose).to_string().chars().take(16).collect();
        digits.chunks(4).map(|group| group.iter().collect::<String>()).collect::<Vec<_>>().join("-")
    }
}

impl From<PublicKey> for String {
    fn from(key: PublicKey) -> Self {
        URL_SAFE_NO_PAD.encode(key.cose)
    }
}

impl TryFrom<String> for PublicKey {
    type Error = NotACredential;

    fn try_from(text: String) -> Result<Self, NotACredential> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| NotACredential)?;
        match Self::take(&bytes) {
            Ok((key, [])) => Ok(key),
            _ => Err(NotACredential),
        }
    }
}
