//! Any bytes as an invoice with its payments, its customer and its subscription.

#![no_main]

stripe_fuzz::object!(stripe_fuzz::seen::<stripe::InvoiceRead>);
