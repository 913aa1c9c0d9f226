//! Whether a text may be used.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use serde::{Deserialize, Serialize};

use super::{
    facts::{Facts, Kind},
    words::{Closed, LISTS},
};
use crate::policy::{Locale, Zone, words::forbidden};

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
const MONEY: char = '\u{e001}';
const DAY: char = '\u{e002}';
const FACT: char = '\u{e000}';

const fn is_fact(sign: char) -> bool {
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

fn for_customers(
    words: &[String],
    text: &str,
    facts: &Facts,
    closed: &Closed,
    locale: Locale,
) -> Result<(), Refusal> {
    if let Some(word) = forbidden(text, locale).first() {
        return Err(Refusal::Policy(short(word)));
    }
    let flat: Vec<&str> = words.iter().map(String::as_str).filter(|word| !word.is_empty()).collect();
    if let Some(phrase) = found(&flat, &closed.refused) {
        return Err(Refusal::Phrase(phrase));
    }
    let true_here = |word: &str| {
        let sets = closed.when.iter().filter(|(fact, _)| facts.words.contains(*fact));
        sets.map(|(_, words)| words).any(|words| words.contains(word))
    };
    for sentence in words.split(String::is_empty) {
        if let Some(at) = (0..sentence.len()).find(|at| !stands_in_frame(sentence, *at, closed)) {
            return Err(around(sentence, at));
        }
        followed(sentence, &closed.guarded)?;
        let negated = |at: usize| negation(sentence, at, closed);
        let framed = (0..sentence.len()).any(|at| negated(at).is_some());
        let mut at = 0;
        while let Some(word) = sentence.get(at) {
            let rest = sentence.get(at..).unwrap_or_default();
            if let Some(phrase) = closed.phrases.iter().find(|phrase| rest.starts_with(phrase)) {
                at += phrase.len();
                continue;
            }
            let known = word.starts_with(is_fact) || closed.words.contains(word) || true_here(word);
            let in_frame = framed && (closed.negated.helpers.contains(word) || negated(at).is_some());
            if !known && !in_frame {
                return Err(Refusal::Word(short(word)));
            }
            at += 1;
        }
    }
    Ok(())
}

/// Whether an amount or a day stands where it only names a payment: `payment of 49.00 USD`, `on 24 November`. By
/// itself it could be given, owed or set as a deadline.
fn stands_in_frame(sentence: &[String], at: usize, closed: &Closed) -> bool {
    let Some(mark) = sentence.get(at).and_then(|word| word.chars().next()) else { return true };
    let before =
        |back: usize| at.checked_sub(back).and_then(|at| sentence.get(at)).map_or("", String::as_str);
    let (one, two) = (before(1).to_owned(), format!("{}_{}", before(2), before(1)));
    let framed = |words: &BTreeSet<String>| words.contains(&one) || words.contains(&two);
    match mark {
        MONEY => {
            let next = sentence.get(at + 1);
            framed(&closed.frame.money) && next.is_none_or(|next| closed.frame.after.contains(next))
        }
        DAY => framed(&closed.frame.day),
        _ => true,
    }
}

/// Whether a word is half of a statement that something did not happen, with the place of the other half: the
/// verb at most five words behind the negator.
fn negation(sentence: &[String], at: usize, closed: &Closed) -> Option<usize> {
    const REACH: usize = 5;
    let word = sentence.get(at)?;
    if closed.negated.negators.contains(word) {
        return (at + 1..=at + REACH)
            .find(|there| sentence.get(*there).is_some_and(|word| closed.negated.verbs.contains(word)));
    }
    if closed.negated.verbs.contains(word) {
        return (at.saturating_sub(REACH)..at)
            .find(|there| sentence.get(*there).is_some_and(|word| closed.negated.negators.contains(word)));
    }
    None
}

fn for_colleagues(words: &[String], text: &str, facts: &Facts) -> Result<(), Refusal> {
    let words = &without_phrases(words, &LISTS.phrases);
    let flat: Vec<&str> = words.iter().map(String::as_str).filter(|word| !word.is_empty()).collect();
    for word in &flat {
        let count = LISTS.numbers.get(*word).copied().or_else(|| {
            // `twenty-five`
            let (tens, ones) = word.split_once('-')?;
            Some(LISTS.numbers.get(tens)? + LISTS.numbers.get(ones).or(Some(&1).filter(|_| ones == "one"))?)
        });
        if count.is_some_and(|count| !facts.counts.contains(&count)) {
            return Err(Refusal::Number(short(word)));
        }
        // Letters apart spell a word that nobody looks for.
        if word.chars().count() == 1
            && *word != "a"
            && !word.starts_with(|sign: char| sign.is_ascii_digit() || is_fact(sign))
        {
            return Err(Refusal::Word(short(word)));
        }
    }
    let allowed: Vec<&Vec<String>> = LISTS
        .refused
        .iter()
        .filter(|pattern| {
            let word = pattern.first().filter(|_| pattern.len() == 1);
            !word.is_some_and(|pattern| facts.words.iter().any(|word| matches(word, pattern)))
        })
        .collect();
    // Hyphens and spaces inside a word hide it from a list, so it is looked for without them as well.
    let joined = flat.windows(2).filter_map(|two| match two {
        [one, next] if one.len() <= 3 || next.len() <= 3 => Some(format!("{one}{next}")),
        _ => None,
    });
    let joined: Vec<String> = joined
        .chain(flat.iter().filter(|word| word.contains('-')).map(|word| word.replace('-', "")))
        .collect();
    for pattern in &allowed {
        if let Some(phrase) = find(&flat, pattern) {
            return Err(Refusal::Phrase(phrase));
        }
        if let [single] = pattern.as_slice() {
            let stem = single.trim_matches('*');
            if let Some(word) = joined.iter().find(|word| stem.len() > 4 && matches(word, single)) {
                return Err(Refusal::Phrase(short(word)));
            }
        }
    }
    let policy = forbidden(&flat.join(" "), Locale::En);
    let free = |word: &String| facts.words.iter().any(|fact| word.starts_with(fact.as_str()));
    if let Some(word) = policy.iter().find(|word| !free(word)) {
        return Err(Refusal::Policy(short(word)));
    }
    names(text, facts)?;
    describes(words, facts)?;
    let count = flat.len();
    let plain: Vec<&str> = flat
        .into_iter()
        .filter(|word| word.chars().any(char::is_alphabetic) && !word.contains(is_fact))
        .collect();
    let known = |word: &&&str| {
        LISTS.describes(word)
            || word.split('-').all(|part| LISTS.describes(part))
            || facts.words.iter().any(|fact| word.starts_with(fact.as_str()))
    };
    let unknown: Vec<&&str> = plain.iter().filter(|word| !known(word)).collect();
    if let Some(word) = unknown.iter().find(|word| resembles_refused(word)) {
        return Err(Refusal::Word(short(word)));
    }
    // A word that the list lacks is an accident; several are another language, or a code.
    let room = plain.len() / UNKNOWN;
    if count < SHORTEST || unknown.len() > room { Err(Refusal::Language) } else { Ok(()) }
}

/// The words with each approved turn of phrase as one fact.
fn without_phrases(words: &[String], phrases: &[Vec<String>]) -> Vec<String> {
    let mut rest = Vec::with_capacity(words.len());
    let mut at = 0;
    while let Some(word) = words.get(at) {
        let here = words.get(at..).unwrap_or_default();
        if let Some(phrase) = phrases.iter().find(|phrase| here.starts_with(phrase)) {
            rest.push(FACT.to_string());
            at += phrase.len();
        } else {
            rest.push(word.clone());
            at += 1;
        }
    }
    rest
}

/// A text for colleagues has at least so many words: fewer say yes or no.
const SHORTEST: usize = 4;
/// One word in so many may be none of the list.
const UNKNOWN: usize = 12;

/// A description: no sentence that begins with a verb, and none about what is to be.
fn describes(words: &[String], facts: &Facts) -> Result<(), Refusal> {
    for sentence in words.split(String::is_empty) {
        let Some(first) = sentence.first() else { continue };
        if LISTS.imperatives.contains(first) && !facts.words.contains(first) {
            return Err(Refusal::Phrase(short(first)));
        }
        followed(sentence, &LISTS.guarded)?;
        let loose = |at: &usize| !amount_is_named(sentence, *at);
        if let Some(at) = (0..sentence.len()).find(loose) {
            return Err(around(sentence, at));
        }
    }
    Ok(())
}

/// A refusal of a fact with its neighbours.
fn around(sentence: &[String], at: usize) -> Refusal {
    let words = sentence.get(at.saturating_sub(1)..(at + 2).min(sentence.len())).unwrap_or_default();
    let words: Vec<&str> =
        words.iter().map(|word| if word.starts_with(is_fact) { "…" } else { word.as_str() }).collect();
    Refusal::Phrase(short(&words.join(" ")))
}

/// Whether an amount stands where it names a payment, and not by itself, as something to have.
fn amount_is_named(sentence: &[String], at: usize) -> bool {
    if sentence.get(at).is_none_or(|word| !word.starts_with(MONEY)) {
        return true;
    }
    let near =
        |words: &BTreeSet<String>, at: usize| sentence.get(at).is_some_and(|word| words.contains(word));
    match at.checked_sub(1) {
        // `49.00 USD is open`, or nothing but the amount behind a colon.
        None => sentence.len() == 1 || near(&LISTS.frame.after, 1),
        Some(before) => near(&LISTS.frame.money, before),
    }
}

/// Some words may be followed by a few others only.
fn followed(sentence: &[String], guarded: &BTreeMap<String, BTreeSet<String>>) -> Result<(), Refusal> {
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

/// Whether a word that no list has is a refused one with a letter too many, too few, wrong or in another place.
fn resembles_refused(word: &str) -> bool {
    let word: Vec<char> = word.chars().collect();
    LISTS.refused.iter().any(|pattern| {
        let [single] = pattern.as_slice() else { return false };
        let (stem, open) = single.strip_suffix('*').map_or((single.as_str(), false), |stem| (stem, true));
        let stem: Vec<char> = stem.chars().collect();
        let lengths = stem.len().saturating_sub(1)..=stem.len() + 1;
        stem.len() >= 5
            && lengths.into_iter().any(|length| {
                let begin = word.get(..length).filter(|begin| open || begin.len() == word.len());
                begin.is_some_and(|begin| is_near(begin, &stem))
            })
    })
}

/// Whether one change makes one word of the other: a letter more, less or other, or two that changed places.
fn is_near(one: &[char], other: &[char]) -> bool {
    let same = one.iter().zip(other).take_while(|(one, other)| one == other).count();
    let (one, other) = (one.get(same..).unwrap_or_default(), other.get(same..).unwrap_or_default());
    match (one, other) {
        ([], []) => true,
        ([_, rest @ ..], other) if rest == other => true,
        (one, [_, rest @ ..]) if one == rest => true,
        ([_, one @ ..], [_, other @ ..]) if one == other => true,
        ([a, b, one @ ..], [c, d, other @ ..]) => a == d && b == c && one == other,
        _ => false,
    }
}

/// Capital letters of which no fact is known: in English only names have them inside a sentence. The first word
/// of a sentence must be an English word.
fn names(text: &str, facts: &Facts) -> Result<(), Refusal> {
    const KNOWN: [&str; 4] = ["Stripe", "CRM", "SEPA", "ID"];
    let mut first = true;
    for part in text.split([' ', '(', '"', '“', '–', '-']) {
        let word = part.trim_matches(|sign: char| !sign.is_alphanumeric());
        let word = word.strip_suffix("'s").or_else(|| word.strip_suffix("’s")).unwrap_or(word);
        if word.chars().any(char::is_uppercase) && !KNOWN.contains(&word) {
            let inner = word.chars().skip(1).any(char::is_uppercase);
            let lower = word.to_lowercase();
            let known =
                LISTS.describes(&lower) || facts.words.iter().any(|fact| lower.starts_with(fact.as_str()));
            if inner || !first || !known {
                return Err(Refusal::Name(short(word)));
            }
        }
        if !part.is_empty() {
            first = part.ends_with(['.', '!', '?', ':']);
        }
    }
    Ok(())
}

/// The first phrase of a list that stands in the words.
fn found(words: &[&str], patterns: &[Vec<String>]) -> Option<String> {
    patterns.iter().find_map(|pattern| find(words, pattern))
}

fn find(words: &[&str], pattern: &[String]) -> Option<String> {
    let here = words.windows(pattern.len().max(1));
    here.into_iter()
        .find(|here| here.iter().zip(pattern).all(|(word, part)| matches(word, part)))
        .map(|here| short(&here.join(" ")))
}

fn matches(word: &str, pattern: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(stem) => word.starts_with(stem),
        None => word == pattern,
    }
}

/// Enough of a text to find it again.
fn short(text: &str) -> String {
    text.chars().filter(|sign| !sign.is_control() && !is_fact(*sign)).take(40).collect()
}
