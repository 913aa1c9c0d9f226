//! Which model, from the environment.

use runtime::{
    Clock, Env, EnvError, Secrets,
    aws::Aws,
    http::{self, Base},
};

use super::{Model, Price, TIMEOUT, anthropic::API};
use crate::config::ConfigError;

/// What belongs to a model; any of them without `MODEL` is a mistake.
const OTHERS: [&str; 4] = ["MODEL_ID", "MODEL_URL", "MODEL_PRICE", "MODEL_KEY_SECRET"];

impl Model {
    /// The model that `MODEL` names, or none if it is not set.
    ///
    /// All: `MODEL_ID`, the vendor's name of the model, and `MODEL_PRICE` (see [`Price::parse`]), by which the
    /// budget is kept. `bedrock`: `MODEL_ID` is a model's or an inference profile's id or ARN that the role may
    /// invoke; `MODEL_URL` for a private endpoint or a stand-in. `anthropic`: `MODEL_KEY_SECRET`, the name of the secret with the key; `MODEL_URL` for a
    /// stand-in. `openai`: `MODEL_URL`, the address before `/chat/completions`, such as
    /// `https://api.openai.com/v1`, and `MODEL_KEY_SECRET` unless the server asks for no key.
    ///
    /// # Errors
    /// [`ConfigError`] says what to set.
    pub async fn from_env(
        env: &Env,
        aws: &Aws,
        secrets: &Secrets,
        clock: Clock,
    ) -> Result<Option<Self>, ConfigError> {
        let Some(name) = env.optional("MODEL") else {
            return match OTHERS.iter().find(|name| env.optional(name).is_some()) {
                Some(name) => Err(EnvError::invalid("MODEL", format!("set if `{name}` is")).into()),
                None => Ok(None),
            };
        };
        let id = env.required("MODEL_ID")?;
        let price = Price::parse(env.required("MODEL_PRICE")?)
            .map_err(|_| EnvError::invalid("MODEL_PRICE", Price::EXPECTED))?;
        Ok(Some(match name {
            "bedrock" => {
                if env.optional("MODEL_KEY_SECRET").is_some() {
                    let expected = "not set with `bedrock`, which the role may invoke without a key";
                    return Err(EnvError::invalid("MODEL_KEY_SECRET", expected).into());
                }
                let endpoint = env.optional_base("MODEL_URL")?;
                Self::bedrock(id, price, aws, endpoint.as_ref(), clock)
            }
            "anthropic" => {
                let base = env.base("MODEL_URL", API)?;
                let key = secrets.get(env.required("MODEL_KEY_SECRET")?).await?;
                Self::anthropic(id, price, client(&base)?, &base, key, clock)
            }
            "openai" => {
                let base = env.optional_base("MODEL_URL")?;
                let base = base.ok_or(EnvError::Missing { name: "MODEL_URL" })?;
                let key = match env.optional("MODEL_KEY_SECRET") {
                    Some(secret) => Some(secrets.get(secret).await?),
                    None => None,
                };
                Self::openai(id, price, client(&base)?, &base, key, clock)
            }
            _ => {
                return Err(
                    EnvError::invalid("MODEL", "`bedrock`, `anthropic` or `openai`, or not set").into()
                );
            }
        }))
    }
}

/// The time-out of a call is the call's own; the client's must not end it before.
fn client(base: &Base) -> Result<reqwest::Client, ConfigError> {
    http::client_within(&[base], TIMEOUT * 8).map_err(|error| ConfigError::Http(error.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn configured(variables: &[(&str, &str)]) -> Result<Option<Model>, ConfigError> {
        let aws = [
            ("AWS_REGION", "eu-central-1"),
            ("AWS_ACCESS_KEY_ID", "local"),
            ("AWS_SECRET_ACCESS_KEY", "local"),
            ("AWS_ENDPOINT_URL_SECRETS_MANAGER", "http://127.0.0.1:1"),
        ];
        let env: Env = aws.iter().chain(variables).copied().collect();
        let aws = Aws::from_env(&env).unwrap();
        let secrets = Secrets::new(aws.secrets_manager());
        Model::from_env(&env, &aws, &secrets, runtime::system_clock()).await
    }

    #[tokio::test]
    async fn without_a_model_there_is_none_and_a_bad_setting_is_named() {
        assert!(configured(&[]).await.unwrap().is_none());
        let bedrock =
            [("MODEL", "bedrock"), ("MODEL_ID", "amazon.nova-lite-v1:0"), ("MODEL_PRICE", "0.06,0.24")];
        let anthropic = [("MODEL", "anthropic"), bedrock[1], bedrock[2]];
        let openai = [("MODEL", "openai"), bedrock[1], bedrock[2]];
        for (variables, named) in [
            (&[("MODEL", "oracle"), bedrock[1], bedrock[2]][..], "MODEL"),
            (&bedrock[..1], "MODEL_ID"),
            (&bedrock[..2], "MODEL_PRICE"),
            (&[bedrock[0], bedrock[1], ("MODEL_PRICE", "cheap")], "MODEL_PRICE"),
            (&[bedrock[0], bedrock[1], bedrock[2], ("MODEL_KEY_SECRET", "x")], "MODEL_KEY_SECRET"),
            (&anthropic, "MODEL_KEY_SECRET"),
            (&openai, "MODEL_URL"),
            (&[openai[0], openai[1], openai[2], ("MODEL_URL", "http://a.example.test")], "MODEL_URL"),
            // Half of it, without the choice.
            (&bedrock[1..2], "MODEL"),
            (&[("MODEL_KEY_SECRET", "x")], "MODEL"),
        ] {
            let error = configured(variables).await.unwrap_err().to_string();
            assert!(error.contains(&format!("`{named}`")), "{error}");
        }
    }

    #[tokio::test]
    async fn a_model_in_bedrock_and_a_server_that_asks_for_no_key_need_no_secret() {
        let bedrock =
            [("MODEL", "bedrock"), ("MODEL_ID", "amazon.nova-lite-v1:0"), ("MODEL_PRICE", "0.06,0.24")];
        let model = configured(&bedrock).await.unwrap().unwrap();
        assert_eq!(
            (model.id(), model.price()),
            ("amazon.nova-lite-v1:0", Price::parse("0.06,0.24").unwrap())
        );
        let own = [
            ("MODEL", "openai"),
            ("MODEL_ID", "own"),
            ("MODEL_PRICE", "0,0"),
            ("MODEL_URL", "http://localhost:1/v1"),
        ];
        assert_eq!(configured(&own).await.unwrap().unwrap().id(), "own");
    }
}
