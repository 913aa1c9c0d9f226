//! A browser with its cookies, in front of the approver.

use std::collections::BTreeMap;

use approver::App;
use domain::ProposalId;
use serde_json::Value;

use crate::{Answer, PUBLIC_URL, World, http::gateway};

/// A browser with its cookies.
pub struct Browser<'a> {
    /// The instance of the function that answers it.
    pub app: &'a App,
    /// Cookies by name.
    pub cookies: BTreeMap<String, String>,
    /// Moved on while somebody reads a page: what comes too fast does not count.
    pub clock: Option<sandbox::Clock>,
}

impl World {
    /// A browser in which somebody is signed in.
    pub async fn browser(&self, user: &str) -> Browser<'_> {
        let mut browser = Browser { clock: Some(self.clock.clone()), ..Browser::new(&self.approver) };
        let answer = browser.sign_in(user, "/").await;
        assert_eq!((answer.status, answer.header("location")), (303, Some("/")), "{}", answer.body);
        browser
    }
}

impl<'a> Browser<'a> {
    /// A browser in which nobody is signed in.
    pub fn new(app: &'a App) -> Self {
        Self { app, cookies: BTreeMap::new(), clock: None }
    }

    /// Sends a request as API Gateway hands it over; `change` may spoil it.
    pub async fn send(
        &mut self,
        method: &str,
        url: &str,
        form: &str,
        change: impl FnOnce(&mut Value),
    ) -> Answer {
        let cookies: Vec<String> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let cookies = cookies.join("; ");
        let mut headers = vec![("cookie", cookies.as_str())];
        if method == "POST" {
            // So a browser sends the forms of a page that asks for no referrer.
            headers.extend([
                ("content-type", "application/x-www-form-urlencoded"),
                ("origin", "null"),
                ("sec-fetch-site", "same-origin"),
            ]);
        }
        headers.retain(|(_, value)| !value.is_empty());
        let mut event = gateway(method, url, &headers, form.as_bytes());
        change(&mut event);
        let answer = Answer::read(&approver::handle(self.app, event).await.unwrap());
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

    /// Opens a page.
    pub async fn get(&mut self, url: &str) -> Answer {
        self.send("GET", url, "", |_| {}).await
    }

    /// Posts a form.
    pub async fn post(&mut self, url: &str, fields: &[(&str, &str)]) -> Answer {
        self.send("POST", url, &encoded(fields), |_| {}).await
    }

    /// Where the identity provider sends this browser back to.
    pub async fn at_provider(&mut self, user: &str, next: &str) -> String {
        let answer = self.get(&format!("/sign-in?next={next}")).await;
        assert_eq!(answer.status, 303, "{}", answer.body);
        let url = format!("{}&prompt=none&login_hint={user}", answer.header("location").unwrap());
        let base = runtime::http::Base::parse(url.split('?').next().unwrap()).unwrap();
        let back = runtime::http::client(&[&base]).unwrap().get(url).send().await.unwrap();
        let back = back.headers()["location"].to_str().unwrap().to_owned();
        back.strip_prefix(PUBLIC_URL).unwrap().to_owned()
    }

    /// Signs in with the identity provider.
    pub async fn sign_in(&mut self, user: &str, next: &str) -> Answer {
        let back = self.at_provider(user, next).await;
        self.get(&back).await
    }

    /// Opens the review page and decides.
    pub async fn decide(&mut self, id: &ProposalId, decision: &str) -> Answer {
        let url = format!("/a/{id}");
        let page = self.get(&url).await;
        assert_eq!(page.status, 200, "{}", page.body);
        let (digest, csrf) = page.decision_form();
        if let Some(clock) = &self.clock {
            clock.advance(std::time::Duration::from_secs(2));
        }
        self.post(&url, &[("decision", decision), ("digest", &digest), ("csrf", &csrf)]).await
    }
}

/// A form's body.
pub(crate) fn encoded(fields: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}
