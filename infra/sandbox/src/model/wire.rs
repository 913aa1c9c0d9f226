//! How each vendor is asked and how it answers:
//! <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html> (errors by
//! <https://smithy.io/2.0/aws/protocols/aws-restjson1-protocol.html>), <https://platform.claude.com/docs/en/api/messages>
//! and <https://platform.claude.com/docs/en/api/errors>, <https://platform.openai.com/docs/api-reference/chat/create>
//! and <https://platform.openai.com/docs/guides/error-codes>.

use http::{HeaderMap, Method, header};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::MODEL_ID;

/// Bedrock's word for too many calls.
pub(super) const THROTTLED: &str = "ThrottlingException";

/// In whose words a question is put.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Vendor {
    /// Amazon Bedrock.
    Bedrock,
    /// Anthropic.
    Anthropic,
    /// OpenAI.
    OpenAi,
}

/// A question.
pub(super) struct Asked {
    pub(super) system: String,
    pub(super) input: String,
    pub(super) schema: Value,
    pub(super) name: String,
    pub(super) most: u64,
}

/// What a model says.
pub(super) enum Said {
    /// The form, filled.
    Form(Value),
    /// Words where the form should be.
    Prose(String),
    /// Nothing.
    Refused,
}

/// Why a question is not taken.
pub(super) enum Wrong {
    /// Nobody that is known.
    NoKey,
    /// There is no such model.
    NoModel(String),
    /// It lacks something or contradicts the rules.
    Bad(String),
    /// There were too many.
    Limited,
}

/// JSON pointers of what a question holds.
struct Places {
    system: &'static str,
    input: &'static str,
    schema: &'static str,
    name: &'static str,
    most: &'static str,
}

/// A status and a body.
type Told = (u16, Value);

impl Vendor {
    /// The vendor that is asked at this place.
    pub(super) fn of(method: &Method, path: &str) -> Option<Self> {
        match path {
            _ if method != Method::POST => None,
            "/v1/messages" => Some(Self::Anthropic),
            "/v1/chat/completions" => Some(Self::OpenAi),
            path => bedrock_model(path).map(|_| Self::Bedrock),
        }
    }

