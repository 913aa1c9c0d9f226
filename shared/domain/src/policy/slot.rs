//! What varies in a message: typed values, written by the rules of a language and made harmless.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use url::{Host, Url};

use super::{locale::Locale, zone::Zone};
use crate::{Money, Timestamp, advice::Checked};

/// What may stand in a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SlotType {
    /// An amount.
    Money,
    /// A day.
    Date,
    /// The address of a page.
    Link,
    /// What somebody is called.
    Name,
    /// A short fact, such as the number of an invoice.
    Text,
    /// A sentence or two that a model wrote, checked against the facts. Nothing else can fill it.
    Free,
}

/// A value for a slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Slot {
    /// Written by the language's rules.
    Money(Money),
    /// Written as a day by the language's rules, as it is in our time zone.
    Date(Timestamp),
    /// Written as it is.
    Link(Link),
    /// At most [`NAME`] characters, of which nothing is markup or a link.
    Name(String),
    /// At most [`TEXT`] characters, of which nothing is markup or a link.
    Text(String),
    /// Written as it is: it was checked.
    Free(Checked),
}

/// The most characters of a name.
pub const NAME: usize = 80;
/// The most characters of a text.
pub const TEXT: usize = 200;
/// The most bytes of a link; longer ones break in mail.
const LINK: usize = 1000;

impl Slot {
    /// Its type.
    pub const fn kind(&self) -> SlotType {
        match self {
            Self::Money(_) => SlotType::Money,
            Self::Date(_) => SlotType::Date,
            Self::Link(_) => SlotType::Link,
            Self::Name(_) => SlotType::Name,
            Self::Text(_) => SlotType::Text,
            Self::Free(_) => SlotType::Free,
        }
    }

    /// The value as it stands in the message, or what is wrong with it.
    pub(super) fn write(&self, locale: Locale, zone: &Zone) -> Result<String, &'static str> {
        let written = match self {
            Self::Money(money) => locale.money(*money),
            Self::Date(at) => locale.date(*at, zone).ok_or("the date is out of range")?,
            Self::Link(link) => link.as_str().to_owned(),
            Self::Name(name) => harmless(name, NAME),
            Self::Text(text) => harmless(text, TEXT),
            Self::Free(text) => text.as_str().to_owned(),
        };
        if written.is_empty() { Err("nothing readable is left of the value") } else { Ok(written) }
    }
}

/// Values by the name of their slot.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Slots(BTreeMap<String, Slot>);

impl Slots {
    /// Adds a value, or replaces it.
    #[must_use]
    pub fn with(mut self, name: &str, slot: Slot) -> Self {
        self.0.insert(name.to_owned(), slot);
        self
    }

    /// The value of a slot.
    pub fn get(&self, name: &str) -> Option<&Slot> {
        self.0.get(name)
    }

    /// The names of all values.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Of these facts those that are asked for: rendering refuses whatever a template does not
    /// declare.
    #[must_use]
    pub fn only(&self, wanted: &BTreeMap<String, SlotType>) -> Self {
        let wanted = self.0.iter().filter(|(name, _)| wanted.contains_key(*name));
        Self(wanted.map(|(name, slot)| (name.clone(), slot.clone())).collect())
    }
}

/// The address of a page: `https`, or `http` on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link(String);

/// A text that is no link for a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a link is an https address without a user's name, of at most {LINK} bytes")]
pub struct NotALink;

impl Link {
    /// Reads an address. Names in other scripts become ASCII, so that no letter looks like another.
    ///
    /// # Errors
    /// [`NotALink`] for any other scheme, a user's name or password in it, too long a text, or signs
    /// that end a link in mail or chat.
    pub fn parse(text: &str) -> Result<Self, NotALink> {
        let url = Url::parse(text).map_err(|_| NotALink)?;
        let here = match url.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        };
        let safe = url.scheme() == "https" || (url.scheme() == "http" && here);
        let anonymous = url.username().is_empty() && url.password().is_none();
        let written = String::from(url);
        let sign = |sign: char| sign.is_ascii_alphanumeric() || "-._~:/?#[]@!$&()+,;=%".contains(sign);
        if safe && anonymous && written.len() <= LINK && written.chars().all(sign) {
            Ok(Self(written))
        } else {
            Err(NotALink)
        }
    }

    /// The address.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A text in one line without what cannot be seen: control characters, marks that change the direction
