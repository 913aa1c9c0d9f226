//! Any bytes as a refund.

#![no_main]

stripe_fuzz::object!(stripe_fuzz::kept::<domain::snapshot::Refund>);
