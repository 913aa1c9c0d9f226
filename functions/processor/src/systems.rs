//! The systems around Stripe that this deployment has: what they tell of a customer, and how work lands
//! in them.

use std::{future::Future, time::Duration};

use anyhow::Result;
use connectors::{
    ConnectorError, Verdict,
    application::{self, CustomerContext},
    crm::Crm,
    failure::Cause,
    help_desk::{HelpDesk, Ticket},
};
use domain::{
    CustomerId, Timestamp,
    context::{Account, Application, Context, Conversations, Part, Systems},
    plan::{Step, StepKind},
};
use runtime::{Clock, Env, Metrics, Secrets};
use tokio::{join, time::timeout};

use crate::dispatch::Sent;

/// What stands around a customer must be read within this time, or it counts as missing.
const ENRICHMENT: Duration = Duration::from_secs(12);

/// The configured systems. None is required: what is not there tells nothing and takes no work.
#[derive(Default)]
pub struct Around {
    /// The CRM.
    pub crm: Option<Crm>,
    /// The help desk.
    pub help_desk: Option<HelpDesk>,
    /// The business's own application.
    pub application: Option<CustomerContext>,
}

impl Around {
    /// Reads which systems there are, and fetches their secrets at the same time.
    ///
    /// # Errors
    /// The first setting or secret that is missing or wrong.
    pub async fn from_env(env: &Env, secrets: &Secrets, clock: &Clock) -> Result<Self> {
        let (crm, help_desk, application) = join!(
            Crm::from_env(env, secrets, clock.clone()),
            HelpDesk::from_env(env, secrets, clock.clone()),
            application(env, secrets, clock),
        );
        Ok(Self { crm: crm?, help_desk: help_desk?, application: application? })
    }

    /// What there is to write to.
    pub(crate) const fn systems(&self) -> Systems {
        Systems { crm: self.crm.is_some(), help_desk: self.help_desk.is_some() }
    }

    /// Asks all of them side by side what they know of the customer. A slow or broken one costs its own
    /// part and nothing else.
    pub(crate) async fn read(
        &self,
        context: &Context,
        metrics: &Metrics,
    ) -> (Part<Account>, Part<Conversations>, Part<Application>) {
        let Some(customer) = &context.customer else {
            return (Part::not_asked(), Part::not_asked(), Part::not_asked());
        };
        let at = context.at;
        let email = context.profile.known().and_then(|profile| profile.email.as_deref());
        join!(
            self.account(customer, at, metrics),
            self.conversations(customer, email, at, metrics),
            self.application(customer, at, metrics),
        )
    }

    /// A customer without a record in the CRM is a customer without a record, and no failure.
    async fn account(&self, customer: &CustomerId, at: Timestamp, metrics: &Metrics) -> Part<Account> {
        let Some(crm) = &self.crm else { return not_configured() };
        let read = async { Ok(crm.account(customer).await?.unwrap_or_default()) };
        part("crm", at, metrics, read).await
    }

    async fn conversations(
        &self,
        customer: &CustomerId,
        email: Option<&str>,
        at: Timestamp,
        metrics: &Metrics,
    ) -> Part<Conversations> {
        let Some(desk) = &self.help_desk else { return not_configured() };
        part("help_desk", at, metrics, desk.conversations(customer, email, at)).await
    }

    /// A customer whom the application does not know has no orders and no access.
    async fn application(
        &self,
        customer: &CustomerId,
        at: Timestamp,
        metrics: &Metrics,
    ) -> Part<Application> {
        let Some(application) = &self.application else { return not_configured() };
        let read = async {
            match application.read(customer).await {
                Err(ConnectorError { cause: Cause::NotFound(_), .. }) => Ok(Application::default()),
                answer => answer,
            }
        };
        part("application", at, metrics, read).await
    }

    /// Sends a step to the system that it is for. `tried_since` is when it was planned, if an earlier run
    /// may have sent it.
    pub(crate) async fn land(&self, step: &Step, tried_since: Option<Timestamp>) -> Sent {
        let unknown = || Sent::Failed("whose record this belongs to is not known".into());
        let sent = match (&step.kind, &self.crm, &self.help_desk) {
            (StepKind::Task(task), Some(crm), _) => match &step.customer {
                Some(customer) => crm.put_task(&step.key, customer, task).await,
                None => return unknown(),
            },
            (StepKind::Note { text }, Some(crm), _) => match &step.customer {
                Some(customer) => crm.put_note(&step.key, customer, text).await,
                None => return unknown(),
            },
            (StepKind::PaymentStatus(status), Some(crm), _) => match &step.customer {
                Some(customer) => crm.put_payment_status(customer, status).await,
                None => return unknown(),
            },
            (StepKind::Ticket { subject, text, priority }, _, Some(desk)) => {
                let (key, case, customer) = (&step.key, &step.case, step.customer.as_ref());
                let priority = *priority;
                desk.put_ticket(&Ticket { key, case, customer, subject, text, priority, tried_since }).await
            }
            (StepKind::Reply { conversation, draft }, _, Some(desk)) => {
                desk.put_reply_draft(&step.key, conversation, draft).await
            }
            (kind, _, _) => {
                return Sent::Failed(format!("no system is configured that takes a `{}`", kind.name()));
            }
        };
        match sent {
            Ok(id) => Sent::Done(id),
            Err(error) if error.verdict() == Verdict::GiveUp => Sent::Failed(error.explain()),
            Err(error) => Sent::Later { why: runtime::failure::chain(&error), after: error.retry_after() },
        }
    }
}

async fn application(env: &Env, secrets: &Secrets, clock: &Clock) -> Result<Option<CustomerContext>> {
    let Some(config) = application::Config::from_env(env)? else { return Ok(None) };
    let signing = runtime::secrets::list(&config.secret, &secrets.get(&config.secret).await?)?;
    let http = runtime::http::client(&[&config.base])?;
    Ok(Some(CustomerContext::new(http, config.base, signing, clock.clone())))
}

fn not_configured<T>() -> Part<T> {
    Part::Missing { why: "not_configured".into() }
}

async fn part<T>(
    source: &'static str,
    read: Timestamp,
    metrics: &Metrics,
    answer: impl Future<Output = Result<T, ConnectorError>>,
) -> Part<T> {
    let (why, failure) = match timeout(ENRICHMENT, answer).await {
        Ok(Ok(value)) => return Part::Known { value, read },
        Ok(Err(error)) => ("refused", runtime::failure::chain(&error)),
        Err(_) => ("timed_out", "no answer in time".to_owned()),
    };
    metrics.count("enrichment_failed", 1);
    metrics.count_by("enrichment_failed", source, 1);
    tracing::warn!(source, failure, "a part of the context is missing");
    Part::Missing { why: why.into() }
}
