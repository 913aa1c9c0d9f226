//! `countersign init`: what a deployment is told, asked for once, checked, and written where `sam` and the functions
//! read it.

mod ask;
mod config;
mod house;
mod parameters;

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, ErrorKind, IsTerminal as _, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail, ensure};

use crate::{End, args::InitOptions};
use ask::Terminal;
use config::Section;
use house::Bundle;
use parameters::{Need, Parameter};

/// What is worth a question though it has a default; the template's other parameters keep theirs.
const ASKED: [&str; 4] = ["AlarmEmail", "PublicUrl", "Crm", "HelpDesk"];

/// `countersign init`
pub(crate) fn run(options: &InitOptions) -> Result<End> {
    let (input, output) = (std::io::stdin(), std::io::stderr());
    if input.is_terminal() {
        init(options, Some(Terminal::new(input.lock(), output.lock())))
    } else {
        init(options, None::<Terminal<std::io::Empty, std::io::Empty>>)
    }
}

/// The same with a terminal, or without one: then nothing is asked, and what is missing is an error.
fn init<R: BufRead, W: Write>(options: &InitOptions, terminal: Option<Terminal<R, W>>) -> Result<End> {
    let bundle = Bundle { from: shipped_policy(), to: options.policy.clone() };
    bundle.is_free(options.force)?;
    let before = match fs::read_to_string(&options.config) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => {
            return Err(error).with_context(|| format!("cannot read `{}`", options.config.display()));
        }
    };
    env_name(&options.config_env)?;
    let mut asking = Asking { terminal, missing: Vec::new() };
    let company =
        asking.get("--company", options.company.as_deref(), "Your company's name?", house::company)?;
    let page = asking.get(
        "--billing-page",
        options.billing_page.as_deref(),
        "Where do customers see their invoices (URL)?",
        house::billing_page,
    )?;
    let region = asking.get("--region", options.region.as_deref(), "Which AWS region?", region_name)?;
    let stack = options.stack.as_deref().unwrap_or("countersign");
    stack_name(stack)?;
    let channels = runtime::policy::load(&bundle.from)?;
    let channels: Vec<String> = channels.channels().into_iter().map(ToOwned::to_owned).collect();
    let parameters = asking.parameters(&options.parameters, &channels)?;
    if !asking.missing.is_empty() {
        return Ok(End::usage(format!("nobody is there to be asked; give {}", asking.missing.join(" "))));
    }

    let section = Section { env: &options.config_env, stack, region: &region, parameters: &parameters };
    let config = section.put_into(before.as_deref(), options.force)?;
    bundle.write(&company, &page)?;
    fs::write(&options.config, config)
        .with_context(|| format!("cannot write `{}`", options.config.display()))?;
    Ok(End::good(next_steps(options, stack, bundle.is_in_place())))
}

