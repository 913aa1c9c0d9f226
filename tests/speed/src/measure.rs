//! The measurements: one round is one start of each subject, so that what drifts drifts for all alike.

use std::{
    ffi::OsString,
    fs,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};

use crate::subject::Subject;

/// One start of one subject.
pub(crate) struct Sample {
    /// From the start of the process to its first answer.
    pub(crate) cold: Duration,
    /// Processor time until it asks for a second event.
    pub(crate) cold_cpu: Duration,
    /// Processor time for one event of those after the first, in nanoseconds.
    pub(crate) warm_cpu: f64,
    /// The most memory, in bytes.
    pub(crate) peak: u64,
    /// From handing each later event over to its answer.
    pub(crate) latencies: Vec<Duration>,
}

/// Starts it once and hands it one event and then `events` more.
pub(crate) fn sample(subject: &Subject<'_>, events: u32) -> Result<Sample> {
    let start = Instant::now();
    let (process, api) = subject.start(&[])?;
    subject.work(&api)?;
    let cold = start.elapsed();
    api.wait()?;
    let cold_cpu = process.cpu()?;
    let latencies = (0..events).map(|_| subject.work(&api)).collect::<Result<Vec<_>>>()?;
    api.wait()?;
    let warm = process.cpu()?.saturating_sub(cold_cpu);
    let warm_cpu = warm.as_secs_f64() * 1e9 / f64::from(events.max(1));
    Ok(Sample { cold, cold_cpu, warm_cpu, peak: process.peak()?, latencies })
}

/// Instructions of a start with its first event, and of each event after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Instructions {
    pub(crate) cold: u64,
    pub(crate) event: u64,
}

/// Counts instructions with callgrind: of a start with one event, and what so many more add to it. The first of
/// them is left out: it opens what the second finds open.
pub(crate) fn instructions(subject: &Subject<'_>, events: u64, folder: &Path) -> Result<Instructions> {
    let one = counted(subject, 1, folder)?;
    let two = counted(subject, 2, folder)?;
    let all = counted(subject, 2 + events, folder)?;
    Ok(Instructions { cold: one, event: all.saturating_sub(two) / events.max(1) })
}

fn counted(subject: &Subject<'_>, events: u64, folder: &Path) -> Result<u64> {
    let out = folder.join(format!("callgrind.{}.{events}", subject.name.replace(' ', "-")));
    let mut file = OsString::from("--callgrind-out-file=");
    file.push(&out);
    let (process, api) = subject.start(&[valgrind()?, "--tool=callgrind".into(), file])?;
    for _ in 0..events {
        subject.work(&api)?;
        api.wait()?;
    }
    process.end()?;
    let told = fs::read_to_string(&out).context("callgrind wrote nothing")?;
    let count =
        told.lines().find_map(|line| line.strip_prefix("summary: ")).and_then(|n| n.trim().parse().ok());
    count.context("callgrind counted nothing")
}

/// Where valgrind is.
pub(crate) fn valgrind() -> Result<OsString> {
    crate::peers::find("valgrind").context("`valgrind` is missing; install it")
}
