//! Checks documents against Stripe's own shapes: the part of JSON Schema that `schemas.json` uses.

use std::sync::LazyLock;

use serde_json::Value;

static SCHEMAS: LazyLock<Value> = LazyLock::new(|| {
    let mut schemas = fixture("schemas.json");
    let more = fixture("schemas_more.json");
    let all = schemas["$defs"].as_object_mut().unwrap();
    all.extend(more["$defs"].as_object().unwrap().clone());
    schemas
});

/// A file of test data.
pub(crate) fn fixture(name: &str) -> Value {
    let path = format!("{}/../../tests/fixtures/stripe/{name}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    serde_json::from_str(&text).unwrap()
}

/// What is wrong with `value` as an object of a kind as `invoice`.
pub(crate) fn faults(schema: &str, value: &Value) -> Vec<String> {
    let schema = SCHEMAS["$defs"].get(schema).unwrap_or_else(|| panic!("no schema `{schema}`"));
    let mut faults = Vec::new();
    check(schema, value, schema_name(value), &mut faults);
    faults
}

/// What is wrong with an object or a list of objects, by what each says it is.
pub(crate) fn faults_of(value: &Value) -> Vec<String> {
    match value["object"].as_str() {
        Some("list" | "search_result") => {
            value["data"].as_array().unwrap().iter().flat_map(faults_of).collect()
        }
        Some("line_item") => faults("invoice_line_item", value),
        Some("radar.early_fraud_warning") => faults("early_fraud_warning", value),
        Some("v2.core.event") => faults("v2_event", value),
        Some("customer") if value["deleted"] == true => faults("deleted_customer", value),
        Some(_) if value["deleted"] == true => faults("deleted", value),
        Some("test_helpers.test_clock") => faults("test_clock", value),
        Some(kind) => faults(kind, value),
        None => vec!["it does not say what it is".to_owned()],
    }
}

fn schema_name(value: &Value) -> String {
    value["object"].as_str().unwrap_or("?").to_owned()
}

fn check(schema: &Value, value: &Value, at: String, faults: &mut Vec<String>) {
    if let Some(name) = schema["$ref"].as_str() {
        let name = name.rsplit('/').next().unwrap();
        return check(&SCHEMAS["$defs"][name], value, at, faults);
    }
    if let Some(choices) = schema["anyOf"].as_array() {
        let tried: Vec<Vec<String>> = choices
            .iter()
            .map(|choice| {
                let mut faults = Vec::new();
                check(choice, value, at.clone(), &mut faults);
                faults
            })
            .collect();
        if !tried.iter().any(Vec::is_empty) {
            faults.extend(tried.into_iter().min_by_key(Vec::len).unwrap_or_default());
        }
        return;
    }
    if let Some(constant) = schema.get("const")
        && constant != value
    {
        faults.push(format!("{at} is {value} and not {constant}"));
    }
    if let Some(allowed) = schema["enum"].as_array()
        && !allowed.contains(value)
    {
        faults.push(format!("{at} is {value}, which is not allowed"));
    }
    let types: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(all) => all.iter().filter_map(Value::as_str).collect(),
        _ => vec![],
    };
    let own = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    if !types.is_empty() && !types.contains(&own) {
        faults.push(format!("{at} is {own} and not {types:?}"));
        return;
    }
    for field in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if value.is_object() && value.get(field).is_none() {
            faults.push(format!("{at}.{field} is missing"));
        }
    }
    for (field, value) in value.as_object().into_iter().flatten() {
        let schema = schema["properties"].get(field).or_else(|| schema.get("additionalProperties"));
        if let Some(schema) = schema.filter(|schema| schema.is_object()) {
            check(schema, value, format!("{at}.{field}"), faults);
        }
    }
    for (index, value) in value.as_array().into_iter().flatten().enumerate() {
        if schema.get("items").is_some() {
            check(&schema["items"], value, format!("{at}[{index}]"), faults);
        }
    }
}

#[test]
fn the_checker_finds_what_is_wrong() {
    let warning = serde_json::json!({
        "id": "issfr_1", "object": "radar.early_fraud_warning", "actionable": "yes", "charge": "ch_1",
        "created": 1, "livemode": false,
    });
    assert_eq!(
        faults_of(&warning),
        [
            "radar.early_fraud_warning.fraud_type is missing",
            "radar.early_fraud_warning.actionable is string and not [\"boolean\"]"
        ]
    );
}
