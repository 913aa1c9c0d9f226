//! A registration, as browsers post it.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

use super::{
    CredentialId, Passkey, PasskeyRefused, PublicKey, RelyingParty, client::ClientData,
    data::AuthenticatorData,
};
use crate::{Digest, Timestamp};

/// A passkey that was just made: what the trail keeps of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enrolled {
    credential: CredentialId,
    key: PublicKey,
    party: RelyingParty,
    counter: u32,
    backup_eligible: bool,
}

/// `{"fmt": "none", "attStmt": {}, "authData": bytes}` up to the length of the bytes. What WebAuthn encodes
/// has to be in the canonical form of CTAP2 (§2), and then these bytes cannot be others.
const ATTESTATION: &[u8] = b"\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData";

impl Enrolled {
    /// Reads and checks what `navigator.credentials.create` gave, both in base64url.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn read(
        client_data: &str,
        attestation: &str,
        challenge: Digest,
        party: &RelyingParty,
    ) -> Result<Self, PasskeyRefused> {
        let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).map_err(|_| PasskeyRefused::Unreadable);
        ClientData::read(&decode(client_data)?)?.check("webauthn.create", challenge, party)?;
        let attestation = decode(attestation)?;
        let data = AuthenticatorData::read(authenticator_data(&attestation)?)?;
        data.check(party)?;
        if !data.has_credential() {
            return Err(PasskeyRefused::Unreadable);
        }
        let (credential, key) = attested(&data.rest).ok_or(PasskeyRefused::Unreadable)?;
        let (key, rest) = PublicKey::take(key)?;
        if data.has_extensions() == rest.is_empty() {
            return Err(PasskeyRefused::Unreadable);
        }
        let credential = CredentialId::of(credential).map_err(|_| PasskeyRefused::Unreadable)?;
        let (counter, backup_eligible) = (data.counter, data.is_backup_eligible());
        Ok(Self { credential, key, party: party.clone(), counter, backup_eligible })
    }

    /// Its id.
    pub const fn credential(&self) -> &CredentialId {
        &self.credential
    }

    /// The passkey that it makes, which nobody has confirmed.
    pub(super) fn passkey(self, at: Timestamp) -> Passkey {
        let Self { credential, key, party, counter, backup_eligible } = self;
        let name = String::new();
        Passkey { credential, key, party, counter, backup_eligible, name, enrolled: at, confirmed: None }
    }
}

/// The bytes after `authData`: a byte string of CBOR with a length of one byte or two.
fn authenticator_data(attestation: &[u8]) -> Result<&[u8], PasskeyRefused> {
    let rest = attestation.strip_prefix(ATTESTATION).ok_or(PasskeyRefused::Attested)?;
    let (length, data) = match rest {
        [0x58, length, data @ ..] => (usize::from(*length), data),
        [0x59, high, low, data @ ..] => (usize::from(u16::from_be_bytes([*high, *low])), data),
        _ => return Err(PasskeyRefused::Unreadable),
    };
    if data.len() == length { Ok(data) } else { Err(PasskeyRefused::Unreadable) }
}

/// `attestedCredentialData` (§6.5.1): 16 bytes of the authenticator's model, the id with its length, then
/// the key.
fn attested(data: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = data.get(16..)?.split_first_chunk::<2>()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))
}
