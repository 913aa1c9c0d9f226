//! Why a payment failed: a walk over the checks of `codes.toml`.
//!
//! The order of the questions and the meaning of every value are data that finance can read; here is
//! only how a check is asked.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

use serde::Deserialize;

use super::{Bucket, Classification};
use crate::snapshot::{Outcome, OutcomeKind, PaymentError, PaymentIntentStatus};

/// The checks in their order, and what the values mean.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Codes {
    check: Vec<Check>,
    value: BTreeMap<Fact, BTreeMap<String, Value>>,
}

/// One question.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Check {
    fact: Fact,
    #[serde(default)]
    only: BTreeSet<String>,
    #[serde(default)]
    listed: Listed,
    #[serde(default)]
    unlisted: Unlisted,
    #[serde(default)]
    yields_to: BTreeSet<Bucket>,
}

/// What is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Fact {
    /// The payment intent's status.
    PaymentIntent,
    /// Why Stripe itself held the payment back.
    Blocked,
    /// What the network advises.
    AdviceCode,
    /// The issuer's reason.
    DeclineCode,
    /// Stripe's code for the error, if there is no decline code.
    ErrorCode,
    /// `missing` if there is nothing to charge.
    PaymentMethod,
}

impl Fact {
    const fn label(self) -> &'static str {
        match self {
            Self::PaymentIntent => "payment intent status",
            Self::Blocked => "block by Stripe",
            Self::AdviceCode => "advice code",
            Self::DeclineCode => "decline code",
            Self::ErrorCode => "error code",
            Self::PaymentMethod => "payment method",
        }
    }
}

/// What a value that the table has does.
#[derive(Default, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Listed {
    #[default]
    Decides,
    Passes,
}

/// What a value that the table does not have does.
#[derive(Default, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Unlisted {
    #[default]
    Passes,
    Human,
}

/// What a value means.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Value {
    bucket: Option<Bucket>,
    means: String,
    next: Option<String>,
    retry: Option<Retry>,
    #[serde(default = "yes")]
    stripe_retries: bool,
}

const fn yes() -> bool {
    true
}

/// Whether trying again helps.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Retry {
    Soft,
    Customer,
    Hard,
}

impl Retry {
    const fn sentence(self) -> &'static str {
        match self {
            Self::Soft => "soft: the same payment method may work later",
            Self::Customer => "soft: the same payment method works once the customer has acted",
            Self::Hard => "hard: trying the same payment method again will not work",
        }
    }
}

impl Value {
    /// The value in words for finance, the most telling first.
    fn sentences(&self, fact: Fact, value: &str) -> Vec<String> {
        let mut sentences = vec![format!("{} `{value}`: {}", fact.label(), self.means)];
        sentences.extend(self.next.as_ref().map(|next| format!("next step: {next}")));
        sentences.extend(self.retry.map(|retry| retry.sentence().to_owned()));
        if !self.stripe_retries {
            sentences.push("Stripe's own retries wait for a new payment method".into());
        }
        sentences
    }
}

// A table that does not parse asks nothing, so every failure goes to a human; a test makes sure that it
// parses.
static CODES: LazyLock<Codes> =
    LazyLock::new(|| toml::from_str(include_str!("codes.toml")).unwrap_or_default());

/// What is known about a failed payment.
struct Facts<'a> {
    intent: Option<&'a PaymentIntentStatus>,
    error: Option<&'a PaymentError>,
    outcome: Option<&'a Outcome>,
    has_payment_method: Option<bool>,
}

impl<'a> Facts<'a> {
    /// The values of a fact. The network's advice may stand in two places; where they differ, the
    /// order of the checks takes the stricter one.
    fn of(&self, fact: Fact) -> Vec<&'a str> {
        let decline = self.error.and_then(|error| error.decline_code.as_deref());
        let values = match fact {
            Fact::PaymentIntent => [self.intent.map(PaymentIntentStatus::as_str), None],
            Fact::Blocked => {
                let blocked = self.outcome.filter(|outcome| outcome.kind == OutcomeKind::Blocked);
                [blocked.map(|outcome| outcome.reason.as_deref().unwrap_or("without a reason")), None]
            }
            Fact::AdviceCode => [
                self.error.and_then(|error| error.advice_code.as_deref()),
                self.outcome.and_then(|outcome| outcome.advice_code.as_deref()),
            ],
            Fact::DeclineCode => [decline, None],
            Fact::ErrorCode if decline.is_some() => [None, None],
            Fact::ErrorCode => [self.error.and_then(|error| error.code.as_deref()), None],
            Fact::PaymentMethod => [(self.has_payment_method == Some(false)).then_some("missing"), None],
        };
        values.into_iter().flatten().collect()
    }

    /// The code of the failure, and what it means by itself.
    fn code(&self, codes: &'a Codes) -> Option<(Fact, &'a str, Option<&'a Value>)> {
        [Fact::DeclineCode, Fact::ErrorCode]
            .into_iter()
            .find_map(|fact| self.of(fact).first().map(|code| (fact, *code, codes.meaning(fact, code))))
    }
}

