//! Arguments about the language model that may advise.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::advisor::Whom;

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum AdvisorCommand {
    /// Ask the model about cases whose right answers are known, and show what it is worth beside the rules alone:
    /// exit 0 if nothing that it made up would be used, 1 if something would
    Eval(EvalOptions),
}

#[derive(Debug, Clone, Args)]
pub(crate) struct EvalOptions {
    /// Whom to ask: `environment` is the model that `MODEL` and what belongs to it name, as for the processor;
    /// `sandbox:MODE` is the stand-in, such as `sandbox:sensible` or `sandbox:inventive`
    #[arg(long, value_name = "WHOM", default_value = "environment")]
    pub(crate) model: Whom,
    /// Keep the answers in a file
    #[arg(long, value_name = "FILE", conflicts_with = "replay")]
    pub(crate) record: Option<PathBuf>,
    /// Take the answers from such a file and ask nobody
    #[arg(long, value_name = "FILE", conflicts_with = "model")]
    pub(crate) replay: Option<PathBuf>,
    /// Labelled cases, one in each line; by default those that come with this command
    #[arg(long, value_name = "FILE")]
    pub(crate) cases: Option<PathBuf>,
    /// Folder with the policy bundle
    #[arg(long, value_name = "DIR", default_value = "infra/policy")]
    pub(crate) policy: PathBuf,
}
