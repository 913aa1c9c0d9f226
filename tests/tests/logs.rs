//! What must never be in a log. Alone in its file, so that no other test logs meanwhile.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::large_futures,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on fails"
)]

use std::sync::{Arc, Mutex};

use axum::{Json, Router, extract::Request, http::StatusCode};
use connectors::{
    application::CustomerContext,
    crm::{Crm, Fields, HubSpot},
};
use processor::Around;
use reconciler::{Activation, Sweep};
use runtime::{Meter, http::Base};
use sandbox::{
    Loopback,
    people::{FINANCE_LEAD, FINANCE_SECOND},
    slack::Fault,
    stripe::seed,
};
use serde_json::json;
use store::StepState;
use stories::World;

/// The values of a field in the lines with this message.
fn values(log: &str, message: &str, field: &str) -> Vec<String> {
    let lines = log.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let said = lines.filter(|line| line["fields"]["message"] == message);
    said.filter_map(|line| line["fields"][field].as_str().map(str::to_owned)).collect()
}

#[tokio::test]
async fn one_trace_leads_from_the_delivery_to_the_execution_and_each_decision_is_one_line() {
    let log = stories::captured_log(async {
        let world = World::new().await;
        seed::day(&world.sandbox.stripe, 14, 7).unwrap();
        for event in world.handled_events() {
            world.deliver(&event).await;
        }
        world.work(|| None).await;
        world.work_approvals(|| None).await;
        for row in world.approvals().open_proposals().await.unwrap() {
            for who in [FINANCE_LEAD, FINANCE_SECOND] {
                world.browser(who).await.decide(row.id(), "approve").await;
            }
        }
        world.handled_events().len()
    });
    let (events, log) = log.await;
    let decided = values(&log, "decided", "trace");
    assert!(decided.len() <= events, "one line for each decision");
    let queued = values(&log, "queued", "trace");
    assert!(decided.iter().all(|trace| trace.len() == 32 && queued.contains(trace)));
    let moved = values(&log, "a proposal moved", "trace");
    assert!(!moved.is_empty() && moved.iter().all(|trace| decided.contains(trace)));
    assert!(values(&log, "a proposal moved", "event").contains(&"executed".to_owned()));
}

/// Systems that refuse everything and quote what they were sent, as vendors do.
async fn refusing(world: &mut World) -> Loopback {
    let refuse = |request: Request| async move {
        let said = format!("canary-vendor said no to jane.canary-vendor@example.test: {}", request.uri());
        (
            StatusCode::BAD_REQUEST,
            Json(json!({ "status": "error", "category": "canary-vendor <b>", "message": said })),
        )
    };
    let server = Loopback::serve(0, Router::new().fallback(refuse)).await.unwrap();
    let base = Base::parse(&server.url()).unwrap();
    for app in [&mut world.processor, &mut world.reconciler.processor] {
        let http = runtime::http::client(&[&base]).unwrap();
        let (clock, token) = (app.clock.clone(), "canary-hubspot-token".into());
        let crm = HubSpot::new(http.clone(), base.as_str(), token, Fields::hubspot(), clock.clone());
        let signing = vec!["canary-application-secret".into()];
        let application = CustomerContext::new(http, base.clone(), signing, clock);
        app.around =
            Around { crm: Some(Crm::HubSpot(crm)), application: Some(application), ..Around::default() };
    }
    server
}

#[tokio::test]
async fn nothing_personal_and_no_secret_is_in_any_log_or_figure() {
    let figures = Arc::new(Mutex::new(String::new()));
    let log = stories::captured_log(async {
        let mut world = World::new().await;
        let _server = refusing(&mut world).await;
        for meter in [&mut world.processor.meter, &mut world.reconciler.meter] {
            let lines = Arc::clone(&figures);
            let sink: runtime::metrics::Sink = Arc::new(move |line| lines.lock().unwrap().push_str(line));
            *meter = Meter::new("test", "test", runtime::system_clock(), sink);
        }
        seed::day(&world.sandbox.stripe, 56, 7).unwrap();
        world.sandbox.slack.fail("chat.postMessage", Fault::ServerErrorAfter, 3);
        for event in world.handled_events() {
            world.deliver(&event).await;
        }
        world.deliver_bytes(b"{\"email\":\"canary-body@example.test\"}").await;
        world.work(|| None).await;
        world.wait(3600);
        for sweep in [Sweep::Steps, Sweep::Cases, Sweep::Events, Sweep::Key] {
            reconciler::handle(&world.reconciler, Activation { sweep }).await.unwrap();
        }
        let failed = failed(&world).await;
        assert!(failed.contains("refused with status 400"), "people are told why: {failed}");
        assert!(!failed.contains("canary-vendor@"), "and nothing that the vendor quoted: {failed}");
        world.work_approvals(|| None).await;
        let mut finance = world.browser(FINANCE_LEAD).await;
        for row in world.approvals().open_proposals().await.unwrap() {
            finance.decide(&row.proposal.action.proposal, "approve").await;
        }
        approver::handle(&world.approver, json!({ "schedule": "settle" })).await.unwrap();
        let keys = &world.sandbox.keys;
        [
            keys.webhook_secret.clone(),
            keys.stripe_read_key.clone(),
            keys.stripe_write_key.clone(),
            keys.slack_token.clone(),
        ]
    });
    let (secrets, log) = log.await;
    assert!(log.contains("decided") && log.contains("evt_"), "there is a log");
    assert!(log.contains("a step was refused") && log.contains("a part of the context is missing"));
    let figures = figures.lock().unwrap().clone();
    assert!(figures.contains("steps_failed") && figures.contains("enrichment_failed_crm"));
    let log = format!("{log}{figures}");
    for canary in ["canary-", "example.test", "Customer ", "last4", "4242424242424242"]
        .iter()
        .copied()
        .chain(secrets.iter().map(String::as_str))
    {
        assert!(!log.contains(canary), "`{canary}` is in the log");
    }
}

/// Why steps failed, as people are told.
async fn failed(world: &World) -> String {
    let mut told = String::new();
    for event in world.handled_events() {
        let kind = domain::event::case_kind(event["type"].as_str().unwrap()).unwrap();
        let object = event["data"]["object"]["id"].as_str().unwrap();
        let Some(case) = world.case(kind, object).await else { continue };
        for row in world.steps(&case.key).await {
            if let StepState::Failed { why } = row.state {
                told.push_str(&why);
                told.push('\n');
            }
        }
    }
    told
}
