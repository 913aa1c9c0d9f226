//! What the browser says about a ceremony (§5.8.1).

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Deserialize;

use super::{PasskeyRefused, RelyingParty};
use crate::Digest;

/// `clientDataJSON`. The browser writes it, the authenticator signs its hash, and later versions may add
/// members to it, which say nothing here.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ClientData {
    #[serde(rename = "type")]
    kind: String,
    challenge: String,
    origin: String,
    #[serde(default)]
    cross_origin: bool,
    top_origin: Option<String>,
}

impl ClientData {
    pub(super) fn read(bytes: &[u8]) -> Result<Self, PasskeyRefused> {
        serde_json::from_slice(bytes).map_err(|_| PasskeyRefused::Unreadable)
    }

    /// The right ceremony, this very challenge, our own page and no frame around it.
    pub(super) fn check(
        &self,
        kind: &str,
        challenge: Digest,
        party: &RelyingParty,
    ) -> Result<(), PasskeyRefused> {
        if self.kind != kind || self.challenge != URL_SAFE_NO_PAD.encode(challenge.bytes()) {
            return Err(PasskeyRefused::OtherChallenge);
        }
        if self.origin != party.origin || self.cross_origin || self.top_origin.is_some() {
            return Err(PasskeyRefused::OtherSite);
        }
        Ok(())
    }
}
