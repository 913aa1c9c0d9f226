//! What the command says: one line for programs, a few for people, and progress while it works.

use std::{
    future::Future,
    io::{IsTerminal as _, Write as _},
    time::Duration,
};

use anyhow::Result;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use sandbox::world::EVENT_QUEUE;
use serde::Serialize;

use super::{pipeline::Pipeline, seed};

/// How often progress is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// Looks without a change after which what is left is late on purpose.
const STILL: u32 = 30;

/// Where everything is.
#[derive(Debug, Serialize)]
pub(super) struct Place {
    ready: bool,
    api: String,
    console: String,
    stripe: String,
    dynamodb: String,
    sqs: String,
    secrets: String,
    slack: String,
    oidc: String,
    hubspot: String,
    zendesk: String,
    application: String,
    ses: String,
    model: String,
    /// Of the stand-in; a secret that somebody else gave is not told again.
    webhook_secret: Option<String>,
    /// The public key of receipts and checkpoints, in hexadecimal.
    receipt_key: Option<String>,
    /// The stand-in's key for whoever plays Stripe's user; never one that somebody else gave.
    stripe_key: String,
    #[serde(skip)]
    charge: Option<String>,
    #[serde(skip)]
    test_mode: bool,
}

impl Place {
    /// Of a running pipeline.
    pub(super) fn of(pipeline: &Pipeline) -> Self {
        let (sandbox, urls) = (&pipeline.sandbox, &pipeline.sandbox.urls);
        Self {
            ready: true,
            api: pipeline.url.clone(),
            console: format!("{}/_console", pipeline.url),
            stripe: urls.stripe.clone(),
            dynamodb: urls.dynamodb.clone(),
            sqs: urls.sqs.clone(),
            secrets: urls.secrets.clone(),
            slack: urls.slack.clone(),
            oidc: urls.oidc.clone(),
            hubspot: urls.hubspot.clone(),
            zendesk: urls.zendesk.clone(),
            application: urls.application.clone(),
            ses: urls.ses.clone(),
            model: urls.model.clone(),
            webhook_secret: (!pipeline.test_mode).then(|| sandbox.keys.webhook_secret.clone()),
            receipt_key: crate::keys::newest_public(&sandbox.keys.receipt_key),
            stripe_key: sandbox.keys.stripe_secret_key.clone(),
            charge: seed::untouched_charge(sandbox),
            test_mode: pipeline.test_mode,
        }
    }
}

/// The line for programs.
pub(super) fn line(place: &Place) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", serde_json::to_string(place)?)?;
    Ok(out.flush()?)
}

/// The lines for people.
pub(super) fn people(place: &Place) {
    let Place { api, console, slack, hubspot, zendesk, application, ses, model, stripe, stripe_key, .. } =
        place;
    let key = place.receipt_key.as_ref().map_or_else(String::new, |key| {
        format!("Check what was signed: countersign trail verify --api {api} --public-key {key}\n")
    });
    let try_it = match &place.charge {
        _ if place.test_mode => format!(
            "Stripe is Stripe's own test mode. Let its events in with\n\n  \
             stripe listen --forward-to {api}/stripe/default\n\n\
             and restart with the secret that it prints in STRIPE_WEBHOOK_SECRET.\n\n"
        ),
        Some(charge) => format!(
            "As support, ask for a refund; then approve it in the inbox:\n\n  \
             curl -u {stripe_key}: {stripe}/v1/charges/{charge} -d 'metadata[refund_request]=requested_by_customer'\n\n"
        ),
        None => String::new(),
    };
    let deliver = place.webhook_secret.as_ref().map_or_else(String::new, |secret| {
        format!("Deliver an event yourself: POST {api}/stripe/default, signed with {secret}\n")
    });
    let text = format!(
        "\nCountersign runs. Watch it work:\n\n  \
         Console          {console}\n  \
         Approval inbox   {api}/   (sign in as \"Finance lead\")\n  \
         Slack            {slack}\n  \
         CRM              {hubspot}   (HubSpot: accounts with tasks, notes, payment status)\n  \
         Help desk        {zendesk}   (Zendesk: what customers wrote, tickets, draft replies)\n  \
         Application      {application}   (orders, usage, who has access)\n  \
         Outbox           {ses}   (approved messages to customers)\n  \
         Language model   {model}   (a stand-in: what it is asked and answers)\n\n\
         {try_it}{deliver}{key}\
         Ctrl-C stops.\n\n"
    );
    // Without a reader there is nobody to tell.
    let _ = std::io::stdout().write_all(text.as_bytes());
}

/// Shows that a day is being lived through.
pub(super) async fn while_seeding<T>(work: impl Future<Output = T>) -> T {
    let bar = ProgressBar::new_spinner().with_message("living through a day of billing");
    bar.enable_steady_tick(LOOK);
    let done = work.await;
    bar.finish_and_clear();
    done
}

/// Follows the seeded day through the pipeline until nothing is left to do. Resolves at once if nobody
/// is at a terminal to see it.
pub(super) async fn progress(pipeline: &Pipeline, json: bool) {
    let (stripe, sqs) = (&pipeline.sandbox.stripe, &pipeline.sandbox.sqs);
    let all = u64::try_from(stripe.undelivered()).unwrap_or_default();
    if json || all == 0 || !std::io::stderr().is_terminal() {
        return;
    }
    let bars = MultiProgress::new();
    let style = ProgressStyle::with_template("{msg:>20} {bar:40} {pos}/{len}")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = |message: &'static str| {
        bars.add(ProgressBar::new(all)).with_style(style.clone()).with_message(message)
    };
    let (delivered, decided) = (bar("events delivered"), bar("events worked on"));
    let (mut left, mut still) = (all, 0);
    loop {
        let undelivered = u64::try_from(stripe.undelivered()).unwrap_or_default();
        let (visible, in_flight) = sqs.depth(EVENT_QUEUE);
        let waiting = u64::try_from(visible + in_flight).unwrap_or_default();
        delivered.set_position(all.saturating_sub(undelivered));
        decided.set_position(all.saturating_sub(undelivered + waiting));
        still = if undelivered + waiting == left { still + 1 } else { 0 };
        left = undelivered + waiting;
        if left == 0 || still > STILL {
            break;
        }
        tokio::time::sleep(LOOK).await;
    }
    delivered.finish_and_clear();
    decided.finish_and_clear();
}
