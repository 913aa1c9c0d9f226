use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use axum::{Router, http::HeaderMap, response::IntoResponse as _};
use domain::Timestamp;
use serde_json::{Value, json};

use super::*;
use crate::failure::Verdict;

/// An API that gives these statuses in turn, the last one for ever, and how often it was asked.
async fn api(statuses: &'static [u16], after: Option<u64>) -> (Api, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let answer = move |headers: HeaderMap| {
        let index = count.fetch_add(1, SeqCst).min(statuses.len() - 1);
        async move {
            let status = statuses[index];
            if status == 0 {
                std::future::pending::<()>().await;
            }
            let seen = headers["authorization"].to_str().unwrap().to_owned();
            let body = json!({ "seen": seen, "code": "BAD", "message": "said 'canary'" }).to_string();
            let mut answer = (StatusCode::from_u16(status).unwrap(), body).into_response();
            if let Some(after) = after {
                answer.headers_mut().insert("retry-after", after.into());
            }
            answer
        }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async { axum::serve(listener, Router::new().fallback(answer)).await });
    (at(&base), asked)
}

fn at(base: &str) -> Api {
    let base = runtime::http::Base::parse(base).unwrap();
    let http = runtime::http::client(&[&base]).unwrap();
    let clock: Clock = Arc::new(|| Timestamp::from_seconds(1_790_000_000));
    let reader: Reader = |_, body| {
        let body: Value = parsed(body).unwrap_or_default();
        let text = |name: &str| body.get(name)?.as_str().map(str::to_owned);
        Refusal { code: text("code"), said: text("message"), ..Refusal::default() }
    };
    Api::new("vendor", http, base.as_str(), reader, clock).with_auth(Auth::Bearer("t-canary".into()))
}

async fn call(api: &Api, kind: Kind) -> Result<Value, ConnectorError> {
    api.call(kind, "thing.do", Method::POST, &["a/b", "c"]).json(&json!({ "x": 1 })).send().await
}

#[tokio::test]
async fn what_may_be_repeated_is_repeated_and_what_may_not_is_not() {
    for kind in [Kind::Read, Kind::Idempotent] {
        let (api, asked) = api(&[502, 500, 200], None).await;
        assert_eq!(call(&api, kind).await.unwrap()["seen"], "Bearer t-canary");
        assert_eq!(asked.load(SeqCst), 3);
    }
    let (api, asked) = api(&[502, 200], None).await;
    assert_eq!(call(&api, Kind::Once).await.unwrap_err().verdict(), Verdict::LookFirst);
    assert_eq!(asked.load(SeqCst), 1);
}

#[tokio::test]
async fn a_limit_is_respected_and_not_tried_again_at_once() {
    let (limited, asked) = api(&[429], Some(9)).await;
    let error = call(&limited, Kind::Read).await.unwrap_err();
    assert_eq!(error.verdict(), Verdict::RetryLater { after: Some(9) });
    assert_eq!(asked.load(SeqCst), 1);
    let (unavailable, asked) = api(&[503], Some(8)).await;
    let error = call(&unavailable, Kind::Once).await.unwrap_err();
    assert_eq!(error.verdict(), Verdict::RetryLater { after: Some(8) });
    assert_eq!(asked.load(SeqCst), 1);
}

#[tokio::test]
async fn a_refusal_is_final_unless_somebody_can_repair_it() {
    let (refusing, asked) = api(&[400], None).await;
    let error = call(&refusing, Kind::Idempotent).await.unwrap_err();
    assert_eq!((error.verdict(), asked.load(SeqCst)), (Verdict::GiveUp, 1));
    assert_eq!(error.explain(), "vendor did not do `thing.do`: refused with status 400, `BAD`: said …");
    let (locked, _) = api(&[403], None).await;
    let error = call(&locked, Kind::Read).await.unwrap_err();
    assert_eq!(error.verdict(), Verdict::RetryLater { after: Some(60) });
    assert!(!format!("{error:?} {} {locked:?}", error.explain()).contains("canary"), "{error:?}");
}

#[tokio::test]
async fn a_vendor_that_hangs_costs_its_time_out_once_and_is_then_left_alone() {
    let (hanging, asked) = api(&[0], None).await;
    let hanging = hanging.within(Duration::from_millis(30));
    for _ in 0..5 {
        let error = call(&hanging, Kind::Read).await.unwrap_err();
        assert_eq!(error.cause, Cause::NoAnswer(Lost::TimedOut));
    }
    let error = call(&hanging, Kind::Read).await.unwrap_err();
    assert_eq!(error.cause, Cause::LeftAlone { after: 30 });
    assert_eq!(asked.load(SeqCst), 5, "no repeat after a time-out, no call while it is open");
    let (other, _) = api(&[200], None).await;
    assert!(call(&other, Kind::Read).await.is_ok(), "another vendor has a breaker of its own");
}

#[tokio::test]
async fn an_unreachable_vendor_did_nothing() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let error = call(&at(&format!("http://{address}")), Kind::Once).await.unwrap_err();
    assert_eq!((error.verdict(), error.cause), (Verdict::RetryLater { after: None }, Cause::NotReached));
}

#[tokio::test]
async fn what_is_absent_is_told_apart_from_what_failed() {
    let (absent, _) = api(&[404], None).await;
    let found = absent.call(Kind::Read, "thing.read", Method::GET, &["x"]).send_if_found::<Value>().await;
    assert_eq!(found.unwrap(), None);
}

#[test]
fn a_path_is_escaped() {
    let api = at("http://127.0.0.1:1/base");
    let url = api.call(Kind::Read, "x", Method::GET, &["a/../b?c", "d"]).url.unwrap();
    assert_eq!(url.as_str(), "http://127.0.0.1:1/base/a%2F..%2Fb%3Fc/d");
}
