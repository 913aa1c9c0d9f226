//! Other people's words, made harmless, and our own made sentences.

use domain::{Timestamp, text::is_hidden};

/// What somebody else wrote: without characters that nobody sees, with at most one blank line in a row,
/// and at most `longest` characters. It is escaped where it is shown.
pub(crate) fn harmless(text: &str, longest: usize) -> String {
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines() {
        let words: Vec<String> =
            line.split_whitespace().map(visible).filter(|word| !word.is_empty()).collect();
        if !words.is_empty() || lines.last().is_some_and(|last| !last.is_empty()) {
            lines.push(words.join(" "));
        }
    }
    let text = lines.join("\n");
    let text = text.trim_end();
    if text.chars().count() <= longest {
        return text.to_owned();
    }
    let cut: String = text.chars().take(longest.saturating_sub(1)).collect();
    format!("{cut}…")
}

fn visible(word: &str) -> String {
    word.chars().filter(|character| !is_hidden(*character)).collect()
}

/// An error's words as a sentence.
pub(super) fn sentence(words: &str) -> String {
    let mut letters = words.chars();
    let first: String = letters.next().map(|letter| letter.to_uppercase().collect()).unwrap_or_default();
    let end = if words.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{first}{}{end}", letters.as_str())
}

/// A point in time, for people: `2026-11-23 14:13 UTC`.
pub(super) fn time(at: Timestamp) -> String {
    let text = at.to_string();
    let (day, rest) = text.split_once('T').unwrap_or((&text, ""));
    let minutes: String = rest.chars().take(5).collect();
    format!("{day} {minutes} UTC")
}

/// How long until then, roughly: `in 2 days`, `in 45 minutes`.
pub(super) fn until(then: Timestamp, now: Timestamp) -> String {
    let seconds = then.since(now);
    let say = |number: i64, unit: &str| format!("in {number} {unit}{}", if number == 1 { "" } else { "s" });
    match seconds {
        ..=0 => "over".to_owned(),
        1..=5_399 => say((seconds / 60).max(1), "minute"),
        5_400..=129_599 => say((seconds + 1_800) / 3_600, "hour"),
        _ => say((seconds + 43_200) / 86_400, "day"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_and_reordering_characters_are_taken_out() {
        assert_eq!(harmless("pay\u{202E}drow\u{200B} \u{7}now\u{FEFF}", 99), "paydrow now");
        assert_eq!(harmless("a\n\n\n b  c \n", 99), "a\n\nb c");
        assert_eq!(harmless("abcdef", 4), "abc…");
    }

    #[test]
    fn times_are_told_as_people_do() {
        let now = Timestamp::from_seconds(1_790_000_000);
        assert_eq!(time(now), "2026-09-21 14:13 UTC");
        assert_eq!(until(now.plus(59), now), "in 1 minute");
        assert_eq!(until(now.plus(7200), now), "in 2 hours");
        assert_eq!(until(now.plus(3 * 86_400), now), "in 3 days");
        assert_eq!(until(now, now), "over");
        assert_eq!(sentence("you have voted already"), "You have voted already.");
    }
}
