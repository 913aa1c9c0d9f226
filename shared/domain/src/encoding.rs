//! The encoding of everything that is hashed, signed or authenticated.
//!
//! `domain ‖ 0x00 ‖ LP(field)…`, where LP is a length of four bytes, big-endian, and then the bytes.
//! Numbers are decimal ASCII, a list is LP(count) and then its items, a map is a list of its keys
//! and values in the order of the keys. There is exactly one encoding for a value, and no two values
//! share one, so nothing depends on how JSON happens to be written.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// A SHA-256 digest; hexadecimal wherever it is written as text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest([u8; 32]);

/// A text that is no digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a digest is 64 lower-case hexadecimal digits")]
pub struct NotADigest;

impl Digest {
    /// The start of every hash chain.
    pub const ZERO: Self = Self([0; 32]);

    /// SHA-256 of some bytes.
    pub fn of(bytes: impl AsRef<[u8]>) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The 32 bytes.
    pub const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Reads 64 lower-case hexadecimal digits.
    ///
    /// # Errors
    /// [`NotADigest`] for anything else.
    pub fn parse(text: &str) -> Result<Self, NotADigest> {
        unhex(text).map(Self).ok_or(NotADigest)
    }

    /// The first eight digits: enough for a person to compare two screens.
    pub fn short(&self) -> String {
        self.to_string().chars().take(8).collect()
    }
}

impl From<[u8; 32]> for Digest {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

impl TryFrom<String> for Digest {
    type Error = NotADigest;

    fn try_from(text: String) -> Result<Self, NotADigest> {
        Self::parse(&text)
    }
}

/// Collects fields in the encoding above.
#[derive(Debug)]
pub struct Encoder(Vec<u8>);

impl Encoder {
    fn new(domain: &str) -> Self {
        let mut bytes = domain.as_bytes().to_vec();
        bytes.push(0);
        Self(bytes)
    }

    /// A field of raw bytes. A field longer than 4 GiB cannot occur: the largest body that enters
    /// is 1 MiB.
    pub fn bytes(&mut self, field: &[u8]) {
        let length = u32::try_from(field.len()).unwrap_or(u32::MAX);
        self.0.extend_from_slice(&length.to_be_bytes());
        self.0.extend_from_slice(field);
    }

    /// A field of text.
    pub fn text(&mut self, field: &str) {
        self.bytes(field.as_bytes());
    }

    /// A number in decimal ASCII.
    pub fn number(&mut self, field: impl Into<i64>) {
        self.text(&field.into().to_string());
    }

    /// A list: its length, then its items.
    pub fn list<'a>(&mut self, items: impl ExactSizeIterator<Item = &'a str>) {
        self.text(&items.len().to_string());
        items.for_each(|item| self.text(item));
    }

    /// A map: keys and values in the order of the keys, as one list.
    pub fn map(&mut self, map: &std::collections::BTreeMap<String, String>) {
        self.text(&(map.len() * 2).to_string());
        for (key, value) in map {
            self.text(key);
            self.text(value);
        }
    }
}

/// The encoding of the fields that `write` adds, under a domain that separates its uses.
pub fn encode(domain: &str, write: impl FnOnce(&mut Encoder)) -> Vec<u8> {
    let mut encoder = Encoder::new(domain);
    write(&mut encoder);
    encoder.0
}

/// SHA-256 of [`encode`].
pub fn digest(domain: &str, write: impl FnOnce(&mut Encoder)) -> Digest {
    Digest::of(encode(domain, write))
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Reads lower-case hexadecimal of exactly `N` bytes.
pub fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let nibble = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    if text.len() != N * 2 {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        let [high, low] = pair else { return None };
        *byte = (nibble(*high)? << 4) | nibble(*low)?;
    }
    Some(bytes)
}

/// Crockford's base32 in lower case, without padding (<https://www.crockford.com/base32.html>): no
/// letter that is mistaken for another when somebody reads an id aloud.
pub fn base32(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
    let (mut text, mut buffer, mut bits) = (String::new(), 0_u32, 0_u32);
    for &byte in bytes {
        buffer = (buffer << 8) | u32::from(byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            text.extend(DIGITS.get((buffer >> bits) as usize & 31).map(|&digit| char::from(digit)));
        }
    }
    if bits > 0 {
        text.extend(DIGITS.get((buffer << (5 - bits)) as usize & 31).map(|&digit| char::from(digit)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_cannot_be_shifted_into_each_other() {
        let one = encode("d", |to| ["ab", "c"].iter().for_each(|field| to.text(field)));
        let two = encode("d", |to| ["a", "bc"].iter().for_each(|field| to.text(field)));
        assert_ne!(one, two);
        assert_eq!(one, b"d\0\0\0\0\x02ab\0\0\0\x01c");
    }

    #[test]
    fn hexadecimal_is_lower_case_and_of_the_right_length() {
        assert_eq!(unhex::<2>("00ff"), Some([0, 255]));
        for bad in ["00FF", "00f", "00ff0", "0x00", "00 f"] {
            assert_eq!(unhex::<2>(bad), None, "{bad}");
        }
        assert_eq!(Digest::parse(&Digest::of("x").to_string()), Ok(Digest::of("x")));
    }

    #[test]
    fn base32_uses_every_bit() {
        assert_eq!(base32(&[0xff; 5]), "zzzzzzzz");
        assert_eq!(base32(&[0x00, 0x01]), "000g");
        assert_eq!(base32(&[0; 16]).len(), 26);
    }
}
