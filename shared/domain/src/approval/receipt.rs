//! The signed record of one vote.

use std::collections::BTreeMap;

use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use serde::{Deserialize, Serialize};

use super::{Assertion, Identity};
use crate::{Digest, ProposalId, Timestamp, encoding};

/// What somebody decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// Do it.
    Approve,
    /// Do not.
    Deny,
}

impl Decision {
    /// As it is signed and posted.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Deny => "deny",
        }
    }
}

/// How the voter proved who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// A session from the OpenID provider.
    Oidc,
}

impl Method {
    /// As it is signed.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Oidc => "oidc",
        }
    }
}

/// What a receipt says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceiptBody {
    /// The receipt's own id.
    pub id: String,
    /// The proposal voted on.
    pub proposal: ProposalId,
    /// The digest of the action as the voter saw it.
    pub digest: Digest,
    /// What was decided.
    pub decision: Decision,
    /// Who voted, as the provider knows them.
    pub voter: Identity,
    /// How they were recognised.
    pub method: Method,
    /// When.
    pub at: Timestamp,
}

impl ReceiptBody {
    /// The signed bytes (`approval/receipt/v1`).
    pub fn encode(&self) -> Vec<u8> {
        encoding::encode("approval/receipt/v1", |to| {
            to.text(&self.id);
            to.text(self.proposal.as_str());
            to.bytes(self.digest.bytes());
            to.text(self.decision.as_str());
            to.text(&self.voter.team);
            to.text(&self.voter.user);
            to.text(self.method.as_str());
            to.number(self.at.seconds());
        })
    }
}

/// A vote with its Ed25519 signature (RFC 8032). Anybody with the public key can check it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// What was signed.
    #[serde(flatten)]
    pub body: ReceiptBody,
    /// The voter's passkey over the same, where the policy asked for it. It is signed with the rest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assertion: Option<Assertion>,
    /// Which key signed it.
    pub key: String,
    /// The signature in lower-case hexadecimal.
    pub signature: String,
}

impl Receipt {
    /// The bytes that are signed: those of the body, and with a passkey `approval/receipt-passkey/v1`
    /// over them and the assertion, so that neither can be had without the other.
    pub fn signed_bytes(&self) -> Vec<u8> {
        signed_bytes(&self.body, self.assertion.as_ref())
    }
}

fn signed_bytes(body: &ReceiptBody, assertion: Option<&Assertion>) -> Vec<u8> {
    let Some(assertion) = assertion else { return body.encode() };
    encoding::encode("approval/receipt-passkey/v1", |to| {
        to.bytes(&body.encode());
        assertion.encode(to);
    })
}

/// Signs receipts. Only the approver function can read its seed.
pub struct ReceiptSigner {
    key: String,
    pair: Ed25519KeyPair,
}

impl std::fmt::Debug for ReceiptSigner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReceiptSigner").field("key", &self.key).finish_non_exhaustive()
    }
}

impl ReceiptSigner {
    /// The signer of a key id and its 32 bytes of seed; `None` if the seed has another length.
    pub fn new(key: impl Into<String>, seed: &[u8]) -> Option<Self> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).ok()?;
        Some(Self { key: key.into(), pair })
    }

    /// Signs one vote.
    pub fn sign(&self, body: ReceiptBody) -> Receipt {
        self.sign_with(body, None)
    }

    /// Signs one vote with the assertion of the voter's passkey. Whoever counts it verifies that
    /// ([`super::Passkeys::carry`]).
    pub fn sign_with(&self, body: ReceiptBody, assertion: Option<Assertion>) -> Receipt {
        let signature = self.sign_bytes(&signed_bytes(&body, assertion.as_ref()));
        Receipt { body, assertion, key: self.key.clone(), signature }
    }

    /// The signature over bytes whose encoding names their purpose, in lower-case hexadecimal.
    pub(crate) fn sign_bytes(&self, bytes: &[u8]) -> String {
        encoding::hex(self.pair.sign(bytes).as_ref())
    }

    /// The key's id.
    pub fn id(&self) -> &str {
        &self.key
    }

    /// The key id and the public key, for [`ReceiptKeys`] and for auditors.
    pub fn public(&self) -> (String, Vec<u8>) {
        (self.key.clone(), self.pair.public_key().as_ref().to_vec())
    }
}

/// The public keys whose receipts count, by key id. A retired key is simply not here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReceiptKeys(BTreeMap<String, Vec<u8>>);

impl ReceiptKeys {
    /// The keys that count.
    pub fn new(keys: impl IntoIterator<Item = (String, Vec<u8>)>) -> Self {
        Self(keys.into_iter().collect())
    }

    /// Whether the signature is one of a live key over exactly this body.
    pub fn verify(&self, receipt: &Receipt) -> bool {
        self.verify_bytes(&receipt.key, &receipt.signed_bytes(), &receipt.signature)
    }

    /// Whether the signature is one of this live key over exactly these bytes.
    pub fn verify_bytes(&self, key: &str, bytes: &[u8], signature: &str) -> bool {
        self.0.get(key).is_some_and(|public| is_signed(public, bytes, signature))
    }
}

/// Whether the owner of an Ed25519 public key signed exactly these bytes; for auditors, who have the key
/// from elsewhere and no key ids.
pub fn is_signed(public: &[u8], bytes: &[u8], signature: &str) -> bool {
    encoding::unhex::<64>(signature)
        .is_some_and(|signature| UnparsedPublicKey::new(&ED25519, public).verify(bytes, &signature).is_ok())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::approval::action::tests::sample;

    fn signer() -> ReceiptSigner {
        ReceiptSigner::new("r1", &std::array::from_fn::<u8, 32, _>(|i| u8::try_from(i).unwrap())).unwrap()
    }

    /// The sample receipt of the protocol's test vectors.
    pub(crate) fn body() -> ReceiptBody {
        ReceiptBody {
            id: "r1".into(),
            proposal: sample().proposal,
            digest: sample().digest(),
            decision: Decision::Approve,
            voter: Identity { team: "T0TEAM".into(), user: "U0APPR".into() },
            method: Method::Oidc,
            at: Timestamp::from_seconds(1_750_000_100),
        }
    }

    fn receipt() -> Receipt {
        signer().sign(body())
    }

    #[test]
    fn the_signature_is_that_of_the_protocols_vector() {
        assert_eq!(
            encoding::hex(&signer().public().1),
            "03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8"
        );
        assert_eq!(
            receipt().signature,
            "020d019e155a0acb10d67740f964a46b82fe3cee5ce197df6778789bbde8e2f6c1eb97926eaea2430f58cd42a9578d5698bb05ed60e276e4d51bb3d7256f510e"
        );
    }

    #[test]
    fn a_receipt_verifies_only_as_it_was_signed_and_only_under_a_live_key() {
        let keys = ReceiptKeys::new([signer().public()]);
        assert!(keys.verify(&receipt()));
        let flipped =
            Receipt { body: ReceiptBody { decision: Decision::Deny, ..receipt().body }, ..receipt() };
        assert!(!keys.verify(&flipped));
        let other = ReceiptBody { proposal: ProposalId::parse("ap_2").unwrap(), ..receipt().body };
        assert!(!keys.verify(&Receipt { body: other, ..receipt() }));
        assert!(!keys.verify(&Receipt { signature: receipt().signature.to_uppercase(), ..receipt() }));
        assert!(!keys.verify(&Receipt { key: "r0".into(), ..receipt() }));
        assert!(!ReceiptKeys::default().verify(&receipt()), "no key, no receipt");
    }
}
