//! The company's own application, which changes what a customer may use.

use anyhow::Result;
use domain::{
    Timestamp,
    approval::{Grant, Proposal},
};
use gated::access::{self, Access, Config, Outcome, Settings};
use runtime::{Secrets, failure, http::Base, secrets};

use super::Came;

/// The application and where the secret is that signs what is asked of it. The secret is read for each
/// change: there are few, and a replaced one counts at once.
pub(crate) struct Application {
    http: reqwest::Client,
    base: Base,
    secrets: Secrets,
    /// The secret's name.
    name: String,
}

impl Application {
    /// Reads the secret once, so that a deployment without it does not start.
    pub(crate) async fn new(config: Config, stored: Secrets) -> Result<Self> {
        let http = runtime::http::client_within(&[&config.base], access::TIMEOUT)?;
        let application = Self { http, base: config.base, secrets: stored, name: config.secret };
        application.client().await?;
        Ok(application)
    }

    /// Makes the change, once however often it is called for a grant.
    pub(super) async fn execute(&self, grant: &Grant, now: Timestamp) -> Came {
        match self.client().await {
            Ok(client) => client.execute(grant, now).await.into(),
            Err(error) => {
                tracing::warn!(
                    failure = failure::chain(error.as_ref()),
                    "a change of access could not be signed"
                );
                let why = "the secret that signs it could not be read".to_owned();
                Came::NotDone { word: "no_secret", why, may_retry: true }
            }
        }
    }

    /// Asks what became of a change.
    pub(super) async fn settle(&self, proposal: &Proposal, now: Timestamp) -> Result<Outcome> {
        Ok(self.client().await?.settle(proposal, now).await)
    }

    async fn client(&self) -> Result<Access> {
        let secrets = secrets::list(&self.name, &self.secrets.get(&self.name).await?)?;
        let settings = Settings { base: self.base.clone(), secrets, timeout: access::TIMEOUT };
        Ok(Access::new(self.http.clone(), settings))
    }
}
