//! Arguments about the trail.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use domain::{CaseKey, ProposalId};

use crate::trail::Asked;

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum TrailCommand {
    /// Check every hash chain: exit 0 if all hold, 1 with the first bad entry, 2 if there is nothing to
    /// read
    Verify(VerifyTrail),
    /// Write everything about one case, or one proposal and its case, for an auditor: `ID.jsonl` to check
    /// and `ID.html` to read
    Export(ExportTrail),
}

#[derive(Debug, Clone, Args)]
pub(crate) struct ExportTrail {
    /// The case, such as `charge:ch_…`, or a proposal, `ap_…`
    #[arg(long, value_name = "ID", alias = "proposal", value_parser = trail_id)]
    case: String,
    /// Folder for the two files
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(crate) out: PathBuf,
    /// A running `countersign local`
    #[arg(long, value_name = "URL", default_value = "http://localhost:8400")]
    api: String,
    /// The table of cases, instead of --api; AWS credentials and region come from the environment
    #[arg(long, value_name = "NAME", requires = "approvals_table", conflicts_with = "api")]
    cases_table: Option<String>,
    /// The table of approvals
    #[arg(long, value_name = "NAME", requires = "cases_table")]
    approvals_table: Option<String>,
}

impl ExportTrail {
    pub(crate) fn id(&self) -> &str {
        &self.case
    }

    pub(crate) fn source(&self) -> Asked<'_> {
        match (&self.cases_table, &self.approvals_table) {
            (Some(cases), Some(approvals)) => Asked::Tables([cases, approvals]),
            _ => Asked::Api(&self.api),
        }
    }
}

/// An id becomes a path and a file's name, so it is one of the two kinds and nothing else.
fn trail_id(text: &str) -> Result<String, String> {
    if text.parse::<CaseKey>().is_ok()
        || ProposalId::parse(text).is_ok_and(|id| id.as_str().starts_with("ap_"))
    {
        Ok(text.to_owned())
    } else {
        Err("name a case (`charge:ch_…`) or a proposal (`ap_…`)".to_owned())
    }
}

#[derive(Debug, Clone, Args)]
pub(crate) struct VerifyTrail {
    /// A running `countersign local`
    #[arg(long, value_name = "URL", default_value = "http://localhost:8400", conflicts_with = "file")]
    pub(crate) api: String,
    /// A file as `trail export` writes it
    #[arg(long, value_name = "F")]
    pub(crate) file: Option<PathBuf>,
    /// The public key of receipts and checkpoints: checks signatures too, and that no tail was cut off;
    /// several times if keys were rotated
    #[arg(long = "public-key", value_name = "HEX")]
    pub(crate) public_keys: Vec<String>,
}
