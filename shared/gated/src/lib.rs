//! The gated effects: what moves money or access. Only `functions/approver` may depend on this crate
//! (I5; a test reads the dependency graph).
//!
//! Nothing here decides. Each effect takes a `domain::approval::Grant`, which exists only where
//! enough people signed exactly this action (I1), and does what the grant says once (I2).

pub mod access;
pub mod mail;
mod outcome;
pub mod stripe;
