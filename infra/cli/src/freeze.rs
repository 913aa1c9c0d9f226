//! `countersign freeze`: one switch that stops the agent's steps and every approval.

use anyhow::{Context as _, Result};
use domain::PersonId;
use runtime::{Env, aws::Aws, system_clock};
use store::{Approvals, Cases, Freeze};

use crate::{
    End,
    args::{FreezeCommand, Switch},
};

/// Turns the switch, or says how it stands.
pub(crate) fn run(command: &FreezeCommand, env: &Env) -> Result<End> {
    let tables = match command {
        FreezeCommand::On(Switch { tables, .. })
        | FreezeCommand::Off(tables)
        | FreezeCommand::Status(tables) => tables,
    };
    let client = Aws::from_env(env).context("AWS credentials are read from the environment")?.dynamodb();
    let cases = Cases::new(client.clone(), tables.cases_table.as_str());
    let approvals = Approvals::new(client, tables.approvals_table.as_str());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        match command {
            FreezeCommand::On(Switch { by, why, .. }) => on(&cases, &approvals, by, why).await?,
            FreezeCommand::Off(_) => off(&cases, &approvals).await?,
            FreezeCommand::Status(_) => {}
        }
        status(&cases, &approvals).await
    })
}

/// Money first: if the second write fails, what matters more is stopped, and the command says so.
async fn on(cases: &Cases, approvals: &Approvals, by: &PersonId, why: &str) -> Result<()> {
    let freeze = Freeze { by: by.clone(), why: why.to_owned(), at: (system_clock())() };
    approvals.freeze(&freeze).await.context("nothing is stopped: approvals could not be frozen")?;
    cases.freeze().await.context("approvals are stopped, but the agent's steps are not; run it again")
}

/// The other way round, so that money is let go last.
async fn off(cases: &Cases, approvals: &Approvals) -> Result<()> {
    cases.unfreeze().await.context("everything is as it was: the agent's steps could not be let go")?;
    approvals.unfreeze().await.context("the agent's steps run, but approvals are still stopped; run it again")
}

/// Exit 0 if both agree, 1 if they do not: then somebody turned one of them by hand.
async fn status(cases: &Cases, approvals: &Approvals) -> Result<End> {
    let (steps, freeze) = (cases.is_frozen().await?, approvals.frozen().await?);
    Ok(match (steps, freeze) {
        (false, None) => End::good("nothing is stopped"),
        (true, Some(Freeze { by, why, at })) => {
            End::good(format!("everything is stopped since {at}, by {by}: {why}"))
        }
        (true, None) => End::no("only the agent's steps are stopped; run `freeze on` or `freeze off`"),
        (false, Some(_)) => End::no("only approvals are stopped; run `freeze on` or `freeze off`"),
    })
}

/// `countersign revoke link-key`: no link that this key signed is good from now on.
pub(crate) fn revoke_link_key(table: &str, key: &str, env: &Env) -> Result<End> {
    let client = Aws::from_env(env).context("AWS credentials are read from the environment")?.dynamodb();
    let approvals = Approvals::new(client, table);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let new = runtime.block_on(approvals.revoke_link_key(key)).context("the key was not revoked")?;
    Ok(End::good(if new {
        format!("links of `{key}` are good no longer; store a new link key as well")
    } else {
        format!("links of `{key}` were revoked before")
    }))
}
