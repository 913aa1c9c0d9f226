//! Any bytes as a subscription.

#![no_main]

stripe_fuzz::object!(stripe_fuzz::kept::<domain::snapshot::Subscription>);
