//! Passkeys as a second proof: above a threshold of the policy an approval carries a WebAuthn assertion
//! over exactly the action that is approved.
//!
//! The challenge is a hash of the action's digest, the decision and a nonce of the server
//! ([`vote_challenge`]). So what the authenticator signed is what is executed: an assertion for another
//! proposal, another amount or another decision does not verify, and whoever has the receipt and the
//! public key can see that without us. Two algorithms, chosen when the passkey is enrolled and never by
//! an assertion; no library, since those there are pick the challenge themselves or bring OpenSSL.
//!
//! What [WebAuthn Level 3, §7.2](https://www.w3.org/TR/webauthn-3/#sctn-verifying-assertion) asks of an
//! assertion, and where it is asked:
//!
//! | §7.2 | where |
//! |---|---|
//! | options: challenge, `allowCredentials`, `userVerification: required` | the review page |
//! | the credential belongs to the person who is signed in; a user handle is theirs | [`Passkeys::carry`], [`user_handle`] |
//! | `type` is `webauthn.get`; the challenge; the origin; not in a frame of another site | `ClientData::check` |
//! | `rpIdHash`; user present; user verified; backup flags that fit each other | `AuthenticatorData::check` |
//! | backup eligibility as when it was enrolled | [`Passkey::verify`] |
//! | the signature over authenticator data and the hash of the client data, by the enrolled algorithm | [`Passkey::verify`] |
//! | the counter went up, or stays zero | [`Passkey::follows`]; it is stored with the vote |
//! | extensions | none are asked for; what comes unasked is ignored |
//!
//! And of [a registration, §7.1](https://www.w3.org/TR/webauthn-3/#sctn-registering-a-new-credential):
//! the same of client and authenticator data with `webauthn.create`; an algorithm that was offered and a
//! credential id of at most 1023 bytes (`Enrolled::read`); attestation `none`, which is all that is asked
//! for; and nobody else has that credential (the store's condition). A registration proves nothing about
//! who made it: the passkey counts only once an administrator of the registry has confirmed it.

mod assertion;
mod client;
mod data;
mod enrol;
mod key;
mod person;

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use super::Decision;
use crate::{Digest, PersonId, ProposalId, Timestamp, encoding};

pub use assertion::Assertion;
pub use enrol::Enrolled;
pub use key::{CredentialId, NotACredential, PublicKey};
pub use person::{PasskeyChange, Passkeys};

/// Why an assertion or a registration does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasskeyRefused {
    /// The amount asks for one, and there is none.
    #[error("this needs your passkey; open the proposal again and approve it there")]
    Missing,
    /// The person has none that counts.
    #[error("this needs a passkey, and you have none that is confirmed; add one under Passkeys")]
    None,
    /// Not theirs, not confirmed at that time, or removed since.
    #[error("this passkey is not one of yours that counts; add one under Passkeys")]
    NotTheirs,
    /// Not in the form that browsers send.
    #[error("the browser's answer cannot be read; try again with another browser")]
    Unreadable,
    /// It answers something else.
    #[error("the passkey answered another question; open the page again")]
    OtherChallenge,
    /// It was given to another site.
    #[error("the passkey was used on another site; nothing was counted")]
    OtherSite,
    /// Nobody touched it.
    #[error("nobody touched the passkey; try again")]
    NotPresent,
    /// It did not ask for a PIN, a fingerprint or a face.
    #[error("the passkey did not ask for a PIN, a fingerprint or a face; switch that on for it")]
    NotVerified,
    /// Flags or lengths that contradict each other, or what was enrolled.
    #[error("the passkey contradicts what was enrolled; remove it and add it again")]
    Contradictory,
    /// Signed by something else.
    #[error("the passkey's signature does not verify; nothing was counted")]
    BadSignature,
    /// Its counter did not go up: a copy of it may be in use.
    #[error(
        "the passkey's counter went back, so there may be a copy of it; remove it and tell an administrator"
    )]
    WentBack,
    /// Neither of the algorithms that were offered.
    #[error("the passkey uses neither ES256 nor Ed25519; use another device")]
    Algorithm,
    /// An attestation, which nobody asked for.
    #[error("the browser sent an attestation that was not asked for; try again with another browser")]
    Attested,
    /// It is enrolled already, maybe by somebody else.
    #[error("this passkey is enrolled already")]
    Known,
    /// Whoever confirms it has to be somebody else.
    #[error("nobody confirms their own passkey; somebody else has to")]
    OwnWord,
    /// Enough is enough.
    #[error("you have as many passkeys as can be; remove one first")]
    TooMany,
}

