//! What AWS's two JSON protocols have in common: the operation is named in a header, and errors
//! carry their type in the body.
//! Source: <https://smithy.io/2.0/aws/protocols/aws-json-1_0-protocol.html>.

use axum::{
    body::Body,
    http::{HeaderMap, Response, StatusCode},
};
use serde_json::{Value, json};

/// A refused request on the wire.
#[derive(Debug)]
pub(crate) struct Fault {
    /// Whether the service failed (500) and not the client (400).
    pub(crate) ours: bool,
    /// What the SDKs tell errors apart by.
    pub(crate) kind: String,
    /// SQS only: the code of its older query protocol, for the header `x-amzn-query-error`.
    pub(crate) query_code: Option<&'static str>,
    pub(crate) message: String,
}

/// The operation that `X-Amz-Target` names, without the service's prefix.
pub(crate) fn operation(headers: &HeaderMap) -> &str {
    let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
    target.rsplit_once('.').map_or(target, |(_, operation)| operation)
}

/// The answer in protocol `version` (`1.0` or `1.1`).
pub(crate) fn answer(version: &str, outcome: Result<Value, Fault>) -> Response<Body> {
    let mut response = Response::builder()
        .header("content-type", format!("application/x-amz-json-{version}"))
        .header("x-amzn-requestid", uuid::Uuid::new_v4().to_string());
    let body = match outcome {
        Ok(body) => body,
        Err(fault) => {
            let (status, side) = if fault.ours {
                (StatusCode::INTERNAL_SERVER_ERROR, "Receiver")
            } else {
                (StatusCode::BAD_REQUEST, "Sender")
            };
            response = response.status(status);
            if let Some(code) = fault.query_code {
                response = response.header("x-amzn-query-error", format!("{code};{side}"));
            }
            json!({ "__type": fault.kind, "message": fault.message })
        }
    };
    // Every header above is visible ASCII, so building cannot fail.
    response.body(Body::from(body.to_string())).unwrap_or_default()
}
