//! `countersign trail`: every chain of decisions, exported for an auditor and checked without trusting
//! whoever serves it.

mod check;
mod export;
mod line;
mod page;

pub(crate) use check::check;
pub(crate) use export::{Asked, export, lines};
pub(crate) use line::Line;

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use domain::encoding;
use runtime::http::{Base, client};

use crate::{End, args::VerifyTrail};

/// Checks the trail of a running pipeline or of a file.
pub(crate) fn verify(options: &VerifyTrail) -> End {
    let mut keys = Vec::new();
    for text in &options.public_keys {
        match encoding::unhex::<32>(&text.to_ascii_lowercase()) {
            Some(key) => keys.push(key.to_vec()),
            None => {
                return End::usage("a public key is 64 hexadecimal digits, as `countersign keys` shows it");
            }
        }
    }
    let text = match &options.file {
        Some(file) => read(file),
        None => fetch(&options.api, "/_console/trail"),
    };
    let text = match text {
        Ok(text) => text,
        Err(error) => return End::usage(format!("{error:#}")),
    };
    match check(&text, &keys) {
        Ok(held) if held.entries == 0 && options.file.is_some() => End::no("broken: the file holds no entry"),
        Ok(held) => End::good(held.to_string()),
        Err(fault) => End::no(format!("broken: {fault}")),
    }
}

fn read(file: &Path) -> Result<String> {
    let bytes = std::fs::read(file).with_context(|| format!("cannot read `{}`", file.display()))?;
    // What is not UTF-8 is no entry, and is named by its line.
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn fetch(api: &str, path: &str) -> Result<String> {
    let Ok(base) = Base::parse(api) else {
        bail!("`{api}` is not the URL of a pipeline, as http://localhost:8400");
    };
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let url = format!("{}{path}", base.as_str());
        let answer = client(&[&base])?.get(&url).send().await.with_context(|| {
            format!("nothing answers at {url}; start `countersign local`, or name its --api")
        })?;
        let answer = answer.error_for_status().with_context(|| format!("{url} gave no trail"))?;
        answer.text().await.with_context(|| format!("{url} broke off"))
    })
}
