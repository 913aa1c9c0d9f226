//! Anthropic's Messages API: <https://platform.claude.com/docs/en/api/messages>.
//!
//! The answer is the input of a tool that the model is made to use, since every model can do that
//! (<https://platform.claude.com/docs/en/agents-and-tools/tool-use/implement-tool-use#forcing-tool-use>). What its
//! errors and stop reasons mean: <https://platform.claude.com/docs/en/api/errors>,
//! <https://platform.claude.com/docs/en/build-with-claude/handling-stop-reasons>.

use std::time::Duration;

use reqwest::{Client, Method, StatusCode};
use runtime::{Clock, http::Base};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{CALL, FORM, Question, Reply, TIMEOUT, Tokens};
use crate::{
    ConnectorError,
    call::{Api, Kind, Refusal, parsed},
    failure::{Cause, Lost},
};

/// Where it is.
pub(super) const API: &str = "https://api.anthropic.com";

/// The version of the API that this speaks.
const VERSION: &str = "2023-06-01";

/// A client of one workspace.
#[derive(Clone)]
pub(super) struct Anthropic {
    api: Api,
    key: SecretString,
}

#[derive(Deserialize)]
struct Message {
    model: String,
    #[serde(default)]
    content: Vec<Block>,
    stop_reason: Option<String>,
    usage: Usage,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Block {
    ToolUse {
        name: String,
        input: Value,
    },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Usage {
    input_tokens: u64,
    output_tokens: u64,
}

impl Anthropic {
    pub(super) fn new(http: Client, base: &Base, key: SecretString, clock: Clock) -> Self {
        Self { api: Api::new("anthropic", http, base.as_str(), refusal, clock).within(TIMEOUT), key }
    }

    pub(super) fn within(self, timeout: Duration) -> Self {
        Self { api: self.api.within(timeout), ..self }
    }

    pub(super) async fn ask(&self, id: &str, question: &Question) -> Result<Reply, ConnectorError> {
        let tool = json!({
            "name": FORM,
            "description": "The answer.",
            "input_schema": question.schema,
        });
        let body = json!({
            "model": id,
            "max_tokens": question.max_tokens,
            "system": question.system,
            "messages": [{ "role": "user", "content": question.input }],
            "tools": [tool],
            "tool_choice": { "type": "tool", "name": FORM, "disable_parallel_tool_use": true },
        });
        let call = self.api.call(Kind::Paid, CALL, Method::POST, &["v1", "messages"]).json(&body);
        let call = call.header("anthropic-version", VERSION);
        let message: Message = call.header("x-api-key", self.key.expose_secret()).send().await?;
        let failed = |cause| Err(self.api.error(CALL, cause));
        match message.stop_reason.as_deref() {
            Some("tool_use" | "end_turn") => {}
            Some("max_tokens" | "model_context_window_exceeded") => {
                return failed(Cause::Unanswered("it needs more tokens than it may use"));
            }
            Some("refusal") => return failed(Cause::Unanswered("the model refused")),
            _ => return failed(Cause::Unanswered("it stopped for another reason")),
        }
        let mut answers = message.content.into_iter().filter_map(|block| match block {
            Block::ToolUse { name, input } if name == FORM => Some(input),
            _ => None,
        });
        let (Some(answer), None) = (answers.next(), answers.next()) else {
            return failed(Cause::NoAnswer(Lost::Unreadable));
        };
        let tokens = Tokens { input: message.usage.input_tokens, output: message.usage.output_tokens };
        Ok(Reply { text: answer.to_string(), model: message.model, tokens })
    }
}

impl std::fmt::Debug for Anthropic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Anthropic").field("api", &self.api).finish_non_exhaustive()
    }
}

/// `{"type": "error", "error": {"type": "rate_limit_error", "message": "…"}}`.
fn refusal(_: StatusCode, body: &[u8]) -> Refusal {
    #[derive(Deserialize)]
    struct Said {
        error: Detail,
    }
    #[derive(Deserialize)]
    struct Detail {
        #[serde(rename = "type")]
        kind: Option<String>,
        message: Option<String>,
    }
    let Some(Said { error }) = parsed(body) else { return Refusal::default() };
    Refusal { code: error.kind, said: error.message, ..Refusal::default() }
}
