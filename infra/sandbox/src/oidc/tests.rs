//! The provider as `openidconnect` sees it, the client library of the approver, and its refusals.

use std::{convert::Infallible, time::Duration};

use axum::body::{Body, to_bytes};
use http::Request;
use openidconnect::{
    AuthenticationFlow, AuthorizationCode, ClientId, ClientSecret, CsrfToken, HttpRequest, HttpResponse,
    IssuerUrl, Nonce, OAuth2TokenResponse as _, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, Scope,
    TokenResponse as _,
    core::{CoreAuthenticationFlow, CoreClient, CoreIdTokenClaims, CoreProviderMetadata, CoreResponseType},
};
use tower::ServiceExt as _;

use super::*;
use crate::people::{FINANCE_LEAD, FORMER, GUEST, OUTSIDER, ROBOT, TEAM};

const ISSUER: &str = "http://127.0.0.1:9400";
const BACK: &str = "http://127.0.0.1:9000/auth/callback";
const SECRET: &str = "a secret of 100% = & the sandbox";

fn provider() -> Arc<Oidc> {
    provider_on(Shelf::memory().unwrap())
}

/// On the machine's clock, since the client library checks the times against it.
fn provider_on(shelf: Shelf) -> Arc<Oidc> {
    let oidc = Oidc::open(ISSUER, People::seeded(), shelf, Clock::running()).unwrap();
    oidc.register(Client {
        id: "approver".to_owned(),
        secret: SECRET.to_owned(),
        redirect_uris: vec![BACK.to_owned()],
    });
    oidc
}

async fn send(oidc: &Arc<Oidc>, request: Request<Body>) -> HttpResponse {
    let (head, body) = oidc.clone().router().oneshot(request).await.unwrap().into_parts();
    Response::from_parts(head, to_bytes(body, usize::MAX).await.unwrap().to_vec())
}

async fn look(oidc: &Arc<Oidc>, path: &str) -> HttpResponse {
    send(oidc, Request::get(path).body(Body::empty()).unwrap()).await
}

async fn post(oidc: &Arc<Oidc>, path: &str, form: &[(&str, &str)]) -> HttpResponse {
    let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    let request = Request::post(path).header("content-type", "application/x-www-form-urlencoded");
    send(oidc, request.body(form.into()).unwrap()).await
}

fn json_of(response: &HttpResponse) -> serde_json::Value {
    serde_json::from_slice(response.body()).unwrap()
}

/// A parameter of the redirect's address.
fn redirected(response: &HttpResponse, name: &str) -> Option<String> {
    let location = response.headers().get("location").expect("no redirect").to_str().unwrap();
    let (address, query) = location.split_once('?').unwrap();
    assert_eq!(address, BACK);
    let mut pairs = form_urlencoded::parse(query.as_bytes()).into_owned();
    pairs.find(|(found, _)| found == name).map(|(_, value)| value)
}

fn asking(person: &str, more: &[(&str, &str)]) -> String {
    let mut query = form_urlencoded::Serializer::new("/openid/connect/authorize?".to_owned());
    let usual = [("client_id", "approver"), ("redirect_uri", BACK), ("response_type", "code")];
    let usual = usual.into_iter().chain([("scope", "openid email"), ("state", "here&now")]);
    for (name, value) in usual.chain([("prompt", "none"), ("login_hint", person)]) {
        if !more.iter().any(|(other, _)| *other == name) {
            query.append_pair(name, value);
        }
    }
    query.extend_pairs(more).finish()
}

async fn code_for(oidc: &Arc<Oidc>, person: &str) -> String {
    redirected(&look(oidc, &asking(person, &[])).await, "code").expect("no code")
}

async fn redeem(oidc: &Arc<Oidc>, code: &str, more: &[(&str, &str)]) -> serde_json::Value {
    let usual =
        [("client_id", "approver"), ("client_secret", SECRET), ("redirect_uri", BACK), ("code", code)];
    let form: Vec<_> = usual
        .into_iter()
        .filter(|(name, _)| !more.iter().any(|(other, _)| other == name))
        .chain(more.iter().copied())
        .collect();
    json_of(&post(oidc, "/api/openid.connect.token", &form).await)
}

