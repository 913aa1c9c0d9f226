//! Webhook endpoints: <https://docs.stripe.com/api/webhook_endpoints>.

use serde_json::{Value, json};

use crate::stripe::{
    document::{Document as _, merge_metadata},
    failure::{Failure, Outcome},
    form::Params,
    routes::Call,
    store::Tx,
};

const KIND: &str = "webhook_endpoint";

/// Parameters of create.
pub(crate) const CREATE_PARAMS: &[&str] =
    &["api_version", "connect", "description", "enabled_events", "metadata", "url"];

/// Parameters of update: the version is for life.
pub(crate) const UPDATE_PARAMS: &[&str] = &["description", "disabled", "enabled_events", "metadata", "url"];

/// A new endpoint whose deliveries `secret` signs.
pub(crate) fn new(tx: &mut Tx, url: &str, secret: &str, enabled: &[String], thin: bool) -> Value {
    let endpoint = json!({
        "id": tx.fresh("we_"),
        "object": KIND,
        "api_version": tx.setting.api_version,
        "application": null,
        "created": tx.now,
        "description": null,
        "enabled_events": enabled,
        "livemode": false,
        "metadata": {},
        "status": "enabled",
        "url": url,
    });
    tx.put(&endpoint);
    let note = json!({ "secrets": [{ "secret": secret }], "thin": thin });
    tx.set_note(&format!("endpoint:{}", endpoint.id()), note);
    endpoint
}

/// Puts a new secret first; the others live for `overlap` more seconds.
pub(crate) fn roll(tx: &mut Tx, id: &str, secret: &str, overlap: i64) -> Outcome<()> {
    tx.get(KIND, id, "id")?;
    let name = format!("endpoint:{id}");
    let mut note = tx.note(&name).cloned().unwrap_or_default();
    let mut secrets = vec![json!({ "secret": secret })];
    for old in note.each("secrets") {
        let until = old.get("until").and_then(Value::as_i64).unwrap_or(i64::MAX).min(tx.now + overlap);
        secrets.push(json!({ "secret": old.text("secret"), "until": until }));
    }
    note.set("secrets", secrets);
    tx.set_note(&name, note);
    Ok(())
}

/// `POST /v1/webhook_endpoints`: the only answer that shows the secret.
pub(crate) fn create_call(tx: &mut Tx, call: &Call) -> Outcome<Value> {
    let url = call.params.required("url")?;
    let enabled = call.params.texts("enabled_events");
    if enabled.is_empty() {
        return Err(Failure::required("enabled_events"));
    }
    let secret = tx.fresh("whsec_");
    let mut endpoint = new(tx, url, &secret, &enabled, false);
    change(&mut endpoint, &call.params)?;
    tx.put(&endpoint);
    endpoint.set("secret", secret);
    Ok(endpoint)
}

/// `POST /v1/webhook_endpoints/{id}`
pub(crate) fn update(tx: &mut Tx, call: &Call) -> Outcome<Value> {
    let mut endpoint = tx.get(KIND, call.id(), "id")?;
    change(&mut endpoint, &call.params)?;
    tx.put(&endpoint);
    Ok(endpoint)
}

/// `DELETE /v1/webhook_endpoints/{id}`
pub(crate) fn delete(tx: &mut Tx, call: &Call) -> Outcome<Value> {
    let endpoint = tx.get(KIND, call.id(), "id")?;
    let deleted = json!({ "id": endpoint.id(), "object": KIND, "deleted": true });
    tx.put(&deleted);
    Ok(deleted)
}

fn change(endpoint: &mut Value, params: &Params) -> Outcome<()> {
    for field in ["api_version", "description", "url"] {
        if let Some(text) = params.text(field)?.filter(|text| !text.is_empty()) {
            endpoint.set(field, text);
        }
    }
    if params.raw("enabled_events").is_some() {
        endpoint.set("enabled_events", params.texts("enabled_events"));
    }
    if let Some(disabled) = params.flag("disabled")? {
        endpoint.set("status", if disabled { "disabled" } else { "enabled" });
    }
    merge_metadata(endpoint, params.raw("metadata"));
    Ok(())
}
