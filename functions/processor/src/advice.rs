//! Asking a language model for advice on a decision: within its time, within its budgets, at most once in a turn,
//! and never so that anything depends on it. Whatever goes wrong here leaves the decision as it was made.

use std::{future::Future, time::Duration};

use connectors::{
    ConnectorError,
    failure::{Cause, Lost},
    model::{Model, Question, Tokens},
};
use domain::{
    Case, CaseKey, Digest, RunId,
    advice::{Advised, Brief, Consulted, Prompt, Verdict, advise},
    context::Context,
    decide::{Decision, brief},
};
use runtime::{Metrics, failure};
use store::{
    StoreError,
    advice::{Exhausted, Remembered, Taken, Used},
};
use tokio::time::{sleep, timeout};

use crate::App;

/// How often a budget is asked for while others change it at the same time.
const TRIES: u32 = 4;

/// A day, in seconds.
const DAY: i64 = 86_400;

/// What a model said in this turn: a turn that is decided anew asks nothing again.
#[derive(Debug, Clone)]
pub(crate) struct Heard {
    /// What is kept of it.
    pub(crate) consulted: Consulted,
    /// What may be used of it.
    pub(crate) advised: Option<Advised>,
}

impl Heard {
    fn without(consulted: Consulted) -> Self {
        Self { consulted, advised: None }
    }
}

/// What a model says about a decision, if the policy wants one asked, one is configured, and there is something
/// to ask.
pub(crate) async fn consult(
    app: &App,
    metrics: &Metrics,
    run: &RunId,
    heard: &mut Option<Heard>,
    (key, context, before): (&CaseKey, &Context, Option<&Case>),
    decision: &Decision,
) -> Option<Heard> {
    let model = app.advisor.as_ref()?;
    let brief = brief(key, context, before, &app.bundle, decision)?;
    let input = brief.digest(model.id());
    let now = match heard {
        Some(heard) if heard.consulted.input == input => heard.clone(),
        // Another question in the same turn, since somebody changed the case meanwhile.
        Some(_) => not_asked(metrics, model, input, "asked_already"),
        None => match app.cases.remembered_advice(input, (app.clock)()).await {
            Ok(Some(remembered)) => from_memory(metrics, model, &brief, input, &remembered),
            Ok(None) => ask(app, metrics, run, model, key, &brief, input).await,
            Err(error) => {
                tracing::warn!(case = %key, failure = failure::chain(&error), "no advice was looked for");
                not_asked(metrics, model, input, "no_memory")
            }
        },
    };
    *heard = Some(now.clone());
    Some(now)
}

fn not_asked(metrics: &Metrics, model: &Model, input: Digest, why: &str) -> Heard {
    metrics.count_by("advice_not_asked", why, 1);
    Heard::without(Consulted::not_asked(model.id(), input, why))
}

fn from_memory(
    metrics: &Metrics,
    model: &Model,
    brief: &Brief,
    input: Digest,
    remembered: &Remembered,
) -> Heard {
    metrics.count("advice_remembered", 1);
    let mut heard = judged(metrics, model, brief, input, &remembered.answer);
    heard.consulted.remembered = true;
    heard
}

/// The verdict on an answer. One that is remembered is checked again: nobody vouches for a row.
fn judged(metrics: &Metrics, model: &Model, brief: &Brief, input: Digest, answer: &str) -> Heard {
    let verdict = advise(brief, answer);
    let consulted = Consulted::answered(model.id(), input, &verdict, answer);
    let advised = match verdict {
        Verdict::Taken(advised) => {
            metrics.count("advice_taken", 1);
            Some(advised)
        }
        Verdict::Refused(objections) => {
            metrics.count("advice_refused", 1);
            for objection in &objections {
                metrics.count_by("advice_refused", &objection.reason, 1);
            }
            None
        }
    };
    Heard { consulted, advised }
}

