//! A language model beside the processor, in every mood: what it says changes words, urgency upwards and the
//! summary, and nothing else; what it costs is bounded; without it everything is done all the same.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::large_futures,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a story that cannot go on fails"
)]

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Json, Router, extract::State, http::StatusCode, response::IntoResponse, routing::post};
use connectors::model::{Model, Price};
use domain::{
    Case, CaseKind,
    advice::Outcome,
    plan::{Draft, Priority, StepKind},
    policy::Bundle,
};
use runtime::http::Base;
use sandbox::Loopback;
use serde_json::{Value, json};
use store::{Cases, StepRow};
use stories::World;

/// How the model is.
#[derive(Clone)]
enum Mood {
    /// It answers with this.
    Says(String),
    /// It answers after this.
    Slow(Duration),
    /// It answers with a status.
    Fails(u16),
    /// It refuses.
    Refuses,
    /// It needs more tokens than it may use.
    CutOff,
}

/// A server that speaks OpenAI's chat completions.
#[derive(Clone)]
struct Server {
    mood: Mood,
    /// What it was asked, one input for each question.
    asked: Arc<Mutex<Vec<String>>>,
    /// The table whose steps are stopped while it thinks.
    stops: Arc<Mutex<Option<Cases>>>,
}

async fn answer(State(server): State<Server>, Json(question): Json<Value>) -> axum::response::Response {
    server.asked.lock().unwrap().push(question["messages"][1]["content"].as_str().unwrap().to_owned());
    let stops = server.stops.lock().unwrap().take();
    if let Some(cases) = stops {
        cases.freeze().await.unwrap();
    }
    let (message, finish) = match &server.mood {
        Mood::Says(text) => (json!({ "content": text }), "stop"),
        Mood::Refuses => (json!({ "content": null, "refusal": "I cannot help with that." }), "stop"),
        Mood::CutOff => (json!({ "content": "{\"template\":" }), "length"),
        Mood::Slow(time) => {
            tokio::time::sleep(*time).await;
            (json!({ "content": helpful() }), "stop")
        }
        Mood::Fails(status) => {
            let error = json!({ "error": { "message": "no", "code": "server_error" } });
            return (StatusCode::from_u16(*status).unwrap(), Json(error)).into_response();
        }
    };
    Json(json!({
        "model": "advisor-1",
        "choices": [{ "message": message, "finish_reason": finish }],
        "usage": { "prompt_tokens": 1_000, "completion_tokens": 100 },
    }))
    .into_response()
}

/// A world with a model that is asked, and what it was asked.
struct Advised {
    world: World,
    asked: Arc<Mutex<Vec<String>>>,
    stops: Arc<Mutex<Option<Cases>>>,
    _server: Loopback,
}

impl Advised {
    async fn new(mood: Mood) -> Self {
        let (asked, stops) = (Arc::default(), Arc::default());
        let server = Server { mood, asked: Arc::clone(&asked), stops: Arc::clone(&stops) };
        let router = Router::new().route("/v1/chat/completions", post(answer)).with_state(server);
        let server = Loopback::serve(0, router).await.unwrap();
        let mut world = World::new().await;
        let base = Base::parse(&format!("{}/v1", server.url())).unwrap();
        let http = runtime::http::client(&[&base]).unwrap();
        let price = Price::parse("1,10").unwrap();
        let model = Model::openai("advisor-1", price, http, &base, None, world.processor.clock.clone());
        // Short, so that a test need not wait; the policy's own time-out is longer.
        world.processor.advisor = Some(model.within(Duration::from_millis(500)));
        Self { world, asked, stops, _server: server }
    }

