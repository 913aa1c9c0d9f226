//! One file for each sweep.

pub mod cases;
pub mod events;
pub mod key;
pub mod steps;
