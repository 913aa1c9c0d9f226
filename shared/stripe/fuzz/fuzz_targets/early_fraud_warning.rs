//! Any bytes as an early fraud warning.

#![no_main]

stripe_fuzz::object!(stripe_fuzz::kept::<domain::snapshot::FraudWarning>);
