//! The starter bundle and its examples.

use std::{collections::BTreeMap, fs, path::PathBuf};

use domain::policy::{Bundle, Example, resolve};
use serde_json::Value;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../infra/policy")
}

/// The files of the bundle, by path within it.
pub(crate) fn files() -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    for (inner, prefix) in [("", ""), ("rules", "rules/"), ("templates", "templates/")] {
        for file in fs::read_dir(folder().join(inner)).unwrap() {
            let path = file.unwrap().path();
            if path.is_file() {
                let name = format!("{prefix}{}", path.file_name().unwrap().to_str().unwrap());
                files.insert(name, fs::read_to_string(path).unwrap());
            }
        }
    }
    files
}

pub(crate) fn bundle() -> Bundle {
    Bundle::load(&files()).unwrap()
}

/// Every written example, complete, by its place: `recovery/expired-card`.
#[allow(dead_code, reason = "not everybody who loads the bundle looks at examples")]
pub(crate) fn examples() -> BTreeMap<String, Example> {
    let mut examples = BTreeMap::new();
    for workflow in fs::read_dir(folder().join("examples")).unwrap() {
        let workflow = workflow.unwrap().path();
        let read = |name: &str| -> Result<Value, std::io::Error> {
            let text = fs::read_to_string(workflow.join(format!("{name}.json")))?;
            Ok(serde_json::from_str(&text).unwrap())
        };
        for file in fs::read_dir(&workflow).unwrap() {
            let file = file.unwrap().path();
            let name = file.file_stem().unwrap().to_str().unwrap();
            let whole = resolve(read(name).unwrap(), &read).unwrap();
            let place = format!("{}/{name}", workflow.file_name().unwrap().to_str().unwrap());
            examples.insert(place, serde_json::from_value(whole).unwrap());
        }
    }
    examples
}
