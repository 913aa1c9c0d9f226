//! The arguments.

mod advisor;
mod init;
mod people;
mod policy;
mod trail;
mod webhook;

use std::{ffi::OsString, path::PathBuf};

use clap::{Args, Parser, Subcommand, error::ErrorKind};
use domain::{CaseKey, ObjectId, PersonId};

pub(crate) use advisor::{AdvisorCommand, EvalOptions};
pub(crate) use init::InitOptions;
pub(crate) use people::{Absent, OnePasskey, PasskeyCommand, PasskeysOf, PersonCommand, Registered};
pub(crate) use policy::{Backtest, CheckPolicy, DiffPolicies, ExplainCase, PolicyCommand, SealOptions};
pub(crate) use trail::{ExportTrail, TrailCommand, VerifyTrail};
pub(crate) use webhook::{Kept, VerifyDelivery, WebhookCommand};

use crate::{
    End,
    keys::Kind,
    operate::{DigestOptions, RedriveOptions, ReplayOptions, ResyncOptions},
};

/// Countersign on this machine. Without a command it runs `local`.
#[derive(Debug, Parser)]
#[command(name = "countersign", version, args_conflicts_with_subcommands = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    local: LocalOptions,
}

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum Command {
    /// Run the whole pipeline on this machine, with stand-ins for every service
    Local(LocalOptions),
    /// Write what a deployment is told: samconfig.toml for `sam`, and the policy with your company's name. Asks for
    /// what no flag gives
    Init(InitOptions),
    /// Try every system that is configured, changing nothing: exit 0 if all is well, 1 with what is missing
    /// and how to repair it. The variables are the functions' own; the Stripe keys may also be given in
    /// `STRIPE_READ_KEY` and `STRIPE_WRITE_KEY`
    Doctor(DoctorOptions),
    /// The webhook endpoint in Stripe, its signing secret, and its deliveries
    #[command(subcommand)]
    Webhook(WebhookCommand),
    /// The trail of decisions
    #[command(subcommand)]
    Trail(TrailCommand),
    /// The policy bundle
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// The language model that may advise; AWS credentials and region come from the environment
    #[command(subcommand)]
    Advisor(AdvisorCommand),
    /// Stop the agent's steps and every approval at once; AWS credentials and region come from the
    /// environment
    #[command(subcommand)]
    Freeze(FreezeCommand),
    /// Take back what was given out; AWS credentials and region come from the environment
    #[command(subcommand)]
    Revoke(RevokeCommand),
    /// The keys of links, receipts and sessions; AWS credentials and region come from the environment
    #[command(subcommand)]
    Keys(KeysCommand),
    /// What was decided about a Stripe object, what was held back and why: exit 0 if something is known of
    /// it, 1 if not
    Why(WhyOptions),
    /// Queue Stripe's events of a time again; the key is in `STRIPE_READ_KEY`, AWS credentials and region come
    /// from the environment. What has its outcome is not done twice
    Replay(ReplayOptions),
    /// Decide everything of a customer anew from what Stripe says now; environment as for `replay`
    Resync(ResyncOptions),
    /// Show dead letters with their reason and send them again; AWS credentials and region come from the
    /// environment
    Redrive(RedriveOptions),
    /// What finance is told each day: recovered, at risk, refunds, disputes, drift, approvals
    Digest(DigestOptions),
    /// Steps that the agent takes by itself
    #[command(subcommand)]
    Step(StepCommand),
    /// The people who may sign; AWS credentials and region come from the environment
    #[command(subcommand)]
    Person(PersonCommand),
    /// The passkeys of people who may sign: each counts once somebody who keeps the registry has confirmed
    /// it
    #[command(subcommand)]
    Passkey(PasskeyCommand),
}

