//! Access and mail against servers that remember what they did.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::needless_pass_by_value,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test may fail anywhere"
)]

mod grants;
#[path = "../../stripe/tests/support/mod.rs"]
mod support;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    extract::Request,
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use domain::{
    CustomerId, Timestamp,
    approval::{AccessChange, Action, EmailAddress, Grant, Operation, Private, Proposal},
};
use gated::{
    access::{Access, NotDone, Outcome, Settings, Why},
    mail::{Config, Mail},
};
use grants::{action, granted};
use runtime::{
    Env,
    aws::Aws,
    http::{Base, client_within},
    signed::{self, Parts},
};
use serde_json::{Value, json};
use support::{Scripted, Server};

const NOW: Timestamp = Timestamp::from_seconds(1_790_000_100);

fn customer() -> CustomerId {
    CustomerId::parse("cus_1").unwrap()
}

fn pause() -> Operation {
    Operation::ChangeAccess { customer: customer(), change: AccessChange::Pause, note: Some("unpaid".into()) }
}

fn message() -> Operation {
    Operation::SendMessage {
        case: "recovery:in_1".parse().unwrap(),
        customer: customer(),
        recipient: EmailAddress::parse("canary@example.test").unwrap(),
        template: "recovery-update-card".into(),
        version: 1,
        locale: "en".into(),
        subject: Private::new("Your card: canary"),
        body: Private::new("Hello <b>canary</b>,\n\nplease update your card."),
    }
}

/// The proposal that was granted.
fn proposal(grant: &Grant) -> Proposal {
    Proposal::new(grant.action().clone())
}

/// The company's application: checks signatures, remembers executions, and can lose its answers.
#[derive(Clone, Default)]
struct Application {
    executions: Arc<Mutex<BTreeMap<String, Value>>>,
    /// Changes that were really made.
    changes: Arc<Mutex<Vec<Value>>>,
    /// So many answers are lost after the change was made.
    lost: Arc<Mutex<usize>>,
}

impl Application {
    async fn start(&self) -> Access {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let this = self.clone();
        let router = Router::new().fallback(move |request: Request| this.clone().answer(request));
        tokio::spawn(async move { axum::serve(listener, router).await });
        access(&base)
    }

