//! Text that somebody else wrote, made harmless: it can say anything and do nothing.

/// The text as one line: white space collapsed, invisible characters removed, `&`, `<` and `>`
/// escaped (<https://docs.slack.dev/messaging/formatting-message-text#escaping>), and cut with an
/// ellipsis so that at most `longest` characters are sent, an escape counting as what is sent.
pub fn plain(text: &str, longest: usize) -> String {
    cut(&line(text), longest)
}

/// Like [`plain`], keeping paragraphs: lines stay lines, with at most one blank line between them.
pub fn paragraphs(text: &str, longest: usize) -> String {
    cut(&lines(text), longest)
}

/// Like [`plain`], without the escapes: for places that show text as it is.
pub fn bare(text: &str, longest: usize) -> String {
    shorten(&line(text), longest)
}

/// Like [`paragraphs`], without the escapes.
pub fn bare_paragraphs(text: &str, longest: usize) -> String {
    shorten(&lines(text), longest)
}

fn line(text: &str) -> String {
    let words: Vec<String> = text.split_whitespace().map(visible).filter(|word| !word.is_empty()).collect();
    words.join(" ")
}

fn lines(text: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines().map(line) {
        if !line.is_empty() || lines.last().is_some_and(|last| !last.is_empty()) {
            lines.push(line);
        }
    }
    lines.join("\n").trim_end().to_owned()
}

fn shorten(text: &str, longest: usize) -> String {
    if text.chars().count() <= longest {
        return text.to_owned();
    }
    text.chars().take(longest.saturating_sub(1)).chain(['…']).collect()
}

fn visible(word: &str) -> String {
    word.chars().filter(|character| !is_invisible(*character)).collect()
}

/// Control characters; and those of Unicode's category Cf, with the other default-ignorable ones,
/// that show nothing but reorder or hide what others see: direction (UAX #9), zero width, tags,
/// variation selectors, fillers (<https://www.unicode.org/reports/tr36/#Bidirectional_Text_Spoofing>).
fn is_invisible(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{00AD}' | '\u{034F}' | '\u{061C}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}'
            | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}' | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}'
            | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E0FFF}')
}

fn cut(text: &str, longest: usize) -> String {
    let whole: usize = text.chars().map(|character| sent(character).1).sum();
    let room = if whole > longest { longest.saturating_sub(1) } else { longest };
    let (mut out, mut used) = (String::with_capacity(text.len()), 0);
    for character in text.chars() {
        let (escape, length) = sent(character);
        if used + length > room {
            break;
        }
        used += length;
        match escape {
            Some(escape) => out.push_str(escape),
            None => out.push(character),
        }
    }
    if whole > longest && longest > 0 {
        out.push('…');
    }
    out
}

/// How a character is sent, and as how many characters.
const fn sent(character: char) -> (Option<&'static str>, usize) {
    match character {
        '&' => (Some("&amp;"), 5),
        '<' => (Some("&lt;"), 4),
        '>' => (Some("&gt;"), 4),
        _ => (None, 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_is_escaped() {
        let text = "<https://evil.example.test|Approve> <!channel> <@U123> *bold* `code` a&b";
        assert_eq!(
            plain(text, 200),
            "&lt;https://evil.example.test|Approve&gt; &lt;!channel&gt; &lt;@U123&gt; *bold* `code` a&amp;b"
        );
    }

    #[test]
    fn characters_that_hide_or_reorder_are_removed() {
        let text = "pay\u{202E}001\u{2066} \u{200B}now\u{0007}\u{FEFF}\u{E0041} \u{2060}";
        assert_eq!(plain(text, 200), "pay001 now");
    }

    #[test]
    fn white_space_is_collapsed_and_paragraphs_are_kept_where_asked() {
        let text = "  one\t two\r\n\n\n\u{00A0}three \n";
        assert_eq!(plain(text, 200), "one two three");
        assert_eq!(paragraphs(text, 200), "one two\n\nthree");
    }

    #[test]
    fn a_cut_never_splits_an_escape_and_fits() {
        for longest in 0..30 {
            let shown = plain("a<b>c&d<e>f", longest);
            assert!(shown.chars().count() <= longest, "{longest}: {shown}");
            let unescaped = shown.replace("&amp;", "").replace("&lt;", "").replace("&gt;", "");
            assert!(!unescaped.contains('&'), "{longest}: {shown}");
        }
        assert_eq!(plain("abcdef", 6), "abcdef");
        assert_eq!(plain("abcdefg", 6), "abcde…");
    }
}