    /// The word for it on the page.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Bedrock => "Amazon Bedrock",
            Self::Anthropic => "Anthropic",
            Self::OpenAi => "OpenAI",
        }
    }

    const fn places(self) -> Places {
        match self {
            Self::Bedrock => Places {
                system: "/system/0/text",
                input: "/messages/0/content/0/text",
                schema: "/toolConfig/tools/0/toolSpec/inputSchema/json",
                name: "/toolConfig/toolChoice/tool/name",
                most: "/inferenceConfig/maxTokens",
            },
            Self::Anthropic => Places {
                system: "/system",
                input: "/messages/0/content",
                schema: "/tools/0/input_schema",
                name: "/tool_choice/name",
                most: "/max_tokens",
            },
            Self::OpenAi => Places {
                system: "/messages/0/content",
                input: "/messages/1/content",
                schema: "/response_format/json_schema/schema",
                name: "/response_format/json_schema/name",
                most: "/max_completion_tokens",
            },
        }
    }

    /// Reads a question of whoever has the key.
    pub(super) fn read(
        self,
        path: &str,
        headers: &HeaderMap,
        body: &[u8],
        key: &str,
    ) -> Result<Asked, Wrong> {
        let given = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let authorization = given(header::AUTHORIZATION.as_str());
        let known = match self {
            // Who signed is not looked at, but that it was signed for this service is.
            Self::Bedrock => {
                authorization.starts_with("AWS4-HMAC-SHA256 ")
                    && authorization.contains("/bedrock/aws4_request")
            }
            Self::Anthropic => given("x-api-key") == key,
            Self::OpenAi => authorization.strip_prefix("Bearer ") == Some(key),
        };
        if !known {
            return Err(Wrong::NoKey);
        }
        if self == Self::Anthropic && given("anthropic-version").is_empty() {
            return Err(Wrong::Bad("anthropic-version: header is required".to_owned()));
        }
        let body: Value =
            serde_json::from_slice(body).map_err(|_| Wrong::Bad("The body is not valid JSON.".to_owned()))?;
        let model = match self {
            Self::Bedrock => bedrock_model(path),
            Self::Anthropic | Self::OpenAi => body.get("model").and_then(Value::as_str),
        };
        let model = model.unwrap_or_default();
        if model != MODEL_ID {
            return Err(Wrong::NoModel(model.to_owned()));
        }
        let places = self.places();
        let missing = |place: &str| Wrong::Bad(format!("{place}: Field required"));
        let text = |place: &str| {
            body.pointer(place).and_then(Value::as_str).map(str::to_owned).ok_or_else(|| missing(place))
        };
        let schema = body.pointer(places.schema).cloned().ok_or_else(|| missing(places.schema))?;
        let strict = body.pointer("/response_format/json_schema/strict") == Some(&Value::Bool(true));
        if let Some(problem) = loose(&schema).filter(|_| strict) {
            let said = format!("Invalid schema for response_format '{}': {problem}", text(places.name)?);
            return Err(Wrong::Bad(said));
        }
        Ok(Asked {
            system: text(places.system)?,
            input: text(places.input)?,
            schema,
            name: text(places.name)?,
            most: body.pointer(places.most).and_then(Value::as_u64).ok_or_else(|| missing(places.most))?,
        })
    }

    /// What it says to a question that it does not take, and Bedrock's word for that.
    pub(super) fn refuse(self, wrong: &Wrong) -> (Told, Option<&'static str>) {
        match self {
            Self::Bedrock => {
                let (status, kind, said) = match wrong {
                    Wrong::NoKey => {
                        (403, "MissingAuthenticationTokenException", "Missing Authentication Token")
                    }
                    Wrong::NoModel(_) => {
                        (400, "ValidationException", "The provided model identifier is invalid.")
                    }
                    Wrong::Bad(said) => (400, "ValidationException", said.as_str()),
                    Wrong::Limited => (429, THROTTLED, "Too many requests, please wait before trying again."),
                };
                ((status, json!({ "message": said })), Some(kind))
            }
            Self::Anthropic => {
                let (status, kind, said) = match wrong {
                    Wrong::NoKey => (401, "authentication_error", "invalid x-api-key".to_owned()),
                    Wrong::NoModel(model) => (404, "not_found_error", format!("model: {model}")),
                    Wrong::Bad(said) => (400, "invalid_request_error", said.clone()),
                    Wrong::Limited => {
                        (429, "rate_limit_error", "This request would exceed the rate limit.".to_owned())
                    }
                };
                ((status, json!({ "type": "error", "error": { "type": kind, "message": said } })), None)
            }
            Self::OpenAi => {
                let (status, kind, code, said) = match wrong {
                    Wrong::NoKey => (
                        401,
                        "invalid_request_error",
                        Some("invalid_api_key"),
                        "Incorrect API key provided.".to_owned(),
                    ),
                    Wrong::NoModel(model) => (
                        404,
                        "invalid_request_error",
                        Some("model_not_found"),
                        format!("The model `{model}` does not exist or you do not have access to it."),
                    ),
                    Wrong::Bad(said) => (400, "invalid_request_error", None, said.clone()),
                    Wrong::Limited => (
                        429,
                        "requests",
                        Some("rate_limit_exceeded"),
                        "Rate limit reached for requests per minute.".to_owned(),
                    ),
                };
                let error = json!({ "message": said, "type": kind, "param": null, "code": code });
                ((status, json!({ "error": error })), None)
            }
        }
    }

    /// An answer on the wire, as it was written, and the tokens that were read and written. One that needs more
    /// tokens than it may use is cut off.
    pub(super) fn tell(self, asked: &Asked, said: &Said) -> (Value, String, (u64, u64)) {
        let read = tokens(&asked.system) + tokens(&asked.input) + tokens(&asked.schema.to_string());
        let (form, mut written) = match said {
            Said::Form(form) => (Some(form.clone()), form.to_string()),
            Said::Prose(text) => (None, text.clone()),
            Said::Refused => (None, String::new()),
        };
        let (refused, cut) = (matches!(said, Said::Refused), tokens(&written) > asked.most);
        if cut {
            written = written.chars().take(usize::try_from(asked.most * CHARACTERS).unwrap_or(0)).collect();
        }
        let wrote = tokens(&written);
        let told = match self {
            Self::Bedrock => {
                let stop = match () {
                    () if refused => "content_filtered",
                    () if cut => "max_tokens",
                    () if form.is_some() => "tool_use",
                    () => "end_turn",
                };
                let id = "tooluse_sandbox";
                let content = match form {
                    // What is cut off has no end, and is no JSON: Bedrock gives the object that it has begun.
                    Some(_) if cut => {
                        json!([{ "toolUse": { "toolUseId": id, "name": asked.name, "input": {} } }])
                    }
                    Some(form) => {
                        json!([{ "toolUse": { "toolUseId": id, "name": asked.name, "input": form } }])
                    }
                    None => json!([{ "text": written }]),
                };
                json!({
                    "output": { "message": { "role": "assistant", "content": content } },
                    "stopReason": stop,
                    "usage": { "inputTokens": read, "outputTokens": wrote, "totalTokens": read + wrote },
                    "metrics": { "latencyMs": 1 },
                })
            }
            Self::Anthropic => {
                let stop = match () {
                    () if refused => "refusal",
                    () if cut => "max_tokens",
                    () if form.is_some() => "tool_use",
                    () => "end_turn",
                };
                let id = "toolu_sandbox";
                let content = match form {
                    _ if refused => json!([]),
                    Some(_) if cut => {
                        json!([{ "type": "tool_use", "id": id, "name": asked.name, "input": {} }])
                    }
                    Some(form) => {
                        json!([{ "type": "tool_use", "id": id, "name": asked.name, "input": form }])
                    }
                    None => json!([{ "type": "text", "text": written }]),
                };
                json!({
                    "id": "msg_sandbox", "type": "message", "role": "assistant", "model": named(),
                    "content": content, "stop_reason": stop, "stop_sequence": null,
                    "usage": { "input_tokens": read, "output_tokens": wrote },
                })
            }
            Self::OpenAi => {
                let (content, refusal) =
                    if refused { (None, Some("I cannot help with that.")) } else { (Some(&written), None) };
                let message = json!({ "role": "assistant", "content": content, "refusal": refusal });
                json!({
                    "id": "chatcmpl-sandbox", "object": "chat.completion", "created": 0, "model": named(),
                    "choices": [{
                        "index": 0, "message": message,
                        "finish_reason": if cut { "length" } else { "stop" },
                    }],
                    "usage": {
                        "prompt_tokens": read, "completion_tokens": wrote, "total_tokens": read + wrote,
                    },
                })
            }
        };
        (told, written, (read, wrote))
    }
}

