//! What the sweeps need.

use anyhow::Result;
use runtime::{Clock, Env, EnvError, Meter, Queue, aws::Aws};

/// How long an event may be under way before a sweep calls it missed, in seconds.
const GRACE: i64 = 300;

/// The reconciler's dependencies.
pub struct App {
    /// The processor's own: what it would have done is done by the same code.
    pub processor: processor::App,
    /// The queue of events.
    pub events: Queue,
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
        Ok(Self {
            events: Queue::from_env(Aws::from_env(env)?.sqs(), env, "EVENT_QUEUE_URL")?,
            grace,
            meter: Meter::from_env("reconciler", env, clock.clone())?,
            processor: processor::App::from_env(env, clock).await?,
        })
    }
}
