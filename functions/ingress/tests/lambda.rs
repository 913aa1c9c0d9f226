//! The built binary under an emulated Lambda Runtime API, with a recorded HTTP API event.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on fails"
)]

use sandbox::{
    Clock,
    lambda::RuntimeApi,
    world::{EVENT_QUEUE, Function, Options, Sandbox},
};
use serde_json::{Value, json};

async fn sandbox() -> Sandbox {
    let options = Options {
        data: None,
        clock: Clock::held_at(1_790_000_000),
        public_url: "http://localhost:1".into(),
        sign_in_path: "/callback".into(),
        stripe: None,
    };
    Sandbox::start(options).await.unwrap()
}

/// The recorded event with this signature; its body is in base64, as the service sends it.
fn event(signature: &str) -> Value {
    let mut event: Value = serde_json::from_str(include_str!("recorded/http-api-v2.json")).unwrap();
    event["headers"]["stripe-signature"] = signature.into();
    event
}

#[tokio::test]
async fn the_binary_refuses_a_forged_signature_and_queues_nothing() {
    let sandbox = sandbox().await;
    let api = RuntimeApi::start(Clock::running()).await.unwrap();
    let binary = env!("CARGO_BIN_EXE_ingress");
    let process = api.spawn("ingress", binary, sandbox.variables(Function::Ingress)).unwrap();
    let answer = api.invoke(event("t=1790000000,v1=00")).await.unwrap();
    assert_eq!(answer["statusCode"], 400);
    assert_eq!(sandbox.sqs.depth(EVENT_QUEUE), (0, 0));
    let log = process.stop().await.unwrap();
    assert!(!log.contains("canary"), "{log}");
}

#[tokio::test]
async fn the_binary_queues_a_signed_event_and_says_nothing_personal() {
    let sandbox = sandbox().await;
    let api = RuntimeApi::start(Clock::running()).await.unwrap();
    let binary = env!("CARGO_BIN_EXE_ingress");
    let process = api.spawn("ingress", binary, sandbox.variables(Function::Ingress)).unwrap();
    let recorded = event("");
    let body = {
        use base64::Engine as _;
        base64::engine::general_purpose::STANDARD.decode(recorded["body"].as_str().unwrap()).unwrap()
    };
    // The binary reads the machine's clock, so the signature must be of now.
    let now = Clock::running().seconds();
    let secret = sandbox.keys.webhook_secret.as_bytes();
    let message = [format!("{now}.").as_bytes(), &body].concat();
    let tag = ring::hmac::sign(&ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret), &message);
    let signature = format!("t={now},v1={}", domain::encoding::hex(tag.as_ref()));
    let answer = api.invoke(event(&signature)).await.unwrap();
    assert_eq!(answer["statusCode"], 200, "{answer}");
    let queued = sandbox.sqs.peek(EVENT_QUEUE);
    assert_eq!(queued.len(), 1);
    let envelope: Value = serde_json::from_str(&queued[0].body).unwrap();
    assert_eq!((&envelope["id"], &envelope["object"]), (&json!("evt_recorded"), &json!("in_recorded")));
    assert!(!queued[0].body.contains("canary"));
    let log = process.stop().await.unwrap();
    assert!(log.contains("evt_recorded") && !log.contains("canary"), "{log}");
}

#[tokio::test]
async fn the_binary_queues_an_event_of_the_bus_only_where_its_source_is_set() {
    let source = "aws.partner/stripe.com/ed_test_1";
    let data =
        json!({ "object": { "id": "in_bus", "object": "invoice", "customer_email": "canary@example.test" } });
    let detail = json!({
        "id": "evt_bus", "object": "event", "type": "invoice.payment_failed", "created": 1_790_000_000,
        "livemode": false, "data": data,
    });
    let event = json!({ "version": "0", "detail-type": detail["type"], "source": source, "detail": detail });
    for set in [false, true] {
        let sandbox = sandbox().await;
        let api = RuntimeApi::start(Clock::running()).await.unwrap();
        let mut variables = sandbox.variables(Function::Ingress);
        if set {
            variables.insert("STRIPE_EVENT_SOURCE".into(), source.into());
        }
        let process = api.spawn("ingress", env!("CARGO_BIN_EXE_ingress"), variables).unwrap();
        assert_eq!(api.invoke(event.clone()).await.is_ok(), set);
        let queued = sandbox.sqs.peek(EVENT_QUEUE);
        assert_eq!(queued.len(), usize::from(set));
        let log = process.stop().await.unwrap();
        assert!(!log.contains("canary@example.test"), "{log}");
    }
}

#[tokio::test]
async fn the_binary_says_which_variable_is_missing_and_stops() {
    let api = RuntimeApi::start(Clock::running()).await.unwrap();
    let mut variables = sandbox().await.variables(Function::Ingress);
    variables.remove("WEBHOOK_SECRETS");
    let process = api.spawn("ingress", env!("CARGO_BIN_EXE_ingress"), variables).unwrap();
    let log = process.written().await.unwrap();
    assert!(log.contains("WEBHOOK_SECRETS"), "{log}");
}
