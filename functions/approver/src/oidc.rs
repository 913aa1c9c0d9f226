//! Sign-in: the code flow of OpenID Connect with PKCE, against the one configured issuer.

use std::sync::Mutex;

use anyhow::{Context as _, Result};
use chrono::{DateTime, Utc};
use domain::{Timestamp, approval::Identity};
use openidconnect::{
    AccessTokenHash, AdditionalClaims, AuthorizationCode, Client, ClientId, ClientSecret, CsrfToken,
    EmptyExtraTokenFields, EndpointMaybeSet, EndpointNotSet, EndpointSet, HttpRequest, HttpResponse,
    IdTokenFields, IssuerUrl, Nonce, OAuth2TokenResponse as _, PkceCodeChallenge, PkceCodeVerifier,
    RedirectUrl, Scope, StandardErrorResponse, StandardTokenResponse, TokenResponse as _,
    core::{
        CoreAuthDisplay, CoreAuthPrompt, CoreAuthenticationFlow, CoreErrorResponseType, CoreGenderClaim,
        CoreJsonWebKey, CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm, CoreProviderMetadata,
        CoreRevocableToken, CoreRevocationErrorResponse, CoreTokenIntrospectionResponse, CoreTokenType,
    },
};
use runtime::{Env, EnvError, http::Base};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};

/// Where a sign-in comes back, below the public address.
pub(crate) const CALLBACK: &str = "/sign-in/callback";

/// How long the issuer's own description and keys are used, in seconds.
const FRESH: i64 = 300;

/// How far the issuer's clock may be ahead, and how old a token may be, in seconds.
const AHEAD: i64 = 60;
const OLDEST: i64 = 600;

/// The configured issuer.
pub(crate) struct Oidc {
    http: reqwest::Client,
    issuer: IssuerUrl,
    client: ClientId,
    secret: SecretString,
    redirect: RedirectUrl,
    known: Mutex<Option<(Timestamp, CoreProviderMetadata)>>,
}

/// A sign-in under way: kept by the browser until it comes back, signed by us.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Started {
    pub(crate) state: String,
    pub(crate) nonce: String,
    pub(crate) verifier: String,
    /// The page to go on to.
    pub(crate) next: String,
    /// From then on it is none.
    pub(crate) expires: Timestamp,
}

