//! How amounts, dates and numbers are written in each language of the bundle.
//!
//! The tables are our own. ICU4X is the well-kept library for this, but its currency formatting is
//! still in its unstable part, and its decimals and dates alone bring 60 crates and 2 MB of packed data
//! for what are two separators and twelve names here. A third language is a column more; with many,
//! look at ICU4X again.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::zone::Zone;
use crate::{Money, Timestamp};

/// A language in which messages are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Locale {
    /// English.
    En,
    /// German.
    De,
}

const MONTHS_EN: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

const MONTHS_DE: [&str; 12] = [
    "Januar",
    "Februar",
    "März",
    "April",
    "Mai",
    "Juni",
    "Juli",
    "August",
    "September",
    "Oktober",
    "November",
    "Dezember",
];

impl Locale {
    /// All languages.
    pub const ALL: [Self; 2] = [Self::En, Self::De];

    /// Its code, as in a template's file name.
    pub const fn code(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::De => "de",
        }
    }

    /// The language of a tag, as Stripe has them in `preferred_locales`: `de`, `de-AT`, `en_GB`. The
    /// region makes no difference here. Nothing for a language that we do not write.
    pub fn parse(tag: &str) -> Option<Self> {
        let language = tag.trim().split(['-', '_']).next().unwrap_or_default();
        Self::ALL.into_iter().find(|locale| locale.code().eq_ignore_ascii_case(language))
    }

    /// The first language of a person's list that we write, or else the bundle's own.
    pub fn best<'a>(wanted: impl IntoIterator<Item = &'a str>, default: Self) -> Self {
        wanted.into_iter().find_map(Self::parse).unwrap_or(default)
    }

    /// A whole number with its thousands apart: `1,234,567` or `1.234.567`.
    pub fn number(self, number: i64) -> String {
        let sign = if number < 0 { "-" } else { "" };
        format!("{sign}{}", self.grouped(number.unsigned_abs()))
    }

    /// An amount with the decimals of its currency, then its code: `1,234.56 USD`, `1.234,56 EUR`,
    /// `1,500 JPY`. The code instead of a symbol, because `$` alone names a score of currencies; after
    /// the amount, as [`Money`] is written everywhere else.
    pub fn money(self, money: Money) -> String {
        let decimals = money.currency.decimals();
        let sign = if money.amount < 0 { "-" } else { "" };
        let (amount, unit) = (money.amount.unsigned_abs(), 10_u64.pow(decimals));
        let whole = self.grouped(amount / unit);
        if decimals == 0 {
            return format!("{sign}{whole} {}", money.currency);
        }
        let width = usize::try_from(decimals).unwrap_or(0);
        format!("{sign}{whole}{}{:0width$} {}", self.point(), amount % unit, money.currency)
    }

    /// A day as it is there: `24 November 2026` or `24. November 2026`. The month is a word, so nobody
    /// takes it for the day. Nothing for a time thousands of years away.
    pub fn date(self, at: Timestamp, zone: &Zone) -> Option<String> {
        let date = zone.local(at)?.date();
        let months = match self {
            Self::En => MONTHS_EN,
            Self::De => MONTHS_DE,
        };
        let month = months.get(usize::try_from(date.month()).ok()?.checked_sub(1)?)?;
        let after_day = match self {
            Self::En => "",
            Self::De => ".",
        };
        Some(format!("{}{after_day} {month} {}", date.day(), date.year()))
    }

    /// Digits in groups of three.
    fn grouped(self, number: u64) -> String {
        let digits = number.to_string();
        let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
        for (index, digit) in digits.chars().enumerate() {
            if index > 0 && (digits.len() - index).is_multiple_of(3) {
                grouped.push(self.thousands());
            }
            grouped.push(digit);
        }
        grouped
    }

    /// Between groups of three digits.
    const fn thousands(self) -> char {
        match self {
            Self::En => ',',
            Self::De => '.',
        }
    }

    /// Before the decimals.
    const fn point(self) -> char {
        match self {
            Self::En => '.',
            Self::De => ',',
        }
    }
}

