//! Events: <https://docs.stripe.com/api/events> and <https://docs.stripe.com/webhooks/process-undelivered-events>.

use serde_json::{Value, json};

use super::{
    document::Document as _,
    failure::{Failure, Outcome},
    lists,
    routes::Call,
    store::{Origin, Tx},
};
use crate::clock::instant;

/// How long the API answers an event, in seconds.
pub(crate) const RETENTION: i64 = 30 * 86_400;

/// A snapshot event.
pub(crate) fn document(
    id: &str,
    kind: &str,
    data: &Value,
    now: i64,
    api_version: &str,
    origin: &Origin,
) -> Value {
    json!({
        "id": id,
        "object": "event",
        "api_version": api_version,
        "created": now,
        "data": data,
        "livemode": false,
        "pending_webhooks": 0,
        "request": { "id": origin.request, "idempotency_key": origin.idempotency_key },
        "type": kind,
    })
}

/// The thin form of a snapshot event: <https://docs.stripe.com/event-destinations>.
pub(crate) fn thin(event: &Value) -> Value {
    let object = event.pointer("/data/object").cloned().unwrap_or_default();
    json!({
        "id": event.id(),
        "object": "v2.core.event",
        "type": format!("v1.{}", event.text("type")),
        "created": instant(event.int("created")),
        "livemode": false,
        "context": null,
        "reason": reason(event),
        "related_object": {
            "id": object.id(),
            "type": object.text("object"),
            "url": path(&object),
        },
        "snapshot_event": event.id(),
    })
}

fn reason(event: &Value) -> Value {
    match event.maybe("/request/id") {
        Some(id) => json!({
            "type": "request",
            "request": { "id": id, "idempotency_key": event.text("/request/idempotency_key") },
        }),
        None => Value::Null,
    }
}

/// Where an object is read.
fn path(object: &Value) -> String {
    let folder = match object.text("object") {
        // There is one, and it has no id.
        "balance" => return "/v1/balance".to_owned(),
        "radar.early_fraud_warning" => "radar/early_fraud_warnings".to_owned(),
        "test_helpers.test_clock" => "test_helpers/test_clocks".to_owned(),
        kind => format!("{kind}s"),
    };
    format!("/v1/{folder}/{}", object.id())
}

/// `GET /v1/events/{id}`
pub(crate) fn retrieve(tx: &mut Tx, call: &Call) -> Outcome<Value> {
    find(tx, call.id()).ok_or_else(|| Failure::missing("event", call.id(), "id"))
}

/// `GET /v1/events`
pub(crate) fn all(tx: &mut Tx, call: &Call) -> Outcome<Value> {
    let params = &call.params;
    let types = params.texts("types");
    let one = params.text("type")?;
    if one.is_some() && params.raw("types").is_some() {
        return Err(Failure::parameter(
            "types",
            "You may only specify one of these parameters: type, types.",
        ));
    }
    if types.len() > 20 {
        return Err(Failure::parameter("types", "You may pass at most 20 event types."));
    }
    let delivered = params.flag("delivery_success")?;
    let wanted = |event: &Value| {
        let kind = event.text("type");
        one.is_none_or(|filter| matches(filter, kind))
            && (types.is_empty() || types.iter().any(|filter| matches(filter, kind)))
            && delivered.is_none_or(|yes| (event.int("pending_webhooks") == 0) == yes)
    };
    let mut found: Vec<&Value> = tx.events().filter(|event| kept(event, tx.at)).collect();
    found.sort_by_key(|event| std::cmp::Reverse(event.int("created")));
    lists::page(params, found, wanted, "/v1/events", "event")
}

/// `GET /v2/core/events/{id}`
pub(crate) fn retrieve_thin(tx: &mut Tx, call: &Call) -> Outcome<Value> {
    let event = find(tx, call.id()).ok_or_else(|| {
        Failure::new(404, "invalid_request_error", "Event not found.").with("code", "not_found")
    })?;
    Ok(full(&event))
}

/// `GET /v2/core/events`
pub(crate) fn all_thin(tx: &mut Tx, call: &Call) -> Outcome<Value> {
    let object = call.params.text("object_id")?;
    let limit = usize::try_from(call.params.int("limit")?.unwrap_or(20)).unwrap_or(20).clamp(1, 100);
    let found: Vec<Value> = tx
        .events()
        .filter(|event| kept(event, tx.at))
        .filter(|event| object.is_none_or(|id| event.text("/data/object/id") == id))
        .take(limit)
        .map(full)
        .collect();
    Ok(json!({ "data": found, "next_page_url": null, "previous_page_url": null }))
}

/// A thin event as it is read: without the nulls that only its notification shows.
fn full(event: &Value) -> Value {
    let mut thin = thin(event);
    if let Value::Object(fields) = &mut thin {
        fields.retain(|_, value| !value.is_null());
    }
    thin
}

fn find(tx: &Tx, id: &str) -> Option<Value> {
    tx.events().find(|event| event.id() == id && kept(event, tx.at)).cloned()
}

fn kept(event: &Value, now: i64) -> bool {
    event.int("created") > now - RETENTION
}

/// Whether a filter such as `invoice.paid`, `invoice.*` or `*` takes an event type.
pub(crate) fn matches(filter: &str, kind: &str) -> bool {
    match filter.strip_suffix('*') {
        Some(start) => kind.starts_with(start),
        None => filter == kind,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_takes_a_type_or_all_of_a_prefix() {
        assert!(matches("*", "invoice.paid") && matches("invoice.*", "invoice.paid"));
        assert!(!matches("invoice.paid", "invoice.paid_late"));
    }
}
