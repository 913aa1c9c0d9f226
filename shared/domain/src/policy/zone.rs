//! Time zones, from the database that is compiled in: neither the environment nor a file of the machine
//! has a say, so the same decision comes out everywhere.
//!
//! The bundled data adds about 200 kB to a binary.

use std::sync::LazyLock;

use jiff::{
    Timestamp as Instant,
    civil::DateTime,
    tz::{TimeZone, TimeZoneDatabase},
};
use serde::Deserialize;

use crate::Timestamp;

static DATABASE: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// A time zone of the IANA database.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Zone(TimeZone);

/// A text that names no time zone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no time zone of the IANA database; write for example `Europe/Berlin`")]
pub struct NotAZone(String);

impl Zone {
    /// Coordinated universal time.
    pub const UTC: Self = Self(TimeZone::UTC);

    /// A time zone by its name: `Europe/Berlin`.
    ///
    /// # Errors
    /// [`NotAZone`] for anything that the database does not have.
    pub fn parse(name: &str) -> Result<Self, NotAZone> {
        let zone = DATABASE.get(name).map_err(|_| NotAZone(name.to_owned()))?;
        if zone.is_unknown() { Err(NotAZone(name.to_owned())) } else { Ok(Self(zone)) }
    }

    /// What calendar and clock show there; nothing for a time thousands of years away.
    pub(super) fn local(&self, at: Timestamp) -> Option<DateTime> {
        Instant::from_second(at.seconds()).ok().map(|instant| self.0.to_datetime(instant))
    }

    /// The day that the calendar shows there, by ISO 8601: `2026-11-24`.
    pub fn day(&self, at: Timestamp) -> Option<String> {
        self.local(at).map(|there| there.date().to_string())
    }

    /// When the clock changes next after an instant.
    pub(super) fn next_clock_change(&self, after: Timestamp) -> Option<Timestamp> {
        let change = self.0.following(Instant::from_second(after.seconds()).ok()?).next()?;
        Some(Timestamp::from_seconds(change.timestamp().as_second()))
    }

    /// The earliest and the latest instant at which calendar and clock show this. They differ only
    /// where a clock change repeats an hour or leaves one out.
    pub(super) fn instants(&self, local: DateTime) -> Option<(Timestamp, Timestamp)> {
        let ambiguous = || self.0.to_ambiguous_timestamp(local);
        let (one, other) = (ambiguous().earlier().ok()?, ambiguous().later().ok()?);
        let seconds = |instant: Instant| Timestamp::from_seconds(instant.as_second());
        Some((seconds(one.min(other)), seconds(one.max(other))))
    }
}

impl TryFrom<String> for Zone {
    type Error = NotAZone;

    fn try_from(name: String) -> Result<Self, NotAZone> {
        Self::parse(&name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_come_from_the_bundled_data_by_their_name() {
        let berlin = Zone::parse("Europe/Berlin").unwrap();
        let at = Timestamp::parse_rfc3339("2026-07-01T22:30:00Z").unwrap();
        assert_eq!(berlin.local(at).unwrap().to_string(), "2026-07-02T00:30:00");
        assert_eq!(Zone::UTC.local(at).unwrap().to_string(), "2026-07-01T22:30:00");
        for bad in ["", "Europe/Nowhere", "CEST", "Etc/Unknown", "+01:00", "../etc/passwd"] {
            assert_eq!(Zone::parse(bad), Err(NotAZone(bad.to_owned())));
        }
    }

    #[test]
    fn a_repeated_hour_has_two_instants_and_any_other_one() {
        let berlin = Zone::parse("Europe/Berlin").unwrap();
        let span = |text: &str| berlin.instants(text.parse().unwrap()).map(|(one, other)| other.since(one));
        assert_eq!(span("2026-10-25T02:30:00"), Some(3600), "the clock goes back");
        assert_eq!(span("2026-03-29T02:30:00"), Some(3600), "the clock leaves this out");
        assert_eq!(span("2026-10-26T02:30:00"), Some(0));
    }
}
