//! `countersign webhook verify`: the same check as the ingress function makes.

use std::io::Read;

use anyhow::{Context as _, Result};
use domain::Timestamp;
use secrecy::SecretString;
use stripe::EndpointSecrets;

use crate::{End, args::VerifyDelivery};

/// Whether the body is what the header's signature says, under one of the secrets and not too old.
pub(crate) fn verify(options: &VerifyDelivery, mut body: impl Read, now: Timestamp) -> Result<End> {
    let secrets: Vec<_> = options.secrets.iter().map(|secret| SecretString::from(secret.as_str())).collect();
    let secrets = match EndpointSecrets::new(&secrets) {
        Ok(secrets) => secrets,
        // Anybody could sign under a blank secret, so nothing under it is accepted.
        Err(bad) => return Ok(End::no(format!("refused: {bad}"))),
    };
    let mut bytes = Vec::new();
    body.read_to_end(&mut bytes).context("cannot read the body from standard input")?;
    let now = options.now.map_or(now, Timestamp::from_seconds);
    let header = options.header.as_encoded_bytes();
    Ok(match secrets.verify_within(options.tolerance, header, &bytes, now) {
        Ok(_) => End::good("accepted"),
        Err(refused) => End::no(format!("refused: {refused}")),
    })
}