async fn ask(
    app: &App,
    metrics: &Metrics,
    run: &RunId,
    model: &Model,
    key: &CaseKey,
    brief: &Brief,
    input: Digest,
) -> Heard {
    let (settings, now) = (app.bundle.settings().advice, (app.clock)());
    let prompt = brief.prompt();
    let most = Tokens { input: prompt.most_tokens().into(), output: settings.answer_tokens.into() };
    let Prompt { system, input: asked, schema } = prompt;
    let taken =
        Taken { case: key.clone(), day: now.day(), id: format!("{run} {input}"), used: used(model, most) };
    let room = patiently(|| app.cases.take_advice(&taken, settings.per_case, settings.per_day, now)).await;
    match room {
        Ok(Ok(())) => {}
        Ok(Err(exhausted)) => {
            let which = match exhausted {
                Exhausted::Case => "case_budget",
                Exhausted::Day => "day_budget",
            };
            return not_asked(metrics, model, input, which);
        }
        Err(error) => {
            tracing::warn!(case = %key, failure = failure::chain(&error), "no model is asked without a budget");
            return not_asked(metrics, model, input, "no_budget");
        }
    }
    metrics.count("advice_asked", 1);
    let question =
        Question { system: system.to_owned(), input: asked, schema, max_tokens: settings.answer_tokens };
    let reply = match timeout(patience(app), model.ask(&question)).await {
        Ok(Ok(reply)) => reply,
        // What it used is not known, so what was taken stays taken.
        Ok(Err(error)) => {
            tracing::warn!(case = %key, failure = failure::chain(&error), "a model gave no answer");
            return unanswered(metrics, model, input, why(&error));
        }
        Err(_) => {
            tracing::warn!(case = %key, "a model gave no answer in its time");
            return unanswered(metrics, model, input, "timed_out");
        }
    };
    let spent = used(model, reply.tokens);
    if let Err(error) = patiently(|| app.cases.settle_advice(&taken, spent)).await {
        tracing::warn!(case = %key, failure = failure::chain(&error), "a question counts as the longest would");
    }
    metrics.count("advice_tokens", reply.tokens.input.saturating_add(reply.tokens.output));
    metrics.count("advice_cost_micro_usd", model.price().of(reply.tokens));
    let remembered = Remembered { answer: reply.text, at: now };
    let until = now.plus(i64::from(settings.remembered_days) * DAY);
    if let Err(error) = app.cases.remember_advice(input, &remembered, until).await {
        tracing::warn!(case = %key, failure = failure::chain(&error), "an answer is not remembered");
    }
    let mut heard = judged(metrics, model, brief, input, &remembered.answer);
    heard.consulted.tokens =
        domain::advice::Tokens { input: reply.tokens.input, output: reply.tokens.output };
    heard
}

fn unanswered(metrics: &Metrics, model: &Model, input: Digest, why: &str) -> Heard {
    metrics.count("advice_unanswered", 1);
    metrics.count_by("advice_unanswered", why, 1);
    Heard::without(Consulted::unanswered(model.id(), input, why))
}

/// Why a model gave no answer, in one word.
const fn why(error: &ConnectorError) -> &'static str {
    match &error.cause {
        Cause::NoAnswer(Lost::TimedOut) | Cause::Unknown(Lost::TimedOut) => "timed_out",
        Cause::Unanswered(_) => "refused",
        Cause::NotAllowed { .. } => "not_allowed",
        Cause::Limited { .. } => "limited",
        Cause::LeftAlone { .. } => "left_alone",
        _ => "unavailable",
    }
}

fn used(model: &Model, tokens: Tokens) -> Used {
    let whole = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    Used {
        questions: 1,
        tokens: whole(tokens.input.saturating_add(tokens.output)),
        cost: whole(model.price().of(tokens)),
    }
}

/// Does it again for a moment if others write the same row.
async fn patiently<T, Done>(call: impl Fn() -> Done) -> Result<T, StoreError>
where
    Done: Future<Output = Result<T, StoreError>>,
{
    for tries in 1..TRIES {
        match call().await {
            Err(error) if error.is_conflict() => {
                sleep(Duration::from_millis(20 << tries)).await;
            }
            done => return done,
        }
    }
    call().await
}

/// How long a turn may wait for a model: a little longer than the model's own time-out, which its breaker counts.
pub(crate) fn patience(app: &App) -> Duration {
    let seconds = u64::from(app.bundle.settings().advice.timeout_seconds) + 1;
    app.advisor.as_ref().map_or(Duration::ZERO, |_| Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_row_that_others_write_is_asked_for_again_a_few_times() {
        let tries = std::cell::Cell::new(0);
        let busy = || {
            tries.set(tries.get() + 1);
            let done = if tries.get() < 3 { Err(StoreError::Conflict { what: "it" }) } else { Ok(7) };
            std::future::ready(done)
        };
        assert_eq!(patiently(busy).await.unwrap(), 7);
        let never = || std::future::ready(Err::<(), _>(StoreError::Conflict { what: "it" }));
        assert!(patiently(never).await.unwrap_err().is_conflict());
        let broken = || {
            tries.set(tries.get() + 1);
            std::future::ready(Err::<(), _>(StoreError::Table { call: "x", why: "y".into() }))
        };
        assert!(!patiently(broken).await.unwrap_err().is_conflict());
        assert_eq!(tries.get(), 4, "another failure is none of waiting");
    }
}
