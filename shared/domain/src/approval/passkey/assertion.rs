//! An assertion, as browsers post it and receipts keep it.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

use super::{CredentialId, PasskeyRefused, client::ClientData, data::AuthenticatorData};
use crate::{Digest, encoding::Encoder};

/// What an authenticator signed, byte for byte, and the nonce of its challenge. All of it stands in the
/// receipt, so that the public key is all that an auditor needs besides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assertion {
    /// Which passkey.
    pub credential: CredentialId,
    /// What made the challenge fresh; the rest of the challenge follows from the vote.
    pub nonce: String,
    /// `clientDataJSON` in base64url.
    pub client_data: String,
    /// `authenticatorData` in base64url.
    pub authenticator_data: String,
    /// The signature over both, in base64url.
    pub signature: String,
}

/// What an assertion says, read and not yet checked.
pub(super) struct Signed {
    pub(super) client: ClientData,
    pub(super) data: AuthenticatorData,
    /// `authenticatorData ‖ SHA-256(clientDataJSON)`.
    pub(super) message: Vec<u8>,
    pub(super) signature: Vec<u8>,
}

impl Assertion {
    pub(super) fn read(&self) -> Result<Signed, PasskeyRefused> {
        // The engine refuses padding, the standard alphabet and a last digit with spare bits set.
        let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).map_err(|_| PasskeyRefused::Unreadable);
        let client = decode(&self.client_data)?;
        let data = decode(&self.authenticator_data)?;
        Ok(Signed {
            client: ClientData::read(&client)?,
            data: AuthenticatorData::read(&data)?,
            message: [data.as_slice(), Digest::of(&client).bytes()].concat(),
            signature: decode(&self.signature)?,
        })
    }

    /// Its part of a receipt's encoding.
    pub(crate) fn encode(&self, to: &mut Encoder) {
        for field in [
            self.credential.as_str(),
            &self.nonce,
            &self.client_data,
            &self.authenticator_data,
            &self.signature,
        ] {
            to.text(field);
        }
    }
}
