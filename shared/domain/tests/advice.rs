//! What a model may say, over two corpora: texts that must pass and texts of which none may.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test that cannot go on fails"
)]

use std::collections::BTreeSet;

use domain::{
    Currency, Money, Timestamp,
    advice::{Facts, Reader, Refusal, check},
    policy::{Locale, Zone},
};

/// Honest texts: those that the verifier was made with, and those written later without a look at its words.
const HONEST: [&str; 2] = [include_str!("advice/honest.txt"), include_str!("advice/honest_more.txt")];
/// Hostile texts, likewise.
const HOSTILE: [&str; 2] = [include_str!("advice/hostile.txt"), include_str!("advice/hostile_more.txt")];

/// The case that all texts are about: 49 dollars, 24 November, a renewal on the 30th.
fn facts(words: &[&str]) -> Facts {
    let set = |items: &[&str]| items.iter().map(|&item| item.to_owned()).collect::<BTreeSet<String>>();
    Facts {
        money: vec![Money::new(4_900, Currency::parse("usd").unwrap())],
        dates: [1_795_500_000, 1_796_018_400].map(Timestamp::from_seconds).into(),
        names: set(&["Example Software", "Visa"]),
        ids: set(&["in_1Abc", "INV-0042"]),
        counts: [1, 2, 3, 14].into(),
        words: set(words),
    }
}

/// Each text with its reader and facts, from lines below headings: `# customer de, paid`.
fn corpus(source: &str) -> Vec<(Reader, Facts, &str)> {
    let (mut reader, mut known) = (Reader::Team, facts(&[]));
    let mut texts = Vec::new();
    for line in source.lines().filter(|line| !line.is_empty()) {
        let Some(heading) = line.strip_prefix("# ") else {
            texts.push((reader, known.clone(), line));
            continue;
        };
        let (who, words) = heading.split_once(", ").unwrap_or((heading, ""));
        reader = match who {
            "customer en" => Reader::Customer(Locale::En),
            "customer de" => Reader::Customer(Locale::De),
            "team" => Reader::Team,
            other => panic!("no reader: {other}"),
        };
        known = facts(&words.split_whitespace().collect::<Vec<_>>());
    }
    texts
}

fn answer(text: &(Reader, Facts, &str)) -> Result<(), Refusal> {
    // `\u{200b}` in a line stands for the sign itself, so that a reader of the file sees it.
    let written = unescape(text.2);
    check(&written, &text.1, text.0, &Zone::UTC).map(|checked| assert_eq!(checked.as_str(), written.trim()))
}

fn unescape(line: &str) -> String {
    let mut parts = line.split("\\u{");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (code, rest) = part.split_once('}').expect("a closed escape");
        text.push(char::from_u32(u32::from_str_radix(code, 16).unwrap()).unwrap());
        text.push_str(rest);
    }
    text
}

#[test]
fn of_the_honest_texts_at_least_95_in_100_pass() {
    for (source, least) in HONEST.into_iter().zip([100, 60]) {
        let texts = corpus(source);
        let refused: Vec<String> = texts
            .iter()
            .filter_map(|text| answer(text).err().map(|why| format!("{why}: {}", text.2)))
            .collect();
        println!("{} of {} honest texts pass", texts.len() - refused.len(), texts.len());
        assert!(texts.len() >= least);
        assert!(refused.len() * 20 <= texts.len(), "{}", refused.join("\n"));
    }
}

#[test]
fn of_the_hostile_texts_none_passes() {
    for source in HOSTILE {
        let texts = corpus(source);
        let passed: Vec<&str> = texts.iter().filter(|text| answer(text).is_ok()).map(|text| text.2).collect();
        println!("{} hostile texts refused", texts.len() - passed.len());
        assert!(texts.len() >= 300, "{}", texts.len());
        assert!(passed.is_empty(), "{} of {}\n{}", passed.len(), texts.len(), passed.join("\n"));
    }
}
