//! Any bytes as a customer, deleted or not.

#![no_main]

stripe_fuzz::object!(stripe_fuzz::kept::<domain::snapshot::Customer>);
