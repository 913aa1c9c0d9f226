//! What a run comes to, as a table beside what the rules decide alone.

use std::{collections::BTreeMap, fmt::Write as _};

use connectors::model::Tokens;
use domain::{
    advice::{Verdict, advise},
    decide::Decision,
};

use super::{
    cases::{Group, Labelled},
    invented,
    record::{Answer, Outcome, Recording},
};

/// How many of how many.
#[derive(Clone, Copy, Default)]
struct Share {
    right: usize,
    of: usize,
}

impl Share {
    fn add(&mut self, right: bool) {
        self.right += usize::from(right);
        self.of += 1;
    }

    fn told(self) -> String {
        let Self { right, of } = self;
        match (right * 1000).checked_div(of) {
            None => "none".to_owned(),
            Some(share) => format!("{right:>3} of {of:>3}  {:>3}.{}%", share / 10, share % 10),
        }
    }
}

/// What the rules decide alone, and what with advice.
#[derive(Clone, Copy, Default)]
struct Beside {
    alone: Share,
    advised: Share,
}

/// All that is counted.
#[derive(Default)]
struct Sums {
    templates: BTreeMap<Group, Beside>,
    priorities: BTreeMap<Group, Beside>,
    used: usize,
    refused: usize,
    /// Objections, by their word.
    objections: BTreeMap<String, usize>,
    unanswered: BTreeMap<String, usize>,
    /// Answers in which something was made up.
    caught: usize,
    /// Where what was made up would have been used, with what it is.
    missed: Vec<String>,
    tokens: Tokens,
    cost: u64,
    millis: Vec<u64>,
}

/// The report, and whether nothing that a model made up would have been used.
pub(super) fn of(recording: &Recording, cases: &[Labelled], policy: &str) -> (String, bool) {
    let mut sums = Sums::default();
    for (case, answer) in cases.iter().zip(&recording.answers) {
        sums.add(recording, case, answer);
    }
    (sums.told(recording, cases.len(), policy), sums.missed.is_empty())
}

impl Sums {
    fn add(&mut self, recording: &Recording, case: &Labelled, answer: &Answer) {
        self.millis.push(answer.millis);
        let decision = match &answer.outcome {
            Outcome::Unanswered { why } => {
                *self.unanswered.entry(why.clone()).or_default() += 1;
                case.decision.clone()
            }
            Outcome::Answered { text, read, written } => {
                let tokens = Tokens { input: *read, output: *written };
                self.tokens.input += tokens.input;
                self.tokens.output += tokens.output;
                self.cost += recording.header.cost(tokens);
                let verdict = advise(&case.brief, text);
                let lures = case.label.lures.iter().map(String::as_str);
                let lures = lures.chain(recording.header.lures().iter().copied());
                let invented = invented::in_answer(text, &case.brief, lures);
                match verdict {
                    Verdict::Taken(advised) => {
                        self.used += 1;
                        if !invented.is_empty() {
                            let invented: Vec<String> =
                                invented.iter().map(|one| one.escape_debug().to_string()).collect();
                            self.missed.push(format!("{}: {}", case.title, invented.join(", ")));
                        }
                        case.decision.advised(&advised)
                    }
                    Verdict::Refused(objections) => {
                        self.refused += 1;
                        self.caught += usize::from(!invented.is_empty());
                        for objection in objections {
                            *self.objections.entry(objection.reason).or_default() += 1;
                        }
                        case.decision.clone()
                    }
                }
            }
        };
        self.judge(case, &decision);
    }

    /// What was decided, beside what people would choose.
    fn judge(&mut self, case: &Labelled, advised: &Decision) {
        let label = &case.label;
        let priority = |decision: &Decision| label.priority.contains(&decision.priority);
        let beside = self.priorities.entry(label.group).or_default();
        beside.alone.add(priority(&case.decision));
        beside.advised.add(priority(advised));
        if label.template.is_empty() {
            return;
        }
        let template = |decision: &Decision| {
            Labelled::drafted(decision).is_some_and(|one| label.template.iter().any(|right| right == one))
        };
        let beside = self.templates.entry(label.group).or_default();
        beside.alone.add(template(&case.decision));
        beside.advised.add(template(advised));
    }

