//! Stripe's errors: <https://docs.stripe.com/api/errors> and <https://docs.stripe.com/error-low-level>.

use std::fmt;

use serde_json::{Map, Value, json};

/// What a request comes to.
pub(crate) type Outcome<T> = Result<T, Failure>;

/// A refused request.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    /// The HTTP status.
    pub status: u16,
    /// The fields of `error`.
    pub error: Map<String, Value>,
    /// Whether execution had begun, so that the answer is kept under the idempotency key.
    pub executed: bool,
    /// Whether the work done so far stays: a decline leaves its charge behind.
    pub commits: bool,
    /// The header `Stripe-Rate-Limited-Reason`.
    pub limited: Option<&'static str>,
    /// The header `Stripe-Should-Retry`.
    pub retry: Option<bool>,
}

impl Failure {
    /// An error with `type` and message and nothing else.
    pub(crate) fn new(status: u16, kind: &str, message: impl Into<String>) -> Self {
        let mut error = Map::new();
        error.insert("type".into(), kind.into());
        error.insert("message".into(), message.into().into());
        Self { status, error, executed: false, commits: false, limited: None, retry: None }
    }

    /// A parameter that cannot be right whatever the state; not kept under the key.
    pub(crate) fn parameter(param: &str, message: impl Into<String>) -> Self {
        Self::new(400, "invalid_request_error", message).with("param", param)
    }

    /// A required parameter is absent.
    pub(crate) fn required(param: &str) -> Self {
        Self::parameter(param, format!("Missing required param: {param}.")).with("code", "parameter_missing")
    }

    /// A parameter that the endpoint does not take.
    pub(crate) fn unknown(param: &str) -> Self {
        Self::parameter(param, format!("Received unknown parameter: {param}"))
            .with("code", "parameter_unknown")
    }

    /// No object with this id.
    pub(crate) fn missing(noun: &str, id: &str, param: &str) -> Self {
        let noun = noun.replace('_', " ");
        Self::new(404, "invalid_request_error", format!("No such {noun}: '{id}'"))
            .with("code", "resource_missing")
            .with("param", param)
    }

    /// The object's state forbids it; execution had begun.
    pub(crate) fn refused(message: impl Into<String>) -> Self {
        Self { executed: true, ..Self::new(400, "invalid_request_error", message) }
    }

    /// A declined payment; what was tried stays on record.
    pub(crate) fn declined(error: Map<String, Value>) -> Self {
        Self { status: 402, error, executed: true, commits: true, limited: None, retry: None }
    }

    /// The server failed; the outcome is indeterminate for the caller.
    pub(crate) fn server(commits: bool) -> Self {
        Self {
            executed: true,
            commits,
            retry: Some(false),
            ..Self::new(500, "api_error", "An unknown error occurred")
        }
    }

    /// Adds a field of `error`.
    pub(crate) fn with(mut self, field: &str, value: impl Into<Value>) -> Self {
        self.error.insert(field.into(), value.into());
        self
    }

    /// The body.
    pub(crate) fn body(&self) -> Value {
        json!({ "error": self.error })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let message = self.error.get("message").and_then(Value::as_str).unwrap_or("no message");
        write!(f, "stripe answers {}: {message}", self.status)
    }
}

impl std::error::Error for Failure {}
