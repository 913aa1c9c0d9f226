//! Any bytes as a payment on an invoice.

#![no_main]

stripe_fuzz::object!(stripe_fuzz::kept::<domain::snapshot::PaymentOnInvoice>);
