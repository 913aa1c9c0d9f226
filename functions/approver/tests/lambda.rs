//! The built binary under an emulated Lambda Runtime API: its three sources, told apart by their shape.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on fails"
)]

use runtime::{Env, aws::Aws};
use sandbox::{
    Clock,
    lambda::RuntimeApi,
    world::{APPROVALS_TABLE, CASES_TABLE, Function, Options, Sandbox},
};
use serde_json::json;

#[tokio::test]
async fn the_binary_answers_pages_takes_requests_and_settles() {
    let options = Options {
        data: None,
        clock: Clock::running(),
        public_url: "http://localhost:8400".into(),
        sign_in_path: "/sign-in/callback".into(),
        stripe: None,
    };
    let sandbox = Sandbox::start(options).await.unwrap();
    let mut variables = sandbox.variables(Function::Approver);
    let policy = concat!(env!("CARGO_MANIFEST_DIR"), "/../../infra/policy");
    variables.insert("POLICY_DIR".into(), policy.into());
    let env: Env = variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let tables = Aws::from_env(&env).unwrap().dynamodb();
    for table in [CASES_TABLE, APPROVALS_TABLE] {
        store::schema::create(&tables, table).await.unwrap();
    }
    let api = RuntimeApi::start(Clock::running()).await.unwrap();
    let process = api.spawn("approver", env!("CARGO_BIN_EXE_approver"), variables).unwrap();

    let page = json!({
        "version": "2.0", "routeKey": "$default", "rawPath": "/", "rawQueryString": "", "headers": {},
        "requestContext": {
            "accountId": "000000000000", "apiId": "abc123", "domainName": "abc123.example.test",
            "http": { "method": "GET", "path": "/", "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1" },
            "requestId": "r", "routeKey": "$default", "stage": "$default"
        },
        "isBase64Encoded": false
    });
    let answer = api.invoke(page).await.unwrap();
    assert_eq!(answer["statusCode"], 200, "{answer}");
    assert!(answer["body"].as_str().unwrap().contains("Sign in"));
    assert_eq!(answer["headers"]["x-frame-options"], "DENY");

    let record = json!({
        "messageId": "m-1", "receiptHandle": "h", "body": "{\"request\":\"rq_nowhere\"}",
        "attributes": { "MessageGroupId": "g" }, "messageAttributes": {}, "eventSource": "aws:sqs"
    });
    let answer = api.invoke(json!({ "Records": [record] })).await.unwrap();
    assert!(answer["batchItemFailures"].is_array(), "{answer}");
    assert!(api.invoke(json!({ "schedule": "settle" })).await.is_ok());
    let refused = api.invoke(json!({ "unknown": true })).await.unwrap_err().to_string();
    assert!(refused.contains("errorType"), "{refused}");
    process.stop().await.unwrap();
}
