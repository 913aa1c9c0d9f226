//! `countersign why`: what was decided about a Stripe object, and why nothing happened where nothing did.

mod answer;
mod look;
mod words;

use anyhow::{Context as _, Result, bail};
use domain::ObjectId;
use runtime::{
    Env,
    aws::Aws,
    http::{Base, client},
};

use crate::{End, args::WhyOptions};

pub(crate) use answer::Answer;
pub(crate) use look::look;

/// Tells what is known about an object.
pub(crate) fn tell(options: &WhyOptions, env: &Env) -> End {
    match ask(options, env) {
        Ok(answer) if answer.is_empty() => End::no(answer.to_string()),
        Ok(answer) => End::good(answer.to_string()),
        Err(error) => End::usage(format!("{error:#}")),
    }
}

fn ask(options: &WhyOptions, env: &Env) -> Result<Answer> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match &options.cases_table {
        Some(table) => {
            let client =
                Aws::from_env(env).context("AWS credentials are read from the environment")?.dynamodb();
            Ok(runtime.block_on(look(&client, table, options.approvals_table.as_deref(), &options.object))?)
        }
        None => runtime.block_on(fetch(&options.api, &options.object)),
    }
}

async fn fetch(api: &str, object: &ObjectId) -> Result<Answer> {
    let Ok(base) = Base::parse(api) else {
        bail!("`{api}` is not the URL of a pipeline, as http://localhost:8400");
    };
    let url = format!("{}/_console/why/{object}", base.as_str());
    let answer = client(&[&base])?.get(&url).send().await.with_context(|| {
        format!("nothing answers at {url}; start `countersign local`, or name its --api or a --cases-table")
    })?;
    let answer = answer.error_for_status().with_context(|| format!("{url} gave no answer"))?;
    let text = answer.text().await.with_context(|| format!("{url} broke off"))?;
    serde_json::from_str(&text).with_context(|| format!("{url} answers in another way"))
}
