//! Any bytes as an invoice with its payments, its customer and its subscription.

#![no_main]

stripe_fuzz::object!(|bytes: &[u8]| {
    stripe_fuzz::seen::<stripe::InvoiceRead>(bytes);
    stripe_fuzz::kept::<domain::snapshot::Invoice>(bytes);
});
