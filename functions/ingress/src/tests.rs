use std::sync::{Arc, Mutex};

use axum::{
    Json, Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse as _, Response as Answer},
    routing::post,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use domain::Timestamp;
use lambda_http::{Body, Request, Response};
use ring::hmac;
use runtime::{Env, Meter};
use serde_json::{Value, json};

use super::{App, LARGEST, handle, receive};

const NOW: i64 = 1_790_000_000;
const SECRET: &str = "whsec_first";
const ROLLED: &str = "whsec_second";
const SOURCE: &str = "aws.partner/stripe.com/ed_test_1";
const CANARIES: [&str; 3] = ["canary@example.test", "Canary Street 1", "canary-card"];

/// SQS and Secrets Manager, as far as the function asks them.
#[derive(Clone, Default)]
struct Aws(Arc<Mutex<Seen>>);

#[derive(Default)]
struct Seen {
    sent: Vec<Value>,
    asked: Vec<String>,
    broken: bool,
}

async fn aws(State(Aws(state)): State<Aws>, headers: HeaderMap, body: Bytes) -> Answer {
    let asked: Value = serde_json::from_slice(&body).unwrap();
    let mut state = state.lock().unwrap();
    let target = headers["x-amz-target"].to_str().unwrap().to_owned();
    let operation = target.rsplit('.').next().unwrap().to_owned();
    state.asked.push(operation.clone());
    let refused = |kind: &str| (StatusCode::BAD_REQUEST, Json(json!({ "__type": kind, "message": "no" })));
    match operation.as_str() {
        "GetSecretValue" if asked["SecretId"] == "webhook" => {
            Json(json!({ "SecretString": format!("{SECRET}\n{ROLLED}\n") })).into_response()
        }
        "GetSecretValue" if asked["SecretId"] == "other" => {
            Json(json!({ "SecretString": "[\"whsec_other\"]" })).into_response()
        }
        "GetQueueAttributes" => Json(json!({ "Attributes": { "FifoQueue": "true" } })).into_response(),
        "SendMessage" if state.broken => refused("com.amazonaws.sqs#InvalidSecurity").into_response(),
        "SendMessage" => {
            state.sent.push(asked);
            Json(json!({ "MessageId": "m", "MD5OfMessageBody": "d", "SequenceNumber": "1" })).into_response()
        }
        _ => refused("ResourceNotFoundException").into_response(),
    }
}

/// The function, and what the world sees of it.
struct World {
    app: App,
    aws: Aws,
    figures: Arc<Mutex<Vec<String>>>,
}

async fn environment() -> (Env, Aws) {
    let state = Aws::default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().route("/", post(aws)).with_state(state.clone());
    tokio::spawn(async { axum::serve(listener, router).await });
    let queue = format!("{url}/1/events.fifo");
    let env = Env::from([
        ("DEPLOYMENT", "test"),
        ("AWS_REGION", "eu-central-1"),
        ("AWS_ACCESS_KEY_ID", "local"),
        ("AWS_SECRET_ACCESS_KEY", "local"),
        ("AWS_ENDPOINT_URL", &url),
        ("EVENT_QUEUE_URL", &queue),
        ("WEBHOOK_SECRETS", "default=webhook,other=other"),
    ]);
    (env, state)
}

impl World {
    async fn new() -> Self {
        let (env, aws) = environment().await;
        let clock: runtime::Clock = Arc::new(|| Timestamp::from_seconds(NOW));
        let mut app = App::from_env(&env, clock.clone()).await.unwrap();
        let figures: Arc<Mutex<Vec<String>>> = Arc::default();
        let lines = Arc::clone(&figures);
        app.meter = Meter::new(
            "ingress",
            "test",
            clock,
            Arc::new(move |line| lines.lock().unwrap().push(line.into())),
        );
        Self { app, aws, figures }
    }

    /// The status and the word of the answer.
    async fn receive(&self, request: &Request) -> (u16, String) {
        let response: Response<Body> = receive(&self.app, request).await;
        let body = String::from_utf8(response.body().as_ref().to_vec()).unwrap();
        (response.status().as_u16(), body)
    }

    /// The same with the source of a bus turned on.
    async fn with_source() -> Self {
        let mut world = Self::new().await;
        world.app.event_source = Some(SOURCE.to_owned());
        world
    }

