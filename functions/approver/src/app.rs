//! What the function holds between invocations.

use std::{collections::BTreeSet, time::Duration};

use anyhow::{Context as _, Result, bail, ensure};
use connectors::slack::Slack;
use domain::{AccountId, PersonId, approval::RelyingParty, policy::Bundle, snapshot::Read};
use gated::{access, mail, mail::Mail, stripe::Settings};
use runtime::{Clock, Env, EnvError, Meter, Secrets, aws::Aws};
use secrecy::SecretString;
use store::{Approvals, Cases};
use tokio::join;

use crate::{
    Checkpoints,
    effects::{Application, Effects, Writing},
    keyring::Keyring,
    notary,
    oidc::Oidc,
};

/// How long a run may hold an execution, in seconds: longer than the function's time-out (29 s), so
/// that a run that is still alive never loses its hold.
pub(crate) const LEASE: i64 = 60;

/// How long a link is good, in seconds.
pub(crate) const LINK_LIFE: i64 = 3600;

/// How long one write may take, in seconds: with all that comes before it within the function's time-out.
const WRITE: Duration = Duration::from_secs(12);

/// Who the agent is in a proposal: nobody can sign in as it.
pub(crate) const AGENT: &str = "agent";

/// The function's dependencies.
pub struct App {
    pub(crate) clock: Clock,
    /// Figures.
    pub meter: Meter,
    /// What links are good for.
    pub(crate) audience: String,
    /// `https://host`: where people reach this function, and the only origin that may post to it.
    pub(crate) origin: String,
    /// The same, as passkeys know it.
    pub(crate) party: RelyingParty,
    pub(crate) agent: PersonId,
    /// The processor's requests; read only.
    pub(crate) cases: Cases,
    pub(crate) approvals: Approvals,
    pub(crate) stripe: stripe::Client,
    pub(crate) account: AccountId,
    /// Connected accounts that may be written to.
    pub(crate) connected: BTreeSet<AccountId>,
    /// Where signed actions are done.
    pub(crate) effects: Effects,
    pub(crate) slack: Slack,
    /// The conversation that hears of outcomes.
    pub(crate) channel: String,
    pub(crate) bundle: Bundle,
    pub(crate) keyring: Keyring,
    pub(crate) oidc: Oidc,
    pub(crate) checkpoints: Checkpoints,
    /// How old an entry is before a checkpoint is signed over it, in seconds.
    pub(crate) checkpoint_lag: i64,
}

impl App {
    /// Reads the configuration and, at the same time, fetches the secrets, reads the policy and opens the
    /// connection to the table; then, unless `STRIPE_ACCOUNT` says it, asks Stripe which account the read key
    /// belongs to.
    ///
    /// # Errors
    /// The first thing that is missing or wrong, with what to set.
    pub async fn from_env(env: &Env, clock: Clock) -> Result<Self> {
        let aws = Aws::from_env(env)?;
        let names = Names::from_env(env)?;
        let stored = Secrets::new(aws.secrets_manager());
        let dynamodb = aws.dynamodb();
        let approvals = Approvals::new(dynamodb.clone(), env.required("APPROVALS_TABLE")?);
        let (bundle, values, ()) = join!(
            runtime::policy::from_env(env),
            stored.get_all(names.0),
            // Asked again before every effect.
            runtime::lambda::opened(Box::pin(approvals.frozen())),
        );
        let (bundle, values) = (bundle?, values?);
        let Ok([read, write, link, receipt, session, oidc, slack]) = <[SecretString; 7]>::try_from(values)
        else {
            bail!("seven secrets were asked for, another number came");
        };
        let keyring = Keyring::new(stored.clone(), Keyring::names(env)?, &[link, receipt, session], clock())?;
        let [_, write_name, ..] = names.0;

        let stripe_base = runtime::stripe::base(env)?;
        let slack_base = env.base("SLACK_API_BASE", "https://slack.com/api")?;
        let issuer_base = env.base("OIDC_ISSUER", "https://slack.com")?;
        let http = runtime::http::client(&[&stripe_base, &slack_base])?;
        let stripe = runtime::stripe::reader(env, http.clone(), &read)?;
        let write_key = stripe::ApiKey::new(&write)
            .context("the secret in `STRIPE_WRITE_KEY_SECRET` is no Stripe key")?;
        ensure!(
            write_key.mode() == stripe.mode(),
            "one Stripe key is for live mode and one for test mode; store two keys of one mode"
        );
        let account = account(env, &stripe).await?;
        let connected = connected(env)?;
        let settings = Settings {
            base: stripe::Base::new(stripe_base.as_str())?,
            key: write_key,
            account: account.clone(),
            connected: connected.clone(),
            timeout: WRITE,
        };
        let application = match access::Config::from_env(env)? {
            Some(config) => Some(Application::new(config, stored.clone()).await?),
            None => None,
        };
        let effects = Effects {
            stripe: Writing::new(http.clone(), settings, stored, write_name, write),
            mail: mail::Config::from_env(env)?.map(|config| Mail::new(&aws, config)),
            application,
            account: account.clone(),
        };
        let origin = origin(env)?;
        Ok(Self {
            meter: Meter::from_env("approver", env, clock.clone())?,
            audience: env.required("DEPLOYMENT")?.to_owned(),
            agent: PersonId::parse(AGENT).context("the agent has no usable id")?,
            cases: Cases::new(dynamodb, env.required("CASES_TABLE")?),
            approvals,
            stripe,
            account,
            connected,
            effects,
            slack: Slack::new(http, slack_base.as_str(), slack, clock.clone()),
            channel: channel(env),
            bundle,
            keyring,
            oidc: Oidc::new(env, &issuer_base, oidc, &origin)?,
            party: RelyingParty::of(&origin).context("`PUBLIC_URL` names no host")?,
            origin,
            clock,
            checkpoints: Checkpoints::default(),
            checkpoint_lag: checkpoint_lag(env)?,
        })
    }

