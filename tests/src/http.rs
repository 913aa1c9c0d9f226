//! Requests as API Gateway hands them to a function
//! (<https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html>).

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Map, Value, json};

/// What a function answered.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers, names in lower case.
    pub headers: Map<String, Value>,
    /// `Set-Cookie` lines.
    pub cookies: Vec<String>,
    /// The body as text.
    pub body: String,
}

impl Answer {
    /// Reads the answer of an HTTP API's function.
    pub fn read(answer: &Value) -> Self {
        let text = answer["body"].as_str().unwrap_or_default();
        let body = if answer["isBase64Encoded"].as_bool() == Some(true) {
            String::from_utf8(STANDARD.decode(text).unwrap()).unwrap()
        } else {
            text.to_owned()
        };
        let cookies = answer["cookies"].as_array().into_iter().flatten();
        Self {
            status: u16::try_from(answer["statusCode"].as_u64().expect("an answer has a status")).unwrap(),
            headers: answer["headers"].as_object().cloned().unwrap_or_default(),
            cookies: cookies.filter_map(Value::as_str).map(str::to_owned).collect(),
            body,
        }
    }

    /// A header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(Value::as_str)
    }

    /// Digest and anti-forgery token of the form that decides; the page can have others.
    pub fn decision_form(&self) -> (String, String) {
        let form =
            self.body.split("name=\"digest\"").nth(1).unwrap_or_else(|| panic!("no form in {}", self.body));
        let token = form.split("name=\"csrf\" value=\"").nth(1).unwrap();
        (self.field("digest"), token.split('"').next().unwrap().to_owned())
    }

    /// The value of a hidden field of the page's last form.
    pub fn field(&self, name: &str) -> String {
        let marker = format!("name=\"{name}\" value=\"");
        let start = self.body.rfind(&marker).unwrap_or_else(|| panic!("no `{name}` in {}", self.body));
        self.body[start + marker.len()..].split('"').next().unwrap().to_owned()
    }
}

/// An HTTP API event of payload version 2.0. Bodies come in base64, as the service sends forms.
pub(crate) fn gateway(method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Value {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut all = Map::new();
    let mut cookies = Vec::new();
    for (name, value) in headers {
        if *name == "cookie" {
            cookies.extend(value.split("; ").map(str::to_owned));
        } else {
            all.insert((*name).to_owned(), (*value).into());
        }
    }
    all.insert("host".into(), "localhost:8400".into());
    let mut event = json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "cookies": cookies,
        "headers": all,
        "requestContext": {
            "accountId": "000000000000",
            "apiId": "local",
            "domainName": "localhost",
            "domainPrefix": "localhost",
            "http": { "method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1", "userAgent": "stories" },
            "requestId": "local",
            "routeKey": "$default",
            "stage": "$default",
            "time": "21/Sep/2026:14:13:20 +0000",
            "timeEpoch": 1_790_000_000_000_i64
        },
        "isBase64Encoded": !body.is_empty()
    });
    if !body.is_empty() {
        event["body"] = STANDARD.encode(body).into();
    }
    event
}
