//! Arguments about the people who may sign, and their passkeys.

use clap::{Args, Subcommand};
use domain::{Currency, PersonId};

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum PersonCommand {
    /// Put a person into the registry, or change them
    Put(Registered),
    /// Take their right to sign in and to sign
    Deactivate(Absent),
}

#[derive(Debug, Clone, Args)]
pub(crate) struct Registered {
    /// The table of approvals
    #[arg(long, value_name = "NAME")]
    pub(crate) table: String,
    /// The person's id, for the trail: letters, digits, `_`, `-`
    #[arg(long, value_name = "ID")]
    pub(crate) id: PersonId,
    /// The name that other signers see
    #[arg(long, value_name = "NAME")]
    pub(crate) name: String,
    /// The provider's organisation: a Slack workspace's id (T…), or the issuer
    #[arg(long, value_name = "TEAM")]
    pub(crate) team: String,
    /// The person there: a Slack user's id (U…), or the subject
    #[arg(long, value_name = "USER")]
    pub(crate) user: String,
    /// What the policy knows them as, such as `finance`; may be given several times
    #[arg(long = "group", value_name = "GROUP", required = true)]
    pub(crate) groups: Vec<String>,
    /// An e-mail address of theirs, as version control and Stripe may know it; may be given several
    /// times. They sign nothing that goes to it, and by no rule that it changed last
    #[arg(long = "email", value_name = "ADDRESS")]
    pub(crate) emails: Vec<String>,
    /// The most that they may sign for in a currency, in minor units, such as `usd=50000`; may be given
    /// several times. With one they sign in no other currency
    #[arg(long = "limit", value_name = "CUR=N", value_parser = limit)]
    pub(crate) limits: Vec<(Currency, i64)>,
}

fn limit(text: &str) -> Result<(Currency, i64), String> {
    let (currency, most) = text.split_once('=').ok_or("write it like usd=50000")?;
    let currency = Currency::parse(currency).map_err(|error| error.to_string())?;
    let most = most.parse().ok().filter(|most| *most > 0).ok_or("the most is a number above zero")?;
    Ok((currency, most))
}

#[derive(Debug, Clone, Args)]
pub(crate) struct Absent {
    /// The table of approvals
    #[arg(long, value_name = "NAME")]
    pub(crate) table: String,
    /// The person's id
    #[arg(long, value_name = "ID")]
    pub(crate) id: PersonId,
}

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum PasskeyCommand {
    /// Show a person's passkeys, those that wait to be confirmed as well
    List(PasskeysOf),
    /// Let a passkey count: after its owner has read you the fingerprint that their page shows
    Confirm(OnePasskey),
    /// Take a passkey away, for instance because the device was lost
    Remove(OnePasskey),
}

#[derive(Debug, Clone, Args)]
pub(crate) struct PasskeysOf {
    /// The person's id in the registry
    #[arg(long, value_name = "ID")]
    pub(crate) id: PersonId,
    /// A running `countersign local`
    #[arg(long, value_name = "URL", default_value = "http://localhost:8400", conflicts_with = "table")]
    pub(crate) api: String,
    /// The table of approvals instead; AWS credentials and region come from the environment
    #[arg(long, value_name = "NAME")]
    pub(crate) table: Option<String>,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct OnePasskey {
    #[command(flatten)]
    pub(crate) of: PasskeysOf,
    /// Which, by its fingerprint: 16 hexadecimal digits in groups
    #[arg(long, value_name = "HEX")]
    pub(crate) fingerprint: String,
    /// Who you are, for the trail; never the person themselves when confirming
    #[arg(long, value_name = "ID")]
    pub(crate) by: PersonId,
}
