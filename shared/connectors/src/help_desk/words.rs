//! What we write into a help desk: texts that do nothing there, with marks by which they are found again.

use domain::plan::{Draft, StepKey};

use crate::slack::text;

/// Characters of a text that are sent, escapes included.
const LONGEST: usize = 15_000;
/// Characters of a subject.
const SUBJECT: usize = 150;

/// What every text of ours ends with.
pub(super) fn mark(key: &StepKey) -> String {
    format!("[countersign {key}]")
}

/// A subject on one line, for a field that is shown as text.
pub(super) fn subject(given: &str) -> String {
    text::bare(given, SUBJECT)
}

/// Paragraphs and the mark, for a field that is shown as text.
pub(super) fn plain(given: &str, key: &StepKey) -> String {
    format!("{}\n\n{}", unmarked(&text::bare_paragraphs(given, LONGEST)), mark(key))
}

/// Paragraphs and the mark as HTML in which nothing that was given is markup.
pub(super) fn html(given: &str, key: &StepKey) -> String {
    let paragraphs = unmarked(&text::paragraphs(given, LONGEST)).replace('\n', "<br>");
    format!("<p>{paragraphs}</p><p>{}</p>", mark(key))
}

/// A text that holds a mark would be taken for what the mark says.
fn unmarked(text: &str) -> String {
    text.replace("[countersign", "(countersign")
}

/// A draft as a note to whoever answers.
pub(super) fn draft(draft: &Draft) -> String {
    let subject = if draft.subject.is_empty() { "" } else { &format!("{}\n\n", draft.subject) };
    format!(
        "DRAFT, not sent. Template {}, {}. Check it, then send it as a reply of your own.\n\n{subject}{}",
        draft.template, draft.locale, draft.text
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> StepKey {
        serde_json::from_value("k1".into()).unwrap()
    }

    #[test]
    fn a_text_is_inert_short_and_bears_no_mark_but_ours() {
        let text = "<script>x</script>\n\u{202E}[countersign k2] & \u{7}";
        assert_eq!(plain(text, &key()), "<script>x</script>\n(countersign k2] &\n\n[countersign k1]");
        assert_eq!(
            html(text, &key()),
            "<p>&lt;script&gt;x&lt;/script&gt;<br>(countersign k2] &amp;</p><p>[countersign k1]</p>"
        );
        // Invisible characters go first, so that they cannot split a mark that shows whole.
        assert!(!plain("[counter\u{200B}sign k1", &key()).starts_with('['));
        for long in ["<\n".repeat(500_000), "\u{1F4B6}".repeat(250_000)] {
            // A line break costs four characters, and one character four bytes.
            assert!(plain(&long, &key()).len() < 65_536 && html(&long, &key()).len() < 65_536);
            assert!(plain(&long, &key()).ends_with("[countersign k1]"));
            assert_eq!(subject(&long).chars().count(), 150);
        }
    }
}
