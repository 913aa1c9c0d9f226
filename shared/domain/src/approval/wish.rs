//! From what somebody wishes for, and what Stripe says, to an operation with every parameter.

use std::collections::BTreeMap;

use super::{
    AccessChange, CancelFeedback, CreditNoteReason, Evidence, Facts, NotPossible, Operation, OperationKind,
    PauseBehavior, RefundReason, ReversibleOperation, Terms,
};
use crate::{Currency, Money, ObjectId, PaymentMethodId, Timestamp, text::is_hidden};

/// How long a parameter may be, in characters: as much as the review page shows.
pub(super) const LONGEST: usize = 20_000;

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

#[cfg(test)]
#[path = "wish_tests.rs"]
mod tests;
