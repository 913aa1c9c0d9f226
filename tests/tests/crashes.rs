//! Runs that die between a vendor's commit and our record of it, runs that send the same step at once, and
//! vendors that are down: one effect each, and nobody waits for another's vendor.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::large_futures,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on fails"
)]

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{
    Router,
    extract::Request,
    http::StatusCode,
    middleware::{self, Next},
    response::IntoResponse as _,
};
use connectors::crm::{Credentials, Crm, Fields, HubSpot, Salesforce};
use domain::CaseKey;
use processor::Around;
use runtime::{Meter, http::Base};
use sandbox::{
    Loopback, Shelf,
    crm::{hubspot, salesforce},
    policy::Policy,
    slack,
    stripe::seed,
};
use serde_json::{Value, json};
use store::{StepRow, StepState};
use stories::World;

const SECRET: &str = "crm-secret";

/// A CRM's stand-in that counts what it is asked.
struct Twin {
    vendor: Vendor,
    asked: Arc<AtomicUsize>,
    mode: Arc<Mutex<Mode>>,
    _server: Loopback,
}

/// How the CRM is.
#[derive(Clone, Copy)]
enum Mode {
    Works,
    /// Every call fails.
    Fails,
    /// Calls whose path holds this get no answer.
    Hangs(&'static str),
}

enum Vendor {
    HubSpot(Arc<hubspot::HubSpot>),
    Salesforce(Arc<salesforce::Salesforce>),
}

impl Twin {
    /// A HubSpot that knows every customer, for processor and reconciler.
    async fn hubspot(world: &mut World) -> Self {
        let crm = hubspot::HubSpot::open(SECRET, Shelf::memory().unwrap()).unwrap();
        let customers = customers(world);
        let company = json!({ "name": "Company" }).as_object().unwrap().clone();
        let records: Vec<_> = customers.iter().map(|id| (id.as_str(), company.clone())).collect();
        crm.seed(&records).unwrap();
        Self::behind(world, Vendor::HubSpot(Arc::clone(&crm)), crm.router()).await
    }

    /// The same of Salesforce.
    async fn salesforce(world: &mut World) -> Self {
        let crm = salesforce::Salesforce::open(SECRET, Shelf::memory().unwrap()).unwrap();
        let customers = customers(world);
        let account = json!({ "Name": "Company" }).as_object().unwrap().clone();
        let records: Vec<_> = customers.iter().map(|id| (id.as_str(), account.clone())).collect();
        crm.seed(&records).unwrap();
        Self::behind(world, Vendor::Salesforce(Arc::clone(&crm)), crm.router()).await
    }

    async fn behind(world: &mut World, vendor: Vendor, router: Router) -> Self {
        let (asked, mode) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(Mode::Works)));
        let (count, how) = (Arc::clone(&asked), Arc::clone(&mode));
        let router = router.layer(middleware::from_fn(move |request: Request, next: Next| {
            count.fetch_add(1, Ordering::SeqCst);
            let how = *how.lock().unwrap();
            async move {
                match how {
                    Mode::Fails => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
                    Mode::Hangs(part) if request.uri().path().contains(part) => std::future::pending().await,
                    Mode::Works | Mode::Hangs(_) => next.run(request).await,
                }
            }
        }));
        let server = Loopback::serve(0, router).await.unwrap();
        let base = Base::parse(&server.url()).unwrap();
        for app in [&mut world.processor, &mut world.reconciler.processor] {
            let http = runtime::http::client(&[&base]).unwrap();
            let (url, clock) = (base.as_str(), app.clock.clone());
            let crm = match &vendor {
                Vendor::HubSpot(_) => {
                    Crm::HubSpot(HubSpot::new(http, url, SECRET.into(), Fields::hubspot(), clock))
                }
                Vendor::Salesforce(_) => {
                    let credentials = Credentials { client_id: "app".into(), client_secret: SECRET.into() };
                    Crm::Salesforce(Salesforce::new(http, url, credentials, Fields::salesforce(), clock))
                }
            };
            app.around = Around { crm: Some(crm), ..Around::default() };
        }
        Self { vendor, asked, mode, _server: server }
    }

    /// Tasks and notes, by what we call them: how many of each.
    fn effects(&self) -> BTreeMap<String, usize> {
        let (entries, key) = match &self.vendor {
            Vendor::HubSpot(crm) => {
                ([crm.entries("tasks"), crm.entries("notes")].concat(), "countersign_key")
            }
            Vendor::Salesforce(crm) => (crm.entries("Task"), "Countersign_Key__c"),
        };
        let mut effects = BTreeMap::new();
        for entry in entries {
            let key = entry.properties[key].as_str().unwrap().to_owned();
            *effects.entry(key).or_default() += 1;
        }
        effects
    }

    fn becomes(&self, mode: Mode) {
        *self.mode.lock().unwrap() = mode;
    }
}

