//! The policy of the pretend company: a bundle as its reviewers would have changed it, since it has the
//! systems around Stripe and mail, and the starter bundle must not ask for any.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail, ensure};
use uuid::Uuid;

/// The systems of which the sandbox has a stand-in, as `sources` in a bundle's `settings.toml` names them.
pub const SOURCES: [&str; 3] = ["crm", "help_desk", "application"];

const SETTINGS: &str = "settings.toml";

/// Drafts to customers are put before the approvers.
const MESSAGES: &str = "\"message.send\" = \"approve\"";
/// Where that is said.
const GATED: &str = "[autonomy.gated]";

/// A language model is asked for advice.
const ADVICE: [&str; 2] = ["[advice]\non = false", "[advice]\non = true"];

/// A changed copy of a bundle, in a folder that goes away with it.
#[derive(Debug)]
pub struct Policy(PathBuf);

impl Policy {
    /// The bundle in `starter`, with decisions that rely on [`SOURCES`], and with drafts that are put before
    /// the approvers.
    ///
    /// # Errors
    /// If the bundle cannot be read or copied, or its settings lack the lines `sources = [...]` and
    /// `[autonomy.gated]`.
    pub fn relying(starter: &Path) -> Result<Self> {
        let copy = Self(std::env::temp_dir().join(format!("countersign-policy-{}", Uuid::new_v4())));
        copy_folder(starter, &copy.0).with_context(|| format!("cannot copy `{}`", starter.display()))?;
        let settings = copy.0.join(SETTINGS);
        let text = fs::read_to_string(&settings)?;
        let line = |line: &&str| line.starts_with("sources = [") && line.ends_with(']');
        let (Some(old), Some(gated)) = (text.lines().find(line), text.lines().find(|line| *line == GATED))
        else {
            bail!("`{SETTINGS}` in `{}` lacks `sources = [...]` or `{GATED}`", starter.display());
        };
        let text = text.replacen(old, &format!("sources = {SOURCES:?}"), 1);
        fs::write(&settings, text.replacen(gated, &format!("{GATED}\n{MESSAGES}"), 1))?;
        Ok(copy)
    }

    /// The same with a language model that advises.
    ///
    /// # Errors
    /// If the settings cannot be written, or lack `[advice]` with `on = false` below it.
    pub fn advised(self) -> Result<Self> {
        let settings = self.0.join(SETTINGS);
        let text = fs::read_to_string(&settings)?;
        let [off, on] = ADVICE;
        ensure!(text.contains(off), "`{SETTINGS}` lacks `[advice]` with `on = false` below it");
        fs::write(&settings, text.replacen(off, on, 1))?;
        Ok(self)
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
            let lacks = |text: &str, other: &str| -> Vec<String> {
                let known: Vec<&str> = other.lines().collect();
                text.lines().filter(|line| !known.contains(line)).map(str::to_owned).collect()
            };
            let new = ["sources = [\"crm\", \"help_desk\", \"application\"]", MESSAGES];
            let (gone, new) =
                if name == SETTINGS { (&["sources = []"][..], &new[..]) } else { (&[][..], &[][..]) };
            assert_eq!(lacks(text, &after[name]), gone, "{name}");
            assert_eq!(lacks(&after[name], text), new, "{name}");
        }
        assert_eq!(before.len(), after.len());
        assert!(runtime::policy::load(policy.folder()).is_ok());
        let folder = policy.folder().to_owned();
        drop(policy);
        assert!(!folder.exists());
    }

    #[test]
    fn a_model_advises_only_where_that_is_wished() {
        let policy = Policy::relying(&starter()).unwrap();
        let is_on = |policy: &Policy| runtime::policy::load(policy.folder()).unwrap().settings().advice.on;
        assert!(!is_on(&policy));
        let policy = policy.advised().unwrap();
        assert!(is_on(&policy));
        assert!(policy.advised().is_err(), "what is on already is not looked for in vain");
    }

    #[test]
    fn a_bundle_without_the_line_is_named() {
        let refused = format!("{:#}", Policy::relying(Path::new("/nowhere")).unwrap_err());
        assert!(refused.contains("/nowhere"), "{refused}");
    }
}
