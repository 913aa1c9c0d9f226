//! What customers read: the closed language.

use std::collections::BTreeSet;

use super::{
    check::{DAY, MONEY, Refusal, around, followed, found, is_fact, short},
    facts::Facts,
    words::Closed,
};
use crate::policy::{Locale, words::forbidden};

/// Every word is of the language, stands in an approved phrase, or says what did not happen; amounts and days only
/// name a payment.
pub(super) fn for_customers(
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
