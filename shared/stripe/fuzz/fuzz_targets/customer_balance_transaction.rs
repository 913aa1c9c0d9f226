//! Any bytes as an entry of a customer's balance.

#![no_main]

stripe_fuzz::object!(stripe_fuzz::kept::<domain::snapshot::CustomerCredit>);
