//! The answer, and how it reads. It holds ids and words of ours: no message's text, no names.

use std::fmt;

use domain::{
    Case, ObjectId, Timestamp, case::CaseState, classify::Classification, event::case_kind,
    plan::Suppression, policy::step_word,
};
use serde::{Deserialize, Serialize};
use store::{EventOutcome, StepRow, StepState};

/// Everything known about an object.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Answer {
    pub(crate) object: ObjectId,
    /// The event, if that was asked for and it was received.
    pub(crate) event: Option<Received>,
    /// Items that this program cannot have written: what was asked for may be among them.
    pub(crate) unreadable: Vec<String>,
    /// The cases that are about it or name it.
    pub(crate) stories: Vec<Story>,
}

/// An event that was received.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Received {
    pub(crate) kind: String,
    pub(crate) at: Timestamp,
    /// `None` while a run holds it, or after that run died.
    pub(crate) outcome: Option<EventOutcome>,
}

/// A case with its steps and what was decided before.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Story {
    pub(crate) case: Case,
    pub(crate) steps: Vec<Told>,
    /// Decisions that a later one superseded, the first one first.
    pub(crate) earlier: Vec<Earlier>,
}

/// A step, without its words.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Told {
    pub(crate) step: String,
    pub(crate) kept: Option<String>,
    pub(crate) state: StepState,
    pub(crate) tries: i64,
    pub(crate) at: Timestamp,
}

/// A decision that a later one superseded.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Earlier {
    pub(crate) at: Timestamp,
    pub(crate) found: Classification,
    pub(crate) suppressed: Vec<Suppression>,
}

impl Told {
    pub(crate) fn of(row: StepRow) -> Self {
        let step = step_word(&row.step);
        Self { step, kept: row.step.kept, state: row.state, tries: row.tries, at: row.since }
    }
}

impl Answer {
    /// Whether nothing is known.
    pub(crate) const fn is_empty(&self) -> bool {
        self.event.is_none() && self.stories.is_empty()
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let object = &self.object;
        if let Some(event) = &self.event {
            writeln!(f, "{object} ({}) was received at {}: {}", event.kind, event.at, event.what())?;
        } else if self.is_empty() {
            writeln!(f, "Nothing is known of {object}.")?;
            if object.as_str().starts_with("evt_") {
                writeln!(f, "The event was never received. {}", resend(object.as_str()))?;
            } else {
                writeln!(
                    f,
                    "No event about it was received, or only such as start no work. Look for its events in \
                     Stripe, ask `countersign why EVENT` about each, and send again what is missing. {}",
                    resend("EVENT")
                )?;
            }
        }
        if !self.unreadable.is_empty() {
            writeln!(
                f,
                "{} items of the table cannot be read; it may be among them.",
                self.unreadable.len()
            )?;
        }
        self.stories.iter().try_for_each(|story| story.fmt(f, object))
    }
}

/// How an event is sent again. The command is Stripe's own command line's.
fn resend(event: &str) -> String {
    format!(
        "Send it again: `stripe events resend {event} --webhook-endpoint ENDPOINT`, or in Stripe's Dashboard \
         under the endpoint. Whatever was received before is not done twice. The reconciler also fetches \
         what Stripe could not deliver."
    )
}

impl Received {
    fn what(&self) -> String {
        match &self.outcome {
            Some(EventOutcome::Decided { case }) => format!("it led to the case {case}."),
            Some(EventOutcome::Ignored) if case_kind(&self.kind).is_none() => {
                "it was ignored, since its type starts no work.".into()
            }
            Some(EventOutcome::Ignored) => {
                "it was ignored when it came, although its type starts work now; a later event of its object \
                 makes up for it."
                    .into()
            }
            Some(EventOutcome::Refused { why }) => format!("it was refused: {why}."),
            None => "a run works on it, or died; the queue brings it again by itself.".into(),
        }
    }
}

impl Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>, object: &ObjectId) -> fmt::Result {
        let case = &self.case;
        let state = match case.state {
            CaseState::Open => "open",
            CaseState::Closed => "closed",
        };
        writeln!(
            f,
            "\nCase {}: {state} since {}, priority {}",
            case.key,
            case.changed,
            case.priority.as_str()
        )?;
        if case.key.object() != object {
            writeln!(f, "  It is about {}; {object} belongs to it.", case.key.object())?;
        }
        writeln!(f, "  Found: {}", case.classification.bucket)?;
        case.classification.reasons.iter().try_for_each(|reason| writeln!(f, "    - {reason}"))?;
        if !case.next.is_empty() {
            writeln!(f, "  Next: {}", case.next)?;
        }
        if case.escalation.permitted {
            writeln!(f, "  Escalated:")?;
            let mut rules = case.escalation.rules.iter();
            rules.try_for_each(|rule| writeln!(f, "    - {} [{}]", rule.reason, rule.id))?;
        }
        if !case.escalation.policy.is_empty() {
            writeln!(f, "  Policy: {}", case.escalation.policy)?;
        }
        if self.steps.is_empty() {
            writeln!(f, "  No step was taken.")?;
        }
        self.steps.iter().try_for_each(|step| step.fmt(f))?;
        held(f, "  ", &case.suppressed)?;
        for earlier in &self.earlier {
            writeln!(f, "  Superseded: at {} it was {}", earlier.at, earlier.found.bucket)?;
            held(f, "    ", &earlier.suppressed)?;
        }
        match case.revisit.filter(|_| case.state == CaseState::Open) {
            Some(then) => writeln!(f, "  Looked at again at {then}, or when Stripe says something new."),
            None => writeln!(f, "  Looked at again when Stripe says something new."),
        }
    }
}

fn held(f: &mut fmt::Formatter<'_>, indent: &str, suppressed: &[Suppression]) -> fmt::Result {
    suppressed.iter().try_for_each(|one| {
        let (meaning, word) = (one.interlock.meaning(), one.interlock.as_str());
        writeln!(f, "{indent}Held back: {}, because {meaning} ({word}): {}", one.step, one.because)
    })
}

impl Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match (&self.kept, &self.state) {
            (Some(why), _) => format!("kept with the case: {why}"),
            (None, StepState::Done { vendor_id }) => format!("done, as {vendor_id}"),
            (None, StepState::Failed { why }) => format!("failed, somebody must look: {why}"),
            (None, StepState::Sending) => format!("being sent, try {}", self.tries),
        };
        writeln!(f, "  Step {} of {}: {state}", self.step, self.at)
    }
}
