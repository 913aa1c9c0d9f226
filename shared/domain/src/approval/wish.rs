//! From what somebody wishes for, and what Stripe says, to an operation with every parameter.

use std::collections::BTreeMap;

use super::{
    AccessChange, CancelFeedback, CreditNoteReason, Evidence, Facts, NotEvidence, Operation, OperationKind,
    PauseBehavior, RefundReason, ReversibleOperation, Terms, mandate,
};
use crate::{
    Currency, Money, ObjectId, PaymentMethodId, Timestamp,
    snapshot::{
        Charge, ChargeStatus, Dispute, DisputeStatus, Invoice, InvoiceStatus, Subscription,
        SubscriptionStatus, UnclearRequest,
    },
    text::is_hidden,
};

/// How long a parameter may be, in characters: as much as the review page shows.
const LONGEST: usize = 20_000;

/// What is wished for: a kind of operation on an object, with what a person, or a case, gives along.
/// Whatever Stripe knows is read and never taken from here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// What is to be done.
    pub kind: OperationKind,
    /// On what.
    pub object: ObjectId,
    /// Parameters by name, as typed: amounts in major units. Blank ones are left out.
    pub parameters: BTreeMap<String, String>,
}

/// Why something cannot be proposed. The text is for the person who asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotPossible {
    /// What was read is no object for this operation.
    #[error("this cannot be done to such an object")]
    WrongObject,
    /// The charge's metadata asks for nothing.
    #[error("the charge asks for no refund any more; set `refund_request` on it again if it should")]
    NotAsked,
    /// The charge's metadata cannot be read.
    #[error("{0}; correct it on the charge in the Stripe Dashboard")]
    Unclear(#[from] UnclearRequest),
    /// A refund could pay twice.
    #[error("the charge is disputed, so a refund could pay twice; answer the dispute instead")]
    Disputed,
    /// Nothing was taken.
    #[error("the charge has not succeeded, so nothing was taken that could go back")]
    NotPaid,
    /// An amount that cannot be read.
    #[error(
        "write the amount like 19.99, with at most as many decimals as {0} has, without signs or separators"
    )]
    Amount(Currency),
    /// No currency, or none that can be read.
    #[error("write the currency as three letters, for example usd")]
    NoCurrency,
    /// Nothing is no amount.
    #[error("ask for more than nothing")]
    Nothing,
    /// More than there is.
    #[error("only {0} is left of it; ask for that much at most")]
    TooMuch(Money),
    /// A parameter that cannot be read, by its name.
    #[error("`{0}` is missing or cannot be read; choose one of what is offered")]
    Parameter(&'static str),
    /// A parameter with characters that nobody sees: what is signed must be what is read.
    #[error("`{0}` holds characters that cannot be seen; type it anew")]
    Hidden(String),
    /// A parameter that no page shows in full.
    #[error("`{0}` is longer than {LONGEST} characters; shorten it")]
    TooLong(String),
    /// A parameter that the operation does not take.
    #[error("`{0}` cannot be given here")]
    UnknownParameter(String),
    /// The object's state does not let it happen.
    #[error("it is {state}, and this needs one that is {needed}")]
    State {
        /// As Stripe says.
        state: String,
        /// What it would have to be.
        needed: &'static str,
    },
    /// Evidence that the bank would not take.
    #[error("{0}")]
    Evidence(#[from] NotEvidence),
    /// The bank looks at one answer only.
    #[error("the dispute was answered already, and the bank looks at one answer only")]
    Answered,
    /// An inquiry is no dispute yet.
    #[error("it is an inquiry and no dispute yet: refund the charge to accept it")]
    Inquiry,
    /// The object sets a time, and it is over or nearly so.
    #[error("there is too little time left before the deadline; do it in the Stripe Dashboard now")]
    TooLate,
    /// The customer is gone.
    #[error("the customer was deleted in Stripe")]
    Deleted,
    /// Nowhere to send it.
    #[error("the customer has no usable e-mail address in Stripe")]
    NoAddress,
    /// A message is written from a template, and not here.
    #[error("a message is asked for by its case, from an approved template")]
    NoTemplate,
    /// It would change nothing.
    #[error("it is so already")]
    AlreadySo,
}

impl NotPossible {
    /// A word for the trail and the figures.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::WrongObject => "wrong_object",
            Self::NotAsked => "not_asked",
            Self::Unclear(_) => "unclear",
            Self::Disputed => "disputed",
            Self::NotPaid => "not_paid",
            Self::Amount(_) => "amount_form",
            Self::NoCurrency => "no_currency",
            Self::Nothing => "nothing",
            Self::TooMuch(_) => "too_much",
            Self::Parameter(_) => "parameter",
            Self::Hidden(_) => "hidden",
            Self::TooLong(_) => "too_long",
            Self::UnknownParameter(_) => "unknown_parameter",
            Self::State { .. } => "state",
            Self::Evidence(_) => "evidence",
            Self::Answered => "answered",
            Self::Inquiry => "inquiry",
            Self::TooLate => "too_late",
            Self::Deleted => "deleted",
            Self::NoAddress => "no_address",
            Self::NoTemplate => "no_template",
            Self::AlreadySo => "already_so",
        }
    }
}

