//! The one place that reads the time.

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use domain::Timestamp;

/// Tells the time. Passed in everywhere, so that a test decides what time it is.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The machine's clock, in whole seconds rounded down.
pub fn system_clock() -> Clock {
    Arc::new(|| {
        #[expect(clippy::disallowed_methods, reason = "this is where the time comes from")]
        let now = SystemTime::now();
        let seconds = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        Timestamp::from_seconds(i64::try_from(seconds).unwrap_or(i64::MAX))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_clock_counts_seconds_since_1970() {
        let year_2024 = Timestamp::from_seconds(1_704_067_200);
        let year_2100 = Timestamp::from_seconds(4_102_444_800);
        let now = system_clock()();
        assert!(now > year_2024 && now < year_2100, "{now}");
    }
}
