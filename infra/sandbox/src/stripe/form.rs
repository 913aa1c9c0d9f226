//! Stripe's form encoding: `a[b]=`, `a[0][b]=`, `a[]=`, `true`/`false`, and empty to clear.

use serde_json::{Map, Value};

use super::failure::{Failure, Outcome};

/// The parameters of a request, or one hash of them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Params {
    value: Value,
    /// What the hash is called in the request, for `param` in errors.
    name: String,
}

impl Params {
    /// Reads a query or a body.
    pub(crate) fn decode(raw: &[u8]) -> Self {
        let mut top = Map::new();
        for (key, value) in form_urlencoded::parse(raw) {
            place(&mut top, &segments(&key), value.into_owned());
        }
        Self { value: arrays(Value::Object(top), false), name: String::new() }
    }

    /// The parameters as JSON, all leaves text.
    pub(crate) fn json(&self) -> &Value {
        &self.value
    }

    /// The names at this level.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.value.as_object().into_iter().flat_map(Map::keys).map(String::as_str)
    }

    /// What `field` is called in an error.
    pub(crate) fn called(&self, field: &str) -> String {
        if self.name.is_empty() { field.to_owned() } else { format!("{}[{field}]", self.name) }
    }

    /// A parameter as it came.
    pub(crate) fn raw(&self, field: &str) -> Option<&Value> {
        self.value.get(field)
    }

    /// A text; empty if it is to be cleared.
    pub(crate) fn text(&self, field: &str) -> Outcome<Option<&str>> {
        match self.raw(field) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(Failure::parameter(&self.called(field), "Invalid string")),
        }
    }

    /// A text that must be there.
    pub(crate) fn required(&self, field: &str) -> Outcome<&str> {
        match self.text(field)? {
            Some(text) if !text.is_empty() => Ok(text),
            _ => Err(Failure::required(&self.called(field))),
        }
    }

    /// A whole number.
    pub(crate) fn int(&self, field: &str) -> Outcome<Option<i64>> {
        let Some(text) = self.text(field)?.filter(|text| !text.is_empty()) else { return Ok(None) };
        let number = text.parse().map_err(|_| {
            Failure::parameter(&self.called(field), format!("Invalid integer: {text}"))
                .with("code", "parameter_invalid_integer")
        })?;
        Ok(Some(number))
    }

    /// `true` or `false`.
    pub(crate) fn flag(&self, field: &str) -> Outcome<Option<bool>> {
        match self.text(field)? {
            None | Some("") => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(text) => Err(Failure::parameter(&self.called(field), format!("Invalid boolean: {text}"))),
        }
    }

    /// One of the values an enum has.
    pub(crate) fn one_of(&self, field: &str, allowed: &[&str]) -> Outcome<Option<&str>> {
        let Some(text) = self.text(field)?.filter(|text| !text.is_empty()) else { return Ok(None) };
        if allowed.contains(&text) {
            return Ok(Some(text));
        }
        Err(Failure::parameter(
            &self.called(field),
            format!("Invalid {}: must be one of {}", self.called(field), allowed.join(", ")),
        ))
    }

    /// A hash of parameters; empty if it is absent.
    pub(crate) fn hash(&self, field: &str) -> Params {
        let value = self.raw(field).filter(|value| value.is_object()).cloned().unwrap_or_default();
        Self { value, name: self.called(field) }
    }

    /// The hashes of an array.
    pub(crate) fn hashes(&self, field: &str) -> Vec<Params> {
        let elements = self.raw(field).and_then(Value::as_array).cloned().unwrap_or_default();
        elements
            .into_iter()
            .enumerate()
            .map(|(index, value)| Self { value, name: format!("{}[{index}]", self.called(field)) })
            .collect()
    }

    /// The texts of an array; one text counts as an array of one.
    pub(crate) fn texts(&self, field: &str) -> Vec<String> {
        match self.raw(field) {
            Some(Value::Array(all)) => all.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            Some(Value::String(one)) if !one.is_empty() => vec![one.clone()],
            _ => Vec::new(),
        }
    }

    /// Refuses names that are not in `allowed`.
    pub(crate) fn only(&self, allowed: &[&str]) -> Outcome<()> {
        match self.names().find(|name| !allowed.contains(name)) {
            Some(name) => Err(Failure::unknown(&self.called(name))),
            None => Ok(()),
        }
    }
}

fn segments(key: &str) -> Vec<String> {
    let (head, rest) = key.split_once('[').map_or((key, ""), |(head, rest)| (head, rest));
    let mut all = vec![head.to_owned()];
    if !rest.is_empty() {
        let rest = rest.strip_suffix(']').unwrap_or(rest);
        all.extend(rest.split("][").map(str::to_owned));
    }
    all
}

fn place(level: &mut Map<String, Value>, path: &[String], value: String) {
    let Some((first, rest)) = path.split_first() else { return };
    // `a[]=` appends: the next free index.
    let name = if first.is_empty() { level.len().to_string() } else { first.clone() };
    if rest.is_empty() {
        level.insert(name, Value::String(value));
        return;
    }
    let child = level.entry(name).or_insert_with(|| Value::Object(Map::new()));
    if !child.is_object() {
        *child = Value::Object(Map::new());
    }
    if let Value::Object(child) = child {
        place(child, rest, value);
    }
}

/// Hashes whose keys are all numbers become arrays, except within `metadata`.
fn arrays(value: Value, metadata: bool) -> Value {
    let Value::Object(map) = value else { return value };
    let mut fields: Vec<(String, Value)> = map
        .into_iter()
        .map(|(key, value)| {
            let within = key == "metadata";
            (key, arrays(value, within))
        })
        .collect();
    let numbered = !fields.is_empty() && fields.iter().all(|(key, _)| key.parse::<u32>().is_ok());
    if numbered && !metadata {
        fields.sort_by_key(|(key, _)| key.parse::<u32>().unwrap_or_default());
        return fields.into_iter().map(|(_, value)| value).collect();
    }
    Value::Object(fields.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn brackets_become_hashes_and_arrays() {
        let params = Params::decode(
            b"a[b]=1&lines[1][type]=y&lines[0][type]=x&types[]=p&types[]=q&metadata[6735]=z&memo=Zo%C3%AB+%26&n=",
        );
        assert_eq!(
            params.json(),
            &json!({
                "a": { "b": "1" },
                "lines": [{ "type": "x" }, { "type": "y" }],
                "types": ["p", "q"],
                "metadata": { "6735": "z" },
                "memo": "Zoë &",
                "n": "",
            })
        );
    }

    #[test]
    fn errors_name_the_parameter_as_the_request_does() {
        let params = Params::decode(b"created[gte]=soon&limit=ten&submit=yes");
        let named = |failure: Failure| failure.error.get("param").cloned();
        assert_eq!(named(params.hash("created").int("gte").unwrap_err()), Some("created[gte]".into()));
        assert_eq!(named(params.int("limit").unwrap_err()), Some("limit".into()));
        assert_eq!(named(params.flag("submit").unwrap_err()), Some("submit".into()));
        assert_eq!(named(params.only(&["limit", "submit"]).unwrap_err()), Some("created".into()));
    }
}
