//! The starter bundle's calendar, and calendars in zones with odd clock changes.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on fails"
)]

use domain::{Timestamp, policy::Calendar};
use proptest::prelude::*;

const STARTER: &str = include_str!("../../../infra/policy/calendar.toml");

fn starter() -> Calendar {
    Calendar::parse(STARTER).unwrap()
}

/// Business hours every day, and a quiet night.
fn in_zone(zone: &str, from: &str, to: &str) -> Calendar {
    let days = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
    let hours = days.map(|day| format!("{day} = {{ from = \"09:00\", to = \"17:00\" }}")).join("\n");
    Calendar::parse(&format!(
        "time_zone = \"{zone}\"\n[hours]\n{hours}\n[quiet]\nfrom = \"{from}\"\nto = \"{to}\"\ndays_off = true\n"
    ))
    .unwrap()
}

fn at(text: &str) -> Timestamp {
    Timestamp::parse_rfc3339(text).unwrap()
}

#[test]
fn a_holiday_and_a_weekend_are_no_business_days() {
    let calendar = starter();
    for (day, works) in [
        ("2026-12-24T12:00:00Z", true),
        ("2026-12-25T12:00:00Z", false),
        ("2026-12-26T12:00:00Z", false),
        ("2026-12-28T12:00:00Z", true),
        ("2027-03-26T12:00:00Z", false),
    ] {
        assert_eq!(calendar.is_business_day(at(day)), works, "{day}");
    }
    assert_eq!(calendar.holiday(at("2026-12-25T12:00:00Z")), Some("Christmas Day"));
    assert_eq!(
        calendar.holiday(at("2026-12-24T23:30:00Z")),
        Some("Christmas Day"),
        "it is midnight in Berlin"
    );
}

#[test]
fn we_are_open_within_the_hours_of_the_day() {
    let calendar = starter();
    for (time, open) in [
        ("2026-11-27T07:59:59Z", false),
        ("2026-11-27T08:00:00Z", true),
        ("2026-11-27T14:59:59Z", true),
        ("2026-11-27T15:00:00Z", false),
        ("2026-11-28T10:00:00Z", false),
    ] {
        assert_eq!(calendar.is_open(at(time)), open, "{time}");
    }
}

#[test]
fn quiet_hours_go_over_midnight_and_over_days_off() {
    let calendar = starter();
    for (time, next) in [
        ("2026-11-26T12:00:00Z", "2026-11-26T12:00:00Z"),
        ("2026-11-26T18:00:00Z", "2026-11-27T07:00:00Z"),
        ("2026-11-27T06:59:59Z", "2026-11-27T07:00:00Z"),
        ("2026-11-27T18:00:00Z", "2026-11-30T07:00:00Z"),
        // Christmas on a Friday and a Saturday, then Sunday.
        ("2026-12-24T20:00:00Z", "2026-12-28T07:00:00Z"),
        // The clock goes forward on the Sunday, and the Monday is Easter Monday; the year after.
        ("2027-03-26T10:00:00Z", "2027-03-30T06:00:00Z"),
    ] {
        assert_eq!(calendar.next_allowed(at(time)), at(next), "{time}");
    }
}

#[test]
fn quiet_hours_end_right_when_the_clock_changes() {
    // In the hour that is left out, quiet ends when the clock has moved on.
    let night = in_zone("Europe/Berlin", "22:00", "02:30");
    assert_eq!(night.next_allowed(at("2026-03-29T00:00:00Z")), at("2026-03-29T01:00:00Z"));
    // In the hour that comes twice, it is quiet again for the second half hour.
    assert_eq!(night.next_allowed(at("2026-10-24T23:00:00Z")), at("2026-10-25T00:30:00Z"));
    assert!(night.is_quiet(at("2026-10-25T01:00:00Z")));
    assert_eq!(night.next_allowed(at("2026-10-25T01:00:00Z")), at("2026-10-25T01:30:00Z"));
    // Here midnight itself is left out.
    let cairo = in_zone("Africa/Cairo", "22:00", "00:30");
    assert_eq!(cairo.next_allowed(at("2026-04-23T21:00:00Z")), at("2026-04-23T22:00:00Z"));
}

#[test]
fn business_days_are_counted_without_weekends_and_holidays() {
    let calendar = starter();
    for (from, to, days) in [
        ("2026-11-26T10:00:00Z", "2026-11-26T22:00:00Z", 0),
        ("2026-11-26T10:00:00Z", "2026-11-27T09:00:00Z", 1),
        ("2026-11-27T10:00:00Z", "2026-11-30T09:00:00Z", 1),
        ("2026-12-24T10:00:00Z", "2026-12-28T10:00:00Z", 1),
        ("2026-12-28T10:00:00Z", "2026-12-24T10:00:00Z", -1),
    ] {
        assert_eq!(calendar.business_days_between(at(from), at(to)), days, "{from} {to}");
    }
}

