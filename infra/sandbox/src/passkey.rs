//! A passkey in software: what an authenticator and a browser would send, honest unless told otherwise.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::{
    digest::{SHA256, digest},
    error::{KeyRejected, Unspecified},
    rand::{SecureRandom as _, SystemRandom},
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _},
};

/// Somebody touched it and proved to it who they are (user present, user verified).
pub const HONEST: u8 = 0x05;
/// A credential is attached.
const ATTACHED: u8 = 0x40;

enum Key {
    Es256(EcdsaKeyPair, SystemRandom),
    Ed25519(Ed25519KeyPair),
}

/// A passkey.
pub struct Authenticator {
    key: Key,
    credential: [u8; 16],
    /// The counter of its next answer; one that stays zero has none.
    pub counter: u32,
    /// The flags of its next answer.
    pub flags: u8,
}

impl std::fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authenticator").field("credential", &self.credential()).finish_non_exhaustive()
    }
}

/// What `navigator.credentials.get` gives, in base64url.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// `clientDataJSON`.
    pub client_data: String,
    /// `authenticatorData`.
    pub authenticator_data: String,
    /// The signature over both.
    pub signature: String,
}

/// No passkey could be made: the system gave no random bytes.
#[derive(Debug, thiserror::Error)]
#[error("no passkey could be made")]
pub struct NoPasskey;

impl From<Unspecified> for NoPasskey {
    fn from(_: Unspecified) -> Self {
        Self
    }
}

impl From<KeyRejected> for NoPasskey {
    fn from(_: KeyRejected) -> Self {
        Self
    }
}

impl Authenticator {
    /// One that signs with ES256, as most do.
    ///
    /// # Errors
    /// If the system gives no random bytes.
    pub fn es256() -> Result<Self, NoPasskey> {
        let random = SystemRandom::new();
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random)?;
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, document.as_ref(), &random)?;
        Self::with(Key::Es256(pair, random))
    }

    /// One that signs with Ed25519.
    ///
    /// # Errors
    /// If the system gives no random bytes.
    pub fn ed25519() -> Result<Self, NoPasskey> {
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new())?;
        Self::with(Key::Ed25519(Ed25519KeyPair::from_pkcs8(document.as_ref())?))
    }

    fn with(key: Key) -> Result<Self, NoPasskey> {
        let mut credential = [0; 16];
        SystemRandom::new().fill(&mut credential)?;
        Ok(Self { key, credential, counter: 0, flags: HONEST })
    }

    /// Its id, in base64url.
    pub fn credential(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.credential)
    }

    /// The attestation object of a registration, in base64url: format `none`.
    pub fn registration(&self, party: &str) -> String {
        let mut data = self.data(party, self.flags | ATTACHED);
        data.extend([0; 16]);
        data.extend([0, 16]);
        data.extend(self.credential);
        data.extend(self.public());
        let length = u8::try_from(data.len()).unwrap_or(u8::MAX);
        let object =
            [b"\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x58".as_slice(), &[length], &data].concat();
        URL_SAFE_NO_PAD.encode(object)
    }

    /// Its answer to what a browser says ([`client_data`]). The counter goes on.
    ///
    /// # Errors
    /// If the system gives no random bytes.
    pub fn answer(&mut self, party: &str, client_data: &str) -> Result<Signed, NoPasskey> {
        let data = self.data(party, self.flags);
        let message = [data.as_slice(), digest(&SHA256, client_data.as_bytes()).as_ref()].concat();
        let signature = match &self.key {
            Key::Es256(pair, random) => pair.sign(random, &message)?.as_ref().to_vec(),
            Key::Ed25519(pair) => pair.sign(&message).as_ref().to_vec(),
        };
        if self.counter > 0 {
            self.counter = self.counter.saturating_add(1);
        }
        Ok(Signed {
            client_data: URL_SAFE_NO_PAD.encode(client_data),
            authenticator_data: URL_SAFE_NO_PAD.encode(data),
            signature: URL_SAFE_NO_PAD.encode(signature),
        })
    }

    /// `authenticatorData` without what may follow it.
    fn data(&self, party: &str, flags: u8) -> Vec<u8> {
        let party = digest(&SHA256, party.as_bytes());
        [party.as_ref(), &[flags], &self.counter.to_be_bytes()].concat()
    }

    /// Its COSE key.
    fn public(&self) -> Vec<u8> {
        match &self.key {
            Key::Es256(pair, _) => {
                let point = pair.public_key().as_ref();
                let (x, y) = (point.get(1..33).unwrap_or_default(), point.get(33..).unwrap_or_default());
                [&[0xa5, 1, 2, 3, 0x26, 0x20, 1, 0x21, 0x58, 32], x, &[0x22, 0x58, 32], y].concat()
            }
            Key::Ed25519(pair) => {
                [&[0xa4, 1, 1, 3, 0x27, 0x20, 6, 0x21, 0x58, 32], pair.public_key().as_ref()].concat()
            }
        }
    }
}

/// `clientDataJSON` as browsers write it; the challenge is in base64url.
pub fn client_data(kind: &str, challenge: &str, origin: &str) -> String {
    format!(r#"{{"type":"{kind}","challenge":"{challenge}","origin":"{origin}","crossOrigin":false}}"#)
}
