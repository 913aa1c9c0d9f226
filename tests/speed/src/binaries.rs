//! The binaries that are measured: given, or built as they are deployed.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, ensure};

/// What is measured, by the package that it is built from.
const PACKAGES: [(&str, &[&str]); 5] = [
    ("ingress", &["ingress"]),
    ("processor", &["processor"]),
    ("approver", &["approver"]),
    ("reconciler", &["reconciler"]),
    ("floor", &["noop", "ingress_tls"]),
];

/// Where they are.
pub(crate) struct Binaries(Vec<PathBuf>);

impl Binaries {
    /// Those in `given`, as `NAME` or `NAME/bootstrap`; what is not there is built. With `ingress` none of the
    /// other functions.
    pub(crate) fn prepare(root: &Path, given: Option<&Path>, ingress: bool) -> Result<Self> {
        let mut folders: Vec<PathBuf> = given.map(Into::into).into_iter().collect();
        let found = Self(folders.clone());
        let missing = PACKAGES
            .iter()
            .filter(|(package, _)| !ingress || ["ingress", "floor"].contains(package))
            .filter(|(_, names)| names.iter().any(|name| found.path(name).is_err()));
        let missing: Vec<&str> = missing.map(|(package, _)| *package).collect();
        if !missing.is_empty() {
            let mut cargo = Command::new("cargo");
            cargo.args(["build", "--release", "--bins"]).current_dir(root);
            for package in missing {
                cargo.args(["--package", package]);
            }
            ensure!(cargo.status()?.success(), "the functions do not build");
            folders.push(root.join("target/release"));
        }
        Ok(Self(folders))
    }

    /// A binary.
    pub(crate) fn path(&self, name: &str) -> Result<PathBuf> {
        let paths = self.0.iter().flat_map(|folder| [folder.join(name), folder.join(name).join("bootstrap")]);
        let mut files = paths.filter(|path| path.is_file());
        files.next().with_context(|| format!("there is no binary `{name}`"))
    }
}
