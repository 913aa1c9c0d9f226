//! Written and recorded cases: one in each `*.json`, one in each line of `*.jsonl`.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use domain::policy::{Example, LikeError, resolve};
use serde_json::Value;

/// A file or a line that holds a case, with its place for people: `examples/paid.json`, `day.jsonl:17`.
pub(super) struct Recorded {
    pub(super) place: String,
    pub(super) text: String,
    /// Where the examples are that it may be like.
    folder: PathBuf,
}

impl Recorded {
    /// The case in a file.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub(super) fn file(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("cannot read `{}`", path.display()))?;
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        Ok(Self { place: path.display().to_string(), text, folder })
    }

    /// The case, completed by the one that it is like.
    ///
    /// # Errors
    /// What is wrong with it, with its place and, where it stands there in full, line and column.
    pub(super) fn read(&self) -> Result<Example> {
        let wrong = || format!("{}: this is no case", self.place);
        let value: Value = serde_json::from_str(&self.text).with_context(wrong)?;
        if value.get("like").is_none() {
            return serde_json::from_str(&self.text).with_context(wrong);
        }
        let like = |name: &str| -> Result<Value> {
            let path = self.folder.join(format!("{name}.json"));
            let text =
                fs::read_to_string(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
            serde_json::from_str(&text).with_context(|| format!("`{}` is no JSON", path.display()))
        };
        // Its error holds the cause, which is told with it.
        let whole = resolve(value, &like).map_err(|error| match error {
            LikeError::Unreadable(name, cause) => cause.context(format!("it is like `{name}`")),
            other => anyhow::anyhow!("{other}"),
        });
        serde_json::from_value(whole.with_context(wrong)?).with_context(wrong)
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
        let file = Recorded::file(&path)?;
        if kind == "json" {
            recorded.push(file);
        } else {
            let lines = file.text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
            recorded.extend(lines.map(|(index, line)| Recorded {
                place: format!("{}:{}", file.place, index + 1),
                text: line.to_owned(),
                folder: file.folder.clone(),
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
