//! The writer, whose Stripe key can be replaced while the function runs.

use anyhow::{Context as _, Result};
use domain::approval::Grant;
use gated::stripe::{NotDone, Outcome, Settings, Writer};
use runtime::{Secrets, failure};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::Mutex;

/// The writer and where its key is.
pub(crate) struct Writing {
    http: reqwest::Client,
    settings: Settings,
    secrets: Secrets,
    /// The secret's name.
    name: String,
    /// The key that is in use, and the writer that has it.
    current: Mutex<(SecretString, Writer)>,
}

impl Writing {
    pub(crate) fn new(
        http: reqwest::Client,
        settings: Settings,
        secrets: Secrets,
        name: &str,
        key: SecretString,
    ) -> Self {
        let writer = Writer::new(http.clone(), settings.clone());
        Self { http, settings, secrets, name: name.to_owned(), current: Mutex::new((key, writer)) }
    }

    /// Makes the one call. If Stripe refuses the key and another one is stored by now, it is made once more
    /// with that one, under the same idempotency key: a refused key did nothing.
    pub(crate) async fn execute(&self, grant: &Grant) -> Outcome {
        let writer = self.current.lock().await.1.clone();
        let outcome = writer.execute(grant).await;
        if !matches!(outcome, Outcome::NotDone(NotDone::KeyRefused { .. })) {
            return outcome;
        }
        match self.renewed().await {
            Ok(Some(writer)) => writer.execute(grant).await,
            Ok(None) => outcome,
            Err(error) => {
                let failure = failure::chain(error.as_ref());
                tracing::warn!(failure, "Stripe refused the write key, and it could not be read again");
                outcome
            }
        }
    }

    /// A writer with the stored key, if that is another one.
    async fn renewed(&self) -> Result<Option<Writer>> {
        let stored = self.secrets.get(&self.name).await?;
        let mut current = self.current.lock().await;
        if stored.expose_secret() == current.0.expose_secret() {
            return Ok(None);
        }
        let key = stripe::ApiKey::new(&stored).context("the stored write key is no Stripe key")?;
        anyhow::ensure!(key.mode() == self.settings.key.mode(), "the stored write key is of the other mode");
        let writer = Writer::new(self.http.clone(), Settings { key, ..self.settings.clone() });
        tracing::info!("the write key was replaced");
        *current = (stored, writer.clone());
        Ok(Some(writer))
    }
}
