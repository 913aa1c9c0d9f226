//! The systems around Stripe: CRM, help desk, the business's own application.

use connectors::{
    ConnectorError,
    application::{self, CustomerContext},
    crm::Crm,
    failure::Cause,
    help_desk::HelpDesk,
};
use runtime::{Clock, Env, Secrets, failure};

use super::Findings;

pub(super) async fn examine(env: &Env, secrets: &Secrets, clock: &Clock, found: &mut Findings) {
    match Crm::from_env(env, secrets, clock.clone()).await {
        Ok(None) => {}
        Err(error) => found.bad("CRM", failure::chain(&error)),
        Ok(Some(crm)) => match crm.check().await {
            Ok(missing) if missing.is_empty() => {
                found.good("CRM", "the key is accepted, every field is there");
            }
            Ok(missing) => missing.iter().for_each(|one| found.bad("CRM", one)),
            Err(error) => found.bad("CRM", told(&error)),
        },
    }
    match HelpDesk::from_env(env, secrets, clock.clone()).await {
        Ok(None) => {}
        Err(error) => found.bad("help desk", failure::chain(&error)),
        Ok(Some(desk)) => match desk.check().await {
            Ok(missing) if missing.is_empty() => found.good("help desk", "the key is accepted"),
            Ok(missing) => missing.iter().for_each(|one| found.bad("help desk", one)),
            Err(error) => found.bad("help desk", told(&error)),
        },
    }
    match application(env, secrets, clock).await {
        Ok(None) => {}
        Err(error) => found.bad("application", format!("{error:#}")),
        Ok(Some(application)) => match application.check().await {
            Ok(()) => found.good("application", "it answers and takes our signature"),
            Err(error) => found.bad("application", told(&error)),
        },
    }
}

async fn application(env: &Env, secrets: &Secrets, clock: &Clock) -> anyhow::Result<Option<CustomerContext>> {
    let Some(config) = application::Config::from_env(env)? else { return Ok(None) };
    let signing = runtime::secrets::list(&config.secret, &secrets.get(&config.secret).await?)?;
    let http = runtime::http::client(&[&config.base])?;
    Ok(Some(CustomerContext::new(http, config.base, signing, clock.clone())))
}

/// What happened and what to do.
pub(super) fn told(error: &ConnectorError) -> String {
    let repair = match &error.cause {
        Cause::NotAllowed { .. } => "store a key that is accepted and has the scopes that the module names",
        Cause::Refused { .. } | Cause::NotFound(_) => "correct the address, or the setting that it names",
        Cause::Contradictory(_) => "make it answer as documented in `shared/connectors`",
        Cause::Limited { .. } | Cause::LeftAlone { .. } | Cause::Settling { .. } => {
            "wait, and run this again"
        }
        Cause::NotReached => "correct the address, or let this machine reach it",
        Cause::Unanswered(_) => "choose another model",
        Cause::NoAnswer(_) | Cause::Unknown(_) => "check the vendor's status, and run this again",
    };
    format!("{}; {repair}", error.explain())
}
