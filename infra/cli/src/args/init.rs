//! Arguments of `init`.

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Clone, Args)]
pub(crate) struct InitOptions {
    /// A parameter of template.yaml, checked as the template does; may be given several times. What is required
    /// and not given is asked for, if a person is at the terminal
    #[arg(long = "parameter", value_name = "NAME=VALUE", value_parser = pair)]
    pub(crate) parameters: Vec<(String, String)>,
    /// Your company's name, as customers know it
    #[arg(long, value_name = "NAME")]
    pub(crate) company: Option<String>,
    /// Where customers see their invoices and change how they pay
    #[arg(long, value_name = "URL")]
    pub(crate) billing_page: Option<String>,
    /// The stack's name
    #[arg(long, value_name = "NAME")]
    pub(crate) stack: Option<String>,
    /// The AWS region
    #[arg(long, value_name = "REGION")]
    pub(crate) region: Option<String>,
    /// The file that `sam` reads
    #[arg(long, value_name = "FILE", default_value = "samconfig.toml")]
    pub(crate) config: PathBuf,
    /// The environment in it, for `sam deploy --config-env`; one file holds several
    #[arg(long, value_name = "ENV", default_value = "default")]
    pub(crate) config_env: String,
    /// The folder that gets the policy bundle. `sam build` takes the one in infra/policy
    #[arg(long, value_name = "DIR", default_value = "infra/policy")]
    pub(crate) policy: PathBuf,
    /// Replace what an earlier run wrote
    #[arg(long)]
    pub(crate) force: bool,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("give NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}
