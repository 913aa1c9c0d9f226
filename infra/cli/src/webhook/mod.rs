//! `countersign webhook`: the endpoint in Stripe that sends events here, its signing secret, and the check that
//! ingress makes of a delivery.

mod client;
mod compare;
mod keep;
mod make;
mod register;
mod roll;
mod verify;

use anyhow::Result;
use runtime::{Env, system_clock};

pub(crate) use client::{Endpoint, Endpoints, KEY};
pub(crate) use compare::Wanted;
pub(crate) use register::examine;

use crate::{End, args::WebhookCommand};

/// Runs one of the commands.
pub(crate) fn run(command: &WebhookCommand, env: &Env) -> Result<End> {
    let now = (system_clock())();
    match command {
        WebhookCommand::Verify(options) => verify::verify(options, std::io::stdin(), now),
        WebhookCommand::Register(options) => {
            let (wanted, keep) = (Wanted::at(&options.endpoint.url), options.kept.keep(env)?);
            on_stripe(env, async |endpoints| {
                register::register(&endpoints, &wanted, keep.as_ref(), now).await
            })
        }
        WebhookCommand::Status(options) => {
            let (wanted, keep) = (Wanted::at(&options.endpoint.url), options.kept.keep(env)?);
            on_stripe(env, async |endpoints| register::status(&endpoints, &wanted, keep.as_ref()).await)
        }
        WebhookCommand::Update(endpoint) => {
            let wanted = Wanted::at(&endpoint.url);
            on_stripe(env, async |endpoints| register::update(&endpoints, &wanted).await)
        }
        WebhookCommand::Roll(options) => {
            let Some(keep) = options.kept.keep(env)? else {
                return Ok(End::usage("say with --secret or --secret-file where the secrets are kept"));
            };
            let (wanted, overlap) = (Wanted::at(&options.endpoint.url), options.overlap.saturating_mul(60));
            on_stripe(env, async |endpoints| roll::roll(&endpoints, &wanted, &keep, overlap, now).await)
        }
    }
}

fn on_stripe(env: &Env, work: impl AsyncFnOnce(Endpoints) -> Result<End>) -> Result<End> {
    let endpoints = Endpoints::from_env(env)?;
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work(endpoints))
}
