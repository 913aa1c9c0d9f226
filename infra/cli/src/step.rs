//! `countersign step retry`: a step that a vendor refused for good is sent again, once somebody has
//! repaired what was wrong.

use anyhow::{Context as _, Result, bail};
use domain::{CaseKey, PersonId};
use http::StatusCode;
use runtime::{
    Env,
    aws::Aws,
    http::{Base, client},
    system_clock,
};
use serde::{Deserialize, Serialize};
use store::{Cases, Retry, StepState};

use crate::{End, args::RetryStep};

/// Which step, and who asks.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Wish {
    pub(crate) case: CaseKey,
    pub(crate) step: String,
    pub(crate) by: PersonId,
}

/// Queues the step, or says why not.
pub(crate) fn retry(options: &RetryStep, env: &Env) -> Result<End> {
    let wish = Wish { case: options.case.clone(), step: options.step.clone(), by: options.by.clone() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let Some(table) = &options.cases_table else { return runtime.block_on(ask(&options.api, &wish)) };
    let client = Aws::from_env(env).context("AWS credentials are read from the environment")?.dynamodb();
    let now = (system_clock())();
    let cases = Cases::new(client, table.as_str());
    let retry = runtime.block_on(cases.retry_step(&wish.case, &wish.step, wish.by.as_str(), now))?;
    Ok(match told(&wish, &retry) {
        Ok(good) => End::good(good),
        Err(no) => End::no(no),
    })
}

/// In words, whether it is queued.
pub(crate) fn told(wish: &Wish, retry: &Retry) -> Result<String, String> {
    let Wish { case, step, .. } = wish;
    match retry {
        Retry::Queued(kind) => Ok(format!(
            "the {kind} {step} of {case} is queued again; the next sweep looks whether the vendor has it and \
             sends it if not"
        )),
        Retry::NotFailed(StepState::Done { vendor_id }) => {
            Err(format!("nothing to do: {step} of {case} is done, as {vendor_id}"))
        }
        Retry::NotFailed(_) => Err(format!("nothing to do: {step} of {case} is being sent and did not fail")),
        Retry::Unknown => {
            Err(format!("{case} has no step {step}; `countersign why {}` tells its steps", case.object()))
        }
    }
}

async fn ask(api: &str, wish: &Wish) -> Result<End> {
    let Ok(base) = Base::parse(api) else {
        bail!("`{api}` is not the URL of a pipeline, as http://localhost:8400");
    };
    let url = format!("{}/_console/steps/retry", base.as_str());
    let answer = client(&[&base])?.post(&url).json(wish).send().await.with_context(|| {
        format!("nothing answers at {url}; start `countersign local`, or name its --api or a --cases-table")
    })?;
    let status = answer.status();
    let text = answer.text().await.with_context(|| format!("{url} broke off"))?;
    match status {
        StatusCode::OK => Ok(End::good(text)),
        StatusCode::CONFLICT => Ok(End::no(text)),
        status => bail!("{url} answered {status}: {}", text.trim()),
    }
}
