//! A browser: what it sends, what it sees and what it keeps.

use std::{collections::BTreeMap, time::Duration};

use approver::App;
use domain::ProposalId;
use sandbox::Clock;
use serde_json::{Value, json};

use crate::world::ORIGIN;

/// What a browser sees.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) cookies: Vec<String>,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    /// The proposal that it leads to.
    pub(crate) fn proposal(&self) -> ProposalId {
        ProposalId::parse(self.header("location").strip_prefix("/a/").unwrap()).unwrap()
    }

    fn first_field(&self, name: &str) -> String {
        let marker = format!("name=\"{name}\" value=\"");
        self.body.split(&marker).nth(1).unwrap().split('"').next().unwrap().to_owned()
    }

    /// The value of a hidden field of the page's form.
    pub(crate) fn field(&self, name: &str) -> String {
        let marker = format!("name=\"{name}\" value=\"");
        let start = self.body.rfind(&marker).unwrap_or_else(|| panic!("no `{name}` in {}", self.body));
        self.body[start + marker.len()..].split('"').next().unwrap().to_owned()
    }
}

/// A browser with its cookies.
pub(crate) struct Browser<'a> {
    pub(crate) app: &'a App,
    pub(crate) cookies: BTreeMap<String, String>,
    /// Moved on while somebody reads a page, since what comes too fast does not count.
    pub(crate) clock: Option<Clock>,
}

impl<'a> Browser<'a> {
    pub(crate) fn new(app: &'a App) -> Self {
        Self { app, cookies: BTreeMap::new(), clock: None }
    }

    /// Sends an event as API Gateway makes it; `change` may spoil it.
    pub(crate) async fn send(
        &mut self,
        method: &str,
        url: &str,
        form: &str,
        change: impl FnOnce(&mut Value),
    ) -> Answer {
        let (path, query) = url.split_once('?').unwrap_or((url, ""));
        let cookies: Vec<String> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut event = json!({
            "version": "2.0",
            "routeKey": "$default",
            "rawPath": path,
            "rawQueryString": query,
            "cookies": cookies,
            "headers": { "host": "localhost:8400" },
            "requestContext": {
                "accountId": "000000000000",
                "apiId": "local",
                "domainName": "localhost",
                "http": { "method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1" },
                "requestId": "r-1",
                "routeKey": "$default",
                "stage": "$default",
            },
            "isBase64Encoded": false,
        });
        if method == "POST" {
            event["headers"]["content-type"] = "application/x-www-form-urlencoded".into();
            event["headers"]["origin"] = ORIGIN.into();
            event["body"] = form.into();
        }
        change(&mut event);
        let answer = approver::handle(self.app, event).await.unwrap();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let headers = answer["headers"].as_object().unwrap();
        let answer = Answer {
            status: u16::try_from(answer["statusCode"].as_i64().unwrap()).unwrap(),
            headers: headers.iter().map(|(name, value)| (name.clone(), text(value))).collect(),
            cookies: answer["cookies"].as_array().unwrap().iter().map(text).collect(),
            body: text(&answer["body"]),
        };
        for cookie in &answer.cookies {
            let (name, rest) = cookie.split_once('=').unwrap();
            let value = rest.split(';').next().unwrap();
            if value.is_empty() {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        answer
    }

    pub(crate) async fn get(&mut self, url: &str) -> Answer {
        self.send("GET", url, "", |_| {}).await
    }

    pub(crate) async fn post(&mut self, url: &str, fields: &[(&str, &str)]) -> Answer {
        self.send("POST", url, &encoded(fields), |_| {}).await
    }

    /// Where the identity provider sends this browser back to.
    pub(crate) async fn at_provider(&mut self, user: &str, next: &str) -> String {
        let answer = self.get(&format!("/sign-in?next={next}")).await;
        assert_eq!(answer.status, 303, "{}", answer.body);
        let url = format!("{}&prompt=none&login_hint={user}", answer.header("location"));
        let base = runtime::http::Base::parse(url.split('?').next().unwrap()).unwrap();
        let back = runtime::http::client(&[&base]).unwrap().get(url).send().await.unwrap();
        let back = back.headers()["location"].to_str().unwrap().to_owned();
        back.strip_prefix(ORIGIN).unwrap().to_owned()
    }

    pub(crate) async fn sign_in(&mut self, user: &str, next: &str) -> Answer {
        let back = self.at_provider(user, next).await;
        self.get(&back).await
    }

    /// Opens the form of an operation, fills it in and posts it.
    pub(crate) async fn ask(&mut self, operation: &str, object: &str, more: &[(&str, &str)]) -> Answer {
        let form = self.get(&format!("/requests/new?operation={operation}")).await;
        let (nonce, csrf) = (form.field("nonce"), form.field("csrf"));
        let mut fields = vec![
            ("operation", operation),
            ("object", object),
            ("why", ""),
            ("nonce", nonce.as_str()),
            ("csrf", csrf.as_str()),
        ];
        fields.extend(more);
        self.post("/requests", &fields).await
    }

    /// Reads what is shown.
    pub(crate) fn read(&self) {
        if let Some(clock) = &self.clock {
            clock.advance(Duration::from_secs(2));
        }
    }

    /// Opens the review page and decides.
    pub(crate) async fn decide(&mut self, id: &ProposalId, decision: &str) -> Answer {
        let url = format!("/a/{id}");
        let page = self.get(&url).await;
        assert_eq!(page.status, 200, "{}", page.body);
        let (digest, csrf) = (page.field("digest"), decision_token(&page));
        self.read();
        self.post(&url, &[("decision", decision), ("digest", &digest), ("csrf", &csrf)]).await
    }

    /// Posts a decision with what a page gave.
    pub(crate) async fn vote(&mut self, id: &ProposalId, decision: &str, digest: &str, csrf: &str) -> Answer {
        self.post(&format!("/a/{id}"), &[("decision", decision), ("digest", digest), ("csrf", csrf)]).await
    }

    /// An anti-forgery token of this session for a proposal that somebody may sign.
    pub(crate) async fn token(&mut self, id: &ProposalId) -> (String, String) {
        let page = self.get(&format!("/a/{id}")).await;
        self.read();
        (page.field("digest"), decision_token(&page))
    }
}

/// The token of the form that decides; the page has others.
fn decision_token(page: &Answer) -> String {
    let form =
        page.body.split("name=\"digest\"").nth(1).unwrap_or_else(|| panic!("no form in {}", page.body));
    let form = Answer { body: form.to_owned(), ..page.clone() };
    form.first_field("csrf")
}

pub(crate) fn encoded(fields: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}
