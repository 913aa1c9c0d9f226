//! What a call asks for, and how it is refused.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, Method, header};
use serde_json::{Map, Value, json};

/// An error of the Web API: 200 with `ok: false`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    error: &'static str,
    details: Vec<String>,
}

impl Refusal {
    /// With what is wrong in particular, as Slack gives it for arguments and blocks.
    pub(super) fn because(error: &'static str, details: Vec<String>) -> Self {
        Self { error, details }
    }

    /// A required argument is not there.
    pub(super) fn missing(name: &str) -> Self {
        Self::because("invalid_arguments", vec![format!("missing required field: {name}")])
    }
}

impl From<&'static str> for Refusal {
    fn from(error: &'static str) -> Self {
        Self::because(error, Vec::new())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut answer = json!({ "ok": false, "error": self.error });
        if let (Some(answer), false) = (answer.as_object_mut(), self.details.is_empty()) {
            let told: Vec<String> = self.details.iter().map(|detail| format!("[ERROR] {detail}")).collect();
            answer.insert("errors".to_owned(), self.details.into());
            answer.insert("response_metadata".to_owned(), json!({ "messages": told }));
        }
        Json(answer).into_response()
    }
}

/// The arguments of a call.
#[derive(Default)]
pub(super) struct Arguments(Map<String, Value>);

impl Arguments {
    /// Reads the query of a GET or the body of a POST.
    ///
    /// A method that does not take JSON ignores such a body, as Slack does: the call then looks as
    /// if it had no arguments. `takes_json` says which; the method's page lists its content types.
    pub(super) fn read(
        method: &Method,
        headers: &HeaderMap,
        query: &str,
        body: &[u8],
        takes_json: bool,
    ) -> Result<Self, Refusal> {
        if method == Method::GET {
            return Ok(Self::form(query.as_bytes()));
        }
        let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        match kind.split(';').next().unwrap_or_default().trim() {
            "application/x-www-form-urlencoded" => Ok(Self::form(body)),
            "application/json" if !takes_json => Ok(Self::default()),
            "application/json" => match serde_json::from_slice(body) {
                Ok(Value::Object(given)) => Ok(Self(given)),
                Ok(_) => Err("json_not_object".into()),
                Err(_) => Err("invalid_json".into()),
            },
            "" if body.is_empty() => Ok(Self::default()),
            _ => Err("invalid_post_type".into()),
        }
    }

    fn form(encoded: &[u8]) -> Self {
        let pairs = form_urlencoded::parse(encoded);
        Self(pairs.map(|(name, value)| (name.into_owned(), Value::from(value.into_owned()))).collect())
    }

    /// A text, or a number as text; `None` if empty.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        match self.0.get(name)? {
            Value::String(text) if !text.is_empty() => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }

    /// A text that must be given.
    pub(super) fn required(&self, name: &str) -> Result<String, Refusal> {
        self.text(name).ok_or_else(|| Refusal::missing(name))
    }

    /// True or false, in the ways that a form can say it too.
    pub(super) fn flag(&self, name: &str) -> Option<bool> {
        match self.0.get(name)? {
            Value::Bool(flag) => Some(*flag),
            Value::String(text) => Some(matches!(text.as_str(), "1" | "true" | "True" | "t")),
            Value::Number(number) => Some(number.as_i64() == Some(1)),
            _ => None,
        }
    }

    /// A JSON value, which a form gives as a text; `Some(Err)` if that text is no JSON.
    pub(super) fn json(&self, name: &str) -> Option<serde_json::Result<Value>> {
        match self.0.get(name)? {
            Value::Null => None,
            Value::String(text) if text.is_empty() => None,
            Value::String(text) => Some(serde_json::from_str(text)),
            value => Some(Ok(value.clone())),
        }
    }
}
