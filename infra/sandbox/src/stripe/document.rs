//! Reading and changing the JSON documents that Stripe's objects are here.

use serde_json::{Map, Value, json};

/// Lenient access to an object's fields. A name that begins with `/` is a JSON pointer.
pub(crate) trait Document {
    /// The text of a field, or `""`.
    fn text(&self, field: &str) -> &str;
    /// The text of a field, if there is one.
    fn maybe(&self, field: &str) -> Option<&str>;
    /// The whole number of a field, or 0.
    fn int(&self, field: &str) -> i64;
    /// The truth of a field, or `false`.
    fn flag(&self, field: &str) -> bool;
    /// The elements of a field, or none.
    fn each(&self, field: &str) -> &[Value];
    /// Sets a field; silently nothing if its parent is not an object.
    fn set(&mut self, field: &str, value: impl Into<Value>);
    /// The object's id.
    fn id(&self) -> &str {
        self.text("id")
    }
}

impl Document for Value {
    fn text(&self, field: &str) -> &str {
        self.maybe(field).unwrap_or_default()
    }

    fn maybe(&self, field: &str) -> Option<&str> {
        find(self, field).and_then(Value::as_str)
    }

    fn int(&self, field: &str) -> i64 {
        find(self, field).and_then(Value::as_i64).unwrap_or_default()
    }

    fn flag(&self, field: &str) -> bool {
        find(self, field).and_then(Value::as_bool).unwrap_or_default()
    }

    fn each(&self, field: &str) -> &[Value] {
        find(self, field).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    fn set(&mut self, field: &str, value: impl Into<Value>) {
        let (parent, name) = match field.rsplit_once('/') {
            Some((parent, name)) => (self.pointer_mut(parent), name),
            None => (Some(self), field),
        };
        if let Some(Value::Object(parent)) = parent {
            parent.insert(name.to_owned(), value.into());
        }
    }
}

fn find<'v>(document: &'v Value, field: &str) -> Option<&'v Value> {
    if field.starts_with('/') { document.pointer(field) } else { document.get(field) }
}

/// `document` with each of `absent` set to null: Stripe answers every field of an object.
pub(crate) fn with_nulls(mut document: Value, absent: &[&str]) -> Value {
    for field in absent {
        document.set(field, Value::Null);
    }
    document
}

/// Stripe's envelope of a list.
pub(crate) fn list(data: Vec<Value>, has_more: bool, url: &str) -> Value {
    json!({ "object": "list", "data": Value::Array(data), "has_more": has_more, "url": url })
}

/// Merges a `metadata` parameter: an empty value deletes its key, and `""` for the whole clears it.
pub(crate) fn merge_metadata(document: &mut Value, change: Option<&Value>) {
    match change {
        Some(Value::Object(change)) => {
            let mut metadata =
                document.get("metadata").and_then(Value::as_object).cloned().unwrap_or_default();
            for (key, value) in change {
                if value.as_str() == Some("") {
                    metadata.remove(key);
                } else {
                    metadata.insert(key.clone(), value.clone());
                }
            }
            document.set("metadata", metadata);
        }
        Some(_) => document.set("metadata", Map::new()),
        None => {}
    }
}

/// What an `*.updated` event says was there before: the changed fields with their old values, and
/// of changed hashes only the changed keys.
pub(crate) fn previous_attributes(old: &Value, new: &Value) -> Value {
    let mut changed = Map::new();
    let (Some(old), Some(new)) = (old.as_object(), new.as_object()) else { return Value::Object(changed) };
    for (key, after) in new {
        let before = old.get(key).unwrap_or(&Value::Null);
        if before == after {
            continue;
        }
        let shown = if before.is_object() && after.is_object() {
            previous_attributes(before, after)
        } else {
            before.clone()
        };
        changed.insert(key.clone(), shown);
    }
    for (key, before) in old {
        if !new.contains_key(key) {
            changed.insert(key.clone(), before.clone());
        }
    }
    Value::Object(changed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn previous_attributes_name_only_what_changed() {
        let old = json!({ "a": 1, "b": { "c": 1, "d": 2 }, "e": [1], "metadata": { "gone": "x" } });
        let new = json!({ "a": 1, "b": { "c": 1, "d": 3 }, "e": [1, 2], "metadata": {} });
        assert_eq!(
            previous_attributes(&old, &new),
            json!({ "b": { "d": 2 }, "e": [1], "metadata": { "gone": "x" } })
        );
    }

    #[test]
    fn an_empty_metadata_value_deletes_its_key() {
        let mut document = json!({ "metadata": { "k": "v", "l": "w" } });
        merge_metadata(&mut document, Some(&json!({ "k": "", "m": "x" })));
        assert_eq!(document, json!({ "metadata": { "l": "w", "m": "x" } }));
        merge_metadata(&mut document, Some(&json!("")));
        assert_eq!(document, json!({ "metadata": {} }));
    }
}