    /// What becomes of an invocation by the bus: nothing, or the failure's kind.
    async fn take(&self, event: &Value) -> Result<(), &'static str> {
        let invocation = lambda_http::request::from_str(&event.to_string()).unwrap();
        let answer = handle(&self.app, &invocation).await.map_err(|failure| failure.kind())?;
        assert_eq!(answer.body(), &Body::Empty);
        Ok(())
    }

    async fn deliver(&self, body: &[u8]) -> (u16, String) {
        self.receive(&delivery(body, &signed(body, SECRET, NOW))).await
    }

    fn sent(&self) -> Vec<Value> {
        self.aws.0.lock().unwrap().sent.clone()
    }

    /// The figures of the only invocation.
    fn figures(&self) -> Value {
        let lines = self.figures.lock().unwrap();
        assert_eq!(lines.len(), 1, "one line for one invocation");
        serde_json::from_str(&lines[0]).unwrap()
    }
}

/// An event whose payload is full of personal data.
fn event(kind: &str) -> Value {
    json!({
        "id": "evt_1",
        "object": "event",
        "api_version": "2026-10-28.endive",
        "created": NOW - 5,
        "livemode": false,
        "type": kind,
        "data": { "object": {
            "id": "in_1",
            "object": "invoice",
            "customer": "cus_1",
            "customer_email": CANARIES[0],
            "customer_address": { "line1": CANARIES[1] },
            "description": CANARIES[2],
        } },
    })
}

fn failed_payment() -> Vec<u8> {
    event("invoice.payment_failed").to_string().into_bytes()
}

fn signed(body: &[u8], secret: &str, at: i64) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let tag = hmac::sign(&key, &[format!("{at}.").as_bytes(), body].concat());
    let hex = domain::encoding::hex(tag.as_ref());
    format!("t={at},v1={hex},v0={}", "0".repeat(64))
}

/// A request as API Gateway's HTTP API hands it over in payload format 2.0.
fn gateway(
    method: &str,
    path: &str,
    stage: &str,
    body: &Value,
    base64: bool,
    signature: Option<&str>,
) -> Request {
    let mut headers = json!({
        "content-type": "application/json; charset=utf-8",
        "host": "abc123.execute-api.eu-central-1.amazonaws.com",
        "user-agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
        "x-forwarded-for": "192.0.2.1",
        "x-forwarded-port": "443",
        "x-forwarded-proto": "https",
    });
    if let Some(signature) = signature {
        headers["Stripe-Signature"] = signature.into();
    }
    let recorded = json!({
        "version": "2.0",
        "routeKey": "POST /stripe/{endpoint}",
        "rawPath": path,
        "rawQueryString": "",
        "headers": headers,
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "abc123",
            "domainName": "abc123.execute-api.eu-central-1.amazonaws.com",
            "domainPrefix": "abc123",
            "http": {
                "method": method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "192.0.2.1",
                "userAgent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
            },
            "requestId": "JKJaXmPLvHcESHA=",
            "routeKey": "POST /stripe/{endpoint}",
            "stage": stage,
            "time": "21/Sep/2026:14:13:20 +0000",
            "timeEpoch": NOW * 1000,
        },
        "body": body,
        "isBase64Encoded": base64,
    });
    lambda_http::request::from_str(&recorded.to_string()).unwrap()
}

fn delivery(body: &[u8], signature: &str) -> Request {
    let encoded = STANDARD.encode(body).into();
    gateway("POST", "/stripe/default", "$default", &encoded, true, Some(signature))
}

#[tokio::test]
async fn a_signed_event_is_on_the_queue_before_it_is_answered() {
    let world = World::new().await;
    assert_eq!(world.deliver(&failed_payment()).await, (200, "queued".to_owned()));
    let [message] = world.sent().try_into().unwrap();
    assert!(message["QueueUrl"].as_str().unwrap().ends_with("events.fifo"));
    assert_eq!(message["MessageGroupId"], "cus_1");
    assert_eq!(message["MessageDeduplicationId"], "evt_1");
    let envelope: Value = serde_json::from_str(message["MessageBody"].as_str().unwrap()).unwrap();
    assert_eq!(
        envelope,
        json!({
            "id": "evt_1",
            "type": "invoice.payment_failed",
            "object": "in_1",
            "customer": "cus_1",
            "livemode": false,
            "api_version": "2026-10-28.endive",
            "created": NOW - 5,
            "received": NOW,
            "endpoint": "default",
        })
    );
    assert_eq!(world.figures()["events_received"], 1);
}

#[tokio::test]
async fn events_of_connected_accounts_are_kept_apart() {
    let world = World::new().await;
    let mut event = event("invoice.payment_failed");
    event["account"] = "acct_1".into();
    assert_eq!(world.deliver(event.to_string().as_bytes()).await.0, 200);
    assert_eq!(world.sent()[0]["MessageGroupId"], "acct_1.cus_1");
    assert_eq!(world.sent()[0]["MessageDeduplicationId"], "evt_1");
}

