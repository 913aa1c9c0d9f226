//! A case with what should be decided about it: how finance says what it wants, and how a change of the
//! bundle is tried out.

use std::{borrow::Cow, collections::BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Bundle, Exception, Source, Verdict};
use crate::{
    Case, CaseKey,
    advice::Brief,
    classify::Bucket,
    context::Context,
    decide::{Decision, QUESTIONS, brief, decide, verdicts},
    plan::{Interlock, Priority, Step, StepKind},
};

/// A case as it was when it was decided, written or recorded.
///
/// A written one may say what it is `like`: the name of another file in its folder, without `.json`. It then names
/// only what differs, see [`resolve`].
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
    /// The systems that this decision relies on, if not those of the bundle's settings: so that a bundle can
    /// show what it does for companies that have other systems.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sources: Option<BTreeSet<Source>>,
    /// The exceptions that count, if not those of the bundle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exceptions: Option<Vec<Exception>>,
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
    /// The languages of the messages to customers.
    pub locales: Option<BTreeSet<String>>,
    /// What held something back, each once.
    pub suppressed: Option<BTreeSet<Interlock>>,
}

impl Example {
    /// Decides it under a bundle.
    pub fn decide(&self, bundle: &Bundle) -> Decision {
        self.decide_by(&self.count_on(bundle))
    }

    pub(super) fn decide_by(&self, bundle: &Bundle) -> Decision {
        decide(&self.key, &self.context, self.before.as_ref(), bundle)
    }

    /// What a model may be told of the decision; see [`crate::decide::brief`].
    pub fn brief(&self, bundle: &Bundle) -> Option<Brief> {
        let bundle = self.count_on(bundle);
        let decision = self.decide_by(&bundle);
        brief(&self.key, &self.context, self.before.as_ref(), &bundle, &decision)
    }

    /// The bundle with the systems and exceptions that this example counts on.
    pub fn count_on<'a>(&self, bundle: &'a Bundle) -> Cow<'a, Bundle> {
        let sources = self.sources.as_ref().filter(|sources| **sources != bundle.settings().sources);
        if sources.is_none() && self.exceptions.is_none() {
            return Cow::Borrowed(bundle);
        }
        Cow::Owned(bundle.with(sources, self.exceptions.as_deref()))
    }

    /// What the rules say to everything that could be asked about it: which rules it reaches.
    pub fn verdicts(&self, bundle: &Bundle) -> Vec<Verdict> {
        verdicts(&self.key, &self.context, self.before.as_ref(), &self.count_on(bundle), &QUESTIONS)
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
            locales: Some(locales(&decision.steps)),
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
        compare(difference("locales", self.locales.as_ref(), got.locales.as_ref()));
        compare(difference("suppressed", self.suppressed.as_ref(), got.suppressed.as_ref()));
        lines
    }
}

/// What an example says in full: itself, laid over the one that it is `like` as a merge patch (RFC 7396),
/// where `null` takes a field away. Its title and its expectation are its own. `read` finds an example by that
/// name.
///
/// # Errors
/// If it is like nothing that can be read, or like itself.
pub fn resolve<E>(example: Value, read: &impl Fn(&str) -> Result<Value, E>) -> Result<Value, LikeError<E>> {
    /// More than anybody can follow.
    const DEEPEST: usize = 8;
    let mut layers = vec![example];
    while let Some(like) = layers.last_mut().and_then(Value::as_object_mut).and_then(|top| top.remove("like"))
    {
        let name = like.as_str().ok_or(LikeError::NoName)?;
        if layers.len() > DEEPEST {
            return Err(LikeError::Circle(name.to_owned()));
        }
        let mut base = read(name).map_err(|cause| LikeError::Unreadable(name.to_owned(), cause))?;
        if let Some(base) = base.as_object_mut() {
            base.remove("title");
            base.remove("expect");
        }
        layers.push(base);
    }
    Ok(layers.into_iter().rev().reduce(patched).unwrap_or_default())
}

/// Why an example cannot be completed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LikeError<E> {
    /// Not a text.
    #[error("`like` must be the name of another example")]
    NoName,
    /// Examples that are like each other.
    #[error("it is like `{0}`, and that goes on for ever; break the circle")]
    Circle(String),
    /// It is not there, or is no JSON.
    #[error("it is like `{0}`, which cannot be read")]
    Unreadable(String, #[source] E),
}

/// RFC 7396.
fn patched(base: Value, patch: Value) -> Value {
    let Value::Object(patch) = patch else { return patch };
    let mut fields = if let Value::Object(fields) = base { fields } else { Map::new() };
    for (name, value) in patch {
        if value.is_null() {
            fields.remove(&name);
        } else {
            let under = fields.remove(&name).unwrap_or_default();
            fields.insert(name, patched(under, value));
        }
    }
    Value::Object(fields)
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

fn locales(steps: &[Step]) -> BTreeSet<String> {
    let drafts = steps.iter().filter(|step| step.kind.is_to_customer()).filter_map(|step| match &step.kind {
        StepKind::Draft(draft) | StepKind::Reply { draft, .. } => Some(draft.locale.clone()),
        _ => None,
    });
    drafts.collect()
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;

    fn resolved(example: Value, others: &[(&str, Value)]) -> Result<Value, LikeError<&'static str>> {
        let others: BTreeMap<&str, &Value> = others.iter().map(|(name, value)| (*name, value)).collect();
        resolve(example, &|name: &str| others.get(name).copied().cloned().ok_or("not there"))
    }

    #[test]
    fn an_example_that_is_like_another_says_only_what_differs() {
        let first = json!({ "title": "one", "key": "a:1", "context": { "at": 1, "part": { "known": 2 } },
                            "expect": { "bucket": "paid" } });
        let second = json!({ "title": "two", "like": "first", "context": { "at": 3 } });
        let third = json!({ "title": "three", "like": "second",
                            "context": { "part": { "known": null, "missing": "why" } } });
        let whole = resolved(third, &[("first", first), ("second", second)]);
        let expected =
            json!({ "title": "three", "key": "a:1", "context": { "at": 3, "part": { "missing": "why" } } });
        assert_eq!(whole, Ok(expected), "its title and expectation are its own");
    }

    #[test]
    fn examples_that_are_like_each_other_or_like_nothing_are_refused() {
        let one = json!({ "like": "two" });
        let two = json!({ "like": "one" });
        let circle = resolved(one.clone(), &[("one", one), ("two", two)]);
        assert!(matches!(circle, Err(LikeError::Circle(_))), "{circle:?}");
        let nothing = resolved(json!({ "like": "three" }), &[]);
        assert_eq!(nothing, Err(LikeError::Unreadable("three".into(), "not there")));
        assert_eq!(resolved(json!({ "like": 3 }), &[]), Err(LikeError::NoName));
    }
}
