//! Signed deliveries, their retries and their disturbances.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Router, extract::State, http::HeaderMap, routing::post};
use sandbox::{
    Loopback,
    stripe::{Disturbance, signature},
};
use serde_json::{Value, json};

use crate::{
    schema::faults,
    support::{Bench, NOW},
};

/// An endpoint that writes down what it gets.
pub(crate) struct Receiver {
    server: Loopback,
    inbox: Arc<Inbox>,
}

struct Inbox {
    got: Mutex<Vec<(String, String)>>,
    status: Mutex<u16>,
}

impl Receiver {
    pub(crate) async fn new() -> Self {
        let inbox = Arc::new(Inbox { got: Mutex::default(), status: Mutex::new(200) });
        let router = Router::new().route("/hook", post(receive)).with_state(Arc::clone(&inbox));
        Self { server: Loopback::serve(0, router).await.unwrap(), inbox }
    }

    pub(crate) fn url(&self) -> String {
        format!("{}/hook", self.server.url())
    }

    fn answers(&self, status: u16) {
        *self.inbox.status.lock().unwrap() = status;
    }

    pub(crate) fn got(&self) -> Vec<(String, Value)> {
        let got = self.inbox.got.lock().unwrap();
        got.iter().map(|(header, body)| (header.clone(), serde_json::from_str(body).unwrap())).collect()
    }

    fn kinds(&self) -> Vec<String> {
        self.got().iter().map(|(_, event)| event["type"].as_str().unwrap().to_owned()).collect()
    }
}

async fn receive(
    State(inbox): State<Arc<Inbox>>,
    headers: HeaderMap,
    body: String,
) -> axum::http::StatusCode {
    let header = headers["stripe-signature"].to_str().unwrap().to_owned();
    inbox.got.lock().unwrap().push((header, body));
    axum::http::StatusCode::from_u16(*inbox.status.lock().unwrap()).unwrap()
}

#[tokio::test]
async fn an_event_arrives_signed_and_is_then_delivered() {
    let (bench, receiver) = (Bench::new().await, Receiver::new().await);
    bench.stripe.add_endpoint(&receiver.url(), "whsec_1", &["customer.created"]).unwrap();
    bench.stripe.create_customer("Customer 17", "canary-17@example.test").unwrap();
    assert_eq!(bench.stripe.events()[0]["pending_webhooks"], 1);
    let waiting = bench.get("/v1/events?delivery_success=false").await.body;
    assert_eq!(waiting["data"].as_array().unwrap().len(), 1);
    assert_eq!(bench.stripe.deliver_due().await, 1);
    let (_, body) = receiver.inbox.got.lock().unwrap()[0].clone();
    assert_eq!(receiver.got()[0].0, signature(["whsec_1"], NOW, &body));
    assert_eq!(faults("event", &receiver.got()[0].1), Vec::<String>::new());
    assert_eq!(bench.stripe.events()[0]["pending_webhooks"], 0);
    assert_eq!(bench.get("/v1/events?delivery_success=false").await.body["data"], json!([]));
    assert_eq!(bench.stripe.deliver_due().await, 0);
}

#[tokio::test]
async fn the_signature_is_the_one_that_stripes_libraries_check() {
    // HMAC-SHA256 of "1790000000.{}" under "whsec_1", worked out with another implementation.
    let header = signature(["whsec_1"], 1_790_000_000, "{}");
    assert!(
        header.contains("v1=f705cd8e5e74965c6722350b983e7c4bbc42303bf431488efe8ea7bb07d4a2bc"),
        "{header}"
    );
}

#[tokio::test]
async fn a_refused_event_is_tried_three_more_times_and_signed_anew() {
    let (bench, receiver) = (Bench::new().await, Receiver::new().await);
    receiver.answers(500);
    bench.stripe.add_endpoint(&receiver.url(), "whsec_1", &["*"]).unwrap();
    bench.stripe.create_customer("Customer 17", "canary-17@example.test").unwrap();
    for tries in 1..=4 {
        assert_eq!(bench.stripe.deliver_due().await, 1, "try {tries}");
        assert_eq!(bench.stripe.deliver_due().await, 0, "not before its time");
        bench.clock.advance(Duration::from_hours(3));
    }
    assert_eq!((receiver.got().len(), bench.stripe.deliver_due().await), (4, 0), "given up");
    assert_ne!(receiver.got()[0].0, receiver.got()[1].0);
    let missed = bench.get("/v1/events?delivery_success=false").await.body;
    assert_eq!(missed["data"].as_array().unwrap().len(), 1, "only the API has it");
    let statuses: Vec<_> = bench.stripe.deliveries().iter().map(|attempt| attempt.status).collect();
    assert_eq!(statuses, [Some(500); 4]);
}

