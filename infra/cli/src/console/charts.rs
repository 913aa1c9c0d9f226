//! The figures of the dashboard, as charts: made here, so that the page needs no script to show them.

use std::collections::BTreeMap;

use domain::{CaseKind, Timestamp, case::CaseState};
use maud::{Markup, html};
use serde::Serialize;
use store::{Everything, StepState};

/// At most so many bars, the longest first.
const BARS: usize = 8;

const HOUR: i64 = 3600;
const HOURS: i64 = 24;

/// A chart.
#[derive(Debug, Serialize)]
pub(super) struct Chart {
    title: &'static str,
    note: &'static str,
    shape: Shape,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum Shape {
    /// Columns side by side, the last one is now.
    Columns(Vec<u64>),
    /// Bars below each other, each with its tone.
    Bars(Vec<(String, u64, &'static str)>),
}

/// The charts of what the tables hold.
pub(super) fn of(all: &Everything, now: Timestamp) -> Vec<Chart> {
    let open = || all.cases.iter().filter(|case| case.state == CaseState::Open);
    let mut buckets = BTreeMap::new();
    let mut held = BTreeMap::new();
    for case in &all.cases {
        let settled = case.classification.bucket.is_settled();
        add(&mut buckets, case.classification.bucket.as_str(), if settled { "good" } else { "warn" });
        for one in &case.suppressed {
            add(&mut held, one.interlock.as_str(), "busy");
        }
    }
    let mut steps = BTreeMap::new();
    for row in &all.steps {
        let (state, tone) = match row.state {
            StepState::Done { .. } => ("done", "good"),
            StepState::Failed { .. } => ("failed", "bad"),
            StepState::Sending => ("sending", "busy"),
        };
        add(&mut steps, &format!("{} {state}", row.step.kind.name()), tone);
    }
    let mut proposals = BTreeMap::new();
    for row in &all.proposals {
        let tone = match row.proposal.stage.name() {
            "executed" => "good",
            "unknown" | "tampered" | "failed" => "bad",
            "pending" | "executing" => "busy",
            _ => "warn",
        };
        add(&mut proposals, row.proposal.stage.name(), tone);
    }
    let mut findings = BTreeMap::new();
    for row in all.findings.iter().filter(|row| row.gone.is_none()) {
        add(&mut findings, &row.finding.what, "bad");
    }
    let disputes = open().filter(|case| case.key.kind() == CaseKind::Dispute);
    let mut deadlines: Vec<(String, u64, &'static str)> = disputes
        .filter_map(|case| {
            let hours = case.deadline?.since(now).div_euclid(HOUR).max(0);
            let tone = if hours < HOURS { "bad" } else { "warn" };
            Some((case.key.object().to_string(), u64::try_from(hours).unwrap_or_default(), tone))
        })
        .collect();
    deadlines.sort_by_key(|(_, hours, _)| *hours);
    deadlines.truncate(BARS);
    let bars = |title, note, counts| Chart { title, note, shape: Shape::Bars(longest(counts)) };
    vec![
        Chart { title: "Events", note: "taken in, by hour", shape: Shape::Columns(by_hour(all, now)) },
        bars("What was found", "cases by bucket", buckets),
        bars("Steps", "by kind and state", steps),
        bars("Held back", "by interlock", held),
        bars("Proposals", "by stage", proposals),
        bars("Findings", "of the sweeps, open", findings),
        Chart { title: "Disputes", note: "hours to the deadline", shape: Shape::Bars(deadlines) },
    ]
}

type Counts = BTreeMap<String, (u64, &'static str)>;

fn add(counts: &mut Counts, label: &str, tone: &'static str) {
    counts.entry(label.replace('_', " ")).or_insert((0, tone)).0 += 1;
}

fn longest(counts: Counts) -> Vec<(String, u64, &'static str)> {
    let mut bars: Vec<_> = counts.into_iter().map(|(label, (count, tone))| (label, count, tone)).collect();
    bars.sort_by(|one, other| (other.1, &one.0).cmp(&(one.1, &other.0)));
    bars.truncate(BARS);
    bars
}

/// Events taken in during each of the last hours.
fn by_hour(all: &Everything, now: Timestamp) -> Vec<u64> {
    let mut columns = vec![0; usize::try_from(HOURS).unwrap_or_default()];
    for row in &all.events {
        let ago = now.since(row.received).div_euclid(HOUR);
        let place = usize::try_from(HOURS - 1 - ago).ok();
        if let Some(column) = place.and_then(|place| columns.get_mut(place)) {
            *column += 1;
        }
    }
    columns
}

/// The section with all charts.
pub(super) fn shown(charts: &[Chart]) -> Markup {
    html! {
        section #charts aria-label="Figures" {
            @for chart in charts {
                figure.chart {
                    figcaption { b { (chart.title) } " " small { (chart.note) } }
                    @match &chart.shape {
                        Shape::Columns(values) => (columns(values)),
                        Shape::Bars(values) if values.is_empty() => p.quiet { "nothing yet" },
                        Shape::Bars(values) => (bars(values)),
                    }
                }
            }
        }
    }
}

const WIDTH: u64 = 300;
const HEIGHT: u64 = 96;
const ROW: u64 = 18;
const LABEL: u64 = 150;

fn columns(values: &[u64]) -> Markup {
    let most = values.iter().copied().max().unwrap_or_default().max(1);
    let wide = WIDTH / (values.len() as u64).max(1);
    html! {
        svg viewBox=(format!("0 0 {WIDTH} {}", HEIGHT + ROW)) role="img" {
            title { (values.iter().sum::<u64>()) " in " (values.len()) " hours, at most " (most) " in one" }
            @for (place, value) in (0..).zip(values) {
                @let tall = value * HEIGHT / most;
                rect.accent x=(place * wide) y=(HEIGHT - tall) width=(wide.saturating_sub(2)) height=(tall) {
                    title { (value) }
                }
            }
            text x="0" y=(HEIGHT + ROW - 4) { (values.len()) " h ago" }
            text.end x=(WIDTH) y=(HEIGHT + ROW - 4) { "now, at most " (most) }
        }
    }
}

/// What of a label ends before the bars; the chart's title has all of it.
fn short(label: &str) -> String {
    const MOST: usize = 20;
    if label.chars().count() <= MOST + 4 {
        return label.to_owned();
    }
    label.chars().take(MOST).chain(['…']).collect()
}

fn bars(values: &[(String, u64, &'static str)]) -> Markup {
    let most = values.iter().map(|(_, value, _)| *value).max().unwrap_or_default().max(1);
    html! {
        svg viewBox=(format!("0 0 {WIDTH} {}", ROW * values.len() as u64)) role="img" {
            title { @for (label, value, _) in values { (label) ": " (value) "; " } }
            @for (place, (label, value, tone)) in (0..).zip(values) {
                @let y = place * ROW;
                text x="0" y=(y + ROW - 5) { (short(label)) }
                rect class=(tone) x=(LABEL) y=(y + 3) width=((value * (WIDTH - LABEL - 40) / most).max(1)) height=(ROW - 6) {}
                text.end x=(WIDTH) y=(y + ROW - 5) { (value) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_as_long_as_their_values_and_labels_are_text() {
        let shown = bars(&[("<b>".to_owned(), 10, "good"), ("half".to_owned(), 5, "bad")]).into_string();
        assert!(shown.contains("&lt;b&gt;") && !shown.contains("<b>"), "{shown}");
        assert!(shown.contains(r#"width="110""#) && shown.contains(r#"width="55""#), "{shown}");
    }

    #[test]
    fn a_label_that_would_run_into_its_bar_is_cut_and_stands_whole_in_the_title() {
        let id = "du_V5UO1fdoAi25zTjM0lnNZ2Xq";
        let shown = bars(&[(id.to_owned(), 1, "warn"), ("payment method replaced".to_owned(), 1, "good")]);
        let shown = shown.into_string();
        assert!(
            shown.contains(&format!("<title>{id}: 1;")) && shown.contains(">du_V5UO1fdoAi25zTjM0…<"),
            "{shown}"
        );
        assert!(shown.contains(">payment method replaced<"), "{shown}");
    }

    #[test]
    fn the_highest_column_fills_the_chart_and_an_empty_hour_is_none() {
        let shown = columns(&[0, 4, 2]).into_string();
        assert!(shown.contains(r#"height="96""#) && shown.contains(r#"height="48""#), "{shown}");
        assert!(columns(&[]).into_string().contains("svg"), "no hours are no mistake");
    }

    #[test]
    fn only_the_longest_bars_are_shown() {
        let counts: Counts = (0..20).map(|n| (format!("n{n:02}"), (n, "good"))).collect();
        let shown = longest(counts);
        assert_eq!(shown.len(), BARS);
        assert_eq!(shown[0].0, "n19");
    }
}
