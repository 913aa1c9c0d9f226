//! What a turn needs, made once at the start of the process.

use std::{collections::BTreeMap, time::Duration};

use anyhow::Result;
use connectors::{ConfigError, model::Model, slack::Slack};
use domain::{RunId, policy::Bundle};
use runtime::{Clock, Env, EnvError, Meter, Queue, Secrets, aws::Aws, failure};
use store::Cases;
use tokio::join;

use crate::{Around, Issuers};

/// How long a run may hold an event or a step, in seconds. Function time-out (60 s) < lease <
/// visibility time-out of the queue (180 s): a run that is still alive never loses its claim, and a
/// message that comes again finds the lease over.
pub(crate) const LEASE: i64 = 90;

/// The processor's dependencies.
pub struct App {
    /// Stripe, with the key that can only read.
    pub stripe: stripe::Client,
    /// Events, cases, steps, requests.
    pub cases: Cases,
    /// The team's chat.
    pub slack: Slack,
    /// The other systems: CRM, help desk, the business's own application.
    pub around: Around,
    /// The language model that advises, if the policy wants one asked and one is configured.
    pub advisor: Option<Model>,
    /// How card issuers answer at the moment.
    pub issuers: Issuers,
    /// The chat's conversation for each channel that the policy names.
    pub channels: BTreeMap<String, String>,
    /// The approver's queue.
    pub approvals: Queue,
    /// The policy in force.
    pub bundle: Bundle,
    /// The time.
    pub clock: Clock,
    /// Figures.
    pub meter: Meter,
    /// How long a claim lasts, in seconds.
    pub lease: i64,
    /// Where people look at cases and approvals, for links.
    pub console: Option<String>,
}

impl App {
    /// Reads the configuration and, at the same time, fetches the secrets, reads the policy and opens the
    /// connection to the table.
    ///
    /// # Errors
    /// The first thing that is missing or wrong, with what to set.
    pub async fn from_env(env: &Env, clock: Clock) -> Result<Self> {
        let aws = Aws::from_env(env)?;
        let secrets = Secrets::new(aws.secrets_manager());
        let names = [env.required("STRIPE_READ_KEY_SECRET")?, env.required("SLACK_TOKEN_SECRET")?];
        let approvals = Queue::from_env(aws.sqs(), env, "APPROVAL_QUEUE_URL")?;
        let cases = Cases::new(aws.dynamodb(), env.required("CASES_TABLE")?);
        let (bundle, keys, around, ()) = join!(
            runtime::policy::from_env(env),
            secrets.get_all(&names),
            Around::from_env(env, &secrets, &clock),
            // Asked again by every turn.
            runtime::lambda::opened(Box::pin(cases.is_frozen())),
        );
        let (bundle, keys, around) = (bundle?, keys?, around?);
        let channels = channels(env, &bundle)?;
        // Boxed: the clients of three vendors make a large future.
        let advisor = Box::pin(advisor(env, &aws, &secrets, &bundle, &clock)).await?;
        let [read_key, slack_token] = keys.as_slice() else {
            anyhow::bail!("two secrets were asked for, {} came", keys.len());
        };
        let stripe_base = runtime::stripe::base(env)?;
        let slack_base = env.base("SLACK_API_BASE", "https://slack.com/api")?;
        let http = runtime::http::client(&[&stripe_base, &slack_base])?;
        Ok(Self {
            stripe: runtime::stripe::reader(env, http.clone(), read_key)?,
            cases,
            slack: Slack::new(http, slack_base.as_str(), slack_token.clone(), clock.clone()),
            issuers: Issuers::default(),
            around,
            advisor,
            channels,
            approvals,
            bundle,
            meter: Meter::from_env("processor", env, clock.clone())?,
            clock,
            lease: LEASE,
            console: env.optional("CONSOLE_URL").map(str::to_owned),
        })
    }

    /// A new run: nobody else has this id.
    pub fn new_run(&self) -> RunId {
        RunId::from_random(uuid::Uuid::new_v4().as_u128())
    }
}

/// The model that `MODEL` names, if the policy has one asked. A variable that is wrong stops the start; a secret that
/// cannot be read only costs the advice, since nothing depends on it.
async fn advisor(
    env: &Env,
    aws: &Aws,
    secrets: &Secrets,
    bundle: &Bundle,
    clock: &Clock,
) -> Result<Option<Model>, ConfigError> {
    let settings = bundle.settings().advice;
    if !settings.on {
        return Ok(None);
    }
    match Model::from_env(env, aws, secrets, clock.clone()).await {
        Ok(None) => {
            // The reconciler runs this code too and has none.
            tracing::info!("the policy has a model asked for advice, and `MODEL` names none");
            Ok(None)
        }
        Ok(model) => {
            Ok(model.map(|model| model.within(Duration::from_secs(settings.timeout_seconds.into()))))
        }
        Err(ConfigError::Secret(error)) => {
            tracing::error!(
                failure = failure::chain(&error),
                "no model is asked, since its key cannot be read"
            );
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Reads `SLACK_CHANNELS`: `billing-alerts=C0123,billing-risk=C0456`. The policy names channels by
/// what they are for, and each deployment says which conversations those are, by id, since Slack's
/// history takes nothing else.
fn channels(env: &Env, bundle: &Bundle) -> Result<BTreeMap<String, String>, EnvError> {
    let channels: BTreeMap<String, String> = env
        .required("SLACK_CHANNELS")?
        .split(',')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, id)| (name.trim().to_owned(), id.trim().to_owned()))
        .filter(|(name, id)| !name.is_empty() && !id.is_empty())
        .collect();
    match bundle.channels().into_iter().find(|name| !channels.contains_key(*name)) {
        Some(missing) => Err(EnvError::invalid(
            "SLACK_CHANNELS",
            format!("`{missing}=C…` as well, which the policy names"),
        )),
        None => Ok(channels),
    }
}
