//! The Stripe stand-in alone, for clients in any language.
//!
//! ```text
//! cargo run --package sandbox --example stripe [PORT]
//! ```
//!
//! It prints one line of JSON, with the address and the keys, and serves until its input ends (Ctrl-D).
//! The account has a day of billing behind it, the same each time. `GET /v1/…` shows it; the clock runs.
//! Faults, disturbed deliveries, limits and time are asked for below `/_sandbox`: see the documentation of
//! `sandbox::stripe`, module `control`.

use std::io::{Read as _, stdin};

use anyhow::{Context as _, Result};
use sandbox::{
    Clock, Loopback, Shelf,
    stripe::{Key, Options, READ_SCOPES, Stripe, WRITE_SCOPES, seed},
};
use serde_json::json;

/// Customers of the day, and what its chances depend on.
const CUSTOMERS: usize = 28;
const SEED: u64 = 17;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let port = match std::env::args().nth(1) {
        Some(text) => text.parse().context("the port is a number from 0 to 65535")?,
        None => 0,
    };
    let keys = vec![
        Key::secret("sk_test_standin"),
        Key::restricted("rk_test_reads", READ_SCOPES.iter().copied()),
        Key::restricted("rk_test_writes", WRITE_SCOPES.iter().copied()),
    ];
    let stripe = Stripe::open(Options::new("acct_1STANDIN", keys), Shelf::memory()?, Clock::running())?;
    seed::day(&stripe, CUSTOMERS, SEED)?;
    let server = Loopback::serve(port, stripe.router()).await?;
    let told = json!({
        "url": server.url(), "secret_key": "sk_test_standin", "read_key": "rk_test_reads",
        "write_key": "rk_test_writes", "customers": CUSTOMERS,
    });
    println!("{told}");
    let ended = tokio::task::spawn_blocking(|| stdin().read_to_end(&mut Vec::new()));
    tokio::select! {
        () = stripe.deliver() => {}
        _ = ended => {}
    }
    server.stop().await;
    Ok(())
}
