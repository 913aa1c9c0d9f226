//! `countersign trail export`: one file for an auditor, and a page to read it.

use std::{fs, path::Path};

use anyhow::{Context as _, Result, bail};
use domain::Timestamp;
use runtime::{Env, aws::Aws};
use serde_json::Error;
use store::{Approvals, Cases, Excerpt, excerpt};

use super::{Line, check, fetch, page};
use crate::{End, args::ExportTrail};

/// Where an export comes from.
pub(crate) enum Asked<'a> {
    /// A running pipeline.
    Api(&'a str),
    /// The tables of a deployment: cases and approvals.
    Tables([&'a str; 2]),
}

/// Writes `ID.jsonl` and `ID.html` into a folder. What does not hold by itself is not written: it would
/// only be told again to whoever checks it.
pub(crate) fn export(options: &ExportTrail, env: &Env, now: Timestamp) -> Result<End> {
    let id = options.id();
    let text = match options.source() {
        Asked::Api(api) => fetch(api, &format!("/_console/trail/{id}"))?,
        Asked::Tables(tables) => from_tables(env, tables, id, now)?,
    };
    if text.is_empty() {
        return Ok(End::no(format!("there is no case and no proposal `{id}`")));
    }
    let held = match check(&text, &[]) {
        Ok(held) => held,
        Err(fault) => return Ok(End::no(format!("broken: {fault}"))),
    };
    let name = id.replace(':', "-");
    let file = |ending: &str| options.out.join(format!("{name}.{ending}"));
    write(&file("jsonl"), &text)?;
    write(&file("html"), &page::page(id, &text)?)?;
    Ok(End::good(format!(
        "{} entries of {} chains are in {}; {} shows them",
        held.entries,
        held.chains,
        file("jsonl").display(),
        file("html").display()
    )))
}

fn write(file: &Path, text: &str) -> Result<()> {
    if file.exists() {
        bail!("`{}` is there already; move it away or choose another --out", file.display());
    }
    fs::write(file, text).with_context(|| format!("cannot write `{}`", file.display()))
}

fn from_tables(env: &Env, [cases, approvals]: [&str; 2], id: &str, now: Timestamp) -> Result<String> {
    let client = Aws::from_env(env).context("AWS credentials are read from the environment")?.dynamodb();
    let (cases, approvals) = (Cases::new(client.clone(), cases), Approvals::new(client, approvals));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let found = runtime.block_on(excerpt(&cases, &approvals, id)).context("the tables could not be read")?;
    Ok(found.map(|found| lines(found, id, now)).transpose()?.unwrap_or_default())
}

/// An excerpt as lines of JSON.
pub(crate) fn lines(all: Excerpt, id: &str, at: Timestamp) -> Result<String, Error> {
    let entries = all.trails.into_values().flatten().map(Line::Entry);
    let heads = all.heads.into_iter().map(|(subject, end)| Line::Head { subject, end });
    let actions = all.actions.into_iter().map(|action| Line::Action(Box::new(action)));
    let checkpoints = all.checkpoints.into_iter().map(Line::Checkpoint);
    let mut text = String::new();
    let start = [Line::Export { id: id.to_owned(), at }];
    for line in start.into_iter().chain(entries).chain(heads).chain(actions).chain(checkpoints) {
        text.push_str(&serde_json::to_string(&line)?);
        text.push('\n');
    }
    Ok(text)
}
