//! The digest as a message, and as a table.

use std::collections::BTreeSet;

use domain::Money;

use super::{Digest, Sums};

/// One line of the table.
struct Line<'a> {
    section: &'a str,
    what: &'a str,
    touches: &'a BTreeSet<String>,
    count: u64,
    money: Option<Money>,
    until: String,
}

/// The digest as CSV (RFC 4180) with a header. Amounts are minor units.
pub fn csv(digest: &Digest) -> String {
    let mut text = String::from("from,until,section,what,touches,count,currency,amount_minor,deadline\r\n");
    for Line { section, what, touches, count, money, until } in lines(digest) {
        let touches: Vec<&str> = touches.iter().map(String::as_str).collect();
        let cells = [
            digest.from.to_string(),
            digest.until.to_string(),
            section.to_owned(),
            what.to_owned(),
            touches.join(" "),
            count.to_string(),
            money.map_or_else(String::new, |money| money.currency.code().to_owned()),
            money.map_or_else(String::new, |money| money.amount.to_string()),
            until,
        ];
        let cells: Vec<String> = cells.iter().map(|cell| quoted(cell)).collect();
        text.push_str(&cells.join(","));
        text.push_str("\r\n");
    }
    text
}

/// The digest as labels and values for a message.
pub fn message(digest: &Digest) -> Vec<(String, String)> {
    let mut facts = vec![
        ("Recovered".to_owned(), amounts(&digest.recovered)),
        ("At risk".to_owned(), amounts(&digest.at_risk)),
    ];
    for one in &digest.returned {
        let touches: Vec<String> = one.touches.iter().map(|word| word.replace('_', " ")).collect();
        let touches =
            if touches.is_empty() { String::new() } else { format!("; touches {}", touches.join(", ")) };
        let label = format!("{}: {}", one.kind.replace('_', " "), one.reason.replace('_', " "));
        facts.push((label, format!("{}{touches}", amounts(&one.sums))));
    }
    for one in digest.disputes.iter().take(10) {
        let amount = one.amount.map_or_else(|| "amount not known".to_owned(), |money| money.to_string());
        facts.push((format!("Dispute {}", one.dispute), format!("{amount}, until {}", one.deadline)));
    }
    if digest.disputes.len() > 10 {
        facts.push(("More disputes".to_owned(), (digest.disputes.len() - 10).to_string()));
    }
    for (what, count) in &digest.drift {
        facts.push((format!("Drift: {}", what.replace('_', " ")), count.to_string()));
    }
    facts.push(("Writes past the approvals".to_owned(), digest.external_writes.to_string()));
    for (person, votes) in &digest.people {
        let line = format!("{} approved ({}), {} denied", votes.approved, amounts(&votes.sums), votes.denied);
        facts.push((format!("Signed by {person}"), line));
    }
    facts
}

fn amounts(sums: &Sums) -> String {
    if sums.is_empty() {
        return "nothing".to_owned();
    }
    let parts =
        sums.iter().map(|(currency, sum)| format!("{} ({})", Money::new(sum.amount, *currency), sum.count));
    parts.collect::<Vec<_>>().join(", ")
}

fn lines(digest: &Digest) -> Vec<Line<'_>> {
    static NONE: BTreeSet<String> = BTreeSet::new();
    let mut lines = Vec::new();
    let mut sums = |section, what, touches, sums: &Sums| {
        lines.extend(sums.iter().map(|(currency, sum)| Line {
            section,
            what,
            touches,
            count: sum.count,
            money: Some(Money::new(sum.amount, *currency)),
            until: String::new(),
        }));
    };
    sums("recovered", "", &NONE, &digest.recovered);
    sums("at_risk", "", &NONE, &digest.at_risk);
    for one in &digest.returned {
        sums(one.kind.as_str(), one.reason.as_str(), &one.touches, &one.sums);
    }
    for (person, votes) in &digest.people {
        sums("approved_by", person.as_str(), &NONE, &votes.sums);
    }
    let line = |section, what, count| Line {
        section,
        what,
        touches: &NONE,
        count,
        money: None,
        until: String::new(),
    };
    lines.extend(digest.people.iter().map(|(person, votes)| line("denied_by", person, votes.denied)));
    lines.extend(digest.disputes.iter().map(|one| Line {
        money: one.amount,
        until: one.deadline.to_string(),
        ..line("dispute", &one.dispute, 1)
    }));
    lines.extend(digest.drift.iter().map(|(what, count)| line("drift", what, *count)));
    lines.push(line("external_writes", "", digest.external_writes));
    lines
}

/// A cell with quotes where they are needed. What a spreadsheet would take for a formula begins with an
/// apostrophe.
fn quoted(cell: &str) -> String {
    let is_formula = cell.starts_with(['=', '+', '@', '\t', '\r'])
        || (cell.starts_with('-') && cell.parse::<i64>().is_err());
    let cell = if is_formula { format!("'{cell}") } else { cell.to_owned() };
    if cell.contains(['"', ',', '\n', '\r']) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use domain::{Currency, Timestamp};

    use super::{
        super::{Person, Returned, Sum, Waiting},
        *,
    };

    fn digest() -> Digest {
        let usd = Currency::parse("usd").unwrap();
        let sums = |count, amount| -> Sums { [(usd, Sum { count, amount })].into() };
        Digest {
            from: Timestamp::from_seconds(1_790_000_000),
            until: Timestamp::from_seconds(1_790_086_400),
            recovered: sums(2, 6800),
            at_risk: sums(1, 149_900),
            returned: vec![Returned {
                kind: "refund".into(),
                reason: "=HYPERLINK(\"x\"), \"quoted\"".into(),
                touches: ["entitlements".to_owned(), "revenue_recognition".to_owned()].into(),
                sums: sums(1, 500),
            }],
            disputes: vec![Waiting {
                dispute: "du_1".into(),
                amount: Some(Money::new(149_900, usd)),
                deadline: Timestamp::from_seconds(1_790_500_000),
            }],
            drift: [("access_off".to_owned(), 3)].into(),
            external_writes: 1,
            people: [("finance-lead".to_owned(), Person { approved: 2, denied: 1, sums: sums(2, 900) })]
                .into_iter()
                .collect::<BTreeMap<_, _>>(),
        }
    }

    #[test]
    fn the_table_has_one_line_for_each_figure_and_no_cell_that_a_spreadsheet_would_run() {
        let table = csv(&digest());
        let lines: Vec<&str> = table.split("\r\n").collect();
        let day = "2026-09-21T14:13:20Z,2026-09-22T14:13:20Z";
        assert_eq!(lines[1], format!("{day},recovered,,,2,usd,6800,"));
        assert_eq!(
            lines[3],
            format!(
                "{day},refund,\"'=HYPERLINK(\"\"x\"\"), \"\"quoted\"\"\",entitlements revenue_recognition,1,usd,500,"
            )
        );
        assert_eq!(lines[6], format!("{day},dispute,du_1,,1,usd,149900,2026-09-27T09:06:40Z"));
        assert_eq!(lines.len(), 10, "{table}");
    }

    #[test]
    fn the_message_says_what_finance_asks_first() {
        let facts = message(&digest());
        assert_eq!(facts[0], ("Recovered".into(), "68.00 USD (2)".into()));
        assert!(
            facts
                .iter()
                .any(|(label, value)| label.starts_with("refund") && value.contains("touches entitlements"))
        );
        assert!(facts.iter().any(|(label, _)| label == "Signed by finance-lead"));
    }
}
