//! What the sweeps need.

use anyhow::Result;
use runtime::{Clock, Env, EnvError, Meter, Queue, Secrets, aws::Aws};
use stripe::{ApiKey, probe::Probe};

/// How long an event may be under way before a sweep calls it missed, in seconds.
const GRACE: i64 = 300;

/// The reconciler's dependencies.
pub struct App {
    /// The processor's own: what it would have done is done by the same code.
    pub processor: processor::App,
    /// The queue of events.
    pub events: Queue,
    /// Asks what a key may do.
    pub probe: Probe,
    /// The key that can only read, if it is what it should be.
    pub read_key: ApiKey,
    /// How long an event may be under way before it counts as missed, in seconds.
    pub grace: i64,
    /// Figures.
    pub meter: Meter,
}

impl App {
    /// Reads the configuration, fetches the secrets and opens the connections. `EVENT_GRACE_SECONDS`
    /// is optional.
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
        let secret = Secrets::new(aws.secrets_manager()).get(env.required("STRIPE_READ_KEY_SECRET")?).await?;
        let base = runtime::stripe::base(env)?;
        Ok(Self {
            events: Queue::from_env(aws.sqs(), env, "EVENT_QUEUE_URL")?,
            probe: runtime::stripe::probe(env, runtime::http::client(&[&base])?)?,
            read_key: ApiKey::new(&secret)?,
            grace,
            meter: Meter::from_env("reconciler", env, clock.clone())?,
            processor: processor::App::from_env(env, clock).await?,
        })
    }
}
