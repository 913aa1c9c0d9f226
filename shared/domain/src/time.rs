//! Points in time, as Stripe writes them: whole seconds since 1970 in UTC.

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{Error, Unexpected, Visitor},
};

/// Seconds since 1970-01-01T00:00:00Z. It is written as that number, and read from it or, for what people
/// write, from RFC 3339.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Either;

        impl Visitor<'_> for Either {
            type Value = Timestamp;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("seconds since 1970, or a time like `2026-11-24T10:00:00Z`")
            }

            fn visit_i64<E: Error>(self, seconds: i64) -> Result<Timestamp, E> {
                Ok(Timestamp(seconds))
            }

            fn visit_u64<E: Error>(self, seconds: u64) -> Result<Timestamp, E> {
                let fits = i64::try_from(seconds).map(Timestamp);
                fits.map_err(|_| E::invalid_value(Unexpected::Unsigned(seconds), &self))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Timestamp, E> {
                let time = Timestamp::parse_rfc3339(text);
                time.ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
            }
        }

        from.deserialize_any(Either)
    }
}

impl Timestamp {
    /// A point in time from seconds since the epoch.
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds)
    }

    /// Seconds since the epoch.
    pub const fn seconds(self) -> i64 {
        self.0
    }

    /// This many seconds later, or earlier if negative.
    #[must_use]
    pub const fn plus(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds))
    }

    /// Seconds from `earlier` until this; negative if `earlier` is later.
    pub const fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// The day in UTC, as `2026-11-23`.
    pub fn day(self) -> String {
        self.to_string().chars().take(10).collect()
    }

    /// Reads RFC 3339, as thin events write their time; parts of a second are dropped.
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        text.parse::<jiff::Timestamp>().ok().map(|time| Self(time.as_second()))
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_second(self.0) {
            Ok(time) => time.fmt(f),
            Err(_) => write!(f, "{} s", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timestamp_reads_and_writes_rfc_3339() {
        let time = Timestamp::from_seconds(1_790_000_000);
        assert_eq!(time.to_string(), "2026-09-21T14:13:20Z");
        assert_eq!(Timestamp::parse_rfc3339("2026-09-21T14:13:20.123Z"), Some(time));
        assert_eq!(time.day(), "2026-09-21");
        assert_eq!(Timestamp::parse_rfc3339("yesterday"), None);
        for written in ["1790000000", "\"2026-09-21T14:13:20Z\""] {
            assert_eq!(serde_json::from_str::<Timestamp>(written).ok(), Some(time), "{written}");
        }
        for odd in ["1.5", "\"1790000000\"", "18446744073709551615", "null"] {
            assert!(serde_json::from_str::<Timestamp>(odd).is_err(), "{odd}");
        }
    }
}
