//! The check of the signature on Countersign's requests: all that an application needs of it.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// Seconds by which two clocks may differ.
const TOLERANCE: u64 = 300;

/// Whether `header` (`t=…,v1=…`) is a signature with `key`, HMAC-SHA256 over `t.method.target.body`, at
/// most 300 seconds from `now`. `target` is the path with its query, as it was sent.
pub(super) fn is_signed(
    key: &str,
    header: &str,
    (method, target, body): (&str, &str, &[u8]),
    now: i64,
) -> bool {
    let values = |wanted: &'static str| {
        header.split(',').filter_map(|pair| pair.split_once('=')).filter(move |pair| pair.0 == wanted)
    };
    // A second time could be signed for another.
    let [(_, at)] = values("t").collect::<Vec<_>>()[..] else { return false };
    if !at.parse::<i64>().is_ok_and(|at| at.abs_diff(now) <= TOLERANCE) {
        return false;
    }
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key.as_bytes()) else { return false };
    mac.update(format!("{at}.{method}.{target}.").as_bytes());
    mac.update(body);
    // `verify_slice` compares in constant time.
    values("v1").any(|(_, hex)| bytes(hex).is_some_and(|bytes| mac.clone().verify_slice(&bytes).is_ok()))
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    let pairs = hex.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}
