//! How an operation is approved: by how many, up to how much, and for how long it can be.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::{Currency, Money};

/// How an operation is approved. Thresholds are in minor units of each currency; there is no
/// conversion, so a currency without a threshold counts as above it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApprovalRule {
    /// How long a proposal stays open, in seconds.
    pub life: i64,
    /// How many people up to the threshold.
    pub need: u8,
    /// How many people above the threshold.
    pub need_above: u8,
    /// The threshold by currency, in minor units.
    #[serde(default)]
    pub above: BTreeMap<Currency, i64>,
    /// What cannot be proposed at all is above this, by currency, in minor units. As soon as one
    /// currency has a cap, one that has none cannot be proposed either.
    #[serde(default)]
    pub cap: BTreeMap<Currency, i64>,
}

impl ApprovalRule {
    /// How many distinct people must sign; never none.
    pub fn need(&self, amount: Option<Money>) -> u8 {
        let small = amount.is_some_and(|money| {
            self.above.get(&money.currency).is_some_and(|threshold| money.amount <= *threshold)
        });
        if small { self.need.max(1) } else { self.need_above.max(self.need).max(1) }
    }

    /// Whether policy allows proposing this much at all.
    pub fn allows(&self, amount: Option<Money>) -> bool {
        self.cap.is_empty()
            || amount
                .is_none_or(|money| self.cap.get(&money.currency).is_some_and(|cap| money.amount <= *cap))
    }

    pub(super) fn check(&self) -> Result<(), String> {
        if !(60..=30 * 86_400).contains(&self.life) {
            return Err("`life` must be between 60 seconds and 30 days".into());
        }
        if self.need < 1 || self.need_above < self.need {
            return Err("`need` must be at least 1 and `need_above` at least `need`".into());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule() -> ApprovalRule {
        toml::from_str(
            "life = 3600\nneed = 1\nneed_above = 2\nabove = { usd = 50000 }\ncap = { usd = 1000000 }",
        )
        .unwrap()
    }

    #[expect(clippy::unnecessary_wraps, reason = "an amount is optional where it is asked for")]
    fn money(amount: i64, currency: &str) -> Option<Money> {
        Some(Money::new(amount, Currency::parse(currency).unwrap()))
    }

    #[test]
    fn what_is_above_the_threshold_or_in_an_unlisted_currency_needs_more_people() {
        assert_eq!(rule().need(money(50_000, "usd")), 1);
        assert_eq!(rule().need(money(50_001, "usd")), 2);
        assert_eq!(rule().need(money(1, "jpy")), 2);
        assert_eq!(rule().need(None), 2);
    }

    #[test]
    fn what_is_above_the_cap_cannot_be_proposed() {
        assert!(rule().allows(money(1_000_000, "usd")));
        assert!(!rule().allows(money(1_000_001, "usd")));
        assert!(!rule().allows(money(1, "chf")), "a currency without a cap");
    }

    #[test]
    fn a_rule_that_nobody_could_sign_or_that_never_ends_is_refused() {
        assert!(ApprovalRule { need: 0, ..rule() }.check().is_err());
        assert!(ApprovalRule { need: 3, ..rule() }.check().is_err());
        assert!(ApprovalRule { life: 0, ..rule() }.check().is_err());
    }
}
