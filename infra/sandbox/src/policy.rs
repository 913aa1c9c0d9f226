//! The policy of the pretend company: a bundle as its reviewers would have changed it, since it has the
//! systems around Stripe and the starter bundle must not ask for any.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use uuid::Uuid;

/// The systems of which the sandbox has a stand-in, as `sources` in a bundle's `settings.toml` names them.
pub const SOURCES: [&str; 3] = ["crm", "help_desk", "application"];

const SETTINGS: &str = "settings.toml";

/// A changed copy of a bundle, in a folder that goes away with it.
#[derive(Debug)]
pub struct Policy(PathBuf);

impl Policy {
    /// The bundle in `starter`, with decisions that rely on [`SOURCES`].
    ///
    /// # Errors
    /// If the bundle cannot be read or copied, or its settings have no line `sources = [...]`.
    pub fn relying(starter: &Path) -> Result<Self> {
        let copy = Self(std::env::temp_dir().join(format!("countersign-policy-{}", Uuid::new_v4())));
        copy_folder(starter, &copy.0).with_context(|| format!("cannot copy `{}`", starter.display()))?;
        let settings = copy.0.join(SETTINGS);
        let text = fs::read_to_string(&settings)?;
        let line = |line: &&str| line.starts_with("sources = [") && line.ends_with(']');
        let Some(old) = text.lines().find(line) else {
            bail!("`{SETTINGS}` in `{}` has no line `sources = [...]`", starter.display());
        };
        fs::write(&settings, text.replacen(old, &format!("sources = {SOURCES:?}"), 1))?;
        Ok(copy)
    }

    /// Where it is.
    pub fn folder(&self) -> &Path {
        &self.0
    }
}

impl Drop for Policy {
    fn drop(&mut self) {
        // What is left is a copy in the system's folder for such.
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn copy_folder(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &to)?;
        } else {
            fs::copy(entry.path(), to)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn starter() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../policy")
    }

    #[test]
    fn the_copy_relies_on_the_systems_and_differs_in_nothing_else() {
        let policy = Policy::relying(&starter()).unwrap();
        let (before, after) =
            (runtime::policy::files(&starter()).unwrap(), runtime::policy::files(policy.folder()).unwrap());
        for (name, text) in &before {
            let lines = text.lines().zip(after[name].lines());
            let changed: Vec<_> = lines.filter(|(before, after)| before != after).collect();
            let expected = [("sources = []", "sources = [\"crm\", \"help_desk\", \"application\"]")];
            assert_eq!(changed, if name == SETTINGS { &expected[..] } else { &[] }, "{name}");
        }
        assert_eq!(before.len(), after.len());
        assert!(runtime::policy::load(policy.folder()).is_ok());
        let folder = policy.folder().to_owned();
        drop(policy);
        assert!(!folder.exists());
    }

    #[test]
    fn a_bundle_without_the_line_is_named() {
        let refused = format!("{:#}", Policy::relying(Path::new("/nowhere")).unwrap_err());
        assert!(refused.contains("/nowhere"), "{refused}");
    }
}
