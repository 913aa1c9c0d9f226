//! The check of `Stripe-Signature` (<https://docs.stripe.com/webhooks#verify-manually>).
//!
//! Strict on purpose: the bytes that are authenticated are the bytes that arrived, and a header
//! that two readers could understand in two ways is refused.

use hmac::{Hmac, KeyInit as _, Mac as _, digest::CtOutput};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::Sha256;

use domain::Timestamp;

/// How old a signature may be, in seconds: the default of Stripe's own libraries. Each of Stripe's
/// retries is signed anew.
pub const TOLERANCE: i64 = 300;

/// The live signing secrets of one endpoint: one, or two while a secret is being rolled. Only the
/// keyed hash states are kept, not the secrets' text.
#[derive(Clone)]
pub struct EndpointSecrets(Vec<Hmac<Sha256>>);

/// A configuration under which everything, or nothing, would be accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadSecrets {
    /// No secret at all.
    #[error("an endpoint needs at least one signing secret")]
    None,
    /// A secret without text. Anybody could sign with it.
    #[error("signing secret {0} is blank: remove it or fill it in")]
    Blank(usize),
}

/// Bytes that one of the endpoint's secrets signed not long ago. Only [`EndpointSecrets::verify`]
/// makes one.
#[derive(Debug, Clone, Copy)]
pub struct Verified<'a> {
    body: &'a [u8],
    signed: Timestamp,
}

/// Why a delivery was refused. All of them are answered alike; the reason goes into a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Nothing was signed.
    #[error("the body is empty")]
    EmptyBody,
    /// The header names no `t`.
    #[error("the signature header has no timestamp")]
    NoTimestamp,
    /// `t` is not 1 to 15 digits.
    #[error("the timestamp is not 1 to 15 digits")]
    BadTimestamp,
    /// More than one `t`: which of them was signed is anybody's guess.
    #[error("the signature header has two timestamps")]
    TwoTimestamps,
    /// No `v1` of 64 lower-case hexadecimal digits.
    #[error("the signature header has no v1 signature")]
    NoSignature,
    /// No signature fits any secret.
    #[error("no signature matches: check the endpoint's signing secret")]
    NoMatch,
    /// A true signature, but an old one.
    #[error("the signature is {0} seconds old")]
    TooOld(i64),
}

impl Refused {
    /// A word for a metric.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::EmptyBody => "empty_body",
            Self::NoTimestamp => "no_timestamp",
            Self::BadTimestamp => "bad_timestamp",
            Self::TwoTimestamps => "two_timestamps",
            Self::NoSignature => "no_signature",
            Self::NoMatch => "no_match",
            Self::TooOld(_) => "too_old",
        }
    }
}

impl EndpointSecrets {
    /// Takes the secrets as they were stored; white space around them is an accident of storing.
    ///
    /// # Errors
    /// [`BadSecrets`] at start-up rather than a surprise later.
    pub fn new<'s>(secrets: impl IntoIterator<Item = &'s SecretString>) -> Result<Self, BadSecrets> {
        let mut keyed = Vec::new();
        for (index, secret) in secrets.into_iter().enumerate() {
            let text = secret.expose_secret().trim();
            // An HMAC key may have any length, so the only failure is the blank one.
            match Hmac::new_from_slice(text.as_bytes()) {
                Ok(state) if !text.is_empty() => keyed.push(state),
                _ => return Err(BadSecrets::Blank(index)),
            }
        }
        if keyed.is_empty() { Err(BadSecrets::None) } else { Ok(Self(keyed)) }
    }

    /// The header under which Stripe would deliver this body now, for what we deliver to ourselves.
    pub fn sign(&self, now: Timestamp, body: &[u8]) -> String {
        let mut header = format!("t={}", now.seconds());
        for keyed in &self.0 {
            let mut mac = keyed.clone();
            mac.update(format!("{}.", now.seconds()).as_bytes());
            mac.update(body);
            header.push_str(",v1=");
            header.push_str(&domain::encoding::hex(&mac.finalize().into_bytes()));
        }
        header
    }

    /// Checks the header's signatures over `t.body`: every `v1` against every live secret, in
    /// constant time, and only then the age. `now` is in whole seconds, rounded down. A timestamp in
    /// the future is accepted, as Stripe's libraries do: the sender's clock is theirs to keep.
    ///
    /// # Errors
    /// The first reason to refuse.
    pub fn verify<'a>(&self, header: &[u8], body: &'a [u8], now: Timestamp) -> Result<Verified<'a>, Refused> {
        self.verify_within(TOLERANCE, header, body, now)
    }

    /// The same with another tolerance in seconds than [`TOLERANCE`].
    ///
    /// # Errors
    /// The first reason to refuse.
    pub fn verify_within<'a>(
        &self,
        tolerance: i64,
        header: &[u8],
        body: &'a [u8],
        now: Timestamp,
    ) -> Result<Verified<'a>, Refused> {
        if body.is_empty() {
            return Err(Refused::EmptyBody);
        }
        let digits = timestamp(header)?;
        let seconds = digits.parse().map_err(|_| Refused::BadTimestamp)?;
        let signed = Timestamp::from_seconds(seconds);
        if signatures(header).next().is_none() {
            return Err(Refused::NoSignature);
        }
        let matches = self.0.iter().any(|keyed| {
            // The body is hashed once for each secret, however many signatures there are.
            let mut mac = keyed.clone();
            mac.update(digits.as_bytes());
            mac.update(b".");
            mac.update(body);
            let ours = mac.finalize();
            signatures(header).any(|theirs| CtOutput::new(theirs.into()) == ours)
        });
        match now.since(signed) {
            _ if !matches => Err(Refused::NoMatch),
            age if age > tolerance => Err(Refused::TooOld(age)),
            _ => Ok(Verified { body, signed }),
        }
    }
}

