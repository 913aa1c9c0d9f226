//! A message to a customer, by Amazon SES:
//! <https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html>.
//!
//! `SendEmail` takes no idempotency token, and what was accepted cannot be looked up. So it is called
//! once for a grant, never repeated, and every answer that is not a refusal before acceptance is
//! [`Outcome::Unknown`]: a person decides whether the customer is written to again (I2).
//!
//! The message is plain text alone, so nothing in it is markup. A tag names the proposal, by which
//! SES's own event publishing, where it is set up, shows what became of it.
//!
//! SES knows no test mode, and the addresses in Stripe's may be those of real people. A message that was
//! signed for test mode goes to nobody but the recipients in `MAIL_TEST_RECIPIENTS`.

use aws_sdk_sesv2::{
    Client,
    config::{Builder, retry::RetryConfig},
    error::SdkError,
    operation::send_email::SendEmailError,
    types::{Body, Content, Destination, EmailContent, Message, MessageTag},
};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use domain::approval::{Action, EmailAddress, Grant, NotAnAddress, Operation};
use runtime::{Env, EnvError, aws::Aws, http::Base};

pub use crate::outcome::{NotDone, Outcome, Why};

/// Who writes, from the environment.
#[derive(Debug, Clone)]
pub struct Config {
    /// `MAIL_FROM`: an address that SES has verified.
    pub from: EmailAddress,
    /// `MAIL_REPLY_TO`: where answers go, if not there.
    pub reply_to: Option<EmailAddress>,
    /// `MAIL_CONFIGURATION_SET`: SES's own name of the set that publishes what became of a message.
    pub configuration_set: Option<String>,
    /// `MAIL_TEST_RECIPIENTS`: whom test mode may write to; nobody unless set.
    pub test_recipients: Vec<Recipients>,
    /// `AWS_ENDPOINT_URL_SESV2`: a stand-in.
    pub endpoint: Option<Base>,
}

/// Whom test mode may write to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recipients {
    /// One address.
    One(EmailAddress),
    /// Every address of a host, in lower case.
    AllOf(String),
}

impl Recipients {
    /// Reads `name@host`, or `@host` for everybody there.
    fn parse(text: &str) -> Result<Self, NotAnAddress> {
        match text.strip_prefix('@') {
            // As the host of an address, so that it is written as one.
            Some(host) => {
                EmailAddress::parse(format!("all@{host}")).map(|_| Self::AllOf(host.to_lowercase()))
            }
            None => EmailAddress::parse(text).map(Self::One),
        }
    }

    fn include(&self, recipient: &EmailAddress) -> bool {
        match self {
            Self::One(one) => one.is_same_mailbox(recipient.expose()),
            Self::AllOf(host) => {
                recipient.expose().split_once('@').is_some_and(|(_, of)| of.eq_ignore_ascii_case(host))
            }
        }
    }
}

impl Config {
    /// `None` without `MAIL_FROM`: then no message is sent from here.
    ///
    /// # Errors
    /// Names the variable that is wrong.
    pub fn from_env(env: &Env) -> Result<Option<Self>, EnvError> {
        let address = |name: &'static str| {
            let refused = |error: NotAnAddress| EnvError::invalid(name, error.to_string());
            env.optional(name).map(|text| EmailAddress::parse(text).map_err(refused)).transpose()
        };
        let (from, reply_to) = (address("MAIL_FROM")?, address("MAIL_REPLY_TO")?);
        let endpoint = env.optional_base("AWS_ENDPOINT_URL_SESV2")?;
        let configuration_set = env.optional("MAIL_CONFIGURATION_SET").map(str::to_owned);
        let test_recipients = test_recipients(env)?;
        Ok(from.map(|from| Self { from, reply_to, configuration_set, test_recipients, endpoint }))
    }
}

/// Addresses and `@host`s, separated by commas.
fn test_recipients(env: &Env) -> Result<Vec<Recipients>, EnvError> {
    const NAME: &str = "MAIL_TEST_RECIPIENTS";
    let all =
        env.optional(NAME).unwrap_or_default().split(',').map(str::trim).filter(|text| !text.is_empty());
    all.map(|text| {
        Recipients::parse(text).map_err(|_| EnvError::invalid(NAME, "`name@host` or `@host`, and commas"))
    })
    .collect()
}

/// Sends messages by grants.
#[derive(Debug, Clone)]
pub struct Mail {
    client: Client,
    config: Config,
}

impl Mail {
    /// Over the process's AWS configuration, but without its retries.
    pub fn new(aws: &Aws, config: Config) -> Self {
        let mut builder = Builder::from(aws.shared()).retry_config(RetryConfig::disabled());
        builder.set_endpoint_url(config.endpoint.as_ref().map(|base| base.as_str().to_owned()));
        Self { client: Client::from_conf(builder.build()), config }
    }

