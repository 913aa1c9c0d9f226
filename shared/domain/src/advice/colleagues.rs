//! What colleagues read: descriptions.

use std::collections::BTreeSet;

use super::{
    check::{FACT, MONEY, Refusal, around, find, followed, is_fact, matches, short},
    facts::Facts,
    words::LISTS,
};
use crate::policy::{Locale, words::forbidden};

/// No pattern is refused, no number or name was made up, and nearly every word describes.
pub(super) fn for_colleagues(words: &[String], text: &str, facts: &Facts) -> Result<(), Refusal> {
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