impl Wish {
    /// The operation that is meant, on what Stripe says at `now`. A refund without parameters is what
    /// the charge's own metadata asks for.
    ///
    /// # Errors
    /// [`NotPossible`] says what to correct, or why it cannot be.
    pub fn on(&self, facts: &Facts, now: Timestamp) -> Result<Operation, NotPossible> {
        let known = self.kind.parameters();
        if let Some(name) = self.parameters.keys().find(|name| !known.contains(&name.as_str())) {
            return Err(NotPossible::UnknownParameter(name.clone()));
        }
        for (name, value) in &self.parameters {
            if value.chars().any(|character| !matches!(character, '\n' | '\t') && is_hidden(character)) {
                return Err(NotPossible::Hidden(name.clone()));
            }
            if value.chars().count() > LONGEST {
                return Err(NotPossible::TooLong(name.clone()));
            }
        }
        self.read(facts, now)?.on(facts, now)
    }

    fn read(&self, facts: &Facts, now: Timestamp) -> Result<Operation, NotPossible> {
        let nothing = |currency| Money::new(0, currency);
        Ok(match (self.kind, facts) {
            (OperationKind::Refund, Facts::Charge(charge)) => {
                let (reason, amount) = if self.parameters.is_empty() {
                    charge.asked_refund()?.ok_or(NotPossible::NotAsked)?
                } else {
                    let reason = self.choice("reason", RefundReason::parse)?;
                    (reason, self.amount(charge.amount.currency)?)
                };
                Operation::Refund { charge: charge.id.clone(), amount, reason }
            }
            (OperationKind::CreditNote, Facts::Invoice(invoice)) => Operation::CreditNote {
                invoice: invoice.id.clone(),
                amount: self.amount(invoice.amount_due.currency)?,
                to_balance: 0,
                reason: self.choice("reason", CreditNoteReason::parse)?,
                memo: self.text("memo"),
                email: self.flag("email")?,
            },
            (OperationKind::VoidInvoice, Facts::Invoice(invoice)) => Operation::VoidInvoice {
                invoice: invoice.id.clone(),
                amount: nothing(invoice.amount_due.currency),
            },
            (OperationKind::MarkUncollectible, Facts::Invoice(invoice)) => Operation::MarkUncollectible {
                invoice: invoice.id.clone(),
                amount: nothing(invoice.amount_due.currency),
            },
            (OperationKind::PayInvoice, Facts::Invoice(invoice)) => Operation::PayInvoice {
                invoice: invoice.id.clone(),
                amount: nothing(invoice.amount_due.currency),
                payment_method: match self.text("payment_method") {
                    None => None,
                    Some(id) => Some(
                        PaymentMethodId::parse(id).map_err(|_| NotPossible::Parameter("payment_method"))?,
                    ),
                },
            },
            (OperationKind::SubmitEvidence, Facts::Dispute(dispute)) => Operation::SubmitEvidence {
                dispute: dispute.id.clone(),
                amount: dispute.amount,
                evidence: Evidence::new(self.parameters.clone())?,
            },
            (OperationKind::AcceptDispute, Facts::Dispute(dispute)) => {
                Operation::AcceptDispute { dispute: dispute.id.clone(), amount: dispute.amount }
            }
            (OperationKind::CancelSubscription, Facts::Subscription(facts)) => {
                Operation::CancelSubscription {
                    subscription: facts.subscription.id.clone(),
                    invoice_now: self.flag("invoice_now")?,
                    prorate: self.flag("prorate")?,
                    feedback: match self.text("feedback") {
                        None => None,
                        Some(word) => {
                            Some(CancelFeedback::parse(&word).ok_or(NotPossible::Parameter("feedback"))?)
                        }
                    },
                    comment: self.text("comment"),
                }
            }
            (OperationKind::CancelAtPeriodEnd, Facts::Subscription(facts)) => {
                Operation::CancelAtPeriodEnd { subscription: facts.subscription.id.clone() }
            }
            (OperationKind::PauseCollection, Facts::Subscription(facts)) => Operation::PauseCollection {
                subscription: facts.subscription.id.clone(),
                behavior: self.choice("behavior", PauseBehavior::parse)?,
                resumes_at: match self.text("resumes_at") {
                    None => None,
                    // A day, from its start in UTC.
                    Some(day) => Some(
                        Timestamp::parse_rfc3339(&format!("{day}T00:00:00Z"))
                            .ok_or(NotPossible::Parameter("resumes_at"))?,
                    ),
                },
            },
            (OperationKind::ResumeCollection, Facts::Subscription(facts)) => {
                Operation::ResumeCollection { subscription: facts.subscription.id.clone() }
            }
            (OperationKind::BalanceCredit, Facts::Customer(customer)) => {
                let currency = self.text("currency").and_then(|code| Currency::parse(&code).ok());
                Operation::BalanceCredit {
                    customer: customer.id.clone(),
                    amount: self.amount(currency.ok_or(NotPossible::NoCurrency)?)?,
                    description: self.text("description"),
                }
            }
            (OperationKind::ChangeAccess, Facts::Customer(customer)) => Operation::ChangeAccess {
                customer: customer.id.clone(),
                change: self.choice("change", AccessChange::parse)?,
                note: self.text("note"),
            },
            (OperationKind::GrantMandate, Facts::Rule(rule)) => Operation::GrantMandate(Terms {
                rule: rule.id.clone(),
                allows: self.choice("allows", ReversibleOperation::parse)?,
                per_day: self.choice("per_day", |text| text.parse().ok())?,
                until: now.plus(
                    self.choice("days", |text| text.parse::<u8>().ok())
                        .map(|days| i64::from(days) * 86_400)?,
                ),
            }),
            // Its words come from the bundle, not from whoever asks.
            (OperationKind::SendMessage, _) => return Err(NotPossible::NoTemplate),
            _ => return Err(NotPossible::WrongObject),
        })
    }

