//! One file for each sweep.

pub mod events;
pub mod steps;
