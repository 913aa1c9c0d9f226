//! Whether a text may be used.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use serde::{Deserialize, Serialize};

use super::{
    colleagues::for_colleagues,
    customers::for_customers,
    facts::{Facts, Kind},
    words::LISTS,
};
use crate::policy::{Locale, Zone};

/// The most characters of a text in a message to a customer.
pub const OPENING: usize = 320;
/// The most characters of a text for colleagues.
const NOTE: usize = 600;

/// Who reads a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reader {
    /// The customer, in a language of the bundle.
    Customer(Locale),
    /// Colleagues, in English: the language of the pages.
    Team,
}

/// A text that was checked against the facts of its case. Only [`check()`] makes one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Checked(String);

impl Checked {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a text was refused. It quotes at most one word of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "refused", content = "what", rename_all = "snake_case")]
pub enum Refusal {
    /// Nothing, or more than fits.
    #[error("the text is empty or too long")]
    Length,
    /// A sign that is not of the language, is invisible, or is markup.
    #[error("the sign {0} is not used in a text")]
    Sign(String),
    /// The address of a page or a mailbox.
    #[error("a text holds no address: `{0}`")]
    Address(String),
    /// A number, amount or date that is no fact of the case.
    #[error("`{0}` is a number that is no fact of this case")]
    Number(String),
    /// Somebody or something that is no fact of the case.
    #[error("`{0}` is a name that is no fact of this case")]
    Name(String),
    /// Policy language.
    #[error("`{0}` is policy language")]
    Policy(String),
    /// A word outside the closed language.
    #[error("`{0}` is not in the words for customers")]
    Word(String),
    /// Harmless words that together say something.
    #[error("`{0}` promises, claims, asks for or instructs something")]
    Phrase(String),
    /// Not the language that was asked for.
    #[error("the text is not in the language that was asked for")]
    Language,
}

impl Refusal {
    /// One word for metrics.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Length => "length",
            Self::Sign(_) => "sign",
            Self::Address(_) => "address",
            Self::Number(_) => "number",
            Self::Name(_) => "name",
            Self::Policy(_) => "policy",
            Self::Word(_) => "word",
            Self::Phrase(_) => "phrase",
            Self::Language => "language",
        }
    }
}

/// Stand for facts while the rest is looked at: for an amount, a day, and anything else. Refused if a text brings
/// one along.
pub(super) const MONEY: char = '\u{e001}';
pub(super) const DAY: char = '\u{e002}';
pub(super) const FACT: char = '\u{e000}';

pub(super) const fn is_fact(sign: char) -> bool {
    matches!(sign, MONEY | DAY | FACT)
}

/// Checks a text that a model wrote. The same text and facts give the same answer.
///
/// # Errors
/// The first [`Refusal`].
pub fn check(text: &str, facts: &Facts, reader: Reader, zone: &Zone) -> Result<Checked, Refusal> {
    let text = text.trim();
    let most = if reader == Reader::Team { NOTE } else { OPENING };
    if text.is_empty() || text.chars().nth(most).is_some() {
        return Err(Refusal::Length);
    }
    if let Some(ours) = text.chars().find(|sign| is_fact(*sign)) {
        return Err(sign(ours));
    }
    let locale = match reader {
        Reader::Customer(locale) => locale,
        Reader::Team => Locale::En,
    };
    let rest = without_facts(text, &facts.spellings(locale, zone, reader == Reader::Team));
    signs(&rest, locale)?;
    let words = words(&rest);
    match reader {
        Reader::Customer(locale) => {
            let closed = LISTS.customer(locale).ok_or(Refusal::Language)?;
            numbers(&rest, |_| false)?;
            for_customers(&words, &rest, facts, closed, locale)?;
        }
        Reader::Team => {
            numbers(&rest, |number| facts.counts.contains(&number))?;
            for_colleagues(&words, &rest, facts)?;
        }
    }
    Ok(Checked(text.to_owned()))
}

fn sign(sign: char) -> Refusal {
    Refusal::Sign(format!("U+{:04X}", u32::from(sign)))
}

/// The text with every fact as one sign. A fact counts where it stands by itself: `149.00 USD` and `-49.00 USD`
/// are not `49.00 USD`.
fn without_facts(text: &str, spellings: &[(String, Kind)]) -> String {
    let mut rest = text.to_owned();
    for (spelling, kind) in spellings {
        let mark = match kind {
            Kind::Money => MONEY,
            Kind::Day => DAY,
            Kind::Other => FACT,
        };
        let mut kept = String::with_capacity(rest.len());
        let mut ahead = rest.as_str();
        while let Some((before, after)) = ahead.split_once(spelling.as_str()) {
            kept.push_str(before);
            if stands_alone(&kept, after) {
                kept.push(mark);
            } else {
                kept.push_str(spelling);
            }
            ahead = after;
        }
        kept.push_str(ahead);
        rest = kept;
    }
    rest
}

