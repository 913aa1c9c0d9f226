//! The protocol as a whole, explored breadth first over the very functions that production uses. In every
//! state that can be reached, nothing was done without enough signatures (I1) and nothing was done
//! twice (I2); and each condition that is left out leads to a state where that does not hold.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on fails"
)]

mod mandates;
mod one;