impl std::fmt::Debug for EndpointSecrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "EndpointSecrets({} live)", self.0.len())
    }
}

impl<'a> Verified<'a> {
    /// The signed bytes.
    pub const fn body(&self) -> &'a [u8] {
        self.body
    }

    /// When Stripe signed them.
    pub const fn signed(&self) -> Timestamp {
        self.signed
    }
}

/// The elements `key=value`; one without `=` is a key without a value, so that a bare `t` counts.
fn elements(header: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    header.split(|byte| *byte == b',').map(|element| {
        let equals = element.iter().position(|byte| *byte == b'=').unwrap_or(element.len());
        let (key, value) = element.split_at(equals);
        (key, value.get(1..).unwrap_or_default())
    })
}

/// The one `t`, as the digits that were signed.
fn timestamp(header: &[u8]) -> Result<&str, Refused> {
    let mut all = elements(header).filter(|(key, _)| *key == b"t").map(|(_, value)| value);
    let digits = all.next().ok_or(Refused::NoTimestamp)?;
    if all.next().is_some() {
        return Err(Refused::TwoTimestamps);
    }
    if !(1..=15).contains(&digits.len()) || !digits.iter().all(u8::is_ascii_digit) {
        return Err(Refused::BadTimestamp);
    }
    std::str::from_utf8(digits).map_err(|_| Refused::BadTimestamp)
}

