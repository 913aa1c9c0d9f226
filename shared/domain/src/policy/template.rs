//! Approved messages. Their words are reviewed with the bundle; what varies are a few typed slots.
//!
//! A template is words and `{{ slot }}`, and nothing else: there is no logic in it that a reviewer would
//! have to run in their head, and no value is ever read as part of it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{
    locale::Locale,
    slot::{Link, Slot, SlotType, Slots},
    words::forbidden,
    zone::Zone,
};
use crate::{
    Currency, Money, Timestamp,
    advice::{Facts, Reader, check},
};

/// Where a message is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// By mail.
    Email,
    /// In a conversation with the help desk.
    Chat,
    /// As a task for whoever looks after the account.
    Csm,
}

impl Channel {
    /// The word used everywhere.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Chat => "chat",
            Self::Csm => "csm",
        }
    }
}

/// Who reads a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Audience {
    /// The customer.
    Customer,
    /// Whoever looks after the account.
    Csm,
    /// Our own team.
    Team,
}

/// How a message sounds, for whoever chooses between two that say the same.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tone {
    /// Short and factual.
    #[default]
    Plain,
    /// Personal.
    Warm,
}

impl Tone {
    /// The word used everywhere.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Warm => "warm",
        }
    }
}

/// An approved message in one language, from `templates/<id>.<locale>.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Source")]
pub struct Template {
    /// Its id, by which playbooks name it.
    pub id: String,
    /// Raised with every change of its words, in all languages together.
    pub version: u32,
    /// Where it is sent.
    pub channel: Channel,
    /// Who reads it.
    pub audience: Audience,
    /// Its language.
    pub locale: Locale,
    /// How it sounds.
    pub tone: Tone,
    /// What varies. The same in every language.
    pub slots: BTreeMap<String, SlotType>,
    subject: Vec<Piece>,
    body: Vec<Piece>,
}

/// A template as it stands in its file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Source {
    id: String,
    version: u32,
    channel: Channel,
    audience: Audience,
    locale: Locale,
    #[serde(default)]
    tone: Tone,
    slots: BTreeMap<String, SlotType>,
    subject: String,
    body: String,
}

/// A part of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Words(String),
    Slot(String),
}

/// A message from a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The template's id, language and version: `recovery-update-card.en/2`.
    pub template: String,
    /// The subject.
    pub subject: String,
    /// The text: plain, never markup.
    pub text: String,
}

/// Why a message could not be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("template `{template}` ({locale}), slot `{slot}`: {problem}")]
pub struct RenderError {
    /// The template's id.
    pub template: String,
    /// Its language.
    pub locale: Locale,
    /// The slot.
    pub slot: String,
    /// What is wrong with it.
    pub problem: String,
}

impl Template {
    /// The id, language and version, as a message carries them: `recovery-update-card.en/2`.
    pub fn reference(&self) -> String {
        format!("{}.{}/{}", self.id, self.locale, self.version)
    }

    /// The names of the slots for what a model writes.
    pub fn free(&self) -> impl Iterator<Item = &str> {
        self.slots.iter().filter(|(_, kind)| **kind == SlotType::Free).map(|(name, _)| name.as_str())
    }

    /// The text with its slots by name: what is approved, without a value.
    pub fn outline(&self) -> String {
        let piece = |piece: &Piece| match piece {
            Piece::Words(words) => words.clone(),
            Piece::Slot(name) => format!("{{{{ {name} }}}}"),
        };
        self.body.iter().map(piece).collect()
    }

    /// Fills the slots. What is missing, of another type or not asked for is an error and never an
    /// empty place; so is policy language in a text for a customer, which belongs into the template.
    ///
    /// # Errors
    /// [`RenderError`] with the first slot that is wrong.
    pub fn render(&self, slots: &Slots, zone: &Zone) -> Result<Message, RenderError> {
        let wrong = |slot: &str, problem: String| RenderError {
            template: self.id.clone(),
            locale: self.locale,
            slot: slot.to_owned(),
            problem,
        };
        if let Some(name) = slots.names().find(|name| !self.slots.contains_key(*name)) {
            return Err(wrong(name, "the template does not have it".into()));
        }
        let mut written: BTreeMap<&str, String> = BTreeMap::new();
        for (name, kind) in &self.slots {
            let slot = slots.get(name).ok_or_else(|| wrong(name, "the value is missing".into()))?;
            if slot.kind() != *kind {
                return Err(wrong(name, format!("needs {kind:?}, was given {:?}", slot.kind())));
            }
            let value = slot.write(self.locale, zone).map_err(|problem| wrong(name, problem.into()))?;
            let words = match (self.audience, kind) {
                (Audience::Customer, SlotType::Text) => forbidden(&value, self.locale),
                _ => Vec::new(),
            };
            if let Some(word) = words.first() {
                return Err(wrong(
                    name,
                    format!("`{word}` is policy language, which a text may not bring in"),
                ));
            }
            written.insert(name, value);
        }
        let fill = |pieces: &[Piece]| {
            let mut text = String::new();
            for piece in pieces {
                text.push_str(match piece {
                    Piece::Words(words) => words,
                    Piece::Slot(name) => written
                        .get(name.as_str())
                        .ok_or_else(|| wrong(name, "the template does not declare it".into()))?,
                });
            }
            Ok(text)
        };
        Ok(Message { template: self.reference(), subject: fill(&self.subject)?, text: fill(&self.body)? })
    }

