//! Which help desk, from the environment.

use runtime::{Clock, Env, EnvError, Secrets};

use super::{HelpDesk, Intercom, Zendesk};
use crate::config::{ConfigError, client};

/// Tags by which a team marks what a customer asks for, in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tags {
    /// `HELP_DESK_REFUND_TAGS`: money back; `refund` unless set.
    pub refund: Vec<String>,
    /// `HELP_DESK_CANCELLATION_TAGS`: an end; `cancellation` unless set.
    pub cancellation: Vec<String>,
}

impl Tags {
    fn from_env(env: &Env) -> Self {
        let tags = |name: &str, usual: &str| -> Vec<String> {
            let given = env.optional(name).unwrap_or(usual);
            given.split(',').map(|tag| tag.trim().to_lowercase()).filter(|tag| !tag.is_empty()).collect()
        };
        Self {
            refund: tags("HELP_DESK_REFUND_TAGS", "refund"),
            cancellation: tags("HELP_DESK_CANCELLATION_TAGS", "cancellation"),
        }
    }

    /// Whether one of `given` says that the customer asks for money back, and for an end.
    pub(super) fn asked<'a>(&self, given: impl Iterator<Item = &'a str>) -> (bool, bool) {
        let given: Vec<String> = given.map(str::to_lowercase).collect();
        let any = |wanted: &[String]| given.iter().any(|tag| wanted.contains(tag));
        (any(&self.refund), any(&self.cancellation))
    }
}

impl HelpDesk {
    /// The help desk that `HELP_DESK` names (`zendesk`, `intercom`), or none if it is not set; then this
    /// part of every context is missing, and tickets stay with the case.
    ///
    /// Both: the tags of [`Tags`]. Zendesk: `ZENDESK_SUBDOMAIN_URL` (`https://company.zendesk.com`),
    /// `ZENDESK_USER` (the e-mail address of the agent that the token belongs to) and
    /// `ZENDESK_TOKEN_SECRET`, the name of the secret with the API token. Intercom:
    /// `INTERCOM_TOKEN_SECRET`, the name of the secret with the app's access token;
    /// `INTERCOM_TICKET_TYPE`, the id of the ticket type; `INTERCOM_CUSTOMER_FIELD`, the contact's field
    /// with the Stripe customer id (`external_id` unless set, or `custom_attributes.stripe_id`);
    /// `INTERCOM_API_BASE` for a region, such as `https://api.eu.intercom.io`, or a stand-in.
    ///
    /// # Errors
    /// [`ConfigError`] says what to set.
    pub async fn from_env(env: &Env, secrets: &Secrets, clock: Clock) -> Result<Option<Self>, ConfigError> {
        match env.optional("HELP_DESK") {
            None => Ok(None),
            Some("zendesk") => {
                let base = env.optional_base("ZENDESK_SUBDOMAIN_URL")?;
                let base = base.ok_or(EnvError::Missing { name: "ZENDESK_SUBDOMAIN_URL" })?;
                let user = env.required("ZENDESK_USER")?;
                let token = secrets.get(env.required("ZENDESK_TOKEN_SECRET")?).await?;
                let tags = Tags::from_env(env);
                Ok(Some(Self::Zendesk(Zendesk::new(client(&base)?, &base, user, token, tags, clock))))
            }
            Some("intercom") => {
                let base = env.base("INTERCOM_API_BASE", super::intercom::API)?;
                let ticket_type = env.required("INTERCOM_TICKET_TYPE")?;
                let field = env.optional("INTERCOM_CUSTOMER_FIELD").unwrap_or("external_id");
                let token = secrets.get(env.required("INTERCOM_TOKEN_SECRET")?).await?;
                let desk = Intercom::new(client(&base)?, &base, token, ticket_type, clock);
                Ok(Some(Self::Intercom(desk.with_customer_field(field).with_tags(Tags::from_env(env)))))
            }
            Some(_) => Err(EnvError::invalid("HELP_DESK", "`zendesk` or `intercom`, or not set").into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use runtime::aws::Aws;

    use super::*;

    async fn configured(variables: &[(&str, &str)]) -> Result<Option<HelpDesk>, ConfigError> {
        let aws = [
            ("AWS_REGION", "eu-central-1"),
            ("AWS_ACCESS_KEY_ID", "local"),
            ("AWS_SECRET_ACCESS_KEY", "local"),
            ("AWS_ENDPOINT_URL_SECRETS_MANAGER", "http://127.0.0.1:1"),
        ];
        let env: Env = aws.iter().chain(variables).copied().collect();
        let secrets = Secrets::new(Aws::from_env(&env).unwrap().secrets_manager());
        HelpDesk::from_env(&env, &secrets, runtime::system_clock()).await
    }

    #[tokio::test]
    async fn without_a_help_desk_there_is_none_and_a_bad_setting_is_named() {
        assert!(configured(&[]).await.unwrap().is_none());
        let zendesk = [
            ("HELP_DESK", "zendesk"),
            ("ZENDESK_SUBDOMAIN_URL", "https://company.zendesk.com"),
            ("ZENDESK_USER", "agent@company.test"),
        ];
        let intercom = [("HELP_DESK", "intercom"), ("INTERCOM_TICKET_TYPE", "1234")];
        for (variables, named) in [
            (&[("HELP_DESK", "letters")][..], "HELP_DESK"),
            (&zendesk[..1], "ZENDESK_SUBDOMAIN_URL"),
            (&zendesk[..2], "ZENDESK_USER"),
            (&zendesk[..], "ZENDESK_TOKEN_SECRET"),
            (&intercom[..1], "INTERCOM_TICKET_TYPE"),
            (&intercom[..], "INTERCOM_TOKEN_SECRET"),
        ] {
            let error = configured(variables).await.unwrap_err().to_string();
            assert!(error.contains(named), "{error}");
        }
    }

    #[test]
    fn a_team_names_its_own_tags() {
        let tags = |variables: &[(&str, &str)]| Tags::from_env(&variables.iter().copied().collect());
        assert_eq!(tags(&[]).asked(["Refund"].into_iter()), (true, false));
        let own = tags(&[("HELP_DESK_CANCELLATION_TAGS", "Churn, leaving,"), ("HELP_DESK_REFUND_TAGS", ",")]);
        assert_eq!(own.asked(["churn", "refund", ""].into_iter()), (false, true));
    }
}
