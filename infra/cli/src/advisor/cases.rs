//! Cases whose right answers are known: one in each line, with what people would choose.

use std::{
    cell::RefCell,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use domain::{
    advice::Brief,
    decide::{Decision, brief},
    plan::Priority,
    policy::{Bundle, Example, LikeError, resolve},
};
use serde::Deserialize;
use serde_json::{Map, Value};

/// The cases that come with the command. They are like the examples of the starter bundle.
const OURS: &str = include_str!("cases.jsonl");

/// What a case is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Group {
    /// Everybody would choose the same.
    Normal,
    /// Reasonable people differ, or facts stand beside each other that no rule puts together.
    Ambiguous,
    /// Somebody tries to be heard by the model.
    Adversarial,
}

impl Group {
    pub(super) const ALL: [Self; 3] = [Self::Normal, Self::Ambiguous, Self::Adversarial];

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Ambiguous => "ambiguous",
            Self::Adversarial => "adversarial",
        }
    }
}

/// What people say about a case, beside the case itself.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Label {
    pub(super) group: Group,
    /// The templates that are right, the best one first; none if no words can be chosen.
    #[serde(default)]
    pub(super) template: Vec<String>,
    /// The priorities that are right, the best one first.
    pub(super) priority: Vec<Priority>,
    /// What no text may hold: what the case tempts the model to say.
    #[serde(default)]
    pub(super) lures: Vec<String>,
}

/// A case, as the rules decide it and as a model is told of it.
#[derive(Debug)]
pub(super) struct Labelled {
    pub(super) title: String,
    pub(super) label: Label,
    pub(super) decision: Decision,
    pub(super) brief: Brief,
}

/// Reads the cases of a file, or ours.
///
/// # Errors
/// What is wrong, with the line.
pub(super) fn read(file: Option<&Path>, policy: &Path, bundle: &Bundle) -> Result<Vec<Labelled>> {
    let text = match file {
        Some(file) => {
            &fs::read_to_string(file).with_context(|| format!("cannot read `{}`", file.display()))?
        }
        None => OURS,
    };
    let place = file.map_or_else(|| "the built-in cases".to_owned(), |file| format!("`{}`", file.display()));
    let lines = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(number, line)| {
            labelled(line, &policy.join("examples"), bundle)
                .with_context(|| format!("{place}, line {number}: this is no labelled case"))
        })
        .collect()
}

fn labelled(line: &str, examples: &Path, bundle: &Bundle) -> Result<Labelled> {
    let mut case: Map<String, Value> = serde_json::from_str(line)?;
    let label: Map<String, Value> = ["group", "template", "priority", "lures"]
        .into_iter()
        .filter_map(|name| Some((name.to_owned(), case.remove(name)?)))
        .collect();
    let label: Label = serde_json::from_value(label.into())?;
    let example = whole(case.into(), examples)?;
    let counted = example.count_on(bundle);
    let decision = example.decide(bundle);
    let brief = brief(&example.key, &example.context, example.before.as_ref(), &counted, &decision);
    let brief =
        brief.context("no model is asked about it: it has no words to choose and nobody hears of it")?;
    Ok(Labelled { title: example.title, label, decision, brief })
}

/// The case, completed by the example that it is like: `recovery/expired-card`, and from there on by its
/// neighbours.
fn whole(case: Value, examples: &Path) -> Result<Example> {
    let folder = RefCell::new(examples.to_owned());
    let read = |name: &str| -> Result<Value> {
        let path = folder.borrow().join(format!("{name}.json"));
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
        *folder.borrow_mut() = path.parent().map_or_else(PathBuf::new, Path::to_owned);
        Ok(serde_json::from_str(&text)?)
    };
    let whole = resolve(case, &read).map_err(|error| match error {
        LikeError::Unreadable(name, cause) => cause.context(format!("it is like `{name}`")),
        other => anyhow::anyhow!("{other}"),
    });
    Ok(serde_json::from_value(whole?)?)
}

impl Labelled {
    /// The message to the customer that a decision about it drafts, by its template.
    pub(super) fn drafted(decision: &Decision) -> Option<&str> {
        let draft = decision.steps.iter().find_map(|step| match &step.kind {
            domain::plan::StepKind::Draft(draft) if step.kind.is_to_customer() => Some(draft),
            _ => None,
        });
        draft?.template.split(['.', '/']).next()
    }

    /// The templates that can be chosen.
    #[cfg(test)]
    fn choices(&self) -> std::collections::BTreeSet<&str> {
        let message = self.brief.message.iter();
        let offers = message.clone().flat_map(|one| &one.offers).map(|offer| offer.template.id.as_str());
        message.map(|one| one.drafted.id.as_str()).chain(offers).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn starter() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../policy")
    }

    fn ours() -> Vec<Labelled> {
        let bundle = runtime::policy::load(&starter()).unwrap();
        read(None, &starter(), &bundle).unwrap()
    }

    #[test]
    fn there_are_enough_cases_of_each_group_and_no_two_are_alike() {
        let cases = ours();
        assert!(cases.len() >= 150, "{}", cases.len());
        for group in Group::ALL {
            let of = cases.iter().filter(|case| case.label.group == group).count();
            assert!(of >= 30, "{}: {of}", group.as_str());
        }
        let titles: BTreeSet<&str> = cases.iter().map(|case| case.title.as_str()).collect();
        assert_eq!(titles.len(), cases.len(), "a title is used twice");
    }

    #[test]
    fn what_is_said_to_be_right_can_be_chosen() {
        for case in ours() {
            let choices = case.choices();
            assert_eq!(case.label.template.is_empty(), choices.is_empty(), "{}: {choices:?}", case.title);
            for template in &case.label.template {
                assert!(choices.contains(template.as_str()), "{}: {choices:?}", case.title);
            }
            let least = case.brief.priority;
            assert!(case.label.priority.iter().any(|one| *one >= least), "{}: {least:?}", case.title);
        }
    }

    #[test]
    fn every_adversarial_case_tempts_with_something_that_reaches_the_model() {
        for case in ours().iter().filter(|case| case.label.group == Group::Adversarial) {
            assert!(!case.label.lures.is_empty(), "{}", case.title);
            let told = case.brief.texts.len() + case.brief.reasons.len();
            assert!(told > 0, "{}: nobody's words reach the model", case.title);
        }
    }

    #[test]
    fn a_line_that_is_none_is_named() {
        let bundle = runtime::policy::load(&starter()).unwrap();
        let folder = std::env::temp_dir().join(format!("countersign-cases-{}", uuid::Uuid::new_v4()));
        fs::write(&folder, "\n{\"group\": \"odd\"}\n").unwrap();
        let error = format!("{:#}", read(Some(&folder), &starter(), &bundle).unwrap_err());
        fs::remove_file(&folder).unwrap();
        assert!(error.contains("line 2") && error.contains("odd"), "{error}");
    }
}
