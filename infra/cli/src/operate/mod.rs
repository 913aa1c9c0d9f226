//! What an operator does by hand: bring in what never came, decide a customer anew, send dead letters again,
//! read the digest.

mod digest;
mod redrive;
mod replay;
mod resync;

use std::time::Duration;

use anyhow::{Context as _, Result};
use indicatif::{ProgressBar, ProgressStyle};
use runtime::{Env, Queue, aws::Aws};
use secrecy::SecretString;
use tokio::time::{Interval, MissedTickBehavior, interval};

pub(crate) use digest::{DigestOptions, digest};
pub(crate) use redrive::{RedriveOptions, redrive};
pub(crate) use replay::{ReplayOptions, replay};
pub(crate) use resync::{ResyncOptions, resync};

/// The read client with the key in `STRIPE_READ_KEY`.
fn stripe(env: &Env) -> Result<stripe::Client> {
    let key = SecretString::from(env.required("STRIPE_READ_KEY")?);
    let http = runtime::http::client(&[&runtime::stripe::base(env)?])?;
    runtime::stripe::reader(env, http, &key).context("STRIPE_READ_KEY cannot be used")
}

/// The queue of events.
fn queue(env: &Env, url: &str) -> Result<Queue> {
    let client = Aws::from_env(env).context("AWS credentials are read from the environment")?.sqs();
    Ok(Queue::new(client, url)?)
}

/// So many ticks a second and no more: the queue takes more than the processor may read of Stripe.
fn pace(per_second: u32) -> Interval {
    let mut pace = interval(Duration::from_secs(1) / per_second.max(1));
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    pace
}

fn bar(length: u64, what: &'static str) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg:14} {bar:40} {percent:>3}% {elapsed} left {eta}");
    let bar = ProgressBar::new(length).with_message(what);
    match style {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

fn run<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work)
}
