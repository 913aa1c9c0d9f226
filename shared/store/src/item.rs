//! Items: plain values in and out of attributes.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use domain::Timestamp;
use serde::{Serialize, de::DeserializeOwned};

use crate::StoreError;

/// An item or a key.
pub(crate) type Item = HashMap<String, AttributeValue>;

/// The primary key.
pub(crate) fn key(pk: &str, sk: &str) -> Item {
    [("pk".to_owned(), s(pk)), ("sk".to_owned(), s(sk))].into()
}

/// A text.
pub(crate) fn s(text: impl Into<String>) -> AttributeValue {
    AttributeValue::S(text.into())
}

/// A whole number.
pub(crate) fn n(number: i64) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

/// A point in time, in seconds.
pub(crate) fn at(time: Timestamp) -> AttributeValue {
    n(time.seconds())
}

/// Any value of ours, as nested attributes.
pub(crate) fn nested(value: &impl Serialize) -> Result<AttributeValue, StoreError> {
    serde_dynamo::to_attribute_value(value)
        .map_err(|error| StoreError::Unreadable { key: "(new)".into(), why: error.to_string() })
}

/// Reads a nested value.
pub(crate) fn read<T: DeserializeOwned>(item: &Item, name: &str) -> Result<T, StoreError> {
    let value = item.get(name).cloned().ok_or_else(|| unreadable(item, format!("`{name}` is missing")))?;
    serde_dynamo::from_attribute_value(value).map_err(|error| unreadable(item, format!("`{name}`: {error}")))
}

/// Reads a nested value that may be absent.
pub(crate) fn read_optional<T: DeserializeOwned>(item: &Item, name: &str) -> Result<Option<T>, StoreError> {
    if item.contains_key(name) { read(item, name).map(Some) } else { Ok(None) }
}

/// Reads a whole number.
pub(crate) fn number(item: &Item, name: &str) -> Option<i64> {
    item.get(name)?.as_n().ok()?.parse().ok()
}

/// Reads a text.
pub(crate) fn text<'a>(item: &'a Item, name: &str) -> Option<&'a str> {
    item.get(name)?.as_s().ok().map(String::as_str)
}

/// The error for an item that this program did not write, naming its key and nothing else of it.
pub(crate) fn unreadable(item: &Item, why: String) -> StoreError {
    let part = |name| text(item, name).unwrap_or("?");
    StoreError::Unreadable { key: format!("{} {}", part("pk"), part("sk")), why }
}
