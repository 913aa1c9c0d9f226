//! Any bytes as a payment intent.

#![no_main]

stripe_fuzz::object!(stripe_fuzz::kept::<domain::snapshot::PaymentIntent>);
