//! `countersign digest`: what finance is told each day, for any time, as text or as a table.

use std::fmt::Write as _;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use domain::Timestamp;
use reconciler::digest::{Digest, csv, gather, message};
use runtime::{Env, aws::Aws, http::Base, http::client, system_clock};
use store::{Approvals, Cases};

use super::run;
use crate::End;

const DAY: i64 = 86_400;

/// Of which time, and from where.
#[derive(Debug, Clone, Args)]
pub(crate) struct DigestOptions {
    /// The first day, in UTC; by default yesterday
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = day)]
    since: Option<Timestamp>,
    /// The last day, with it; by default the first one
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = day)]
    until: Option<Timestamp>,
    /// Print a table as CSV, amounts in minor units
    #[arg(long)]
    csv: bool,
    /// A running `countersign local`
    #[arg(long, value_name = "URL", default_value = "http://localhost:8400", conflicts_with = "cases_table")]
    api: String,
    /// The table of cases instead; AWS credentials and region come from the environment
    #[arg(long, value_name = "NAME", requires = "approvals_table")]
    cases_table: Option<String>,
    /// The table of approvals
    #[arg(long, value_name = "NAME", requires = "cases_table")]
    approvals_table: Option<String>,
}

fn day(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse_rfc3339(&format!("{text}T00:00:00Z"))
        .ok_or_else(|| "write it like 2026-11-24".to_owned())
}

/// Reads and prints it.
pub(crate) fn digest(options: &DigestOptions, env: &Env) -> Result<End> {
    let today = (system_clock())().seconds().div_euclid(DAY) * DAY;
    let from = options.since.unwrap_or(Timestamp::from_seconds(today - DAY));
    let until = options.until.unwrap_or(from).plus(DAY);
    if until <= from {
        return Ok(End::usage("--since must not be after --until"));
    }
    let digest = run(async {
        match (&options.cases_table, &options.approvals_table) {
            (Some(cases), Some(approvals)) => {
                let aws = Aws::from_env(env).context("AWS credentials are read from the environment")?;
                let (cases, approvals) =
                    (Cases::new(aws.dynamodb(), cases), Approvals::new(aws.dynamodb(), approvals));
                gather(&cases, &approvals, from, until).await
            }
            _ => fetch(&options.api, from, until).await,
        }
    })?;
    Ok(End::good(if options.csv { csv(&digest) } else { text(&digest) }))
}

async fn fetch(api: &str, from: Timestamp, until: Timestamp) -> Result<Digest> {
    let Ok(base) = Base::parse(api) else {
        bail!("`{api}` is not the URL of a pipeline, as http://localhost:8400");
    };
    let url = format!("{}/_console/digest/{}/{}", base.as_str(), from.seconds(), until.seconds());
    let answer = client(&[&base])?.get(&url).send().await.with_context(|| {
        format!("nothing answers at {url}; start `countersign local`, or name its --api or the tables")
    })?;
    let answer = answer.error_for_status().with_context(|| format!("{url} gave no answer"))?;
    let text = answer.text().await.with_context(|| format!("{url} broke off"))?;
    serde_json::from_str(&text).with_context(|| format!("{url} answers in another way"))
}

fn text(digest: &Digest) -> String {
    let mut text = format!("From {} until {}", digest.from, digest.until);
    for (label, value) in message(digest) {
        let _ = write!(text, "\n{label}: {value}");
    }
    text
}
