//! Values as the CRMs write them, and texts that do nothing in them.

use domain::{Currency, Money, Timestamp, plan::Task};

use crate::slack::text;

/// Characters of a text. HubSpot takes 65,536 for a note's body, in which an escape counts as written
/// and a line costs four; Salesforce takes 32,000 for a task's description.
const LONGEST: usize = 10_000;
/// Characters of a title: Salesforce's limit for a task's subject.
const TITLE: usize = 255;

/// A line without control and invisible characters, for fields that the vendor shows as text.
pub(super) fn title(given: &str) -> String {
    text::bare(given, TITLE)
}

/// Paragraphs as plain text.
pub(super) fn plain(given: &str) -> String {
    text::bare_paragraphs(given, LONGEST)
}

/// Paragraphs as HTML in which nothing that was given is markup.
pub(super) fn html(given: &str) -> String {
    text::paragraphs(given, LONGEST).replace('\n', "<br>")
}

/// A task's text with what is at stake.
pub(super) fn task(task: &Task) -> String {
    match task.value {
        Some(value) => format!("At stake: {value}\n\n{}", task.text),
        None => task.text.clone(),
    }
}

/// An amount in major units, as `1200`, `1200.5` or `1200.00`; `None` for any other text.
pub(super) fn money(amount: &str, currency: Currency) -> Option<Money> {
    let amount = match amount.split_once('.') {
        Some((whole, part)) => match part.trim_end_matches('0') {
            "" => whole.to_owned(),
            part => format!("{whole}.{part}"),
        },
        None => amount.to_owned(),
    };
    Money::parse(&amount, currency)
}

/// A date (its first second in UTC) or a point in time.
pub(super) fn time(given: &str) -> Option<Timestamp> {
    let colon = given.strip_suffix("+0000").map(|time| format!("{time}Z"));
    Timestamp::parse_rfc3339(colon.as_deref().unwrap_or(given))
        .or_else(|| Timestamp::parse_rfc3339(&format!("{given}T00:00:00Z")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_customers_text_is_inert_and_short() {
        let text = "<script>alert(1)</script>\n\u{202E}<b>&\u{7}";
        assert_eq!(html(text), "&lt;script&gt;alert(1)&lt;/script&gt;<br>&lt;b&gt;&amp;");
        assert_eq!(plain(text), "<script>alert(1)</script>\n<b>&");
        let long = "<\n".repeat(500_000);
        assert!(html(&long).chars().count() < 65_536);
        assert!(plain(&long).chars().count() <= LONGEST);
        assert!(title(&long).chars().count() <= TITLE);
    }

    #[test]
    fn amounts_and_times_are_read_as_the_vendors_write_them() {
        let (euro, yen) = (Currency::parse("eur").unwrap(), Currency::parse("jpy").unwrap());
        assert_eq!(money("1200.5", euro), Some(Money::new(120_050, euro)));
        assert_eq!(money("1200.0", yen), Some(Money::new(1200, yen)));
        for bad in ["1e5", "-1", "", "1,200", "1.005"] {
            assert_eq!(money(bad, euro), None, "{bad}");
        }
        let noon = Some(Timestamp::from_seconds(1_790_000_000));
        for text in ["2026-09-21T14:13:20Z", "2026-09-21T14:13:20.000+0000"] {
            assert_eq!(time(text), noon);
        }
        assert_eq!(time("2026-09-21"), Timestamp::parse_rfc3339("2026-09-21T00:00:00Z"));
        assert_eq!(time("soon"), None);
    }
}
