//! Written and recorded cases: one in each `*.json`, one in each line of `*.jsonl`.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use domain::policy::Example;

/// A file or a line that holds a case, with its place for people: `examples/paid.json`, `day.jsonl:17`.
pub(super) struct Recorded {
    pub(super) place: String,
    pub(super) text: String,
}

impl Recorded {
    /// The case.
    ///
    /// # Errors
    /// What is wrong with it, with place, line and column.
    pub(super) fn read(&self) -> Result<Example> {
        serde_json::from_str(&self.text).with_context(|| format!("{}: this is no case", self.place))
    }
}

/// Everything that holds a case below a folder, in the order of the names. Other files are left alone.
///
/// # Errors
/// If the folder or a file cannot be read.
pub(super) fn below(folder: &Path) -> Result<Vec<Recorded>> {
    let mut recorded = Vec::new();
    for path in files(folder).with_context(|| format!("cannot read the folder `{}`", folder.display()))? {
        let kind = path.extension().and_then(|kind| kind.to_str()).unwrap_or_default();
        if kind != "json" && kind != "jsonl" {
            continue;
        }
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
        let place = path.display().to_string();
        if kind == "json" {
            recorded.push(Recorded { place, text });
        } else {
            let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
            recorded.extend(lines.map(|(index, line)| Recorded {
                place: format!("{place}:{}", index + 1),
                text: line.to_owned(),
            }));
        }
    }
    Ok(recorded)
}

fn files(folder: &Path) -> Result<Vec<PathBuf>, std::io::Error> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}
