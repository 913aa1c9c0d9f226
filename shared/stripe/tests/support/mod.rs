//! A server on this machine that answers as scripted and remembers what it was asked. Also used by the
//! tests of `shared/gated`.

#![expect(unreachable_pub, reason = "each test file includes this module for itself")]
#![allow(dead_code, reason = "no test file needs all of it")]

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, Response},
};

/// One answer of the script.
#[derive(Clone, Debug)]
pub struct Scripted {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

/// What it was asked.
#[derive(Clone, Debug)]
pub struct Recorded {
    pub method: String,
    pub path: String,
    pub query: Option<String>,
    pub headers: HeaderMap,
    pub body: String,
}

impl Recorded {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

#[derive(Clone, Default)]
struct Script {
    answers: Arc<Mutex<VecDeque<Scripted>>>,
    requests: Arc<Mutex<Vec<Recorded>>>,
}

/// The server; it ends with the test's runtime.
pub struct Server {
    pub base: String,
    script: Script,
}

pub fn ok(body: impl ToString) -> Scripted {
    Scripted { status: 200, headers: vec![("Request-Id".into(), "req_1".into())], body: body.to_string() }
}

/// An answer of `error_samples.json`.
pub fn sample(name: &str) -> Scripted {
    let text = include_str!("../../../../tests/fixtures/stripe/error_samples.json");
    let all: serde_json::Value = serde_json::from_str(text).unwrap();
    let one = all["errors"].as_array().unwrap().iter().find(|one| one["name"] == name).expect(name);
    let headers = one["headers"].as_object().unwrap().iter();
    Scripted {
        status: u16::try_from(one["status"].as_u64().unwrap()).unwrap(),
        headers: headers.map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned())).collect(),
        body: one["body"].to_string(),
    }
}

/// An HTTP client without a pool, as every test has its own server.
pub fn http() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    stripe::client::http(reqwest::Client::builder()).no_proxy().build().unwrap()
}

impl Server {
    pub async fn start(answers: impl IntoIterator<Item = Scripted>) -> Self {
        let script =
            Script { answers: Arc::new(Mutex::new(answers.into_iter().collect())), ..Script::default() };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(answer).with_state(script.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { base, script }
    }

    pub fn requests(&self) -> Vec<Recorded> {
        self.script.requests.lock().unwrap().clone()
    }
}

async fn answer(State(script): State<Script>, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    script.requests.lock().unwrap().push(Recorded {
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().map(str::to_owned),
        headers: parts.headers,
        body: String::from_utf8(body.to_vec()).unwrap(),
    });
    // A request beyond the script is a mistake of the test; 418 is sorted as a refusal.
    let end = Scripted { status: 418, headers: Vec::new(), body: "{}".into() };
    let next = script.answers.lock().unwrap().pop_front().unwrap_or(end);
    let mut response = Response::builder().status(next.status);
    for (name, value) in next.headers {
        response = response.header(name, value);
    }
    response.body(next.body.into()).unwrap()
}
