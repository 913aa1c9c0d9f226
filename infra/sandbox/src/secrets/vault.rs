//! Secrets, their versions and staging labels. Pure: time (milliseconds since the epoch) and new ids
//! are passed in. Nothing here is `Debug`, so that no value gets into a log.
//!
//! Source: <https://docs.aws.amazon.com/secretsmanager/latest/userguide/whats-in-a-secret.html>.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::refused::Refused;

const CURRENT: &str = "AWSCURRENT";
const PREVIOUS: &str = "AWSPREVIOUS";
const ARN: &str = "arn:aws:secretsmanager:us-east-1:000000000000:secret:";

/// All secrets by name.
#[derive(Default)]
pub(super) struct Vault {
    pub(super) secrets: BTreeMap<String, Secret>,
}

/// One secret.
#[derive(Clone, Deserialize, PartialEq, Serialize)]
pub(super) struct Secret {
    pub(super) name: String,
    pub(super) arn: String,
    pub(super) description: Option<String>,
    pub(super) created_at: i64,
    pub(super) changed_at: i64,
    /// When it was marked for deletion and when it is gone.
    pub(super) deleted: Option<(i64, i64)>,
    pub(super) versions: BTreeMap<String, Version>,
}

/// One version of a secret.
#[derive(Clone, Deserialize, PartialEq, Serialize)]
pub(super) struct Version {
    pub(super) value: Payload,
    pub(super) stages: Vec<String>,
    pub(super) created_at: i64,
}

/// A secret's value, as it goes over the wire.
#[derive(Clone, Deserialize, Eq, PartialEq, Serialize)]
pub(super) enum Payload {
    #[serde(rename = "SecretString")]
    Text(String),
    /// Base64.
    #[serde(rename = "SecretBinary")]
    Bytes(String),
}

impl Vault {
    /// Creates a secret. The same request again (by its version's id) changes nothing.
    pub(super) fn create(
        &mut self,
        name: &str,
        version: &str,
        value: Payload,
        now: i64,
    ) -> Result<&mut Secret, Refused> {
        self.forget(now);
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"/_+=.@-".contains(&byte);
        if !(1..=512).contains(&name.len()) || !name.bytes().all(allowed) {
            return Err(Refused::Parameter("a name has 1 to 512 letters, digits and any of /_+=.@-"));
        }
        if let Some(secret) = self.secrets.get(name) {
            secret.check_alive()?;
            if secret.versions.get(version).is_none_or(|known| known.value != value) {
                return Err(Refused::Exists);
            }
        }
        let secret = self.secrets.entry(name.to_owned()).or_insert_with(|| {
            // Six characters that tell it from an earlier secret of this name, as AWS appends them.
            let suffix: String = version.chars().filter(char::is_ascii_alphanumeric).take(6).collect();
            Secret {
                name: name.to_owned(),
                arn: format!("{ARN}{name}-{suffix}"),
                description: None,
                created_at: now,
                changed_at: now,
                deleted: None,
                versions: BTreeMap::new(),
            }
        });
        secret.put(version, value, &[], now)?;
        Ok(secret)
    }

    /// The secret that a name, an ARN, or an ARN without its last six characters means.
    pub(super) fn find(&mut self, id: &str, now: i64) -> Result<&mut Secret, Refused> {
        self.forget(now);
        let named = |secret: &Secret| {
            secret.name == id
                || secret.arn == id
                || id.strip_prefix(ARN).is_some_and(|name| name == secret.name)
        };
        self.secrets.values_mut().find(|secret| named(secret)).ok_or(Refused::NoSecret)
    }

    /// The secret `id`, unless it is marked for deletion.
    pub(super) fn alive(&mut self, id: &str, now: i64) -> Result<&mut Secret, Refused> {
        let secret = self.find(id, now)?;
        secret.check_alive()?;
        Ok(secret)
    }

    /// Drops secrets whose recovery window is over.
    fn forget(&mut self, now: i64) {
        self.secrets.retain(|_, secret| secret.deleted.is_none_or(|(_, gone)| now < gone));
    }
}

impl Secret {
    /// Puts a version with staging labels, by default `AWSCURRENT`. The same version again changes
    /// nothing; with another value it is refused.
    pub(super) fn put(
        &mut self,
        id: &str,
        value: Payload,
        stages: &[String],
        now: i64,
    ) -> Result<(), Refused> {
        if !(32..=64).contains(&id.len()) {
            return Err(Refused::Parameter("ClientRequestToken must have 32 to 64 characters"));
        }
        if let Some(known) = self.versions.get(id) {
            return if known.value == value { Ok(()) } else { Err(Refused::VersionExists) };
        }
        self.versions.insert(id.to_owned(), Version { value, stages: Vec::new(), created_at: now });
        let current = [CURRENT.to_owned()];
        for stage in if stages.is_empty() { &current } else { stages } {
            self.label(stage, Some(id));
        }
        self.changed_at = now;
        Ok(())
    }

    /// The version with an id, or a label, or both; without either the current one.
    pub(super) fn version(&self, id: Option<&str>, stage: Option<&str>) -> Result<(&str, &Version), Refused> {
        let stage = stage.or(if id.is_none() { Some(CURRENT) } else { None });
        let fits = |(key, version): &(&String, &Version)| {
            id.is_none_or(|id| id == *key)
                && stage.is_none_or(|stage| version.stages.iter().any(|label| label == stage))
        };
        let found = self.versions.iter().find(fits).ok_or(Refused::NoVersion)?;
        Ok((found.0, found.1))
    }

    /// Moves a label. Where it is now must be said, so that two movers do not undo each other.
    pub(super) fn move_label(
        &mut self,
        stage: &str,
        from: Option<&str>,
        to: Option<&str>,
        now: i64,
    ) -> Result<(), Refused> {
        if [from, to].into_iter().flatten().any(|id| !self.versions.contains_key(id)) {
            return Err(Refused::NoVersion);
        }
        let holder =
            self.versions.iter().find(|(_, version)| version.stages.iter().any(|label| label == stage));
        let holder = holder.map(|(id, _)| id.as_str());
        if holder != from && holder != to {
            return Err(Refused::Parameter("RemoveFromVersionId is not the version that has the label"));
        }
        if stage == CURRENT && to.is_none() {
            return Err(Refused::Parameter("AWSCURRENT can be moved, not removed"));
        }
        if holder != to {
            self.label(stage, to);
            self.changed_at = now;
        }
        Ok(())
    }

    /// Marks it for deletion after `days`, or at once.
    pub(super) fn delete(&mut self, days: i64, now: i64) -> Result<i64, Refused> {
        self.check_alive()?;
        let gone = now + days * 86_400_000;
        self.deleted = Some((now, gone));
        Ok(gone)
    }

    /// Puts a label on version `to` and takes it off the others. What loses `AWSCURRENT` gets
    /// `AWSPREVIOUS`.
    fn label(&mut self, stage: &str, to: Option<&str>) {
        let mut lost = None;
        for (id, version) in &mut self.versions {
            if version.stages.iter().any(|label| label == stage) {
                version.stages.retain(|label| label != stage);
                lost = Some(id.clone());
            }
        }
        if let Some(version) = to.and_then(|to| self.versions.get_mut(to)) {
            version.stages.push(stage.to_owned());
        }
        if let Some(lost) = lost.filter(|lost| stage == CURRENT && to != Some(lost)) {
            self.label(PREVIOUS, Some(&lost));
        }
    }

    fn check_alive(&self) -> Result<(), Refused> {
        if self.deleted.is_some() { Err(Refused::Deleted) } else { Ok(()) }
    }
}
