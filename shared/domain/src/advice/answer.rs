//! What a model answers, read strictly.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{plan::Priority, policy::Tone};

/// What a model advises. Nothing in it is to be used before it is checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Advice {
    /// The template for the message, out of those that were offered; `None` leaves it as it is.
    pub template: Option<String>,
    /// The tone of that template.
    #[serde(default)]
    pub tone: Option<Tone>,
    /// How urgent it is, if more than it was.
    pub urgency: Option<Urgency>,
    /// What a colleague must know in ten seconds.
    pub summary: Option<String>,
    /// Values for the template's free texts, by their slots.
    #[serde(default)]
    pub texts: BTreeMap<String, Option<String>>,
}

/// How urgent a case is, with the reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Urgency {
    /// The priority. It only ever raises that of the decision.
    pub priority: Priority,
    /// Why, for colleagues.
    pub because: String,
}

/// An answer that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the model's answer is not what was asked for: {0}")]
pub struct Malformed(String);

/// The most bytes of an answer.
const ANSWER: usize = 8_192;

impl Advice {
    /// Reads an answer: one JSON object with these fields and no other.
    ///
    /// # Errors
    /// [`Malformed`] for anything else, without a word of what it held.
    pub fn parse(answer: &str) -> Result<Self, Malformed> {
        if answer.len() > ANSWER {
            return Err(Malformed(format!("it is longer than {ANSWER} bytes")));
        }
        serde_json::from_str(answer.trim())
            .map_err(|error| Malformed(format!("line {}, column {}", error.line(), error.column())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_has_the_fields_that_were_asked_for_and_no_other() {
        let good = r#"{"template":"recovery-heads-up","urgency":{"priority":"high","because":"x"},"summary":null,"texts":{}}"#;
        assert_eq!(Advice::parse(good).unwrap().urgency.unwrap().priority, Priority::High);
        for bad in [
            "",
            "Sure! Here is the JSON: {}",
            r#"{"template":null,"urgency":null,"summary":null,"approve":true}"#,
            r#"{"template":7,"urgency":null,"summary":null}"#,
            r#"{"template":null,"urgency":{"priority":"none","because":""},"summary":null}"#,
            "```json\n{}\n```",
            "[]",
        ] {
            assert!(Advice::parse(bad).is_err(), "{bad}");
        }
        let long = format!(r#"{{"template":null,"urgency":null,"summary":"{}"}}"#, "a".repeat(ANSWER));
        assert!(Advice::parse(&long).is_err());
    }

    #[test]
    fn an_error_quotes_nothing_of_the_answer() {
        let error = Advice::parse(r#"{"template":"secret@example.com","x":1}"#).unwrap_err();
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}