#[test]
fn business_days_are_added_and_taken_away() {
    let calendar = starter();
    for (from, days, to) in [
        ("2026-11-26T10:00:00Z", 0, "2026-11-26T10:00:00Z"),
        ("2026-11-26T10:00:00Z", 2, "2026-11-30T10:00:00Z"),
        ("2026-11-30T10:00:00Z", -2, "2026-11-26T10:00:00Z"),
        ("2026-12-24T10:00:00Z", 1, "2026-12-28T10:00:00Z"),
        // The same time of day on the other side of a clock change.
        ("2026-10-23T10:00:00Z", 1, "2026-10-26T11:00:00Z"),
        // From a day off: the whole of the day, at its end or its start.
        ("2026-11-28T10:00:00Z", 1, "2026-11-30T22:59:59Z"),
        ("2026-11-28T10:00:00Z", -1, "2026-11-26T23:00:00Z"),
    ] {
        assert_eq!(calendar.add_business_days(at(from), days), at(to), "{from} {days}");
    }
}

#[test]
fn a_calendar_with_a_fault_is_refused_with_the_reason() {
    for (good, bad, says) in [
        ("Europe/Berlin", "Europe/Atlantis", "Europe/Atlantis"),
        ("to = \"16:00\"", "to = \"08:00\"", "Friday"),
        ("from = \"19:00\"", "from = \"08:00\"", "quiet"),
        ("from = \"19:00\"", "from = \"7 pm\"", "08:30"),
        ("from = \"19:00\"", "from = \"25:00\"", "25:00"),
        ("days_off = true", "", "days_off"),
        ("2026-12-26", "2026-12-32", "2026-12-32"),
        ("2026-12-26", "2026-12-25", "twice"),
        ("Second Day of Christmas", " ", "needs a name"),
        ("friday", "freitag", "freitag"),
        ("time_zone", "timezone", "timezone"),
    ] {
        let text = STARTER.replacen(good, bad, 1);
        assert_ne!(text, STARTER, "{good}");
        let error = Calendar::parse(&text).unwrap_err();
        assert!(error.contains(says), "{bad}: {error}");
    }
}

fn instants() -> impl Strategy<Value = Timestamp> {
    (1_767_225_600_i64..1_861_920_000).prop_map(Timestamp::from_seconds)
}

proptest! {
    #[test]
    fn adding_and_taking_away_leads_back(time in instants(), days in 0_i16..300) {
        let calendar = starter();
        prop_assume!(calendar.is_business_day(time));
        let later = calendar.add_business_days(time, days);
        prop_assert_eq!(calendar.business_days_between(time, later), i64::from(days));
        prop_assert_eq!(calendar.business_days_between(later, time), -i64::from(days));
        prop_assert_eq!(calendar.add_business_days(later, -days), time);
    }

    #[test]
    fn adding_keeps_the_order(one in instants(), more in 0_i64..1_000_000, days in -40_i16..40) {
        let (calendar, other) = (starter(), one.plus(more));
        prop_assert!(calendar.add_business_days(one, days) <= calendar.add_business_days(other, days));
        if days > 0 {
            prop_assert!(calendar.add_business_days(one, days - 1) <= calendar.add_business_days(one, days));
        }
    }

    #[test]
    fn the_next_allowed_instant_is_the_first_that_is_not_quiet(time in instants()) {
        let calendar = starter();
        let next = calendar.next_allowed(time);
        prop_assert!(next >= time && !calendar.is_quiet(next));
        prop_assert!(next == time || calendar.is_quiet(next.plus(-1)));
        prop_assert_eq!(calendar.next_allowed(next), next);
    }

    #[test]
    fn counting_is_additive(one in instants(), two in instants(), three in instants()) {
        let calendar = starter();
        let sum = calendar.business_days_between(one, two) + calendar.business_days_between(two, three);
        prop_assert_eq!(sum, calendar.business_days_between(one, three));
    }

    #[test]
    fn any_instant_and_any_number_of_days_has_an_answer(seconds in any::<i64>(), days in any::<i16>()) {
        let (calendar, time) = (starter(), Timestamp::from_seconds(seconds));
        calendar.add_business_days(time, days);
        calendar.next_allowed(time);
        calendar.is_open(time);
    }
}
