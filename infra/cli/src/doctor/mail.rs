//! Amazon SES: whether the sender is verified and the account may send
//! (<https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_GetEmailIdentity.html>,
//! <https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_GetAccount.html>). Whoever runs this may not
//! be allowed to ask; then that is said, and it is no failure.

use aws_sdk_sesv2::{
    Client,
    config::Builder,
    error::{ProvideErrorMetadata, SdkError},
};
use runtime::{Env, aws::Aws};

use super::Findings;

const WHAT: &str = "mail";

pub(super) async fn examine(env: &Env, found: &mut Findings) {
    let Some(from) = env.optional("MAIL_FROM") else { return };
    let Some((_, domain)) = from.rsplit_once('@') else {
        return found.bad(WHAT, "`MAIL_FROM` is no address; set it to one that SES has verified");
    };
    let client = match client(env) {
        Ok(client) => client,
        Err(error) => return found.bad(WHAT, error),
    };
    identity(&client, from, domain, found).await;
    account(&client, found).await;
}

fn client(env: &Env) -> Result<Client, runtime::EnvError> {
    let mut config = Builder::from(Aws::from_env(env)?.shared());
    let endpoint = env.optional_base("AWS_ENDPOINT_URL_SESV2")?;
    config.set_endpoint_url(endpoint.map(|base| base.as_str().to_owned()));
    Ok(Client::from_conf(config.build()))
}

/// The address itself or its domain must be verified.
async fn identity(client: &Client, from: &str, domain: &str, found: &mut Findings) {
    let mut known = false;
    for name in [from, domain] {
        match client.get_email_identity().email_identity(name).send().await {
            Ok(identity) if identity.verified_for_sending_status() => {
                return found.good(WHAT, "the sender of `MAIL_FROM` is verified");
            }
            Ok(_) => known = true,
            Err(error) => match word(&error) {
                Some("NotFoundException") => {}
                why => return unanswered(why, "ses:GetEmailIdentity", found),
            },
        }
    }
    found.bad(
        WHAT,
        if known {
            "SES has not verified the sender of `MAIL_FROM` yet; finish its verification there"
        } else {
            "SES does not know the sender of `MAIL_FROM`; create the identity there and verify it"
        },
    );
}

async fn account(client: &Client, found: &mut Findings) {
    match client.get_account().send().await {
        Ok(account) => {
            if !account.sending_enabled() {
                found.bad(WHAT, "SES does not let this account send in this region; see its status there");
            }
            if account.production_access_enabled() {
                found.good(WHAT, "the account is out of the sandbox");
            } else {
                found.bad(WHAT, "the account is in SES's sandbox, which reaches verified addresses only; ask for production access");
            }
        }
        Err(error) => unanswered(word(&error), "ses:GetAccount", found),
    }
}

fn unanswered(why: Option<&str>, right: &str, found: &mut Findings) {
    match why {
        Some("AccessDeniedException" | "AccessDenied") => {
            found.unknown(WHAT, format!("you may not ask; get the right {right} and run this again"));
        }
        why => found.bad(
            WHAT,
            format!(
                "SES gave no answer ({}); check the credentials, the region and the network",
                why.unwrap_or("none")
            ),
        ),
    }
}

/// The service's word for an error.
fn word<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> Option<&str> {
    error.as_service_error().and_then(ProvideErrorMetadata::code)
}