fn customers(world: &World) -> Vec<String> {
    let id = |customer: &Value| customer["id"].as_str().unwrap().to_owned();
    world.sandbox.stripe.objects("customer").iter().map(id).collect()
}

/// A world in which a small day of billing happened.
async fn a_small_day() -> World {
    let world = World::new().await;
    seed::day(&world.sandbox.stripe, 14, 7).unwrap();
    world
}

/// Alerts by the key of their step, and how many of each.
fn alerts(world: &World) -> BTreeMap<String, usize> {
    let mut alerts = BTreeMap::new();
    for message in world.sandbox.slack.messages() {
        let metadata = message.metadata.unwrap();
        if metadata["event_type"] == "countersign_step" {
            let key = metadata["event_payload"]["key"].as_str().unwrap().to_owned();
            *alerts.entry(key).or_default() += 1;
        }
    }
    alerts
}

async fn steps(world: &World) -> Vec<StepRow> {
    let key = |event: &Value| {
        let object = event["data"]["object"]["id"].as_str()?.parse().ok()?;
        Some(CaseKey::new(domain::event::case_kind(event["type"].as_str()?)?, object))
    };
    let cases: BTreeSet<CaseKey> = world.handled_events().iter().filter_map(key).collect();
    let mut all = Vec::new();
    for case in cases {
        all.extend(world.steps(&case).await);
    }
    all
}

/// Works on the queue until it is empty, and kills the run whenever the outside world has one effect more:
/// after the vendor's commit and before our record. How often.
async fn dying_at_every_effect(world: &World, effects: impl Fn() -> usize) -> usize {
    let mut deaths = 0;
    loop {
        let before = effects();
        let more = async {
            while effects() == before {
                tokio::task::yield_now().await;
            }
        };
        let died = tokio::select! {
            biased;
            () = more => true,
            () = world.work(|| None) => false,
        };
        if !died && world.queued() == 0 {
            return deaths;
        }
        deaths += usize::from(died);
        world.wait(181);
    }
}

#[tokio::test]
async fn runs_that_die_at_every_effect_make_each_alert_task_and_note_once() {
    for salesforce in [false, true] {
        let twin = async |world: &mut World| {
            if salesforce { Twin::salesforce(world).await } else { Twin::hubspot(world).await }
        };
        let mut wild = a_small_day().await;
        let crm = twin(&mut wild).await;
        let mut deaths = 0;
        for event in wild.handled_events() {
            wild.deliver(&event).await;
            let effects = || wild.sandbox.slack.messages().len() + crm.effects().values().sum::<usize>();
            deaths += dying_at_every_effect(&wild, effects).await;
        }
        for _ in 0..3 {
            wild.wait(3600);
            wild.sweep_steps().await;
        }
        let (mut told, mut landed) = (BTreeMap::new(), BTreeMap::new());
        for row in steps(&wild).await {
            assert!(matches!(row.state, StepState::Done { .. }), "{row:?}");
            let key = row.step.key.to_string();
            match row.step.kind.name() {
                _ if row.step.kept.is_some() => {}
                "alert" => drop(told.insert(key, 1)),
                "task" | "note" => drop(landed.insert(key, 1)),
                _ => {}
            }
        }
        assert!(told.len() > 2 && landed.len() > 2, "the day has alerts, tasks and notes");
        assert!(deaths > told.len(), "only {deaths} runs died");
        assert_eq!((alerts(&wild), crm.effects()), (told, landed), "each step once, and nothing else");
        assert_eq!(wild.dead(), 0);
    }
}

