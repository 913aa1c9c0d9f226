//! The approver against the stand-ins: from a request to one refund, and everything that must not
//! become one.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "helpers of tests panic as tests do"
)]

mod abuse;
mod browser;
mod checkpoints;
mod crashes;
mod effects;
mod engine;
mod happy;
mod keys;
mod logs;
mod mandates;
mod outside;
mod pages;
mod passkeys;
mod requests;
mod sign_in;
mod world;