/// The whole sign-in by the client library, over the router instead of a socket.
async fn sign_in(oidc: &Arc<Oidc>, person: &str) -> Result<(CoreIdTokenClaims, String), String> {
    let http = |request: HttpRequest| async {
        let (head, body) = request.into_parts();
        Ok::<_, Infallible>(send(oidc, Request::from_parts(head, body.into())).await)
    };
    let issuer = IssuerUrl::new(ISSUER.to_owned()).unwrap();
    let metadata =
        CoreProviderMetadata::discover_async(issuer, &http).await.map_err(|error| format!("{error:?}"))?;
    let secret = ClientSecret::new(SECRET.to_owned());
    let client =
        CoreClient::from_provider_metadata(metadata, ClientId::new("approver".to_owned()), Some(secret))
            .set_redirect_uri(RedirectUrl::new(BACK.to_owned()).unwrap());
    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let flow: CoreAuthenticationFlow = AuthenticationFlow::<CoreResponseType>::AuthorizationCode;
    let (url, state, nonce) = client
        .authorize_url(flow, CsrfToken::new_random, Nonce::new_random)
        .add_scope(Scope::new("email".to_owned()))
        .set_pkce_challenge(challenge)
        .add_extra_param("prompt", "none")
        .add_extra_param("login_hint", person)
        .url();
    let back = look(oidc, url.as_str()).await;
    assert_eq!(redirected(&back, "state").as_ref(), Some(state.secret()));
    let code = redirected(&back, "code").ok_or_else(|| redirected(&back, "error").unwrap())?;
    let tokens = client
        .exchange_code(AuthorizationCode::new(code))
        .unwrap()
        .set_pkce_verifier(PkceCodeVerifier::new(verifier.into_secret()))
        .request_async(&http)
        .await
        .map_err(|error| format!("{error:?}"))?;
    let claims = tokens
        .id_token()
        .ok_or("no id token")?
        .claims(&client.id_token_verifier(), &nonce)
        .map_err(|error| format!("{error:?}"))?;
    Ok((claims.clone(), tokens.access_token().secret().clone()))
}

#[tokio::test]
async fn a_client_library_signs_a_person_in_and_verifies_the_token() {
    let oidc = provider();
    let (claims, access) = sign_in(&oidc, FINANCE_LEAD).await.unwrap();
    assert_eq!(claims.subject().as_str(), FINANCE_LEAD);
    assert_eq!(claims.email().unwrap().as_str(), "finance-lead@example.test");
    assert_eq!(claims.email_verified(), Some(true));

    let request =
        Request::get("/api/openid.connect.userInfo").header("authorization", format!("Bearer {access}"));
    let info = json_of(&send(&oidc, request.body(Body::empty()).unwrap()).await);
    assert_eq!(info["https://slack.com/user_id"], FINANCE_LEAD);
    assert_eq!(info["https://slack.com/team_id"], TEAM);
}

#[tokio::test]
async fn every_spoilt_token_is_one_that_the_client_library_refuses() {
    use Fault::*;
    let oidc = provider();
    for (fault, because) in [
        (WrongAudience, "InvalidAudience"),
        (WrongIssuer, "InvalidIssuer"),
        (WrongNonce, "InvalidNonce"),
        (Expired, "Expired"),
        (AlgNone, "NoSignature"),
        (Hs256WithSecret, "DisallowedAlg"),
        (UnknownKid, "NoMatchingKey"),
        (BadSignature, "CryptoError"),
        (KeysServerError, "500"),
        (TokenServerError, "empty error response"),
    ] {
        oidc.set_fault(Some(fault));
        let refusal = sign_in(&oidc, FINANCE_LEAD).await.unwrap_err();
        assert!(refusal.contains(because), "{fault:?}: {refusal}");
    }
    oidc.set_fault(None);
    sign_in(&oidc, FINANCE_LEAD).await.unwrap();
}

#[tokio::test]
async fn a_hanging_token_endpoint_leaves_the_code_unused() {
    let oidc = provider();
    let code = code_for(&oidc, FINANCE_LEAD).await;
    oidc.set_fault(Some(Fault::TokenHang));
    let patience = Duration::from_millis(5);
    assert!(tokio::time::timeout(patience, redeem(&oidc, &code, &[])).await.is_err());
    oidc.set_fault(None);
    assert_eq!(redeem(&oidc, &code, &[]).await["ok"], true);
}

