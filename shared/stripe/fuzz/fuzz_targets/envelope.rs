//! The envelope of any bytes, as a webhook (signed here, since nothing else is read) and from the bus,
//! against the same fields of a JSON tree.

#![no_main]

use domain::{Envelope, Timestamp};
use hmac::{Hmac, KeyInit as _, Mac as _};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use sha2::Sha256;
use stripe::{EndpointSecrets, envelope};

const SECRET: &str = "whsec_fuzz";
const SOURCE: &str = "aws.partner/stripe.com/ed_fuzz";
const NOW: Timestamp = Timestamp::from_seconds(1_790_000_000);

fuzz_target!(|body: &[u8]| {
    let tree: Option<Value> = serde_json::from_slice(body).ok();
    if let Ok(read) = envelope::from_eventbridge(body, SOURCE, NOW, "bus") {
        check(&read, tree.as_ref().map(|tree| &tree["detail"]));
    }
    if body.is_empty() {
        return;
    }
    let header = sign(body);
    let secrets = EndpointSecrets::new([&SECRET.into()]).expect("one secret");
    let verified = secrets.verify(header.as_bytes(), body, NOW).expect("the signature is right");
    match envelope::from_webhook(&verified, NOW, "hook") {
        Ok(read) => check(&read, tree.as_ref()),
        Err(refused) => assert!(!refused.reason().is_empty() && !refused.to_string().is_empty()),
    }
});

fn check(read: &Envelope, event: Option<&Value>) {
    // The queue carries it as JSON.
    let message = serde_json::to_string(read).expect("an envelope can be written");
    let again: Envelope = serde_json::from_str(&message).expect("what was written can be read");
    assert_eq!(&again, read);
    assert!(message.len() < 4096, "an envelope stays small");
    // Names go into logs and headers.
    assert!(!message.bytes().any(|byte| byte.is_ascii_control()));
    // The tree is stricter about what we skip: numbers and escapes out of range.
    let Some(event) = event else { return };
    let thin = event["object"] == "v2.core.event";
    let about = if thin { &event["related_object"] } else { &event["data"]["object"] };
    assert_eq!(event["id"], read.id.as_str());
    assert_eq!(about["id"], read.object.as_str());
    assert_eq!(event["livemode"], read.livemode);
    let kind = event["type"].as_str().expect("a type");
    assert!(kind == read.kind || (thin && kind.strip_prefix("v1.") == Some(&read.kind)));
    if !thin {
        assert_eq!(event["created"], read.created.seconds());
    }
    if let Some(customer) = &read.customer {
        assert!(about["customer"] == customer.as_str() || about["customer"]["id"] == customer.as_str());
    }
    let text = |field: &str| event[field].as_str();
    assert_eq!(text("account"), read.account.as_ref().map(|id| id.as_str()));
    assert_eq!(text("context"), read.context.as_deref());
    assert_eq!(text("api_version"), read.api_version.as_deref());
}

fn sign(body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("any length is a key");
    mac.update(format!("{}.", NOW.seconds()).as_bytes());
    mac.update(body);
    format!("t={},v1={}", NOW.seconds(), domain::encoding::hex(&mac.finalize().into_bytes()))
}
