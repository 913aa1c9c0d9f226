//! Any bytes as a credit note.

#![no_main]

stripe_fuzz::object!(stripe_fuzz::kept::<domain::snapshot::CreditNote>);
