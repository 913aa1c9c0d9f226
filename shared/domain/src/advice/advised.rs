//! From an answer to what may be used of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    Advice, Checked, Facts, Reader, Refusal, Urgency,
    brief::{Brief, Offer, Wording},
    check,
};
use crate::{
    plan::{Draft, Priority, StepKey},
    policy::Tone,
};

/// What may be used of an answer. Only [`advise`] makes one, so everything in it was checked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Advised {
    raised: Option<(Priority, Checked)>,
    summary: Option<Checked>,
    message: Option<Worded>,
}

/// A draft in other words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Worded {
    /// The step whose draft it is.
    pub step: StepKey,
    /// How it sounds.
    pub tone: Tone,
    /// The message.
    pub draft: Draft,
}

/// What became of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It may be used.
    Taken(Advised),
    /// Nothing of it is used: who was wrong once is not believed in the rest.
    Refused(Vec<Objection>),
}

/// What is wrong with an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Objection {
    /// In which part: `answer`, `template`, `tone`, `urgency`, `summary`, or the name of a free text.
    pub part: String,
    /// One word for metrics, of [`REASONS`].
    pub reason: String,
    /// In words. It quotes at most a few words of the answer.
    pub what: String,
}

/// Every [`Objection::reason`].
pub const REASONS: [&str; 13] = [
    "address",
    "language",
    "length",
    "malformed",
    "missing",
    "name",
    "not_offered",
    "number",
    "phrase",
    "policy",
    "sign",
    "unknown_text",
    "word",
];

impl Objection {
    fn new(part: &str, reason: &str, what: impl Into<String>) -> Self {
        Self { part: part.to_owned(), reason: reason.to_owned(), what: what.into() }
    }

    fn of(part: &str, refusal: &Refusal) -> Self {
        Self::new(part, refusal.as_str(), refusal.to_string())
    }
}

impl Advised {
    /// A higher priority than that of the rules, with the reason.
    pub const fn raised(&self) -> Option<&(Priority, Checked)> {
        self.raised.as_ref()
    }

    /// What a colleague must know in ten seconds.
    pub const fn summary(&self) -> Option<&Checked> {
        self.summary.as_ref()
    }

    /// The draft in other words, if others were chosen.
    pub const fn message(&self) -> Option<&Worded> {
        self.message.as_ref()
    }
}

/// Checks an answer against the brief that it answers. The same brief and answer give the same verdict.
pub fn advise(brief: &Brief, answer: &str) -> Verdict {
    let advice = match Advice::parse(answer) {
        Ok(advice) => advice,
        Err(error) => {
            return Verdict::Refused(vec![Objection::new("answer", "malformed", error.to_string())]);
        }
    };
    let facts = brief.facts();
    // Amounts and days are the template's to name: among the facts are some that are no customer's business.
    let to_customers = Facts { money: Vec::new(), dates: Vec::new(), ..facts.clone() };
    let mut objections = Vec::new();
    let mut text = |part: &str, text: &str, reader| match check(
        text,
        if matches!(reader, Reader::Customer(_)) { &to_customers } else { &facts },
        reader,
        &brief.zone,
    ) {
        Ok(checked) => Some(checked),
        Err(refusal) => {
            objections.push(Objection::of(part, &refusal));
            None
        }
    };
    let raised = advice
        .urgency
        .filter(|urgency| urgency.priority > brief.priority)
        .and_then(|Urgency { priority, because }| Some((priority, text("urgency", &because, Reader::Team)?)));
    let summary = advice.summary.as_deref().filter(|summary| !summary.trim().is_empty());
    let summary = summary.and_then(|summary| text("summary", summary, Reader::Team));
    let customer = Reader::Customer(brief.locale());
    let chosen = choose(brief, advice.template.as_deref(), advice.tone);
    let texts: BTreeMap<String, Checked> = match &chosen {
        Ok(Some((_, offer))) => offer
            .template
            .free()
            .filter_map(|name| {
                let given = advice.texts.get(name)?.as_deref()?;
                Some((name.to_owned(), text(name, given, customer)?))
            })
            .collect(),
        _ => BTreeMap::new(),
    };
    if let Some(name) = advice.texts.keys().find(|name| !brief.has_text(name)) {
        let name: String = name.chars().take(40).collect();
        objections.push(Objection::new("texts", "unknown_text", format!("no template has `{name}`")));
    }
    let message = match chosen {
        Err(objection) => {
            objections.push(objection);
            None
        }
        Ok(None) => None,
        Ok(Some((wording, offer))) => match offer.write(&texts, &brief.zone) {
            Ok(draft) => Some(Worded { step: wording.step.clone(), tone: offer.template.tone, draft }),
            Err(error) => {
                // A text that was refused is missing as well, and said already why.
                if objections.iter().all(|one| one.part != error.slot) {
                    objections.push(Objection::new(&error.slot, "missing", error.to_string()));
                }
                None
            }
        },
    };
    if objections.is_empty() {
        Verdict::Taken(Advised { raised, summary, message })
    } else {
        Verdict::Refused(objections)
    }
}

/// The offer that was chosen; none if the draft stays as it is.
fn choose<'a>(
    brief: &'a Brief,
    template: Option<&str>,
    tone: Option<Tone>,
) -> Result<Option<(&'a Wording, &'a Offer)>, Objection> {
    let Some(id) = template else { return Ok(None) };
    let other = |part: &str| Objection::new(part, "not_offered", format!("no such {part} was offered"));
    let wording = brief.message.as_ref().ok_or_else(|| other("template"))?;
    let offer = wording.offers.iter().find(|offer| offer.template.id == id);
    let chosen = offer.map_or(&wording.drafted, |offer| &offer.template);
    if chosen.id != id {
        return Err(other("template"));
    }
    if tone.is_some_and(|tone| tone != chosen.tone) {
        return Err(other("tone"));
    }
    Ok(offer.map(|offer| (wording, offer)))
}

impl Brief {
    fn has_text(&self, name: &str) -> bool {
        self.message
            .iter()
            .flat_map(|message| &message.offers)
            .any(|offer| offer.template.free().any(|one| one == name))
    }
}