fn stands_alone(before: &str, after: &str) -> bool {
    let free_before = match before.chars().next_back() {
        None => true,
        Some(sign) => sign == ' ' || sign == '(' || sign == '"' || sign == '“' || sign == '„',
    };
    let mut signs = after.chars();
    let free_after = match signs.next() {
        None => true,
        // A full stop or a comma ends a phrase, unless a number goes on.
        Some('.' | ',' | ';' | ':' | '!' | '?') => signs.next().is_none_or(|next| next == ' ' || next == '"'),
        Some('\'' | '’') => signs.next() == Some('s'),
        Some(sign) => sign == ' ' || sign == ')' || sign == '"' || sign == '”' || sign == '“',
    };
    free_before && free_after
}

/// Letters of the language, digits and plain punctuation; everything else is markup, a look-alike or invisible.
fn signs(text: &str, locale: Locale) -> Result<(), Refusal> {
    let allowed = |sign: char| {
        sign.is_ascii_alphanumeric()
            || " .,:;!?'’()\"“”„–-".contains(sign)
            || is_fact(sign)
            || (locale == Locale::De && "äöüÄÖÜß".contains(sign))
    };
    let address = |word: &str| word.contains("://") || word.contains('@') || word.starts_with("www.");
    if let Some(word) = text.split_whitespace().find(|word| address(word)) {
        return Err(Refusal::Address(short(word)));
    }
    if let Some(other) = text.chars().find(|one| !allowed(*one)) {
        return Err(sign(other));
    }
    // A dot or colon with a letter right behind it may be a domain or a scheme.
    let signs: Vec<char> = text.chars().collect();
    // Between digits it is part of a number, which has a check of its own.
    let inside =
        std::iter::once(&' ').chain(&signs).collect::<Vec<_>>().windows(3).any(|three| match three {
            [before, one, next] => {
                let number = before.is_ascii_digit() && next.is_ascii_digit();
                ".:;!?".contains(**one) && !number && (next.is_alphanumeric() || is_fact(**next))
            }
            _ => false,
        });
    if inside { Err(Refusal::Address(short(text))) } else { Ok(()) }
}

/// No digit is left but counts that are facts.
fn numbers(text: &str, is_fact: impl Fn(u32) -> bool) -> Result<(), Refusal> {
    let number = |word: &&str| word.chars().any(|sign| sign.is_ascii_digit());
    let unknown = text.split([' ', '(', ')', '"']).filter(number).find(|word| {
        let plain = word.trim_end_matches(['.', ',', ';', ':', '!', '?']);
        !plain.parse().is_ok_and(&is_fact)
    });
    unknown.map_or(Ok(()), |word| Err(Refusal::Number(short(word))))
}

/// The words in lower case, with facts as a word of their own and an empty word where a sentence ends.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    for part in text.split([' ', '(', ')', '"', '“', '”', '„', '–']) {
        let word = part.trim_matches(|sign: char| !sign.is_alphanumeric() && !is_fact(sign)).to_lowercase();
        let word = word.replace('’', "'");
        // `Visa's`
        let word = word
            .strip_suffix("'s")
            .filter(|word| word.chars().all(is_fact))
            .map_or(word.clone(), str::to_owned);
        if !word.is_empty() {
            words.push(word);
        }
        if part.ends_with(['.', '!', '?', ':', ';']) {
            words.push(String::new());
        }
    }
    words
}

/// A refusal of a fact with its neighbours.
pub(super) fn around(sentence: &[String], at: usize) -> Refusal {
    let words = sentence.get(at.saturating_sub(1)..(at + 2).min(sentence.len())).unwrap_or_default();
    let words: Vec<&str> =
        words.iter().map(|word| if word.starts_with(is_fact) { "…" } else { word.as_str() }).collect();
    Refusal::Phrase(short(&words.join(" ")))
}

/// Some words may be followed by a few others only.
pub(super) fn followed(
    sentence: &[String],
    guarded: &BTreeMap<String, BTreeSet<String>>,
) -> Result<(), Refusal> {
    for (at, word) in sentence.iter().enumerate() {
        let Some(follow) = guarded.get(word) else { continue };
        let next = sentence.get(at + 1);
        if next.is_none_or(|next| !follow.contains(next)) {
            let next = next.map_or("", String::as_str);
            return Err(Refusal::Phrase(short(&format!("{word} {next}"))));
        }
    }
    Ok(())
}

/// The first phrase of a list that stands in the words.
pub(super) fn found(words: &[&str], patterns: &[Vec<String>]) -> Option<String> {
    patterns.iter().find_map(|pattern| find(words, pattern))
}

pub(super) fn find(words: &[&str], pattern: &[String]) -> Option<String> {
    let here = words.windows(pattern.len().max(1));
    here.into_iter()
        .find(|here| here.iter().zip(pattern).all(|(word, part)| matches(word, part)))
        .map(|here| short(&here.join(" ")))
}

pub(super) fn matches(word: &str, pattern: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(stem) => word.starts_with(stem),
        None => word == pattern,
    }
}

/// Enough of a text to find it again.
pub(super) fn short(text: &str) -> String {
    text.chars().filter(|sign| !sign.is_control() && !is_fact(*sign)).take(40).collect()
}
