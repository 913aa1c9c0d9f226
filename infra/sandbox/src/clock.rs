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

#[cfg(test)]
mod tests {
    use super::*;

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