    fn questions(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
}

/// Somebody's card has expired, and the renewal fails.
async fn expired(world: &World, name: &str) -> String {
    let stripe = &world.sandbox.stripe;
    let customer = stripe.create_customer(name, &format!("{name}@example.test")).unwrap();
    let customer = customer["id"].as_str().unwrap().to_owned();
    let method = stripe.attach_card(&customer, "pm_card_visa").unwrap();
    let subscription = stripe.subscribe(&customer, 4_900, "usd").unwrap();
    work(world).await;
    stripe.card_becomes(method["id"].as_str().unwrap(), "pm_card_decline_expired_card").unwrap();
    let invoice = stripe.renew(subscription["id"].as_str().unwrap()).unwrap().unwrap();
    work(world).await;
    invoice["id"].as_str().unwrap().to_owned()
}

async fn work(world: &World) {
    for event in world.handled_events() {
        assert_eq!(world.deliver(&event).await, 200);
    }
    world.work(|| None).await;
}

async fn recovery(world: &World, invoice: &str) -> (Case, Vec<StepRow>) {
    let case = world.case(CaseKind::Recovery, invoice).await.unwrap();
    let steps = world.steps(&case.key).await;
    (case, steps)
}

fn draft(steps: &[StepRow]) -> &Draft {
    let drafts = steps.iter().find_map(|row| match &row.step.kind {
        StepKind::Draft(draft) => Some(draft),
        _ => None,
    });
    drafts.expect("a draft")
}

fn answering(change: impl FnOnce(&mut Value)) -> String {
    let mut answer = json!({
        "template": "recovery-update-card-personal",
        "tone": "warm",
        "urgency": { "priority": "urgent", "because": "The card expired and the invoice is open." },
        "summary": "The card expired and an invoice of 49.00 USD is open.",
        "texts": { "opening": "Thank you for being our customer." },
    });
    change(&mut answer);
    answer.to_string()
}

fn helpful() -> String {
    answering(|_| ())
}

/// What must be the same whatever a model says: kinds, in their order, and what is kept back and why.
fn shape(case: &Case, steps: &[StepRow]) -> String {
    let mut steps: Vec<_> = steps.iter().map(|row| (row.step.kind.name(), &row.step.kept)).collect();
    steps.sort();
    json!([case.state, case.classification, case.escalation, case.verdicts, case.suppressed, steps])
        .to_string()
}

async fn without_a_model() -> (String, Draft, Priority) {
    let world = World::new().await;
    let invoice = expired(&world, "ada").await;
    let (case, steps) = recovery(&world, &invoice).await;
    assert_eq!(case.advice, None);
    (shape(&case, &steps), draft(&steps).clone(), case.priority)
}

#[tokio::test]
async fn a_helpful_model_changes_words_urgency_and_the_summary_and_is_asked_once() {
    let (expected, plain, priority) = without_a_model().await;
    let advised = Advised::new(Mood::Says(helpful())).await;
    let invoice = expired(&advised.world, "ada").await;
    let (case, steps) = recovery(&advised.world, &invoice).await;
    assert_eq!(shape(&case, &steps), expected);
    assert!(case.priority > priority);
    let other = draft(&steps);
    assert_eq!(other.template, "recovery-update-card-personal.en/1");
    assert!(
        plain.template.starts_with("recovery-update-card.en/")
            && other.text.contains("Thank you for being our customer.")
    );
    let consulted = case.advice.as_ref().unwrap();
    assert_eq!((consulted.tokens.input, consulted.tokens.output, consulted.remembered), (1_000, 100, false));
    assert!(matches!(consulted.outcome, Outcome::Taken { .. }), "{consulted:?}");
    let posted = advised.world.sandbox.slack.messages();
    assert!(posted.iter().any(|message| {
        format!("{message:?}").contains("The card expired and an invoice of 49.00 USD is open.")
    }));

    // The trail has the decision as without a model, and beside it what the model said.
    let trail = advised.world.cases().trail(&case.key).await.unwrap();
    let body: Value = serde_json::from_str(&trail[0].body).unwrap();
    assert_eq!(body["advice"], serde_json::to_value(consulted).unwrap());
    assert!(!body["decision"].to_string().contains("language model"), "{}", body["decision"]);
    assert_eq!(body["decision"]["priority"], json!(priority));

    // Nothing new: nothing is asked.
    work(&advised.world).await;
    assert_eq!(advised.questions(), 1);
    // 1,000 tokens at 1 USD and 100 at 10 USD a million, and what was taken in advance is given back.
    let day = domain::Timestamp::from_seconds(stories::START).day();
    let (for_case, for_day) = advised.world.cases().advice_used(&case.key, &day).await.unwrap();
    assert_eq!((for_case.questions, for_case.tokens, for_case.cost), (1, 1_100, 2_000));
    assert_eq!(for_day, for_case);
}

#[tokio::test]
async fn what_a_model_is_told_names_nobody() {
    let advised = Advised::new(Mood::Says(helpful())).await;
    expired(&advised.world, "lovelace").await;
    for input in advised.asked.lock().unwrap().iter() {
        assert!(!input.contains("lovelace") && !input.contains('@'), "{input}");
    }
    assert_eq!(advised.questions(), 1);
}

#[tokio::test]
async fn a_broken_or_hostile_model_leaves_everything_as_it_is_without_one() {
    let (expected, plain, priority) = without_a_model().await;
    let text = |name: &'static str, value: Value| Mood::Says(answering(|answer| answer[name] = value));
    for (mood, outcome) in [
        (Mood::Says("Sure, here you are!".into()), "answer malformed"),
        (Mood::Says(format!("{{\"template\":\"{}\"}}", "a".repeat(10_000))), "answer malformed"),
        (text("summary", json!("a ".repeat(500))), "summary length"),
        (text("summary", json!("Approve the refund at once.")), "summary phrase"),
        (text("summary", json!("The customer owes 4,900.00 USD.")), "summary number"),
        (text("texts", json!({ "opening": "You will get your money back." })), "opening policy"),
        (text("texts", json!({ "opening": "Please pay at https://evil.example." })), "opening address"),
        (text("template", json!("refund-made")), "template not_offered"),
        (text("approve", json!(true)), "answer malformed"),
        (Mood::Refuses, "refused"),
        (Mood::CutOff, "refused"),
        (Mood::Fails(500), "unavailable"),
        (Mood::Slow(Duration::from_secs(3)), "timed_out"),
    ] {
        let advised = Advised::new(mood).await;
        let invoice = expired(&advised.world, "ada").await;
        let (case, steps) = recovery(&advised.world, &invoice).await;
        assert_eq!(shape(&case, &steps), expected, "{outcome}");
        assert_eq!(case.priority, priority, "{outcome}");
        assert_eq!(
            (&draft(&steps).template, draft(&steps).text.len()),
            (&plain.template, plain.text.len()),
            "{outcome}"
        );
        let found = match &case.advice.as_ref().unwrap().outcome {
            Outcome::Refused { objections, .. } => {
                objections.iter().map(|one| format!("{} {}", one.part, one.reason)).collect()
            }
            Outcome::Unanswered { why } => vec![why.clone()],
            other => panic!("{outcome}: {other:?}"),
        };
        assert!(found.iter().any(|one| one == outcome), "{outcome}: {found:?}");
        let posted = format!("{:?}", advised.world.sandbox.slack.messages());
        assert!(!posted.contains("language model"), "{outcome}: {posted}");
    }
}

#[tokio::test]
async fn over_its_budget_nothing_is_asked_and_everything_is_done() {
    let mut advised = Advised::new(Mood::Says(helpful())).await;
    advised.world.processor.bundle =
        capped("[advice.per_day]\nquestions = 2000", "[advice.per_day]\nquestions = 6");
    let first = expired(&advised.world, "ada").await;
    assert_eq!(recovery(&advised.world, &first).await.0.advice.unwrap().told(), "its answer was used");
    let case = recovery(&advised.world, &first).await.0.key;
    // As many questions as are left of the day were put about others.
    let day = domain::Timestamp::from_seconds(stories::START).day();
    let settings = advised.world.processor.bundle.settings().advice;
    for other in 0..5 {
        let taken = store::advice::Taken {
            case: domain::CaseKey::new(
                CaseKind::Recovery,
                domain::ObjectId::parse(format!("in_other{other}")).unwrap(),
            ),
            day: day.clone(),
            id: other.to_string(),
            used: store::advice::Used { questions: 1, tokens: 1, cost: 1 },
        };
        let now = domain::Timestamp::from_seconds(stories::START);
        advised
            .world
            .cases()
            .take_advice(&taken, settings.per_case, settings.per_day, now)
            .await
            .unwrap()
            .unwrap();
    }
    let second = expired(&advised.world, "grace").await;
    let (other, steps) = recovery(&advised.world, &second).await;
    assert_eq!(other.advice.unwrap().outcome, Outcome::NotAsked { why: "day_budget".into() });
    assert!(draft(&steps).template.starts_with("recovery-update-card.en/"));
    assert_eq!(advised.questions(), 1);
    assert_ne!(other.key, case);
}

#[tokio::test]
async fn the_same_question_is_answered_from_memory() {
    let advised = Advised::new(Mood::Says(helpful())).await;
    // While the model thinks, somebody stops the agent: what it planned is not done, and nothing more is asked.
    *advised.stops.lock().unwrap() = Some(advised.world.cases().clone());
    let invoice = expired(&advised.world, "ada").await;
    let (stopped, steps) = recovery(&advised.world, &invoice).await;
    assert!(steps.iter().all(|row| row.step.kind.name() != "draft"), "{steps:?}");
    advised.world.cases().unfreeze().await.unwrap();
    let processor = &advised.world.processor;
    let metrics = processor.meter.invocation();
    processor::turn::revisit(processor, &metrics, &processor.new_run(), &stopped).await.unwrap();
    let (case, steps) = recovery(&advised.world, &invoice).await;
    assert_eq!(draft(&steps).template, "recovery-update-card-personal.en/1");
    let consulted = case.advice.unwrap();
    assert_eq!((consulted.remembered, consulted.tokens.input), (true, 0));
    assert_eq!(advised.questions(), 1);
}

/// The starter bundle with another budget.
fn capped(from: &str, to: &str) -> Bundle {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../infra/policy");
    let mut files = BTreeMap::new();
    for inner in ["", "rules", "templates"] {
        for entry in fs::read_dir(folder.join(inner)).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                let name = path.strip_prefix(&folder).unwrap().to_str().unwrap().to_owned();
                files.insert(name, fs::read_to_string(path).unwrap());
            }
        }
    }
    let settings = files["settings.toml"].replacen(from, to, 1);
    assert_ne!(settings, files["settings.toml"]);
    files.insert("settings.toml".into(), settings);
    Bundle::load(&files).unwrap()
}
