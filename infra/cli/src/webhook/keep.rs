//! Where signing secrets are kept: several of them while one is rolled, the newest first.

use std::{
    fs::{self, OpenOptions},
    io::{ErrorKind, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use runtime::{
    Env, Secrets,
    aws::Aws,
    secrets::{SecretError, list},
};
use secrecy::{ExposeSecret, SecretString};

use crate::args::Kept;

/// A place for secrets.
pub(super) enum Keep {
    /// A secret of Secrets Manager, which ingress reads.
    Stored(Secrets, String),
    /// A file that only its owner may read.
    File(PathBuf),
}

impl Kept {
    /// The place that is named, if one is.
    pub(super) fn keep(&self, env: &Env) -> Result<Option<Keep>> {
        Ok(match (&self.secret, &self.secret_file) {
            (Some(name), _) => {
                let aws = Aws::from_env(env).context("AWS credentials are read from the environment")?;
                Some(Keep::Stored(Secrets::new(aws.secrets_manager()), name.clone()))
            }
            (None, Some(file)) => Some(Keep::File(file.clone())),
            (None, None) => None,
        })
    }
}

impl Keep {
    /// Its name, for people.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Stored(_, name) => format!("the secret `{name}`"),
            Self::File(path) => format!("the file `{}`", path.display()),
        }
    }

    /// What is kept. A secret that was created without a value, as the template does, has none.
    pub(super) async fn secrets(&self) -> Result<Vec<SecretString>> {
        let (name, text) = match self {
            Self::Stored(stored, name) => match stored.get(name).await {
                Ok(text) => (name.clone(), text),
                Err(SecretError::Absent { .. } | SecretError::Blank { .. }) => return Ok(Vec::new()),
                Err(error) => return Err(error.into()),
            },
            Self::File(path) => match fs::read_to_string(path) {
                Ok(text) if text.trim().is_empty() => return Ok(Vec::new()),
                Ok(text) => (path.display().to_string(), SecretString::from(text)),
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
                Err(error) => return Err(error).with_context(|| format!("cannot read {}", self.name())),
            },
        };
        Ok(list(&name, &text)?)
    }

    /// Keeps these in the place of what was there.
    pub(super) async fn put(&self, secrets: &[SecretString]) -> Result<()> {
        let lines: Vec<&str> = secrets.iter().map(ExposeSecret::expose_secret).collect();
        let text = SecretString::from(lines.join("\n"));
        match self {
            Self::Stored(stored, name) => {
                // What is stored is what ingress will read, so it has to be readable to it.
                list(name, &text)?;
                stored.put(name, &text).await.with_context(|| {
                    format!(
                        "{} was not replaced; it must exist, as the stack creates it, and you must be allowed to \
                         write it. Run the same command again, which goes on",
                        self.name()
                    )
                })
            }
            Self::File(path) => {
                write(path, text.expose_secret()).with_context(|| format!("cannot write {}", self.name()))
            }
        }
    }
}

/// Replaces a file as a whole, so that nobody reads half of it.
fn write(path: &Path, text: &str) -> std::io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    // One that a broken run left could be anybody's to read.
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
    file.write_all(text.as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()?;
    fs::rename(&beside, path)
}
