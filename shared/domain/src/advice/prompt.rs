//! How a model is asked: the words, the case as JSON, the form of the answer, and a digest of all of it.

use serde::Serialize;
use serde_json::{Value as Json, json};

use super::{brief::Brief, fence};
use crate::{
    Digest, encoding,
    plan::Priority,
    policy::{Locale, Template, Tone},
};

/// Raised with every change of what a model is asked, for the trail: decisions under different prompts are not
/// to be compared.
pub const PROMPT_VERSION: &str = "advice/1";

/// What a model is for and how it has to answer. Nothing of a case stands in it.
const SYSTEM: &str = include_str!("prompt.md");

/// The most texts of others that a model is shown.
const TEXTS: usize = 3;

/// A question to a model. The same brief makes the same one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompt {
    /// What it is for and how it has to answer: our own words alone.
    pub system: &'static str,
    /// The case, as JSON; what others wrote is fenced.
    pub input: String,
    /// The JSON schema of the answer.
    pub schema: Json,
}

/// The case as a model sees it. Fields have a fixed order, so one brief has one text.
#[derive(Serialize)]
struct Sheet<'a> {
    about: &'a str,
    found: &'a str,
    because: &'a [String],
    segment: &'a str,
    priority: &'a str,
    escalated: bool,
    next: &'a str,
    facts: Vec<Told>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<Message<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    written_by_others: Vec<String>,
}

#[derive(Serialize)]
struct Told {
    what: &'static str,
    is: String,
}

#[derive(Serialize)]
struct Message<'a> {
    language: Locale,
    drafted: &'a str,
    choices: Vec<Choice<'a>>,
}

#[derive(Serialize)]
struct Choice<'a> {
    template: &'a str,
    tone: &'static str,
    texts: Vec<&'a str>,
    words: String,
}

impl Brief {
    /// The question.
    pub fn prompt(&self) -> Prompt {
        Prompt { system: SYSTEM, input: self.input(), schema: self.schema() }
    }

    /// The digest of everything that an answer depends on: the question and the model that is asked.
    pub fn digest(&self, model: &str) -> Digest {
        let Prompt { system, input, schema } = self.prompt();
        encoding::digest("advice/input/v1", |to| {
            to.text(PROMPT_VERSION);
            to.text(model);
            to.text(system);
            to.text(&input);
            to.text(&schema.to_string());
        })
    }

    fn input(&self) -> String {
        let told = |known: &super::brief::Known| Told {
            what: known.what,
            is: known.value.spelled(Locale::En, &self.zone),
        };
        let sheet = Sheet {
            about: self.kind.as_str(),
            found: self.bucket.as_str(),
            because: &self.reasons,
            segment: &self.segment,
            priority: self.priority.as_str(),
            escalated: self.escalated,
            next: &self.next,
            facts: self.known.iter().map(told).collect(),
            message: self.message.as_ref().map(|message| Message {
                language: message.drafted.locale,
                drafted: &message.drafted.id,
                choices: self.templates().map(choice).collect(),
            }),
            written_by_others: self.texts.iter().take(TEXTS).map(|text| fence(text)).collect(),
        };
        // Plain maps, lists and texts always have a JSON form; without one nothing is asked about.
        serde_json::to_string(&sheet).unwrap_or_default()
    }

    /// The templates that can be chosen, that of the draft first.
    fn templates(&self) -> impl Iterator<Item = &Template> {
        let message = self.message.iter();
        message.flat_map(|one| {
            std::iter::once(&one.drafted).chain(one.offers.iter().map(|offer| &offer.template))
        })
    }

    /// The form of the answer, in the part of JSON Schema that every vendor takes: each object requires all of
    /// its properties and has no other, and what may be absent is `null`.
    fn schema(&self) -> Json {
        let ids = self.templates().map(|template| json!(template.id)).chain([Json::Null]);
        let mut tones: Vec<Tone> = self.templates().map(|template| template.tone).collect();
        tones.sort_unstable();
        tones.dedup();
        let tones = tones.iter().map(|tone| json!(tone)).chain([Json::Null]);
        let above = Priority::ALL.iter().filter(|one| **one > self.priority).map(|one| json!(one));
        let above: Vec<Json> = above.collect();
        let urgency = json!({
            "type": "object",
            "properties": { "priority": { "type": "string", "enum": above }, "because": { "type": "string" } },
            "required": ["priority", "because"],
            "additionalProperties": false,
        });
        // An empty list of choices is no schema.
        let urgency = if above.is_empty() {
            json!({ "type": "null" })
        } else {
            json!({ "anyOf": [urgency, { "type": "null" }] })
        };
        let mut free: Vec<&str> = self.templates().flat_map(Template::free).collect();
        free.sort_unstable();
        free.dedup();
        let texts: serde_json::Map<String, Json> =
            free.iter().map(|name| ((*name).to_owned(), json!({ "type": ["string", "null"] }))).collect();
        json!({
            "type": "object",
            "properties": {
                "template": { "type": ["string", "null"], "enum": ids.collect::<Vec<_>>() },
                "tone": { "type": ["string", "null"], "enum": tones.collect::<Vec<_>>() },
                "urgency": urgency,
                "summary": { "type": ["string", "null"] },
                "texts": {
                    "type": "object",
                    "properties": texts,
                    "required": free,
                    "additionalProperties": false,
                },
            },
            "required": ["template", "tone", "urgency", "summary", "texts"],
            "additionalProperties": false,
        })
    }
}

impl Prompt {
    /// More tokens than the question has, whatever the model's way of counting: no usual one makes more than one
    /// of two bytes of a text like this.
    pub fn most_tokens(&self) -> u32 {
        let bytes = self.system.len() + self.input.len() + self.schema.to_string().len();
        u32::try_from(bytes / 2).unwrap_or(u32::MAX)
    }
}

fn choice(template: &Template) -> Choice<'_> {
    Choice {
        template: &template.id,
        tone: template.tone.as_str(),
        texts: template.free().collect(),
        words: template.outline(),
    }
}
