//! One file for each sweep.

pub mod approvals;
pub mod canary;
pub mod cases;
pub mod coexistence;
pub mod dead;
pub mod deadlines;
pub mod digest;
pub mod drift;
pub mod events;
pub mod key;
pub mod steps;
pub mod writes;