impl Codes {
    fn meaning(&self, fact: Fact, value: &str) -> Option<&Value> {
        self.value.get(&fact)?.get(value)
    }

    /// The first answer that a check gives.
    fn classify(&self, facts: &Facts<'_>) -> Classification {
        for check in &self.check {
            for value in facts.of(check.fact) {
                if !check.only.is_empty() && !check.only.contains(value) {
                    continue;
                }
                let meaning = self.meaning(check.fact, value);
                let bucket = match meaning {
                    None if check.unlisted == Unlisted::Human => Bucket::Unknown,
                    Some(Value { bucket: Some(bucket), .. }) if check.listed == Listed::Decides => *bucket,
                    _ => continue,
                };
                return self.answer(check, value, meaning, bucket, facts);
            }
        }
        Classification::new(Bucket::Unknown, "Stripe gave no reason that is known")
    }

    /// A check's answer with its reasons: the value that decided, then the code if that is another
    /// one.
    fn answer(
        &self,
        check: &Check,
        value: &str,
        meaning: Option<&Value>,
        bucket: Bucket,
        facts: &Facts<'_>,
    ) -> Classification {
        let said = |fact: Fact, value: &str, meaning: Option<&Value>| {
            let unknown = || vec![format!("unknown {} `{value}`", fact.label())];
            meaning.map_or_else(unknown, |meaning| meaning.sentences(fact, value))
        };
        let mut reasons = said(check.fact, value, meaning);
        let mut found = bucket;
        if let Some((fact, code, meaning)) = facts.code(self).filter(|(fact, ..)| *fact != check.fact) {
            let alone = meaning.and_then(|meaning| meaning.bucket);
            if let Some(alone) = alone.filter(|alone| check.yields_to.contains(alone)) {
                // What the code says is graver, so it comes first and stands.
                found = alone;
                reasons.splice(0..0, said(fact, code, meaning));
            } else {
                reasons.extend(said(fact, code, meaning).into_iter().take(1));
                reasons.extend(alone.filter(|alone| *alone != found).map(|alone| {
                    let first = check.fact.label();
                    format!("the {first} goes before what the code alone would mean: {alone}")
                }));
            }
        }
        Classification { bucket: found, reasons }
    }
}

/// Why a payment failed, by the checks of `codes.toml`: what happens to the payment now, what Stripe
/// blocked, what the network advises, what the codes say, what is missing. Total: whatever no check
/// answers is [`Bucket::Unknown`], and so is a code that the table does not have (I7).
pub fn classify_failure(
    intent: Option<&PaymentIntentStatus>,
    error: Option<&PaymentError>,
    outcome: Option<&Outcome>,
    has_payment_method: Option<bool>,
) -> Classification {
    CODES.classify(&Facts { intent, error, outcome, has_payment_method })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_parses_and_each_check_has_values_to_look_for() {
        let codes: Codes = toml::from_str(include_str!("codes.toml")).unwrap();
        assert_eq!(codes.check.len(), 9);
        for check in &codes.check {
            let values = &codes.value[&check.fact];
            assert!(check.only.iter().all(|value| values.contains_key(value)), "{:?}", check.fact);
        }
    }

    #[test]
    fn every_value_that_decides_says_what_to_do_next() {
        for (fact, values) in &CODES.value {
            for (name, value) in values {
                assert!(!value.means.is_empty(), "{name}");
                assert_eq!(value.bucket.is_some(), value.next.is_some(), "{fact:?} {name}");
                assert!(!value.bucket.is_some_and(Bucket::is_settled), "{fact:?} {name}");
            }
        }
    }
}
