//! The Stripe stand-in, through its HTTP API and its verbs.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "what is missing fails the test"
)]

#[path = "stripe/billing.rs"]
mod billing;
#[path = "stripe/clocks.rs"]
mod clocks;
#[path = "stripe/control.rs"]
mod control;
#[path = "stripe/deliveries.rs"]
mod deliveries;
#[path = "stripe/disputes.rs"]
mod disputes;
#[path = "stripe/faults.rs"]
mod faults;
#[path = "stripe/intents.rs"]
mod intents;
#[path = "stripe/payments.rs"]
mod payments;
#[path = "stripe/probe.rs"]
mod probe;
#[path = "stripe/requests.rs"]
mod requests;
#[path = "stripe/schema.rs"]
mod schema;
#[path = "stripe/seeded.rs"]
mod seeded;
#[path = "stripe/support.rs"]
mod support;
#[path = "stripe/wire.rs"]
mod wire;
