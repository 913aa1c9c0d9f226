//! The signed link to a proposal: a locator, never authority.
//!
//! `v1.<key id>.<payload>.<mac>`, both in base64url without padding. There is no algorithm field:
//! version and key id fix it. The verifier is also the minter, so an HMAC does, and a GET by anybody
//! costs no call to anything.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use super::Identity;
use crate::{Digest, ProposalId, Timestamp, encoding};

/// Longer tokens are refused unread.
pub const MAX_TOKEN_LENGTH: usize = 512;

/// How far the minter's clock may be ahead, in seconds.
const CLOCK_SKEW: i64 = 60;

const DOMAIN: &str = "approval/link/v1";

/// What a link says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The deployment that it is good for.
    pub audience: String,
    /// The proposal.
    pub proposal: ProposalId,
    /// The digest at the time of minting.
    pub digest: Digest,
    /// For whom it was minted.
    pub approver: Identity,
    /// When it was minted.
    pub issued: Timestamp,
    /// From then on it is refused.
    pub expires: Timestamp,
    /// Random, so that no two links are equal.
    pub nonce: [u8; 16],
}

/// Why a token is refused. All of them get the same answer from the outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LinkRefused {
    /// Not a token at all, or not in the one form that is written.
    #[error("the token is malformed")]
    Malformed,
    /// Signed by no key that is known.
    #[error("the token names no live key")]
    UnknownKey,
    /// Changed, or not ours.
    #[error("the token's MAC does not verify")]
    BadMac,
    /// For another deployment.
    #[error("the token is for another deployment")]
    WrongAudience,
    /// Too late.
    #[error("the token has expired")]
    Expired,
    /// Minted later than now.
    #[error("the token is from the future")]
    Future,
}

/// The keys of links: the first mints, all verify.
pub struct LinkKeys(Vec<(String, Vec<u8>)>);

impl std::fmt::Debug for LinkKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(id, _)| id)).finish()
    }
}

impl LinkKeys {
    /// Key ids and keys, the newest first.
    pub fn new(keys: impl IntoIterator<Item = (String, Vec<u8>)>) -> Self {
        Self(keys.into_iter().collect())
    }

    /// The token of a link under the newest key; `None` without any key.
    pub fn mint(&self, link: &Link) -> Option<String> {
        let (id, key) = self.0.first()?;
        let signed = encode(id, link);
        let payload = signed.get(DOMAIN.len() + 1..)?;
        let tag = mac(key, &signed)?.finalize().into_bytes();
        Some(format!("v1.{id}.{}.{}", URL_SAFE_NO_PAD.encode(payload), URL_SAFE_NO_PAD.encode(tag)))
    }

    /// Checks a token: form, MAC, audience, times.
    ///
    /// # Errors
    /// [`LinkRefused`], for metrics only.
    pub fn open(&self, token: &str, audience: &str, now: Timestamp) -> Result<Link, LinkRefused> {
        if token.len() > MAX_TOKEN_LENGTH {
            return Err(LinkRefused::Malformed);
        }
        let mut parts = token.split('.');
        let (Some("v1"), Some(id), Some(payload), Some(tag), None) =
            (parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(LinkRefused::Malformed);
        };
        // The engine refuses padding, the standard alphabet and a last digit with spare bits set.
        let decode = |text| URL_SAFE_NO_PAD.decode(text).map_err(|_| LinkRefused::Malformed);
        let (payload, tag) = (decode(payload)?, decode(tag)?);
        let (_, key) = self.0.iter().find(|(known, _)| known == id).ok_or(LinkRefused::UnknownKey)?;
        let signed = [DOMAIN.as_bytes(), &[0], &payload].concat();
        let mac = mac(key, &signed).ok_or(LinkRefused::UnknownKey)?;
        mac.verify_slice(&tag).map_err(|_| LinkRefused::BadMac)?;

        let (key_id, link) = decode_payload(&payload).ok_or(LinkRefused::Malformed)?;
        if key_id != id {
            return Err(LinkRefused::UnknownKey);
        }
        if link.audience != audience {
            return Err(LinkRefused::WrongAudience);
        }
        if now >= link.expires {
            return Err(LinkRefused::Expired);
        }
        if link.issued > now.plus(CLOCK_SKEW) {
            return Err(LinkRefused::Future);
        }
        Ok(link)
    }
}

fn mac(key: &[u8], message: &[u8]) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
    mac.update(message);
    Some(mac)
}

fn encode(key: &str, link: &Link) -> Vec<u8> {
    encoding::encode(DOMAIN, |to| {
        to.text(&link.audience);
        to.text(key);
        to.text(link.proposal.as_str());
        to.bytes(link.digest.bytes());
        to.text(&link.approver.team);
        to.text(&link.approver.user);
        to.number(link.issued.seconds());
        to.number(link.expires.seconds());
        to.bytes(&link.nonce);
    })
}

