//! The signature check against a reading of its rules that is as plain as possible.
//!
//! The input is a header, a line feed and a body. In the header `$` stands for the right signature of
//! its first timestamp, so that the fuzzer can come past the hash; `~` for that of the second secret.

#![no_main]

use domain::Timestamp;
use hmac::{Hmac, KeyInit as _, Mac as _};
use libfuzzer_sys::fuzz_target;
use sha2::Sha256;
use stripe::EndpointSecrets;

const SECRETS: [&str; 2] = ["whsec_fuzz_new", "whsec_fuzz_old"];
const NOW: i64 = 1_790_000_000;
const TOLERANCE: i64 = 300;

fuzz_target!(|input: &[u8]| {
    let end = input.iter().position(|byte| *byte == b'\n').unwrap_or(input.len());
    let (template, rest) = input.split_at(end);
    let body = rest.get(1..).unwrap_or_default();

    let times: Vec<&[u8]> = elements(template, b"t").collect();
    let signed = times.first().copied().unwrap_or_default();
    let right = SECRETS.map(|secret| signature(secret, signed, body));
    let mut header = Vec::new();
    for byte in template {
        match byte {
            b'$' => header.extend_from_slice(right[0].as_bytes()),
            b'~' => header.extend_from_slice(right[1].as_bytes()),
            other => header.push(*other),
        }
    }

    let secrets = SECRETS.map(Into::into);
    let secrets = EndpointSecrets::new(&secrets).expect("two secrets");
    let verdict = secrets.verify(&header, body, Timestamp::from_seconds(NOW));

    // A signature inside the timestamp would change what is signed; then nothing can match.
    let times: Vec<&[u8]> = elements(&header, b"t").collect();
    let expected = !body.is_empty()
        && times.len() == 1
        && (1..=15).contains(&times[0].len())
        && times[0].iter().all(u8::is_ascii_digit)
        && elements(&header, b"v1").any(|theirs| {
            SECRETS.iter().any(|secret| signature(secret, times[0], body).as_bytes() == theirs)
        })
        && NOW - std::str::from_utf8(times[0]).unwrap().parse::<i64>().unwrap() <= TOLERANCE;
    assert_eq!(verdict.is_ok(), expected, "{verdict:?}");
    if let Ok(verified) = verdict {
        assert_eq!(verified.body(), body);
        assert_eq!(verified.signed().seconds().to_string(), plain(times[0]));
    }
});

/// The values of all elements with a key; one without `=` has an empty value.
fn elements<'h>(header: &'h [u8], key: &'static [u8]) -> impl Iterator<Item = &'h [u8]> {
    header.split(|byte| *byte == b',').filter_map(move |element| match element.strip_prefix(key)? {
        [] => Some(&[][..]),
        [b'=', value @ ..] => Some(value),
        _ => None,
    })
}

fn signature(secret: &str, time: &[u8], body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any length is a key");
    mac.update(&[time, b".", body].concat());
    mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Digits as a number is written: without zeros before it.
fn plain(digits: &[u8]) -> String {
    let text = std::str::from_utf8(digits).unwrap().trim_start_matches('0');
    if text.is_empty() { "0".into() } else { text.into() }
}
