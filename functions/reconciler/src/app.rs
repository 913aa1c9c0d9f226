//! What the sweeps need.

use anyhow::{Context as _, Result};
use domain::AccountId;
use runtime::{Clock, Env, EnvError, Meter, Queue, Secrets, aws::Aws};
use store::Approvals;
use stripe::{ApiKey, EndpointSecrets, probe::Probe};
use tokio::join;

/// How long an event may be under way before a sweep calls it missed, in seconds.
const GRACE: i64 = 300;

/// The reconciler's dependencies.
pub struct App {
    /// The processor's own: what it would have done is done by the same code.
    pub processor: processor::App,
    /// Proposals and votes, to be read only.
    pub approvals: Approvals,
    /// The queue of events.
    pub events: Queue,
    /// The queues of what failed too often, by name.
    pub dead: [(&'static str, Queue); 2],
    /// Asks what a key may do.
    pub probe: Probe,
    /// The key that can only read, if it is what it should be.
    pub read_key: ApiKey,
    /// Connected accounts whose events come in here too.
    pub accounts: Vec<AccountId>,
    /// How the canary is sent; `None` sends none.
    pub canary: Option<Canary>,
    /// How long an event may be under way before it counts as missed, in seconds.
    pub grace: i64,
    /// Figures.
    pub meter: Meter,
}

/// How the canary is sent: through the front door, as Stripe would.
pub struct Canary {
    /// The endpoint of ingress that only canaries come through.
    pub url: String,
    /// What signs for that endpoint and for no other.
    pub secrets: EndpointSecrets,
    /// For the one request.
    pub http: reqwest::Client,
}

impl App {
    /// Reads the configuration and fetches the secrets at the same time. Optional are
    /// `EVENT_GRACE_SECONDS`, `STRIPE_CONNECTED_ACCOUNTS`, and `CANARY_URL` with `CANARY_SECRET`.
    ///
    /// # Errors
    /// The first thing that is missing or wrong, with what to set.
    pub async fn from_env(env: &Env, clock: Clock) -> Result<Self> {
        let grace = match env.optional("EVENT_GRACE_SECONDS") {
            None => GRACE,
            Some(text) => text
                .parse()
                .ok()
                .filter(|seconds| (0..=86_400).contains(seconds))
                .ok_or_else(|| EnvError::invalid("EVENT_GRACE_SECONDS", "seconds from 0 to 86400"))?,
        };
        let aws = Aws::from_env(env)?;
        let secrets = Secrets::new(aws.secrets_manager());
        let name = env.required("STRIPE_READ_KEY_SECRET")?;
        let (secret, canary, processor) = join!(
            secrets.get(name),
            canary(env, &secrets),
            Box::pin(processor::App::from_env(env, clock.clone()))
        );
        let (secret, canary, processor) = (secret?, canary?, processor?);
        let base = runtime::stripe::base(env)?;
        Ok(Self {
            approvals: Approvals::new(aws.dynamodb(), env.required("APPROVALS_TABLE")?),
            events: Queue::from_env(aws.sqs(), env, "EVENT_QUEUE_URL")?,
            dead: [
                ("events", Queue::from_env(aws.sqs(), env, "EVENT_DEAD_QUEUE_URL")?),
                ("approvals", Queue::from_env(aws.sqs(), env, "APPROVAL_DEAD_QUEUE_URL")?),
            ],
            probe: runtime::stripe::probe(env, runtime::http::client(&[&base])?)?,
            read_key: ApiKey::new(&secret)?,
            accounts: accounts(env)?,
            canary,
            grace,
            meter: Meter::from_env("reconciler", env, clock)?,
            processor,
        })
    }
}

/// `STRIPE_CONNECTED_ACCOUNTS`, separated by commas.
fn accounts(env: &Env) -> Result<Vec<AccountId>, EnvError> {
    const NAME: &str = "STRIPE_CONNECTED_ACCOUNTS";
    let ids = env.optional(NAME).unwrap_or_default().split(',').map(str::trim).filter(|id| !id.is_empty());
    ids.map(|id| {
        AccountId::parse(id).map_err(|_| EnvError::invalid(NAME, "ids of accounts (acct_…) and commas"))
    })
    .collect()
}

async fn canary(env: &Env, secrets: &Secrets) -> Result<Option<Canary>> {
    let Some(url) = env.optional_base("CANARY_URL")? else { return Ok(None) };
    let name = env.required("CANARY_SECRET")?;
    let signing = runtime::secrets::list(name, &secrets.get(name).await?)?;
    let secrets = EndpointSecrets::new(&signing)
        .with_context(|| format!("the secret `{name}` cannot sign a canary"))?;
    Ok(Some(Canary { http: runtime::http::client(&[&url])?, url: url.as_str().to_owned(), secrets }))
}
