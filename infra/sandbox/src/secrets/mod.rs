//! A stand-in for AWS Secrets Manager over the AWS JSON protocol. Every change is on the shelf before
//! it is answered.
//!
//! Not modelled: rotation (refused, as where no function is set), replication, resource policies,
//! tags, encryption. Signatures are not checked.

mod refused;
mod vault;
mod wire;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::{Result, anyhow};
use axum::{Router, routing::post};

use self::{
    refused::Refused,
    vault::{Payload, Secret, Vault},
};
use crate::{Clock, Shelf};

const SPACE: &str = "secrets";

/// The secrets of one account.
pub struct Secrets {
    vault: Mutex<Vault>,
    shelf: Shelf,
    clock: Clock,
}

impl Secrets {
    /// The secrets on `shelf`, with time from `clock`.
    ///
    /// # Errors
    /// If the shelf cannot be read.
    pub fn open(shelf: Shelf, clock: Clock) -> Result<Arc<Self>> {
        let secrets = shelf.all::<Secret>(SPACE)?.into_iter().collect();
        Ok(Arc::new(Self { vault: Mutex::new(Vault { secrets }), shelf, clock }))
    }

    /// The service over HTTP. Clients set its address as their endpoint.
    pub fn router(self: Arc<Self>) -> Router {
        Router::new().route("/", post(wire::handle)).with_state(self)
    }

    /// Makes `value` the current version of `name`, creating the secret if it is not there.
    ///
    /// # Errors
    /// If the name has other characters than a secret's name may, if the secret is marked for
    /// deletion, or if the disk refuses.
    pub fn put(&self, name: &str, value: &str) -> Result<()> {
        let (id, value) = (new_id(), Payload::Text(value.to_owned()));
        self.step(|vault, now| match vault.alive(name, now) {
            Ok(secret) => secret.put(&id, value, &[], now).map(|()| secret.name.clone()),
            Err(Refused::NoSecret) => vault.create(name, &id, value, now).map(|secret| secret.name.clone()),
            Err(refused) => Err(refused),
        })
        .map(drop)
        .map_err(|refused| anyhow!("cannot put secret `{name}`: {refused}"))
    }

    /// Like [`Self::put`], unless the secret is there: whoever changed it since keeps their value.
    ///
    /// # Errors
    /// As there.
    pub fn put_new(&self, name: &str, value: &str) -> Result<()> {
        let known = self.step(|vault, now| Ok(vault.alive(name, now).is_ok()));
        if matches!(known, Ok(true)) { Ok(()) } else { self.put(name, value) }
    }

    /// One step on the vault. What changed is saved before anybody knows the outcome; a refused
    /// step changes nothing.
    fn step<T>(&self, step: impl FnOnce(&mut Vault, i64) -> Result<T, Refused>) -> Result<T, Refused> {
        let mut vault = self.vault.lock().unwrap_or_else(PoisonError::into_inner);
        let before = vault.secrets.clone();
        let outcome = step(&mut vault, self.clock.millis()).and_then(|outcome| {
            self.save(&before, &vault).map_err(|error| {
                tracing::error!(error = format!("{error:#}"), "the secrets cannot be saved");
                Refused::Unsaved
            })?;
            Ok(outcome)
        });
        if outcome.is_err() {
            vault.secrets = before;
        }
        outcome
    }

    fn save(&self, before: &BTreeMap<String, Secret>, vault: &Vault) -> Result<()> {
        let mut rows = Vec::new();
        for (name, secret) in &vault.secrets {
            if before.get(name) != Some(secret) {
                rows.push((SPACE, name.as_str(), Some(serde_json::to_value(secret)?)));
            }
        }
        let gone = before.keys().filter(|name| !vault.secrets.contains_key(*name));
        rows.extend(gone.map(|name| (SPACE, name.as_str(), None)));
        if rows.is_empty() { Ok(()) } else { self.shelf.put_all(&rows) }
    }
}

fn new_id() -> String {
    uuid::Uuid::new_v4().to_string()
}