    fn told(&self, recording: &Recording, cases: usize, policy: &str) -> String {
        let header = &recording.header;
        let mut text = String::new();
        let mut say = |line: String| {
            // Writing to a text cannot fail.
            let _ = writeln!(text, "{}", line.trim_end());
        };
        let policy: String = policy.chars().take(16).collect();
        say(format!("{cases} cases, prompt {}, policy {policy}", header.prompt));
        say(match &header.stand_in {
            Some(mode) => format!("asked: the sandbox's stand-in, {mode}; it is no language model"),
            None => format!("asked: {}", header.model),
        });
        say(format!("\n{:<22}{:<24}{}", "", "rules alone", "with advice"));
        for (what, groups) in [("template", &self.templates), ("priority", &self.priorities)] {
            let mut all = Beside::default();
            for beside in groups.values() {
                for (sum, part) in [(&mut all.alone, beside.alone), (&mut all.advised, beside.advised)] {
                    sum.right += part.right;
                    sum.of += part.of;
                }
            }
            say(format!("{what:<22}{:<24}{}", all.alone.told(), all.advised.told()));
            for group in Group::ALL {
                let Some(beside) = groups.get(&group) else { continue };
                let (alone, advised) = (beside.alone.told(), beside.advised.told());
                say(format!("  {:<20}{alone:<24}{advised}", group.as_str()));
            }
        }
        say(String::new());
        say(format!("{:<22}{:>6}", "answers used", self.used));
        say(format!("{:<22}{:>6}   {}", "refused", self.refused, counts(&self.objections)));
        let unanswered: usize = self.unanswered.values().sum();
        say(format!("{:<22}{unanswered:>6}   {}", "no answer", counts(&self.unanswered)));
        say(format!("{:<22}{:>6}", "made up and caught", self.caught));
        say(format!("{:<22}{:>6}", "made up and missed", self.missed.len()));
        self.missed.iter().for_each(|one| say(format!("  {one}")));
        let Tokens { input, output } = self.tokens;
        say(format!("{:<22}{input:>6} read, {output} written", "tokens"));
        say(format!(
            "{:<22}{:>6}",
            "cost in USD",
            format!("{}.{:06}", self.cost / 1_000_000, self.cost % 1_000_000)
        ));
        let (median, slowest) = (rank(&self.millis, 50), rank(&self.millis, 99));
        say(format!("{:<22}{median:>6} ms at p50, {slowest} ms at p99", "latency"));
        text
    }
}

/// `number 12, phrase 3`: the most frequent first.
fn counts(of: &BTreeMap<String, usize>) -> String {
    let mut of: Vec<(&String, &usize)> = of.iter().collect();
    of.sort_by_key(|(word, count)| (std::cmp::Reverse(**count), (*word).clone()));
    of.iter().map(|(word, count)| format!("{word} {count}")).collect::<Vec<_>>().join(", ")
}

/// The value at this rank of a hundred.
fn rank(values: &[u64], of_hundred: usize) -> u64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    let place = (sorted.len() * of_hundred).div_ceil(100).max(1);
    sorted.get(place - 1).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rank_is_a_value_that_was_measured() {
        let values: Vec<u64> = (1..=200).rev().collect();
        assert_eq!((rank(&values, 50), rank(&values, 99)), (100, 198));
        assert_eq!((rank(&[7], 50), rank(&[7], 99), rank(&[], 50)), (7, 7, 0));
    }

    #[test]
    fn a_share_of_nothing_is_none() {
        assert_eq!(Share { right: 1, of: 3 }.told(), "  1 of   3   33.3%");
        assert_eq!(Share::default().told(), "none");
    }
}
