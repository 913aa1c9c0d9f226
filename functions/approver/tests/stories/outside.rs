//! The mail service and the company's application, as one server that remembers what it did.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::to_bytes,
    extract::Request,
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use domain::Timestamp;
use runtime::signed::{self, Parts};
use serde_json::{Value, json};

use crate::world::{ACCESS_SECRET, NOW};

/// What goes wrong with the next call that changes something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// It is done, and nobody hears of it.
    LostAnswer,
    /// It is not done, and nobody hears of that either.
    LostCall,
    /// It is refused by the service's own word.
    Refused(u16, &'static str),
}

#[derive(Clone, Default)]
pub(crate) struct Outside {
    /// Messages that went out.
    pub(crate) messages: Arc<Mutex<Vec<Value>>>,
    /// Changes of access that were really made.
    pub(crate) changes: Arc<Mutex<Vec<Value>>>,
    /// Calls that were to change something.
    pub(crate) calls: Arc<Mutex<usize>>,
    executions: Arc<Mutex<BTreeMap<String, Value>>>,
    troubles: Arc<Mutex<VecDeque<Trouble>>>,
    /// Whether questions are answered.
    pub(crate) mute: Arc<Mutex<bool>>,
}

impl Outside {
    /// Starts it; what a deployment has to set.
    pub(crate) async fn start(&self) -> Vec<(String, String)> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let this = self.clone();
        let router = Router::new().fallback(move |request: Request| this.clone().answer(request));
        tokio::spawn(async move { axum::serve(listener, router).await });
        [
            ("AWS_ENDPOINT_URL_SESV2", base.as_str()),
            ("MAIL_FROM", "billing@company.test"),
            ("MAIL_TEST_RECIPIENTS", "@example.test"),
            ("ACCESS_URL", base.as_str()),
            ("ACCESS_SECRET", ACCESS_SECRET),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
    }

    pub(crate) fn trouble(&self, trouble: Trouble) {
        self.troubles.lock().unwrap().push_back(trouble);
    }

    pub(crate) fn sent(&self) -> usize {
        self.messages.lock().unwrap().len()
    }

    pub(crate) fn changed(&self) -> usize {
        self.changes.lock().unwrap().len()
    }

    async fn answer(self, request: Request) -> Response {
        let (head, body) = request.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap();
        let path = head.uri.path().to_owned();
        if path == "/v2/email/outbound-emails" {
            return self.change(|| {
                let mut messages = self.messages.lock().unwrap();
                messages.push(serde_json::from_slice(&body).unwrap());
                json!({ "MessageId": format!("m-{}", messages.len()) })
            });
        }
        let parts = Parts { method: head.method.as_str(), path_and_query: &path, body: &body };
        let header = head.headers[signed::HEADER].to_str().unwrap();
        // The clock of the tests stands still or runs ahead; how old a signature may be is tested elsewhere.
        let at: i64 = header.split([',', '=']).nth(1).unwrap().parse().unwrap();
        assert!(at >= NOW);
        signed::verify(&["canary-access-secret".into()], header, Timestamp::from_seconds(at), parts).unwrap();
        if let Some(id) = path.strip_prefix("/executions/") {
            if *self.mute.lock().unwrap() {
                return (StatusCode::BAD_GATEWAY, "<html>").into_response();
            }
            return match self.executions.lock().unwrap().get(id) {
                Some(done) => done.to_string().into_response(),
                None => (StatusCode::NOT_FOUND, r#"{"error":"no_such_execution"}"#).into_response(),
            };
        }
        let asked: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(path, format!("/customers/{}/access", asked["customer"].as_str().unwrap()));
        self.change(|| {
            let id = asked["execution"].as_str().unwrap().to_owned();
            let (customer, change) = (&asked["customer"], &asked["change"]);
            let done = json!({ "execution": id, "customer": customer, "change": change, "state": "done" });
            if self.executions.lock().unwrap().insert(id, done.clone()).is_none() {
                self.changes.lock().unwrap().push(asked.clone());
            }
            done
        })
    }

    fn change(&self, make: impl FnOnce() -> Value) -> Response {
        *self.calls.lock().unwrap() += 1;
        let trouble = self.troubles.lock().unwrap().pop_front();
        match trouble {
            None => make().to_string().into_response(),
            Some(Trouble::LostAnswer) => {
                make();
                (StatusCode::GATEWAY_TIMEOUT, "<html>").into_response()
            }
            Some(Trouble::LostCall) => (StatusCode::GATEWAY_TIMEOUT, "<html>").into_response(),
            Some(Trouble::Refused(status, word)) => {
                let status = StatusCode::from_u16(status).unwrap();
                (status, [("x-amzn-errortype", word)], json!({ "error": word }).to_string()).into_response()
            }
        }
    }
}