#[tokio::test]
async fn many_sweeps_at_once_send_each_step_once() {
    let mut world = a_small_day().await;
    let crm = Twin::hubspot(&mut world).await;
    // Every first try is answered badly, though Slack and the CRM did what was asked.
    world.sandbox.slack.fail("chat.postMessage", slack::Fault::ServerErrorAfter, 3);
    for event in world.handled_events() {
        world.deliver(&event).await;
    }
    world.work(|| None).await;
    let waiting = steps(&world).await.iter().filter(|row| row.state == StepState::Sending).count();
    assert!(waiting >= 3, "{waiting} steps wait");
    for _ in 0..3 {
        world.wait(3600);
        let sweep = || world.sweep_steps();
        tokio::join!(sweep(), sweep(), sweep(), sweep(), sweep(), sweep());
    }
    let mut effects: Vec<usize> = alerts(&world).into_values().collect();
    effects.extend(crm.effects().into_values());
    assert!(effects.iter().all(|&times| times == 1), "{effects:?}");
    assert!(steps(&world).await.iter().all(|row| matches!(row.state, StepState::Done { .. })));
}

#[tokio::test]
async fn while_one_vendor_hangs_the_others_get_their_steps() {
    let mut world = a_small_day().await;
    let crm = Twin::hubspot(&mut world).await;
    crm.becomes(Mode::Hangs("tasks"));
    for event in world.handled_events() {
        world.deliver(&event).await;
    }
    // The run is dropped as soon as a case has its alert although its task hangs: no time-out passed.
    let told = async {
        loop {
            tokio::task::yield_now().await;
            let rows = steps(&world).await;
            let hangs =
                rows.iter().filter(|row| row.step.kind.name() == "task" && row.state == StepState::Sending);
            let cases: BTreeSet<&CaseKey> = hangs.map(|row| &row.step.case).collect();
            if rows.iter().any(|row| row.posted().is_some() && cases.contains(&row.step.case)) {
                return;
            }
        }
    };
    tokio::select! {
        () = told => {}
        () = world.work(|| None) => panic!("the task did not hang"),
    }
}

#[tokio::test]
async fn a_crm_that_is_down_is_left_alone_counted_and_makes_decisions_more_cautious() {
    let mut world = World::new().await;
    seed::day(&world.sandbox.stripe, 56, 7).unwrap();
    let crm = Twin::hubspot(&mut world).await;
    crm.becomes(Mode::Fails);
    let starter = Path::new(env!("CARGO_MANIFEST_DIR")).join("../infra/policy");
    let policy = Policy::relying(&starter).unwrap();
    world.processor.bundle = runtime::policy::load(policy.folder()).unwrap();
    let lines = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&lines);
    let sink: runtime::metrics::Sink = Arc::new(move |line| sink.lock().unwrap().push(line.to_owned()));
    world.processor.meter = Meter::new("processor", "test", world.processor.clock.clone(), sink);
    let events = world.handled_events();
    for event in &events {
        world.deliver(event).await;
    }
    world.work(|| None).await;

    for event in &events {
        let id = event["id"].as_str().unwrap().parse().unwrap();
        let row = world.cases().event(&id).await.unwrap().unwrap();
        assert!(row.outcome.is_some(), "the queue goes on: {id}");
    }
    let asked = crm.asked.load(Ordering::SeqCst);
    assert!(asked < 100 && asked < events.len(), "{asked} calls for {} events", events.len());
    let figures: Vec<Value> =
        lines.lock().unwrap().iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let counted = |name: &str| figures.iter().filter_map(|line| line[name].as_u64()).sum::<u64>();
    assert!(counted("enrichment_failed_crm") > 0 && counted("steps_waiting_note") > 0);
    assert!(counted("steps_sent_alert") > 0, "the team hears");

    let rows = steps(&world).await;
    let mut cautious = 0;
    for case in rows.iter().map(|row| &row.step.case).collect::<BTreeSet<_>>() {
        let case = world.cases().case(case).await.unwrap().unwrap();
        if case.classification.bucket.is_settled() {
            continue;
        }
        let missing = case.escalation.rules.iter().find(|rule| rule.id == "floor-missing");
        let reason = missing.map(|rule| rule.reason.as_str()).unwrap_or_default();
        assert!(case.escalation.permitted && reason.contains("crm"), "{}: {reason}", case.key);
        cautious += 1;
    }
    assert!(cautious > 5, "only {cautious} open cases");

    // When it works again, what waited is sent, by the sweep, once.
    crm.becomes(Mode::Works);
    for _ in 0..20 {
        world.wait(900);
        world.sweep_steps().await;
    }
    assert!(steps(&world).await.iter().all(|row| matches!(row.state, StepState::Done { .. })));
    assert!(crm.effects().values().all(|&times| times == 1) && !crm.effects().is_empty());
}
