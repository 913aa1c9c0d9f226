//! The built binary, from outside: arguments, output, exit codes, and the pipeline that it runs.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers outside of `#[test]` functions are tests, too"
)]

mod advisor;
mod approval;
mod deliveries;
mod doctor;
mod freeze;
mod keys;
mod local;
mod operate;
mod person;
mod policy;
mod step;
mod support;
mod trail;
mod usage;
mod webhook;
mod why;
