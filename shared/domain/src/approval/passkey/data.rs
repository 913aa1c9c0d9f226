//! What the authenticator says about itself (§6.1): 32 bytes of hash, one of flags, four of a counter, and
//! what the flags announce.

use super::{PasskeyRefused, RelyingParty};
use crate::Digest;

const USER_PRESENT: u8 = 0x01;
const USER_VERIFIED: u8 = 0x04;
const BACKUP_ELIGIBLE: u8 = 0x08;
const BACKED_UP: u8 = 0x10;
const CREDENTIAL: u8 = 0x40;
const EXTENSIONS: u8 = 0x80;

/// `authenticatorData`, read.
#[derive(Debug)]
pub(super) struct AuthenticatorData {
    party: [u8; 32],
    flags: u8,
    pub(super) counter: u32,
    /// The credential that it brings, and extensions.
    pub(super) rest: Vec<u8>,
}

impl AuthenticatorData {
    pub(super) fn read(bytes: &[u8]) -> Result<Self, PasskeyRefused> {
        let read = || {
            let (party, bytes) = bytes.split_first_chunk::<32>()?;
            let (flags, bytes) = bytes.split_first()?;
            let (counter, rest) = bytes.split_first_chunk::<4>()?;
            let counter = u32::from_be_bytes(*counter);
            Some(Self { party: *party, flags: *flags, counter, rest: rest.to_vec() })
        };
        let data = read().ok_or(PasskeyRefused::Unreadable)?;
        // Without a credential, what follows can only be extensions.
        if !data.has_credential() && data.has_extensions() == data.rest.is_empty() {
            return Err(PasskeyRefused::Unreadable);
        }
        Ok(data)
    }

    /// For this site, with somebody who touched it and proved to it who they are.
    pub(super) fn check(&self, party: &RelyingParty) -> Result<(), PasskeyRefused> {
        if self.party != *Digest::of(&party.id).bytes() {
            return Err(PasskeyRefused::OtherSite);
        }
        if !self.has(USER_PRESENT) {
            return Err(PasskeyRefused::NotPresent);
        }
        if !self.has(USER_VERIFIED) {
            return Err(PasskeyRefused::NotVerified);
        }
        // What cannot be backed up is not backed up.
        if self.has(BACKED_UP) && !self.is_backup_eligible() {
            return Err(PasskeyRefused::Contradictory);
        }
        Ok(())
    }

    pub(super) const fn is_backup_eligible(&self) -> bool {
        self.has(BACKUP_ELIGIBLE)
    }

    pub(super) const fn has_credential(&self) -> bool {
        self.has(CREDENTIAL)
    }

    pub(super) const fn has_extensions(&self) -> bool {
        self.has(EXTENSIONS)
    }

    const fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }
}
