//! The built binary under an emulated Lambda Runtime API.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on fails"
)]

use domain::{CaseKey, CaseKind, ObjectId};
use runtime::{Env, aws::Aws};
use sandbox::{
    Clock,
    lambda::RuntimeApi,
    world::{CASES_TABLE, Function, Options, Sandbox},
};
use serde_json::json;
use store::Cases;

fn options(clock: Clock) -> Options {
    Options {
        data: None,
        clock,
        public_url: "http://localhost:1".into(),
        sign_in_path: "/callback".into(),
        stripe: None,
    }
}

#[tokio::test]
async fn the_binary_takes_a_batch_from_the_queue_and_names_what_must_come_again() {
    let sandbox = Sandbox::start(options(Clock::running())).await.unwrap();
    let api = RuntimeApi::start(Clock::running()).await.unwrap();
    let mut variables = sandbox.variables(Function::Processor);
    let policy = concat!(env!("CARGO_MANIFEST_DIR"), "/../../infra/policy");
    variables.insert("POLICY_DIR".into(), policy.into());
    let env: Env = variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let tables = Aws::from_env(&env).unwrap().dynamodb();
    store::schema::create(&tables, CASES_TABLE).await.unwrap();

    let customer = sandbox.stripe.create_customer("Customer 1", "canary-1@example.test").unwrap();
    let customer = customer["id"].as_str().unwrap();
    let invoice = sandbox.stripe.open_invoice(customer, 2900, "usd").unwrap();
    let invoice = invoice["id"].as_str().unwrap();
    let process = api.spawn("processor", env!("CARGO_BIN_EXE_processor"), variables).unwrap();

    let record = |id: &str, body: String| {
        json!({
            "messageId": id, "receiptHandle": "r", "body": body, "md5OfBody": "", "messageAttributes": {},
            "attributes": { "MessageGroupId": id, "ApproximateReceiveCount": "1", "SentTimestamp": "0" },
            "eventSource": "aws:sqs", "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:q.fifo",
            "awsRegion": "us-east-1"
        })
    };
    let envelope = json!({
        "id": "evt_1", "type": "invoice.payment_failed", "object": invoice, "customer": customer,
        "livemode": false, "created": 1, "received": 1, "endpoint": "default"
    });
    let batch = json!({ "Records": [record("good", envelope.to_string()), record("bad", "{}".into())] });
    let answer = api.invoke(batch).await.unwrap();
    assert_eq!(answer, json!({ "batchItemFailures": [{ "itemIdentifier": "bad" }] }));

    let key = CaseKey::new(CaseKind::Recovery, ObjectId::parse(invoice).unwrap());
    assert!(Cases::new(tables, CASES_TABLE).case(&key).await.unwrap().is_some());
    let log = process.stop().await.unwrap();
    assert!(log.contains("\"decided\"") && log.contains("evt_1"), "{log}");
    assert!(!log.contains("canary"), "{log}");
}
