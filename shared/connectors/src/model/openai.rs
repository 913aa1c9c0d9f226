//! Whatever speaks OpenAI's chat completions: <https://platform.openai.com/docs/api-reference/chat/create>.
//!
//! The answer is kept to a schema by `response_format`
//! (<https://platform.openai.com/docs/guides/structured-outputs>); a refusal stands in a field of its own there.
//! Errors: <https://platform.openai.com/docs/guides/error-codes>.

use std::time::Duration;

use reqwest::{Client, Method, StatusCode};
use runtime::{Clock, http::Base};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::json;

use super::{CALL, FORM, Question, Reply, TIMEOUT, Tokens};
use crate::{
    ConnectorError,
    call::{Api, Auth, Kind, Refusal, parsed},
    failure::{Cause, Lost},
};

/// A client of one endpoint.
#[derive(Debug, Clone)]
pub(super) struct OpenAi {
    api: Api,
}

#[derive(Deserialize)]
struct Completion {
    #[serde(default)]
    model: String,
    choices: Vec<Choice>,
    usage: Usage,
}

#[derive(Deserialize)]
struct Choice {
    message: Message,
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct Message {
    content: Option<String>,
    refusal: Option<String>,
}

#[derive(Deserialize)]
struct Usage {
    prompt_tokens: u64,
    completion_tokens: u64,
}

impl OpenAi {
    pub(super) fn new(http: Client, base: &Base, key: Option<SecretString>, clock: Clock) -> Self {
        let api = Api::new("openai", http, base.as_str(), refusal, clock).within(TIMEOUT);
        Self { api: api.with_auth(key.map_or(Auth::None, Auth::Bearer)) }
    }

    pub(super) fn within(self, timeout: Duration) -> Self {
        Self { api: self.api.within(timeout) }
    }

    pub(super) async fn ask(&self, id: &str, question: &Question) -> Result<Reply, ConnectorError> {
        let body = json!({
            "model": id,
            "max_completion_tokens": question.max_tokens,
            "messages": [
                { "role": "system", "content": question.system },
                { "role": "user", "content": question.input },
            ],
            "response_format": {
                "type": "json_schema",
                "json_schema": { "name": FORM, "strict": true, "schema": question.schema },
            },
        });
        let call = self.api.call(Kind::Paid, CALL, Method::POST, &["chat", "completions"]).json(&body);
        let completion: Completion = call.send().await?;
        let failed = |cause| Err(self.api.error(CALL, cause));
        let mut choices = completion.choices.into_iter();
        let (Some(Choice { message, finish_reason }), None) = (choices.next(), choices.next()) else {
            return failed(Cause::NoAnswer(Lost::Unreadable));
        };
        match finish_reason.as_deref() {
            _ if message.refusal.is_some() => return failed(Cause::Unanswered("the model refused")),
            Some("stop") => {}
            Some("length") => return failed(Cause::Unanswered("it needs more tokens than it may use")),
            Some("content_filter") => return failed(Cause::Unanswered("a filter withheld it")),
            _ => return failed(Cause::Unanswered("it stopped for another reason")),
        }
        let Some(text) = message.content else { return failed(Cause::NoAnswer(Lost::Unreadable)) };
        let tokens =
            Tokens { input: completion.usage.prompt_tokens, output: completion.usage.completion_tokens };
        let model = if completion.model.is_empty() { id.to_owned() } else { completion.model };
        Ok(Reply { text, model, tokens })
    }
}

/// `{"error": {"message": "…", "type": "invalid_request_error", "code": "model_not_found"}}`.
fn refusal(_: StatusCode, body: &[u8]) -> Refusal {
    #[derive(Deserialize)]
    struct Said {
        error: Detail,
    }
    #[derive(Deserialize)]
    struct Detail {
        message: Option<String>,
        #[serde(rename = "type")]
        kind: Option<String>,
        /// Some servers give the status as a number.
        code: Option<serde_json::Value>,
    }
    let Some(Said { error }) = parsed(body) else { return Refusal::default() };
    let code = error.code.and_then(|code| code.as_str().map(str::to_owned)).or(error.kind);
    Refusal { code, said: error.message, ..Refusal::default() }
}
