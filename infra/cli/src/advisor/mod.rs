//! `countersign advisor eval`: how good a language model's advice is, over cases whose right answers are known.
//!
//! Every case is decided by the rules, put to the model as the processor puts it, and its answer is checked as
//! there. What comes out stands beside what the rules decide alone.

mod ask;
mod cases;
mod invented;
mod record;
mod report;

use anyhow::{Context as _, Result, ensure};
use connectors::model::Model;
use runtime::{Env, Secrets, aws::Aws, system_clock};

pub(crate) use ask::Whom;
use cases::Labelled;
use record::{Header, Recording};

use crate::{End, args::EvalOptions};

/// Asks about every case, or takes the answers from a record, and reports.
pub(crate) fn eval(options: &EvalOptions, env: &Env) -> Result<End> {
    let bundle = runtime::policy::load(&options.policy)?;
    let cases = cases::read(options.cases.as_deref(), &options.policy, &bundle)?;
    ensure!(!cases.is_empty(), "there is no case; write some, a line each");
    let recording = if let Some(file) = &options.replay {
        Recording::read(file, &cases)?
    } else {
        let threads = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        threads.block_on(run(options, env, &cases, &bundle.settings().advice))?
    };
    if let Some(file) = &options.record {
        recording.write(file)?;
    }
    let (text, is_clean) = report::of(&recording, &cases, bundle.id());
    Ok(if is_clean { End::good(text) } else { End::no(text) })
}

async fn run(
    options: &EvalOptions,
    env: &Env,
    cases: &[Labelled],
    settings: &domain::policy::AdviceSettings,
) -> Result<Recording> {
    // The stand-in answers as long as it is held.
    let (model, stand_in) = match options.model {
        Whom::StandIn(mode) => {
            let (model, stand_in) = ask::stand_in(mode).await?;
            (model, Some(stand_in))
        }
        Whom::Configured => (configured(env).await?, None),
    };
    let model = model.within(std::time::Duration::from_secs(settings.timeout_seconds.into()));
    let answers = ask::all(&model, cases, settings.answer_tokens).await?;
    drop(stand_in);
    Ok(Recording { header: Header::of(&model, options.model), answers })
}

/// The model of the environment, as the processor reads it.
async fn configured(env: &Env) -> Result<Model> {
    let aws = Aws::from_env(env)?;
    let secrets = Secrets::new(aws.secrets_manager());
    let model = Model::from_env(env, &aws, &secrets, system_clock()).await?;
    model.context(
        "no model is configured: set `MODEL` and what belongs to it, or try --model sandbox:sensible",
    )
}