impl fmt::Display for Locale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Currency;

    fn money(amount: i64, currency: &str) -> Money {
        Money::new(amount, Currency::parse(currency).unwrap())
    }

    #[test]
    fn an_amount_has_the_decimals_of_its_currency_and_the_signs_of_the_language() {
        for (amount, currency, en, de) in [
            (123_456, "usd", "1,234.56 USD", "1.234,56 USD"),
            (5, "eur", "0.05 EUR", "0,05 EUR"),
            (0, "eur", "0.00 EUR", "0,00 EUR"),
            (-100_000, "eur", "-1,000.00 EUR", "-1.000,00 EUR"),
            (1_500, "jpy", "1,500 JPY", "1.500 JPY"),
            (999, "krw", "999 KRW", "999 KRW"),
            (1_234_567, "kwd", "1,234.567 KWD", "1.234,567 KWD"),
            (i64::MIN, "usd", "-92,233,720,368,547,758.08 USD", "-92.233.720.368.547.758,08 USD"),
        ] {
            assert_eq!(Locale::En.money(money(amount, currency)), en);
            assert_eq!(Locale::De.money(money(amount, currency)), de);
        }
    }

    #[test]
    fn a_date_is_that_of_the_time_zone_with_the_month_as_a_word() {
        let berlin = Zone::parse("Europe/Berlin").unwrap();
        let late = Timestamp::parse_rfc3339("2026-02-28T23:30:00Z").unwrap();
        assert_eq!(Locale::En.date(late, &berlin).unwrap(), "1 March 2026");
        assert_eq!(Locale::De.date(late, &berlin).unwrap(), "1. März 2026");
        assert_eq!(Locale::En.date(late, &Zone::UTC).unwrap(), "28 February 2026");
        assert_eq!(Locale::En.date(Timestamp::from_seconds(i64::MAX), &Zone::UTC), None);
    }

    #[test]
    fn a_language_that_we_do_not_write_becomes_the_bundles_own() {
        assert_eq!(Locale::best(["fr-FR", "de-AT", "en"], Locale::En), Locale::De);
        assert_eq!(Locale::best(["pt-BR", "", "deu"], Locale::De), Locale::De);
        assert_eq!(Locale::best([], Locale::En), Locale::En);
        assert_eq!(Locale::parse("EN_gb"), Some(Locale::En));
        assert_eq!(Locale::parse("english"), None);
    }

    proptest! {
        #[test]
        fn an_amount_reads_back_as_what_it_was(amount in any::<i64>(), currency in "usd|eur|jpy|krw|kwd|tnd|isk") {
            for locale in Locale::ALL {
                let written = locale.money(money(amount, &currency));
                let plain: String = written
                    .chars()
                    .filter(|sign| *sign != locale.thousands())
                    .map(|sign| if sign == locale.point() { '.' } else { sign })
                    .collect();
                prop_assert_eq!(plain, money(amount, &currency).to_string());
            }
        }

        #[test]
        fn a_number_reads_back_and_its_groups_have_three_digits(number in any::<i64>()) {
            for locale in Locale::ALL {
                let written = locale.number(number);
                let groups: Vec<&str> = written.trim_start_matches('-').split(locale.thousands()).collect();
                prop_assert!(groups.iter().skip(1).all(|group| group.len() == 3) && groups[0].len() <= 3);
                let plain: String = written.chars().filter(|sign| *sign != locale.thousands()).collect();
                prop_assert_eq!(plain.parse::<i64>().unwrap(), number);
            }
        }

        #[test]
        fn every_day_that_can_be_written_is_written(seconds in -60_000_000_000_i64..60_000_000_000) {
            for locale in Locale::ALL {
                prop_assert!(locale.date(Timestamp::from_seconds(seconds), &Zone::UTC).is_some());
            }
        }
    }
}
