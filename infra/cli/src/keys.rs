//! Key sets as they are kept: rotated without anybody waiting, and their public halves for auditors.

use domain::{approval::ReceiptSigner, encoding};
use runtime::secrets;
use secrecy::{ExposeSecret as _, SecretString};

/// The public key of the newest receipt key of a set, in hexadecimal.
pub(crate) fn newest_public(set: &str) -> Option<String> {
    let keys = secrets::key_set("receipt keys", &SecretString::from(set)).ok()?;
    let (id, seed) = keys.first()?;
    ReceiptSigner::new(id.as_str(), seed.expose_secret()).map(|signer| encoding::hex(&signer.public().1))
}
