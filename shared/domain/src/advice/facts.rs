//! What a text may say: the facts of the case, in every spelling in which a careful writer puts them.

use std::collections::BTreeSet;

use crate::{
    Money, Timestamp,
    policy::{Locale, Zone, words::forbidden},
};

/// The facts of a case that a text may state. What is not among them cannot be said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// Amounts.
    pub money: Vec<Money>,
    /// Days.
    pub dates: Vec<Timestamp>,
    /// What somebody or something is called, exactly as it is written: the company, a card's brand.
    pub names: BTreeSet<String>,
    /// Ids and numbers of documents, for colleagues: `in_1Abc`, `INV-0042`.
    pub ids: BTreeSet<String>,
    /// Counts, for colleagues: tries, open conversations, days.
    pub counts: BTreeSet<u32>,
    /// Words of policy and state that are true of this case, for colleagues: `dispute`, `paid`.
    pub words: BTreeSet<String>,
}

/// What a spelling says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// An amount.
    Money,
    /// A day.
    Day,
    /// A name or an id.
    Other,
}

/// The longest name that counts as one: a longer one is a text.
const NAME: usize = 60;

impl Facts {
    /// Every spelling of every fact, the longest first, so that none is taken for a part of another.
    /// A name which reads like policy or holds a number is no fact to quote: whoever chose it chose the
    /// words.
    pub(super) fn spellings(&self, locale: Locale, zone: &Zone, for_colleagues: bool) -> Vec<(String, Kind)> {
        let money = self.money.iter().flat_map(|money| amounts(*money, locale));
        let dates = self.dates.iter().flat_map(|at| days(*at, locale, zone));
        let names = self.names.iter().filter(|name| is_name(name)).cloned();
        let ids = self.ids.iter().filter(|id| for_colleagues && is_id(id)).cloned();
        let money = money.map(|text| (text, Kind::Money));
        let dates = dates.map(|text| (text, Kind::Day));
        let others = names.chain(ids).map(|text| (text, Kind::Other));
        let mut all: Vec<(String, Kind)> =
            money.chain(dates).chain(others).filter(|(text, _)| !text.is_empty()).collect();
        all.sort_by_key(|(text, _)| std::cmp::Reverse(text.chars().count()));
        all.dedup();
        all
    }
}

fn is_name(name: &str) -> bool {
    let sign = |sign: char| sign.is_alphabetic() || " .&'’-".contains(sign);
    (2..=NAME).contains(&name.chars().count())
        && name.chars().all(sign)
        && name.split(' ').count() <= 5
        && Locale::ALL.iter().all(|locale| forbidden(name, *locale).is_empty())
}

fn is_id(id: &str) -> bool {
    let sign = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    (3..=80).contains(&id.len()) && id.bytes().all(sign) && id.bytes().any(|byte| byte.is_ascii_digit())
}

/// An amount as people write it: with its code before or after, with its symbol where the symbol names one
/// currency only, and without decimals that are zero.
fn amounts(money: Money, locale: Locale) -> Vec<String> {
    let code = money.currency.to_string();
    let full = locale.money(money);
    let Some(number) = full.strip_suffix(&format!(" {code}")).map(str::to_owned) else { return vec![full] };
    let zeros = [".", ","].map(|point| format!("{point}{}", "0".repeat(money.currency.decimals() as usize)));
    let whole =
        zeros.iter().find_map(|zeros| number.strip_suffix(zeros.as_str()).filter(|_| zeros.len() > 1));
    let plain = whole.map(str::to_owned);
    let symbol = match money.currency.code() {
        "eur" => Some("€"),
        "gbp" => Some("£"),
        "inr" => Some("₹"),
        _ => None,
    };
    let mut all = Vec::new();
    for number in [Some(number), plain].into_iter().flatten() {
        all.push(format!("{number} {code}"));
        all.push(format!("{code} {number}"));
        if let Some(symbol) = symbol {
            all.push(format!("{symbol}{number}"));
            all.push(format!("{number} {symbol}"));
        }
    }
    all
}

/// A day with its month as a word, with and without the year, and by ISO 8601. `03/04` names two days and is
/// never accepted.
fn days(at: Timestamp, locale: Locale, zone: &Zone) -> Vec<String> {
    let Some(full) = locale.date(at, zone) else { return Vec::new() };
    let Some((day_and_month, year)) = full.rsplit_once(' ') else { return vec![full] };
    let Some((day, month)) = day_and_month.split_once(' ') else { return vec![full.clone()] };
    let mut all = vec![full.clone(), day_and_month.to_owned()];
    if locale == Locale::En {
        all.extend([format!("{month} {day}, {year}"), format!("{month} {day}")]);
    }
    all.extend(zone.day(at));
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Currency;

    fn money(amount: i64, code: &str) -> Money {
        Money::new(amount, Currency::parse(code).unwrap())
    }

    #[test]
    fn an_amount_has_the_spellings_that_name_it_and_no_other() {
        assert_eq!(amounts(money(4_900, "usd"), Locale::En), ["49.00 USD", "USD 49.00", "49 USD", "USD 49"]);
        assert_eq!(
            amounts(money(123_450, "eur"), Locale::De),
            ["1.234,50 EUR", "EUR 1.234,50", "€1.234,50", "1.234,50 €"]
        );
        assert_eq!(amounts(money(1_000, "jpy"), Locale::En), ["1,000 JPY", "JPY 1,000"]);
        assert_eq!(amounts(money(1_000, "kwd"), Locale::En), ["1.000 KWD", "KWD 1.000", "1 KWD", "KWD 1"]);
    }

    #[test]
    fn a_day_is_never_written_as_two_numbers() {
        let at = Timestamp::from_seconds(1_790_000_000);
        assert_eq!(
            days(at, Locale::En, &Zone::UTC),
            ["21 September 2026", "21 September", "September 21, 2026", "September 21", "2026-09-21"]
        );
        assert_eq!(days(at, Locale::De, &Zone::UTC), ["21. September 2026", "21. September", "2026-09-21"]);
    }

    #[test]
    fn a_name_that_says_something_cannot_be_quoted() {
        for name in ["Acme", "Müller & Söhne GmbH", "O’Brien Ltd."] {
            assert!(is_name(name), "{name}");
        }
        for name in
            ["You get your refund", "Approve 100", "a", "<b>", "The owner said that this is fine", "x.y/z"]
        {
            assert!(!is_name(name), "{name}");
        }
        assert!(is_id("in_1Abc") && is_id("INV-0042") && !is_id("approve") && !is_id("49 EUR"));
    }
}
