//! What the trail and the case keep of a question to a model.

use serde::{Deserialize, Serialize};

use super::{Advised, Objection, PROMPT_VERSION, Verdict};
use crate::{
    Digest,
    plan::{Draft, Priority},
    policy::{Tone, visible},
};

/// A question to a model, and what became of it. Whatever the model wrote stands in it as text: it can be shown and
/// replayed, and never becomes a [`super::Checked`] again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consulted {
    /// The model, as it was configured.
    pub model: String,
    /// [`PROMPT_VERSION`] at the time.
    pub prompt: String,
    /// The digest of everything that was asked; see [`super::Brief::digest`].
    pub input: Digest,
    /// Tokens that it read and wrote, by its own count; none if the answer was remembered.
    pub tokens: Tokens,
    /// Whether the answer was remembered from the same question.
    pub remembered: bool,
    /// What became of it.
    pub outcome: Outcome,
}

/// Tokens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tokens {
    /// Read.
    pub input: u64,
    /// Written.
    pub output: u64,
}

/// What became of a question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Outcome {
    /// The answer was used.
    Taken {
        /// The priority that it raised the case to.
        priority: Option<Priority>,
        /// Why, in its words.
        because: Option<String>,
        /// Its summary.
        summary: Option<String>,
        /// The draft in the words that it chose.
        message: Option<Draft>,
        /// How that sounds.
        tone: Option<Tone>,
    },
    /// The answer was refused.
    Refused {
        /// Why.
        objections: Vec<Objection>,
        /// What it said, cut, in one line: a stranger's words.
        said: String,
    },
    /// There was no answer.
    Unanswered {
        /// Why, in one word: `timed_out`, `unavailable`, …
        why: String,
    },
    /// Nobody was asked.
    NotAsked {
        /// Why, in one word: `case_budget`, `day_budget`, `budget_unknown`.
        why: String,
    },
}

/// The most characters that are kept of an answer that was refused.
const SAID: usize = 1_000;

impl Consulted {
    /// A question to a model of which nothing is known yet but that it was not answered.
    pub fn unanswered(model: &str, input: Digest, why: &str) -> Self {
        Self::new(model, input, Outcome::Unanswered { why: why.to_owned() })
    }

    /// A question that was not asked.
    pub fn not_asked(model: &str, input: Digest, why: &str) -> Self {
        Self::new(model, input, Outcome::NotAsked { why: why.to_owned() })
    }

    /// A question that was answered.
    pub fn answered(model: &str, input: Digest, verdict: &Verdict, answer: &str) -> Self {
        let outcome = match verdict {
            Verdict::Taken(advised) => taken(advised),
            Verdict::Refused(objections) => Outcome::Refused {
                objections: objections.clone(),
                said: visible(answer).chars().take(SAID).collect(),
            },
        };
        Self::new(model, input, outcome)
    }

    fn new(model: &str, input: Digest, outcome: Outcome) -> Self {
        Self {
            model: model.to_owned(),
            prompt: PROMPT_VERSION.to_owned(),
            input,
            tokens: Tokens::default(),
            remembered: false,
            outcome,
        }
    }

    /// The priority that it raised its case to.
    pub const fn priority(&self) -> Option<Priority> {
        match &self.outcome {
            Outcome::Taken { priority, .. } => *priority,
            _ => None,
        }
    }

    /// Its summary, if it was used.
    pub fn summary(&self) -> Option<&str> {
        match &self.outcome {
            Outcome::Taken { summary, .. } => summary.as_deref(),
            _ => None,
        }
    }

    /// What became of it, in words without any of the model's own.
    pub fn told(&self) -> String {
        match &self.outcome {
            Outcome::Taken { .. } if self.remembered => {
                "its earlier answer to the same question was used".into()
            }
            Outcome::Taken { .. } => "its answer was used".into(),
            Outcome::Refused { objections, .. } => {
                let why: Vec<String> =
                    objections.iter().map(|one| format!("{} ({})", one.part, one.reason)).collect();
                format!("its answer was refused, because of: {}", why.join(", "))
            }
            Outcome::Unanswered { why } => format!("it gave no answer ({why})"),
            Outcome::NotAsked { why } => format!("it was not asked ({why})"),
        }
    }
}

fn taken(advised: &Advised) -> Outcome {
    let raised = advised.raised();
    let message = advised.message();
    Outcome::Taken {
        priority: raised.map(|(priority, _)| *priority),
        because: raised.map(|(_, because)| because.to_string()),
        summary: advised.summary().map(ToString::to_string),
        message: message.map(|message| message.draft.clone()),
        tone: message.map(|message| message.tone),
    }
}
