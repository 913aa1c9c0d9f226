//! What the function holds between deliveries.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use runtime::{Clock, Env, EnvError, Meter, Queue, Secrets, aws::Aws, secrets};
use stripe::EndpointSecrets;

/// The signing secrets of each endpoint, by the endpoint's name in the path.
pub type Endpoints = BTreeMap<String, EndpointSecrets>;

/// What the function holds between deliveries.
pub struct App {
    /// The live signing secrets.
    pub endpoints: Endpoints,
    /// The one source of the bus whose events are taken in, if any.
    pub event_source: Option<String>,
    /// Where envelopes go.
    pub queue: Queue,
    /// Where figures go.
    pub meter: Meter,
    /// What time it is.
    pub clock: Clock,
}

impl App {
    /// Reads `EVENT_QUEUE_URL`, `WEBHOOK_SECRETS` (`default=NAME[,other=NAME2]`: endpoints, and the
    /// names of their secrets in Secrets Manager), `STRIPE_EVENT_SOURCE` (a partner event source of
    /// EventBridge; without it no event of a bus is taken), `DEPLOYMENT` and the variables of [`Aws`]. The
    /// secrets are fetched and the queue's connection is opened at the same time, while the function
    /// initialises and has its full share of a processor.
    ///
    /// Secrets are read once. To roll one, store the old and the new one together; instances started
    /// before keep the old one, which Stripe signs with until it expires
    /// (<https://docs.stripe.com/webhooks#roll-endpoint-secrets>).
    ///
    /// # Errors
    /// If a variable or a secret is missing or unusable, or the queue does not exist.
    pub async fn from_env(env: &Env, clock: Clock) -> Result<Self> {
        Self::new(env, &Aws::from_env(env)?, clock).await
    }

    /// As [`App::from_env`], with these clients.
    ///
    /// # Errors
    /// As [`App::from_env`].
    pub async fn new(env: &Env, aws: &Aws, clock: Clock) -> Result<Self> {
        let names = endpoint_names(env)?;
        let queue = Queue::from_env(aws.sqs(), env, "EVENT_QUEUE_URL")?;
        let meter = Meter::from_env("ingress", env, clock.clone())?;
        let store = Secrets::new(aws.secrets_manager());
        let (values, opened) = tokio::join!(store.get_all(names.iter().map(|(_, name)| name)), queue.open());
        opened?;
        let mut endpoints = Endpoints::new();
        for ((endpoint, name), value) in names.into_iter().zip(values?) {
            let signing = EndpointSecrets::new(&secrets::list(&name, &value)?)
                .with_context(|| format!("the secret `{name}` cannot check signatures"))?;
            endpoints.insert(endpoint, signing);
        }
        let event_source = env.optional("STRIPE_EVENT_SOURCE").map(ToOwned::to_owned);
        Ok(Self { endpoints, event_source, queue, meter, clock })
    }
}

/// The endpoints with the names of their secrets.
fn endpoint_names(env: &Env) -> Result<Vec<(String, String)>, EnvError> {
    const NAME: &str = "WEBHOOK_SECRETS";
    let invalid =
        || EnvError::invalid(NAME, "`endpoint=secret name`, separated by commas, each endpoint once");
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let mut names: Vec<(String, String)> = Vec::new();
    for pair in env.required(NAME)?.split(',') {
        let (endpoint, name) = pair.split_once('=').ok_or_else(invalid)?;
        let (endpoint, name) = (endpoint.trim(), name.trim());
        let known = names.iter().any(|(other, _)| other == endpoint);
        if endpoint.is_empty() || !endpoint.bytes().all(plain) || name.is_empty() || known {
            return Err(invalid());
        }
        names.push((endpoint.to_owned(), name.to_owned()));
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: &str) -> Result<Vec<(String, String)>, EnvError> {
        endpoint_names(&Env::from([("WEBHOOK_SECRETS", value)]))
    }

    #[test]
    fn endpoints_name_their_secrets() {
        let pair = |endpoint: &str, name: &str| (endpoint.to_owned(), name.to_owned());
        assert_eq!(read("default=stack/webhook").unwrap(), [pair("default", "stack/webhook")]);
        assert_eq!(read("a=x, b-2=y").unwrap(), [pair("a", "x"), pair("b-2", "y")]);
    }

    #[test]
    fn a_list_of_endpoints_with_a_mistake_is_refused() {
        for bad in ["", "default", "=x", "default=", "a=x,a=y", "a=x,,b=y", "a/b=x", "a=x,"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
