//! How an operation is approved: by how many, up to how much, and for how long it can be.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Currency, Money, Timestamp};

/// How an operation is approved. Thresholds are in minor units of each currency; there is no
/// conversion, so a currency without a threshold counts as above it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApprovalRule {
    /// How long a proposal stays open, in seconds.
    pub life: i64,
    /// How long before the object's own deadline, if it has one, a proposal ends at the latest, in
    /// seconds: what is left then is for a person to do it by hand.
    #[serde(default)]
    pub margin: i64,
    /// How many people up to the threshold.
    pub need: u8,
    /// How many people above the threshold, and whenever it is not known who asked.
    pub need_above: u8,
    /// The threshold by currency, in minor units.
    #[serde(default)]
    pub above: BTreeMap<Currency, i64>,
    /// What cannot be proposed at all is above this, by currency, in minor units. As soon as one
    /// currency has a cap, one that has none cannot be proposed either.
    #[serde(default)]
    pub cap: BTreeMap<Currency, i64>,
    /// Above this, by currency, whoever approves types the amount. As soon as one currency is listed,
    /// one that is not counts as above.
    #[serde(default)]
    pub typed_above: BTreeMap<Currency, i64>,
    /// Above this, by currency, whoever approves uses their passkey. As soon as one currency is listed,
    /// one that is not counts as above, and so does what has no amount.
    // Left out where it is empty, so that bundles that were sealed before it existed stay attributed.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub passkey_above: BTreeMap<Currency, i64>,
    /// How much may be done in one day (UTC), by currency. As soon as one currency is listed, nothing
    /// is done in one that is not.
    #[serde(default)]
    pub daily: BTreeMap<Currency, i64>,
}

/// Whether it is known who asked. What the agent asks for that moves money was asked for by somebody
/// whom Stripe does not name: it could be the very person who then signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Requester {
    /// Signed in when asking, or the agent under a playbook that moves no money.
    Known,
    /// Somebody in the Stripe Dashboard.
    Unknown,
}

/// At least so many sign what was asked for by nobody knows whom: then one of them is somebody else.
const FLOOR_FOR_UNKNOWN: u8 = 2;

impl ApprovalRule {
    /// How many distinct people must sign; never none.
    pub fn need(&self, amount: Option<Money>, requester: Requester) -> u8 {
        let small = amount.is_some_and(|money| {
            self.above.get(&money.currency).is_some_and(|threshold| money.amount <= *threshold)
        });
        let above = self.need_above.max(self.need).max(1);
        match (requester, small) {
            (Requester::Known, true) => self.need.max(1),
            (Requester::Known, false) => above,
            (Requester::Unknown, _) => above.max(FLOOR_FOR_UNKNOWN),
        }
    }

    /// Whether policy allows proposing this much at all: no more than the cap, nor than a whole day may
    /// see.
    pub fn allows(&self, amount: Option<Money>) -> bool {
        within(&self.cap, amount) && within(&self.daily, amount)
    }

    /// Whether whoever approves this much types it.
    pub fn is_typed(&self, amount: Money) -> bool {
        !within(&self.typed_above, Some(amount))
    }

    /// Whether an approval of this much counts only with a passkey. An amount that is not known is above.
    pub fn needs_passkey(&self, amount: Option<Money>) -> bool {
        !self.passkey_above.is_empty()
            && amount.is_none_or(|amount| !within(&self.passkey_above, Some(amount)))
    }

    /// What may be done of it in one day; `None` if there is no such limit.
    pub fn budget(&self, currency: Currency) -> Option<i64> {
        if self.daily.is_empty() { None } else { Some(self.daily.get(&currency).copied().unwrap_or(0)) }
    }

    /// When a proposal made now ends; `None` if its deadline leaves no time to decide.
    pub fn expires(&self, now: Timestamp, deadline: Option<Timestamp>) -> Option<Timestamp> {
        let life = now.plus(self.life);
        let end = deadline.map_or(life, |deadline| life.min(deadline.plus(-self.margin)));
        (end > now).then_some(end)
    }

