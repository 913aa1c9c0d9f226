//! A pace for each account, so that our reads do not use up what the account's owner needs.

use std::{collections::HashMap, sync::Mutex, time::Duration};

use tokio::time::{Instant, sleep_until};

use crate::Scope;

/// How fast requests may go out.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Requests a second, for each account. Stripe allows 100 in live mode and 25 in a sandbox
    /// (<https://docs.stripe.com/rate-limits>).
    pub per_second: u32,
    /// How many may go out at once after a pause.
    pub burst: u32,
}

impl Default for Pace {
    fn default() -> Self {
        Self { per_second: 20, burst: 10 }
    }
}

/// Remembers when the next request of each account is due.
#[derive(Debug)]
pub(crate) struct Pacer {
    gap: Duration,
    ahead: Duration,
    due: Mutex<HashMap<Scope, Instant>>,
}

impl Pacer {
    pub(crate) fn new(pace: Pace) -> Self {
        let gap = Duration::from_secs(1) / pace.per_second.max(1);
        Self { gap, ahead: gap * pace.burst.max(1).saturating_sub(1), due: Mutex::default() }
    }

    /// Waits for this account's turn.
    pub(crate) async fn turn(&self, scope: &Scope) {
        if let Some(at) = self.book(scope, Instant::now()) {
            sleep_until(at).await;
        }
    }

    /// Takes the next free place and says when it is, unless it is now.
    fn book(&self, scope: &Scope, now: Instant) -> Option<Instant> {
        let mut due = self.due.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        // An account whose place lies in the past is as good as a new one.
        due.retain(|_, place| *place > now);
        let place = due.get(scope).copied().unwrap_or(now);
        due.insert(scope.clone(), place + self.gap);
        drop(due);
        place.checked_sub(self.ahead).filter(|at| *at > now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_burst_goes_at_once_and_then_the_pace_holds_for_each_account() {
        let pacer = Pacer::new(Pace { per_second: 10, burst: 3 });
        let start = Instant::now();
        for _ in 0..3 {
            pacer.turn(&Scope::Own).await;
        }
        assert_eq!(start.elapsed(), Duration::ZERO);
        pacer.turn(&Scope::Own).await;
        pacer.turn(&Scope::Own).await;
        assert_eq!(start.elapsed().as_millis(), 200);
        pacer.turn(&Scope::Context("acct_2".into())).await;
        assert_eq!(start.elapsed().as_millis(), 200, "another account waits for nobody");
        tokio::time::advance(Duration::from_secs(9)).await;
        for _ in 0..3 {
            pacer.turn(&Scope::Own).await;
        }
        assert_eq!(start.elapsed().as_millis(), 9200, "after a pause the burst is there again");
    }
}
