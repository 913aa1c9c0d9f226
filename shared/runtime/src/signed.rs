//! The signature on our requests to the company's own application.
//!
//! A request carries `Countersign-Signature: t=<unix seconds>,v1=<hex>`, where `<hex>` is the lower
//! hexadecimal HMAC-SHA256, keyed with the shared secret, over the time, the method, the path with its
//! query as sent, and the body's bytes, joined by full stops:
//!
//! ```text
//! 1790000000.GET./customers/cus_1.
//! ```
//!
//! While a secret is replaced there may be several `v1`, one for each secret; one that verifies is
//! enough. A request signed more than [`TOLERANCE`] seconds ago or ahead is refused.

use domain::Timestamp;
use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::Sha256;

/// The header's name, in lower case.
pub const HEADER: &str = "countersign-signature";

/// Seconds by which two clocks may differ.
pub const TOLERANCE: i64 = 300;

/// What is signed besides the time.
#[derive(Debug, Clone, Copy)]
pub struct Parts<'a> {
    /// In upper case: `GET`.
    pub method: &'a str,
    /// As it stands in the request line: `/customers/cus_1?x=1`.
    pub path_and_query: &'a str,
    /// The bytes of the body; empty without one.
    pub body: &'a [u8],
}

/// A signature that does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotSigned {
    /// The header is not of the form above.
    #[error("`Countersign-Signature` is not of the form `t=…,v1=…`")]
    Malformed,
    /// It was signed too long ago or ahead.
    #[error("signed more than {TOLERANCE} s from now; check both clocks")]
    Stale,
    /// No secret of ours made it.
    #[error("no known secret made this signature")]
    Mismatch,
}

/// The header's value, with a `v1` for each secret.
pub fn sign(secrets: &[SecretString], at: Timestamp, parts: Parts<'_>) -> String {
    let mut header = format!("t={}", at.seconds());
    for mac in secrets.iter().filter_map(|secret| mac(secret, at.seconds(), parts)) {
        header.push_str(",v1=");
        header.extend(mac.finalize().into_bytes().iter().flat_map(|byte| [byte >> 4, byte & 15]).map(hex));
    }
    header
}

/// Checks a header against every secret, in constant time for each.
///
/// # Errors
/// [`NotSigned`] says why it does not count.
pub fn verify(
    secrets: &[SecretString],
    header: &str,
    now: Timestamp,
    parts: Parts<'_>,
) -> Result<(), NotSigned> {
    let (mut at, mut given) = (None, Vec::new());
    for (name, value) in header.split(',').filter_map(|pair| pair.trim().split_once('=')) {
        match name {
            // A second time could be signed for another.
            "t" if at.is_some() => return Err(NotSigned::Malformed),
            "t" => at = Some(value.parse::<i64>().map_err(|_| NotSigned::Malformed)?),
            "v1" => given.push(from_hex(value).ok_or(NotSigned::Malformed)?),
            _ => {}
        }
    }
    let at = at.filter(|_| !given.is_empty()).ok_or(NotSigned::Malformed)?;
    if now.since(Timestamp::from_seconds(at)).unsigned_abs() > TOLERANCE.unsigned_abs() {
        return Err(NotSigned::Stale);
    }
    let made = |secret: &SecretString, given: &[u8]| {
        mac(secret, at, parts).is_some_and(|mac| mac.verify_slice(given).is_ok())
    };
    let any = secrets.iter().any(|secret| given.iter().any(|given| made(secret, given)));
    if any { Ok(()) } else { Err(NotSigned::Mismatch) }
}

/// `None` cannot happen, since HMAC takes a key of any length.
fn mac(secret: &SecretString, at: i64, parts: Parts<'_>) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes()).ok()?;
    mac.update(format!("{at}.{}.{}.", parts.method, parts.path_and_query).as_bytes());
    mac.update(parts.body);
    Some(mac)
}

fn hex(digit: u8) -> char {
    char::from_digit(u32::from(digit), 16).unwrap_or('0')
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pair = |pair: &[u8]| match pair {
        [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
        _ => None,
    };
    text.as_bytes().chunks(2).map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_790_000_000);
    const PARTS: Parts<'_> = Parts { method: "GET", path_and_query: "/customers/cus_1", body: b"" };

    fn secrets(texts: &[&str]) -> Vec<SecretString> {
        texts.iter().map(|text| SecretString::from(*text)).collect()
    }

    #[test]
    fn the_signature_is_that_of_any_other_implementation() {
        // printf '%s' '1790000000.GET./customers/cus_1.' | openssl dgst -sha256 -hmac secret
        assert_eq!(
            sign(&secrets(&["secret"]), NOW, PARTS),
            "t=1790000000,v1=b90d34558266959526bd67da93b67298445b3bdd39b3e601e2bb61bf1bb6e12b"
        );
    }

    #[test]
    fn while_a_secret_is_replaced_either_side_may_be_first() {
        let (old, both, new) = (secrets(&["old"]), secrets(&["new", "old"]), secrets(&["new"]));
        for (signs, checks) in [(&old, &both), (&both, &old), (&both, &new), (&new, &both)] {
            assert_eq!(verify(checks, &sign(signs, NOW, PARTS), NOW, PARTS), Ok(()));
        }
        assert_eq!(verify(&new, &sign(&old, NOW, PARTS), NOW, PARTS), Err(NotSigned::Mismatch));
    }

    #[test]
    fn everything_that_is_signed_counts() {
        let (all, header) = (secrets(&["s"]), sign(&secrets(&["s"]), NOW, PARTS));
        for other in [
            Parts { method: "POST", ..PARTS },
            Parts { path_and_query: "/customers/cus_2", ..PARTS },
            Parts { path_and_query: "/customers/cus_1?x", ..PARTS },
            Parts { body: b"{}", ..PARTS },
        ] {
            assert_eq!(verify(&all, &header, NOW, other), Err(NotSigned::Mismatch), "{other:?}");
        }
        let later = header.replace("t=1790000000", "t=1790000001");
        assert_eq!(verify(&all, &later, NOW, PARTS), Err(NotSigned::Mismatch));
    }

    #[test]
    fn a_signature_counts_for_five_minutes() {
        let (all, header) = (secrets(&["s"]), sign(&secrets(&["s"]), NOW, PARTS));
        for (seconds, expected) in
            [(300, Ok(())), (-300, Ok(())), (301, Err(NotSigned::Stale)), (-301, Err(NotSigned::Stale))]
        {
            assert_eq!(verify(&all, &header, NOW.plus(seconds), PARTS), expected, "{seconds}");
        }
    }

    #[test]
    fn another_form_is_refused() {
        for bad in [
            "",
            "t=1790000000",
            "v1=00",
            "t=x,v1=00",
            "t=1790000000,v1=0g",
            "t=1,t=2,v1=00",
            "t=1790000000,v1=0",
        ] {
            assert_eq!(verify(&secrets(&["s"]), bad, NOW, PARTS), Err(NotSigned::Malformed), "{bad}");
        }
    }
}
