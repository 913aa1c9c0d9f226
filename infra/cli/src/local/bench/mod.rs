//! `countersign local --bench N`: N events through the whole of it, and what that took.
//!
//! Most of them come as fast as they are taken, which tells the throughput; the rest at half that pace, which tells
//! the time from receipt to decision without a queue in front. With `--stored-events` and `--open-cases` the store
//! has grown before that: what an event takes must not. Functions and stand-ins have threads of their own,
//! so that the processor time is that of ingress, processor and what hands them their events.

mod cost;
mod grown;
mod load;
pub(super) mod probe;

use std::{fs, time::Duration};

use anyhow::{Context as _, Result};
use serde_json::json;
use tokio::runtime::{Builder, Runtime};

use self::{
    cost::{PerEvent, Prices},
    grown::Grown,
    load::Door,
    probe::Probe,
};
use super::pipeline::{Pipeline, Setup};
use crate::{End, args::LocalOptions};

/// What the functions' threads are called.
const FUNCTIONS: &str = "functions";

/// Events that come before anything is counted.
const FIRST: usize = 10;

/// Stripe's limit of requests a second in live mode: <https://docs.stripe.com/rate-limits>.
const STRIPE_LIMIT: f64 = 100.0;

/// What was measured.
struct Measured {
    events: usize,
    customers: usize,
    per_second: f64,
    /// From receipt to committed decision at half the pace, in milliseconds: half of them, all but one in a hundred.
    latency: (f64, f64),
    stripe: f64,
    dynamodb: Vec<(String, f64)>,
    one: PerEvent,
    /// The most memory, in bytes, stand-ins included; `None` where the system does not say.
    memory: Option<u64>,
}

/// Runs it and says what it took.
pub(super) fn run(options: &LocalOptions, events: u32, setup: Setup) -> Result<End> {
    let (events, json) = (usize::try_from(events)?, options.json);
    let grown = Grown { events: options.stored_events, cases: options.open_cases };
    let threads = |name| Builder::new_multi_thread().thread_name(name).enable_all().build();
    let (stand_ins, functions) = (threads("stand-ins")?, threads(FUNCTIONS)?);
    let measured = measure(events, grown, setup, &stand_ins, &functions)?;
    let prices = Prices::read()?;
    let bill = prices.bill(measured.one);
    functions.shutdown_background();
    stand_ins.shutdown_background();
    if json {
        Ok(End::good(as_json(&measured, &bill)?))
    } else {
        Ok(End::good(as_text(&measured, &bill, &prices)))
    }
}

fn measure(
    number: usize,
    grown: Grown,
    setup: Setup,
    stand_ins: &Runtime,
    functions: &Runtime,
) -> Result<Measured> {
    let probe = Probe::default();
    let prepared = stand_ins.block_on(Pipeline::prepare(setup))?;
    let (first, _) = load::events(prepared.sandbox(), FIRST)?;
    let (mut events, customers) = load::events(prepared.sandbox(), number)?;
    let pipeline = functions.block_on(Box::pin(prepared.start_under(&probe)))?;
    let door = Door::of(&pipeline.sandbox, &pipeline.url)?;
    let paced = events.split_off(number - number / 5);
    let fast = events.len();

    // What a process reads once, and the pattern of a grown store.
    stand_ins.block_on(async {
        door.deliver(first, Duration::ZERO).await?;
        load::until_committed(|| probe.committed(), FIRST).await?;
        load::until_idle(&pipeline.sandbox).await
    })?;
    grown.fill(&pipeline.sandbox.tables)?;
    let (_, (reads_before, batches_before)) = (probe.take(), pipeline.counts());

    let before = processor_time();
    let start = std::time::Instant::now();
    stand_ins.block_on(async {
        door.deliver(events, Duration::ZERO).await?;
        load::until_committed(|| probe.committed(), fast).await
    })?;
    let took = start.elapsed().as_secs_f64();
    let processor = processor_time().zip(before).map_or(0.0, |(after, before)| after - before);
    let (seen, (reads, batches)) = (probe.seen(), pipeline.counts());
    let (reads, batches) = (reads - reads_before, batches - batches_before);

    let gap = Duration::from_secs_f64(2.0 * took / real(fast));
    let posted = stand_ins.block_on(async {
        let posted = door.deliver(paced, gap).await?;
        load::until_committed(|| probe.committed(), number).await?;
        anyhow::Ok(posted)
    })?;
    let committed = probe.seen().committed;
    let latency =
        |(id, posted): (&String, &std::time::Instant)| Some(committed.get(id)?.duration_since(*posted));
    let mut latencies: Vec<f64> =
        posted.iter().filter_map(latency).map(|time| time.as_secs_f64() * 1e3).collect();
    latencies.sort_by(f64::total_cmp);
    let at =
        |part: usize| latencies.get((latencies.len() * part / 100).min(latencies.len().saturating_sub(1)));

    let each = |count: f64| count / real(fast);
    let requests: u64 = seen.requests.values().sum();
    Ok(Measured {
        events: number,
        customers,
        per_second: real(fast) / took,
        latency: (at(50).copied().unwrap_or(f64::NAN), at(99).copied().unwrap_or(f64::NAN)),
        stripe: each(whole(reads)),
        dynamodb: seen.requests.iter().map(|(name, count)| (name.clone(), each(whole(*count)))).collect(),
        one: PerEvent {
            batch: real(fast) / whole(batches.max(1)),
            processor: each(processor),
            dynamodb: each(whole(requests)),
            read: each(seen.read),
            written: each(seen.written),
        },
        memory: peak(),
    })
}