    async fn answer(self, request: Request) -> Response {
        let (head, body) = request.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap();
        let header = head.headers[signed::HEADER].to_str().unwrap();
        let path = head.uri.path();
        let parts = Parts { method: head.method.as_str(), path_and_query: path, body: &body };
        if signed::verify(&["canary-secret".into()], header, NOW, parts).is_err() {
            return (StatusCode::UNAUTHORIZED, r#"{"error":"bad_signature"}"#).into_response();
        }
        if let Some(id) = path.strip_prefix("/executions/") {
            return match self.executions.lock().unwrap().get(id) {
                Some(done) => done.to_string().into_response(),
                None => (StatusCode::NOT_FOUND, r#"{"error":"no_such_execution"}"#).into_response(),
            };
        }
        assert_eq!(path, "/customers/cus_1/access");
        let asked: Value = serde_json::from_slice(&body).unwrap();
        let id = asked["execution"].as_str().unwrap().to_owned();
        assert_eq!(head.headers["idempotency-key"], id.as_str());
        let done = json!({
            "execution": id, "customer": asked["customer"], "change": asked["change"], "state": "done",
        });
        if self.executions.lock().unwrap().insert(id, done.clone()).is_none() {
            self.changes.lock().unwrap().push(asked);
        }
        let mut lost = self.lost.lock().unwrap();
        if *lost > 0 {
            *lost -= 1;
            let broken = Err::<Bytes, _>(std::io::Error::other("the connection drops"));
            return Body::from_stream(Dropped(Some(broken))).into_response();
        }
        done.to_string().into_response()
    }
}

/// A body that breaks at once.
struct Dropped(Option<Result<Bytes, std::io::Error>>);

impl futures_util::Stream for Dropped {
    type Item = Result<Bytes, std::io::Error>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        std::task::Poll::Ready(self.0.take())
    }
}

fn access(base: &str) -> Access {
    let base = Base::parse(base).unwrap();
    let http = client_within(&[&base], Duration::from_secs(5)).unwrap();
    let secrets = vec!["canary-secret".into()];
    Access::new(http, Settings { base, secrets, timeout: Duration::from_millis(500) })
}

async fn scripted(status: u16, body: &str) -> (Server, Outcome) {
    let server = Server::start([Scripted { status, headers: Vec::new(), body: body.into() }]).await;
    let outcome = access(&server.base).execute(&granted(&action(pause())), NOW).await;
    (server, outcome)
}

#[tokio::test]
async fn a_change_is_made_once_however_often_it_is_asked_for() {
    let (application, grant) = (Application::default(), granted(&action(pause())));
    let access = application.start().await;
    let (first, second) = tokio::join!(access.execute(&grant, NOW), access.execute(&grant, NOW));
    let done = Outcome::Done { reference: grant.idempotency_key(0) };
    assert_eq!((&first, &second), (&done, &done));
    assert_eq!(access.execute(&grant, NOW).await, done);
    assert_eq!(
        *application.changes.lock().unwrap(),
        [
            json!({ "execution": grant.idempotency_key(0), "customer": "cus_1", "change": "pause", "note": "unpaid" })
        ]
    );
}

#[tokio::test]
async fn a_lost_answer_leaves_the_outcome_open_and_asking_settles_it() {
    let application = Application { lost: Arc::new(Mutex::new(1)), ..Application::default() };
    let (access, grant) = (application.start().await, granted(&action(pause())));
    assert_eq!(access.settle(&proposal(&grant), NOW).await, Outcome::NotDone(NotDone::NeverArrived));
    assert_eq!(access.execute(&grant, NOW).await, Outcome::Unknown(Why::ConnectionLost));
    assert_eq!(
        access.settle(&proposal(&grant), NOW).await,
        Outcome::Done { reference: grant.idempotency_key(0) }
    );
    assert_eq!(application.changes.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn only_the_applications_own_words_refuse_and_everything_else_stays_open() {
    let id = granted(&action(pause())).idempotency_key(0);
    let other =
        json!({ "execution": id, "customer": "cus_2", "change": "pause", "state": "done" }).to_string();
    let half =
        json!({ "execution": id, "customer": "cus_1", "change": "pause", "state": "queued" }).to_string();
    let refused = |code: &str| Outcome::Refused { code: code.to_owned() };
    for (status, body, expected) in [
        (409, r#"{"error":"already_ended"}"#, refused("already_ended")),
        (404, r#"{"error":"no_such_customer"}"#, refused("no_such_customer")),
        (404, "<html>", Outcome::Unknown(Why::Status(404))),
        (400, r#"{"error":"canary <jane@example.test>"}"#, Outcome::Unknown(Why::Status(400))),
        (401, r#"{"error":"bad_signature"}"#, Outcome::NotDone(NotDone::NotAllowed)),
        (429, "", Outcome::NotDone(NotDone::RateLimited)),
        (500, "", Outcome::Unknown(Why::Status(500))),
        (302, "", Outcome::Unknown(Why::Status(302))),
        (200, "{}", Outcome::Unknown(Why::Unreadable)),
        (200, &other, Outcome::Unknown(Why::Unreadable)),
        (200, &half, Outcome::Unknown(Why::Unreadable)),
    ] {
        let (server, outcome) = scripted(status, body).await;
        assert_eq!(outcome, expected, "{status} {body}");
        assert_eq!(server.requests().len(), 1, "never repeated");
    }
}

#[tokio::test]
async fn without_a_connection_nothing_was_sent_and_a_proxys_404_settles_nothing() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let outcome = access(&base).execute(&granted(&action(pause())), NOW).await;
    assert_eq!(outcome, Outcome::NotDone(NotDone::Unreachable));
    assert_eq!(
        access(&base).settle(&proposal(&granted(&action(pause()))), NOW).await,
        Outcome::Unknown(Why::ConnectionLost)
    );
    let server = Server::start([Scripted { status: 404, headers: Vec::new(), body: "<html>".into() }]).await;
    let outcome = access(&server.base).settle(&proposal(&granted(&action(pause()))), NOW).await;
    assert_eq!(outcome, Outcome::Unknown(Why::Status(404)));
}

fn mail(base: &str) -> Mail {
    let env = Env::from([
        ("AWS_REGION", "eu-central-1"),
        ("AWS_ACCESS_KEY_ID", "local"),
        ("AWS_SECRET_ACCESS_KEY", "canary-secret"),
        ("AWS_ENDPOINT_URL_SESV2", base),
        ("MAIL_FROM", "billing@company.test"),
        ("MAIL_REPLY_TO", "help@company.test"),
        ("MAIL_TEST_RECIPIENTS", "tester@company.test, @Example.test"),
    ]);
    Mail::new(&Aws::from_env(&env).unwrap(), Config::from_env(&env).unwrap().unwrap())
}

async fn sent(status: u16, error: Option<&str>, body: &str) -> (Server, Outcome) {
    let headers = error.map(|error| ("x-amzn-errortype".to_owned(), error.to_owned())).into_iter().collect();
    let server = Server::start([Scripted { status, headers, body: body.into() }]).await;
    let outcome = mail(&server.base).execute(&granted(&action(message()))).await;
    (server, outcome)
}

#[tokio::test]
async fn a_message_is_sent_as_it_was_signed_as_plain_text() {
    let (server, outcome) = sent(200, None, r#"{"MessageId":"m-1"}"#).await;
    assert_eq!(outcome, Outcome::Done { reference: "m-1".into() });
    let requests = server.requests();
    assert_eq!((requests.len(), requests[0].path.as_str()), (1, "/v2/email/outbound-emails"));
    let body: Value = serde_json::from_str(&requests[0].body).unwrap();
    let utf8 = |text: &str| json!({ "Data": text, "Charset": "UTF-8" });
    assert_eq!(
        body,
        json!({
            "FromEmailAddress": "billing@company.test",
            "ReplyToAddresses": ["help@company.test"],
            "Destination": { "ToAddresses": ["canary@example.test"] },
            "Content": { "Simple": {
                "Subject": utf8("Your card: canary"),
                "Body": { "Text": utf8("Hello <b>canary</b>,\n\nplease update your card.") },
            } },
            "EmailTags": [{ "Name": "countersign-proposal", "Value": "ap_0123456789abcdefghjkmnpqrs" }],
        })
    );
}

#[tokio::test]
async fn an_answer_that_is_no_refusal_before_acceptance_leaves_it_open_and_is_never_repeated() {
    let said = r#"{"message":"Email address is not verified: canary@example.test"}"#;
    let refused = |code: &str| Outcome::Refused { code: code.to_owned() };
    for (status, error, body, expected) in [
        (400, Some("MessageRejected"), said, refused("MessageRejected")),
        (400, Some("BadRequestException"), said, refused("BadRequestException")),
        (400, Some("SendingPausedException"), said, Outcome::NotDone(NotDone::NotAllowed)),
        (429, Some("TooManyRequestsException"), said, Outcome::NotDone(NotDone::RateLimited)),
        (403, Some("AccessDeniedException"), said, Outcome::NotDone(NotDone::NotAllowed)),
        (400, Some("SomethingNew"), said, Outcome::Unknown(Why::Status(400))),
        (500, Some("InternalFailure"), said, Outcome::Unknown(Why::Status(500))),
        (503, None, "", Outcome::Unknown(Why::Status(503))),
        (200, None, "{}", Outcome::Unknown(Why::Unreadable)),
    ] {
        let (server, outcome) = sent(status, error, body).await;
        assert_eq!(outcome, expected, "{status} {error:?}");
        assert_eq!(server.requests().len(), 1, "{status} {error:?}");
        assert!(!format!("{outcome:?}").contains("canary"), "{outcome:?}");
    }
}

#[tokio::test]
async fn a_lost_connection_may_have_been_a_sent_message() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mail = mail(&format!("http://{}", listener.local_addr().unwrap()));
    tokio::spawn(async move {
        let (connection, _) = listener.accept().await.unwrap();
        connection.readable().await.unwrap();
        drop(connection);
        // A second attempt would be answered, and the test would fail.
        while let Ok((connection, _)) = listener.accept().await {
            drop(
                connection.try_write(b"HTTP/1.1 200 OK\r\ncontent-length: 19\r\n\r\n{\"MessageId\":\"m-2\"}"),
            );
        }
    });
    assert_eq!(mail.execute(&granted(&action(message()))).await, Outcome::Unknown(Why::ConnectionLost));
}

#[tokio::test]
async fn a_subject_that_could_begin_a_header_and_a_grant_for_something_else_send_nothing() {
    let server = Server::start([]).await;
    let mut odd = message();
    if let Operation::SendMessage { subject, .. } = &mut odd {
        *subject = Private::new("Hello\r\nBcc: canary@example.test");
    }
    let mail = mail(&server.base);
    assert_eq!(mail.execute(&granted(&action(odd))).await, Outcome::NotDone(NotDone::BadParameter));
    assert_eq!(mail.execute(&granted(&action(pause()))).await, Outcome::NotDone(NotDone::OtherOperation));
    let outcome = access(&server.base).execute(&granted(&action(message())), NOW).await;
    assert_eq!(outcome, Outcome::NotDone(NotDone::OtherOperation));
    assert_eq!(server.requests().len(), 0);
}

#[tokio::test]
async fn test_mode_writes_to_nobody_but_its_own_recipients_and_live_mode_to_the_customer() {
    let to = |address: &str| {
        let Operation::SendMessage { case, customer, template, version, locale, subject, body, .. } =
            message()
        else {
            panic!("a message")
        };
        let recipient = EmailAddress::parse(address).unwrap();
        Operation::SendMessage { case, customer, recipient, template, version, locale, subject, body }
    };
    let server = Server::start([]).await;
    for stranger in
        ["customer@mail.test", "tester@mail.test", "canary@sub.example.test", "canary@notexample.test"]
    {
        let outcome = mail(&server.base).execute(&granted(&action(to(stranger)))).await;
        assert_eq!(outcome, Outcome::NotDone(NotDone::TestMode), "{stranger}");
    }
    assert_eq!(server.requests().len(), 0);
    for known in ["Tester@company.test", "anybody@example.TEST"] {
        let headers = Vec::new();
        let body = r#"{"MessageId":"m-1"}"#.to_owned();
        let server = Server::start([Scripted { status: 200, headers, body }]).await;
        let outcome = mail(&server.base).execute(&granted(&action(to(known)))).await;
        assert_eq!(outcome, Outcome::Done { reference: "m-1".into() }, "{known}");
    }
    let live = Action { livemode: true, ..action(to("customer@mail.test")) };
    assert!(mail(&server.base).may_write_to(&live));
    for wrong in ["@", "@a b", "nobody", "a@b@c"] {
        let env = Env::from([("MAIL_FROM", "billing@company.test"), ("MAIL_TEST_RECIPIENTS", wrong)]);
        assert!(Config::from_env(&env).unwrap_err().to_string().contains("MAIL_TEST_RECIPIENTS"), "{wrong}");
    }
}

#[test]
fn nothing_is_configured_by_halves() {
    assert!(Config::from_env(&Env::from([])).unwrap().is_none());
    let wrong =
        Config::from_env(&Env::from([("MAIL_FROM", "Jane <jane@example.test>")])).unwrap_err().to_string();
    assert!(wrong.contains("MAIL_FROM") && !wrong.contains("jane"), "{wrong}");
    let alone = gated::access::Config::from_env(&Env::from([("ACCESS_URL", "https://app.example.test")]));
    assert!(alone.unwrap_err().to_string().contains("ACCESS_SECRET"));
    assert_eq!(gated::access::Config::from_env(&Env::from([])).unwrap(), None);
}
