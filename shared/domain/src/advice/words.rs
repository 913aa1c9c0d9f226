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
    guarded: BTreeMap<String, String>,
    frame: FrameSource,
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
struct FrameSource {
    money: String,
    after: String,
    day: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TeamSource {
    phrases: Vec<String>,
    refused: Vec<String>,
    imperatives: String,
    guarded: BTreeMap<String, String>,
    frame: TeamFrameSource,
    numbers: BTreeMap<String, u32>,
    words: More,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TeamFrameSource {
    money: String,
    after: String,
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
    /// Turns of phrase for colleagues that are harmless although a pattern would refuse them.
    pub(super) phrases: Vec<Vec<String>>,
    /// Patterns, by their words.
    pub(super) refused: Vec<Vec<String>>,
    /// Verbs with which no sentence begins.
    pub(super) imperatives: BTreeSet<String>,
    /// Words with the only ones that may follow.
    pub(super) guarded: BTreeMap<String, BTreeSet<String>>,
    /// Where an amount may stand: behind one of these, or first and before one of the others.
    pub(super) frame: Frame,
    /// Numbers in words, with what they are worth.
    pub(super) numbers: BTreeMap<String, u32>,
    /// What a description is made of.
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
    /// Words with the only ones that may follow.
    pub(super) guarded: BTreeMap<String, BTreeSet<String>>,
    /// Where an amount or a day may stand.
    pub(super) frame: Frame,
    /// Words that the case must hold a word for.
    pub(super) when: BTreeMap<String, BTreeSet<String>>,
}

/// What must stand before an amount and before a day, and what may stand behind an amount. Two words are joined by
/// `_`.
#[derive(Default)]
pub(super) struct Frame {
    /// Before an amount.
    pub(super) money: BTreeSet<String>,
    /// Behind an amount.
    pub(super) after: BTreeSet<String>,
    /// Before a day.
    pub(super) day: BTreeSet<String>,
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
    /// Whether a word describes: it stands in the list, or does without its ending.
    pub(super) fn describes(&self, word: &str) -> bool {
        let known = |stem: &str| self.english.contains(stem) || self.numbers.contains_key(stem);
        let without = |ending: &str| {
            word.strip_suffix(ending)
                .is_some_and(|stem| stem.len() > 2 && (known(stem) || known(&format!("{stem}e"))))
        };
        known(word) || ["'s", "s'", "s", "es", "d", "ed", "ing", "ly"].into_iter().any(without)
    }

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
                guarded: sets(&closed.guarded),
                frame: Frame {
                    money: set(&closed.frame.money),
                    after: set(&closed.frame.after),
                    day: set(&closed.frame.day),
                },
                when: sets(&closed.when),
            };
            if locale == Locale::En {
                english.extend(closed.words.iter().cloned());
            }
            customer.insert(locale, closed);
        }
        let team = source.team;
        Self {
            customer,
            phrases: split(&team.phrases),
            refused: split(&team.refused),
            imperatives: set(&team.imperatives),
            guarded: sets(&team.guarded),
            frame: Frame { money: set(&team.frame.money), after: set(&team.frame.after), ..Frame::default() },
            numbers: team.numbers,
            english,
        }
    }
}

fn set(words: &str) -> BTreeSet<String> {
    words.split_whitespace().map(str::to_owned).collect()
}

fn sets(lists: &BTreeMap<String, String>) -> BTreeMap<String, BTreeSet<String>> {
    lists.iter().map(|(word, words)| (word.clone(), set(words))).collect()
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
        assert!(
            LISTS.refused.len() > 200 && LISTS.imperatives.len() > 100 && LISTS.guarded.contains_key("will")
        );
        assert!(!LISTS.numbers.is_empty());
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
