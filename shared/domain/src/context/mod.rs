//! What is known when a decision is made, each part with when it was read or why it is missing.

mod account;
mod application;
mod conversation;
mod history;
mod issuer;

use serde::{Deserialize, Serialize};

use crate::{
    CaseKey, CaseKind, CustomerId, EventId, Money, PaymentMethodId, Timestamp,
    event::Origin,
    snapshot::{Charge, Customer, Dispute, FraudWarning, Invoice, Read, Refund, Subscription},
};

pub use account::{Account, Owner};
pub use application::{Application, Contract, Entitlement, Fulfilment, Order, Usage};
pub use conversation::{Conversation, Conversations, Urgency};
pub use history::History;
pub use issuer::{Breaker, Hour, IssuerHours};

/// A part of the context.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part<T> {
    /// What its source said.
    Known {
        /// The answer.
        value: T,
        /// When it was read.
        read: Timestamp,
    },
    /// Not known, which makes a decision more cautious and never less.
    Missing {
        /// Why, in one word for metrics: `not_configured`, `timed_out`, `refused`, `not_asked`.
        why: String,
    },
}

impl<T> Part<T> {
    /// Nobody was asked, since the question does not arise.
    pub fn not_asked() -> Self {
        Self::Missing { why: "not_asked".into() }
    }

    /// The answer, if there is one.
    pub const fn known(&self) -> Option<&T> {
        match self {
            Self::Known { value, .. } => Some(value),
            Self::Missing { .. } => None,
        }
    }

    /// Whether somebody was asked and gave no answer.
    pub fn failed(&self) -> bool {
        matches!(self, Self::Missing { why } if why != "not_asked" && why != "not_configured")
    }
}

/// The object that a case is about, as Stripe has it now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// Of a recovery case.
    Invoice(Read<Invoice>),
    /// Of a dispute case.
    Dispute(Read<Dispute>),
    /// Of a fraud warning's case.
    FraudWarning(Read<FraudWarning>),
    /// Of a refund case.
    Refund(Read<Refund>),
    /// Of a charge's case.
    Charge(Read<Charge>),
    /// Of a status case.
    Subscription(Read<Subscription>),
    /// Of a payment method's case; nothing of it is kept but the id.
    PaymentMethod(Read<PaymentMethodId>),
}

/// Which of the systems around Stripe a deployment has. What is missing keeps its steps with the case.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Systems {
    /// A CRM.
    pub crm: bool,
    /// A help desk.
    pub help_desk: bool,
}

/// Everything that a decision may look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Context {
    /// The event that led here, unless the case came due by itself: for the trail, not for the
    /// decision.
    pub event: Option<EventId>,
    /// Where its objects are to be read.
    pub origin: Origin,
    /// The object itself.
    pub subject: Subject,
    /// Whom it concerns.
    pub customer: Option<CustomerId>,
    /// When it was gathered: the time of the decision.
    pub at: Timestamp,
    /// Whether this is about real money.
    pub livemode: bool,
    /// What Stripe knows of the customer.
    pub profile: Part<Customer>,
    /// What the CRM knows of the customer.
    pub account: Part<Account>,
    /// What the customer is talking about with the help desk.
    pub conversations: Part<Conversations>,
    /// What the business's own application knows of the customer.
    pub application: Part<Application>,
    /// How the customer paid until now.
    pub history: Part<History>,
    /// How the card's issuer answers at the moment.
    pub issuer: Part<IssuerHours>,
    /// When messages to this customer were drafted in the last 30 days, from the store.
    pub contacts: Vec<Timestamp>,
    /// Where colleagues look at this case, if this deployment has such a page.
    pub case_page: Option<String>,
    /// The systems that this deployment can write to.
    pub systems: Systems,
    /// The subscription behind an invoice.
    pub subscription: Part<Subscription>,
    /// The charge behind a dispute, a fraud warning or a refund.
    pub charge: Part<Charge>,
    /// Of the newest charges of the customer those that can decide: disputed ones, and the one that
    /// failed last.
    pub charges: Part<Vec<Charge>>,
    /// The other open invoices of the customer that were tried and failed.
    pub open_invoices: Part<Vec<Invoice>>,
    /// Disputes on the charges above.
    pub disputes: Part<Vec<Dispute>>,
    /// Whether those are all charges that the customer ever had.
    pub all_charges: bool,
    /// The customer's other open cases, from the store.
    pub open_cases: Vec<CaseKey>,
    /// Whether the kill switch is on.
    pub frozen: bool,
}

impl Subject {
    /// The kind of case that is about such an object.
    pub const fn kind(&self) -> CaseKind {
        match self {
            Self::Invoice(_) => CaseKind::Recovery,
            Self::Dispute(_) => CaseKind::Dispute,
            Self::FraudWarning(_) => CaseKind::FraudWarning,
            Self::Refund(_) => CaseKind::Refund,
            Self::Charge(_) => CaseKind::Charge,
            Self::Subscription(_) => CaseKind::Status,
            Self::PaymentMethod(_) => CaseKind::PaymentMethod,
        }
    }

    /// Whether Stripe does not have it.
    pub const fn is_gone(&self) -> bool {
        matches!(
            self,
            Self::Invoice(Read::Gone)
                | Self::Dispute(Read::Gone)
                | Self::FraudWarning(Read::Gone)
                | Self::Refund(Read::Gone)
                | Self::Charge(Read::Gone)
                | Self::Subscription(Read::Gone)
                | Self::PaymentMethod(Read::Gone)
        )
    }
}

impl Context {
    /// The money at stake.
    pub fn amount(&self) -> Option<Money> {
        match &self.subject {
            Subject::Invoice(Read::Found(invoice)) => Some(invoice.amount_remaining),
            Subject::Dispute(Read::Found(dispute)) => Some(dispute.amount),
            Subject::Refund(Read::Found(refund)) => Some(refund.amount),
            Subject::Charge(Read::Found(charge)) => {
                charge.asked_refund().ok().flatten().map(|(_, amount)| amount).or(Some(charge.amount))
            }
            Subject::FraudWarning(_) => self.charge.known().map(|charge| charge.amount),
            _ => None,
        }
    }

    /// What is asked for, as text: asking for something else is another request.
    pub(crate) fn request_revision(&self) -> String {
        match &self.subject {
            Subject::Charge(Read::Found(charge)) => charge.refund_request.clone().unwrap_or_default(),
            _ => String::new(),
        }
    }

    /// Whether a part was asked for and not answered, so that asking again soon may help.
    pub fn is_patchy(&self) -> bool {
        self.profile.failed()
            || self.account.failed()
            || self.conversations.failed()
            || self.application.failed()
            || self.history.failed()
            || self.issuer.failed()
            || self.subscription.failed()
            || self.charge.failed()
            || self.charges.failed()
            || self.open_invoices.failed()
            || self.disputes.failed()
    }
}