/// How the pipeline runs on this machine.
#[derive(Debug, Clone, Args)]
pub struct LocalOptions {
    /// Port of the HTTP API and the console on 127.0.0.1; 0 takes any free one
    #[arg(long, value_name = "N", default_value_t = 8400)]
    pub port: u16,
    /// Folder that keeps all state; without it the state ends with the process
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Print one line of JSON when ready, and nothing else, to standard output
    #[arg(long)]
    pub json: bool,
    /// Start without the seeded day of billing
    #[arg(long)]
    pub no_seed: bool,
    /// Folder with the policy bundle; by default the one of this repository
    #[arg(long, value_name = "DIR")]
    pub policy: Option<PathBuf>,
    /// Push N signed events of many customers through it, say what that took and would cost, and end
    #[arg(long, value_name = "N", conflicts_with_all = ["data", "no_seed"],
          value_parser = clap::value_parser!(u32).range(10..=1_000_000))]
    pub bench: Option<u32>,
    /// With --bench: finished events that are in the store before
    #[arg(long, value_name = "N", requires = "bench", default_value_t = 0)]
    pub stored_events: u32,
    /// With --bench: open cases that are in the store before
    #[arg(long, value_name = "N", requires = "bench", default_value_t = 0)]
    pub open_cases: u32,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct DoctorOptions {
    /// Variables as a JSON object of names and values, on top of the environment; `-` is standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) variables: Option<PathBuf>,
    /// Where Stripe sends events, as the stack's output `WebhookUrl`: the endpoint there is compared by the key in
    /// `STRIPE_API_KEY`. Without it the address is taken from the reconciler's variables
    #[arg(long, value_name = "URL", value_parser = webhook::endpoint_url)]
    pub(crate) webhook_url: Option<String>,
}

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum KeysCommand {
    /// Put in a new key, which signs in ten minutes; older ones verify until nothing of theirs is in use
    Rotate(RotateKeys),
    /// Show the public halves of the receipt keys, for `trail verify --public-key`
    Public(KeySecret),
}

#[derive(Debug, Clone, Args)]
pub(crate) struct RotateKeys {
    /// A running `countersign local`, of which all three sets are rotated
    #[arg(long, value_name = "URL", conflicts_with_all = ["secret", "kind"], required_unless_present = "secret")]
    pub(crate) api: Option<String>,
    /// The secret that holds the keys, such as STACK/receipt-key
    #[arg(long, value_name = "NAME", requires = "kind")]
    pub(crate) secret: Option<String>,
    /// What the keys are for
    #[arg(long, requires = "secret")]
    pub(crate) kind: Option<Kind>,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct KeySecret {
    /// The secret that holds the keys, such as STACK/receipt-key
    #[arg(long, value_name = "NAME")]
    pub(crate) secret: String,
}

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum FreezeCommand {
    /// Stop everything; denials are still taken
    On(Switch),
    /// Let everything go on
    Off(Tables),
    /// Say how it stands: exit 0 if both tables agree, 1 if not
    Status(Tables),
}

#[derive(Debug, Clone, Args)]
pub(crate) struct Switch {
    #[command(flatten)]
    pub(crate) tables: Tables,
    /// Who stops it, by their id in the registry
    #[arg(long, value_name = "ID")]
    pub(crate) by: PersonId,
    /// Why, in a few words
    #[arg(long, value_name = "TEXT")]
    pub(crate) why: String,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct Tables {
    /// The table of cases
    #[arg(long, value_name = "NAME")]
    pub(crate) cases_table: String,
    /// The table of approvals
    #[arg(long, value_name = "NAME")]
    pub(crate) approvals_table: String,
}

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum RevokeCommand {
    /// Refuse every link that a link key signed, from now on
    LinkKey {
        /// The table of approvals
        #[arg(long, value_name = "NAME")]
        table: String,
        /// The key's id, as in the link after `v1.`
        #[arg(long, value_name = "ID")]
        key: String,
    },
}

#[derive(Debug, Clone, Args)]
pub(crate) struct WhyOptions {
    /// A Stripe id, of an invoice, charge, dispute, refund, subscription, customer, payment method or event; or a
    /// proposal's
    #[arg(value_name = "OBJECT_ID")]
    pub(crate) object: ObjectId,
    /// A running `countersign local`
    #[arg(long, value_name = "URL", default_value = "http://localhost:8400", conflicts_with = "cases_table")]
    pub(crate) api: String,
    /// The table of cases instead; AWS credentials and region come from the environment
    #[arg(long, value_name = "NAME")]
    pub(crate) cases_table: Option<String>,
    /// The table of approvals beside it, for what people were asked
    #[arg(long, value_name = "NAME", requires = "cases_table")]
    pub(crate) approvals_table: Option<String>,
}

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum StepCommand {
    /// Send a failed step again, under its old key, once its cause is repaired: exit 0 if it is queued, 1
    /// if there is nothing to send again
    Retry(RetryStep),
}

#[derive(Debug, Clone, Args)]
pub(crate) struct RetryStep {
    /// The case, such as `recovery:in_…`
    #[arg(value_name = "CASE")]
    pub(crate) case: CaseKey,
    /// The step's key, as `countersign why` tells it
    #[arg(value_name = "STEP")]
    pub(crate) step: String,
    /// Who asks for it, by their id in the registry; the case's trail keeps it
    #[arg(long, value_name = "ID")]
    pub(crate) by: PersonId,
    /// A running `countersign local`
    #[arg(long, value_name = "URL", default_value = "http://localhost:8400", conflicts_with = "cases_table")]
    pub(crate) api: String,
    /// The table of cases instead; AWS credentials and region come from the environment
    #[arg(long, value_name = "NAME")]
    pub(crate) cases_table: Option<String>,
}

impl Arguments {
    /// Reads the arguments; help and mistakes are an end of their own.
    pub(crate) fn read(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, End> {
        Self::try_parse_from(arguments).map_err(|error| {
            let text = error.render().to_string();
            match error.kind() {
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => End::good(text),
                ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
                    End::usage("a command is missing; see --help")
                }
                // The first paragraph says what is wrong; the rest is the usage.
                _ => {
                    let wrong = text.split("\n\n").next().unwrap_or_default();
                    End::usage(format!("{}; see --help", wrong.trim_start_matches("error: ").trim()))
                }
            }
        })
    }