    /// Renders it with made-up values of every kind, so that a broken template stops the start and not
    /// a case.
    ///
    /// # Errors
    /// What rendering says.
    pub fn check(&self) -> Result<(), RenderError> {
        for sample in 0..SAMPLES {
            let mut slots = Slots::default();
            for (name, kind) in &self.slots {
                if let Some(slot) = samples(*kind, self.locale).into_iter().cycle().nth(sample) {
                    slots = slots.with(name, slot);
                }
            }
            self.render(&slots, &Zone::UTC)?;
        }
        Ok(())
    }
}

/// As many as the kind with the most samples has.
const SAMPLES: usize = 3;

/// Made-up values: an ordinary one, and such as are easily got wrong.
fn samples(kind: SlotType, locale: Locale) -> Vec<Slot> {
    match kind {
        SlotType::Money => [(123_456, "usd"), (1_500, "jpy"), (1_234_567, "kwd")]
            .into_iter()
            .filter_map(|(amount, code)| Some(Slot::Money(Money::new(amount, Currency::parse(code).ok()?))))
            .collect(),
        SlotType::Date => [0, 1_790_000_000, 4_102_444_799]
            .into_iter()
            .map(|seconds| Slot::Date(Timestamp::from_seconds(seconds)))
            .collect(),
        SlotType::Link => ["https://example.com/pay?x=1&y=2", "http://localhost:8400/pay"]
            .into_iter()
            .filter_map(|text| Link::parse(text).ok().map(Slot::Link))
            .collect(),
        SlotType::Name => ["Zoë O'Brien", "Müller & Söhne GmbH", "<b>evil.example</b>"]
            .map(|name| Slot::Name(name.into()))
            .into(),
        SlotType::Text => ["INV-0042", "in_1Abc"].map(|text| Slot::Text(text.into())).into(),
        SlotType::Free => {
            let text = match locale {
                Locale::En => "Thank you for your time.",
                Locale::De => "Vielen Dank für Ihre Zeit.",
            };
            let text = check(text, &Facts::default(), Reader::Customer(locale), &Zone::UTC);
            text.ok().map(Slot::Free).into_iter().collect()
        }
    }
}

impl TryFrom<Source> for Template {
    type Error = String;

    fn try_from(source: Source) -> Result<Self, String> {
        let id = |text: &str| {
            let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
            text.starts_with(|sign: char| sign.is_ascii_lowercase()) && text.bytes().all(plain)
        };
        if !id(&source.id) {
            return Err("`id` is lower-case words with hyphens".into());
        }
        if source.version == 0 {
            return Err("`version` starts at 1".into());
        }
        match (source.audience, source.channel) {
            (Audience::Customer, Channel::Csm) => return Err("a customer does not read `csm`".into()),
            (Audience::Csm, Channel::Email | Channel::Chat) => {
                return Err("what `csm` reads goes by the channel `csm`".into());
            }
            _ => {}
        }
        if let Some(name) = source.slots.keys().find(|name| !is_slot_name(name)) {
            return Err(format!("the slot `{name}` is not named in lower-case words with underscores"));
        }
        if source.audience != Audience::Customer && source.slots.values().any(|kind| *kind == SlotType::Free)
        {
            return Err("only a message to a customer has a `free` slot".into());
        }
        if source.subject.trim().is_empty() || source.body.trim().is_empty() {
            return Err("`subject` and `body` need words".into());
        }
        if source.subject.contains('\n') {
            return Err("`subject` is one line".into());
        }
        let subject = pieces(&source.subject).map_err(|problem| format!("`subject`: {problem}"))?;
        let body = pieces(&source.body).map_err(|problem| format!("`body`: {problem}"))?;
        let used: BTreeSet<&String> = subject
            .iter()
            .chain(&body)
            .filter_map(|piece| match piece {
                Piece::Slot(name) => Some(name),
                Piece::Words(_) => None,
            })
            .collect();
        if let Some(name) = used.iter().find(|name| !source.slots.contains_key(**name)) {
            return Err(format!("`{name}` is used; declare it in `slots`"));
        }
        if let Some(name) = source.slots.keys().find(|name| !used.contains(name)) {
            return Err(format!("`{name}` is declared in `slots` and not used"));
        }
        let Source { id, version, channel, audience, locale, tone, slots, .. } = source;
        Ok(Self { id, version, channel, audience, locale, tone, slots, subject, body })
    }
}

fn is_slot_name(text: &str) -> bool {
    text.starts_with(|sign: char| sign.is_ascii_lowercase())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

/// Takes a text apart into words and slots.
fn pieces(text: &str) -> Result<Vec<Piece>, String> {
    let mut pieces = Vec::new();
    let mut rest = text;
    let line = |rest: &str| text.lines().count() + 1 - rest.lines().count().max(1);
    while !rest.is_empty() {
        let (words, after) = match rest.split_once("{{") {
            Some((words, after)) => (words, Some(after)),
            None => (rest, None),
        };
        if words.contains(['{', '}']) {
            return Err(format!("line {}: a brace outside of `{{{{ slot }}}}`", line(rest)));
        }
        if words.contains("://") || words.contains("www.") {
            return Err(format!("line {}: a link stands in a slot, where it is checked", line(rest)));
        }
        if !words.is_empty() {
            pieces.push(Piece::Words(words.to_owned()));
        }
        let Some(after) = after else { break };
        let Some((name, after)) = after.split_once("}}") else {
            return Err(format!("line {}: `{{{{` is not closed", line(rest)));
        };
        if !is_slot_name(name.trim()) {
            return Err(format!("line {}: `{}` is no name of a slot", line(rest), name.trim()));
        }
        pieces.push(Piece::Slot(name.trim().to_owned()));
        rest = after;
    }
    Ok(pieces)
}