    pub(super) fn check(&self) -> Result<(), String> {
        if !(60..=30 * 86_400).contains(&self.life) {
            return Err("`life` must be between 60 seconds and 30 days".into());
        }
        if !(0..=30 * 86_400).contains(&self.margin) {
            return Err("`margin` must be between 0 seconds and 30 days".into());
        }
        if self.need < 1 || self.need_above < self.need {
            return Err("`need` must be at least 1 and `need_above` at least `need`".into());
        }
        Ok(())
    }
}

/// Whether an amount is within a limit by currency. Without limits everything is; as soon as there is
/// one, a currency that is not listed is beyond it.
fn within(limits: &BTreeMap<Currency, i64>, amount: Option<Money>) -> bool {
    limits.is_empty()
        || amount.is_none_or(|money| limits.get(&money.currency).is_some_and(|limit| money.amount <= *limit))
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
        let need = |amount| rule().need(amount, Requester::Known);
        assert_eq!(need(money(50_000, "usd")), 1);
        assert_eq!(need(money(50_001, "usd")), 2);
        assert_eq!(need(money(1, "jpy")), 2);
        assert_eq!(need(None), 2);
    }

    #[test]
    fn what_nobody_known_asked_for_needs_two_people_whatever_the_amount_and_the_rule() {
        assert_eq!(rule().need(money(1, "usd"), Requester::Unknown), 2);
        let lax = ApprovalRule { need_above: 1, ..rule() };
        assert_eq!(lax.need(money(1, "usd"), Requester::Unknown), 2);
        let strict = ApprovalRule { need_above: 3, ..rule() };
        assert_eq!(strict.need(money(1, "usd"), Requester::Unknown), 3);
    }

    #[test]
    fn what_is_above_the_cap_or_a_days_budget_cannot_be_proposed() {
        assert!(rule().allows(money(1_000_000, "usd")));
        assert!(!rule().allows(money(1_000_001, "usd")));
        assert!(!rule().allows(money(1, "chf")), "a currency without a cap");
        let usd = Currency::parse("usd").unwrap();
        let daily = ApprovalRule { daily: [(usd, 100)].into(), ..rule() };
        assert!(daily.allows(money(100, "usd")) && !daily.allows(money(101, "usd")));
        assert_eq!((daily.budget(usd), rule().budget(usd)), (Some(100), None));
        assert_eq!(daily.budget(Currency::parse("chf").unwrap()), Some(0));
    }

    #[test]
    fn a_passkey_is_asked_for_above_its_threshold_and_wherever_there_is_none() {
        assert!(!rule().needs_passkey(money(1_000_000, "usd")), "nothing is listed");
        let usd = Currency::parse("usd").unwrap();
        let listed = ApprovalRule { passkey_above: [(usd, 500)].into(), ..rule() };
        assert!(!listed.needs_passkey(money(500, "usd")));
        assert!(listed.needs_passkey(money(501, "usd")));
        assert!(listed.needs_passkey(money(1, "jpy")), "another currency");
        assert!(listed.needs_passkey(None), "no amount");
    }

    #[test]
    fn a_proposal_ends_before_the_deadline_leaves_no_time_to_do_it_by_hand() {
        let now = Timestamp::from_seconds(1_790_000_000);
        let rule = ApprovalRule { margin: 600, ..rule() };
        assert_eq!(rule.expires(now, None), Some(now.plus(3600)));
        assert_eq!(rule.expires(now, Some(now.plus(1000))), Some(now.plus(400)));
        assert_eq!(rule.expires(now, Some(now.plus(600))), None);
    }

    #[test]
    fn a_rule_that_nobody_could_sign_or_that_never_ends_is_refused() {
        assert!(ApprovalRule { need: 0, ..rule() }.check().is_err());
        assert!(ApprovalRule { need: 3, ..rule() }.check().is_err());
        assert!(ApprovalRule { life: 0, ..rule() }.check().is_err());
        assert!(ApprovalRule { margin: -1, ..rule() }.check().is_err());
    }
}
