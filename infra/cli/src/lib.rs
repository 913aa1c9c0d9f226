//! The operator's command line, `countersign`, and the pipeline that it runs on one machine.

mod advisor;
mod args;
pub mod console;
mod doctor;
mod freeze;
mod init;
mod keys;
pub mod local;
mod operate;
mod passkey;
mod person;
mod policy;
mod seal;
mod step;
mod trail;
mod webhook;
mod why;

use std::{ffi::OsString, io::Write as _, process::ExitCode};

use args::{
    AdvisorCommand, Arguments, Command, KeysCommand, PasskeyCommand, PersonCommand, PolicyCommand,
    RevokeCommand, StepCommand, TrailCommand,
};
use runtime::{Env, system_clock};

/// Runs the command that the arguments name; without one, `local`.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments = match Arguments::read(arguments) {
        Ok(arguments) => arguments,
        Err(end) => return end.say(),
    };
    let env = Env::of_process();
    let ended = match arguments.command() {
        Command::Local(options) => local::run(&options, &env),
        Command::Init(options) => init::run(&options),
        Command::Doctor(options) => doctor::run(&options, &env),
        Command::Advisor(AdvisorCommand::Eval(options)) => advisor::eval(&options, &env),
        Command::Webhook(command) => webhook::run(&command, &env),
        Command::Trail(TrailCommand::Verify(options)) => Ok(trail::verify(&options)),
        Command::Policy(PolicyCommand::Seal(options)) => seal::run(&options),
        Command::Freeze(command) => freeze::run(&command, &env),
        Command::Revoke(RevokeCommand::LinkKey { table, key }) => freeze::revoke_link_key(&table, &key, &env),
        Command::Trail(TrailCommand::Export(options)) => trail::export(&options, &env, (system_clock())()),
        Command::Keys(KeysCommand::Rotate(options)) => keys::rotate(&options, &env, (system_clock())()),
        Command::Keys(KeysCommand::Public(secret)) => keys::show(&secret, &env),
        Command::Policy(PolicyCommand::Check(options)) => Ok(policy::check(&options)),
        Command::Policy(PolicyCommand::Explain(options)) => Ok(policy::explain(&options)),
        Command::Policy(PolicyCommand::Diff(options)) => Ok(policy::diff(&options)),
        Command::Policy(PolicyCommand::Backtest(options)) => Ok(policy::backtest(&options)),
        Command::Why(options) => Ok(why::tell(&options, &env)),
        Command::Replay(options) => operate::replay(&options, &env),
        Command::Resync(options) => operate::resync(&options, &env),
        Command::Redrive(options) => operate::redrive(&options, &env),
        Command::Digest(options) => operate::digest(&options, &env),
        Command::Passkey(PasskeyCommand::List(of)) => passkey::list(&of, &env),
        Command::Passkey(PasskeyCommand::Confirm(which)) => passkey::confirm(&which, &env),
        Command::Passkey(PasskeyCommand::Remove(which)) => passkey::remove(&which, &env),
        Command::Step(StepCommand::Retry(options)) => step::retry(&options, &env),
        Command::Person(PersonCommand::Put(person)) => person::put(person, &env),
        Command::Person(PersonCommand::Deactivate(person)) => person::deactivate(&person, &env),
    };
    match ended {
        Ok(said) => said.say(),
        Err(error) => End::failure(&error).say(),
    }
}

/// How a command ends: what it says last and its exit code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct End {
    code: u8,
    out: String,
    error: String,
}

impl End {
    /// 0, with a line for standard output.
    pub(crate) fn good(line: impl Into<String>) -> Self {
        Self { code: 0, out: line.into(), error: String::new() }
    }

    /// 1: the answer is no. It is what was asked for, so it goes to standard output.
    pub(crate) fn no(line: impl Into<String>) -> Self {
        Self { code: 1, out: line.into(), error: String::new() }
    }

    /// 1: something went wrong, told in one line with its causes.
    pub(crate) fn failure(error: &anyhow::Error) -> Self {
        Self { code: 1, out: String::new(), error: one_line(&format!("error: {error:#}")) }
    }

    /// 2: it was not asked for in the right way.
    pub(crate) fn usage(why: impl Into<String>) -> Self {
        let why: String = why.into();
        Self { code: 2, out: String::new(), error: one_line(&format!("error: {why}")) }
    }

    fn say(self) -> ExitCode {
        // A closed pipe is the reader's choice.
        if !self.out.is_empty() {
            let _ = writeln!(std::io::stdout(), "{}", self.out.trim_end());
        }
        if !self.error.is_empty() {
            let _ = writeln!(std::io::stderr(), "{}", self.error);
        }
        ExitCode::from(self.code)
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
