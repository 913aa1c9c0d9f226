//! What to do about a bucket: who hears of it, what is drafted, and how it goes on if nothing changes.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::CaseFacts;

/// What to do about a bucket.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Playbook {
    /// The channel that hears of it.
    pub channel: String,
    /// What happened, in a line.
    pub headline: String,
    /// What to do next.
    pub next: String,
    /// What to do next about a dispute that costs more to answer than it brings, if that is another thing.
    #[serde(default)]
    pub next_if_small: Option<String>,
    /// What happens if nobody acts.
    pub otherwise: String,
    /// The ladder: what is done on which day of the case. The highest rung that is due is taken; the
    /// others were taken before or were overslept, and nobody is written to twice for that.
    #[serde(rename = "rung")]
    pub rungs: Vec<Rung>,
    /// What is different for a segment.
    #[serde(default)]
    pub segment: BTreeMap<String, Override>,
}

/// One rung of a ladder.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rung {
    /// The day of the case, counted from its opening, from which it is due.
    pub day: u16,
    /// The controlled writes to make.
    #[serde(default)]
    pub steps: Vec<Kind>,
    /// The template of a message to the customer, if there is something to say.
    #[serde(default)]
    pub draft: Option<String>,
    /// Templates that may stand for `draft` if a model advises it: they say the same in the same channel.
    #[serde(default)]
    pub alternatives: Vec<String>,
    /// The template that is drafted in the customer's open conversation instead, if there is one.
    #[serde(default)]
    pub chat: Option<String>,
    /// The template of a message for a colleague, if there is something to say.
    #[serde(default)]
    pub follow_up: Option<String>,
    /// The gated action that the agent asks for, if any: `refund.create`.
    #[serde(default)]
    pub request: Option<String>,
    /// Whether a message is only due if there was one before: thanks for a payment that nobody was asked
    /// for would puzzle.
    #[serde(default)]
    pub only_after_contact: bool,
}

/// The controlled writes that a rung can ask for by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A message to the team.
    Alert,
    /// A task in the CRM.
    Task,
    /// A note in the CRM.
    Note,
    /// A ticket in the help desk.
    Ticket,
    /// Evidence, staged with the case.
    Evidence,
}

/// What is different for a segment; what is not named stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Override {
    /// Another channel.
    #[serde(default)]
    pub channel: Option<String>,
    /// Another next action.
    #[serde(default)]
    pub next: Option<String>,
    /// Another ladder.
    #[serde(default, rename = "rung")]
    pub rungs: Option<Vec<Rung>>,
}

impl Playbook {
    /// The playbook for a segment.
    #[must_use]
    pub(super) fn for_segment(&self, segment: &str) -> Self {
        let other = self.segment.get(segment).cloned().unwrap_or_default();
        Self {
            channel: other.channel.unwrap_or_else(|| self.channel.clone()),
            next: other.next.unwrap_or_else(|| self.next.clone()),
            rungs: other.rungs.unwrap_or_else(|| self.rungs.clone()),
            segment: BTreeMap::new(),
            ..self.clone()
        }
    }

    /// What to do next about a case.
    pub fn next(&self, facts: &CaseFacts) -> &str {
        let small = self.next_if_small.as_deref().filter(|_| facts.is_not_worth_answering());
        small.unwrap_or(&self.next)
    }

    /// The rung that is due on a day of the case, with its place in the ladder.
    pub fn due(&self, day: i64) -> Option<(usize, &Rung)> {
        self.rungs.iter().enumerate().rfind(|(_, rung)| i64::from(rung.day) <= day)
    }

    /// The day of the rung after this place.
    pub fn next_day(&self, place: usize) -> Option<u16> {
        self.rungs.get(place.saturating_add(1)).map(|rung| rung.day)
    }

    /// Every rung, with those of the segments.
    pub(super) fn all_rungs(&self) -> impl Iterator<Item = &Rung> {
        let others = self.segment.values().filter_map(|other| other.rungs.as_ref());
        self.rungs.iter().chain(others.flatten())
    }

    pub(super) fn check(&self, segments: &[&str]) -> Result<(), String> {
        let ladders = std::iter::once(&self.rungs)
            .chain(self.segment.values().filter_map(|other| other.rungs.as_ref()));
        for ladder in ladders {
            if ladder.is_empty() {
                return Err("add at least one `rung`, with `day = 0`".into());
            }
            if !ladder.is_sorted_by(|one, next| one.day < next.day) {
                return Err("put the rungs in the order of their days, each day once".into());
            }
        }
        match self.segment.keys().find(|name| !segments.contains(&name.as_str())) {
            Some(name) => Err(format!("`{name}` is no segment; name one of {}", segments.join(", "))),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn playbook(rungs: &str) -> Playbook {
        let head = "channel = 'a'\nheadline = 'b'\nnext = 'c'\notherwise = 'd'\n";
        toml::from_str(&format!("{head}{rungs}")).unwrap()
    }

    #[test]
    fn the_highest_rung_that_is_due_is_taken() {
        let book = playbook("[[rung]]\nday = 0\n[[rung]]\nday = 3\n[[rung]]\nday = 7\n");
        let place = |day| book.due(day).map(|(place, _)| place);
        assert_eq!([0, 2, 3, 6, 7, 400].map(place), [0, 0, 1, 1, 2, 2].map(Some));
        assert_eq!((book.next_day(0), book.next_day(2)), (Some(3), None));
    }

    #[test]
    fn a_segment_changes_what_it_names_and_nothing_else() {
        let book = playbook("[[rung]]\nday = 0\n[segment.enterprise]\nnext = 'call'\n");
        let enterprise = book.for_segment("enterprise");
        assert_eq!((enterprise.next.as_str(), enterprise.rungs.len()), ("call", 1));
        assert_eq!(book.for_segment("self_serve").next, "c");
    }

    #[test]
    fn a_ladder_out_of_order_or_for_an_unknown_segment_is_refused() {
        let segments = ["enterprise"];
        assert!(playbook("[[rung]]\nday = 3\n[[rung]]\nday = 0\n").check(&segments).is_err());
        assert!(playbook("rung = []").check(&segments).is_err());
        let unknown = playbook("[[rung]]\nday = 0\n[segment.whales]\nnext = 'call'\n");
        assert!(unknown.check(&segments).unwrap_err().contains("`whales` is no segment"));
    }
}
