//! Policy language: words that promise, threaten or decide something. They stand in approved templates
//! and nowhere else (I8).
//!
//! The lists are part of the code, so that no bundle can loosen them. They would rather stop a harmless
//! sentence than let a harmful one through.

use std::sync::LazyLock;

use super::{locale::Locale, slot::visible};

/// English, asked in every language, since German messages borrow these words. `*` stands for any
/// letters.
const ENGLISH: &[&str] = &[
    "accept* liability",
    "attorney*",
    "bailiff*",
    "cancel*",
    "chargeback*",
    "charge-back*",
    "collection agency",
    "compensat*",
    "court",
    "courts",
    "credit note*",
    "debt*",
    "disput*",
    "fraud*",
    "goodwill",
    "guarant*",
    "lawsuit*",
    "lawyer*",
    "legal*",
    "liabilit*",
    "liable",
    "litigat*",
    "money back",
    "penalt*",
    "prosecut*",
    "reimburs*",
    "refund*",
    "sue",
    "sued",
    "suing",
    "suspen*",
    "terminat*",
    "waive*",
    "write off",
    "written off",
];

/// German. Compounds hide words in the middle, so most of these match there too; umlauts also count
/// when they are written out.
const GERMAN: &[&str] = &[
    "*anwalt*",
    "*anwält*",
    "*betrug*",
    "*betrüg*",
    "*entschädig*",
    "*erstatt*",
    "gebühr*",
    "*mahngebühr*",
    "*garanti*",
    "geld zurück",
    "*gericht",
    "*gerichts*",
    "gerichtlich*",
    "*gutschrift*",
    "haft*",
    "*inkasso*",
    "*klage*",
    "verklag*",
    "*kulanz*",
    "*kündig*",
    "mahn*",
    "*pfänd*",
    "*rechtlich*",
    "*rückbuch*",
    "*rücklastschrift*",
    "*schadenersatz*",
    "*schadensersatz*",
    "schuld*",
    "*sperr*",
    "*storn*",
    "*strafe*",
    "*vollstreck*",
];

/// The words of one pattern.
type Pattern = Vec<String>;

static IN_ENGLISH: LazyLock<Vec<Pattern>> = LazyLock::new(|| patterns(ENGLISH));
static IN_GERMAN: LazyLock<Vec<Pattern>> = LazyLock::new(|| {
    let written_out: Vec<String> = GERMAN.iter().map(|pattern| written_out(pattern)).collect();
    let written_out: Vec<&str> = written_out.iter().map(String::as_str).collect();
    [ENGLISH, GERMAN, &written_out].map(patterns).concat()
});

fn patterns(list: &[&str]) -> Vec<Pattern> {
    list.iter().map(|pattern| pattern.split(' ').map(str::to_owned).collect()).collect()
}

/// The policy language in a text, as it stands there in lower case, in the order of the text. Empty if
/// there is none.
pub fn forbidden(text: &str, locale: Locale) -> Vec<String> {
    let words: Vec<String> = visible(text)
        .to_lowercase()
        .split(|sign: char| !sign.is_alphanumeric() && sign != '-')
        .map(|word| word.trim_matches('-').to_owned())
        .filter(|word| !word.is_empty())
        .collect();
    let patterns = match locale {
        Locale::En => &*IN_ENGLISH,
        Locale::De => &*IN_GERMAN,
    };
    (0..words.len())
        .filter_map(|start| {
            let rest = words.get(start..)?;
            patterns.iter().find_map(|pattern| {
                let here = rest.get(..pattern.len())?;
                here.iter().zip(pattern).all(|(word, part)| matches(word, part)).then(|| here.join(" "))
            })
        })
        .collect()
}

/// Umlauts as they are written without a German keyboard.
fn written_out(word: &str) -> String {
    word.replace('ä', "ae").replace('ö', "oe").replace('ü', "ue")
}

fn matches(word: &str, pattern: &str) -> bool {
    let stem = pattern.trim_matches('*');
    match (pattern.starts_with('*'), pattern.ends_with('*')) {
        (false, false) => word == stem,
        (false, true) => word.starts_with(stem),
        (true, false) => word.ends_with(stem),
        (true, true) => word.contains(stem),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policy_language_is_found_in_any_form() {
        for (text, word) in [
            ("We will REFUND you.", "refund"),
            ("a charge-back was made", "charge-back"),
            ("your re\u{200b}fund", "refund"),
            ("we shall see you in court!", "court"),
            ("your money  back", "money back"),
            ("We'll suspend access", "suspend"),
            ("your cancellation", "cancellation"),
        ] {
            assert_eq!(forbidden(text, Locale::En), [word], "{text}");
            assert_eq!(forbidden(text, Locale::De), [word], "{text}");
        }
        for (text, word) in [
            ("Wir erstatten den Betrag.", "erstatten"),
            ("Ihre Kontosperrung", "kontosperrung"),
            ("Rueckerstattung folgt", "rueckerstattung"),
            ("unser Rechtsanwalt", "rechtsanwalt"),
            ("Sie können kuendigen", "kuendigen"),
            ("das Mahnverfahren", "mahnverfahren"),
        ] {
            assert_eq!(forbidden(text, Locale::De), [word], "{text}");
            assert!(forbidden(text, Locale::En).is_empty(), "{text}");
        }
    }

    #[test]
    fn ordinary_words_are_left_alone() {
        for text in
            ["a courteous issue in our courtyard", "Sue-Ellen's pursuit", "Thank you for your payment."]
        {
            assert!(forbidden(text, Locale::En).is_empty(), "{text}");
        }
        let text = "Vielen Dank für Ihre Zahlung, wir haben sie erhalten und alles ist in Ordnung.";
        assert!(forbidden(text, Locale::De).is_empty());
        assert!(forbidden("", Locale::De).is_empty());
    }

    #[test]
    fn everything_that_is_found_is_named_in_the_order_of_the_text() {
        let found = forbidden("No refunds, no lawyers: the debt is cancelled.", Locale::En);
        assert_eq!(found, ["refunds", "lawyers", "debt", "cancelled"]);
    }
}
