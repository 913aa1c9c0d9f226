//! `policy backtest`: recorded cases decided anew, and what flips.

use std::{collections::BTreeMap, fmt::Write as _};

use anyhow::Result;
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
    for case in recorded {
        bar.inc(1);
        let example = case.read()?;
        let earlier = from.map_or(example.expect.clone(), |bundle| Expect::of(&example.decide(bundle)));
        if earlier == Expect::default() {
            report.uncompared += 1;
            continue;
        }
        let changes = earlier.differences(&example.decide(to));
        if changes.is_empty() {
            continue;
        }
        for field in changes.iter().filter_map(|line| line.split(':').next()) {
            *report.fields.entry(field.to_owned()).or_default() += 1;
        }
        report.flips.push(Flip {
            case: example.key.to_string(),
            place: case.place.clone(),
            title: example.title,
            changes,
        });
    }
    bar.finish_and_clear();
    Ok(report)
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