#[tokio::test]
async fn a_code_works_once_and_for_five_minutes() {
    let oidc = provider();
    let code = code_for(&oidc, FINANCE_LEAD).await;
    assert_eq!(redeem(&oidc, &code, &[]).await["token_type"], "Bearer");
    assert_eq!(redeem(&oidc, &code, &[]).await["error"], "invalid_code");

    let late = code_for(&oidc, FINANCE_LEAD).await;
    oidc.clock.advance(Duration::from_secs(301));
    assert_eq!(redeem(&oidc, &late, &[]).await["error"], "invalid_code");
    assert_eq!(redeem(&oidc, "code-unheard-of", &[]).await["error"], "invalid_code");
}

#[tokio::test]
async fn of_a_code_redeemed_many_times_at_once_one_works() {
    let oidc = provider();
    let code = code_for(&oidc, FINANCE_LEAD).await;
    let mut tries = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let (oidc, code) = (oidc.clone(), code.clone());
        tries.spawn(async move { redeem(&oidc, &code, &[]).await["ok"] == true });
    }
    assert_eq!(tries.join_all().await.into_iter().filter(|worked| *worked).count(), 1);
}

#[tokio::test]
async fn the_exchange_refuses_what_differs_from_the_request() {
    let oidc = provider();
    for (more, error) in [
        ([("client_secret", "another")], "bad_client_secret"),
        ([("client_id", "another")], "invalid_client_id"),
        ([("grant_type", "password")], "invalid_grant_type"),
        ([("redirect_uri", "http://127.0.0.1:9000/auth/callback/")], "bad_redirect_uri"),
        ([("code_verifier", "nobody-asked-for-one")], "invalid_code"),
    ] {
        let code = code_for(&oidc, FINANCE_LEAD).await;
        let answer = redeem(&oidc, &code, &more).await;
        assert_eq!((&answer["ok"], &answer["error"]), (&false.into(), &error.into()), "{more:?}");
    }
    oidc.register(Client { id: "other".to_owned(), secret: "x".to_owned(), redirect_uris: Vec::new() });
    let code = code_for(&oidc, FINANCE_LEAD).await;
    let stolen = redeem(&oidc, &code, &[("client_id", "other"), ("client_secret", "x")]).await;
    assert_eq!(stolen["error"], "invalid_code", "a code belongs to the application that asked");
}