#[tokio::test]
async fn a_body_is_read_alike_as_text_and_as_base64() {
    let world = World::new().await;
    let body = failed_payment();
    let text: Value = String::from_utf8(body.clone()).unwrap().into();
    let signature = signed(&body, SECRET, NOW);
    let request = gateway("POST", "/stripe/default", "$default", &text, false, Some(&signature));
    assert!(matches!(request.body(), Body::Text(_)), "else this test would show nothing");
    assert_eq!(world.receive(&request).await.0, 200);
    assert!(matches!(delivery(&body, &signature).body(), Body::Binary(_)));
    assert_eq!(world.receive(&delivery(&body, &signature)).await.0, 200);
    assert_eq!(world.sent()[0], world.sent()[1]);
}

#[tokio::test]
async fn both_secrets_are_live_while_one_is_rolled() {
    let world = World::new().await;
    let body = failed_payment();
    assert_eq!(world.receive(&delivery(&body, &signed(&body, ROLLED, NOW))).await.0, 200);
}

#[tokio::test]
async fn every_endpoint_has_its_own_secrets() {
    let world = World::new().await;
    let body = failed_payment();
    let encoded = STANDARD.encode(&body).into();
    let to = |endpoint: &str, secret| {
        let path = format!("/stripe/{endpoint}");
        gateway("POST", &path, "$default", &encoded, true, Some(&signed(&body, secret, NOW)))
    };
    assert_eq!(world.receive(&to("other", "whsec_other")).await.0, 200);
    assert_eq!(world.receive(&to("other", SECRET)).await.0, 400);
    assert_eq!(world.receive(&to("default", "whsec_other")).await.0, 400);
    assert_eq!(world.sent().len(), 1);
}

#[tokio::test]
async fn every_refused_signature_gets_the_same_answer_and_a_figure_of_its_own() {
    let body = failed_payment();
    let right = signed(&body, SECRET, NOW);
    let cases = [
        (Some(signed(&body, "whsec_guess", NOW)), "no_match"),
        (Some(signed(b"{}", SECRET, NOW)), "no_match"),
        (Some(signed(&body, SECRET, NOW - 301)), "too_old"),
        (Some(right.replace("t=", "x=")), "no_timestamp"),
        (Some(right.replace("v1=", "v2=")), "no_signature"),
        (None, "no_timestamp"),
    ];
    for (signature, reason) in cases {
        let world = World::new().await;
        let encoded = STANDARD.encode(&body).into();
        let request = gateway("POST", "/stripe/default", "$default", &encoded, true, signature.as_deref());
        assert_eq!(world.receive(&request).await, (400, "signature refused".to_owned()), "{reason}");
        assert_eq!(world.figures()["signatures_refused"], 1);
        assert_eq!(world.figures()[format!("signatures_refused_{reason}")], 1, "{:?}", world.figures());
        assert!(world.sent().is_empty());
    }
}

#[tokio::test]
async fn an_event_whose_type_starts_no_work_is_counted_and_not_queued() {
    let about_nothing = json!({
        "id": "evt_1", "object": "event", "api_version": "2026-10-28.endive", "created": NOW,
        "livemode": false, "type": "balance.available", "data": { "object": { "object": "balance" } },
    });
    for event in [event("price.created"), about_nothing] {
        let world = World::new().await;
        let answer = world.deliver(event.to_string().as_bytes()).await;
        assert_eq!(answer, (200, "ignored".to_owned()), "{}", event["type"]);
        assert_eq!(world.figures()["events_ignored"], 1);
        assert!(world.sent().is_empty());
    }
}

