//! Any bytes as an entry of the account's balance.

#![no_main]

stripe_fuzz::object!(stripe_fuzz::kept::<domain::snapshot::BalanceEntry>);
