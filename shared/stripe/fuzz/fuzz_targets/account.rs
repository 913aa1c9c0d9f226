//! Any bytes as the account of a key.

#![no_main]

stripe_fuzz::object!(stripe_fuzz::seen::<stripe::Account>);
