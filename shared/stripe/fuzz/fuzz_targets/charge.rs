//! Any bytes as a charge.

#![no_main]

stripe_fuzz::object!(stripe_fuzz::kept::<domain::snapshot::Charge>);
