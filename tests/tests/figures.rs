//! The figures of a day: each invocation writes them once, as the embedded metric format asks for
//! (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>),
//! and only those that the table has.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::large_futures,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on fails"
)]

use std::sync::{Arc, Mutex};

use domain::Timestamp;
use reconciler::Sweep;
use runtime::{Clock, Meter, figures::FIGURES};
use sandbox::{
    people::{FINANCE_LEAD, FINANCE_SECOND},
    stripe::seed,
};
use serde_json::{Value, json};
use stories::World;

type Lines = Arc<Mutex<Vec<String>>>;

fn meter(function: &'static str, world: &World) -> (Meter, Lines) {
    let lines = Lines::default();
    let (to, hands) = (Arc::clone(&lines), world.clock.clone());
    let clock: Clock = Arc::new(move || Timestamp::from_seconds(hands.seconds()));
    let sink = Arc::new(move |line: &str| to.lock().unwrap().push(line.to_owned()));
    (Meter::new(function, "test", clock, sink), lines)
}

fn taken(lines: &Lines) -> Vec<Value> {
    std::mem::take(&mut *lines.lock().unwrap())
        .iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// What the specification asks of a line, and the table of the figures in it.
fn check(line: &Value, function: &str) {
    assert!(line.to_string().len() < 1 << 20, "a log event has at most a megabyte");
    assert_eq!(line["function"], function);
    let aws = &line["_aws"];
    assert!(aws["Timestamp"].as_i64().unwrap() > 1_000_000_000_000, "milliseconds since 1970");
    for directive in aws["CloudWatchMetrics"].as_array().unwrap() {
        assert_eq!(directive["Namespace"], "Countersign");
        for set in directive["Dimensions"].as_array().unwrap() {
            let set = set.as_array().unwrap();
            assert!(set.len() <= 30);
            assert!(
                set.iter().all(|name| line[name.as_str().unwrap()].is_string()),
                "a dimension has a text"
            );
        }
        let metrics = directive["Metrics"].as_array().unwrap();
        assert!((1..=100).contains(&metrics.len()));
        for metric in metrics {
            let name = metric["Name"].as_str().unwrap();
            assert!(["Count", "Seconds", "None"].contains(&metric["Unit"].as_str().unwrap()), "{metric}");
            match &line[name] {
                Value::Number(_) => {}
                Value::Array(values) => assert!(values.len() <= 100 && values.iter().all(Value::is_number)),
                other => panic!("{name} is {other}"),
            }
            let listed = FIGURES.iter().any(|figure| match figure.by {
                None => figure.name == name,
                Some(_) => name.strip_prefix(figure.name).is_some_and(|kind| kind.starts_with('_')),
            });
            assert!(listed, "`{name}` is not in the table");
        }
    }
}

#[tokio::test]
async fn each_invocation_writes_its_figures_once_and_only_those_of_the_table() {
    let mut world = World::new().await;
    let (processor, of_processor) = meter("processor", &world);
    let (approver, of_approver) = meter("approver", &world);
    let (reconciler, of_reconciler) = meter("reconciler", &world);
    (world.processor.meter, world.approver.meter) = (processor, approver);
    world.reconciler.meter = reconciler;
    seed::day(&world.sandbox.stripe, 56, 7).unwrap();
    for event in world.handled_events() {
        world.deliver(&event).await;
    }
    world.work(|| None).await;
    let lines = taken(&of_processor);
    assert!(lines.len() > 10);
    for line in &lines {
        check(line, "processor");
    }
    let of = |name: &str| lines.iter().filter_map(|line| line[name].as_u64()).sum::<u64>();
    assert_eq!(of("events_received"), u64::try_from(world.handled_events().len()).unwrap());
    assert!(of("steps_sent_alert") > 0 && lines.iter().all(|line| line["event_age"].is_array()));

    for event in &world.handled_events()[..5] {
        world.wait(301);
        world.deliver(event).await;
        world.work(|| None).await;
        let lines = taken(&of_processor);
        assert_eq!(lines.len(), 1, "one invocation, one line");
        assert_eq!(lines[0]["duplicates_suppressed"], 1);
    }

    world.work_approvals(|| None).await;
    taken(&of_approver);
    let open = world.approvals().open_proposals().await.unwrap();
    for who in [FINANCE_LEAD, FINANCE_SECOND] {
        world.browser(who).await.decide(open[0].id(), "approve").await;
    }
    approver::handle(&world.approver, json!({ "schedule": "settle" })).await.unwrap();
    let lines = taken(&of_approver);
    for line in &lines {
        check(line, "approver");
    }
    for name in ["votes_approve", "votes_within_5s", "time_to_decision", "proposals_executed", "settlements"]
    {
        assert!(lines.iter().any(|line| !line[name].is_null()), "{name}");
    }

    for sweep in Sweep::ALL {
        world.sweep(*sweep).await;
        let lines = taken(&of_reconciler);
        assert!(lines.len() <= 1, "{sweep:?}: one invocation, one line");
        for line in &lines {
            check(line, "reconciler");
        }
    }
    world.wait(3600);
    world.sweep(Sweep::Deadlines).await;
    let lines = taken(&of_reconciler);
    assert!(lines[0]["dispute_deadline_hours"].is_number(), "{lines:?}");
}
