//! Sign-in: the provider's own description and keys
//! (<https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderConfig>).

use anyhow::{Context as _, Result, ensure};
use runtime::{
    Env,
    http::{Base, client},
};
use serde::Deserialize;
use serde_json::Value;

use super::Findings;

/// What sign-in needs of the description.
#[derive(Deserialize)]
struct Described {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
}

#[derive(Deserialize)]
struct Keys {
    keys: Vec<Value>,
}

pub(super) async fn examine(env: &Env, found: &mut Findings) {
    if env.optional("OIDC_ISSUER").is_none() && env.optional("OIDC_CLIENT_ID").is_none() {
        return;
    }
    match described(env).await {
        Ok(issuer) => found.good("sign-in", format!("{issuer} describes itself and publishes its keys")),
        Err(error) => found.bad("sign-in", format!("{error:#}; correct `OIDC_ISSUER`, or ask the provider")),
    }
    if env.optional("OIDC_CLIENT_ID").is_none() {
        found.bad("sign-in", "`OIDC_CLIENT_ID` is not set; set it to the id of the application there");
    }
}

async fn described(env: &Env) -> Result<String> {
    let base = env.base("OIDC_ISSUER", "https://slack.com")?;
    let issuer = env.optional("OIDC_ISSUER").unwrap_or(base.as_str());
    let url = format!("{}/.well-known/openid-configuration", base.as_str());
    let described: Described = fetch(&base, &url).await?;
    ensure!(described.issuer == issuer, "it calls itself `{}`, not `{issuer}`", described.issuer);
    for address in [&described.authorization_endpoint, &described.token_endpoint] {
        ensure!(Base::parse(address).is_ok(), "`{address}` in its description is no safe address");
    }
    let keys = Base::parse(&described.jwks_uri).ok().context("the address of its keys is not safe")?;
    let keys: Keys = fetch(&keys, &described.jwks_uri).await?;
    ensure!(!keys.keys.is_empty(), "it publishes no key");
    Ok(described.issuer)
}

async fn fetch<T: serde::de::DeserializeOwned>(base: &Base, url: &str) -> Result<T> {
    let answer =
        client(&[base])?.get(url).send().await.with_context(|| format!("nothing answers at {url}"))?;
    let answer = answer.error_for_status().with_context(|| format!("{url} gave no answer"))?;
    let text = answer.text().await.with_context(|| format!("{url} broke off"))?;
    serde_json::from_str(&text).with_context(|| format!("{url} answers in another way"))
}
