//! The token endpoint, the id token, and the user's information.

use std::{collections::BTreeMap, future, sync::Arc};

use anyhow::Result;
use axum::{
    Json,
    body::Bytes,
    extract::State,
    response::{IntoResponse as _, Response},
};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use http::{HeaderMap, StatusCode, header};
use ring::{digest, hmac};
use serde_json::{Map, Value, json};

use super::{CODE_SECONDS, CODES, Client, Code, Fault, Oidc, TOKEN_SECONDS, TOKENS, or_500};
use crate::people::Person;

/// Why no token is given.
#[derive(Clone, Copy, Debug)]
enum Refusal {
    UnknownClient,
    BadSecret,
    BadGrantType,
    BadRedirect,
    BadCode,
}

impl Refusal {
    /// Slack's name for it; the page of `openid.connect.token` has most.
    fn slack(self) -> &'static str {
        match self {
            Self::UnknownClient => "invalid_client_id",
            Self::BadSecret => "bad_client_secret",
            Self::BadGrantType => "invalid_grant_type",
            Self::BadRedirect => "bad_redirect_uri",
            Self::BadCode => "invalid_code",
        }
    }

    /// RFC 6749, section 5.2.
    fn standard(self) -> (StatusCode, &'static str) {
        match self {
            Self::UnknownClient | Self::BadSecret => (StatusCode::UNAUTHORIZED, "invalid_client"),
            Self::BadGrantType => (StatusCode::BAD_REQUEST, "unsupported_grant_type"),
            Self::BadRedirect | Self::BadCode => (StatusCode::BAD_REQUEST, "invalid_grant"),
        }
    }
}

/// The exchange as Slack answers it: 200 always, `ok` tells.
pub(super) async fn slack(State(oidc): State<Arc<Oidc>>, headers: HeaderMap, body: Bytes) -> Response {
    exchange(&oidc, &headers, &body, |refusal| {
        Json(json!({ "ok": false, "error": refusal.slack() })).into_response()
    })
    .await
}

/// The exchange as other providers answer it.
pub(super) async fn standard(State(oidc): State<Arc<Oidc>>, headers: HeaderMap, body: Bytes) -> Response {
    exchange(&oidc, &headers, &body, |refusal| {
        let (status, error) = refusal.standard();
        (status, Json(json!({ "error": error }))).into_response()
    })
    .await
}