#[tokio::test]
async fn a_challenge_needs_its_verifier() {
    let oidc = provider();
    // The example of RFC 7636, appendix B.
    let challenge = ("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    let verifier = ("code_verifier", "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
    let url = asking(FINANCE_LEAD, &[challenge, ("code_challenge_method", "S256")]);
    let code = redirected(&look(&oidc, &url).await, "code").unwrap();
    assert_eq!(redeem(&oidc, &code, &[]).await["error"], "invalid_code");
    assert_eq!(redeem(&oidc, &code, &[("code_verifier", "wrong")]).await["error"], "invalid_code");
    assert_eq!(redeem(&oidc, &code, &[verifier]).await["ok"], true);

    let plain = asking(FINANCE_LEAD, &[challenge, ("code_challenge_method", "plain")]);
    assert_eq!(redirected(&look(&oidc, &plain).await, "error").unwrap(), "invalid_request");
}

#[tokio::test]
async fn the_other_token_endpoint_answers_as_the_standard_says() {
    let oidc = provider();
    let form = [("client_id", "approver"), ("client_secret", SECRET), ("redirect_uri", BACK)];
    let none = post(&oidc, "/openid/connect/token", &form).await;
    assert_eq!((none.status().as_u16(), &json_of(&none)["error"]), (400, &"invalid_grant".into()));
    let nobody = post(&oidc, "/openid/connect/token", &[]).await;
    assert_eq!((nobody.status().as_u16(), &json_of(&nobody)["error"]), (401, &"invalid_client".into()));
    let code = code_for(&oidc, FINANCE_LEAD).await;
    let form: Vec<_> = form.into_iter().chain([("code", code.as_str())]).collect();
    assert_eq!(post(&oidc, "/openid/connect/token", &form).await.status(), 200);
}

#[tokio::test]
async fn an_address_that_is_not_registered_gets_no_redirect() {
    let oidc = provider();
    for address in [
        "https://evil.test/",
        "http://127.0.0.1:9000/auth/callback/",
        "http://127.0.0.1:9000/auth/callback?next=x",
        "HTTP://127.0.0.1:9000/auth/callback",
        "http://127.0.0.1:9000/auth",
        "",
    ] {
        let answer = look(&oidc, &asking(FINANCE_LEAD, &[("redirect_uri", address)])).await;
        assert_eq!(answer.status(), 400, "{address}");
        assert!(answer.headers().get("location").is_none(), "{address}");
    }
    let stranger = look(&oidc, &asking(FINANCE_LEAD, &[("client_id", "stranger")])).await;
    assert_eq!(stranger.status(), 400);
}

#[tokio::test]
async fn errors_of_the_request_go_back_with_the_state() {
    let oidc = provider();
    for (more, error) in [
        (("response_type", "token"), "unsupported_response_type"),
        (("scope", "email"), "invalid_scope"),
        (("login_hint", "U0NOBODY00"), "access_denied"),
    ] {
        let answer = look(&oidc, &asking(FINANCE_LEAD, &[more])).await;
        assert_eq!(redirected(&answer, "error").unwrap(), error);
        assert_eq!(redirected(&answer, "state").unwrap(), "here&now");
        assert_eq!(redirected(&answer, "code"), None);
    }
}

#[tokio::test]
async fn the_page_offers_everybody_and_escapes_what_it_was_given() {
    let oidc = provider();
    let url = asking("", &[("prompt", "login"), ("state", "\"><script>alert(1)</script>")]);
    let page = String::from_utf8(look(&oidc, &url).await.into_body()).unwrap();
    assert_eq!(page.matches("Sign in as ").count(), People::seeded().all().len());
    assert!(!page.contains("<script>"), "{page}");
    assert!(page.contains("&quot;&gt;&lt;script&gt;"));

    let form = [
        ("client_id", "approver"),
        ("redirect_uri", BACK),
        ("response_type", "code"),
        ("scope", "openid"),
        ("state", "s"),
        ("person", OUTSIDER),
    ];
    let answer = post(&oidc, "/openid/connect/authorize", &form).await;
    assert_eq!(answer.status(), 303);
    let code = redirected(&answer, "code").unwrap();
    assert_eq!(redeem(&oidc, &code, &[]).await["ok"], true);
}

#[tokio::test]
async fn the_deactivated_and_the_bots_cannot_sign_in_but_guests_can() {
    let oidc = provider();
    assert!(sign_in(&oidc, GUEST).await.is_ok());
    for person in [FORMER, ROBOT] {
        assert_eq!(sign_in(&oidc, person).await.unwrap_err(), "access_denied");
    }
    oidc.set_fault(Some(Fault::AnybodySignsIn));
    assert!(sign_in(&oidc, FORMER).await.is_ok());
    oidc.set_fault(None);
    oidc.people.deactivate(FINANCE_LEAD);
    assert_eq!(sign_in(&oidc, FINANCE_LEAD).await.unwrap_err(), "access_denied");
}

#[tokio::test]
async fn codes_survive_a_restart() {
    let shelf = Shelf::memory().unwrap();
    let before = provider_on(shelf.clone());
    let code = code_for(&before, FINANCE_LEAD).await;
    let after = provider_on(shelf);
    let tokens = redeem(&after, &code, &[]).await;
    assert_eq!(tokens["ok"], true);
    let again = provider_on(after.shelf.clone());
    assert_eq!(redeem(&again, &code, &[]).await["error"], "invalid_code", "used stays used");
}

#[tokio::test]
async fn the_provider_and_slack_share_an_address_as_the_real_ones_do() {
    let oidc = provider();
    let workspace = crate::slack::Workspace::seeded("token");
    let slack =
        crate::slack::Slack::open(workspace, oidc.people.clone(), oidc.shelf.clone(), oidc.clock.clone());
    let both = oidc.router().merge(slack.unwrap().router());
    for (path, error) in [("openid.connect.userInfo", "not_authed"), ("users.info", "not_authed")] {
        let request = Request::get(format!("/api/{path}")).body(Body::empty()).unwrap();
        let body = to_bytes(both.clone().oneshot(request).await.unwrap().into_body(), usize::MAX).await;
        assert_eq!(serde_json::from_slice::<serde_json::Value>(&body.unwrap()).unwrap()["error"], error);
    }
}
