//! What can go wrong with a call to a vendor, and what to do then.

use std::fmt;

/// The longest sentence of a vendor that is kept, in characters.
const LONGEST: usize = 200;

/// A call that did not succeed. Its text and its debug output hold ids and words of ours and the
/// vendor's short code, never a body, an address or what anybody wrote; they are fit for logs.
#[derive(Debug, thiserror::Error)]
#[error("{system} did not do `{call}`")]
pub struct ConnectorError {
    /// The vendor: `hubspot`.
    pub system: &'static str,
    /// Which of our calls: `task.create`.
    pub call: &'static str,
    /// Why.
    #[source]
    pub cause: Cause,
}

/// Why a call did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Cause {
    /// The vendor said no to this very call, and would again; nothing happened.
    #[error("refused with status {status}, `{code}`")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The vendor's word for it.
        code: Code,
        /// The vendor's own sentence.
        said: Said,
    },
    /// The vendor does not let us: a key, a scope or a setting, which somebody repairs while the step
    /// is still due. Nothing happened.
    #[error("not allowed, status {status}, `{code}`; run `countersign doctor`")]
    NotAllowed {
        /// The HTTP status.
        status: u16,
        /// The vendor's word for it.
        code: Code,
        /// The vendor's own sentence.
        said: Said,
    },
    /// Too many calls; nothing happened.
    #[error("the rate is limited")]
    Limited {
        /// Seconds to wait, if the vendor said.
        after: Option<u64>,
    },
    /// It was not called, because it failed too often just before.
    #[error("not called for {after} s after failures in a row")]
    LeftAlone {
        /// Seconds.
        after: u64,
    },
    /// An earlier try may have happened and not show yet: to be looked for again.
    #[error("an earlier try may not show yet; it is looked for again in {after} s")]
    Settling {
        /// Seconds.
        after: u64,
    },
    /// It was never reached.
    #[error("no connection")]
    NotReached,
    /// No usable answer to a call that may be repeated: a read, or a write that the vendor
    /// deduplicates.
    #[error("no usable answer ({0})")]
    NoAnswer(Lost),
    /// No usable answer to a write that the vendor does not deduplicate: it may have happened.
    #[error("the outcome is unknown ({0})")]
    Unknown(Lost),
    /// What the vendor holds contradicts itself, or what we expect: a person has to look.
    #[error("contradictory: {0}")]
    Contradictory(&'static str),
    /// Nothing there that the step could belong to.
    #[error("not found: {0}")]
    NotFound(&'static str),
    /// It answered that it does not answer this, or not in full; it would again.
    #[error("no answer: {0}")]
    Unanswered(&'static str),
}

/// What came instead of a usable answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Lost {
    /// Nothing within the time-out.
    #[error("nothing in time")]
    TimedOut,
    /// The connection broke.
    #[error("the connection was lost")]
    Broken,
    /// A status that says that the vendor failed.
    #[error("status {0}")]
    Status(u16),
    /// An answer that cannot be read.
    #[error("unreadable")]
    Unreadable,
}

/// What to do about a [`ConnectorError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Call again, at the earliest after this many seconds if the vendor said so. Nothing happened,
    /// or the call may be repeated.
    RetryLater {
        /// Seconds.
        after: Option<u64>,
    },
    /// Look whether it happened, then call again only if it did not.
    LookFirst,
    /// It will be refused again until somebody changes something.
    GiveUp,
}

impl ConnectorError {
    /// Whether the vendor said that there is no such thing, which is an answer.
    pub const fn is_not_found(&self) -> bool {
        matches!(self.cause, Cause::NotFound(_))
    }

    /// What to do. Exhaustive on purpose: a new cause must choose.
    pub const fn verdict(&self) -> Verdict {
        match &self.cause {
            Cause::Refused { .. } | Cause::Contradictory(_) | Cause::NotFound(_) | Cause::Unanswered(_) => {
                Verdict::GiveUp
            }
            Cause::NotAllowed { .. } => Verdict::RetryLater { after: Some(60) },
            Cause::Limited { after } => Verdict::RetryLater { after: *after },
            Cause::LeftAlone { after } | Cause::Settling { after } => {
                Verdict::RetryLater { after: Some(*after) }
            }
            Cause::NotReached | Cause::NoAnswer(_) => Verdict::RetryLater { after: None },
            Cause::Unknown(_) => Verdict::LookFirst,
        }
    }

    /// Seconds to wait, if the vendor or its breaker said how many.
    pub const fn retry_after(&self) -> Option<u64> {
        match self.verdict() {
            Verdict::RetryLater { after } => after,
            Verdict::LookFirst | Verdict::GiveUp => None,
        }
    }

    /// For the people who look at a failed step: what happened and, if the vendor gave one, its
    /// sentence. Not for logs.
    pub fn explain(&self) -> String {
        let Self { system, call, cause } = self;
        match cause {
            Cause::Refused { said, .. } | Cause::NotAllowed { said, .. } if !said.0.is_empty() => {
                format!("{system} did not do `{call}`: {cause}: {}", said.0)
            }
            _ => format!("{system} did not do `{call}`: {cause}"),
        }
    }
}

