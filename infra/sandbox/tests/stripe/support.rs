//! A served stand-in and a client for it.

use std::sync::Arc;

use reqwest::{Client, Method, RequestBuilder, Response};
use sandbox::{
    Clock, Loopback, Shelf,
    stripe::{Key, Options, READ_SCOPES, Stripe, WRITE_SCOPES},
};
use serde_json::Value;

/// When the tests are.
pub(crate) const NOW: i64 = 1_790_000_000;

/// An account behind its API.
pub(crate) struct Bench {
    pub(crate) stripe: Arc<Stripe>,
    pub(crate) clock: Clock,
    pub(crate) shelf: Shelf,
    pub(crate) client: Client,
    server: Loopback,
}

/// An answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
    pub(crate) headers: reqwest::header::HeaderMap,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub(crate) fn error(&self, field: &str) -> Option<&str> {
        self.body["error"][field].as_str()
    }
}

/// What `Bench::with_invoice` made.
pub(crate) struct Made {
    pub(crate) customer: String,
    pub(crate) method: String,
    pub(crate) subscription: String,
    pub(crate) invoice: String,
    pub(crate) charge: String,
    pub(crate) intent: String,
}

pub(crate) fn options() -> Options {
    let keys = vec![
        Key::secret("sk_test_all"),
        Key::restricted("rk_test_reads", READ_SCOPES.iter().copied()),
        Key::restricted("rk_test_writes", WRITE_SCOPES.iter().copied()),
    ];
    Options::new("acct_123", keys)
}

impl Bench {
    pub(crate) async fn new() -> Self {
        let (shelf, clock) = (Shelf::memory().unwrap(), Clock::held_at(NOW));
        let stripe = Stripe::open(options(), shelf.clone(), clock.clone()).unwrap();
        let server = Loopback::serve(0, stripe.router()).await.unwrap();
        let client = Client::builder().no_proxy().build().unwrap();
        Self { stripe, clock, shelf, client, server }
    }

    /// A customer whose subscription of 49.00 is paid.
    pub(crate) fn with_invoice(&self) -> Made {
        let stripe = &self.stripe;
        let customer = id(&stripe.create_customer("Customer 17", "canary-17@example.test").unwrap());
        let method = id(&stripe.attach_card(&customer, "pm_card_visa").unwrap());
        let subscription = stripe.subscribe(&customer, 4900, "usd").unwrap();
        let invoice = subscription["latest_invoice"].as_str().unwrap().to_owned();
        let charge = stripe.charge_of(&invoice).unwrap();
        let intent = stripe.object(&charge).unwrap()["payment_intent"].as_str().unwrap().to_owned();
        Made { customer, method, subscription: id(&subscription), invoice, charge, intent }
    }

    pub(crate) fn request(&self, method: &str, path: &str) -> RequestBuilder {
        self.with_key("sk_test_all", method, path)
    }

    pub(crate) fn with_key(&self, key: &str, method: &str, path: &str) -> RequestBuilder {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        self.client.request(method, format!("{}{path}", self.server.url())).bearer_auth(key)
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        answer(self.request("GET", path).send().await.unwrap()).await
    }

    pub(crate) async fn post(&self, path: &str, form: &str) -> Answer {
        answer(self.form(path, form).send().await.unwrap()).await
    }

    pub(crate) async fn post_as(&self, key: &str, path: &str, form: &str) -> Answer {
        answer(self.form(path, form).header("idempotency-key", key).send().await.unwrap()).await
    }

    pub(crate) fn form(&self, path: &str, form: &str) -> RequestBuilder {
        self.request("POST", path)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form.to_owned())
    }

    /// How many events of a type there were.
    pub(crate) fn count(&self, kind: &str) -> usize {
        self.stripe.events().iter().filter(|event| event["type"] == kind).count()
    }
}

pub(crate) async fn answer(response: Response) -> Answer {
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Answer { status, headers, body: response.json().await.unwrap() }
}

pub(crate) fn id(object: &Value) -> String {
    object["id"].as_str().unwrap().to_owned()
}
