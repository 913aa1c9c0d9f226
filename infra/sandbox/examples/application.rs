//! A company's own application as Countersign asks it, to copy from.
//!
//! ```text
//! APPLICATION_KEY=… cargo run --package sandbox --example application [PORT]
//! ```
//!
//! It checks signatures, answers what it knows of a customer, and pauses or restores access once for
//! each execution. A real one keeps `executions` in its database, in the transaction of the change.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, Result};
use axum::{Router, body::Bytes, extract::State, routing::any};
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{HeaderMap, Method, StatusCode, Uri};
use sandbox::Loopback;
use serde_json::{Value, json};
use sha2::Sha256;

#[derive(Default)]
struct Company {
    key: String,
    /// Customers without access.
    paused: Mutex<BTreeMap<String, bool>>,
    /// What was answered to each execution.
    executions: Mutex<BTreeMap<String, Value>>,
}

type Answer = (StatusCode, String);

fn refused(status: StatusCode, word: &str) -> Answer {
    (status, json!({ "error": word }).to_string())
}

async fn answer(
    State(company): State<Arc<Company>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    let target = uri.path_and_query().map_or("/", |all| all.as_str());
    let header = headers.get("countersign-signature").and_then(|value| value.to_str().ok());
    if !header.is_some_and(|header| is_signed(&company.key, header, method.as_str(), target, &body)) {
        return refused(StatusCode::UNAUTHORIZED, "bad_signature");
    }
    let segments: Vec<&str> = uri.path().trim_matches('/').split('/').collect();
    match (method.as_str(), segments.as_slice()) {
        ("GET", ["customers", id]) if *id != "cus_countersign_check" => {
            let paused = company.paused.lock().unwrap_or_else(PoisonError::into_inner);
            let active = !paused.get(*id).copied().unwrap_or_default();
            let known = json!({ "orders": [], "entitlements": [{ "name": "team", "active": active }] });
            (StatusCode::OK, known.to_string())
        }
        ("GET", ["customers", _]) => refused(StatusCode::NOT_FOUND, "no_such_customer"),
        ("POST", ["customers", id, "access"]) => change(&company, id, &body),
        ("GET", ["executions", id]) => {
            let executions = company.executions.lock().unwrap_or_else(PoisonError::into_inner);
            match executions.get(*id) {
                Some(done) => (StatusCode::OK, done.to_string()),
                None => refused(StatusCode::NOT_FOUND, "no_such_execution"),
            }
        }
        _ => refused(StatusCode::NOT_FOUND, "no_such_page"),
    }
}

fn change(company: &Company, customer: &str, body: &[u8]) -> Answer {
    let asked: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |name: &str| asked.get(name).and_then(Value::as_str);
    let (Some(execution), Some(change @ ("pause" | "restore"))) = (text("execution"), text("change")) else {
        return refused(StatusCode::BAD_REQUEST, "bad_request");
    };
    let done = json!({ "execution": execution, "customer": customer, "change": change, "state": "done" });
    let mut executions = company.executions.lock().unwrap_or_else(PoisonError::into_inner);
    match executions.get(execution) {
        Some(earlier) if *earlier == done => {}
        Some(_) => return refused(StatusCode::CONFLICT, "other_execution"),
        None => {
            let mut paused = company.paused.lock().unwrap_or_else(PoisonError::into_inner);
            paused.insert(customer.to_owned(), change == "pause");
            executions.insert(execution.to_owned(), done.clone());
        }
    }
    (StatusCode::OK, done.to_string())
}

/// HMAC-SHA256 over `t.method.target.body`, at most 300 seconds from now.
fn is_signed(key: &str, header: &str, method: &str, target: &str, body: &[u8]) -> bool {
    let values = |wanted: &'static str| {
        header.split(',').filter_map(move |pair| pair.split_once('=')).filter(move |pair| pair.0 == wanted)
    };
    let Some((_, at)) = values("t").next() else { return false };
    #[expect(clippy::disallowed_methods, reason = "an application of its own, with its own clock")]
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    if !at.parse::<u64>().is_ok_and(|at| at.abs_diff(now) <= 300) {
        return false;
    }
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key.as_bytes()) else { return false };
    mac.update(format!("{at}.{method}.{target}.").as_bytes());
    mac.update(body);
    values("v1").any(|(_, hex)| {
        let pairs =
            hex.as_bytes().chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok());
        pairs.collect::<Option<Vec<u8>>>().is_some_and(|bytes| mac.clone().verify_slice(&bytes).is_ok())
    })
}

#[tokio::main(flavor = "current_thread")]
#[expect(clippy::disallowed_methods, reason = "this is a main")]
async fn main() -> Result<()> {
    let port = std::env::args().nth(1).unwrap_or_else(|| "0".into());
    let port = port.parse().context("the port is a number from 0 to 65535")?;
    let key = std::env::var("APPLICATION_KEY").context("set `APPLICATION_KEY` to the shared secret")?;
    let company = Arc::new(Company { key, ..Company::default() });
    let server = Loopback::serve(port, Router::new().fallback(any(answer)).with_state(company)).await?;
    println!("{}", server.url());
    std::future::pending().await
}
