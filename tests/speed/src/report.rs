//! Tables: what was measured, and what has to hold.

use std::collections::BTreeMap;

use crate::measure::{Instructions, Sample};

/// What is known of one subject.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    /// One for each round, in their order.
    pub(crate) samples: Vec<Sample>,
    /// Bytes as it is and zipped.
    pub(crate) size: (u64, u64),
    pub(crate) instructions: Option<Instructions>,
}

/// A figure of a sample.
type Figure = fn(&Sample) -> f64;

const COLD: Figure = |sample| sample.cold_cpu.as_secs_f64() * 1e3;
const WARM: Figure = |sample| sample.warm_cpu / 1e3;
#[expect(clippy::cast_precision_loss, reason = "a few megabytes")]
const PEAK: Figure = |sample| sample.peak as f64 / MIB;

const MIB: f64 = 1_048_576.0;

/// A bar: what `of` takes of a figure in parts of what `to` takes, at most; or the other way round, at least.
struct Bar {
    what: &'static str,
    of: &'static str,
    to: &'static str,
    figure: Figure,
    most: bool,
    bar: f64,
    stretch: f64,
}

const fn most(what: &'static str, of: &'static str, figure: Figure, bar: f64, stretch: f64) -> Bar {
    Bar { what, of, to: "no-op", figure, most: true, bar, stretch }
}

const fn least(what: &'static str, of: &'static str, figure: Figure, bar: f64, stretch: f64) -> Bar {
    Bar { what, of, to: "ingress over TLS", figure, most: false, bar, stretch }
}

const BARS: [Bar; 9] = [
    most("ingress, cold CPU", "ingress over TLS", COLD, 2.8, 2.0),
    least("ingress, cold CPU below Node", "Node", COLD, 50.0, 75.0),
    least("ingress, cold CPU below Python", "Python", COLD, 100.0, 150.0),
    least("ingress, warm CPU of a 10 KB event below Node", "Node", WARM, 6.0, 11.0),
    least("ingress, warm CPU of a 10 KB event below Python", "Python", WARM, 15.0, 30.0),
    most("ingress, peak memory", "ingress over TLS", PEAK, 2.4, 1.7),
    least("ingress, peak memory below Node", "Node", PEAK, 10.0, 20.0),
    most("processor, cold CPU", "processor", COLD, 8.0, 5.0),
    most("approver, cold CPU", "approver", COLD, 12.0, 8.0),
];

/// The table of all subjects; ratios are to `no-op`, in the same round.
pub(crate) fn subjects(rows: &[Row]) -> String {
    let head = [
        "",
        "cold CPU ms",
        "× no-op",
        "cold ms",
        "warm CPU µs",
        "p50 µs",
        "p99 µs",
        "peak MiB",
        "binary MiB",
        "zip MiB",
        "M instructions cold",
        "k instructions an event",
    ];
    let mut table = vec![head.map(str::to_owned).to_vec()];
    for row in rows {
        let middle = |figure: Figure| median(row.samples.iter().map(figure).collect());
        let ratio = find(rows, "no-op").map_or(f64::NAN, |floor| paired(row, floor, COLD));
        let mut latencies: Vec<f64> = row.samples.iter().flat_map(|one| &one.latencies).map(micros).collect();
        latencies.sort_by(f64::total_cmp);
        let counted = |pick: fn(&Instructions) -> u64, unit: f64| {
            row.instructions
                .as_ref()
                .map_or_else(|| "–".to_owned(), |all| format!("{:.1}", thousands(pick(all)) / unit))
        };
        table.push(vec![
            row.name.to_owned(),
            format!("{:.2}", middle(COLD)),
            format!("{ratio:.2}"),
            format!("{:.1}", middle(|sample| sample.cold.as_secs_f64() * 1e3)),
            format!("{:.0}", middle(WARM)),
            format!("{:.0}", at(&latencies, 0.5)),
            format!("{:.0}", at(&latencies, 0.99)),
            format!("{:.1}", middle(PEAK)),
            format!("{:.1}", thousands(row.size.0) / 1048.576),
            format!("{:.1}", thousands(row.size.1) / 1048.576),
            counted(|all| all.cold, 1000.0),
            counted(|all| all.event, 1.0),
        ]);
    }
    markdown(&table)
}