#[tokio::test]
async fn events_can_be_dropped_doubled_delayed_and_shuffled() {
    let (bench, receiver) = (Bench::new().await, Receiver::new().await);
    bench.stripe.add_endpoint(&receiver.url(), "whsec_1", &["t.*"]).unwrap();
    let thing = json!({ "id": "cus_1", "object": "customer" });
    bench.stripe.disturb(Disturbance::Drop, "t.dropped", 1);
    bench.stripe.disturb(Disturbance::Duplicate(1), "t.doubled", 1);
    bench.stripe.disturb(Disturbance::Delay(60), "t.delayed", 1);
    for kind in ["t.delayed", "t.dropped", "t.doubled", "t.plain"] {
        bench.stripe.emit(kind, &thing).unwrap();
    }
    bench.stripe.deliver_due().await;
    assert_eq!(receiver.kinds(), ["t.doubled", "t.doubled", "t.plain"]);
    assert_eq!(receiver.got()[0].1["id"], receiver.got()[1].1["id"]);
    bench.clock.advance(Duration::from_mins(1));
    bench.stripe.deliver_due().await;
    assert_eq!(receiver.kinds().last().unwrap(), "t.delayed");
    let missed = bench.get("/v1/events?delivery_success=false").await.body;
    let missed: Vec<_> = missed["data"].as_array().unwrap().iter().map(|event| &event["type"]).collect();
    assert_eq!(missed, ["t.dropped"]);

    let before = receiver.got().len();
    let sent: Vec<String> = (0..8).map(|n| format!("t.{n}")).collect();
    for kind in &sent {
        bench.stripe.emit(kind, &thing).unwrap();
    }
    bench.stripe.reorder(Some(1));
    bench.stripe.deliver_due().await;
    let mut arrived = receiver.kinds().split_off(before);
    assert_ne!(arrived, sent);
    arrived.sort();
    assert_eq!(arrived, sent);
}

#[tokio::test]
async fn while_a_secret_rolls_both_sign() {
    let (bench, receiver) = (Bench::new().await, Receiver::new().await);
    let endpoint = bench.stripe.add_endpoint(&receiver.url(), "whsec_old", &["*"]).unwrap();
    bench.stripe.roll_secret(&endpoint, "whsec_new", 3600).unwrap();
    let thing = json!({ "id": "cus_1", "object": "customer" });
    bench.stripe.emit("t.rolling", &thing).unwrap();
    bench.stripe.deliver_due().await;
    bench.clock.advance(Duration::from_hours(1));
    bench.stripe.emit("t.rolled", &thing).unwrap();
    bench.stripe.deliver_due().await;
    let signatures: Vec<_> =
        receiver.got().iter().map(|(header, _)| header.matches(",v1=").count()).collect();
    assert_eq!(signatures, [2, 1]);
}

#[tokio::test]
async fn a_thin_endpoint_gets_ids_only() {
    let (bench, receiver) = (Bench::new().await, Receiver::new().await);
    bench.stripe.add_thin_endpoint(&receiver.url(), "whsec_1", &["customer.created"]).unwrap();
    bench.stripe.create_customer("Customer 17", "canary-17@example.test").unwrap();
    bench.stripe.deliver_due().await;
    let (_, thin) = &receiver.got()[0];
    assert_eq!(faults("v2_event_notification", thin), Vec::<String>::new());
    assert_eq!(thin["type"], "v1.customer.created");
    let url = thin["related_object"]["url"].as_str().unwrap();
    assert_eq!(bench.get(url).await.body["name"], "Customer 17");
    assert!(!thin.to_string().contains("canary"));
}

#[tokio::test]
async fn an_endpoint_made_by_request_shows_its_secret_once_and_can_be_resent_to() {
    let (bench, receiver) = (Bench::new().await, Receiver::new().await);
    let form = format!("url={}&enabled_events[0]=customer.created", receiver.url());
    let made = bench.post("/v1/webhook_endpoints", &form).await;
    let secret = made.body["secret"].as_str().unwrap();
    let path = format!("/v1/webhook_endpoints/{}", made.body["id"].as_str().unwrap());
    assert!(secret.starts_with("whsec_") && bench.get(&path).await.body.get("secret").is_none());
    bench.stripe.create_customer("Customer 17", "canary-17@example.test").unwrap();
    bench.stripe.deliver_due().await;
    bench.stripe.resend(bench.stripe.events()[0]["id"].as_str().unwrap()).unwrap();
    bench.stripe.deliver_due().await;
    assert_eq!(receiver.got().len(), 2);
    bench.request("DELETE", &path).send().await.unwrap();
    bench.stripe.create_customer("Customer 18", "canary-18@example.test").unwrap();
    assert_eq!(bench.stripe.undelivered(), 0);
}

#[tokio::test]
async fn deliveries_follow_in_the_background() {
    let (bench, receiver) = (Bench::new().await, Receiver::new().await);
    bench.stripe.add_endpoint(&receiver.url(), "whsec_1", &["*"]).unwrap();
    let stripe = Arc::clone(&bench.stripe);
    let background = tokio::spawn(async move { stripe.deliver().await });
    bench.stripe.create_customer("Customer 17", "canary-17@example.test").unwrap();
    while receiver.got().is_empty() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    background.abort();
    assert_eq!(receiver.kinds(), ["customer.created"]);
}
