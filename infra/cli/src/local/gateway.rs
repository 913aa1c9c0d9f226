//! The HTTP API, as API Gateway's: requests become events of payload format 2.0, and what a function
//! answers becomes a response
//! (<https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html>).

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use anyhow::{Context as _, Result};
use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    extract::{Request, State},
    middleware::{self, Next},
    response::{IntoResponse as _, Response},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header, request::Parts};
use runtime::Clock;
use serde::Deserialize;
use serde_json::{Value, json};

use super::pipeline::Functions;

/// API Gateway's limit of a body, in bytes:
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html>.
const LARGEST: usize = 10_000_000;

/// Lambda's limit of an event, in bytes; the body can grow by a third in it.
const LARGEST_EVENT: usize = 6 << 20;

/// API Gateway's patience with a function.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Clone)]
struct Gateway {
    functions: Arc<Functions>,
    clock: Clock,
}

/// The routes of the HTTP API: `POST /stripe/{endpoint}` to ingress, everything else to the approver.
/// Beside them, and no part of them, `console` below `/_console`.
pub fn router(functions: Arc<Functions>, clock: Clock, console: Router) -> Router {
    Router::new()
        .fallback(answer)
        .with_state(Gateway { functions, clock })
        .nest("/_console", console)
        .layer(middleware::from_fn(only_by_local_name))
}

/// Refuses other names than this machine's own, so that no page on the web can reach the pipeline under
/// a name that it lets point here.
async fn only_by_local_name(request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    if matches!(name, "localhost" | "127.0.0.1") {
        return next.run(request).await;
    }
    (StatusCode::MISDIRECTED_REQUEST, "this server answers to localhost only\n").into_response()
}

async fn answer(State(gateway): State<Gateway>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, LARGEST).await else { return message(StatusCode::PAYLOAD_TOO_LARGE) };
    let event = event(&parts, &body, (gateway.clock)().seconds());
    if body.len() > LARGEST_EVENT / 4 * 3 {
        return message(StatusCode::PAYLOAD_TOO_LARGE);
    }
    let answered = tokio::time::timeout(PATIENCE, async {
        if route(&parts).is_some() {
            let request = lambda_http::request::from_str(&event.to_string())?;
            Ok(plain(ingress::receive(&gateway.functions.ingress, &request).await))
        } else {
            response(gateway.functions.approve(event).await?)
        }
    });
    match answered.await {
        Ok(Ok(response)) => response,
        Ok(Err(error)) => {
            tracing::error!(error = format!("{error:#}"), "a function failed");
            message(StatusCode::INTERNAL_SERVER_ERROR)
        }
        Err(_) => message(StatusCode::SERVICE_UNAVAILABLE),
    }
}

/// API Gateway's own answers.
fn message(status: StatusCode) -> Response {
    let text = status.canonical_reason().unwrap_or_default();
    (status, axum::Json(json!({ "message": text }))).into_response()
}

/// The endpoint, if the request goes to ingress.
fn route(parts: &Parts) -> Option<&str> {
    let endpoint = parts.uri.path().strip_prefix("/stripe/")?;
    (parts.method == Method::POST && !endpoint.is_empty() && !endpoint.contains('/')).then_some(endpoint)
}

/// The event that a function gets for a request at `now`, in seconds.
fn event(parts: &Parts, body: &Bytes, now: i64) -> Value {
    let (path, query) = (parts.uri.path(), parts.uri.query().unwrap_or_default());
    let method = parts.method.as_str();
    let endpoint = route(parts);
    let route_key = if endpoint.is_some() { "POST /stripe/{endpoint}" } else { "$default" };
    let host = parts.headers.get(header::HOST).map(text).unwrap_or_default();
    let mut event = json!({
        "version": "2.0",
        "routeKey": route_key,
        "rawPath": path,
        "rawQueryString": query,
        "headers": headers(&parts.headers, &host),
        "requestContext": {
            "accountId": "000000000000",
            "apiId": "local",
            "domainName": host,
            "domainPrefix": "local",
            "http": {
                "method": method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "127.0.0.1",
                "userAgent": parts.headers.get(header::USER_AGENT).map(text).unwrap_or_default(),
            },
            "requestId": uuid::Uuid::new_v4().to_string(),
            "routeKey": route_key,
            "stage": "$default",
            "timeEpoch": now.saturating_mul(1000),
        },
        "isBase64Encoded": false,
    });
    let mut set = |name: &str, value: Value| {
        if let Some(fields) = event.as_object_mut() {
            fields.insert(name.to_owned(), value);
        }
    };
    let cookies: Vec<String> = parts
        .headers
        .get_all(header::COOKIE)
        .iter()
        .flat_map(|value| text(value).split("; ").map(str::to_owned).collect::<Vec<_>>())
        .collect();
    if !cookies.is_empty() {
        set("cookies", cookies.into());
    }
    if !query.is_empty() {
        let mut parameters: BTreeMap<String, String> = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let joined = parameters.entry(name.into_owned()).or_default();
            *joined = if joined.is_empty() { value.into_owned() } else { format!("{joined},{value}") };
        }
        set("queryStringParameters", json!(parameters));
    }
    if let Some(endpoint) = endpoint {
        set("pathParameters", json!({ "endpoint": endpoint }));
    }
    if !body.is_empty() {
        match std::str::from_utf8(body) {
            Ok(body) if is_text(&parts.headers) => set("body", body.into()),
            _ => {
                set("body", STANDARD.encode(body).into());
                set("isBase64Encoded", true.into());
            }
        }
    }
    event
}