fn decode_payload(payload: &[u8]) -> Option<(&str, Link)> {
    let mut rest = payload;
    let mut field = || {
        let (length, tail) = rest.split_at_checked(4)?;
        let length = u32::from_be_bytes(length.try_into().ok()?);
        let (value, tail) = tail.split_at_checked(usize::try_from(length).ok()?)?;
        rest = tail;
        Some(value)
    };
    let audience = std::str::from_utf8(field()?).ok()?.to_owned();
    let key = std::str::from_utf8(field()?).ok()?;
    let proposal = ProposalId::parse(std::str::from_utf8(field()?).ok()?).ok()?;
    let digest = Digest::from(<[u8; 32]>::try_from(field()?).ok()?);
    let team = std::str::from_utf8(field()?).ok()?.to_owned();
    let user = std::str::from_utf8(field()?).ok()?.to_owned();
    let issued = Timestamp::from_seconds(std::str::from_utf8(field()?).ok()?.parse().ok()?);
    let expires = Timestamp::from_seconds(std::str::from_utf8(field()?).ok()?.parse().ok()?);
    let nonce = field()?.try_into().ok()?;
    let approver = Identity { team, user };
    rest.is_empty().then_some((key, Link { audience, proposal, digest, approver, issued, expires, nonce }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::approval::action::tests::sample;

    const NOW: Timestamp = Timestamp::from_seconds(1_750_000_000);
    const AUDIENCE: &str = "prod-us-east-1";
    const TOKEN: &str = "v1.k1.AAAADnByb2QtdXMtZWFzdC0xAAAAAmsxAAAAHWFwXzAxMjM0NTY3ODlhYmNkZWZnaGprbW5wcXJzAAAAIEuE6lUIriczIAyZKaCL1QYvbQoCZ-1F0xTfkRVvP3ykAAAABlQwVEVBTQAAAAZVMEFQUFIAAAAKMTc1MDAwMDAwMAAAAAoxNzUwMDAzNjAwAAAAEAABAgMEBQYHCAkKCwwNDg8.jXqu6FjoJR0JfDaY-TQm7A5qogKJ8An-utKKWByPJXg";

    fn bytes<const N: usize>() -> [u8; N] {
        std::array::from_fn(|index| u8::try_from(index).unwrap())
    }

    fn keys() -> LinkKeys {
        LinkKeys::new([("k1".to_owned(), bytes::<32>().to_vec())])
    }

    fn link() -> Link {
        Link {
            audience: AUDIENCE.into(),
            proposal: sample().proposal,
            digest: sample().digest(),
            approver: Identity { team: "T0TEAM".into(), user: "U0APPR".into() },
            issued: NOW,
            expires: NOW.plus(3600),
            nonce: bytes(),
        }
    }

    #[test]
    fn the_token_is_that_of_the_protocols_vector() {
        assert_eq!(keys().mint(&link()).unwrap(), TOKEN);
        assert_eq!(keys().open(TOKEN, AUDIENCE, NOW), Ok(link()));
    }

    #[test]
    fn a_token_with_any_bit_flipped_is_refused() {
        for index in 0..TOKEN.len() {
            for bit in 0..8 {
                let mut forged = TOKEN.as_bytes().to_vec();
                forged[index] ^= 1 << bit;
                if let Ok(forged) = String::from_utf8(forged) {
                    assert!(keys().open(&forged, AUDIENCE, NOW).is_err(), "byte {index}, bit {bit}");
                }
            }
        }
    }

    #[test]
    fn a_token_in_any_other_form_is_refused() {
        let (head, tag) = TOKEN.rsplit_once('.').unwrap();
        let forms = [
            format!("{TOKEN}="),
            format!("{TOKEN}A"),
            format!("{TOKEN}."),
            TOKEN.split_at(TOKEN.len() - 1).0.to_owned(),
            TOKEN.replacen("v1", "v0", 1),
            TOKEN.replacen("v1", "none", 1),
            format!("{head}."),
            format!("{head}.{}", "A".repeat(43)),
            format!("{head}.{}", tag.replace('-', "+")),
            "x".repeat(MAX_TOKEN_LENGTH + 1),
            String::new(),
        ];
        for form in forms {
            assert!(keys().open(&form, AUDIENCE, NOW).is_err(), "{form}");
        }
    }

    #[test]
    fn a_token_is_good_for_one_deployment_until_it_expires() {
        let open = |audience, now| keys().open(TOKEN, audience, now);
        assert_eq!(open("staging", NOW), Err(LinkRefused::WrongAudience));
        assert!(open(AUDIENCE, NOW.plus(3599)).is_ok());
        assert_eq!(open(AUDIENCE, NOW.plus(3600)), Err(LinkRefused::Expired));
        assert!(open(AUDIENCE, NOW.plus(-60)).is_ok());
        assert_eq!(open(AUDIENCE, NOW.plus(-61)), Err(LinkRefused::Future));
    }

    #[test]
    fn an_old_key_still_verifies_until_it_is_taken_out() {
        let rotated =
            LinkKeys::new([("k2".to_owned(), vec![7; 32]), ("k1".to_owned(), bytes::<32>().to_vec())]);
        assert!(rotated.open(TOKEN, AUDIENCE, NOW).is_ok());
        assert!(rotated.mint(&link()).unwrap().starts_with("v1.k2."));
        let retired = LinkKeys::new([("k2".to_owned(), vec![7; 32])]);
        assert_eq!(retired.open(TOKEN, AUDIENCE, NOW), Err(LinkRefused::UnknownKey));
        assert_eq!(LinkKeys::new([]).mint(&link()), None);
    }

    #[test]
    fn the_key_named_outside_must_be_the_one_named_inside() {
        let same = LinkKeys::new([("k9".to_owned(), bytes::<32>().to_vec())]);
        assert_eq!(same.open(&TOKEN.replacen("k1", "k9", 1), AUDIENCE, NOW), Err(LinkRefused::UnknownKey));
    }
}
