//! The sandbox's clock: one time for every stand-in, which a test can hold and move.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use tokio::sync::Notify;

/// Time as every stand-in sees it. Clones share it.
#[derive(Clone, Debug)]
pub struct Clock(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// Milliseconds since the epoch if held still, else `None` encoded as [`RUNNING`].
    held: AtomicI64,
    /// What a running clock is ahead of the machine's, in milliseconds.
    ahead: AtomicI64,
    moved: Notify,
}

const RUNNING: i64 = i64::MIN;

impl Clock {
    /// The machine's clock, which can still be moved forward.
    pub fn running() -> Self {
        Self::new(RUNNING)
    }

    /// A clock that stands at `seconds` since the epoch until it is moved.
    pub fn held_at(seconds: i64) -> Self {
        Self::new(seconds.saturating_mul(1000))
    }

    fn new(held: i64) -> Self {
        Self(Arc::new(Inner { held: AtomicI64::new(held), ahead: AtomicI64::new(0), moved: Notify::new() }))
    }

    /// Milliseconds since the epoch.
    pub fn millis(&self) -> i64 {
        let held = self.0.held.load(Ordering::SeqCst);
        if held == RUNNING { machine_millis() + self.0.ahead.load(Ordering::SeqCst) } else { held }
    }

    /// Seconds since the epoch.
    pub fn seconds(&self) -> i64 {
        self.millis().div_euclid(1000)
    }

    /// Moves time forward and wakes whoever waits for it.
    pub fn advance(&self, by: Duration) {
        let by = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        let hand = if self.0.held.load(Ordering::SeqCst) == RUNNING { &self.0.ahead } else { &self.0.held };
        hand.fetch_add(by, Ordering::SeqCst);
        self.0.moved.notify_waiters();
    }

    /// Resolves when somebody moves the clock.
    pub async fn moved(&self) {
        self.0.moved.notified().await;
    }
}

#[expect(clippy::disallowed_methods, reason = "the sandbox's one look at the machine's clock")]
fn machine_millis() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .ok()
        .and_then(|since| i64::try_from(since.as_millis()).ok())
        .unwrap_or_default()
}

/// RFC 3339 of seconds since the epoch, by the civil-from-days algorithm for the proleptic Gregorian
/// calendar.
pub(crate) fn instant(seconds: i64) -> String {
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let part = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * part + 2) / 5 + 1;
    let month = if part < 10 { part + 3 } else { part - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.000Z",
        second / 3600,
        second / 60 % 60,
        second % 60
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_is_a_day_and_a_time() {
        for (seconds, told) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400, "2000-02-29T00:00:00.000Z"),
            (1_790_000_000, "2026-09-21T14:13:20.000Z"),
            (-1, "1969-12-31T23:59:59.000Z"),
        ] {
            assert_eq!(instant(seconds), told);
        }
    }

    #[test]
    fn a_held_clock_moves_only_when_it_is_moved() {
        let clock = Clock::held_at(1_790_000_000);
        assert_eq!(clock.seconds(), 1_790_000_000);
        clock.clone().advance(Duration::from_secs(61));
        assert_eq!(clock.seconds(), 1_790_000_061, "clones share the time");
    }

    #[test]
    fn a_running_clock_can_be_moved_forward() {
        let clock = Clock::running();
        let before = clock.millis();
        clock.advance(Duration::from_hours(1));
        assert!(clock.millis() >= before + 3_600_000);
    }
}
