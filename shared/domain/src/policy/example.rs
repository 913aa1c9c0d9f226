//! A case with what should be decided about it: how finance says what it wants, and how a change of the
//! bundle is tried out.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::Bundle;
use crate::{
    Case, CaseKey,
    classify::Bucket,
    context::Context,
    decide::{Decision, decide},
    plan::{Interlock, Priority, Step, StepKind},
};

/// A case as it was when it was decided, written or recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Example {
    /// What it shows, in a sentence.
    pub title: String,
    /// The case.
    pub key: CaseKey,
    /// The case as it was before, unless it is new.
    #[serde(default)]
    pub before: Option<Case>,
    /// What was known.
    pub context: Context,
    /// What should be decided.
    #[serde(default)]
    pub expect: Expect,
}

/// What should be decided about a case. What is not named may be anything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Expect {
    /// What is found.
    pub bucket: Option<Bucket>,
    /// The customer's segment.
    pub segment: Option<String>,
    /// How urgent it is.
    pub priority: Option<Priority>,
    /// Whether more people hear of it.
    pub escalated: Option<bool>,
    /// The ids of the rules that say so, all of them.
    pub rules: Option<BTreeSet<String>>,
    /// The kinds of the steps in the order of the plan; a message with its template:
    /// `draft:recovery-update-card`.
    pub steps: Option<Vec<String>>,
    /// What held something back, each once.
    pub suppressed: Option<BTreeSet<Interlock>>,
}

impl Example {
    /// Decides it under a bundle.
    pub fn decide(&self, bundle: &Bundle) -> Decision {
        decide(&self.key, &self.context, self.before.as_ref(), bundle)
    }

    /// How the decision under a bundle differs from what is expected, a line for each field.
    pub fn check(&self, bundle: &Bundle) -> Vec<String> {
        self.expect.differences(&self.decide(bundle))
    }
}

impl Expect {
    /// Exactly this decision.
    pub fn of(decision: &Decision) -> Self {
        Self {
            bucket: Some(decision.classification.bucket),
            segment: Some(decision.segment.clone()),
            priority: Some(decision.priority),
            escalated: Some(decision.escalation.permitted),
            rules: Some(decision.escalation.rules.iter().map(|rule| rule.id.clone()).collect()),
            steps: Some(decision.steps.iter().map(step_word).collect()),
            suppressed: Some(decision.suppressed.iter().map(|one| one.interlock).collect()),
        }
    }

    /// How a decision differs from this, a line for each field: `bucket: expected "paid", got "unknown"`.
    pub fn differences(&self, decision: &Decision) -> Vec<String> {
        let got = Self::of(decision);
        let mut lines = Vec::new();
        let mut compare = |line: Option<String>| lines.extend(line);
        compare(difference("bucket", self.bucket.as_ref(), got.bucket.as_ref()));
        compare(difference("segment", self.segment.as_ref(), got.segment.as_ref()));
        compare(difference("priority", self.priority.as_ref(), got.priority.as_ref()));
        compare(difference("escalated", self.escalated.as_ref(), got.escalated.as_ref()));
        compare(difference("rules", self.rules.as_ref(), got.rules.as_ref()));
        compare(difference("steps", self.steps.as_ref(), got.steps.as_ref()));
        compare(difference("suppressed", self.suppressed.as_ref(), got.suppressed.as_ref()));
        lines
    }
}

/// Written as it stands in the file of an example, so that the line tells what to write there.
fn difference<T: PartialEq + Serialize>(
    field: &str,
    expected: Option<&T>,
    got: Option<&T>,
) -> Option<String> {
    let word = |value: Option<&T>| serde_json::to_string(&value).unwrap_or_default();
    (expected.is_some() && expected != got)
        .then(|| format!("{field}: expected {}, got {}", word(expected), word(got)))
}

/// A step as examples name it: its kind, and the template of a message.
pub fn step_word(step: &Step) -> String {
    let name = step.kind.name();
    match &step.kind {
        StepKind::Draft(draft) | StepKind::Reply { draft, .. } => {
            let id = draft.template.split(['.', '/']).next().unwrap_or_default();
            format!("{name}:{id}")
        }
        _ => name.to_owned(),
    }
}
