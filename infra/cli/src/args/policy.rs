//! Arguments about the policy bundle.

use std::path::PathBuf;

use clap::{Args, Subcommand};

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum PolicyCommand {
    /// Load a bundle strictly and check every rule, template and example: exit 0 if all is well, 1 with
    /// what is not
    Check(CheckPolicy),
    /// Decide a recorded case and tell why: exit 2 if the case or the bundle cannot be read
    Explain(ExplainCase),
    /// What changed from one bundle to another, a line each: exit 0 if nothing, 1 if something
    Diff(DiffPolicies),
    /// Decide recorded cases anew and list what flips: exit 0 if nothing, 1 if something
    Backtest(Backtest),
    /// Write down, from version control, who was the last to change each rule that decides about
    /// signing
    Seal(SealOptions),
}

#[derive(Debug, Clone, Args)]
pub(crate) struct CheckPolicy {
    /// Folder with the bundle
    #[arg(value_name = "DIR", default_value = "infra/policy")]
    pub(crate) policy: PathBuf,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct ExplainCase {
    /// A case as in `infra/policy/examples`
    #[arg(long, value_name = "FILE")]
    pub(crate) case: PathBuf,
    /// Folder with the bundle
    #[arg(long, value_name = "DIR", default_value = "infra/policy")]
    pub(crate) policy: PathBuf,
    /// Print the whole decision as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct DiffPolicies {
    /// Folder with the earlier bundle
    #[arg(value_name = "A")]
    pub(crate) from: PathBuf,
    /// Folder with the later bundle
    #[arg(value_name = "B")]
    pub(crate) to: PathBuf,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct Backtest {
    /// Folder with recorded cases: one in each `*.json`, one in each line of `*.jsonl`
    #[arg(long, value_name = "DIR")]
    pub(crate) cases: PathBuf,
    /// Folder with the earlier bundle; without it each case is compared with what it expects
    #[arg(long, value_name = "A")]
    pub(crate) from: Option<PathBuf>,
    /// Folder with the bundle that decides anew
    #[arg(long, value_name = "B", default_value = "infra/policy")]
    pub(crate) to: PathBuf,
    /// Print the flips as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct SealOptions {
    /// Folder with the policy bundle, within a git work tree
    #[arg(long, value_name = "DIR", default_value = "infra/policy")]
    pub(crate) policy: PathBuf,
    /// Only say whether the manifest is current: exit 0 if it is, 1 if not
    #[arg(long)]
    pub(crate) check: bool,
}
