//! Loading the policy bundle from its folder: a Lambda layer in an account, `infra/policy` on a
//! laptop.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Context as _, Result};
use domain::policy::Bundle;

use crate::Env;

/// The folders of a bundle that are read, besides its root. Anything else beside them (examples,
/// notes) is no part of what decides.
const FOLDERS: [&str; 2] = ["rules", "templates"];

/// Reads and checks the bundle in `POLICY_DIR` (`/opt/policy` unless set), on a thread of its own: while a function
/// initialises it has a second processor, and waits for its secrets.
///
/// # Errors
/// As [`load`].
pub async fn from_env(env: &Env) -> Result<Bundle> {
    let folder = env.optional("POLICY_DIR").unwrap_or("/opt/policy").to_owned();
    tokio::task::spawn_blocking(move || load(folder.as_ref())).await.context("the policy was not read")?
}

/// Reads and checks the bundle in `folder`.
///
/// # Errors
/// If a file cannot be read, or the bundle is not valid; both name the file.
pub fn load(folder: &Path) -> Result<Bundle> {
    Ok(Bundle::load(&files(folder)?)?)
}

/// The files of the bundle in `folder`, by path within it.
///
/// # Errors
/// If a file cannot be read.
pub fn files(folder: &Path) -> Result<BTreeMap<String, String>> {
    let mut files = BTreeMap::new();
    read(folder, "", &mut files).with_context(|| {
        format!("cannot read a policy bundle in `{}`; name a folder like `infra/policy`", folder.display())
    })?;
    for name in FOLDERS {
        let inner = folder.join(name);
        if inner.is_dir() {
            read(&inner, &format!("{name}/"), &mut files)
                .with_context(|| format!("cannot read the policy bundle in `{}`", inner.display()))?;
        }
    }
    Ok(files)
}

fn read(folder: &Path, prefix: &str, files: &mut BTreeMap<String, String>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if path.is_file() && !name.starts_with('.') {
            let text =
                fs::read_to_string(&path).with_context(|| format!("`{prefix}{name}` is not UTF-8 text"))?;
            files.insert(format!("{prefix}{name}"), text);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use domain::{classify::Bucket, decide::needs_playbook};

    use super::*;

    fn starter() -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../infra/policy")
    }

    #[test]
    fn the_starter_bundle_loads_and_has_a_playbook_for_everything_that_somebody_must_see() {
        let bundle = load(&starter()).unwrap();
        for bucket in Bucket::ALL {
            if needs_playbook(bucket) {
                for segment in &bundle.settings().segments {
                    assert!(bundle.playbook(bucket, &segment.name).is_some(), "{bucket} {}", segment.name);
                }
            }
        }
        assert!(bundle.approval("refund.create").is_some());
    }

    #[test]
    fn a_missing_folder_is_named() {
        let error = format!("{:#}", load(Path::new("/nowhere")).unwrap_err());
        assert!(error.contains("/nowhere") && error.contains("infra/policy"), "{error}");
    }
}