impl PasskeyRefused {
    /// One word for a figure.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::None => "none",
            Self::NotTheirs => "not_theirs",
            Self::Unreadable => "unreadable",
            Self::OtherChallenge => "other_challenge",
            Self::OtherSite => "other_site",
            Self::NotPresent => "not_present",
            Self::NotVerified => "not_verified",
            Self::Contradictory => "contradictory",
            Self::BadSignature => "bad_signature",
            Self::WentBack => "went_back",
            Self::Algorithm => "algorithm",
            Self::Attested => "attested",
            Self::Known => "known",
            Self::OwnWord => "own_word",
            Self::TooMany => "too_many",
        }
    }
}

/// Whom passkeys are for: the site that people approve on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RelyingParty {
    /// The host, without a port.
    pub id: String,
    /// The only origin that may ask: scheme, host and port.
    pub origin: String,
}

impl RelyingParty {
    /// The relying party of an origin (`https://host`, or `http://localhost:port`); `None` without a host.
    pub fn of(origin: &str) -> Option<Self> {
        let id = url::Url::parse(origin).ok()?.host_str()?.to_owned();
        Some(Self { id, origin: origin.to_owned() })
    }
}

/// What the authenticator of an approval has to sign. The nonce makes it fresh; the rest binds it.
pub fn vote_challenge(nonce: &str, proposal: &ProposalId, digest: Digest, decision: Decision) -> Digest {
    encoding::digest("approval/passkey-vote/v1", |to| {
        to.text(nonce);
        to.text(proposal.as_str());
        to.bytes(digest.bytes());
        to.text(decision.as_str());
    })
}

/// The challenge of a registration.
pub fn enrol_challenge(nonce: &str, person: &PersonId) -> Digest {
    encoding::digest("approval/passkey-enrol/v1", |to| {
        to.text(nonce);
        to.text(person.as_str());
    })
}

/// What an authenticator knows a person as: nothing that tells who they are (§14.6.1).
pub fn user_handle(person: &PersonId) -> Digest {
    encoding::digest("approval/passkey-user/v1", |to| to.text(person.as_str()))
}

/// One passkey of a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passkey {
    /// Its id, as the authenticator made it.
    pub credential: CredentialId,
    /// Its public key, which also fixes the algorithm.
    pub key: PublicKey,
    /// Where it was enrolled, and the only place where it can be used.
    pub party: RelyingParty,
    /// The highest signature counter that was seen; zero if it has none.
    pub counter: u32,
    /// Whether it can be copied to other devices of its owner.
    pub backup_eligible: bool,
    /// What its owner calls it.
    pub name: String,
    /// When it was enrolled.
    pub enrolled: Timestamp,
    /// Since when it counts; `None` until an administrator of the registry has confirmed it.
    pub confirmed: Option<Timestamp>,
}

impl Passkey {
    /// Whether it counted at a time. What was removed is no longer here.
    pub fn counts(&self, at: Timestamp) -> bool {
        self.confirmed.is_some_and(|confirmed| confirmed <= at)
    }

    /// Checks an assertion of this passkey, as the table above says; gives its counter.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn verify(&self, assertion: &Assertion, challenge: Digest) -> Result<u32, PasskeyRefused> {
        if assertion.credential != self.credential {
            return Err(PasskeyRefused::NotTheirs);
        }
        let signed = assertion.read()?;
        signed.client.check("webauthn.get", challenge, &self.party)?;
        signed.data.check(&self.party)?;
        if signed.data.has_credential() || signed.data.is_backup_eligible() != self.backup_eligible {
            return Err(PasskeyRefused::Contradictory);
        }
        if !self.key.has_signed(&signed.message, &signed.signature) {
            return Err(PasskeyRefused::BadSignature);
        }
        Ok(signed.data.counter)
    }

    /// Whether a counter comes after the last one that was seen (§6.1.1): a copy would fall behind.
    pub const fn follows(&self, counter: u32) -> bool {
        counter > self.counter || (counter == 0 && self.counter == 0)
    }
}
