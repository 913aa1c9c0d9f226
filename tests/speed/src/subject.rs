//! What is measured: a command, its environment, the events that it gets, and the answer that it owes.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::{process::Process, runtime_api::RuntimeApi};

/// Makes the next event.
pub(crate) type Events<'a> = Box<dyn Fn() -> Result<Vec<u8>> + 'a>;

/// Something that is measured.
pub(crate) struct Subject<'a> {
    pub(crate) name: &'static str,
    pub(crate) command: Vec<OsString>,
    pub(crate) variables: BTreeMap<String, String>,
    /// What an account would get.
    pub(crate) files: Vec<PathBuf>,
    pub(crate) events: Events<'a>,
    /// Whether an answer is the one that is owed.
    pub(crate) good: fn(&Value) -> bool,
    /// A program of ours, whose instructions can be counted.
    pub(crate) native: bool,
}

impl Subject<'_> {
    /// Starts it, below `tool` if one is given.
    pub(crate) fn start(&self, tool: &[OsString]) -> Result<(Process, RuntimeApi)> {
        let api = RuntimeApi::start()?;
        let mut variables = self.variables.clone();
        for (name, value) in [
            ("AWS_LAMBDA_RUNTIME_API", api.address.as_str()),
            ("AWS_LAMBDA_FUNCTION_NAME", self.name),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
            ("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/speed"),
            ("AWS_LAMBDA_LOG_STREAM_NAME", "speed"),
        ] {
            variables.insert(name.to_owned(), value.to_owned());
        }
        let command = [tool, &self.command].concat();
        let process = Process::start(&command, &variables).with_context(|| format!("`{}`", self.name))?;
        Ok((process, api))
    }

    /// Hands it one event, and checks that it did its work.
    pub(crate) fn work(&self, api: &RuntimeApi) -> Result<std::time::Duration> {
        let (took, answer) = api.invoke((self.events)()?).with_context(|| format!("`{}`", self.name))?;
        let answer = serde_json::from_slice(&answer).unwrap_or_default();
        ensure!((self.good)(&answer), "`{}` answered {answer}", self.name);
        Ok(took)
    }

    /// Bytes of what an account would get, as it is and zipped.
    pub(crate) fn size(&self, folder: &Path) -> Result<(u64, u64)> {
        let bare: u64 = self.files.iter().map(|path| size(path)).sum::<Result<u64>>()?;
        let zip = folder.join("deployed.zip");
        let _ = fs::remove_file(&zip);
        let mut zipped = Command::new("python3");
        zipped.args(["-m", "zipfile", "-c"]).arg(&zip).args(&self.files);
        ensure!(zipped.status().is_ok_and(|status| status.success()), "`python3 -m zipfile` failed");
        Ok((bare, fs::metadata(zip)?.len()))
    }
}

/// Bytes of a file or of everything in a folder.
fn size(path: &Path) -> Result<u64> {
    if path.is_file() {
        return Ok(fs::metadata(path)?.len());
    }
    let entries = fs::read_dir(path).with_context(|| format!("`{}` is not there", path.display()))?;
    entries.map(|entry| size(&entry?.path())).sum()
}
