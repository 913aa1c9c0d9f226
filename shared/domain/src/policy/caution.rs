//! Caution only grows with what is not known (I7): each known part of an example is taken away, and the
//! decision must not become bolder.

use std::collections::BTreeSet;

use super::{Bundle, Example, step_word};
use crate::{context::Part, decide::Decision, plan::StepKind};

/// A part of a context, by name, and how it is taken away; whether it was known.
type Loss = (&'static str, fn(&mut Example) -> bool);

/// Every part that can be missing.
const LOSSES: [Loss; 11] = [
    ("profile", |example| lose(&mut example.context.profile)),
    ("account", |example| lose(&mut example.context.account)),
    ("conversations", |example| lose(&mut example.context.conversations)),
    ("application", |example| lose(&mut example.context.application)),
    ("history", |example| lose(&mut example.context.history)),
    ("issuer", |example| lose(&mut example.context.issuer)),
    ("subscription", |example| lose(&mut example.context.subscription)),
    ("charge", |example| lose(&mut example.context.charge)),
    ("charges", |example| lose(&mut example.context.charges)),
    ("open_invoices", |example| lose(&mut example.context.open_invoices)),
    ("disputes", |example| lose(&mut example.context.disputes)),
];

fn lose<T>(part: &mut Part<T>) -> bool {
    let known = part.known().is_some();
    if known {
        *part = Part::Missing { why: "timed_out".into() };
    }
    known
}

impl Example {
    /// What becomes bolder under a bundle when a known part of the context is missing instead: an
    /// escalation that falls away, or a message to the customer or a request that is added. Empty if
    /// nothing does.
    pub fn bolder_when_missing(&self, bundle: &Bundle) -> Vec<String> {
        let bundle = &*self.count_on(bundle);
        let whole = self.decide_by(bundle);
        let allowed = bold(&whole);
        let mut bolder = Vec::new();
        for (part, lose) in LOSSES {
            let mut example = self.clone();
            if !lose(&mut example) {
                continue;
            }
            let decision = example.decide_by(bundle);
            if whole.escalation.permitted && !decision.escalation.permitted {
                bolder.push(format!("without `{part}` it is no longer escalated"));
            }
            let added = bold(&decision);
            let added = added.difference(&allowed);
            bolder.extend(added.map(|step| format!("without `{part}` it adds the step `{step}`")));
        }
        bolder
    }
}

/// The steps that reach a customer or an approver.
fn bold(decision: &Decision) -> BTreeSet<String> {
    let steps = decision.steps.iter().filter(|step| {
        step.kind.is_to_customer() || (matches!(step.kind, StepKind::Request { .. }) && step.kept.is_none())
    });
    steps.map(step_word).collect()
}