fn as_text(measured: &Measured, bill: &[cost::Line], prices: &Prices) -> String {
    let Measured { events, customers, per_second, latency: (half, most), stripe, dynamodb, one, memory } =
        measured;
    let by: Vec<_> = dynamodb.iter().map(|(name, count)| format!("{name} {count:.2}")).collect();
    let memory = memory.map_or_else(|| "–".to_owned(), |bytes| format!("{} MiB", bytes >> 20));
    let debug = if cfg!(debug_assertions) {
        "This is a debug build; `cargo run --release` is what counts.\n"
    } else {
        ""
    };
    let mut text = format!(
        "{debug}{events} events of {customers} customers, all functions and stand-ins in one process\n\n\
         events a second          {per_second:.0}\n\
         receipt to decision      p50 {half:.1} ms, p99 {most:.1} ms, at half that pace\n\
         Stripe reads an event    {stripe:.2}, so Stripe's own limit allows {:.0} events a second\n\
         DynamoDB an event        {:.2} requests ({}), {:.1} units read, {:.1} written\n\
         events in a batch        {:.1}\n\
         processor time an event  {:.2} ms\n\
         memory                   {memory}, stand-ins included\n\n\
         A million such events at list prices ({}, {}), waiting as assumed in prices.toml:\n",
        STRIPE_LIMIT / stripe,
        one.dynamodb,
        by.join(", "),
        one.read,
        one.written,
        one.batch,
        one.processor * 1e3,
        prices.region,
        prices.read,
    );
    let lines = bill.iter().map(|(what, dollars)| (*what, *dollars)).chain([("all", total(bill))]);
    text.extend(lines.map(|(what, dollars)| format!("  {what:22}  {dollars:6.2} USD\n")));
    text
}

fn as_json(measured: &Measured, bill: &[cost::Line]) -> Result<String> {
    let Measured { events, customers, per_second, latency: (half, most), stripe, dynamodb, one, memory } =
        measured;
    let dynamodb: serde_json::Map<_, _> =
        dynamodb.iter().map(|(name, count)| (name.clone(), json!(count))).collect();
    let dollars: serde_json::Map<_, _> =
        bill.iter().map(|(what, dollars)| ((*what).to_owned(), json!(dollars))).collect();
    let all = json!({
        "events": events, "customers": customers, "events_per_second": per_second,
        "receipt_to_decision_ms": { "p50": half, "p99": most },
        "per_event": {
            "stripe_reads": stripe, "dynamodb_requests": dynamodb, "units_read": one.read,
            "units_written": one.written, "processor_seconds": one.processor,
        },
        "batch": one.batch, "memory_bytes": memory,
        "dollars_per_million": dollars, "dollars_per_million_in_all": total(bill),
    });
    serde_json::to_string(&all).context("the figures cannot be written")
}

fn total(bill: &[cost::Line]) -> f64 {
    bill.iter().map(|(_, dollars)| dollars).sum()
}

/// Seconds that the functions' threads computed so far; `None` where the system does not say.
fn processor_time() -> Option<f64> {
    let mut nanos = 0.0;
    for thread in fs::read_dir("/proc/self/task").ok()?.flatten() {
        let read = |name: &str| fs::read_to_string(thread.path().join(name)).unwrap_or_default();
        if read("comm").trim() == FUNCTIONS {
            nanos += read("schedstat").split(' ').next()?.parse::<f64>().ok()?;
        }
    }
    Some(nanos / 1e9)
}

fn peak() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().trim_end_matches(" kB").parse::<u64>().ok()? * 1024)
}

#[expect(clippy::cast_precision_loss, reason = "counts of a run, far below 2^53")]
fn real(count: usize) -> f64 {
    count as f64
}

#[expect(clippy::cast_precision_loss, reason = "counts of a run, far below 2^53")]
fn whole(count: u64) -> f64 {
    count as f64
}
