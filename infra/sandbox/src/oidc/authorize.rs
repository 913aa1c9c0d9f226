//! The authorization endpoint: a page that asks who signs in, and the redirect with the code.

use std::sync::Arc;

use anyhow::Result;
use axum::{
    Form,
    extract::{Query, State},
    response::{Html, IntoResponse as _, Response},
};
use http::{StatusCode, header};
use maud::{DOCTYPE, html};
use serde::{Deserialize, Serialize};

use super::{CODE_SECONDS, CODES, Code, Fault, Oidc, or_500};

/// The parameters of an authorization request, and who was chosen.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Request {
    client_id: String,
    redirect_uri: String,
    response_type: String,
    scope: String,
    state: Option<String>,
    nonce: Option<String>,
    code_challenge: Option<String>,
    code_challenge_method: Option<String>,
    login_hint: Option<String>,
    prompt: Option<String>,
    #[serde(skip_serializing)]
    person: Option<String>,
}

/// Shows the page, or answers at once for `prompt=none` with the user id as `login_hint`.
pub(super) async fn show(State(oidc): State<Arc<Oidc>>, Query(request): Query<Request>) -> Response {
    if let Err(problem) = oidc.check(&request) {
        return problem.answer(&request);
    }
    if request.prompt.as_deref() != Some("none") {
        return page(&oidc, &request).unwrap_or_else(|error| or_500(Err(error.into())));
    }
    match &request.login_hint {
        Some(person) => or_500(oidc.sign_in(&request, person)),
        // OpenID Connect Core 1.0, section 3.1.2.6.
        None => request.back(&[("error", "login_required")]),
    }
}

/// Signs in the person whose button was pressed.
pub(super) async fn choose(State(oidc): State<Arc<Oidc>>, Form(request): Form<Request>) -> Response {
    if let Err(problem) = oidc.check(&request) {
        return problem.answer(&request);
    }
    or_500(oidc.sign_in(&request, request.person.as_deref().unwrap_or_default()))
}

/// What is wrong with a request.
enum Problem {
    /// The person is told: the redirect address is not known to be the application's.
    Shown(&'static str),
    /// The application is told.
    Returned(&'static str),
}

impl Problem {
    fn answer(self, request: &Request) -> Response {
        match self {
            Self::Shown(why) => (StatusCode::BAD_REQUEST, why).into_response(),
            Self::Returned(code) => request.back(&[("error", code)]),
        }
    }
}

impl Oidc {
    fn check(&self, request: &Request) -> Result<(), Problem> {
        let client = self
            .client(&request.client_id)
            .ok_or(Problem::Shown("invalid_client_id: register the application first"))?;
        if !client.redirect_uris.contains(&request.redirect_uri) {
            return Err(Problem::Shown("bad_redirect_uri: it must equal a registered one exactly"));
        }
        let error = |code| Err(Problem::Returned(code));
        if request.response_type != "code" {
            return error("unsupported_response_type");
        }
        if !request.scope.split(' ').any(|scope| scope == "openid") {
            return error("invalid_scope");
        }
        let method = request.code_challenge_method.as_deref();
        if request.code_challenge.is_some() != method.is_some() || method.is_some_and(|name| name != "S256") {
            return error("invalid_request");
        }
        Ok(())
    }

    fn sign_in(&self, request: &Request, person: &str) -> Result<Response> {
        let anybody = self.has(Fault::AnybodySignsIn);
        let Some(person) = self.people.find(person).filter(|found| anybody || found.may_sign_in()) else {
            return Ok(request.back(&[("error", "access_denied")]));
        };
        let code = format!("code-{}", uuid::Uuid::new_v4().simple());
        let grant = Code {
            client: request.client_id.clone(),
            redirect_uri: request.redirect_uri.clone(),
            person: person.id,
            nonce: request.nonce.clone(),
            challenge: request.code_challenge.clone(),
            at: self.clock.seconds(),
            used: false,
        };
        let mut memory = self.memory();
        self.shelf.put(CODES, &code, &grant)?;
        let now = grant.at;
        memory.codes.insert(code.clone(), grant);
        let old = memory.codes.iter().filter(|(_, code)| now - code.at > CODE_SECONDS);
        for stale in old.map(|(code, _)| code.clone()).collect::<Vec<_>>() {
            self.shelf.remove(CODES, &stale)?;
            memory.codes.remove(&stale);
        }
        Ok(request.back(&[("code", &code)]))
    }
}

impl Request {
    /// Back to the application, with its `state`. 303, so that a POST becomes a GET.
    fn back(&self, answer: &[(&str, &str)]) -> Response {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(answer);
        if let Some(state) = &self.state {
            query.append_pair("state", state);
        }
        let joint = if self.redirect_uri.contains('?') { '&' } else { '?' };
        let location = format!("{}{joint}{}", self.redirect_uri, query.finish());
        (
            StatusCode::SEE_OTHER,
            [(header::LOCATION, location), (header::CACHE_CONTROL, "no-store".to_owned())],
        )
            .into_response()
    }
}

fn page(oidc: &Oidc, request: &Request) -> serde_json::Result<Response> {
    let asked = serde_json::to_value(request)?;
    let asked: Vec<(&str, &str)> = asked
        .as_object()
        .into_iter()
        .flatten()
        .filter_map(|(name, value)| Some((name.as_str(), value.as_str()?)))
        .collect();
    let body = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width";
                title { "Sign in (sandbox)" }
                style { "body{font:1rem system-ui;max-width:32rem;margin:3rem auto;padding:0 1rem}button{display:block;width:100%;margin:.5rem 0;padding:.7rem;font:inherit;text-align:left}small{color:#555}" }
            }
            body {
                h1 { "Sign in to " (request.client_id) }
                p { "This is a stand-in: choose who you are." }
                form method="post" action="/openid/connect/authorize" {
                    @for (name, value) in &asked { input type="hidden" name=(name) value=(value); }
                    @for person in oidc.people.all() {
                        button name="person" value=(person.id) {
                            "Sign in as " (person.name) " "
                            small { (person.team) @if !person.may_sign_in() { ", cannot sign in" } }
                        }
                    }
                }
            }
        }
    };
    let headers = [
        (header::CACHE_CONTROL, "no-store"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
        ),
    ];
    Ok((headers, Html(body.into_string())).into_response())
}
