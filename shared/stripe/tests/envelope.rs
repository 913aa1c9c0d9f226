//! From the bytes of a delivery to the envelope on the queue.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::needless_pass_by_value,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test may fail anywhere"
)]

use domain::{Envelope, Timestamp};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;
use stripe::{
    EndpointSecrets,
    envelope::{self, NotAnEnvelope},
};

const SECRET: &str = "whsec_test";
const NOW: Timestamp = Timestamp::from_seconds(1_790_000_000);

fn deliver(body: &[u8]) -> Result<Envelope, NotAnEnvelope> {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(format!("{NOW}", NOW = NOW.seconds()).as_bytes());
    mac.update(b".");
    mac.update(body);
    let tag = domain::encoding::hex(&mac.finalize().into_bytes());
    let header = format!("t={},v1={tag}", NOW.seconds());
    let secrets = EndpointSecrets::new([&SECRET.into()]).unwrap();
    let verified = secrets.verify(header.as_bytes(), body, NOW).expect("the signature is right");
    envelope::from_webhook(&verified, NOW, "default")
}

fn webhook(value: &Value) -> Result<Envelope, NotAnEnvelope> {
    deliver(value.to_string().as_bytes())
}

fn sample(name: &str) -> Value {
    let text = include_str!("../../../tests/fixtures/stripe/event_envelopes.json");
    let all: Value = serde_json::from_str(text).unwrap();
    let one =
        all["envelopes"].as_array().unwrap().iter().find(|one| one["name"] == name).expect(name).clone();
    one["value"].clone()
}

/// A sample with one field changed, or taken away.
fn changed(name: &str, pointer: &str, to: Option<Value>) -> Value {
    let mut value = sample(name);
    let (parent, field) = pointer.rsplit_once('/').unwrap();
    let parent = value.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    match to {
        Some(to) => parent.insert(field.to_owned(), to),
        None => parent.remove(field),
    };
    value
}

#[test]
fn a_snapshot_event_becomes_ids_and_nothing_personal() {
    let envelope = webhook(&sample("webhook_snapshot")).unwrap();
    assert_eq!(
        serde_json::to_value(&envelope).unwrap(),
        json!({
            "id": "evt_1TESTsnap", "type": "invoice.payment_failed", "object": "in_1TESTfailed",
            "customer": "cus_TEST1", "livemode": false, "api_version": "2026-10-28.endive",
            "created": 1_790_000_000, "received": 1_790_000_000, "endpoint": "default",
        })
    );
}

#[test]
fn an_expanded_or_escaped_customer_is_still_the_customer() {
    let expanded = json!({ "email": "c@example.test", "nested": { "id": "cus_WRONG" }, "id": "cus_TEST1" });
    let envelope = webhook(&changed("webhook_snapshot", "/data/object/customer", Some(expanded))).unwrap();
    assert_eq!(envelope.customer.unwrap().as_str(), "cus_TEST1");
    let escaped = sample("webhook_snapshot").to_string().replace("cus_TEST1", "\\u0063us_TEST1");
    assert_eq!(deliver(escaped.as_bytes()).unwrap().customer.unwrap().as_str(), "cus_TEST1");
    let nobody = webhook(&changed("webhook_snapshot", "/data/object/customer", Some(Value::Null))).unwrap();
    assert_eq!(nobody.customer, None);
}

#[test]
fn connected_accounts_and_organisations_are_kept_apart() {
    let connected = webhook(&sample("webhook_snapshot_connect_account")).unwrap();
    assert_eq!(connected.account.as_ref().unwrap().as_str(), "acct_1TESTconnected");
    assert_eq!(connected.context, None);
    let member = webhook(&sample("webhook_snapshot_org_context")).unwrap();
    assert_eq!(member.context.as_deref(), Some("acct_1TESTmember"));
    assert_eq!(member.account, None);
}

#[test]
fn a_thin_event_has_the_type_of_the_snapshot_event() {
    let envelope = webhook(&sample("webhook_thin_v1_resource")).unwrap();
    assert_eq!(envelope.kind, "charge.dispute.created");
    assert_eq!(envelope.object.as_str(), "du_TEST1");
    assert_eq!(envelope.created, NOW);
    assert_eq!((envelope.api_version, envelope.context, envelope.customer), (None, None, None));
    assert_eq!(webhook(&sample("webhook_thin_ping")).unwrap().kind, "v2.core.event_destination.ping");
}

#[test]
fn the_bus_brings_the_same_envelopes_from_its_own_source_only() {
    let source = "aws.partner/stripe.com/ed_test_61TEST";
    let read = |name, source| {
        envelope::from_eventbridge(sample(name).to_string().as_bytes(), source, NOW, "default")
    };
    assert_eq!(read("eventbridge_snapshot", source), webhook(&sample("webhook_snapshot")));
    assert_eq!(read("eventbridge_thin", source), webhook(&sample("webhook_thin_v1_resource")));
    let other = "aws.partner/stripe.com/ed_test_61TESTER";
    assert_eq!(read("eventbridge_snapshot", other), Err(NotAnEnvelope::WrongSource));
}

