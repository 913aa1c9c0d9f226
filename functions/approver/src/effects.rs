//! The systems that a signed action is done in, and what came of it in one vocabulary.
//!
//! Stripe and the application do a repeated call once, and can be asked afterwards. The mail service does
//! neither: a message goes out on the first attempt or never, and what became of it is for people to say.

mod application;
mod writing;

use anyhow::{Result, bail};
use domain::{
    AccountId, Timestamp,
    approval::{Action, Grant, OperationKind, Proposal, System},
};
use gated::{access, mail, mail::Mail, stripe};

pub(crate) use self::{application::Application, writing::Writing};

/// Where signed actions are done.
pub(crate) struct Effects {
    pub(crate) stripe: Writing,
    /// `None` if no messages are sent from here.
    pub(crate) mail: Option<Mail>,
    /// `None` if access is nobody's to change from here.
    pub(crate) application: Option<Application>,
    /// The account whose customers are the company's own.
    pub(crate) account: AccountId,
}

/// Why something is not done from here, whoever signs it. The text says what to set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotHere {
    #[error("messages to customers are not configured here: set `MAIL_FROM`")]
    NoMail,
    #[error("changes of access are not configured here: set `ACCESS_URL` and `ACCESS_SECRET`")]
    NoApplication,
    #[error("the customer is one of a connected account, to whom nothing is sent from here")]
    ConnectedAccount,
    #[error("test mode writes to no customer: add the address to `MAIL_TEST_RECIPIENTS` if it is a tester's")]
    TestMode,
}

impl NotHere {
    /// A word for the trail and the figures.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::NoMail => "no_mail",
            Self::NoApplication => "no_application",
            Self::ConnectedAccount => "connected_account",
            Self::TestMode => "test_mode",
        }
    }
}

/// What came of a call.
#[derive(Debug)]
pub(crate) enum Came {
    Done {
        /// What was made, by the system's own id.
        effect: String,
        status: Option<String>,
        /// The system's id of the request, where it has one.
        request: Option<String>,
        /// Whether this answers an earlier attempt.
        replayed: bool,
    },
    /// Refused for good, by the system's own word.
    Refused { code: String, param: Option<String>, request: Option<String> },
    /// Nothing was done, for certain.
    NotDone { word: &'static str, why: String, may_retry: bool },
    /// It may have been done or not.
    Unknown { why: String, request: Option<String> },
    /// The idempotency key is known with another request.
    Mismatch { request: Option<String> },
}

impl Effects {
    /// Whether operations of this kind are done from here for customers of this account.
    pub(crate) fn has(&self, kind: OperationKind, account: &AccountId) -> Result<(), NotHere> {
        match kind.system() {
            System::Mail if self.mail.is_none() => Err(NotHere::NoMail),
            System::Application if self.application.is_none() => Err(NotHere::NoApplication),
            System::Mail | System::Application if *account != self.account => Err(NotHere::ConnectedAccount),
            System::Stripe | System::Mail | System::Application | System::Here => Ok(()),
        }
    }

    /// Whether this action can be done from here.
    pub(crate) fn ready(&self, action: &Action) -> Result<(), NotHere> {
        let kind = action.operation.kind();
        self.has(kind, &action.account)?;
        match &self.mail {
            Some(mail) if kind.system() == System::Mail && !mail.may_write_to(action) => {
                Err(NotHere::TestMode)
            }
            _ => Ok(()),
        }
    }

    /// Makes the one call that the grant permits.
    pub(crate) async fn execute(&self, grant: &Grant, now: Timestamp) -> Came {
        if let Err(not_here) = self.ready(grant.action()) {
            return Came::NotDone { word: not_here.word(), why: not_here.to_string(), may_retry: false };
        }
        match (grant.action().operation.kind().system(), &self.mail, &self.application) {
            (System::Stripe, _, _) => self.stripe.execute(grant).await.into(),
            (System::Mail, Some(mail), _) => mail.execute(grant).await.into(),
            (System::Application, _, Some(application)) => application.execute(grant, now).await,
            (System::Mail | System::Application | System::Here, _, _) => Came::NotDone {
                word: "not_configured",
                why: "it is not configured".to_owned(),
                may_retry: false,
            },
        }
    }

    /// Asks the application what became of a change of access: its id there, or `None` if it never
    /// arrived.
    ///
    /// # Errors
    /// If the application cannot be asked, or its answer does not tell.
    pub(crate) async fn look(&self, proposal: &Proposal, now: Timestamp) -> Result<Option<String>> {
        let Some(application) = &self.application else { bail!(NotHere::NoApplication) };
        match application.settle(proposal, now).await? {
            access::Outcome::Done { reference } => Ok(Some(reference)),
            access::Outcome::NotDone(access::NotDone::NeverArrived) => Ok(None),
            access::Outcome::NotDone(why) => bail!(why),
            access::Outcome::Unknown(why) => bail!(why),
            access::Outcome::Refused { code } => bail!("the application refused the question: {code}"),
        }
    }
}

impl From<stripe::Outcome> for Came {
    fn from(outcome: stripe::Outcome) -> Self {
        match outcome {
            stripe::Outcome::Done(effect) => Self::Done {
                effect: effect.object.to_string(),
                status: effect.status,
                request: effect.request_id,
                replayed: effect.replayed,
            },
            stripe::Outcome::Refused { code, param, request_id } => {
                Self::Refused { code, param, request: request_id }
            }
            stripe::Outcome::NotDone(why) => {
                Self::NotDone { word: why.word(), may_retry: why.may_retry(), why: why.to_string() }
            }
            stripe::Outcome::Unknown { why, request_id } => {
                Self::Unknown { why: why.to_string(), request: request_id }
            }
            stripe::Outcome::IntegrityAlarm { request_id } => Self::Mismatch { request: request_id },
        }
    }
}

impl From<mail::Outcome> for Came {
    fn from(outcome: mail::Outcome) -> Self {
        match outcome {
            mail::Outcome::Done { reference } => {
                Self::Done { effect: reference, status: None, request: None, replayed: false }
            }
            mail::Outcome::Refused { code } => Self::Refused { code, param: None, request: None },
            mail::Outcome::NotDone(why) => {
                Self::NotDone { word: why.word(), may_retry: why.may_retry(), why: why.to_string() }
            }
            mail::Outcome::Unknown(why) => Self::Unknown { why: why.to_string(), request: None },
        }
    }
}
