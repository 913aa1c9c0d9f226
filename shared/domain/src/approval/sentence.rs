//! An operation as one sentence for a page or a message.

use std::fmt;

use super::{AccessChange, Operation, PauseBehavior, RefundReason, Terms};
use crate::Money;

impl fmt::Display for Operation {
    /// One sentence for a page or a message: what will happen, with what follows from it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refund { charge, amount, reason } => {
                write!(f, "Refund {amount} of charge {charge} ({reason})")?;
                if *reason == RefundReason::Fraudulent {
                    f.write_str(", which also block-lists the customer's card and e-mail address")?;
                }
                Ok(())
            }
            Self::CreditNote { invoice, amount, to_balance, reason, email, .. } => {
                let balance = Money::new(*to_balance, amount.currency);
                let email = if *email { "and is e-mailed to the customer" } else { "and is not e-mailed" };
                write!(f, "Issue a credit note of {amount} on invoice {invoice} ({reason}), ")?;
                if *to_balance == 0 {
                    write!(f, "which lowers what is open {email}")
                } else {
                    write!(f, "of which {balance} goes to the customer's balance {email}")
                }
            }
            Self::BalanceCredit { customer, amount, .. } => {
                write!(
                    f,
                    "Credit {amount} to the balance of customer {customer}, which lowers their next invoices"
                )
            }
            Self::SubmitEvidence { dispute, amount, evidence } => {
                let names: Vec<&str> = evidence.fields().map(|(name, _)| name).collect();
                write!(
                    f,
                    "Submit evidence ({}) against dispute {dispute} of {amount}, which can be done once \
                     and not be changed afterwards",
                    names.join(", ")
                )
            }
            Self::AcceptDispute { dispute, amount } => {
                write!(f, "Accept dispute {dispute} and lose {amount}, which is irreversible")
            }
            Self::CancelSubscription { subscription, invoice_now, prorate, .. } => {
                let last = match (invoice_now, prorate) {
                    (true, true) => "with a last invoice that credits the rest of the period",
                    (true, false) => "with a last invoice for what is pending",
                    (false, true) => "crediting the rest of the period",
                    (false, false) => "dropping what is pending and crediting nothing",
                };
                write!(
                    f,
                    "Cancel subscription {subscription} now, {last}; Stripe then stops collecting the \
                     customer's open invoices by itself, and a cancelled subscription cannot be reactivated"
                )
            }
            Self::CancelAtPeriodEnd { subscription } => {
                write!(
                    f,
                    "Cancel subscription {subscription} at the end of the paid period; open invoices are \
                     still collected"
                )
            }
            Self::PauseCollection { subscription, behavior, resumes_at } => {
                let invoices = match behavior {
                    PauseBehavior::KeepAsDraft => "new invoices wait as drafts",
                    PauseBehavior::MarkUncollectible => "new invoices are written off",
                    PauseBehavior::Void => "new invoices are voided",
                };
                write!(f, "Pause collection of subscription {subscription}, which stays active; {invoices}")?;
                match resumes_at {
                    Some(at) => write!(f, " until {at}"),
                    None => f.write_str(" until somebody resumes it"),
                }
            }
            Self::ResumeCollection { subscription } => {
                write!(f, "Resume collection of subscription {subscription}: new invoices are charged again")
            }
            Self::VoidInvoice { invoice, amount } => {
                write!(f, "Void invoice {invoice} of {amount}, which is irreversible: it is never collected")
            }
            Self::MarkUncollectible { invoice, amount } => {
                write!(
                    f,
                    "Write off {amount} of invoice {invoice} as uncollectible, which stops its collection"
                )
            }
            Self::PayInvoice { invoice, amount, payment_method } => {
                write!(f, "Charge the customer {amount} for invoice {invoice} now, ")?;
                match payment_method {
                    Some(method) => write!(f, "with payment method {method}"),
                    None => f.write_str("with the payment method on file"),
                }
            }
            // Where it goes and what it says stand on the page, and in no message or log.
            Self::SendMessage { case, customer, template, version, locale, .. } => {
                write!(
                    f,
                    "Send customer {customer} a message about {case} (template {template}/{version}, \
                     {locale}), which cannot be taken back"
                )
            }
            Self::ChangeAccess { customer, change: AccessChange::Pause, .. } => {
                write!(f, "Pause the access of customer {customer} until somebody restores it")
            }
            Self::ChangeAccess { customer, change: AccessChange::Restore, .. } => {
                write!(f, "Restore the access of customer {customer}")
            }
            Self::GrantMandate(Terms { rule, allows, per_day, until }) => {
                write!(
                    f,
                    "Let {} be done without asking anybody wherever rule {rule} of this policy asks for it: at \
                     most {per_day} a day until {until}, unless somebody stops it before",
                    allows.words()
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::approval::operation::tests::one_of_each;

    #[test]
    fn the_sentence_names_the_object_the_money_and_what_follows() {
        for operation in one_of_each() {
            let sentence = operation.to_string();
            assert!(sentence.contains(operation.object().as_str()), "{sentence}");
            if let Some(amount) = operation.amount() {
                assert!(sentence.contains(&amount.to_string()), "{sentence}");
            }
            let consequence = match operation {
                Operation::Refund { .. } => "block-lists",
                Operation::CreditNote { .. } => "not e-mailed",
                Operation::BalanceCredit { .. } => "next invoices",
                Operation::SubmitEvidence { .. } => "once",
                Operation::AcceptDispute { .. } | Operation::VoidInvoice { .. } => "irreversible",
                Operation::CancelSubscription { .. } => "open invoices",
                Operation::CancelAtPeriodEnd { .. } => "still collected",
                Operation::PauseCollection { .. } => "stays active",
                Operation::ResumeCollection { .. } => "charged again",
                Operation::MarkUncollectible { .. } => "stops its collection",
                Operation::PayInvoice { .. } => "Charge the customer",
                Operation::SendMessage { .. } => "cannot be taken back",
                Operation::ChangeAccess { .. } => "until somebody restores",
                Operation::GrantMandate(_) => "without asking anybody",
            };
            assert!(sentence.contains(consequence), "{sentence}");
        }
    }
}
