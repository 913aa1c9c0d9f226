//! Any bytes as a dispute.

#![no_main]

stripe_fuzz::object!(stripe_fuzz::kept::<domain::snapshot::Dispute>);