    /// Whether the action's recipient may be written to in its mode.
    pub fn may_write_to(&self, action: &Action) -> bool {
        match &action.operation {
            Operation::SendMessage { recipient, .. } => {
                action.livemode || self.config.test_recipients.iter().any(|known| known.include(recipient))
            }
            _ => false,
        }
    }

    /// Sends the message that the grant permits. Never to be called twice for a grant, unless the
    /// first outcome was [`Outcome::NotDone`].
    pub async fn execute(&self, grant: &Grant) -> Outcome {
        let Operation::SendMessage { recipient, subject, body, .. } = &grant.action().operation else {
            return Outcome::NotDone(NotDone::OtherOperation);
        };
        if !self.may_write_to(grant.action()) {
            return Outcome::NotDone(NotDone::TestMode);
        }
        let (subject, body) = (subject.expose(), body.expose());
        // What would begin another header or end the text is refused, not repaired: it was not signed.
        let odd = |character: char| character.is_control() && !matches!(character, '\n' | '\r' | '\t');
        if subject.chars().any(char::is_control) || subject.is_empty() || body.chars().any(odd) {
            return Outcome::NotDone(NotDone::BadParameter);
        }
        let utf8 = |text: &str| Content::builder().data(text).charset("UTF-8").build();
        let tag = MessageTag::builder().name("countersign-proposal").value(grant.action().proposal.as_str());
        let (Ok(subject), Ok(body), Ok(tag)) = (utf8(subject), utf8(body), tag.build()) else {
            return Outcome::NotDone(NotDone::BadParameter);
        };
        let message = Message::builder().subject(subject).body(Body::builder().text(body).build()).build();
        let Config { from, reply_to, configuration_set, .. } = &self.config;
        let sent = self
            .client
            .send_email()
            .from_email_address(from.expose())
            .destination(Destination::builder().to_addresses(recipient.expose()).build())
            .set_reply_to_addresses(reply_to.as_ref().map(|to| vec![to.expose().to_owned()]))
            .set_configuration_set_name(configuration_set.clone())
            .content(EmailContent::builder().simple(message).build())
            .email_tags(tag)
            .send()
            .await;
        match sent {
            Ok(answer) => match answer.message_id() {
                Some(id) => Outcome::Done { reference: id.to_owned() },
                None => Outcome::Unknown(Why::Unreadable),
            },
            Err(error) => meaning(&error),
        }
    }

    /// Whether SES may send for this account at the moment, without sending anything
    /// (<https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_GetAccount.html>).
    ///
    /// # Errors
    /// What is missing, in words, without addresses.
    pub async fn check(&self) -> Result<(), String> {
        let account = self.client.get_account().send().await.map_err(|error| {
            let status = error.raw_response().map_or(0, |answer| answer.status().as_u16());
            format!("ses did not tell about the account (status {status}); allow `ses:GetAccount`")
        })?;
        if !account.sending_enabled() {
            return Err("ses has paused sending for this account; see its reputation page".into());
        }
        if !account.production_access_enabled() {
            return Err("this account is in ses's sandbox; ask for production access".into());
        }
        Ok(())
    }
}

/// What a failed call means. Only SES's own refusals say that nothing was accepted; its sentences are
/// not kept, since they quote addresses.
fn meaning(error: &SdkError<SendEmailError, HttpResponse>) -> Outcome {
    let refused = |code: &str| Outcome::Refused { code: code.to_owned() };
    match error {
        SdkError::ConstructionFailure(_) => Outcome::NotDone(NotDone::BadParameter),
        SdkError::TimeoutError(_) => Outcome::Unknown(Why::TimedOut),
        SdkError::DispatchFailure(failure) if failure.is_timeout() => Outcome::Unknown(Why::TimedOut),
        SdkError::ServiceError(service) => match (service.err(), service.raw().status().as_u16()) {
            (SendEmailError::MessageRejected(_), _) => refused("MessageRejected"),
            (SendEmailError::BadRequestException(_), _) => refused("BadRequestException"),
            (SendEmailError::NotFoundException(_), _) => refused("NotFoundException"),
            (SendEmailError::TooManyRequestsException(_) | SendEmailError::LimitExceededException(_), _) => {
                Outcome::NotDone(NotDone::RateLimited)
            }
            // Somebody repairs the account or the credentials, which are looked at before the message is;
            // it is still due.
            (
                SendEmailError::AccountSuspendedException(_)
                | SendEmailError::SendingPausedException(_)
                | SendEmailError::MailFromDomainNotVerifiedException(_),
                _,
            )
            | (_, 403) => Outcome::NotDone(NotDone::NotAllowed),
            (_, status) => Outcome::Unknown(Why::Status(status)),
        },
        SdkError::ResponseError(_) => Outcome::Unknown(Why::Unreadable),
        _ => Outcome::Unknown(Why::ConnectionLost),
    }
}
