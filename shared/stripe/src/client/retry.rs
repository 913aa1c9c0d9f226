//! When a read is tried again, and after which wait: the rule of Stripe's own libraries.

use std::time::Duration;

use reqwest::{StatusCode, header::HeaderMap};

/// How often and how long.
#[derive(Debug, Clone, Copy)]
pub struct Retry {
    /// Tries after the first.
    pub retries: u32,
    /// The wait before the first of them; it doubles from one to the next.
    pub first: Duration,
    /// The longest wait.
    pub longest: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self { retries: 2, first: Duration::from_millis(500), longest: Duration::from_secs(5) }
    }
}

impl Retry {
    /// The wait before retry `number`, from 1: half of it certain, the other half by `random`, and
    /// never below the first.
    pub fn wait(&self, number: u32, random: u32) -> Duration {
        let doubled = 2_u32.saturating_pow(number.saturating_sub(1));
        let full = self.first.saturating_mul(doubled).min(self.longest);
        let half = full / 2;
        (half + half * (random % 1001) / 1000).max(self.first)
    }
}

/// Whether an answer asks for another try. `Stripe-Should-Retry` decides if it is there; a plain 429
/// is not tried again, since that is what made it.
pub(crate) fn asks_for_retry(status: StatusCode, headers: &HeaderMap) -> bool {
    match headers.get("stripe-should-retry").map(reqwest::header::HeaderValue::as_bytes) {
        Some(b"true") => true,
        Some(b"false") => false,
        _ => status == StatusCode::CONFLICT || status.is_server_error(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_with_jitter_between_half_and_whole_and_never_below_the_first() {
        let retry = Retry::default();
        let millis = |number, random| retry.wait(number, random).as_millis();
        assert_eq!((millis(1, 0), millis(1, 1000)), (500, 500));
        assert_eq!((millis(2, 0), millis(2, 1000)), (500, 1000));
        assert_eq!((millis(3, 0), millis(3, 500), millis(3, 1000)), (1000, 1500, 2000));
        assert_eq!((millis(9, 0), millis(9, 1000)), (2500, 5000));
        assert_eq!(millis(u32::MAX, 1000), 5000);
    }

    #[test]
    fn stripes_own_word_on_retrying_wins() {
        let with = |status: u16, word: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            if let Some(word) = word {
                headers.insert("stripe-should-retry", word.parse().unwrap());
            }
            asks_for_retry(StatusCode::from_u16(status).unwrap(), &headers)
        };
        assert!(with(500, None) && with(503, None) && with(409, None));
        assert!(!with(429, None) && !with(400, None) && !with(404, None));
        assert!(with(429, Some("true")) && !with(500, Some("false")));
        assert!(with(500, Some("perhaps")), "an unknown word does not count");
    }
}
