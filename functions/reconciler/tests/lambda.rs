//! The built binary under an emulated Lambda Runtime API.

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
    world::{CASES_TABLE, Function, Options, Sandbox},
};
use serde_json::json;

#[tokio::test]
async fn the_binary_runs_the_sweep_that_its_schedule_names_and_refuses_any_other() {
    let options = Options {
        data: None,
        clock: Clock::running(),
        public_url: "http://localhost:1".into(),
        sign_in_path: "/callback".into(),
        stripe: None,
    };
    let sandbox = Sandbox::start(options).await.unwrap();
    let mut variables = sandbox.variables(Function::Reconciler);
    let policy = concat!(env!("CARGO_MANIFEST_DIR"), "/../../infra/policy");
    variables.insert("POLICY_DIR".into(), policy.into());
    let env: Env = variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    store::schema::create(&Aws::from_env(&env).unwrap().dynamodb(), CASES_TABLE).await.unwrap();

    let api = RuntimeApi::start(Clock::running()).await.unwrap();
    let process = api.spawn("reconciler", env!("CARGO_BIN_EXE_reconciler"), variables).unwrap();
    assert_eq!(
        api.invoke(json!({ "sweep": "steps" })).await.unwrap(),
        json!({ "due": 0, "cards": 0, "failed": 0 })
    );
    let swept = api.invoke(json!({ "sweep": "events" })).await.unwrap();
    assert_eq!(swept, json!({ "listed": 0, "missed": 0, "skipped": 0, "complete": true }));
    let refused = api.invoke(json!({ "sweep": "everything" })).await.unwrap_err().to_string();
    assert!(refused.contains("everything"), "{refused}");
    process.stop().await.unwrap();
}
