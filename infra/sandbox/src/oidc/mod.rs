//! An OpenID provider that looks like "Sign in with Slack".
//!
//! Its paths, claims and error codes are Slack's: <https://docs.slack.dev/authentication/sign-in-with-slack>,
//! <https://docs.slack.dev/reference/methods/openid.connect.token>. Where Slack's page is silent on
//! an error (a verifier that does not match, a code used twice), the answer is `invalid_code`.
//! `/openid/connect/token` is the same exchange with the error answers of RFC 6749, as providers
//! other than Slack give them.
//!
//! Not modelled: refresh tokens, consent, `response_mode`, request objects, a choice of workspace
//! (`team` is ignored), and sessions: every sign-in asks who it is.

mod authorize;
mod key;
#[cfg(test)]
mod tests;
mod token;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use anyhow::Result;
use axum::{
    Json, Router,
    extract::State,
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;

use self::key::Key;
use crate::{Clock, Shelf, people::People};

/// How long a code can be exchanged, in seconds.
pub const CODE_SECONDS: i64 = 300;
/// How long an id token is valid, in seconds; as in Slack's sample.
pub const TOKEN_SECONDS: i64 = 300;

/// The provider.
pub struct Oidc {
    issuer: String,
    people: People,
    shelf: Shelf,
    clock: Clock,
    key: Key,
    memory: Mutex<Memory>,
}

/// An application that people sign in to.
#[derive(Clone, Debug)]
pub struct Client {
    /// `client_id`.
    pub id: String,
    /// `client_secret`.
    pub secret: String,
    /// Where a code may be sent; compared exactly, character by character.
    pub redirect_uris: Vec<String>,
}

/// Something that is wrong with the provider. All but the last four spoil only the id token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// `aud` names another application.
    WrongAudience,
    /// `iss` names another provider.
    WrongIssuer,
    /// `nonce` is not the one that was asked for.
    WrongNonce,
    /// The token expired an hour ago.
    Expired,
    /// `alg` is `none` and the signature is empty.
    AlgNone,
    /// `alg` is `HS256`, signed with the client secret.
    Hs256WithSecret,
    /// `kid` names a key that the provider does not publish.
    UnknownKid,
    /// One bit of the signature is flipped.
    BadSignature,
    /// Deactivated accounts and bots sign in as if nobody had noticed.
    AnybodySignsIn,
    /// The keys cannot be read: 500.
    KeysServerError,
    /// The token endpoint answers 500. The code stays unused.
    TokenServerError,
    /// The token endpoint does not answer until the caller gives up. The code stays unused.
    TokenHang,
}

#[derive(Default)]
struct Memory {
    clients: Vec<Client>,
    codes: BTreeMap<String, Code>,
    /// User ids by access token.
    tokens: BTreeMap<String, String>,
    fault: Option<Fault>,
}

/// What a code stands for.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Code {
    client: String,
    redirect_uri: String,
    person: String,
    nonce: Option<String>,
    challenge: Option<String>,
    at: i64,
    used: bool,
}

const CODES: &str = "oidc.code";
const TOKENS: &str = "oidc.token";

impl Oidc {
    /// A provider at `issuer` (no slash at the end) with its key, codes and access tokens as they
    /// are on the shelf.
    ///
    /// # Errors
    /// If the shelf cannot be read or written, or no key can be made.
    pub fn open(issuer: &str, people: impl Into<People>, shelf: Shelf, clock: Clock) -> Result<Arc<Self>> {
        let memory = Memory {
            codes: shelf.all(CODES)?.into_iter().collect(),
            tokens: shelf.all(TOKENS)?.into_iter().collect(),
            ..Memory::default()
        };
        let key = Key::open(&shelf)?;
        Ok(Arc::new(Self {
            issuer: issuer.to_owned(),
            people: people.into(),
            shelf,
            clock,
            key,
            memory: Mutex::new(memory),
        }))
    }

    /// Makes an application known, or replaces the one with the same id. Not kept on the shelf.
    pub fn register(&self, client: Client) {
        let mut memory = self.memory();
        memory.clients.retain(|known| known.id != client.id);
        memory.clients.push(client);
    }

    /// Breaks the provider in one way until the next call; `None` repairs it.
    pub fn set_fault(&self, fault: Option<Fault>) {
        self.memory().fault = fault;
    }

    /// The endpoints. They can be merged with [`Slack::router`](crate::slack::Slack::router) on one
    /// address, as at Slack.
    pub fn router(self: Arc<Self>) -> Router {
        Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/openid/connect/keys", get(keys))
            .route("/openid/connect/authorize", get(authorize::show).post(authorize::choose))
            .route("/api/openid.connect.token", post(token::slack))
            .route("/openid/connect/token", post(token::standard))
            .route("/api/openid.connect.userInfo", get(token::user_info).post(token::user_info))
            .with_state(self)
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn has(&self, fault: Fault) -> bool {
        self.memory().fault == Some(fault)
    }

    fn client(&self, id: &str) -> Option<Client> {
        self.memory().clients.iter().find(|client| client.id == id).cloned()
    }
}

/// The fields of <https://slack.com/.well-known/openid-configuration> that clients read.
async fn discovery(State(oidc): State<Arc<Oidc>>) -> Response {
    let at = |path: &str| format!("{}{path}", oidc.issuer);
    Json(json!({
        "issuer": oidc.issuer,
        "authorization_endpoint": at("/openid/connect/authorize"),
        "token_endpoint": at("/api/openid.connect.token"),
        "userinfo_endpoint": at("/api/openid.connect.userInfo"),
        "jwks_uri": at("/openid/connect/keys"),
        "scopes_supported": ["openid", "profile", "email"],
        "response_types_supported": ["code"],
        "grant_types_supported": ["authorization_code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "claims_supported": ["sub", "auth_time", "iss"],
        "claims_parameter_supported": false,
        "request_parameter_supported": false,
        "request_uri_parameter_supported": false,
        "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
        "code_challenge_methods_supported": ["S256"],
    }))
    .into_response()
}

async fn keys(State(oidc): State<Arc<Oidc>>) -> Response {
    if oidc.has(Fault::KeysServerError) {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    Json(json!({ "keys": [oidc.key.public()] })).into_response()
}

/// What the shelf refuses becomes a 500 with its reason in the log.
fn or_500(result: Result<Response>) -> Response {
    result.unwrap_or_else(|error| {
        tracing::error!(error = format!("{error:#}"), "the provider failed");
        StatusCode::INTERNAL_SERVER_ERROR.into_response()
    })
}
