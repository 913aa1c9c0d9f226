//! `countersign replay`: queues Stripe's events of a time, as ingress would have done. Events that have their
//! outcome are suppressed as duplicates, so it is safe to repeat.

use std::{collections::BTreeMap, fmt::Write as _};

use anyhow::{Result, bail};
use clap::Args;
use domain::{Timestamp, event::HANDLED};
use runtime::{Env, system_clock};
use stripe::client::EventQuery;

use super::{bar, pace, queue, run, stripe};
use crate::End;

/// The time that is read at once at first, in seconds; where there is more, it is cut.
const SLICE: i64 = 6 * 3600;

/// What is to be replayed.
#[derive(Debug, Clone, Args)]
pub(crate) struct ReplayOptions {
    /// From when, as `2026-11-01` or `2026-11-01T08:00:00Z`; Stripe keeps events for 30 days
    #[arg(long, value_name = "TIME", value_parser = time)]
    since: Timestamp,
    /// Until before when; by default now
    #[arg(long, value_name = "TIME", value_parser = time)]
    until: Option<Timestamp>,
    /// Only these types, separated by commas; by default all that start work
    #[arg(long, value_name = "TYPES", value_delimiter = ',', value_parser = handled)]
    types: Vec<String>,
    /// Only count
    #[arg(long)]
    dry_run: bool,
    /// The queue of events; not needed to count
    #[arg(long, value_name = "URL", required_unless_present = "dry_run")]
    queue: Option<String>,
    /// At most so many events a second
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=300))]
    rate: u32,
}

fn time(text: &str) -> Result<Timestamp, String> {
    let whole = if text.len() == 10 { format!("{text}T00:00:00Z") } else { text.to_owned() };
    Timestamp::parse_rfc3339(&whole)
        .ok_or_else(|| "write it like 2026-11-01 or 2026-11-01T08:00:00Z".to_owned())
}

fn handled(text: &str) -> Result<String, String> {
    let known = HANDLED.contains(&text);
    known.then(|| text.to_owned()).ok_or_else(|| format!("no work starts from `{text}`"))
}

/// Lists events, oldest first, and queues them.
pub(crate) fn replay(options: &ReplayOptions, env: &Env) -> Result<End> {
    let now = (system_clock())();
    // The end is not included, and this second is.
    let end = now.plus(1);
    let until = options.until.unwrap_or(end).min(end);
    if options.since >= until {
        return Ok(End::usage("--since must be before --until, which is now unless you give it"));
    }
    let stripe = stripe(env)?;
    let queue =
        options.queue.as_deref().filter(|_| !options.dry_run).map(|url| queue(env, url)).transpose()?;
    let types =
        if options.types.is_empty() { HANDLED.map(str::to_owned).to_vec() } else { options.types.clone() };
    run(async {
        let span = until.since(options.since);
        let (bar, mut pace) = (bar(u64::try_from(span).unwrap_or_default(), "replaying"), pace(options.rate));
        let (mut from, mut width) = (options.since, SLICE);
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        while from < until {
            let end = from.plus(width).min(until);
            let query = EventQuery {
                types: types.clone(),
                from: Some(from),
                until: Some(end),
                ..EventQuery::default()
            };
            let listed = stripe.events(&query, now, "replay").await?.value;
            if !listed.complete {
                if width == 1 {
                    bail!("Stripe lists more than a thousand events in the second of {from}");
                }
                width = (width / 4).max(1);
                continue;
            }
            for one in listed.items.iter().rev() {
                if let Some(queue) = &queue {
                    pace.tick().await;
                    queue.send_event(&one.envelope).await?;
                }
                *counts.entry(one.envelope.kind.clone()).or_default() += 1;
            }
            bar.inc(u64::try_from(end.since(from)).unwrap_or_default());
            (from, width) = (end, (width * 2).min(SLICE));
        }
        bar.finish_and_clear();
        let total: u64 = counts.values().sum();
        let done = if queue.is_some() { "queued" } else { "would be queued" };
        let mut text = format!("{total} events of {} to {until} {done}", options.since);
        for (kind, count) in counts {
            let _ = write!(text, "\n{count:>8}  {kind}");
        }
        Ok(End::good(text))
    })
}
