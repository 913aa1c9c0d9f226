//! Events: <https://docs.stripe.com/api/events> and <https://docs.stripe.com/webhooks/process-undelivered-events>.

use serde_json::{Value, json};

use super::{
    document::Document as _,
    failure::{Failure, Outcome},
    lists,
    routes::Call,
    store::{Origin, Tx},
};

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

/// RFC 3339 of seconds since the epoch, by the civil-from-days algorithm for the proleptic Gregorian
/// calendar.
pub(crate) fn instant(seconds: i64) -> String {
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let part = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * part + 2) / 5 + 1;
    let month = if part < 10 { part + 3 } else { part - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.000Z",
        second / 3600,
        second / 60 % 60,
        second % 60
    )
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
    fn an_instant_is_spelled_as_rfc_3339() {
        assert_eq!(instant(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(instant(951_782_400), "2000-02-29T00:00:00.000Z");
        assert_eq!(instant(1_790_000_000), "2026-09-21T14:13:20.000Z");
    }

    #[test]
    fn a_filter_takes_a_type_or_all_of_a_prefix() {
        assert!(matches("*", "invoice.paid") && matches("invoice.*", "invoice.paid"));
        assert!(!matches("invoice.paid", "invoice.paid_late"));
    }
}
