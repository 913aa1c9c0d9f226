//! `countersign local`: the four functions on this machine, with a stand-in for every service.
//!
//! What Lambda and API Gateway do in an account is done here by [`gateway`] (requests), [`source`]
//! (queues) and [`schedule`]; the functions themselves run as they are, against the addresses in their
//! environment.

mod announce;
mod bench;
pub mod gateway;
mod people;
pub mod pipeline;
mod schedule;
mod seed;
mod source;

use std::{path::PathBuf, time::Duration};

use anyhow::{Context as _, Result};
use runtime::Env;
use sandbox::world::TestMode;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use crate::End;
pub use crate::args::LocalOptions;
use announce::Place;
use pipeline::{Pipeline, Setup};

/// How long the pipeline may take to stop.
const GOODBYE: Duration = Duration::from_secs(5);

/// Runs until Ctrl-C or SIGTERM.
pub(crate) fn run(options: &LocalOptions, env: &Env) -> Result<End> {
    let stripe = match test_mode(env) {
        Ok(mode) => mode,
        Err(end) => return Ok(end),
    };
    log(env);
    let setup = Setup {
        port: options.port,
        data: options.data.clone(),
        policy: options.policy.clone().unwrap_or_else(policy),
        relying: options.policy.is_none(),
        stripe,
    };
    if let Some(events) = options.bench {
        if setup.stripe.is_some() {
            return Ok(End::usage(
                "--bench makes customers of its own in the stand-in; unset STRIPE_API_KEY",
            ));
        }
        return bench::run(options, events, setup);
    }
    let threads = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let threads = threads.context("cannot start threads")?;
    let ended = threads.block_on(serve(options, setup));
    threads.shutdown_timeout(GOODBYE);
    ended?;
    Ok(End::good(""))
}

async fn serve(options: &LocalOptions, setup: Setup) -> Result<()> {
    // Before anything else, so that no moment is without a handler.
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let stop = async {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    };
    tokio::pin!(stop);
    let start = async {
        let mut prepared = Pipeline::prepare(setup).await?;
        if !options.no_seed {
            prepared = announce::while_seeding(async move {
                tokio::task::spawn_blocking(move || prepared.seed().map(|()| prepared)).await?
            })
            .await?;
        }
        Box::pin(prepared.start()).await
    };
    let pipeline = tokio::select! {
        started = start => started?,
        () = &mut stop => return Ok(()),
    };
    let place = Place::of(&pipeline);
    if options.json {
        announce::line(&place)?;
    } else {
        announce::people(&place);
    }
    tokio::select! {
        () = announce::progress(&pipeline, options.json) => stop.await,
        () = &mut stop => {}
    }
    // What does not finish in time is stopped with the process.
    let _ = tokio::time::timeout(GOODBYE, pipeline.stop()).await;
    Ok(())
}

/// Stripe's own test mode, if `STRIPE_API_KEY` asks for it. A live key is refused: this command seeds,
/// shows and moves money without the guards of a deployment.
fn test_mode(env: &Env) -> Result<Option<TestMode>, End> {
    let Some(key) = env.optional("STRIPE_API_KEY") else { return Ok(None) };
    if !["sk_test_", "rk_test_"].iter().any(|prefix| key.starts_with(prefix)) {
        return Err(End::usage(
            "STRIPE_API_KEY is no test key (sk_test_… or rk_test_…); this command refuses all others, so set a test \
             key or unset it",
        ));
    }
    let webhook_secret = env.optional("STRIPE_WEBHOOK_SECRET").map(str::to_owned);
    Ok(Some(TestMode { key: key.to_owned(), webhook_secret }))
}

/// Warnings and errors on standard error, unless `LOG_LEVEL` says otherwise.
fn log(env: &Env) {
    let filter = EnvFilter::new(env.optional("LOG_LEVEL").unwrap_or("warn"));
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let _ = lines.without_time().with_target(false).try_init();
}

/// The policy of this repository.
fn policy() -> PathBuf {
    let here = PathBuf::from("infra/policy");
    if here.is_dir() { here } else { PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../policy")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_test_key_reaches_stripe_itself() {
        assert!(test_mode(&Env::from([])).unwrap().is_none());
        for key in ["sk_test_1", "rk_test_1"] {
            assert_eq!(test_mode(&Env::from([("STRIPE_API_KEY", key)])).unwrap().unwrap().key, key);
        }
        for key in ["sk_live_canary", "rk_live_canary", "pk_test_canary", "canary"] {
            let end = test_mode(&Env::from([("STRIPE_API_KEY", key)])).err().unwrap();
            assert!(!format!("{end:?}").contains("canary"), "a key is never repeated");
        }
    }
}