/// Which bodies API Gateway leaves as they are; it encodes all others, forms among them.
fn is_text(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).map(text).unwrap_or_default().to_ascii_lowercase();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    kind.starts_with("text/")
        || matches!(kind, "application/json" | "application/javascript" | "application/xml")
}

/// Lower-case names, values of one name joined by commas, cookies apart.
fn headers(headers: &HeaderMap, host: &str) -> BTreeMap<String, String> {
    let mut joined = BTreeMap::new();
    for name in headers.keys().filter(|name| **name != header::COOKIE) {
        let values: Vec<String> = headers.get_all(name).iter().map(text).collect();
        joined.insert(name.as_str().to_owned(), values.join(","));
    }
    let port = host.rsplit_once(':').map_or("80", |(_, port)| port);
    joined.insert("x-forwarded-for".to_owned(), "127.0.0.1".to_owned());
    joined.insert("x-forwarded-port".to_owned(), port.to_owned());
    joined.insert("x-forwarded-proto".to_owned(), "http".to_owned());
    joined
}

fn text(value: &HeaderValue) -> String {
    String::from_utf8_lossy(value.as_bytes()).into_owned()
}

/// A function's answer in payload format 2.0.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    status_code: u16,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    cookies: Vec<String>,
    body: Option<String>,
    #[serde(default)]
    is_base64_encoded: bool,
}

fn response(answer: Value) -> Result<Response> {
    let answer: Answer = serde_json::from_value(answer).context("the answer has another shape")?;
    let body = answer.body.unwrap_or_default();
    let body = if answer.is_base64_encoded { STANDARD.decode(body)? } else { body.into_bytes() };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(answer.status_code)?;
    for (name, value) in answer.headers {
        response.headers_mut().append(HeaderName::try_from(name)?, HeaderValue::try_from(value)?);
    }
    for cookie in answer.cookies {
        response.headers_mut().append(header::SET_COOKIE, HeaderValue::try_from(cookie)?);
    }
    Ok(response)
}

fn plain(response: lambda_http::Response<lambda_http::Body>) -> Response {
    let (parts, body) = response.into_parts();
    Response::from_parts(parts, Body::from(body.to_vec()))
}

#[cfg(test)]
mod tests {
    use lambda_http::RequestExt as _;

    use super::*;

    fn parts(request: http::request::Builder) -> Parts {
        request.body(()).unwrap().into_parts().0
    }

    fn read(request: http::request::Builder, body: &[u8]) -> lambda_http::Request {
        let event = event(&parts(request), &Bytes::copy_from_slice(body), 1_790_000_000);
        lambda_http::request::from_str(&event.to_string()).unwrap()
    }

    #[test]
    fn a_function_reads_what_was_sent() {
        let request = http::Request::post("/a/ap_1?t=x%20y&t=z")
            .header("host", "localhost:8400")
            .header("content-type", "application/x-www-form-urlencoded")
            .header("cookie", "__Host-session=one; other=two");
        let seen = read(request, b"decision=approve&digest=ab");
        assert_eq!(seen.method(), Method::POST);
        assert_eq!(seen.uri().to_string(), "http://localhost:8400/a/ap_1?t=x%20y&t=z");
        assert_eq!(seen.headers()["cookie"], "__Host-session=one; other=two");
        assert_eq!(seen.query_string_parameters().all("t").unwrap(), ["x y", "z"]);
        assert_eq!(seen.body().as_ref(), b"decision=approve&digest=ab");
    }

    #[test]
    fn every_byte_of_a_delivery_arrives() {
        for (kind, body) in [
            ("application/json; charset=utf-8", &b"{\"id\": \"evt_1\"}\n"[..]),
            ("application/json", &b"\xff\xfe{}"[..]),
            ("application/octet-stream", &b"{}"[..]),
        ] {
            let request = http::Request::post("/stripe/default").header("content-type", kind);
            let seen = read(request, body);
            assert_eq!(seen.body().as_ref(), body, "{kind}");
            assert_eq!(seen.path_parameters().first("endpoint"), Some("default"));
        }
    }

    #[test]
    fn bodies_are_encoded_where_api_gateway_encodes_them() {
        let encoded = |kind: &str| {
            let request = parts(http::Request::post("/").header("content-type", kind));
            event(&request, &Bytes::from_static(b"a=b"), 0)["isBase64Encoded"] == true
        };
        assert!(encoded("application/x-www-form-urlencoded"));
        assert!(!encoded("application/json") && !encoded("text/plain; charset=utf-8"));
    }

    #[test]
    fn only_posts_to_an_endpoint_go_to_ingress() {
        let goes = |request: http::request::Builder| route(&parts(request)).map(str::to_owned);
        assert_eq!(goes(http::Request::post("/stripe/default")).as_deref(), Some("default"));
        for request in [
            http::Request::get("/stripe/default"),
            http::Request::post("/stripe/"),
            http::Request::post("/stripe/a/b"),
            http::Request::post("/requests"),
        ] {
            assert_eq!(goes(request), None);
        }
    }

    #[test]
    fn an_answer_keeps_its_cookies_apart() {
        let answer = json!({
            "statusCode": 303,
            "headers": { "location": "/" },
            "cookies": ["a=1; Path=/", "b=2; Path=/"],
            "body": "aGk=",
            "isBase64Encoded": true,
        });
        let response = response(answer).unwrap();
        assert_eq!(response.status(), 303);
        assert_eq!(response.headers().get_all("set-cookie").iter().count(), 2);
        assert_eq!(response.headers()["location"], "/");
    }
}
