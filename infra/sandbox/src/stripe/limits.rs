//! Standing rate limits, as Stripe sets them for an account and for each endpoint:
//! <https://docs.stripe.com/rate-limits>.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, PoisonError},
};

use super::{failure::Failure, faults::Reason};

/// Over which time requests are counted, in milliseconds.
const WINDOW: i64 = 1000;

/// How many requests a second are let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Of the whole account.
    pub account_per_second: usize,
    /// Of one endpoint, as `GET /v1/invoices/{id}`.
    pub endpoint_per_second: usize,
}

impl Limits {
    /// Those of a sandbox.
    pub const SANDBOX: Self = Self { account_per_second: 25, endpoint_per_second: 25 };
}

/// The limits, if there are any, and what was let through lately.
#[derive(Default)]
pub(crate) struct Gate(Mutex<Counts>);

#[derive(Default)]
struct Counts {
    limits: Option<Limits>,
    /// When requests were let through, in milliseconds, by endpoint.
    passed: HashMap<String, VecDeque<i64>>,
}

impl Gate {
    /// Sets the limits, or lifts them.
    pub(crate) fn set(&self, limits: Option<Limits>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Counts { limits, ..Counts::default() };
    }

    /// The limits, if there are any.
    pub(crate) fn limits(&self) -> Option<Limits> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).limits
    }

    /// Lets a request through or refuses it; the refused do not count. `now` in milliseconds.
    pub(crate) fn pass(&self, endpoint: &str, now: i64) -> Result<(), Failure> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(limits) = counts.limits else { return Ok(()) };
        for times in counts.passed.values_mut() {
            while times.front().is_some_and(|at| at + WINDOW <= now) {
                times.pop_front();
            }
        }
        let all: usize = counts.passed.values().map(VecDeque::len).sum();
        let own = counts.passed.entry(endpoint.to_owned()).or_default();
        let reason = if all >= limits.account_per_second {
            Reason::GlobalRate
        } else if own.len() >= limits.endpoint_per_second {
            Reason::EndpointRate
        } else {
            own.push_back(now);
            return Ok(());
        };
        Err(reason.refusal())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_later_there_is_room_again() {
        let gate = Gate::default();
        assert!(gate.pass("a", 0).is_ok(), "there is no limit at first");
        gate.set(Some(Limits { account_per_second: 3, endpoint_per_second: 2 }));
        let reason = |endpoint, now| gate.pass(endpoint, now).err().and_then(|failure| failure.limited);
        assert_eq!([reason("a", 0), reason("a", 500)], [None, None]);
        assert_eq!(reason("a", 999), Some("endpoint-rate"));
        assert_eq!([reason("b", 999), reason("b", 999)], [None, Some("global-rate")]);
        assert_eq!([reason("a", 1000), reason("a", 1001)], [None, Some("global-rate")]);
    }
}