#[test]
fn every_sample_is_judged() {
    let text = include_str!("../../../tests/fixtures/stripe/event_envelopes.json");
    let all: Value = serde_json::from_str(text).unwrap();
    let judge = |one: &Value| match webhook(&one["value"]) {
        Ok(envelope) => (one["name"].as_str().unwrap().to_owned(), envelope.kind),
        Err(refused) => (one["name"].as_str().unwrap().to_owned(), refused.reason().to_owned()),
    };
    let judged: Vec<_> = all["envelopes"].as_array().unwrap().iter().map(judge).collect();
    let expected = [
        ("webhook_snapshot", "invoice.payment_failed"),
        ("webhook_snapshot_updated_with_previous_attributes", "customer.subscription.updated"),
        ("webhook_snapshot_connect_account", "invoice.payment_failed"),
        ("webhook_snapshot_org_context", "invoice.payment_failed"),
        ("webhook_thin_v1_resource", "charge.dispute.created"),
        ("webhook_thin_ping", "v2.core.event_destination.ping"),
        // A bus wraps events; a webhook brings them bare.
        ("eventbridge_snapshot", "not_an_event"),
        ("eventbridge_thin", "not_an_event"),
        // Here `data` is the event itself, or a list: not what an event has under that name.
        ("eventgrid_snapshot", "not_json"),
        ("eventgrid_thin", "not_json"),
        ("bad_unknown_envelope", "not_an_event"),
        ("bad_detail_without_object", "not_an_event"),
        ("bad_object_list", "not_json"),
    ];
    assert_eq!(judged, expected.map(|(name, verdict)| (name.to_owned(), verdict.to_owned())));
}

#[test]
fn what_is_no_event_is_told_apart() {
    let cases: [(Value, NotAnEnvelope); 12] = [
        (sample("bad_unknown_envelope"), NotAnEnvelope::NotAnEvent),
        (sample("bad_detail_without_object"), NotAnEnvelope::NotAnEvent),
        (changed("webhook_snapshot", "/object", Some("list".into())), NotAnEnvelope::NotAnEvent),
        (changed("webhook_snapshot", "/data/object/id", None), NotAnEnvelope::NoObjectId),
        (changed("webhook_snapshot", "/data", None), NotAnEnvelope::NoObjectId),
        (
            changed("webhook_thin_v1_resource", "/related_object", Some(Value::Null)),
            NotAnEnvelope::NoRelatedObject,
        ),
        (changed("webhook_thin_v1_resource", "/related_object/id", None), NotAnEnvelope::NoRelatedObject),
        (
            changed("webhook_thin_v1_resource", "/created", Some("soon".into())),
            NotAnEnvelope::Unusable("created"),
        ),
        (changed("webhook_snapshot", "/id", Some("evt 1".into())), NotAnEnvelope::Unusable("id")),
        (changed("webhook_snapshot", "/type", Some("a\nb".into())), NotAnEnvelope::Unusable("type")),
        (
            changed("webhook_snapshot", "/data/object/id", Some("in/1".into())),
            NotAnEnvelope::Unusable("object"),
        ),
        (changed("webhook_snapshot", "/livemode", None), NotAnEnvelope::Missing("livemode")),
    ];
    for (value, expected) in cases {
        assert_eq!(webhook(&value), Err(expected), "{value}");
    }
}

#[test]
fn what_is_not_even_json_says_where_and_not_what() {
    assert_eq!(deliver(b"{\"id\":\"\xff\"}"), Err(NotAnEnvelope::NotUtf8));
    for bad in ["canary", "{\"id\":", "[1]", "\u{feff}{}", "{} {}", "{\"id\":\"a\",\"id\":\"b\"}"] {
        let refused = deliver(bad.as_bytes()).unwrap_err();
        assert_eq!(refused.reason(), "not_json", "{bad}");
        assert!(!format!("{refused} {refused:?}").contains("canary"));
    }
}

#[test]
fn every_conforming_event_is_an_envelope_or_says_why_not() {
    let lines = include_str!("../../../tests/fixtures/stripe/conforming_objects.jsonl");
    let (mut events, mut read) = (0, 0);
    let (mut thin, mut followed) = (0, 0);
    for line in lines.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        if line["schema"] == "event" {
            events += 1;
            match webhook(&line["value"]) {
                Ok(envelope) => {
                    assert_eq!(line["value"]["data"]["object"]["id"], envelope.object.as_str());
                    read += 1;
                }
                // The schema allows any text as an account or a version; Stripe does not write any.
                Err(NotAnEnvelope::Unusable("account" | "api_version" | "context")) => {}
                Err(refused) => assert_eq!(refused, NotAnEnvelope::NoObjectId, "{line}"),
            }
        }
        if line["schema"] == "v2_event_notification" {
            thin += 1;
            let mut event = line["value"].clone();
            // The schema allows any text here; Stripe writes a time, a type and a path.
            for (field, text) in [("created", "2026-09-21T14:13:20Z"), ("type", "v1.invoice.paid")] {
                event[field] = text.into();
            }
            event["context"] = Value::Null;
            match (webhook(&event), event["related_object"]["id"].as_str()) {
                (Ok(envelope), Some(id)) => {
                    assert_eq!((envelope.kind.as_str(), envelope.object.as_str()), ("invoice.paid", id));
                    followed += 1;
                }
                (refused, about) => {
                    assert_eq!((refused, about), (Err(NotAnEnvelope::NoRelatedObject), None), "{event}");
                }
            }
        }
    }
    assert!(events > 20 && read > 0, "{read} of {events}");
    assert!(thin > 10 && followed > 0, "{followed} of {thin}");
}
