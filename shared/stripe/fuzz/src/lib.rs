//! What the fuzz targets have in common.

use std::fmt::Debug;

pub use libfuzzer_sys::fuzz_target;
use serde::{Serialize, de::DeserializeOwned};
use stripe::{Misshapen, Object};

/// The fuzz target of one object, read by [`kept`] or [`seen`]: any bytes are read or refused, and
/// never a panic. The file needs `#![no_main]` before it.
#[macro_export]
macro_rules! object {
    ($read:expr) => {
        $crate::fuzz_target!(|bytes: &[u8]| {
            let read = $read;
            read(bytes);
        });
    };
}

/// Reads an object that is kept for replay: what was read comes back the same from its own JSON.
///
/// # Panics
/// If it does not, or if a refusal does not say where.
pub fn kept<T: Object + Serialize + DeserializeOwned + PartialEq + Debug>(bytes: &[u8]) {
    if let Some(read) = told(stripe::parse::<T>(bytes)) {
        let json = serde_json::to_vec(&read).expect("what was read can be written");
        let again: T = serde_json::from_slice(&json).expect("what was written can be read");
        assert_eq!(read, again);
    }
}

/// Reads an object that is not kept.
///
/// # Panics
/// If a refusal does not say where.
pub fn seen<T: Object + Debug>(bytes: &[u8]) {
    // Every field is looked at once.
    if let Some(read) = told(stripe::parse::<T>(bytes)) {
        assert!(!format!("{read:?}").is_empty());
    }
}

fn told<T>(read: Result<T, Misshapen>) -> Option<T> {
    match read {
        Ok(object) => Some(object),
        Err(place) => {
            assert!(place.line > 0, "{place}");
            None
        }
    }
}
