//! What a proposal rests on: the state of Stripe that it was made from, one shape for each kind of
//! object.

use serde::{Deserialize, Serialize};

use super::EmailAddress;
use crate::{
    Currency, CustomerId, Digest, InvoiceId, Money, ObjectId, RuleId, Timestamp, encoding,
    snapshot::{Charge, Customer, Dispute, Invoice, Subscription},
};

/// The state of Stripe that a proposal was made from, as the approver itself read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "facts", rename_all = "snake_case")]
pub enum Facts {
    /// For a refund.
    Charge(Charge),
    /// For whatever is done to an invoice.
    Invoice(Invoice),
    /// For an answer to a dispute.
    Dispute(Dispute),
    /// For whatever is done to a subscription.
    Subscription(SubscriptionFacts),
    /// For a credit, or a change of access.
    Customer(CustomerFacts),
    /// For a message.
    Message(MessageFacts),
    /// For a mandate.
    Rule(RuleFacts),
}

/// A rule of the policy by which something can be asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleFacts {
    /// Which.
    pub id: RuleId,
    /// Why it is there, in words for finance.
    pub reason: String,
    /// SHA-256 of the rule as it is written.
    pub content: Digest,
    /// Version and digest of the policy that it stands in.
    pub policy: String,
}

/// A subscription with what ending it now does to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubscriptionFacts {
    /// The subscription.
    pub subscription: Subscription,
    /// Its open invoices, by id, which Stripe stops collecting once it is cancelled. Only read, and
    /// only part of the digest, where it is to be cancelled now.
    pub open_invoices: Option<Vec<OpenInvoice>>,
}

/// An open invoice.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct OpenInvoice {
    /// Which.
    pub id: InvoiceId,
    /// What it still asks for, in minor units.
    pub remaining: i64,
    /// Of this currency.
    pub currency: Currency,
}

impl OpenInvoice {
    /// What it still asks for.
    pub const fn money(&self) -> Money {
        Money::new(self.remaining, self.currency)
    }
}

/// A customer, with no more of them than a proposal rests on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomerFacts {
    /// Its id.
    pub id: CustomerId,
    /// Whether it was deleted.
    pub deleted: bool,
    /// Where a message to them goes.
    pub email: Option<EmailAddress>,
}

/// A message's customer, and what the message is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageFacts {
    /// Who gets it.
    pub customer: CustomerFacts,
    /// The case's object as it stood, if its kind is one that is read: a reminder of an invoice that
    /// was paid meanwhile must not go out.
    pub about: Option<Box<Facts>>,
}

impl From<Customer> for CustomerFacts {
    fn from(customer: Customer) -> Self {
        let email = customer.email.and_then(|email| EmailAddress::parse(email).ok());
        Self { id: customer.id, deleted: customer.deleted, email }
    }
}

impl CustomerFacts {
    /// The digest of what crediting the customer, or changing their access, rests on.
    fn digest(&self) -> Digest {
        let Self { id, deleted, .. } = self.clone();
        Customer { id, deleted, delinquent: None, name: None, email: None, locale: None }.digest()
    }
}

impl Facts {
    /// The digest of everything that the proposal rests on. If any of it moves, the proposal is void.
    pub fn digest(&self) -> Digest {
        match self {
            Self::Charge(charge) => charge.digest(),
            Self::Invoice(invoice) => invoice.digest(),
            Self::Dispute(dispute) => dispute.digest(),
            Self::Customer(customer) => customer.digest(),
            Self::Rule(rule) => encoding::digest("approval/snapshot/rule/v1", |to| {
                to.text(rule.id.as_str());
                to.bytes(rule.content.bytes());
                to.text(&rule.policy);
            }),
            Self::Subscription(SubscriptionFacts { subscription, open_invoices: None }) => {
                subscription.digest()
            }
            Self::Subscription(SubscriptionFacts { subscription, open_invoices: Some(open) }) => {
                encoding::digest("approval/snapshot/subscription-and-invoices/v1", |to| {
                    to.bytes(subscription.digest().bytes());
                    for invoice in open {
                        to.text(invoice.id.as_str());
                        to.number(invoice.remaining);
                        to.text(invoice.currency.code());
                    }
                })
            }
            Self::Message(MessageFacts { customer, about }) => {
                encoding::digest("approval/snapshot/message/v1", |to| {
                    to.bytes(customer.digest().bytes());
                    to.text(customer.email.as_ref().map_or("", EmailAddress::expose));
                    if let Some(about) = about {
                        to.bytes(about.digest().bytes());
                    }
                })
            }
        }
    }

    /// The object that was read.
    pub fn object(&self) -> ObjectId {
        match self {
            Self::Charge(charge) => (&charge.id).into(),
            Self::Invoice(invoice) => (&invoice.id).into(),
            Self::Dispute(dispute) => (&dispute.id).into(),
            Self::Subscription(facts) => (&facts.subscription.id).into(),
            Self::Message(MessageFacts { about: Some(about), .. }) => about.object(),
            Self::Rule(rule) => (&rule.id).into(),
            Self::Customer(customer) | Self::Message(MessageFacts { customer, .. }) => (&customer.id).into(),
        }
    }

    /// Whose it is; a dispute does not say.
    pub fn customer(&self) -> Option<&CustomerId> {
        match self {
            Self::Charge(charge) => charge.customer.as_ref(),
            Self::Invoice(invoice) => invoice.customer.as_ref(),
            Self::Dispute(_) | Self::Rule(_) => None,
            Self::Subscription(facts) => facts.subscription.customer.as_ref(),
            Self::Customer(customer) | Self::Message(MessageFacts { customer, .. }) => Some(&customer.id),
        }
    }

    /// The charge behind it, through which the customer of a dispute is found.
    pub const fn charge(&self) -> Option<&Charge> {
        match self {
            Self::Charge(charge) => Some(charge),
            _ => None,
        }
    }

    /// Until when Stripe takes it at all, if it sets a time.
    pub const fn deadline(&self) -> Option<Timestamp> {
        match self {
            Self::Dispute(dispute) => dispute.due_by,
            _ => None,
        }
    }

    /// What thresholds and caps are held against when `amount` is done: of a refund, all that will have
    /// gone back then, or small parts would pass where the whole does not.
    pub fn at_stake(&self, amount: Option<Money>) -> Option<Money> {
        match (self, amount) {
            (Self::Charge(charge), Some(amount)) => Some(charge.refunded_with(amount)),
            _ => amount,
        }
    }
}
