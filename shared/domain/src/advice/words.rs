//! The word lists of `words.toml`, read once.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

use serde::Deserialize;

use crate::policy::Locale;

/// The closed language for customers, by locale, and what colleagues must not be told.
pub(super) static LISTS: LazyLock<Lists> = LazyLock::new(|| {
    // The file is compiled in, and a test reads it; an empty list refuses every text.
    toml::from_str::<Source>(include_str!("words.toml")).map(Lists::from).unwrap_or_default()
});

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Source {
    customer: BTreeMap<Locale, ClosedSource>,
    team: TeamSource,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClosedSource {
    phrases: Vec<String>,
    words: String,
    refused: Vec<String>,
    negated: NegatedSource,
    when: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NegatedSource {
    negators: String,
    verbs: String,
    helpers: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TeamSource {
    refused: Vec<String>,
    numbers: BTreeMap<String, u32>,
    words: More,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct More {
    more: String,
}

/// All lists.
#[derive(Default)]
pub(super) struct Lists {
    customer: BTreeMap<Locale, Closed>,
    /// Patterns, by their words.
    pub(super) refused: Vec<Vec<String>>,
    /// Numbers in words, with what they are worth.
    pub(super) numbers: BTreeMap<String, u32>,
    /// English words, to tell the language.
    pub(super) english: BTreeSet<String>,
}

/// A closed language.
#[derive(Default)]
pub(super) struct Closed {
    /// Turns of phrase, by their words, the longest first.
    pub(super) phrases: Vec<Vec<String>>,
    /// Words.
    pub(super) words: BTreeSet<String>,
    /// What allowed words must not say together.
    pub(super) refused: Vec<Vec<String>>,
    /// What says that something did not happen.
    pub(super) negated: Negated,
    /// Words that the case must hold a word for.
    pub(super) when: BTreeMap<String, BTreeSet<String>>,
}

/// Words for what did not happen. A negator needs a verb soon after it and the verb needs the negator, so that
/// neither says anything alone.
#[derive(Default)]
pub(super) struct Negated {
    /// `not`.
    pub(super) negators: BTreeSet<String>,
    /// `completed`.
    pub(super) verbs: BTreeSet<String>,
    /// What may stand around them: `could`, `be`.
    pub(super) helpers: BTreeSet<String>,
}

impl Lists {
    /// The closed language of a locale; without one nothing can be said.
    pub(super) fn customer(&self, locale: Locale) -> Option<&Closed> {
        self.customer.get(&locale)
    }
}

impl From<Source> for Lists {
    fn from(source: Source) -> Self {
        let mut english = set(&source.team.words.more);
        let mut customer = BTreeMap::new();
        for (locale, closed) in source.customer {
            let mut phrases = split(&closed.phrases);
            phrases.sort_by_key(|phrase| std::cmp::Reverse(phrase.len()));
            let closed = Closed {
                phrases,
                words: set(&closed.words),
                refused: split(&closed.refused),
                negated: Negated {
                    negators: set(&closed.negated.negators),
                    verbs: set(&closed.negated.verbs),
                    helpers: set(&closed.negated.helpers),
                },
                when: closed.when.iter().map(|(word, words)| (word.clone(), set(words))).collect(),
            };
            if locale == Locale::En {
                english.extend(closed.words.iter().cloned());
            }
            customer.insert(locale, closed);
        }
        Self { customer, refused: split(&source.team.refused), numbers: source.team.numbers, english }
    }
}

fn set(words: &str) -> BTreeSet<String> {
    words.split_whitespace().map(str::to_owned).collect()
}

fn split(phrases: &[String]) -> Vec<Vec<String>> {
    phrases.iter().map(|phrase| phrase.split(' ').map(str::to_owned).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_are_read_and_every_word_is_in_lower_case() {
        for locale in Locale::ALL {
            let closed = LISTS.customer(locale).unwrap();
            let phrases = closed.phrases.iter().chain(&closed.refused).flatten();
            for word in closed.words.iter().chain(closed.when.values().flatten()).chain(phrases) {
                assert_eq!(*word, word.to_lowercase());
                assert!(!word.chars().any(|sign| sign.is_ascii_digit()), "{word}");
            }
            assert!(closed.words.len() > 250, "{locale}: {}", closed.words.len());
        }
        assert!(LISTS.refused.len() > 200 && !LISTS.numbers.is_empty());
    }

    #[test]
    fn no_word_for_customers_is_policy_language() {
        for locale in Locale::ALL {
            let closed = LISTS.customer(locale).unwrap();
            let text = closed.words.iter().cloned().collect::<Vec<_>>().join(" ");
            assert!(crate::policy::words::forbidden(&text, locale).is_empty(), "{locale}");
        }
    }
}
