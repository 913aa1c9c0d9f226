use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use axum::{
    Router,
    extract::Request,
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use domain::Timestamp;

use super::*;
use crate::Verdict;

const NOW: Timestamp = Timestamp::from_seconds(1_790_000_000);

/// An application that checks signatures and answers each customer's id with what it stands for.
async fn application() -> (String, Arc<AtomicUsize>) {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let answer = move |request: Request| {
        counted.fetch_add(1, Ordering::SeqCst);
        async move {
            let path = request.uri().path().to_owned();
            let header = request.headers()[signed::HEADER].to_str().unwrap().to_owned();
            let parts = Parts { method: request.method().as_str(), path_and_query: &path, body: b"" };
            if signed::verify(&["right".into()], &header, NOW, parts).is_err() {
                return (StatusCode::UNAUTHORIZED, r#"{"error":"bad_signature"}"#).into_response();
            }
            let said: Response = match path.strip_prefix("/v1/customers/").unwrap() {
                "cus_known" => {
                    r#"{"orders":[],"entitlements":[{"name":"team","active":true}]}"#.into_response()
                }
                "cus_misspelt" => r#"{"ordres":[]}"#.into_response(),
                "cus_canary" => r#"{"orders":"canary@example.test"}"#.into_response(),
                "cus_long" => format!(r#"{{"orders":[]{}}}"#, " ".repeat(LONGEST)).into_response(),
                "cus_lost" => (StatusCode::NOT_FOUND, "<html>").into_response(),
                "cus_slow_down" => {
                    (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "9")], "").into_response()
                }
                "cus_hangs" => std::future::pending().await,
                _ => (StatusCode::NOT_FOUND, r#"{"error":"no_such_customer"}"#).into_response(),
            };
            said
        }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}/v1", listener.local_addr().unwrap());
    let router = Router::new().fallback(answer);
    tokio::spawn(async { axum::serve(listener, router).await });
    (base, calls)
}

fn client(base: &str, secret: &str) -> CustomerContext {
    let base = Base::parse(base).unwrap();
    let http = runtime::http::client_within(&[&base], std::time::Duration::from_millis(300)).unwrap();
    let mut client = CustomerContext::new(http, base, vec![secret.into()], Arc::new(|| NOW));
    client.api = client.api.within(std::time::Duration::from_millis(300));
    client
}

async fn read(customer: &str) -> Result<Application, ConnectorError> {
    let (base, _) = application().await;
    client(&base, "right").read(&CustomerId::parse(customer).unwrap()).await
}

#[tokio::test]
async fn a_signed_read_tells_what_is_known_and_what_is_not() {
    let known = read("cus_known").await.unwrap();
    assert_eq!((known.orders.as_deref(), known.has_access()), (Some(&[][..]), Some(true)));
    assert_eq!((known.usage, known.contract), (None, None), "left out is not known");
}

#[tokio::test]
async fn an_answer_of_another_shape_is_a_missing_part_and_is_not_repeated_in_the_error() {
    for customer in ["cus_misspelt", "cus_canary", "cus_long"] {
        let error = read(customer).await.unwrap_err();
        assert!(matches!(error.cause, Cause::Contradictory(_)), "{customer}: {error:?}");
        let shown = format!("{error:?} {error} {} {}", error.cause, error.explain());
        assert!(!shown.contains("canary"), "{shown}");
    }
}

#[tokio::test]
async fn only_the_applications_own_word_says_that_there_is_no_such_customer() {
    assert!(matches!(read("cus_other").await.unwrap_err().cause, Cause::NotFound(_)));
    assert!(matches!(read("cus_lost").await.unwrap_err().cause, Cause::Refused { status: 404, .. }));
}

#[tokio::test]
async fn a_wrong_secret_is_something_to_repair_and_is_never_shown() {
    let (base, _) = application().await;
    let client = client(&base, "canary-secret");
    let error = client.check().await.unwrap_err();
    assert!(matches!(&error.cause, Cause::NotAllowed { code, .. } if code.as_str() == "bad_signature"));
    assert!(!format!("{error:?} {}", error.explain()).contains("canary"));
}

#[tokio::test]
async fn the_check_asks_for_nobody_and_is_content_if_there_is_nobody() {
    let (base, calls) = application().await;
    client(&base, "right").check().await.unwrap();
    assert_eq!(calls.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_limited_rate_says_how_long_to_wait_and_a_hung_application_costs_its_time_out_once() {
    assert_eq!(read("cus_slow_down").await.unwrap_err().verdict(), Verdict::RetryLater { after: Some(9) });
    let (base, calls) = application().await;
    let error = client(&base, "right").read(&CustomerId::parse("cus_hangs").unwrap()).await.unwrap_err();
    assert!(matches!(error.cause, Cause::NoAnswer(_)), "{error:?}");
    assert_eq!(calls.load(Ordering::SeqCst), 1);
}

#[test]
fn it_is_configured_wholly_or_not_at_all() {
    assert_eq!(Config::from_env(&Env::from([])).unwrap(), None);
    let url = ("APPLICATION_URL", "https://app.example.test/countersign/");
    let refused = Config::from_env(&Env::from([url])).unwrap_err().to_string();
    assert!(refused.contains("APPLICATION_SECRET"), "{refused}");
    assert!(Config::from_env(&Env::from([("APPLICATION_URL", "http://app.example.test")])).is_err());
    let config = Config::from_env(&Env::from([url, ("APPLICATION_SECRET", "app/read")])).unwrap().unwrap();
    assert_eq!(config.base.as_str(), "https://app.example.test/countersign");
}
