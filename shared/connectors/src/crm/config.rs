//! Which CRM, from the environment.

use domain::Currency;
use runtime::{Clock, Env, EnvError, Secrets};

use super::{Credentials, Crm, Fields, HubSpot, Salesforce};
use crate::config::{ConfigError, client};

impl Crm {
    /// The CRM that `CRM` names (`hubspot`, `salesforce`), or none if it is not set.
    ///
    /// Both: `CRM_FIELDS` (see [`Fields::with`]) and `CRM_CURRENCY`, the ISO code of amounts without
    /// one. HubSpot: `HUBSPOT_TOKEN_SECRET`, the name of the secret with the private app's token;
    /// `HUBSPOT_API_BASE` for a stand-in. Salesforce: `SALESFORCE_INSTANCE_URL` (the My Domain URL),
    /// `SALESFORCE_CLIENT_ID`, and `SALESFORCE_CLIENT_SECRET_NAME`, the name of its secret's secret.
    ///
    /// # Errors
    /// [`ConfigError`] says what to set.
    pub async fn from_env(env: &Env, secrets: &Secrets, clock: Clock) -> Result<Option<Self>, ConfigError> {
        match env.optional("CRM") {
            None => Ok(None),
            Some("hubspot") => {
                let fields = fields(env, Fields::hubspot())?;
                let base = env.base("HUBSPOT_API_BASE", super::hubspot::API)?;
                let token = secrets.get(env.required("HUBSPOT_TOKEN_SECRET")?).await?;
                let http = client(&base)?;
                Ok(Some(Self::HubSpot(HubSpot::new(http, base.as_str(), token, fields, clock))))
            }
            Some("salesforce") => {
                let fields = fields(env, Fields::salesforce())?;
                env.required("SALESFORCE_INSTANCE_URL")?;
                let base = env.base("SALESFORCE_INSTANCE_URL", "")?;
                let client_id = env.required("SALESFORCE_CLIENT_ID")?.to_owned();
                let client_secret = secrets.get(env.required("SALESFORCE_CLIENT_SECRET_NAME")?).await?;
                let credentials = Credentials { client_id, client_secret };
                let http = client(&base)?;
                Ok(Some(Self::Salesforce(Salesforce::new(http, base.as_str(), credentials, fields, clock))))
            }
            Some(_) => Err(EnvError::invalid("CRM", "`hubspot` or `salesforce`, or not set").into()),
        }
    }
}

fn fields(env: &Env, fields: Fields) -> Result<Fields, EnvError> {
    let mut fields = fields
        .with(env.optional("CRM_FIELDS").unwrap_or_default())
        .map_err(|error| EnvError::invalid("CRM_FIELDS", error.to_string()))?;
    if let Some(code) = env.optional("CRM_CURRENCY") {
        let currency =
            Currency::parse(code).map_err(|error| EnvError::invalid("CRM_CURRENCY", error.to_string()))?;
        fields.default_currency = Some(currency);
    }
    Ok(fields)
}

#[cfg(test)]
mod tests {
    use runtime::aws::Aws;

    use super::*;

    async fn configured(variables: &[(&str, &str)]) -> Result<Option<Crm>, ConfigError> {
        let aws = [
            ("AWS_REGION", "eu-central-1"),
            ("AWS_ACCESS_KEY_ID", "local"),
            ("AWS_SECRET_ACCESS_KEY", "local"),
            ("AWS_ENDPOINT_URL_SECRETS_MANAGER", "http://127.0.0.1:1"),
        ];
        let env: Env = aws.iter().chain(variables).copied().collect();
        let secrets = Secrets::new(Aws::from_env(&env).unwrap().secrets_manager());
        Crm::from_env(&env, &secrets, runtime::system_clock()).await
    }

    #[tokio::test]
    async fn without_a_crm_there_is_none_and_a_bad_setting_is_named() {
        assert!(configured(&[]).await.unwrap().is_none());
        for (variables, named) in [
            (&[("CRM", "sugar")][..], "CRM"),
            (&[("CRM", "hubspot")], "HUBSPOT_TOKEN_SECRET"),
            (&[("CRM", "hubspot"), ("CRM_CURRENCY", "euros")], "CRM_CURRENCY"),
            (&[("CRM", "hubspot"), ("CRM_FIELDS", "segment")], "CRM_FIELDS"),
            (&[("CRM", "hubspot"), ("HUBSPOT_API_BASE", "http://a.example.test")], "HUBSPOT_API_BASE"),
            (&[("CRM", "salesforce")], "SALESFORCE_INSTANCE_URL"),
            (
                &[("CRM", "salesforce"), ("SALESFORCE_INSTANCE_URL", "https://a.my.salesforce.com")],
                "SALESFORCE_CLIENT_ID",
            ),
        ] {
            let error = configured(variables).await.unwrap_err().to_string();
            assert!(error.contains(named), "{error}");
        }
    }
}