/// The table of bars, and how many of them are missed.
pub(crate) fn bars(rows: &[Row]) -> (String, usize) {
    let mut table = vec![["what", "bar", "stretch", "measured", ""].map(str::to_owned).to_vec()];
    let mut missed = 0;
    for Bar { what, of, to, figure, most, bar, stretch } in BARS {
        let (Some(one), Some(other)) = (find(rows, of), find(rows, to)) else { continue };
        let ratio = paired(one, other, figure);
        let within = |bar: f64| if most { ratio <= bar } else { ratio >= bar };
        missed += usize::from(!within(bar));
        let sign = if most { "≤" } else { "≥" };
        let word = match (within(stretch), within(bar)) {
            (true, _) => "stretch",
            (_, true) => "holds",
            _ => "MISSED",
        };
        table.push(vec![
            if to == "no-op" { format!("{what} against a no-op") } else { what.to_owned() },
            format!("{sign} {bar}×"),
            format!("{sign} {stretch}×"),
            format!("{ratio:.2}×"),
            word.to_owned(),
        ]);
    }
    (markdown(&table), missed)
}

/// Where instructions grew above the baseline by more than a fifth, a line for each; and a table of all.
pub(crate) fn regressions(rows: &[Row], baseline: &BTreeMap<String, Instructions>) -> (String, Vec<String>) {
    let mut table = vec![["", "baseline", "now", "change"].map(str::to_owned).to_vec()];
    let mut grown = Vec::new();
    for row in rows {
        let Some(now) = row.instructions else { continue };
        let Some(before) = baseline.get(row.name) else {
            grown.push(format!("`{}` has no baseline", row.name));
            continue;
        };
        for (what, before, now) in [("cold", before.cold, now.cold), ("an event", before.event, now.event)] {
            let change = thousands(now) / thousands(before) - 1.0;
            table.push(vec![
                format!("{}, {what}", row.name),
                before.to_string(),
                now.to_string(),
                format!("{:+.1} %", change * 100.0),
            ]);
            if change > 0.2 {
                grown.push(format!("`{}`, {what}: {now} instructions where there were {before}", row.name));
            }
        }
    }
    (markdown(&table), grown)
}

fn find<'r>(rows: &'r [Row], name: &str) -> Option<&'r Row> {
    rows.iter().find(|row| row.name == name)
}

/// The median over the rounds of how one figure stands to the other.
fn paired(one: &Row, other: &Row, figure: Figure) -> f64 {
    let pairs = one.samples.iter().zip(&other.samples);
    median(pairs.map(|(one, other)| figure(one) / figure(other)).collect())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    at(&values, 0.5)
}

/// The value at this part of the sorted ones.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "an index into some thousands"
)]
fn at(sorted: &[f64], part: f64) -> f64 {
    let index = (sorted.len().saturating_sub(1) as f64 * part).round() as usize;
    sorted.get(index).copied().unwrap_or(f64::NAN)
}

fn micros(time: &std::time::Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

#[expect(clippy::cast_precision_loss, reason = "for people to read")]
fn thousands(count: u64) -> f64 {
    count as f64 / 1000.0
}

/// A table as Markdown, its columns in line.
fn markdown(rows: &[Vec<String>]) -> String {
    let columns = rows.first().map_or(0, Vec::len);
    let wide = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(wide).collect();
    let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let mut lines: Vec<String> = rows
        .iter()
        .map(|row| line(row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect()))
        .collect();
    lines.insert(1.min(lines.len()), line(widths.iter().map(|width| "-".repeat(*width)).collect()));
    lines.concat()
}
