//! Failures at the edge of a function: a stable type for alarms, and the whole chain of causes.

use std::{error::Error, fmt};

use lambda_runtime::Diagnostic;

/// What a function's handler fails with. Its kind is the `errorType` that alarms and dashboards tell
/// failures apart by; its text is the chain of causes. Everything that prints it prints the same, so
/// that the runtime's own logging shows no more than ours.
pub struct Failure {
    kind: &'static str,
    cause: anyhow::Error,
}

impl Failure {
    /// A failure of a kind, a stable name such as `QueueUnavailable`.
    pub fn new(kind: &'static str, cause: impl Into<anyhow::Error>) -> Self {
        Self { kind, cause: cause.into() }
    }

    /// The kind.
    pub const fn kind(&self) -> &'static str {
        self.kind
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind, chain(self.cause.as_ref()))
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<Failure> for Diagnostic {
    fn from(failure: Failure) -> Self {
        Self { error_type: failure.kind.to_owned(), error_message: chain(failure.cause.as_ref()) }
    }
}

/// What another crate's error and its causes say, without the error itself: the debug output of an
/// AWS error, for one, holds the whole answer, and so perhaps a secret.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub struct Cause(String);

impl Cause {
    /// Our own words.
    pub fn text(words: &str) -> Self {
        Self(words.to_owned())
    }

    /// The text of [`chain`].
    pub fn of(error: &(dyn Error + 'static)) -> Self {
        Self(chain(error))
    }
}

/// An error and its causes, joined by colons, for a log line. The texts of our own errors hold no
/// personal data; of others' errors those two that quote their input are told in our own words: JSON
/// (values) and HTTP (addresses).
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = told(error);
    let mut cause = error.source();
    while let Some(next) = cause {
        text.push_str(": ");
        text.push_str(&told(next));
        cause = next.source();
    }
    text
}

fn told(error: &(dyn Error + 'static)) -> String {
    if let Some(json) = error.downcast_ref::<serde_json::Error>() {
        let what = match json.classify() {
            serde_json::error::Category::Io => "unreadable JSON",
            serde_json::error::Category::Syntax => "malformed JSON",
            serde_json::error::Category::Data => "JSON of another shape",
            serde_json::error::Category::Eof => "JSON that ends too early",
        };
        return format!("{what} at line {}, column {}", json.line(), json.column());
    }
    if let Some(http) = error.downcast_ref::<reqwest::Error>() {
        return if http.is_timeout() {
            "the HTTP call timed out".to_owned()
        } else if http.is_connect() {
            "no connection for the HTTP call".to_owned()
        } else if http.is_decode() || http.is_body() {
            "the body of the HTTP answer could not be read".to_owned()
        } else {
            "the HTTP call failed".to_owned()
        };
    }
    error.to_string()
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;

    fn malformed() -> anyhow::Error {
        let error = serde_json::from_str::<u32>(r#""canary@example.test""#).unwrap_err();
        assert!(error.to_string().contains("canary"), "else this test would show nothing");
        Err::<(), _>(error).context("could not read the message").unwrap_err()
    }

    #[test]
    fn a_failure_reports_its_kind_and_its_chain_of_causes() {
        let diagnostic = Diagnostic::from(Failure::new("MessageUnreadable", malformed()));
        assert_eq!(diagnostic.error_type, "MessageUnreadable");
        assert_eq!(
            diagnostic.error_message,
            "could not read the message: JSON of another shape at line 1, column 21"
        );
    }

    #[test]
    fn no_way_of_printing_a_failure_shows_the_input() {
        let failure = Failure::new("MessageUnreadable", malformed());
        for shown in [format!("{failure}"), format!("{failure:?}"), format!("{failure:#?}")] {
            assert!(!shown.contains("canary"), "{shown}");
        }
    }
}
