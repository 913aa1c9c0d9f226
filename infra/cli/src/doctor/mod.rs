//! `countersign doctor`: tries every system that is configured, without changing anything, and says what
//! is missing and how to repair it.
//!
//! It reads the variables that the functions read. Secrets come from Secrets Manager by the names in
//! `…_SECRET`, or, for the Stripe keys, from `STRIPE_READ_KEY` and `STRIPE_WRITE_KEY` themselves.

mod alarms;
mod around;
mod clock;
mod endpoint;
mod mail;
mod model;
mod sign_in;
mod slack;
mod stripe;
mod tables;

use std::{fmt::Display, io::Read as _};

use ::stripe::probe::Role;
use anyhow::{Context as _, Result};
use runtime::{Env, Secrets, aws::Aws, system_clock};
use secrecy::SecretString;

use crate::{End, args::DoctorOptions};

/// What was found, a line each.
#[derive(Debug, Default)]
struct Findings {
    lines: Vec<String>,
    bad: bool,
}

impl Findings {
    /// It works.
    fn good(&mut self, what: &str, why: impl Display) {
        self.lines.push(format!("ok    {what}: {why}"));
    }

    /// It does not, with what to do.
    fn bad(&mut self, what: &str, why: impl Display) {
        self.bad = true;
        self.lines.push(format!("FAIL  {what}: {why}"));
    }

    /// It cannot be found out with the rights of whoever asks.
    fn unknown(&mut self, what: &str, why: impl Display) {
        self.lines.push(format!("skip  {what}: {why}"));
    }
}

/// Examines what is configured.
pub(crate) fn run(options: &DoctorOptions, env: &Env) -> Result<End> {
    let env = match &options.variables {
        Some(file) => env.clone().with(variables(file)?),
        None => env.clone(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let found = runtime.block_on(examine(&env, options.webhook_url.as_deref()));
    if found.lines.is_empty() {
        return Ok(End::usage(
            "nothing is configured: set the variables of a function, or give them with --variables; or set \
             STRIPE_READ_KEY, STRIPE_WRITE_KEY or both to the keys to be examined",
        ));
    }
    let lines = found.lines.join("\n");
    Ok(if found.bad { End::no(lines) } else { End::good(lines) })
}

/// A JSON object of names and values, as Lambda shows a function's variables.
fn variables(file: &std::path::Path) -> Result<Vec<(String, String)>> {
    let text = if file.as_os_str() == "-" {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).context("standard input could not be read")?;
        text
    } else {
        std::fs::read_to_string(file).with_context(|| {
            format!("`{}` could not be read; give a JSON object with a function's variables", file.display())
        })?
    };
    // The parser's words may quote a value.
    let variables: std::collections::BTreeMap<String, String> =
        serde_json::from_str(&text).ok().context("the variables must be a JSON object of texts")?;
    Ok(variables.into_iter().collect())
}

async fn examine(env: &Env, webhook_url: Option<&str>) -> Findings {
    let mut found = Findings::default();
    let stored = Stored::of(env, &mut found);
    if let Some(stored) = &stored {
        stored.presence(env, &mut found).await;
    }
    for (name, by_name, role) in [
        ("STRIPE_READ_KEY", "STRIPE_READ_KEY_SECRET", Role::Read),
        ("STRIPE_WRITE_KEY", "STRIPE_WRITE_KEY_SECRET", Role::Write),
    ] {
        let key = match (env.optional(name), &stored) {
            (Some(text), _) => Some(SecretString::from(text)),
            (None, Some(stored)) => stored.get(env, by_name).await,
            (None, None) => None,
        };
        if let Some(key) = key {
            stripe::key(env, name, role, &key, &mut found).await;
        }
    }
    if let Some(stored) = &stored {
        slack::examine(env, stored, &mut found).await;
        around::examine(env, &stored.secrets, &system_clock(), &mut found).await;
    }
    endpoint::examine(webhook_url, env, stored.as_ref(), &mut found).await;
    tables::examine(env, &mut found).await;
    clock::examine(env, &system_clock(), &mut found).await;
    alarms::examine(env, &system_clock(), &mut found).await;
    sign_in::examine(env, &mut found).await;
    mail::examine(env, &mut found).await;
    model::examine(env, &system_clock(), &mut found).await;
    found
}

/// Variables that name one secret.
const NAMING: [&str; 14] = [
    "STRIPE_READ_KEY_SECRET",
    "STRIPE_WRITE_KEY_SECRET",
    "SLACK_TOKEN_SECRET",
    "OIDC_CLIENT_SECRET_SECRET",
    "LINK_KEYS_SECRET",
    "RECEIPT_KEY_SECRET",
    "SESSION_KEYS_SECRET",
    "HUBSPOT_TOKEN_SECRET",
    "SALESFORCE_CLIENT_SECRET_NAME",
    "ZENDESK_TOKEN_SECRET",
    "INTERCOM_TOKEN_SECRET",
    "APPLICATION_SECRET",
    "ACCESS_SECRET",
    "MODEL_KEY_SECRET",
];

/// The secrets of the deployment.
struct Stored {
    secrets: Secrets,
}

impl Stored {
    /// `None` if no variable names one, or they cannot be asked for.
    fn of(env: &Env, found: &mut Findings) -> Option<Self> {
        if NAMING.iter().chain(&["WEBHOOK_SECRETS"]).all(|name| env.optional(name).is_none()) {
            return None;
        }
        match Aws::from_env(env) {
            Ok(aws) => Some(Self { secrets: Secrets::new(aws.secrets_manager()) }),
            Err(error) => {
                found.bad("secrets", format!("{error}; export the AWS credentials of whoever may read them"));
                None
            }
        }
    }

    /// Whether every secret that is named is there.
    async fn presence(&self, env: &Env, found: &mut Findings) {
        let mut names: Vec<&str> = NAMING.iter().filter_map(|name| env.optional(name)).collect();
        let webhooks = env.optional("WEBHOOK_SECRETS").unwrap_or_default().split(',');
        names.extend(webhooks.filter_map(|pair| Some(pair.split_once('=')?.1.trim())));
        names.sort_unstable();
        names.dedup();
        let mut there = 0;
        for name in &names {
            match self.secrets.get(name).await {
                Ok(_) => there += 1,
                Err(error) => found.bad("secrets", runtime::failure::chain(&error)),
            }
        }
        if there == names.len() {
            found.good("secrets", format!("{there} of {there} are stored"));
        }
    }

    /// The secret that a variable names. What is wrong with it was said by [`Self::presence`].
    async fn get(&self, env: &Env, variable: &str) -> Option<SecretString> {
        self.secrets.get(env.optional(variable)?).await.ok()
    }
}