    fn text(&self, name: &str) -> Option<String> {
        self.parameters.get(name).map(|text| text.trim()).filter(|text| !text.is_empty()).map(str::to_owned)
    }

    fn choice<T>(&self, name: &'static str, parse: impl FnOnce(&str) -> Option<T>) -> Result<T, NotPossible> {
        self.text(name).and_then(|word| parse(&word)).ok_or(NotPossible::Parameter(name))
    }

    /// Absent means no.
    fn flag(&self, name: &'static str) -> Result<bool, NotPossible> {
        match self.text(name).as_deref() {
            None | Some("no") => Ok(false),
            Some("yes") => Ok(true),
            Some(_) => Err(NotPossible::Parameter(name)),
        }
    }

    fn amount(&self, currency: Currency) -> Result<Money, NotPossible> {
        let text = self.text("amount").unwrap_or_default();
        Money::parse(&text, currency).ok_or(NotPossible::Amount(currency))
    }
}

impl Operation {
    /// The same operation on what Stripe says at `now`: possible, and with every value that Stripe
    /// knows taken from there.
    ///
    /// # Errors
    /// [`NotPossible`] says why it cannot be.
    pub fn on(self, facts: &Facts, now: Timestamp) -> Result<Self, NotPossible> {
        match (self, facts) {
            (Self::Refund { charge, amount, reason }, Facts::Charge(read)) => {
                refundable(read, amount)?;
                Ok(Self::Refund { charge, amount, reason })
            }
            (Self::CreditNote { invoice, amount, reason, memo, email, .. }, Facts::Invoice(read)) => {
                let to_balance = creditable(read, amount)?;
                Ok(Self::CreditNote { invoice, amount, to_balance, reason, memo, email })
            }
            (Self::VoidInvoice { invoice, .. }, Facts::Invoice(read)) => {
                let unpaid = matches!(read.status, InvoiceStatus::Open | InvoiceStatus::Uncollectible);
                needed(unpaid, read.status.as_str(), "open or uncollectible")?;
                Ok(Self::VoidInvoice { invoice, amount: read.amount_remaining })
            }
            (Self::MarkUncollectible { invoice, .. }, Facts::Invoice(read)) => {
                needed(read.status == InvoiceStatus::Open, read.status.as_str(), "open")?;
                Ok(Self::MarkUncollectible { invoice, amount: read.amount_remaining })
            }
            (Self::PayInvoice { invoice, payment_method, .. }, Facts::Invoice(read)) => {
                needed(read.status == InvoiceStatus::Open, read.status.as_str(), "open")?;
                more_than_nothing(read.amount_remaining)?;
                Ok(Self::PayInvoice { invoice, amount: read.amount_remaining, payment_method })
            }
            (Self::SubmitEvidence { dispute, evidence, .. }, Facts::Dispute(read)) => {
                answerable(read, now)?;
                if read.submission_count > 0 {
                    return Err(NotPossible::Answered);
                }
                Ok(Self::SubmitEvidence { dispute, amount: read.amount, evidence })
            }
            (Self::AcceptDispute { dispute, .. }, Facts::Dispute(read)) => {
                if read.status == DisputeStatus::WarningNeedsResponse {
                    return Err(NotPossible::Inquiry);
                }
                answerable(read, now)?;
                Ok(Self::AcceptDispute { dispute, amount: read.amount })
            }
            (operation @ Self::CancelSubscription { .. }, Facts::Subscription(read)) => {
                alive(&read.subscription)?;
                Ok(operation)
            }
            (operation @ Self::CancelAtPeriodEnd { .. }, Facts::Subscription(read)) => {
                alive(&read.subscription)?;
                if read.subscription.is_ending() { Err(NotPossible::AlreadySo) } else { Ok(operation) }
            }
            (Self::PauseCollection { subscription, behavior, resumes_at }, Facts::Subscription(read)) => {
                alive(&read.subscription)?;
                if read.subscription.pause_collection.is_some() {
                    return Err(NotPossible::AlreadySo);
                }
                if resumes_at.is_some_and(|at| at <= now) {
                    return Err(NotPossible::Parameter("resumes_at"));
                }
                Ok(Self::PauseCollection { subscription, behavior, resumes_at })
            }
            (operation @ Self::ResumeCollection { .. }, Facts::Subscription(read)) => {
                alive(&read.subscription)?;
                let paused = read.subscription.pause_collection.is_some();
                if paused { Ok(operation) } else { Err(NotPossible::AlreadySo) }
            }
            (operation @ Self::BalanceCredit { amount, .. }, Facts::Customer(read)) => {
                more_than_nothing(amount)?;
                if read.deleted { Err(NotPossible::Deleted) } else { Ok(operation) }
            }
            (operation @ Self::ChangeAccess { .. }, Facts::Customer(read)) => {
                if read.deleted {
                    Err(NotPossible::Deleted)
                } else {
                    Ok(operation)
                }
            }
            (
                Self::SendMessage { case, customer, template, version, locale, subject, body, .. },
                Facts::Message(read),
            ) => {
                if read.customer.deleted {
                    return Err(NotPossible::Deleted);
                }
                if let Some(Facts::Invoice(invoice)) = read.about.as_deref() {
                    needed(invoice.status == InvoiceStatus::Open, invoice.status.as_str(), "open")?;
                }
                let recipient = read.customer.email.clone().ok_or(NotPossible::NoAddress)?;
                Ok(Self::SendMessage { case, customer, recipient, template, version, locale, subject, body })
            }
            (Self::GrantMandate(terms), Facts::Rule(_)) => {
                if !(1..=mandate::MOST_PER_DAY).contains(&terms.per_day) {
                    return Err(NotPossible::Parameter("per_day"));
                }
                let life = terms.until.since(now);
                if !(1..=mandate::LONGEST).contains(&life) {
                    return Err(NotPossible::Parameter("days"));
                }
                Ok(Self::GrantMandate(terms))
            }
            _ => Err(NotPossible::WrongObject),
        }
    }
}