    /// The command that is meant.
    pub(crate) fn command(self) -> Command {
        self.command.unwrap_or(Command::Local(self.local))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Command, End> {
        let words = ["countersign"].into_iter().chain(line.split_whitespace());
        Arguments::read(words.map(OsString::from)).map(Arguments::command)
    }

    #[test]
    fn no_command_means_local() {
        for line in ["--port 0 --json", "local --port 0 --json"] {
            let Ok(Command::Local(options)) = read(line) else { panic!("{line}") };
            assert!(options.port == 0 && options.json && !options.no_seed, "{line}");
        }
    }

    #[test]
    fn a_mistake_is_told_in_one_line_with_code_2() {
        for line in [
            "--prot 1",
            "local --port 70000",
            "local extra",
            "nothing",
            "webhook",
            "webhook verify --header t=1",
            "webhook register --url https://x.example.com/stripe/default",
            "webhook register --url https://x.example.com/ --print-secret",
            "webhook register --url https://x.example.com/stripe/default --print-secret --secret s",
            "webhook roll --url https://x.example.com/stripe/default --secret s --overlap 1",
            "webhook status",
            "webhook verify --header t=1 --secret a --tolerance -1",
            "trail verify --api http://localhost:1 --file f",
            "policy",
            "policy explain",
            "policy diff a",
            "policy backtest --from a",
            "advisor eval --model oracle",
            "advisor eval --record a --replay b",
            "advisor eval --model sandbox:sensible --replay b",
            "why",
            "why in:1",
            "why in_1 --api http://localhost:1 --cases-table t",
            "replay --queue q",
            "replay --since yesterday --dry-run",
            "replay --since 2026-11-01",
            "replay --since 2026-11-01 --types price.created --dry-run",
            "resync --dry-run",
            "redrive --dead d",
            "digest --cases-table c",
        ] {
            let end = read(line).unwrap_err();
            assert_eq!(end.code, 2, "{line}");
            assert_eq!(end.error.lines().count(), 1, "{line}: {}", end.error);
            assert!(end.error.starts_with("error: ") && !end.error.contains("error: error"), "{}", end.error);
        }
    }

    #[test]
    fn help_is_no_mistake() {
        let end = read("local --help").unwrap_err();
        assert!(end.code == 0 && end.out.contains("--data"), "{end:?}");
    }
}
