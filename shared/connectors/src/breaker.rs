//! A circuit breaker: after several failures in a row a vendor is left alone for a while, so that
//! its outage costs nobody a time-out for each call.
//!
//! Pure: the caller tells the time and how each call ended. One breaker belongs to one vendor and
//! lives as long as the process; nothing that must be right depends on it.

use domain::Timestamp;

/// This many failures in a row open it.
const FAILURES: u32 = 5;
/// Seconds for which it opens first; doubled after each failed trial.
const FIRST: i64 = 30;
/// Seconds for which it opens at most.
const LONGEST: i64 = 300;
/// Seconds after which a trial that nobody reported on is forgotten.
const TRIAL: i64 = 30;

/// Whether a vendor is called at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Breaker(State);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Calls pass; so many failed in a row.
    Closed { failures: u32 },
    /// No call passes before `until`.
    Open { until: Timestamp, wait: i64 },
    /// One call is on its way to see whether it works again; others wait until it is back.
    Trying { until: Timestamp, wait: i64 },
}

impl Default for Breaker {
    fn default() -> Self {
        Self(State::Closed { failures: 0 })
    }
}

impl Breaker {
    /// Whether a call may be made now. The first one after the wait is the trial.
    ///
    /// # Errors
    /// The seconds to wait, at least one.
    pub fn admit(&mut self, now: Timestamp) -> Result<(), u64> {
        match self.0 {
            State::Closed { .. } => Ok(()),
            State::Open { until, .. } | State::Trying { until, .. } if now < until => {
                Err(u64::try_from(until.since(now)).unwrap_or(1))
            }
            State::Open { wait, .. } | State::Trying { wait, .. } => {
                self.0 = State::Trying { until: now.plus(TRIAL), wait };
                Ok(())
            }
        }
    }

    /// The vendor answered, be it with a refusal: it works.
    pub fn answered(&mut self) {
        self.0 = State::Closed { failures: 0 };
    }

    /// The vendor did not answer, or failed.
    pub fn failed(&mut self, now: Timestamp) {
        self.0 = match self.0 {
            State::Closed { failures } if failures.saturating_add(1) < FAILURES => {
                State::Closed { failures: failures.saturating_add(1) }
            }
            State::Closed { .. } => State::Open { until: now.plus(FIRST), wait: FIRST },
            State::Trying { wait, .. } => {
                let wait = wait.saturating_mul(2).min(LONGEST);
                State::Open { until: now.plus(wait), wait }
            }
            // A call that was on its way when it opened says nothing new.
            open @ State::Open { .. } => open,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: Timestamp = Timestamp::from_seconds(1_790_000_000);

    fn open() -> Breaker {
        let mut breaker = Breaker::default();
        for _ in 0..FAILURES {
            breaker.admit(NOON).unwrap();
            breaker.failed(NOON);
        }
        breaker
    }

    #[test]
    fn only_failures_in_a_row_open_it() {
        let mut breaker = Breaker::default();
        for _ in 0..20 {
            for _ in 1..FAILURES {
                breaker.failed(NOON);
            }
            breaker.answered();
        }
        assert_eq!(breaker.admit(NOON), Ok(()));
        assert_eq!(open().admit(NOON), Err(30));
    }

    #[test]
    fn after_the_wait_one_call_tries_and_an_answer_closes_it() {
        let mut breaker = open();
        assert_eq!(breaker.admit(NOON.plus(29)), Err(1));
        assert_eq!(breaker.admit(NOON.plus(30)), Ok(()));
        assert_eq!(breaker.admit(NOON.plus(31)), Err(29), "one trial at a time");
        breaker.answered();
        assert_eq!(breaker.admit(NOON.plus(31)), Ok(()));
        assert_eq!(breaker, Breaker::default());
    }

    #[test]
    fn each_failed_trial_doubles_the_wait_up_to_five_minutes() {
        let (mut breaker, mut now) = (open(), NOON);
        for wait in [30, 60, 120, 240, 300, 300] {
            assert_eq!(breaker.admit(now), Err(wait));
            now = now.plus(i64::try_from(wait).unwrap());
            assert_eq!(breaker.admit(now), Ok(()));
            breaker.failed(now);
        }
    }

    #[test]
    fn a_trial_that_never_came_back_does_not_keep_it_open_for_ever() {
        let mut breaker = open();
        breaker.admit(NOON.plus(30)).unwrap();
        assert_eq!(breaker.admit(NOON.plus(60)), Ok(()));
    }

    #[test]
    fn a_late_failure_does_not_prolong_the_wait() {
        let mut breaker = open();
        breaker.failed(NOON.plus(29));
        assert_eq!(breaker.admit(NOON.plus(30)), Ok(()));
    }
}