/// As the model calls itself: with the day on which it was made.
fn named() -> String {
    format!("{MODEL_ID}-20261101")
}

/// The model in `/model/ID/converse`.
fn bedrock_model(path: &str) -> Option<&str> {
    path.strip_prefix("/model/")?.strip_suffix("/converse")
}

/// How many characters make a token, about.
const CHARACTERS: u64 = 4;

/// How many tokens a text has.
fn tokens(text: &str) -> u64 {
    u64::try_from(text.chars().count()).unwrap_or(u64::MAX).div_ceil(CHARACTERS)
}

/// What keeps a schema from being strict: an object that lets other fields in, or does not require all of its
/// own (<https://platform.openai.com/docs/guides/structured-outputs>).
fn loose(schema: &Value) -> Option<String> {
    if schema.get("type").is_some_and(is_object) {
        if schema.get("additionalProperties") != Some(&Value::Bool(false)) {
            return Some("'additionalProperties' is required to be supplied and to be false.".to_owned());
        }
        let required: Vec<&str> = schema
            .get("required")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        let properties = schema.get("properties").and_then(Value::as_object);
        if let Some(name) =
            properties.into_iter().flat_map(Map::keys).find(|name| !required.contains(&name.as_str()))
        {
            return Some(format!("'required' must hold every property. Missing '{name}'."));
        }
    }
    match schema {
        Value::Object(fields) => fields.values().find_map(loose),
        Value::Array(items) => items.iter().find_map(loose),
        _ => None,
    }
}

fn is_object(kind: &Value) -> bool {
    kind == "object" || kind.as_array().is_some_and(|kinds| kinds.iter().any(|kind| kind == "object"))
}
