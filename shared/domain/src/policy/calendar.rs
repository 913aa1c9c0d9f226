//! When we work and when customers are left in peace: the bundle's `calendar.toml`.
//!
//! Everything is a question about a given instant; there is no clock here. Days are those of the
//! calendar's time zone, and a clock change makes a day shorter or longer, not another day.

use std::{collections::BTreeMap, str::FromStr};

use jiff::civil::{Date, DateTime, Time, Weekday};
use serde::Deserialize;

use super::zone::Zone;
use crate::Timestamp;

/// Business hours, holidays and quiet hours in one time zone.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Source")]
pub struct Calendar {
    zone: Zone,
    hours: BTreeMap<Day, Span>,
    quiet: Quiet,
    holidays: BTreeMap<Date, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Source {
    time_zone: Zone,
    hours: BTreeMap<Day, Span>,
    quiet: Quiet,
    #[serde(default)]
    holiday: Vec<Holiday>,
}

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Day {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

/// From one time of day until before another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Span {
    from: Clock,
    to: Clock,
}

/// When nothing is sent to customers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Quiet {
    from: Clock,
    to: Clock,
    /// Whether days without business hours are quiet as a whole.
    days_off: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Holiday {
    date: String,
    name: String,
}

/// A time of day: `08:30`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
struct Clock(Time);

/// The last instant that the calendar tells apart, the end of the year 2199; later ones count as this
/// one, and those before 1970 as its start. Stripe has neither.
const LAST: i64 = 7_258_118_399;

impl Calendar {
    /// Reads `calendar.toml`.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        toml::from_str(text).map_err(|error| error.to_string())
    }

    /// The time zone of all days and hours.
    pub const fn zone(&self) -> &Zone {
        &self.zone
    }

    /// The name of the holiday on the day of an instant, if it is one.
    pub fn holiday(&self, at: Timestamp) -> Option<&str> {
        self.holidays.get(&self.local(at).date()).map(String::as_str)
    }

    /// Whether the day of an instant has business hours and is no holiday.
    pub fn is_business_day(&self, at: Timestamp) -> bool {
        self.works(self.local(at).date())
    }

    /// Whether we are at work: on a business day, within its hours.
    pub fn is_open(&self, at: Timestamp) -> bool {
        let local = self.local(at);
        let within = |span: &Span| (span.from.0..span.to.0).contains(&local.time());
        self.works(local.date()) && self.hours.get(&local.weekday().into()).is_some_and(within)
    }

    /// Whether customers are left in peace.
    pub fn is_quiet(&self, at: Timestamp) -> bool {
        let local = self.local(at);
        let (time, from, to) = (local.time(), self.quiet.from.0, self.quiet.to.0);
        let by_night = if from <= to { from <= time && time < to } else { from <= time || time < to };
        by_night || (self.quiet.days_off && !self.works(local.date()))
    }

    /// The first instant from this one on that is not quiet.
    pub fn next_allowed(&self, at: Timestamp) -> Timestamp {
        let mut at = at;
        while self.is_quiet(at) {
            match self.next_change(at) {
                Some(next) => at = next,
                // The calendar's end.
                None => break,
            }
        }
        at
    }

    /// How many business days come after the day of `from`, up to the day of `to` with it: what is due
    /// today is due in none. Negative if `to` comes first.
    pub fn business_days_between(&self, from: Timestamp, to: Timestamp) -> i64 {
        let (mut day, until) = (self.local(from).date(), self.local(to).date());
        if until < day {
            return -self.business_days_between(to, from);
        }
        let mut days = 0;
        while day < until {
            let Ok(next) = day.tomorrow() else { break };
            day = next;
            days += i64::from(self.works(day));
        }
        days
    }

    /// This many business days later, or earlier if negative, at the same time of day. A day off counts
    /// as a whole: from one, the answer is the end of the last of those days, and backwards its start,
    /// so that nobody gets less time than was promised and no margin before a deadline shrinks.
    pub fn add_business_days(&self, at: Timestamp, days: i16) -> Timestamp {
        if days == 0 {
            return at;
        }
        let local = self.local(at);
        let mut day = local.date();
        let mut left = days.unsigned_abs();
        while left > 0 {
            let Ok(next) = (if days > 0 { day.tomorrow() } else { day.yesterday() }) else { break };
            day = next;
            left -= u16::from(self.works(day));
        }
        let time = match (self.works(local.date()), days > 0) {
            (true, _) => local.time(),
            (false, true) => Time::constant(23, 59, 59, 0),
            (false, false) => Time::midnight(),
        };
        self.zone.instants(day.to_datetime(time)).map_or(at, |(earlier, later)| {
            // An hour that comes twice: the one that gives more time.
            if days > 0 { later } else { earlier }
        })
    }

    fn works(&self, date: Date) -> bool {
        self.hours.contains_key(&date.weekday().into()) && !self.holidays.contains_key(&date)
    }

    fn local(&self, at: Timestamp) -> DateTime {
        let at = Timestamp::from_seconds(at.seconds().clamp(0, LAST));
        self.zone.local(at).unwrap_or_default()
    }

    /// The next instant after this one at which quiet may end: the end of the quiet hours, a new day, or
    /// a clock change that leaves one of these out.
    fn next_change(&self, at: Timestamp) -> Option<Timestamp> {
        if at.seconds() >= LAST {
            return None;
        }
        let today = self.local(at).date();
        let tomorrow = today.tomorrow().ok()?;
        [(today, self.quiet.to.0), (tomorrow, Time::midnight()), (tomorrow, self.quiet.to.0)]
            .into_iter()
            .filter_map(|(day, time)| self.zone.instants(day.to_datetime(time)))
            .flat_map(|(earlier, later)| [earlier, later])
            .chain(self.zone.next_clock_change(at))
            .filter(|next| *next > at)
            .min()
    }
}

impl TryFrom<Source> for Calendar {
    type Error = String;

    fn try_from(source: Source) -> Result<Self, String> {
        let Source { time_zone, hours, quiet, holiday } = source;
        if hours.is_empty() {
            return Err("`hours` needs at least one day, or nothing would ever be due".into());
        }
        if let Some((day, _)) = hours.iter().find(|(_, span)| span.to <= span.from) {
            return Err(format!("`hours` of {day:?}: `to` must be later than `from`"));
        }
        if quiet.from == quiet.to {
            return Err("`quiet`: `from` and `to` are the same; is it all day or never?".into());
        }
        let mut holidays = BTreeMap::new();
        for Holiday { date, name } in holiday {
            let day: Date =
                date.parse().map_err(|_| format!("`{date}` is no date; write for example `2026-12-25`"))?;
            if name.trim().is_empty() {
                return Err(format!("the holiday on {date} needs a name"));
            }
            if let Some(other) = holidays.insert(day, name) {
                return Err(format!("{date} is a holiday twice; it is `{other}` already"));
            }
        }
        Ok(Self { zone: time_zone, hours, quiet, holidays })
    }
}

impl TryFrom<String> for Clock {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no time of day; write for example `08:30`");
        if text.len() == 5 { Time::from_str(&text).map(Self).map_err(|_| wrong()) } else { Err(wrong()) }
    }
}

impl From<Weekday> for Day {
    fn from(day: Weekday) -> Self {
        match day {
            Weekday::Monday => Self::Monday,
            Weekday::Tuesday => Self::Tuesday,
            Weekday::Wednesday => Self::Wednesday,
            Weekday::Thursday => Self::Thursday,
            Weekday::Friday => Self::Friday,
            Weekday::Saturday => Self::Saturday,
            Weekday::Sunday => Self::Sunday,
        }
    }
}
