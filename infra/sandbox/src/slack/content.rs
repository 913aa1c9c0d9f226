//! What a message says: its text, blocks and metadata.

use serde_json::Value;

use super::{
    arguments::{Arguments, Refusal},
    blocks,
};

/// Slack cuts longer texts here (the page of `chat.postMessage`).
const LONGEST_TEXT: usize = 40_000;
/// Characters of a message's metadata. Slack documents the error (`metadata_too_large`) and not the
/// limit; this one is a guess on the strict side.
const LONGEST_METADATA: usize = 8_000;

/// What a message says, checked.
pub(super) struct Content {
    pub(super) text: Option<String>,
    pub(super) blocks: Option<Vec<Value>>,
    /// An empty object takes the metadata away.
    pub(super) metadata: Option<Value>,
}

impl Content {
    /// From the arguments of a call.
    pub(super) fn read(arguments: &Arguments) -> Result<Self, Refusal> {
        let text = arguments.text("text").map(|text| text.chars().take(LONGEST_TEXT).collect());
        let blocks = match arguments.json("blocks") {
            Some(given) => Some(blocks::check(&given.map_err(|_| "invalid_blocks_format")?)?),
            None => None,
        };
        let metadata = match arguments.json("metadata") {
            Some(given) => Some(metadata(given.map_err(|_| "invalid_metadata_format")?)?),
            None => None,
        };
        Ok(Self { text, blocks, metadata })
    }
}

/// Metadata as it is kept.
pub(super) fn unless_empty(metadata: Value) -> Option<Value> {
    Some(metadata).filter(|metadata| metadata.as_object().is_some_and(|fields| !fields.is_empty()))
}

fn metadata(given: Value) -> Result<Value, Refusal> {
    let fields = given.as_object().ok_or("invalid_metadata_format")?;
    if fields.is_empty() {
        return Ok(given);
    }
    let kind = fields.get("event_type").and_then(Value::as_str).unwrap_or_default();
    if kind.is_empty() || !fields.get("event_payload").is_some_and(Value::is_object) {
        return Err("invalid_metadata_schema".into());
    }
    if given.to_string().chars().count() > LONGEST_METADATA {
        return Err("metadata_too_large".into());
    }
    Ok(given)
}
