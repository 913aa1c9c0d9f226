//! The help desk: what a customer is talking about, tickets for colleagues, and drafts of replies.
//! Nothing here is ever sent to a customer.

#[cfg(test)]
mod tests;
mod zendesk;

use runtime::{Env, EnvError, http::Base};

pub use zendesk::Zendesk;

/// Tags by which a team marks what a customer asks for, in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tags {
    /// `HELP_DESK_REFUND_TAGS`: money back; `refund` unless set.
    pub refund: Vec<String>,
    /// `HELP_DESK_CANCELLATION_TAGS`: an end; `cancellation` unless set.
    pub cancellation: Vec<String>,
}

/// Which help desk, from the environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// `ZENDESK_SUBDOMAIN_URL`: `https://company.zendesk.com`.
    pub base: Base,
    /// `ZENDESK_USER`: the e-mail address of the agent that the token belongs to.
    pub user: String,
    /// `ZENDESK_TOKEN_SECRET`: the name of the secret with the API token.
    pub secret: String,
    /// What the tags mean.
    pub tags: Tags,
}

impl Config {
    /// `None` without `HELP_DESK`: then this part of every context is missing, and tickets stay with
    /// the case.
    ///
    /// # Errors
    /// Names the variable that is missing or wrong.
    pub fn from_env(env: &Env) -> Result<Option<Self>, EnvError> {
        match env.optional("HELP_DESK") {
            None => return Ok(None),
            Some("zendesk") => {}
            Some(_) => return Err(EnvError::invalid("HELP_DESK", "`zendesk`, or absent")),
        }
        let base = env.optional_base("ZENDESK_SUBDOMAIN_URL")?;
        let tags = |name: &str, usual: &str| -> Vec<String> {
            let given = env.optional(name).unwrap_or(usual);
            given.split(',').map(|tag| tag.trim().to_lowercase()).filter(|tag| !tag.is_empty()).collect()
        };
        Ok(Some(Self {
            base: base.ok_or(EnvError::Missing { name: "ZENDESK_SUBDOMAIN_URL" })?,
            user: env.required("ZENDESK_USER")?.to_owned(),
            secret: env.required("ZENDESK_TOKEN_SECRET")?.to_owned(),
            tags: Tags {
                refund: tags("HELP_DESK_REFUND_TAGS", "refund"),
                cancellation: tags("HELP_DESK_CANCELLATION_TAGS", "cancellation"),
            },
        }))
    }
}
