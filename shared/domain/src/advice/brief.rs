//! What a model is told of a case: facts in a small, typed form, and the messages that may be chosen.

use std::collections::{BTreeMap, BTreeSet};

use super::{Checked, Facts};
use crate::{
    CaseKind, Money, Timestamp,
    classify::Bucket,
    plan::{Draft, Priority, StepKey},
    policy::{Locale, RenderError, Slot, Slots, Template, Zone},
};

/// What a model is told of a case: nothing that it does not need, and no name or address of a customer.
/// [`crate::decide::brief`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Brief {
    /// What the case is about.
    pub kind: CaseKind,
    /// What was found.
    pub bucket: Bucket,
    /// Why, in our own words and Stripe's codes.
    pub reasons: Vec<String>,
    /// The customer's segment.
    pub segment: String,
    /// How urgent the rules find it. Advice never goes below.
    pub priority: Priority,
    /// Whether more people hear of it.
    pub escalated: bool,
    /// What the playbook says to do next.
    pub next: String,
    /// The facts. What is not among them cannot be said.
    pub known: Vec<Known>,
    /// Words of policy and state that are true of this case; see [`Facts::words`].
    pub words: BTreeSet<String>,
    /// The message whose wording can be chosen, if there is one.
    pub message: Option<Wording>,
    /// What others wrote about it, untrusted.
    pub texts: Vec<String>,
    /// Whose calendar days are meant.
    pub zone: Zone,
}

/// A fact with its label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// What it is, in our own words: `annual value`.
    pub what: &'static str,
    /// The fact.
    pub value: Value,
}

/// A fact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// An amount.
    Money(Money),
    /// A day.
    Day(Timestamp),
    /// How many.
    Count(u32),
    /// What something is called: our company, a brand.
    Name(String),
    /// The id of an object in Stripe.
    Id(String),
}

/// A draft for the customer and what may stand for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wording {
    /// The step that carries the draft. Its key is the same whatever is chosen.
    pub step: StepKey,
    /// The template that the playbook names.
    pub drafted: Template,
    /// The templates that the policy offers instead.
    pub offers: Vec<Offer>,
}

/// A template that may be chosen, with the facts that fill it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// The template, in the customer's language.
    pub template: Template,
    /// Everything that fills it but the free texts.
    pub slots: Slots,
}

impl Offer {
    /// The message with these free texts.
    ///
    /// # Errors
    /// [`RenderError`] if a text is missing.
    pub fn write(&self, texts: &BTreeMap<String, Checked>, zone: &Zone) -> Result<Draft, RenderError> {
        let slots = texts
            .iter()
            .fold(self.slots.clone(), |slots, (name, text)| slots.with(name, Slot::Free(text.clone())));
        let message = self.template.render(&slots.only(&self.template.slots), zone)?;
        Ok(Draft {
            template: message.template,
            channel: self.template.channel.as_str().to_owned(),
            locale: self.template.locale.to_string(),
            subject: message.subject,
            text: message.text,
        })
    }
}

impl Brief {
    /// The facts that a text may state: exactly those that the model is told.
    pub fn facts(&self) -> Facts {
        let mut facts = Facts { words: self.words.clone(), ..Facts::default() };
        for known in &self.known {
            match &known.value {
                Value::Money(money) => facts.money.push(*money),
                Value::Day(at) => facts.dates.push(*at),
                Value::Count(count) => {
                    facts.counts.insert(*count);
                }
                Value::Name(name) => {
                    facts.names.insert(name.clone());
                }
                Value::Id(id) => {
                    facts.ids.insert(id.clone());
                }
            }
        }
        facts
    }

    /// The language of the customer's message; of colleagues, if there is none.
    pub fn locale(&self) -> Locale {
        self.message.as_ref().map_or(Locale::En, |message| message.drafted.locale)
    }
}

impl Value {
    /// The fact as a text may state it in a language.
    pub fn spelled(&self, locale: Locale, zone: &Zone) -> String {
        match self {
            Self::Money(money) => locale.money(*money),
            Self::Day(at) => locale.date(*at, zone).unwrap_or_default(),
            Self::Count(count) => count.to_string(),
            Self::Name(text) | Self::Id(text) => text.clone(),
        }
    }
}
