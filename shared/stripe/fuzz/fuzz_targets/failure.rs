//! What Stripe says about a failure: any status and bytes are read, and only plain names are kept.
//!
//! The first two bytes are the status.

#![no_main]

use libfuzzer_sys::fuzz_target;
use stripe::wire::Failure;

fuzz_target!(|input: &[u8]| {
    let [first, second, body @ ..] = input else { return };
    let Ok(status) = reqwest::StatusCode::from_u16(u16::from_be_bytes([*first, *second])) else { return };
    let failure = Failure::read(status, body);
    assert_eq!(failure.status, status.as_u16());
    assert!(!failure.word().is_empty());
    let Failure { kind, code, decline_code, param, permission, .. } = failure;
    for name in [kind, code, decline_code, param, permission].into_iter().flatten() {
        assert!((1..=100).contains(&name.len()), "{name}");
        assert!(name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.[]".contains(&byte)), "{name}");
    }
});
