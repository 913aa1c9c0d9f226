//! JSON as the AWS SDK spells it.

use aws_smithy_types::{Document, Number};
use serde_json::Value;

pub(super) fn of(json: &Value) -> Document {
    match json {
        Value::Null => Document::Null,
        Value::Bool(value) => Document::Bool(*value),
        Value::Number(number) => match (number.as_u64(), number.as_i64()) {
            (Some(number), _) => Document::Number(Number::PosInt(number)),
            (None, Some(number)) => Document::Number(Number::NegInt(number)),
            (None, None) => Document::Number(Number::Float(number.as_f64().unwrap_or_default())),
        },
        Value::String(text) => Document::String(text.clone()),
        Value::Array(items) => Document::Array(items.iter().map(of).collect()),
        Value::Object(fields) => {
            Document::Object(fields.iter().map(|(name, value)| (name.clone(), of(value))).collect())
        }
    }
}

pub(super) fn json(document: Document) -> Value {
    match document {
        Document::Null => Value::Null,
        Document::Bool(value) => value.into(),
        Document::Number(Number::PosInt(number)) => number.into(),
        Document::Number(Number::NegInt(number)) => number.into(),
        Document::Number(Number::Float(number)) => number.into(),
        Document::String(text) => text.into(),
        Document::Array(items) => items.into_iter().map(json).collect(),
        Document::Object(fields) => fields.into_iter().map(|(name, value)| (name, json(value))).collect(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn json_comes_back_as_it_went() {
        let given = json!({
            "type": "object",
            "required": ["a", "b"],
            "nested": { "null": null, "true": true, "numbers": [0, 7, -7, 1.5, u64::MAX, i64::MIN] },
        });
        assert_eq!(json(of(&given)), given);
    }
}
