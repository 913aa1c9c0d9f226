//! How a card issuer answers at the moment against how it used to: an outage at a bank is no reason to
//! write to its customers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// Tries and declines of one hour.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hour {
    /// Charges tried.
    pub tried: u32,
    /// Of those, declined.
    pub declined: u32,
}

/// The tries at one issuer, by hour since the epoch.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IssuerHours(pub BTreeMap<i64, Hour>);

/// When an issuer counts as out of order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Breaker {
    /// How many of the newest hours are looked at.
    pub window_hours: u16,
    /// Fewer tries than this in the window prove nothing.
    pub least_tries: u32,
    /// The share of declines in the window from which it is out, in percent.
    pub least_percent: u32,
    /// And how many times its own usual share that must be.
    pub factor: u32,
}

impl IssuerHours {
    /// Why the issuer counts as out of order, if it does.
    pub fn outage(&self, at: Timestamp, breaker: &Breaker) -> Option<String> {
        let from = at.seconds().div_euclid(3600).saturating_sub(i64::from(breaker.window_hours));
        let sum = |hours: &mut dyn Iterator<Item = &Hour>| {
            hours.fold((0_u64, 0_u64), |(tried, declined), hour| {
                (tried + u64::from(hour.tried), declined + u64::from(hour.declined))
            })
        };
        let (tried, declined) = sum(&mut self.0.range(from.saturating_add(1)..).map(|(_, hour)| hour));
        let (before, before_declined) = sum(&mut self.0.range(..=from).map(|(_, hour)| hour));
        let many = tried >= u64::from(breaker.least_tries)
            && declined * 100 >= tried * u64::from(breaker.least_percent);
        // Without a past there is nothing to compare with, so the share alone decides.
        let unusual = before == 0 || declined * before >= before_declined * tried * u64::from(breaker.factor);
        (many && unusual).then(|| {
            format!(
                "the card's issuer declined {declined} of {tried} payments in the last {} hours, {} before",
                breaker.window_hours,
                if before == 0 {
                    "without figures".to_owned()
                } else {
                    format!("{before_declined} of {before}")
                },
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BREAKER: Breaker = Breaker { window_hours: 2, least_tries: 10, least_percent: 60, factor: 3 };

    fn hours(list: &[(i64, u32, u32)]) -> IssuerHours {
        IssuerHours(
            list.iter()
                .map(|(at, tried, declined)| (*at, Hour { tried: *tried, declined: *declined }))
                .collect(),
        )
    }

    fn outage(list: &[(i64, u32, u32)]) -> bool {
        hours(list).outage(Timestamp::from_seconds(100 * 3600 + 1), &BREAKER).is_some()
    }

    #[test]
    fn an_issuer_is_out_when_it_declines_far_more_than_it_used_to() {
        assert!(outage(&[(10, 1000, 100), (99, 10, 9), (100, 10, 9)]));
        assert!(!outage(&[(10, 1000, 700), (99, 10, 9), (100, 10, 9)]), "it always declines a lot");
        assert!(!outage(&[(10, 1000, 100), (99, 4, 4), (100, 5, 5)]), "too few to tell");
        assert!(!outage(&[(10, 1000, 100), (98, 50, 50), (99, 5, 0), (100, 5, 0)]), "it is over");
        assert!(outage(&[(100, 20, 20)]), "without a past the share decides");
        assert!(!outage(&[]));
    }
}