/// A vendor's word for an error, kept only if it is one: letters, digits, `_`, `-` and `.`, up to 64.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Code(String);

impl Code {
    /// The word, or `no_reason_given` for anything else.
    pub fn new(given: Option<&str>) -> Self {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
        let word = given.filter(|code| (1..=64).contains(&code.len()) && code.bytes().all(plain));
        Self(word.unwrap_or("no_reason_given").to_owned())
    }

    /// The word.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A vendor's own sentence, as far as it may be shown to people who look at a failed step: one line
/// of up to 200 characters, without what it may quote from a record. Hidden in debug output.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Said(String);

impl Said {
    /// Cleans a sentence: what stands in quotation marks, words with `@` and words with four digits
    /// or more are replaced by `…`, since vendors repeat there what was sent to them.
    pub fn new(given: &str) -> Self {
        // The cut before the cleaning bounds the work; what it leaves of a quotation is dropped below.
        let given: String = given.chars().take(LONGEST * 4).collect();
        let words = unquoted(&given);
        let words: Vec<String> = words.split_whitespace().map(word).collect();
        let line = words.join(" ");
        let mut shown: String = line.chars().take(LONGEST).collect();
        if line.chars().count() > LONGEST {
            shown.push('…');
        }
        Self(shown)
    }

    /// The sentence; empty if the vendor gave none.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Said(…)")
    }
}

fn word(given: &str) -> String {
    let shown: String = given.chars().filter(|c| !c.is_control()).collect();
    let quotes = shown.contains('@') || shown.chars().filter(char::is_ascii_digit).count() >= 4;
    if quotes { "…".to_owned() } else { shown }
}

/// The text with `…` for whatever stands in quotation marks. An apostrophe within a word is none.
fn unquoted(text: &str) -> String {
    let (mut out, mut open, mut last) = (String::new(), None, ' ');
    for c in text.chars() {
        match open {
            Some(end) if c == end => open = None,
            Some(_) => {}
            None => match c {
                '"' | '`' => open = Some(c),
                '\'' if !last.is_alphanumeric() => open = Some(c),
                '“' => open = Some('”'),
                '<' => open = Some('>'),
                _ => out.push(c),
            },
        }
        if open.is_some() && !out.ends_with('…') {
            out.push('…');
        }
        last = c;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(cause: Cause) -> ConnectorError {
        ConnectorError { system: "hubspot", call: "task.create", cause }
    }

    #[test]
    fn each_cause_says_what_to_do() {
        let (code, said) = (Code::new(Some("VALIDATION_ERROR")), Said::default());
        let refused = Cause::Refused { status: 400, code: code.clone(), said: said.clone() };
        assert_eq!(error(refused).verdict(), Verdict::GiveUp);
        let not_allowed = Cause::NotAllowed { status: 403, code, said };
        assert_eq!(error(not_allowed).verdict(), Verdict::RetryLater { after: Some(60) });
        assert_eq!(
            error(Cause::Limited { after: Some(7) }).verdict(),
            Verdict::RetryLater { after: Some(7) }
        );
        assert_eq!(error(Cause::NoAnswer(Lost::TimedOut)).verdict(), Verdict::RetryLater { after: None });
        assert_eq!(error(Cause::Unknown(Lost::TimedOut)).verdict(), Verdict::LookFirst);
        assert_eq!(error(Cause::Contradictory("two records")).verdict(), Verdict::GiveUp);
    }

    #[test]
    fn a_vendors_sentence_is_shown_to_people_and_never_logged() {
        let cause = Cause::Refused {
            status: 400,
            code: Code::new(Some("VALIDATION_ERROR")),
            said: Said::new("Property hs_task_subject doesn't exist"),
        };
        let error = error(cause);
        assert_eq!(
            error.explain(),
            "hubspot did not do `task.create`: refused with status 400, `VALIDATION_ERROR`: \
             Property hs_task_subject doesn't exist"
        );
        let logged = format!("{error:?} {error} {}", error.cause);
        assert!(!logged.contains("doesn't exist"), "{logged}");
    }

    #[test]
    fn what_a_sentence_quotes_is_left_out() {
        let said = |text: &str| Said::new(text).0;
        let text = r#"Value "canary" for jane.canary@example.test and 'canary' 1234567 <canary> is bad"#;
        assert_eq!(said(text), "Value … for … and … … … is bad");
        assert_eq!(said("a \"canary without an end"), "a …");
        assert_eq!(said("one\n two\u{7}"), "one two");
        assert!(said(&"word ".repeat(300_000)).chars().count() <= 201);
    }

    #[test]
    fn a_code_that_is_no_word_is_not_repeated() {
        assert_eq!(Code::new(Some("INVALID_FIELD")).as_str(), "INVALID_FIELD");
        for bad in [None, Some(""), Some("no <canary> here"), Some(&*"a".repeat(65))] {
            assert_eq!(Code::new(bad).as_str(), "no_reason_given");
        }
    }
}