    /// The same function, dying where a test says.
    #[must_use]
    pub fn with_checkpoints(mut self, checkpoints: Checkpoints) -> Self {
        self.checkpoints = checkpoints;
        self
    }

    /// The table of approvals, for whoever sets up a registry or reads the trail.
    pub const fn approvals(&self) -> &Approvals {
        &self.approvals
    }
}

/// The names of the secrets, in the order in which they are read.
struct Names<'a>([&'a str; 7]);

impl<'a> Names<'a> {
    fn from_env(env: &'a Env) -> Result<Self, EnvError> {
        let [links, receipts, sessions] = Keyring::names(env)?;
        Ok(Self([
            env.required("STRIPE_READ_KEY_SECRET")?,
            env.required("STRIPE_WRITE_KEY_SECRET")?,
            links,
            receipts,
            sessions,
            env.required("OIDC_CLIENT_SECRET_SECRET")?,
            env.required("SLACK_TOKEN_SECRET")?,
        ]))
    }
}

/// The account that the keys belong to. A restricted key need not be allowed to ask.
async fn account(env: &Env, stripe: &stripe::Client) -> Result<AccountId> {
    const NAME: &str = "STRIPE_ACCOUNT";
    if let Some(id) = env.optional(NAME) {
        return Ok(AccountId::parse(id).map_err(|_| EnvError::invalid(NAME, "an account's id (acct_…)"))?);
    }
    let asked = stripe.account().await.with_context(|| {
        format!(
            "could not ask Stripe for the account; set `{NAME}` to its id (acct_…), or let the read key ask"
        )
    })?;
    match asked.value {
        Read::Found(account) => Ok(account.id),
        Read::Gone => bail!("the Stripe read key belongs to no account; check the stored secret"),
    }
}

/// The connected accounts of `STRIPE_CONNECTED_ACCOUNTS`, separated by commas; none unless set.
fn connected(env: &Env) -> Result<BTreeSet<AccountId>, EnvError> {
    const NAME: &str = "STRIPE_CONNECTED_ACCOUNTS";
    let ids = env.optional(NAME).unwrap_or_default().split(',').map(str::trim).filter(|id| !id.is_empty());
    ids.map(|id| {
        AccountId::parse(id).map_err(|_| EnvError::invalid(NAME, "ids of accounts (acct_…) and commas"))
    })
    .collect()
}

/// Where people reach this function: an origin and nothing more, since cookies and the check of
/// `Origin` are for the whole host.
fn origin(env: &Env) -> Result<String, EnvError> {
    const NAME: &str = "PUBLIC_URL";
    let base = env.base(NAME, env.required(NAME)?)?;
    let path = base.as_str().split_once("://").is_some_and(|(_, rest)| rest.contains('/'));
    if path {
        Err(EnvError::invalid(NAME, "an address without a path"))
    } else {
        Ok(base.as_str().to_owned())
    }
}

/// The conversation of `ALERTS_CHANNEL` (`billing-alerts` unless set): its id in `SLACK_CHANNELS`
/// (`billing-alerts=C0123,…`), else the name itself.
fn channel(env: &Env) -> String {
    let name = env.optional("ALERTS_CHANNEL").unwrap_or("billing-alerts");
    let pairs = env.optional("SLACK_CHANNELS").unwrap_or_default();
    let mut ids = pairs.split(',').filter_map(|pair| pair.split_once('='));
    ids.find(|(known, _)| known.trim() == name).map_or(name, |(_, id)| id.trim()).to_owned()
}

/// `CHECKPOINT_LAG_SECONDS`; [`notary::LAG`] unless set.
fn checkpoint_lag(env: &Env) -> Result<i64, EnvError> {
    const LAG: &str = "CHECKPOINT_LAG_SECONDS";
    let Some(text) = env.optional(LAG) else { return Ok(notary::LAG) };
    let lag = text.parse().ok().filter(|lag| (0..=3600).contains(lag));
    lag.ok_or_else(|| EnvError::invalid(LAG, "seconds from 0 to 3600"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_public_address_is_an_origin() {
        let read = |url| origin(&Env::from([("PUBLIC_URL", url)]));
        assert_eq!(read("https://approve.example.test/").unwrap(), "https://approve.example.test");
        assert_eq!(read("http://localhost:8400").unwrap(), "http://localhost:8400");
        for bad in ["https://example.test/approve", "http://example.test", ""] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_channel_is_its_id_where_the_deployment_says_so() {
        let read = |pairs: &str| channel(&Env::from([("SLACK_CHANNELS", pairs)]));
        assert_eq!(read("billing-risk=C1, billing-alerts=C2"), "C2");
        assert_eq!(read("billing-risk=C1"), "billing-alerts");
    }
}
