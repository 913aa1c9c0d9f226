//! Asking: the configured model, or the stand-in.

use std::{
    str::FromStr,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};
use connectors::{
    failure::{Cause, Lost},
    model::{Model, Price, Question},
};
use indicatif::{ProgressBar, ProgressStyle};
use runtime::{http::Base, system_clock};
use sandbox::{
    Clock, Loopback, Shelf,
    model::{self, MODEL_ID, Mode},
    world::MODEL_PRICE,
};

use super::{
    cases::Labelled,
    record::{Answer, Outcome},
};

/// How often a question is asked again that came too early.
const PATIENCE: u32 = 3;
/// How long is waited for that at most, in seconds.
const LONGEST: u64 = 60;

/// Who is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whom {
    /// The model of the environment.
    Configured,
    /// The sandbox's model, in this mode.
    StandIn(Mode),
}

impl FromStr for Whom {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "environment" {
            return Ok(Self::Configured);
        }
        let mode = text.strip_prefix("sandbox:").and_then(Mode::parse);
        mode.map(Self::StandIn).ok_or_else(|| {
            let modes: Vec<&str> = Mode::ALL.into_iter().map(Mode::as_str).collect();
            format!("`environment`, or `sandbox:` and one of {}", modes.join(", "))
        })
    }
}

/// The sandbox's model, and its client.
pub(super) async fn stand_in(mode: Mode) -> Result<(Model, Loopback)> {
    let key = uuid::Uuid::new_v4().to_string();
    let model = model::Model::open(&key, Shelf::memory()?, Clock::running())?;
    model.set(mode);
    let server = Loopback::serve(0, Arc::clone(&model).router()).await?;
    let base = Base::parse(&server.url())?;
    let (http, price) = (runtime::http::client(&[&base])?, Price::parse(MODEL_PRICE)?);
    Ok((Model::anthropic(MODEL_ID, price, http, &base, key.into(), system_clock()), server))
}

/// Asks about every case, one after another.
///
/// # Errors
/// If the model does not let us ask: no other case would fare better.
pub(super) async fn all(model: &Model, cases: &[Labelled], most: u32) -> Result<Vec<Answer>> {
    // It draws nothing where standard error is not a terminal.
    let bar = ProgressBar::new(u64::try_from(cases.len()).unwrap_or(u64::MAX));
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} cases, {eta} left") {
        bar.set_style(style);
    }
    let mut answers = Vec::new();
    for case in cases {
        answers.push(one(model, case, most).await?);
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(answers)
}

async fn one(model: &Model, case: &Labelled, most: u32) -> Result<Answer> {
    let prompt = case.brief.prompt();
    let question = Question {
        system: prompt.system.to_owned(),
        input: prompt.input,
        schema: prompt.schema,
        max_tokens: most,
    };
    let input = case.brief.digest(model.id());
    let mut patience = PATIENCE;
    loop {
        let began = Instant::now();
        let asked = model.ask(&question).await;
        let millis = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let outcome = match asked {
            Ok(reply) => {
                Outcome::Answered { text: reply.text, read: reply.tokens.input, written: reply.tokens.output }
            }
            Err(error) => match &error.cause {
                Cause::NotAllowed { .. } | Cause::Refused { .. } => bail!("{}", error.explain()),
                Cause::Limited { after } if patience > 0 => {
                    patience -= 1;
                    tokio::time::sleep(Duration::from_secs(after.unwrap_or(5).min(LONGEST))).await;
                    continue;
                }
                cause => Outcome::Unanswered { why: why(cause).to_owned() },
            },
        };
        return Ok(Answer { input, outcome, millis });
    }
}

/// Why there is no answer, in a few words.
const fn why(cause: &Cause) -> &'static str {
    match cause {
        Cause::Unanswered(why) => why,
        Cause::NoAnswer(Lost::TimedOut) => "nothing in time",
        Cause::NoAnswer(Lost::Unreadable) => "unreadable",
        Cause::LeftAlone { .. } => "left alone after failures in a row",
        Cause::Limited { .. } => "the rate is limited",
        _ => "no connection",
    }
}