/// Why nobody was signed in.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoSignIn {
    /// The issuer cannot be asked.
    #[error("the identity provider could not be asked")]
    Unavailable(#[source] anyhow::Error),
    /// What it answered does not prove who somebody is.
    #[error("the identity provider's answer proves nothing: {0}")]
    Unproven(&'static str),
}

/// What Slack adds to a token (<https://docs.slack.dev/authentication/sign-in-with-slack>).
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Workspace {
    #[serde(rename = "https://slack.com/team_id")]
    team: Option<String>,
    #[serde(rename = "https://slack.com/user_id")]
    user: Option<String>,
}

impl AdditionalClaims for Workspace {}

type Tokens = StandardTokenResponse<
    IdTokenFields<
        Workspace,
        EmptyExtraTokenFields,
        CoreGenderClaim,
        CoreJweContentEncryptionAlgorithm,
        CoreJwsSigningAlgorithm,
    >,
    CoreTokenType,
>;

type Provider = Client<
    Workspace,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    StandardErrorResponse<CoreErrorResponseType>,
    Tokens,
    CoreTokenIntrospectionResponse,
    CoreRevocableToken,
    CoreRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

impl Oidc {
    /// Reads `OIDC_ISSUER` (Slack's unless set) and `OIDC_CLIENT_ID`.
    pub(crate) fn new(env: &Env, base: &Base, secret: SecretString, origin: &str) -> Result<Self> {
        // Compared with the issuer's own words, so taken as it was written.
        let issuer = env.optional("OIDC_ISSUER").unwrap_or(base.as_str()).to_owned();
        let wrong = |name| EnvError::invalid(name, "a URL");
        Ok(Self {
            http: runtime::http::client(&[base])?,
            issuer: IssuerUrl::new(issuer).map_err(|_| wrong("OIDC_ISSUER"))?,
            client: ClientId::new(env.required("OIDC_CLIENT_ID")?.to_owned()),
            secret,
            redirect: RedirectUrl::new(format!("{origin}{CALLBACK}")).map_err(|_| wrong("PUBLIC_URL"))?,
            known: Mutex::default(),
        })
    }

    /// Where to send somebody to sign in, and what their browser has to bring back.
    pub(crate) async fn start(
        &self,
        next: String,
        now: Timestamp,
        life: i64,
    ) -> Result<(String, Started), NoSignIn> {
        let provider = self.provider(now).await?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let flow = CoreAuthenticationFlow::AuthorizationCode;
        let (url, state, nonce) = provider
            .authorize_url(flow, CsrfToken::new_random, Nonce::new_random)
            .add_scope(Scope::new("profile".to_owned()))
            .set_pkce_challenge(challenge)
            .url();
        let started = Started {
            state: state.into_secret(),
            nonce: nonce.secret().clone(),
            verifier: verifier.into_secret(),
            next,
            expires: now.plus(life),
        };
        Ok((url.into(), started))
    }

    /// Who came back with this code. The token's issuer, audience, times, nonce, signature (RS256
    /// alone) and the hash of the access token are checked.
    pub(crate) async fn finish(
        &self,
        code: String,
        started: &Started,
        now: Timestamp,
    ) -> Result<Identity, NoSignIn> {
        let provider = self.provider(now).await?;
        let ask = |request: HttpRequest| ask(&self.http, request);
        let tokens = provider
            .exchange_code(AuthorizationCode::new(code))
            .map_err(|_| NoSignIn::Unproven("it has no token endpoint"))?
            .set_pkce_verifier(PkceCodeVerifier::new(started.verifier.clone()))
            .request_async(&ask)
            .await
            .map_err(|error| match error {
                openidconnect::RequestTokenError::Request(error) => NoSignIn::Unavailable(
                    anyhow::Error::new(error).context("the code could not be exchanged"),
                ),
                _ => NoSignIn::Unproven("the code was refused"),
            })?;
        let token = tokens.id_token().ok_or(NoSignIn::Unproven("there is no id token"))?;
        let time = date(now);
        let verifier = provider
            .id_token_verifier()
            .set_allowed_algs([CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256])
            .set_time_fn(move || time)
            .set_issue_time_verifier_fn(move |issued| {
                let age = now.since(Timestamp::from_seconds(issued.timestamp()));
                if (-AHEAD..=OLDEST).contains(&age) {
                    Ok(())
                } else {
                    Err("issued at another time".to_owned())
                }
            });
        let nonce = Nonce::new(started.nonce.clone());
        let claims = token
            .claims(&verifier, &nonce)
            .map_err(|_| NoSignIn::Unproven("the id token does not verify"))?;
        if let Some(expected) = claims.access_token_hash() {
            let hash = token
                .signing_alg()
                .ok()
                .zip(token.signing_key(&verifier).ok())
                .and_then(|(alg, key)| AccessTokenHash::from_token(tokens.access_token(), alg, key).ok());
            if hash.as_ref() != Some(expected) {
                return Err(NoSignIn::Unproven("the access token is another one"));
            }
        }
        // Only Slack speaks for its workspaces: any other provider's claim of that name is a claim.
        let workspace = Some(claims.additional_claims()).filter(|_| speaks_for_slack(self.issuer.as_str()));
        Ok(match (workspace.and_then(|one| one.team.as_ref()), workspace.and_then(|one| one.user.as_ref())) {
            (Some(team), Some(user)) => Identity { team: team.clone(), user: user.clone() },
            // Another provider: it names people, and is the team itself.
            (None, None) => {
                Identity { team: self.issuer.as_str().to_owned(), user: claims.subject().to_string() }
            }
            _ => return Err(NoSignIn::Unproven("the id token names half an identity")),
        })
    }

    async fn provider(&self, now: Timestamp) -> Result<Provider, NoSignIn> {
        let metadata = self.metadata(now).await.map_err(NoSignIn::Unavailable)?;
        let secret = ClientSecret::new(self.secret.expose_secret().to_owned());
        Ok(Client::from_provider_metadata(metadata, self.client.clone(), Some(secret))
            .set_redirect_uri(self.redirect.clone()))
    }

    /// The issuer's description of itself with its keys, read anew every few minutes.
    async fn metadata(&self, now: Timestamp) -> Result<CoreProviderMetadata> {
        let lock = || self.known.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let known = lock().clone();
        if let Some((read, metadata)) = known
            && (0..FRESH).contains(&now.since(read))
        {
            return Ok(metadata);
        }
        let ask = |request: HttpRequest| ask(&self.http, request);
        let metadata = CoreProviderMetadata::discover_async(self.issuer.clone(), &ask)
            .await
            .context("the identity provider's description could not be read")?;
        *lock() = Some((now, metadata.clone()));
        Ok(metadata)
    }
}

/// Slack itself, or a stand-in on this machine.
fn speaks_for_slack(issuer: &str) -> bool {
    let loopback = ["http://127.0.0.1:", "http://localhost:", "http://[::1]:"];
    issuer == "https://slack.com" || loopback.iter().any(|start| issuer.starts_with(start))
}

/// The library's request through our client, without following redirects.
async fn ask(http: &reqwest::Client, request: HttpRequest) -> Result<HttpResponse, Unanswered> {
    let request = reqwest::Request::try_from(request).map_err(|error| Unanswered(error.without_url()))?;
    let response = http.execute(request).await.map_err(|error| Unanswered(error.without_url()))?;
    let mut answer = HttpResponse::new(Vec::new());
    *answer.status_mut() = response.status();
    *answer.headers_mut() = response.headers().clone();
    *answer.body_mut() = response.bytes().await.map_err(|error| Unanswered(error.without_url()))?.to_vec();
    Ok(answer)
}

/// No answer from the issuer.
#[derive(Debug, thiserror::Error)]
#[error("the identity provider did not answer")]
pub(crate) struct Unanswered(#[source] reqwest::Error);

fn date(time: Timestamp) -> DateTime<Utc> {
    DateTime::from_timestamp(time.seconds(), 0).unwrap_or(DateTime::<Utc>::MAX_UTC)
}
