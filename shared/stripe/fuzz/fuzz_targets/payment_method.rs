//! Any bytes as a payment method.

#![no_main]

stripe_fuzz::object!(stripe_fuzz::kept::<domain::snapshot::PaymentMethod>);