async fn exchange(
    oidc: &Oidc,
    headers: &HeaderMap,
    body: &[u8],
    refuse: fn(Refusal) -> Response,
) -> Response {
    if oidc.has(Fault::TokenServerError) {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    if oidc.has(Fault::TokenHang) {
        return future::pending().await;
    }
    let answer = oidc.exchange(headers, body).map(|outcome| match outcome {
        Ok(tokens) => ([(header::CACHE_CONTROL, "no-store")], Json(tokens)).into_response(),
        Err(refusal) => refuse(refusal),
    });
    or_500(answer)
}

/// Who an access token belongs to, as claims.
pub(super) async fn user_info(State(oidc): State<Arc<Oidc>>, headers: HeaderMap) -> Response {
    let refuse = |error| Json(json!({ "ok": false, "error": error })).into_response();
    let Some(token) = authorization(&headers, "Bearer ") else { return refuse("not_authed") };
    let Some(id) = oidc.memory().tokens.get(token).cloned() else { return refuse("invalid_auth") };
    let Some(person) = oidc.people.find(&id).filter(|person| person.active) else {
        return refuse("account_inactive");
    };
    let mut answer = claims_of(&person);
    answer.insert("ok".to_owned(), true.into());
    Json(answer).into_response()
}

impl Oidc {
    fn exchange(&self, headers: &HeaderMap, body: &[u8]) -> Result<Result<Value, Refusal>> {
        let form: BTreeMap<_, _> = form_urlencoded::parse(body).into_owned().collect();
        let field = |name: &str| form.get(name).map(String::as_str);
        let client = match self.authenticate(headers, &form) {
            Ok(client) => client,
            Err(refusal) => return Ok(Err(refusal)),
        };
        // Slack takes a missing grant type for this one.
        if field("grant_type").is_some_and(|given| given != "authorization_code") {
            return Ok(Err(Refusal::BadGrantType));
        }
        let name = field("code").unwrap_or_default();
        let access = format!("sandbox-access-{}", uuid::Uuid::new_v4().simple());
        let code = {
            // One lock from the look to the mark: of two exchanges of one code, one wins.
            let mut memory = self.memory();
            let Some(code) = memory.codes.get(name).filter(|code| self.is_live(code, &client)) else {
                return Ok(Err(Refusal::BadCode));
            };
            if field("redirect_uri") != Some(&code.redirect_uri) {
                return Ok(Err(Refusal::BadRedirect));
            }
            if !verifies(code.challenge.as_deref(), field("code_verifier")) {
                return Ok(Err(Refusal::BadCode));
            }
            let code = Code { used: true, ..code.clone() };
            self.shelf.put_all(&[
                (CODES, name, Some(serde_json::to_value(&code)?)),
                (TOKENS, &access, Some(code.person.as_str().into())),
            ])?;
            memory.codes.insert(name.to_owned(), code.clone());
            memory.tokens.insert(access.clone(), code.person.clone());
            code
        };
        let Some(person) = self.people.find(&code.person) else { return Ok(Err(Refusal::BadCode)) };
        let id_token = self.id_token(&client, &code, &person, &access)?;
        Ok(Ok(json!({
            "ok": true, "access_token": access, "token_type": "Bearer", "id_token": id_token,
        })))
    }

    fn is_live(&self, code: &Code, client: &Client) -> bool {
        !code.used && code.client == client.id && self.clock.seconds() - code.at < CODE_SECONDS
    }

    /// `client_secret_basic` or `client_secret_post` (RFC 6749, section 2.3.1).
    fn authenticate(&self, headers: &HeaderMap, form: &BTreeMap<String, String>) -> Result<Client, Refusal> {
        let basic = authorization(headers, "Basic ").and_then(|given| {
            let pair = String::from_utf8(STANDARD.decode(given).ok()?).ok()?;
            let (id, secret) = pair.split_once(':')?;
            Some((decoded(id), decoded(secret)))
        });
        let (id, secret) = basic
            .or_else(|| Some((form.get("client_id")?.clone(), form.get("client_secret")?.clone())))
            .ok_or(Refusal::UnknownClient)?;
        let client = self.client(&id).ok_or(Refusal::UnknownClient)?;
        if client.secret == secret { Ok(client) } else { Err(Refusal::BadSecret) }
    }

    fn id_token(&self, client: &Client, code: &Code, person: &Person, access: &str) -> Result<String> {
        let fault = self.memory().fault;
        let unless = |wrong: Fault, right: &str, instead: &str| {
            if fault == Some(wrong) { instead.to_owned() } else { right.to_owned() }
        };
        let now = self.clock.seconds();
        let issued = if fault == Some(Fault::Expired) { now - TOKEN_SECONDS - 3600 } else { now };
        let mut claims = claims_of(person);
        claims.insert(
            "iss".to_owned(),
            unless(Fault::WrongIssuer, &self.issuer, "https://elsewhere.test").into(),
        );
        claims.insert("aud".to_owned(), unless(Fault::WrongAudience, &client.id, "another-client").into());
        claims.insert("iat".to_owned(), issued.into());
        claims.insert("exp".to_owned(), (issued + TOKEN_SECONDS).into());
        claims.insert("auth_time".to_owned(), code.at.into());
        claims.insert("at_hash".to_owned(), half_hash(access).into());
        if let Some(nonce) = &code.nonce {
            claims.insert("nonce".to_owned(), unless(Fault::WrongNonce, nonce, "another-nonce").into());
        }
        let header = match fault {
            Some(Fault::AlgNone) => json!({ "alg": "none", "typ": "JWT" }),
            Some(Fault::Hs256WithSecret) => json!({ "alg": "HS256", "typ": "JWT" }),
            Some(Fault::UnknownKid) => json!({ "alg": "RS256", "typ": "JWT", "kid": "unpublished" }),
            _ => json!({ "alg": "RS256", "typ": "JWT", "kid": self.key.kid() }),
        };
        let part = |value: String| URL_SAFE_NO_PAD.encode(value);
        let input = format!("{}.{}", part(header.to_string()), part(Value::Object(claims).to_string()));
        let mut signature = match fault {
            Some(Fault::AlgNone) => Vec::new(),
            Some(Fault::Hs256WithSecret) => {
                let key = hmac::Key::new(hmac::HMAC_SHA256, client.secret.as_bytes());
                hmac::sign(&key, input.as_bytes()).as_ref().to_vec()
            }
            _ => self.key.sign(input.as_bytes())?,
        };
        if let (Some(Fault::BadSignature), Some(first)) = (fault, signature.first_mut()) {
            *first ^= 1;
        }
        Ok(format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

/// What both the id token and the user's information say of a person.
fn claims_of(person: &Person) -> Map<String, Value> {
    [
        ("sub", Value::from(person.id.as_str())),
        ("https://slack.com/user_id", person.id.as_str().into()),
        ("https://slack.com/team_id", person.team.as_str().into()),
        ("email", person.email.as_str().into()),
        ("email_verified", person.email_verified.into()),
        ("name", person.name.as_str().into()),
        ("locale", "en-US".into()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into_iter()
    .collect()
}

/// PKCE (RFC 7636, S256): a verifier must be given exactly if there was a challenge.
fn verifies(challenge: Option<&str>, verifier: Option<&str>) -> bool {
    match (challenge, verifier) {
        (None, None) => true,
        (Some(challenge), Some(verifier)) => {
            challenge == URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, verifier.as_bytes()))
        }
        _ => false,
    }
}

/// `at_hash`: the left half of the token's hash (OpenID Connect Core 1.0, section 3.1.3.6).
fn half_hash(access: &str) -> String {
    let hash = digest::digest(&digest::SHA256, access.as_bytes());
    let half: Vec<u8> = hash.as_ref().iter().take(16).copied().collect();
    URL_SAFE_NO_PAD.encode(half)
}

fn authorization<'a>(headers: &'a HeaderMap, scheme: &str) -> Option<&'a str> {
    headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix(scheme)
}

/// One form-encoded value, as the parts of a Basic header are.
fn decoded(value: &str) -> String {
    let pair = format!("v={value}");
    form_urlencoded::parse(pair.as_bytes()).map(|(_, value)| value.into_owned()).next().unwrap_or_default()
}