/// The policy of this repository.
fn shipped_policy() -> PathBuf {
    let here = PathBuf::from("infra/policy");
    if here.is_dir() { here } else { PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../policy")) }
}

/// Takes what was given and asks for the rest.
struct Asking<R, W> {
    terminal: Option<Terminal<R, W>>,
    /// What nobody could be asked for.
    missing: Vec<String>,
}

impl<R: BufRead, W: Write> Asking<R, W> {
    fn get(
        &mut self,
        flag: &str,
        given: Option<&str>,
        question: &str,
        check: impl Fn(&str) -> Result<()>,
    ) -> Result<String> {
        match (given, &mut self.terminal) {
            (Some(given), _) => check(given).map(|()| given.to_owned()),
            (None, Some(terminal)) => terminal.ask(question, None, check),
            (None, None) => {
                self.missing.push(flag.to_owned());
                Ok(String::new())
            }
        }
    }

    /// The parameters that differ from their defaults, in the template's order.
    fn parameters(
        &mut self,
        given: &[(String, String)],
        channels: &[String],
    ) -> Result<Vec<(String, String)>> {
        let all = parameters::all()?;
        let mut values = BTreeMap::new();
        for (name, value) in given {
            let known = all.iter().find(|one| one.name == *name);
            let unknown = || {
                format!(
                    "the template has no parameter `{name}`; infra/template/CONFIGURATION.md has all of them"
                )
            };
            known.with_context(unknown)?.check(value)?;
            ensure!(values.insert(name.clone(), value.clone()).is_none(), "`{name}` is given twice");
        }
        let needs = parameters::needs()?;
        for one in &all {
            let need = needed(one, &needs, &all, &values);
            let wanted = one.default.is_none() || ASKED.contains(&one.name.as_str()) || need.is_some();
            if wanted && !values.contains_key(&one.name) {
                let value = self.parameter(one, need, channels)?;
                values.insert(one.name.clone(), value);
            }
        }
        if self.missing.is_empty() {
            for one in &all {
                let value = values.get(&one.name).or(one.default.as_ref()).map_or("", String::as_str);
                if let Some(need) = needed(one, &needs, &all, &values) {
                    ensure!(need.is_met(value), "{}", need.told);
                }
            }
        }
        if let Some(given) = values.get("SlackChannels").filter(|_| self.missing.is_empty()) {
            every_channel(given, channels)?;
        }
        let own = all.into_iter().filter_map(|one| {
            let value = values.remove(&one.name)?;
            (one.default.as_ref() != Some(&value)).then_some((one.name, value))
        });
        Ok(own.collect())
    }

    fn parameter(&mut self, one: &Parameter, need: Option<&Need>, channels: &[String]) -> Result<String> {
        let Some(terminal) = &mut self.terminal else {
            // What has a default keeps it, unless something else needs it.
            if let Some(default) =
                one.default.as_ref().filter(|default| need.is_none_or(|need| need.is_met(default)))
            {
                return Ok(default.clone());
            }
            self.missing.push(format!("--parameter {}=…", one.name));
            return Ok(String::new());
        };
        if one.name == "SlackChannels" {
            let mut pairs = Vec::new();
            for channel in channels {
                let question = format!("Slack conversation for `{channel}` (its id, as C0123ABCD)?");
                let id = terminal.ask(&question, None, |id| one.check(&format!("{channel}={id}")))?;
                pairs.push(format!("{channel}={id}"));
            }
            return Ok(pairs.join(","));
        }
        let check = |value: &str| {
            if let Some(need) = need {
                ensure!(need.is_met(value), "{}", need.told);
            }
            one.check(value)
        };
        terminal.ask(&format!("{}: {}", one.name, one.description), one.default.as_deref(), check)
    }
}

/// Why a parameter has to be given, if what is chosen needs it.
fn needed<'a>(
    one: &Parameter,
    needs: &'a [Need],
    all: &[Parameter],
    values: &BTreeMap<String, String>,
) -> Option<&'a Need> {
    let default = |name: &str| all.iter().find(|one| one.name == name)?.default.as_deref();
    let value =
        |name: &str| values.get(name).map(String::as_str).or_else(|| default(name)).unwrap_or_default();
    needs.iter().find(|need| need.parameter == one.name && need.holds(value))
}

/// An alert for a channel without a conversation would reach nobody.
fn every_channel(given: &str, channels: &[String]) -> Result<()> {
    let named: Vec<&str> = given.split(',').filter_map(|pair| Some(pair.split_once('=')?.0)).collect();
    for channel in channels {
        ensure!(
            named.contains(&channel.as_str()),
            "SlackChannels lacks the channel `{channel}`, which the policy names; add {channel}=C…"
        );
    }
    Ok(())
}

/// As a stack can be called, in lower case, since it begins the names of secrets and queues.
fn stack_name(name: &str) -> Result<()> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let good = name.len() <= 40 && name.starts_with(|first: char| first.is_ascii_lowercase());
    ensure!(
        good && name.bytes().all(plain),
        "the stack's name has at most 40 of a-z, 0-9 and -, a letter first"
    );
    Ok(())
}

fn env_name(name: &str) -> Result<()> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if name.is_empty() || name == "version" || !name.bytes().all(plain) {
        bail!("--config-env has letters, digits, - and _");
    }
    Ok(())
}

fn region_name(name: &str) -> Result<()> {
    let parts: Vec<&str> = name.split('-').collect();
    let plain = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase());
    let good = match parts.as_slice() {
        [words @ .., number] => words.len() >= 2 && words.iter().all(plain) && number.parse::<u8>().is_ok(),
        [] => false,
    };
    ensure!(good, "a region is like eu-central-1");
    Ok(())
}

fn next_steps(options: &InitOptions, stack: &str, in_place: bool) -> String {
    let env = match options.config_env.as_str() {
        "default" => String::new(),
        other => format!(" --config-env {other}"),
    };
    let policy = |folder: &Path| {
        format!(
            "0. Let template.yaml's PolicyLayer take its ContentUri from {}, and commit the two.\n",
            folder.display()
        )
    };
    format!(
        "{} and {} are written. Next:\n{}\
         1. Commit the policy, then `countersign policy seal`, and commit again: who changed a rule last signs\n   \
         nothing by it.\n\
         2. sam build{env} && sam deploy{env}\n\
         3. Fill the secrets under {stack}/, as the stack's output Secrets says.\n\
         4. STRIPE_API_KEY=… countersign webhook register --url WEBHOOK_URL --secret {stack}/webhook/default\n\
         5. countersign person put --table APPROVALS_TABLE …, for everybody who may sign\n\
         6. countersign doctor, until every line is ok\n\
         The capitals are outputs of the stack; README.md says more of each step.",
        options.config.display(),
        options.policy.display(),
        if in_place { String::new() } else { policy(&options.policy) },
    )
}

#[cfg(test)]
mod tests;
