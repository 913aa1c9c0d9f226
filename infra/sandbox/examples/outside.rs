//! What stands outside of an AWS account, for a deployment into an emulated one: Stripe, Slack and the sign-in.
//!
//! ```text
//! cargo run --package sandbox --example outside PUBLIC_URL
//! ```
//!
//! It prints one line of JSON, with addresses, keys and people, and serves until its input ends (Ctrl-D). Stripe
//! delivers to the endpoints that its API is asked to make.

use std::{
    io::{Read as _, stdin},
    sync::Arc,
};

use anyhow::{Context as _, Result};
use sandbox::{
    Clock, people,
    world::{OIDC_CLIENT, Options, Sandbox},
};
use serde_json::json;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let public_url = std::env::args().nth(1).context("say where people reach the approver, as PUBLIC_URL")?;
    let sandbox = Sandbox::start(Options {
        data: None,
        clock: Clock::running(),
        public_url,
        sign_in_path: "/sign-in/callback".to_owned(),
        stripe: None,
    })
    .await?;
    let (urls, keys) = (&sandbox.urls, &sandbox.keys);
    let told = json!({
        "stripe": urls.stripe,
        "slack": format!("{}/api", urls.slack),
        "oidc": urls.oidc,
        "oidc_client": OIDC_CLIENT,
        "stripe_secret_key": keys.stripe_secret_key,
        // As the template names what each function is given.
        "secrets": {
            "stripe-read-key": keys.stripe_read_key,
            "stripe-write-key": keys.stripe_write_key,
            "slack-token": keys.slack_token,
            "oidc-client-secret": keys.oidc_client_secret,
        },
        "team": people::TEAM,
        "finance": [people::FINANCE_LEAD, people::FINANCE_SECOND],
        "support": people::SUPPORT,
    });
    println!("{told}");
    let stripe = Arc::clone(&sandbox.stripe);
    let ended = tokio::task::spawn_blocking(|| stdin().read_to_end(&mut Vec::new()));
    tokio::select! {
        () = stripe.deliver() => {}
        _ = ended => {}
    }
    sandbox.stop().await;
    Ok(())
}