#[tokio::test]
async fn a_signed_body_that_cannot_be_read_fails_where_the_operator_sees_it() {
    let mut no_object_id = event("invoice.payment_failed");
    no_object_id["data"]["object"].as_object_mut().unwrap().remove("id");
    let cases: [(&[u8], &str); 4] = [
        (br#"{"id": "evt_1", "object": "event", "#, "not_json"),
        (b"\xff\xfe{}", "not_utf8"),
        (br#"{"id": "in_1", "object": "invoice"}"#, "not_an_event"),
        (&no_object_id.to_string().into_bytes(), "no_object_id"),
    ];
    for (body, reason) in cases {
        let world = World::new().await;
        assert_eq!(world.deliver(body).await, (400, reason.to_owned()));
        assert_eq!(world.figures()["events_unreadable"], 1);
        assert_eq!(world.figures()[format!("events_unreadable_{reason}")], 1);
        assert!(world.sent().is_empty());
    }
}

#[tokio::test]
async fn what_is_not_a_delivery_is_turned_away() {
    let body = failed_payment();
    let signature = signed(&body, SECRET, NOW);
    let encoded: Value = STANDARD.encode(&body).into();
    let cases = [
        ("POST", "/stripe/unknown", 404),
        ("POST", "/stripe/", 404),
        ("POST", "/stripe", 404),
        ("POST", "/a/b/stripe/default", 404),
        ("POST", "/", 404),
        ("GET", "/stripe/default", 405),
        ("PUT", "/stripe/default", 405),
        ("HEAD", "/stripe/default", 405),
        ("GET", "/stripe/unknown", 404),
    ];
    for (method, path, status) in cases {
        let world = World::new().await;
        let request = gateway(method, path, "$default", &encoded, true, Some(&signature));
        assert_eq!(world.receive(&request).await.0, status, "{method} {path}");
        assert_eq!(world.figures()["requests_refused"], 1);
        assert!(world.sent().is_empty());
    }
}

/// An event as EventBridge hands it over.
fn on_the_bus(source: &str, event: &Value) -> Value {
    json!({
        "version": "0",
        "id": "c3d4",
        "detail-type": event["type"],
        "source": source,
        "account": "123456789012",
        "time": "2026-09-21T14:13:15Z",
        "region": "eu-central-1",
        "resources": [format!("arn:aws:events:eu-central-1::event-source/{SOURCE}")],
        "detail": event,
    })
}

#[tokio::test]
async fn an_event_of_the_bus_becomes_the_message_that_its_webhook_would() {
    let world = World::with_source().await;
    let event = event("invoice.payment_failed");
    assert_eq!(world.take(&on_the_bus(SOURCE, &event)).await, Ok(()));
    assert_eq!(world.figures()["events_received"], 1);
    world.deliver(event.to_string().as_bytes()).await;
    let [mut bus, webhook] = world.sent().try_into().unwrap();
    let envelope = bus["MessageBody"].as_str().unwrap().replace("eventbridge", "default");
    bus["MessageBody"] = envelope.into();
    assert_eq!(bus, webhook);
}

#[tokio::test]
async fn the_bus_is_not_believed_unless_its_source_is_turned_on() {
    let event = event("invoice.payment_failed");
    let off = World::new().await;
    assert_eq!(off.take(&on_the_bus(SOURCE, &event)).await, Err("UnknownEvent"));
    let on = World::with_source().await;
    assert_eq!(on.take(&on_the_bus("aws.partner/stripe.com/ed_test_10", &event)).await, Err("UnknownEvent"));
    for world in [off, on] {
        assert_eq!(world.figures()["requests_refused"], 1);
        assert!(world.sent().is_empty());
    }
}

#[tokio::test]
async fn a_request_whose_body_is_an_event_of_the_bus_still_needs_a_signature() {
    let world = World::with_source().await;
    let body = on_the_bus(SOURCE, &event("invoice.payment_failed"));
    let mut request = json!({ "source": SOURCE, "detail": body["detail"] });
    request["body"] = body.to_string().into();
    for body in [body.to_string().into(), request] {
        let request = gateway("POST", "/stripe/default", "$default", &body.to_string().into(), false, None);
        assert_eq!(handle(&world.app, &request).await.unwrap().status(), 400);
    }
    assert!(world.sent().is_empty());
}

#[tokio::test]
async fn an_event_of_the_bus_that_is_not_queued_fails_unless_its_type_starts_no_work() {
    let nothing = json!({ "object": "event", "type": "balance.available", "data": { "object": {} } });
    for event in [event("price.created"), nothing] {
        let world = World::with_source().await;
        assert_eq!(world.take(&on_the_bus(SOURCE, &event)).await, Ok(()));
        assert_eq!(world.figures()["events_ignored"], 1);
        assert!(world.sent().is_empty());
    }
    let world = World::with_source().await;
    let unreadable = json!({ "object": "event", "type": "invoice.payment_failed" });
    assert_eq!(world.take(&on_the_bus(SOURCE, &unreadable)).await, Err("EventUnreadable"));
    assert_eq!(world.figures()["events_unreadable_missing_field"], 1);
    let world = World::with_source().await;
    world.aws.0.lock().unwrap().broken = true;
    let failed = on_the_bus(SOURCE, &event("invoice.payment_failed"));
    assert_eq!(world.take(&failed).await, Err("NotQueued"));
    assert_eq!(world.figures()["queue_failures"], 1);
}

#[tokio::test]
async fn a_named_stage_before_the_path_does_not_matter() {
    let world = World::new().await;
    let body = failed_payment();
    let signature = signed(&body, SECRET, NOW);
    let request = gateway(
        "POST",
        "/prod/stripe/default",
        "prod",
        &STANDARD.encode(&body).into(),
        true,
        Some(&signature),
    );
    assert_eq!(world.receive(&request).await.0, 200);
}

#[tokio::test]
async fn a_body_beyond_a_mebibyte_is_refused_even_if_it_is_signed() {
    let world = World::new().await;
    let mut event = event("invoice.payment_failed");
    event["data"]["object"]["description"] =
        "x".repeat(LARGEST - event.to_string().len() + CANARIES[2].len()).into();
    let body = event.to_string().into_bytes();
    assert_eq!(body.len(), LARGEST);
    assert_eq!(world.deliver(&body).await.0, 200);
    assert_eq!(world.deliver(&[&body[..], b" "].concat()).await.0, 413);
}

#[tokio::test]
async fn a_queue_that_does_not_confirm_makes_stripe_deliver_again() {
    let world = World::new().await;
    world.aws.0.lock().unwrap().broken = true;
    assert_eq!(world.deliver(&failed_payment()).await, (503, "try again".to_owned()));
    assert_eq!(world.figures()["queue_failures"], 1);
    assert_eq!(world.figures().get("events_received"), None);
}

#[tokio::test]
async fn the_secrets_and_the_connection_are_there_before_the_first_delivery() {
    let world = World::new().await;
    let asked = world.aws.0.lock().unwrap().asked.clone();
    assert_eq!(asked.iter().filter(|operation| *operation == "GetSecretValue").count(), 2);
    assert!(asked.iter().any(|operation| operation == "GetQueueAttributes"));
    world.deliver(&failed_payment()).await;
    assert_eq!(world.aws.0.lock().unwrap().asked.len(), asked.len() + 1, "a delivery is one call");
}

#[tokio::test]
async fn a_function_without_its_secret_refuses_to_start() {
    let (env, _) = environment().await;
    let clock: runtime::Clock = Arc::new(|| Timestamp::from_seconds(NOW));
    assert!(App::from_env(&env, clock.clone()).await.is_ok());
    let (env, _) = environment_with("WEBHOOK_SECRETS", "default=absent").await;
    let error = App::from_env(&env, clock).await.err().unwrap();
    assert!(error.to_string().contains("`absent`"), "{error}");
}

async fn environment_with(name: &str, value: &str) -> (Env, Aws) {
    let (env, aws) = environment().await;
    let names = [
        "DEPLOYMENT",
        "AWS_REGION",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_ENDPOINT_URL",
        "EVENT_QUEUE_URL",
        "WEBHOOK_SECRETS",
    ];
    let changed = names.map(|each| (each, if each == name { value } else { env.optional(each).unwrap() }));
    (changed.into_iter().collect(), aws)
}

/// What is logged while a test runs.
#[derive(Clone, Default)]
struct Paper(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn neither_logs_nor_figures_nor_messages_hold_personal_data_or_secrets() {
    let paper = Paper::default();
    let to = paper.clone();
    let subscriber = tracing_subscriber::fmt()
        .json()
        .with_max_level(tracing::Level::DEBUG)
        .with_writer(move || to.clone())
        .finish();
    let _logging = tracing::subscriber::set_default(subscriber);
    let world = World::new().await;
    // A test beside this one may just have met a line for the first time, when nobody listened yet.
    tracing::callsite::rebuild_interest_cache();
    let mut strange = event("invoice.payment_failed");
    strange["livemode"] = CANARIES[0].into();
    for body in
        [failed_payment(), strange.to_string().into_bytes(), event("price.created").to_string().into_bytes()]
    {
        world.deliver(&body).await;
    }
    world.aws.0.lock().unwrap().broken = true;
    world.deliver(&failed_payment()).await;
    let forged = delivery(&failed_payment(), &signed(b"", "whsec_guess", NOW));
    world.receive(&forged).await;

    let log = String::from_utf8(paper.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("evt_1") && log.contains("queued"), "else this test would show nothing: {log}");
    let ours = log.lines().filter(|line| line.contains(r#""target":"ingress"#)).count();
    assert_eq!(ours, 4, "one line for each signed delivery, none for the forged one: {log}");
    let everything =
        [log, world.figures.lock().unwrap().join("\n"), json!(world.sent()).to_string()].concat();
    for canary in CANARIES.iter().chain(&[SECRET, ROLLED, "whsec_guess", "whsec_other"]) {
        assert!(!everything.contains(canary), "{canary}");
    }
}
