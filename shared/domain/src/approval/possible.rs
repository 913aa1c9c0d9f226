//! What can be done to an object as Stripe has it now.

use super::{Facts, NotEvidence, Operation, mandate, wish::LONGEST};
use crate::{
    Currency, Money, Timestamp,
    snapshot::{
        Charge, ChargeStatus, Dispute, DisputeStatus, Invoice, InvoiceStatus, Subscription,
        SubscriptionStatus, UnclearRequest,
    },
};

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