/// Whether a charge can give this much back.
fn refundable(charge: &Charge, amount: Money) -> Result<(), NotPossible> {
    if charge.disputed {
        return Err(NotPossible::Disputed);
    }
    if charge.status != ChargeStatus::Succeeded || !charge.captured {
        return Err(NotPossible::NotPaid);
    }
    more_than_nothing(amount)?;
    at_most(amount, charge.refundable())
}

/// How much of a credit note goes to the customer's balance: what lies beyond what is open.
fn creditable(invoice: &Invoice, amount: Money) -> Result<i64, NotPossible> {
    let final_but_not_void = matches!(invoice.status, InvoiceStatus::Open | InvoiceStatus::Paid);
    needed(final_but_not_void, invoice.status.as_str(), "open or paid")?;
    more_than_nothing(amount)?;
    at_most(amount, invoice.amount_due)?;
    Ok(amount.amount.saturating_sub(invoice.amount_remaining.amount).max(0))
}

fn answerable(dispute: &Dispute, now: Timestamp) -> Result<(), NotPossible> {
    needed(dispute.status.needs_response(), dispute.status.as_str(), "waiting for a response")?;
    if dispute.due_by.is_some_and(|due| due <= now) { Err(NotPossible::TooLate) } else { Ok(()) }
}

fn alive(subscription: &Subscription) -> Result<(), NotPossible> {
    let over = matches!(
        subscription.status,
        SubscriptionStatus::Canceled | SubscriptionStatus::IncompleteExpired | SubscriptionStatus::Other(_)
    );
    needed(!over, subscription.status.as_str(), "not over")
}

fn needed(holds: bool, state: &str, needed: &'static str) -> Result<(), NotPossible> {
    if holds { Ok(()) } else { Err(NotPossible::State { state: state.to_owned(), needed }) }
}

const fn more_than_nothing(amount: Money) -> Result<(), NotPossible> {
    if amount.amount > 0 { Ok(()) } else { Err(NotPossible::Nothing) }
}

fn at_most(amount: Money, left: Money) -> Result<(), NotPossible> {
    if amount.currency == left.currency && amount.amount <= left.amount {
        Ok(())
    } else {
        Err(NotPossible::TooMuch(left))
    }
}

#[cfg(test)]
#[path = "wish_tests.rs"]
mod tests;