/// The `v1` signatures that have the form of one. Test deliveries also carry a made-up `v0`.
fn signatures(header: &[u8]) -> impl Iterator<Item = [u8; 32]> {
    elements(header)
        .filter(|(key, _)| *key == b"v1")
        .filter_map(|(_, value)| domain::encoding::unhex(std::str::from_utf8(value).ok()?))
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use proptest::prelude::*;
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    struct Vectors {
        vectors: Vec<Vector>,
    }

    #[derive(Deserialize)]
    struct Vector {
        id: String,
        now: i64,
        tolerance: i64,
        secrets: Vec<String>,
        header: String,
        body: Option<String>,
        body_b64: Option<String>,
        body_gen: Option<Generated>,
        body_len: usize,
        recommended: String,
    }

    #[derive(Deserialize)]
    struct Generated {
        prefix: String,
        unit: String,
        count: usize,
        suffix: String,
    }

    impl Vector {
        fn body(&self) -> Vec<u8> {
            let body = match (&self.body, &self.body_b64, &self.body_gen) {
                (Some(text), ..) => text.clone().into_bytes(),
                (_, Some(text), _) => base64::engine::general_purpose::STANDARD.decode(text).unwrap(),
                (.., Some(made)) => {
                    [made.prefix.clone(), made.unit.repeat(made.count), made.suffix.clone()].concat().into()
                }
                _ => panic!("{} has no body", self.id),
            };
            assert_eq!(body.len(), self.body_len, "{}", self.id);
            body
        }

        fn accepts(&self) -> bool {
            let secrets: Vec<SecretString> = self.secrets.iter().map(|s| s.clone().into()).collect();
            let now = Timestamp::from_seconds(self.now);
            EndpointSecrets::new(&secrets).is_ok_and(|secrets| {
                secrets.verify_within(self.tolerance, self.header.as_bytes(), &self.body(), now).is_ok()
            })
        }
    }

    fn vectors() -> Vec<Vector> {
        let text = include_str!("../../../tests/fixtures/stripe/signature_vectors.json");
        serde_json::from_str::<Vectors>(text).unwrap().vectors
    }

    fn secrets(all: &[&str]) -> Result<EndpointSecrets, BadSecrets> {
        let all: Vec<SecretString> = all.iter().map(|text| (*text).into()).collect();
        EndpointSecrets::new(&all)
    }

    #[test]
    fn every_vector_is_judged_as_recommended() {
        let vectors = vectors();
        assert_eq!(vectors.len(), 90);
        let mut judged = 0;
        for vector in vectors.iter().filter(|vector| vector.recommended != "either") {
            assert_eq!(vector.accepts(), vector.recommended == "accept", "{}", vector.id);
            judged += 1;
        }
        assert_eq!(judged, 76);
    }

    #[test]
    fn a_blank_or_missing_secret_is_refused_at_start_up() {
        assert_eq!(secrets(&[]).unwrap_err(), BadSecrets::None);
        assert_eq!(secrets(&["whsec_1", " \n"]).unwrap_err(), BadSecrets::Blank(1));
    }

    #[test]
    fn white_space_around_a_stored_secret_does_not_count() {
        let vector = vectors().into_iter().find(|vector| vector.id == "ok_empty_object").unwrap();
        let secrets = secrets(&[&format!(" {}\n", vector.secrets[0])]).unwrap();
        let (body, now) = (vector.body(), Timestamp::from_seconds(vector.now));
        let verified = secrets.verify(vector.header.as_bytes(), &body, now).unwrap();
        assert_eq!(verified.body(), body);
        assert_eq!(verified.signed(), now);
    }

    #[test]
    fn a_forged_and_old_delivery_is_called_forged() {
        let vector = vectors().into_iter().find(|vector| vector.id == "ok_empty_object").unwrap();
        let later = Timestamp::from_seconds(vector.now + TOLERANCE + 1);
        let check = |secret: &str, now| {
            secrets(&[secret]).unwrap().verify(vector.header.as_bytes(), b"{}", now).map(|_| ()).unwrap_err()
        };
        assert_eq!(check("whsec_other", later), Refused::NoMatch);
        assert_eq!(check(&vector.secrets[0], later), Refused::TooOld(301));
    }

    #[test]
    fn every_refusal_has_its_own_reason() {
        let secrets = secrets(&["whsec_1"]).unwrap();
        let now = Timestamp::from_seconds(1);
        let check = |header: &str, body: &str| {
            secrets.verify(header.as_bytes(), body.as_bytes(), now).map(|_| ()).unwrap_err()
        };
        let hex = "0".repeat(64);
        assert_eq!(check("t=1,v1=00", ""), Refused::EmptyBody);
        assert_eq!(check("v1=00", "{}"), Refused::NoTimestamp);
        assert_eq!(check("t=1x,v1=00", "{}"), Refused::BadTimestamp);
        assert_eq!(check("t=1,t=1,v1=00", "{}"), Refused::TwoTimestamps);
        assert_eq!(check("t=1,v0=00", "{}"), Refused::NoSignature);
        assert_eq!(check(&format!("t=1,v1={hex}"), "{}"), Refused::NoMatch);
    }

    #[test]
    fn secrets_are_not_in_debug_output() {
        assert_eq!(format!("{:?}", secrets(&["whsec_1", "whsec_2"]).unwrap()), "EndpointSecrets(2 live)");
    }
    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn no_made_up_header_is_accepted(header in prop::collection::vec(any::<u8>(), 0..200), body in ".{1,9}") {
            let refused = secrets(&["whsec_1"]).unwrap().verify(&header, body.as_bytes(), Timestamp::from_seconds(0));
            prop_assert!(refused.is_err());
        }

        #[test]
        fn one_flipped_bit_anywhere_in_the_body_is_refused(at in 0_usize..378, bit in 0_u32..8) {
            let vector = vectors().into_iter().find(|vector| vector.id == "ok_with_v0").unwrap();
            let secrets = secrets(&[&vector.secrets[0]]).unwrap();
            let (mut body, now) = (vector.body(), Timestamp::from_seconds(vector.now));
            prop_assert!(secrets.verify(vector.header.as_bytes(), &body, now).is_ok());
            body[at] ^= 1 << bit;
            let refused = secrets.verify(vector.header.as_bytes(), &body, now).map(|_| ()).unwrap_err();
            prop_assert_eq!(refused, Refused::NoMatch);
        }
    }
}
