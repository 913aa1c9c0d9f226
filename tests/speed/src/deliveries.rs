//! A Stripe delivery as API Gateway hands it on: a failed payment's event of the size that Stripe's have.

use anyhow::{Context as _, Result};
use domain::Timestamp;
use serde_json::{Value, json};
use stripe::EndpointSecrets;

use crate::aws::SECRET;

/// Bytes of the event's body, which is what SPEED is about: an invoice with a few lines, indented as Stripe
/// indents.
const BODY: usize = 9_400;

/// Makes deliveries, each signed when it is made.
pub(crate) struct Deliveries {
    secrets: EndpointSecrets,
    body: String,
    event: Value,
}

impl Deliveries {
    /// Of this event, as Stripe would tell it.
    pub(crate) fn of(event: &Value) -> Result<Self> {
        let mut event = event.clone();
        let lines = event.pointer_mut("/data/object/lines/data").and_then(Value::as_array_mut);
        let lines = lines.context("the event is not about an invoice with lines")?;
        let line = lines.first().cloned().context("the invoice has no lines")?;
        let mut body = String::new();
        while body.len() < BODY {
            body = serde_json::to_string_pretty(&event)?;
            let lines = event.pointer_mut("/data/object/lines/data").and_then(Value::as_array_mut);
            lines.context("the lines are gone")?.push(line.clone());
        }
        let event = json!({
            "version": "2.0", "routeKey": "POST /stripe/{endpoint}", "rawPath": "/stripe/default",
            "rawQueryString": "",
            "headers": {
                "accept": "*/*; q=0.5, application/xml", "cache-control": "no-cache",
                "content-length": body.len().to_string(), "content-type": "application/json; charset=utf-8",
                "host": "abc123.execute-api.eu-central-1.amazonaws.com", "stripe-signature": "",
                "user-agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
                "x-amzn-trace-id": "Root=1-68d00000-000000000000000000000000",
                "x-forwarded-for": "192.0.2.1", "x-forwarded-port": "443", "x-forwarded-proto": "https"
            },
            "requestContext": {
                "accountId": "000000000000", "apiId": "abc123",
                "domainName": "abc123.execute-api.eu-central-1.amazonaws.com", "domainPrefix": "abc123",
                "http": {
                    "method": "POST", "path": "/stripe/default", "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1",
                    "userAgent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)"
                },
                "requestId": "JKJaXmPLvHcESHA=", "routeKey": "POST /stripe/{endpoint}", "stage": "$default",
                "time": "21/Sep/2026:14:13:20 +0000", "timeEpoch": 1_790_000_000_000_i64
            },
            "pathParameters": { "endpoint": "default" },
            "body": body,
            "isBase64Encoded": false
        });
        Ok(Self { secrets: EndpointSecrets::new([&SECRET.into()])?, body, event })
    }

    /// The next one, signed now.
    pub(crate) fn next(&self) -> Vec<u8> {
        let now = Timestamp::from_seconds(sandbox::Clock::running().seconds());
        let mut event = self.event.clone();
        if let Some(signature) = event.pointer_mut("/headers/stripe-signature") {
            *signature = self.secrets.sign(now, self.body.as_bytes()).into();
        }
        event.to_string().into_bytes()
    }

    /// How large an event is, in bytes.
    pub(crate) fn size(&self) -> usize {
        self.event.to_string().len()
    }
}