/// of writing, and everything of no width. Spaces and line breaks of every kind become one space.
pub(crate) fn visible(text: &str) -> String {
    let seen: String = text
        .chars()
        .filter_map(|sign| match sign {
            sign if sign.is_whitespace() => Some(' '),
            sign if sign.is_control() || is_hidden(sign) => None,
            sign => Some(sign),
        })
        .collect();
    seen.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Characters that are drawn as nothing or that change how others are drawn
/// (`Default_Ignorable_Code_Point` and the bidirectional controls of Unicode, with the interlinear
/// annotations).
const fn is_hidden(sign: char) -> bool {
    matches!(
        sign,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

/// A text that stays text wherever it is shown. What is markup in HTML, Markdown or Slack becomes a
/// space; addresses of pages and mailboxes are taken apart so that no program makes a link of them.
fn harmless(text: &str, most: usize) -> String {
    let mut plain = String::with_capacity(text.len());
    let seen: Vec<char> = visible(text).chars().collect();
    for (index, sign) in seen.iter().copied().enumerate() {
        let before = index.checked_sub(1).and_then(|index| seen.get(index)).copied();
        let after = seen.get(index + 1).copied();
        let between = |test: fn(char) -> bool| before.is_some_and(test) && after.is_some_and(test);
        match sign {
            '<' | '>' | '[' | ']' | '{' | '}' | '|' | '\\' | '`' | '*' | '~' | '#' | '^' => plain.push(' '),
            // Inside a word it is part of an id; at its edge it is emphasis.
            '_' if !between(char::is_alphanumeric) => plain.push(' '),
            // Closes an HTML entity.
            ';' => plain.push(','),
            '@' | '\u{ff20}' | '\u{fe6b}' => plain.push_str(" at "),
            // A dot, or what browsers take for one in a name: followed by anything it may be a domain.
            '.' | '\u{2024}' | '\u{3002}' | '\u{fe52}' | '\u{ff0e}' | '\u{ff61}' => {
                plain.push('.');
                let number = between(|sign| sign.is_ascii_digit());
                if after.is_some_and(|after| after != ' ' && after != '.') && !(sign == '.' && number) {
                    plain.push(' ');
                }
            }
            // A scheme; a time of day stays.
            ':' | '\u{ff1a}' | '\u{fe55}' if !between(|sign| sign.is_ascii_digit()) => plain.push_str(": "),
            '/' | '\u{2044}' | '\u{2215}' | '\u{ff0f}' if after == Some(sign) => plain.push_str("/ "),
            sign => plain.push(sign),
        }
    }
    // Four numbers with dots between are an address too.
    let number = |part: &str| part.starts_with(|sign: char| sign.is_ascii_digit());
    if plain.split(' ').any(|word| word.split('.').filter(|part| number(part)).count() > 3) {
        plain = plain.replace('.', " ");
    }
    let plain = visible(&plain);
    // What starts a list, a quotation or a formula.
    let plain = plain.trim_start_matches(|sign: char| "-+=.,:/ ".contains(sign));
    if plain.chars().nth(most).is_none() {
        return plain.to_owned();
    }
    let short: String = plain.chars().take(most.saturating_sub(1)).collect();
    format!("{}…", short.trim_end_matches(|sign: char| !sign.is_alphanumeric()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn name(text: &str) -> String {
        harmless(text, NAME)
    }

    #[test]
    fn a_name_stays_a_name() {
        for text in
            ["Zoë O'Brien", "Müller & Söhne GmbH", "Łódź Sp. z o.o.", "株式会社日本", "Yahoo! (Berlin)", "3M"]
        {
            assert!(!name(text).is_empty());
        }
        assert_eq!(name("Zoë O'Brien"), "Zoë O'Brien");
        assert_eq!(name("Müller & Söhne, Inc."), "Müller & Söhne, Inc.");
        assert_eq!(name("  Ada \n\t Lovelace "), "Ada Lovelace");
    }

    #[test]
    fn markup_and_links_in_a_name_become_plain_words() {
        for (text, plain) in [
            ("<b>Bob</b>", "b Bob /b"),
            ("[Bob](https://evil.example)", "Bob (https: / /evil. example)"),
            ("<https://evil.example|Bob>", "https: / /evil. example Bob"),
            ("evil.example", "evil. example"),
            ("evil。example", "evil. example"),
            ("bob@evil.example", "bob at evil. example"),
            ("mailto:bob", "mailto: bob"),
            ("*Bob* _the_ `builder`", "Bob the builder"),
            ("&lt;script&gt;", "&lt,script&gt,"),
            ("- Bob", "Bob"),
            ("=SUM(A1)", "SUM(A1)"),
            ("1.2.3.4/x", "1 2 3 4/x"),
            ("{{ amount }}", "amount"),
        ] {
            assert_eq!(name(text), plain, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_seen_is_taken_out() {
        assert_eq!(name("B\u{200b}o\u{202e}b\u{feff}\u{ad}\u{e0041}"), "Bob");
        assert_eq!(name("\u{0}\u{7}\u{1b}[31mBob"), "31mBob");
        assert_eq!(name("\u{200f}\u{2066}\u{3164}"), "");
    }

    #[test]
    fn numbers_times_and_ids_stay_as_they_are() {
        for text in ["INV-0042", "in_1Abc_2", "10:30", "version 1.5", "50%"] {
            assert_eq!(harmless(text, TEXT), text);
        }
    }

    #[test]
    fn a_long_text_is_cut_and_says_so() {
        let long = name(&"ab ".repeat(60));
        assert!(long.chars().count() <= NAME && (long.ends_with("a…") || long.ends_with("b…")), "{long}");
        assert_eq!(name(&"a".repeat(NAME)), "a".repeat(NAME));
    }

    #[test]
    fn only_https_or_this_machine_is_a_link() {
        for good in [
            "https://invoice.stripe.com/i/acct_1/live_x?s=ap",
            "http://localhost:8400/billing",
            "http://127.0.0.1:8400/",
            "http://[::1]:8400/x",
        ] {
            assert_eq!(Link::parse(good).unwrap().as_str(), good);
        }
        assert_eq!(
            Link::parse("https://bücher.example/").unwrap().as_str(),
            "https://xn--bcher-kva.example/"
        );
        for bad in [
            "http://example.com",
            "javascript:alert(1)",
            "data:text/html,x",
            "ftp://localhost/",
            "//example.com",
            "/billing",
            "",
            "https://user@example.com/",
            "https://stripe.com:secret@example.com/",
            "https://example.com/a|b",
            "https://example.com/*b*",
            "https://",
        ] {
            assert_eq!(Link::parse(bad), Err(NotALink), "{bad}");
        }
        assert_eq!(Link::parse("https://example.com/a b").unwrap().as_str(), "https://example.com/a%20b");
        assert_eq!(Link::parse(&format!("https://example.com/{}", "a".repeat(LINK))), Err(NotALink));
    }

    const MARKUP: [char; 13] = ['<', '>', '[', ']', '{', '}', '|', '*', '`', '~', '#', '\\', '@'];

    /// Letters, everything that means something somewhere, and any sign at all.
    fn odd() -> impl Strategy<Value = String> {
        let signs = "[a-zA-Z0-9 ._:/@<>\\[\\](){}|*~`#^&;\\\\=+-]{0,120}";
        prop_oneof![signs, "\\PC{0,120}", any::<String>(), "(https?://|www\\.|mailto:)[a-z.@/]{1,30}"]
    }

    proptest! {
        #[test]
        fn no_text_becomes_markup_or_a_link(text in odd()) {
            let plain = name(&text);
            prop_assert!(plain.chars().count() <= NAME);
            prop_assert!(!plain.contains(MARKUP), "{plain}");
            prop_assert!(!plain.contains("//") && !plain.chars().any(|sign| sign.is_control() || is_hidden(sign)));
            let signs: Vec<char> = plain.chars().collect();
            for three in signs.windows(3) {
                if three[1] == '.' && three[2].is_alphanumeric() {
                    prop_assert!(three[0].is_ascii_digit() && three[2].is_ascii_digit(), "{plain}");
                }
                if three[1] == ':' && three[2] != ' ' {
                    prop_assert!(three[0].is_ascii_digit() && three[2].is_ascii_digit(), "{plain}");
                }
            }
        }

        #[test]
        fn what_is_harmless_is_left_alone(text in odd()) {
            let plain = name(&text);
            prop_assert_eq!(name(&plain), plain.clone());
        }

        #[test]
        fn a_link_reads_back_as_itself(text in "https://[a-z]{1,8}\\.[a-z]{2,3}/\\PC{0,30}") {
            if let Ok(link) = Link::parse(&text) {
                prop_assert_eq!(Link::parse(link.as_str()), Ok(link.clone()));
                prop_assert!(link.as_str().is_ascii() && !link.as_str().contains(char::is_whitespace));
            }
        }
    }
}
