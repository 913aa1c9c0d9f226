//! `policy backtest`: recorded cases decided anew, and what flips.

use std::{collections::BTreeMap, fmt::Write as _, thread};

use anyhow::{Result, anyhow};
use domain::policy::{Bundle, Expect};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use super::cases::{self, Recorded};
use crate::{End, args::Backtest};

/// A case that is decided differently.
#[derive(Debug, Serialize)]
struct Flip {
    case: String,
    place: String,
    title: String,
    /// A line for each field that differs.
    changes: Vec<String>,
}

/// What came out.
#[derive(Debug, Default, Serialize)]
struct Report {
    from: Option<String>,
    to: String,
    cases: usize,
    /// Cases that record nothing to compare with.
    uncompared: usize,
    flips: Vec<Flip>,
    /// How many cases differ, by field.
    fields: BTreeMap<String, usize>,
}

/// Replays the cases of a folder.
pub(crate) fn backtest(options: &Backtest) -> End {
    let replayed = || -> Result<Report> {
        let from = options.from.as_deref().map(runtime::policy::load).transpose()?;
        let to = runtime::policy::load(&options.to)?;
        replay(&cases::below(&options.cases)?, from.as_ref(), &to)
    };
    match replayed() {
        Err(error) => End::usage(format!("{error:#}")),
        Ok(report) if report.cases == 0 => {
            End::usage(format!("`{}` holds no case; record some", options.cases.display()))
        }
        Ok(report) if report.uncompared == report.cases => {
            End::usage("no case records a decision to compare with; name the earlier bundle with --from")
        }
        Ok(report) => {
            let text = if options.json {
                serde_json::to_string_pretty(&report).unwrap_or_default()
            } else {
                table(&report)
            };
            if report.flips.is_empty() { End::good(text) } else { End::no(text) }
        }
    }
}

/// One case under both bundles.
enum Compared {
    /// It records nothing to compare with.
    Nothing,
    Same,
    Flipped(Flip),
}

fn replay(recorded: &[Recorded], from: Option<&Bundle>, to: &Bundle) -> Result<Report> {
    let mut report = Report {
        from: from.map(|bundle| bundle.id().to_owned()),
        to: to.id().to_owned(),
        cases: recorded.len(),
        ..Report::default()
    };
    // It draws nothing where standard error is not a terminal.
    let bar = ProgressBar::new(u64::try_from(recorded.len()).unwrap_or(u64::MAX));
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} cases, {eta} left") {
        bar.set_style(style);
    }
    // Each case stands by itself, so every core takes a part.
    let part = recorded.len().div_ceil(thread::available_parallelism().map_or(1, usize::from)).max(1);
    let compared = thread::scope(|scope| {
        let take = |part: &[Recorded]| -> Result<Vec<Compared>> {
            part.iter().map(|case| compare(case, from, to)).inspect(|_| bar.inc(1)).collect()
        };
        let running: Vec<_> = recorded.chunks(part).map(|part| scope.spawn(move || take(part))).collect();
        let ended =
            running.into_iter().map(|one| one.join().map_err(|_| anyhow!("a part of the cases died"))?);
        ended.collect::<Result<Vec<_>>>()
    })?;
    bar.finish_and_clear();
    for one in compared.into_iter().flatten() {
        match one {
            Compared::Nothing => report.uncompared += 1,
            Compared::Same => {}
            Compared::Flipped(flip) => {
                for field in flip.changes.iter().filter_map(|line| line.split(':').next()) {
                    *report.fields.entry(field.to_owned()).or_default() += 1;
                }
                report.flips.push(flip);
            }
        }
    }
    Ok(report)
}

fn compare(case: &Recorded, from: Option<&Bundle>, to: &Bundle) -> Result<Compared> {
    let example = case.read()?;
    let earlier = match from {
        Some(bundle) => Expect::of(&example.decide(bundle)),
        None => example.expect.clone(),
    };
    if earlier == Expect::default() {
        return Ok(Compared::Nothing);
    }
    let changes = earlier.differences(&example.decide(to));
    if changes.is_empty() {
        return Ok(Compared::Same);
    }
    let (key, place) = (example.key.to_string(), case.place.clone());
    Ok(Compared::Flipped(Flip { case: key, place, title: example.title, changes }))
}

fn table(report: &Report) -> String {
    let mut text = String::new();
    let mut say = |line: String| {
        // Writing to a text cannot fail.
        let _ = writeln!(text, "{line}");
    };
    for flip in &report.flips {
        say(format!("{} ({}): {}", flip.case, flip.place, flip.title));
        flip.changes.iter().for_each(|change| say(format!("  {change}")));
    }
    if !report.fields.is_empty() {
        say(format!("\n{:<12} {:>6}", "differs", "cases"));
        report.fields.iter().for_each(|(field, count)| say(format!("{field:<12} {count:>6}")));
        say(String::new());
    }
    if report.uncompared > 0 {
        say(format!(
            "{} cases record no decision to compare with; name the earlier bundle with --from",
            report.uncompared
        ));
    }
    let from = report.from.as_deref().unwrap_or("what was recorded");
    say(format!("{} of {} cases flip from {from} to {}", report.flips.len(), report.cases, report.to));
    text
}
