//! Approved messages. Their words are reviewed with the bundle; what varies are a few typed slots.

use std::collections::BTreeMap;

use minijinja::{Environment, UndefinedBehavior};
use serde::Deserialize;

/// An approved message, from `templates/*.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Template {
    /// Its id, by which playbooks name it.
    pub id: String,
    /// Raised with every change of its words.
    pub version: u32,
    /// Where it is sent: `email`.
    pub channel: String,
    /// Who reads it: `customer`.
    pub audience: String,
    /// Its language: `en`.
    pub locale: String,
    /// The subject.
    pub subject: String,
    /// The text.
    pub body: String,
}

/// What a template may say: every slot is a fact, formatted by us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slots {
    /// The amount with its currency.
    pub amount: String,
    /// The Stripe object.
    pub object: String,
}

/// A message from a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The template's id and version: `recovery-update-card/1`.
    pub template: String,
    /// The subject.
    pub subject: String,
    /// The text.
    pub text: String,
}

impl Template {
    /// Fills the slots. A slot that does not exist is an error and never an empty place.
    ///
    /// # Errors
    /// What the template engine says, with the line.
    pub fn render(&self, slots: &Slots) -> Result<Message, String> {
        let facts: BTreeMap<&str, String> =
            [("amount", slots.amount.clone()), ("object", slots.object.clone())].into();
        let fill = |source: &str| {
            let mut engine = Environment::empty();
            engine.set_undefined_behavior(UndefinedBehavior::Strict);
            engine.render_str(source, facts.clone()).map_err(|error| error.to_string())
        };
        Ok(Message {
            template: format!("{}/{}", self.id, self.version),
            subject: fill(&self.subject)?,
            text: fill(&self.body)?,
        })
    }

    /// Renders it once with made-up facts, so that a broken template stops the start and not a case.
    pub(super) fn check(&self) -> Result<(), String> {
        if self.audience != "customer" || self.channel != "email" {
            return Err("`audience` must be `customer` and `channel` must be `email`".into());
        }
        self.render(&Slots { amount: "1.00 USD".into(), object: "in_1".into() }).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(body: &str) -> Template {
        Template {
            id: "t".into(),
            version: 2,
            channel: "email".into(),
            audience: "customer".into(),
            locale: "en".into(),
            subject: "About {{ object }}".into(),
            body: body.into(),
        }
    }

    #[test]
    fn a_template_is_filled_with_facts_and_names_its_version() {
        let slots = Slots { amount: "29.00 USD".into(), object: "in_1".into() };
        let message = template("Please pay {{ amount }}.").render(&slots).unwrap();
        assert_eq!(message.text, "Please pay 29.00 USD.");
        assert_eq!((message.template.as_str(), message.subject.as_str()), ("t/2", "About in_1"));
    }

    #[test]
    fn a_slot_that_does_not_exist_or_a_broken_template_is_refused() {
        for bad in ["{{ discount }}", "{{ amount", "{% include 'x' %}"] {
            assert!(template(bad).check().is_err(), "{bad}");
        }
    }
}
