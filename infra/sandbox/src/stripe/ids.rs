//! Identifiers in Stripe's form.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The id of the `count`-th thing of a stand-in: the same seed and history give the same ids.
pub(crate) fn derived(prefix: &str, seed: u64, count: u64) -> String {
    let mut hash = Sha256::new();
    hash.update(seed.to_be_bytes());
    hash.update(count.to_be_bytes());
    hash.update(prefix.as_bytes());
    spell(prefix, &hash.finalize(), 24)
}

/// A request id, never the same twice, also after a restart.
pub(crate) fn request() -> String {
    let mut hash = Sha256::new();
    hash.update(uuid::Uuid::new_v4().as_bytes());
    spell("req_", &hash.finalize(), 14)
}

/// Bytes as lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a `String` cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn spell(prefix: &str, bytes: &[u8], length: usize) -> String {
    let letters = bytes
        .iter()
        .take(length)
        .filter_map(|byte| ALPHABET.get(usize::from(*byte) % ALPHABET.len()))
        .map(|letter| char::from(*letter));
    prefix.chars().chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_depend_on_seed_count_and_prefix_alone() {
        assert_eq!(derived("in_", 7, 1), derived("in_", 7, 1));
        assert_ne!(derived("in_", 7, 1), derived("in_", 7, 2));
        assert_ne!(derived("in_", 7, 1), derived("in_", 8, 1));
        assert_eq!(derived("in_", 7, 1).len(), 27);
        assert_ne!(request(), request());
    }
}
