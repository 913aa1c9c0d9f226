//! What can be asked for, signed and done.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    AccessChange, CancelFeedback, CreditNoteReason, EmailAddress, Evidence, PauseBehavior, Private,
    RefundReason, Terms,
};
use crate::{
    CaseKey, ChargeId, CustomerId, Digest, DisputeId, InvoiceId, Money, ObjectId, PaymentMethodId,
    SubscriptionId, Timestamp,
};

/// What is to be done: a closed list, with the parameters that each call takes. What is not here
/// cannot be asked for, signed or sent. All but the last three are writes to Stripe.
///
/// An amount that Stripe does not take as a parameter (of a dispute that is accepted, of an invoice
/// that is voided, written off or paid) is bound all the same: it is what people were shown, and
/// what policy limits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "operation", rename_all = "snake_case")]
pub enum Operation {
    /// `POST /v1/refunds` (<https://docs.stripe.com/api/refunds/create>).
    Refund {
        /// What is refunded.
        charge: ChargeId,
        /// How much; always explicit, never "the rest".
        amount: Money,
        /// Why.
        reason: RefundReason,
    },
    /// `POST /v1/credit_notes` (<https://docs.stripe.com/api/credit_notes/create>). Never with a
    /// refund inside: money goes back by [`Self::Refund`] alone.
    CreditNote {
        /// A finalised invoice.
        invoice: InvoiceId,
        /// How much; what the invoice still asks for falls first.
        amount: Money,
        /// The part beyond what is open, in minor units: it goes to the customer's balance.
        to_balance: i64,
        /// Why.
        reason: CreditNoteReason,
        /// A note that the customer can read on it.
        memo: Option<String>,
        /// Whether Stripe e-mails it. Stripe's own default is to do so, hence always explicit.
        email: bool,
    },
    /// `POST /v1/customers/{id}/balance_transactions`
    /// (<https://docs.stripe.com/api/customer_balance_transactions/create>).
    BalanceCredit {
        /// Who gets it.
        customer: CustomerId,
        /// How much in the customer's favour; positive here, though negative at Stripe.
        amount: Money,
        /// A note for the books.
        description: Option<String>,
    },
    /// `POST /v1/disputes/{id}` with `submit=true`
    /// (<https://docs.stripe.com/api/disputes/update>).
    SubmitEvidence {
        /// The dispute.
        dispute: DisputeId,
        /// What is disputed.
        amount: Money,
        /// What the bank gets to see.
        evidence: Evidence,
    },
    /// `POST /v1/disputes/{id}/close` (<https://docs.stripe.com/api/disputes/close>).
    AcceptDispute {
        /// The dispute.
        dispute: DisputeId,
        /// What is lost.
        amount: Money,
    },
    /// `DELETE /v1/subscriptions/{id}` (<https://docs.stripe.com/api/subscriptions/cancel>).
    CancelSubscription {
        /// The subscription.
        subscription: SubscriptionId,
        /// Whether a last invoice bills what is pending.
        invoice_now: bool,
        /// Whether the rest of the period is credited.
        prorate: bool,
        /// What the customer gave as a reason.
        feedback: Option<CancelFeedback>,
        /// The same in words.
        comment: Option<String>,
    },
    /// `POST /v1/subscriptions/{id}` with `cancel_at_period_end=true`
    /// (<https://docs.stripe.com/api/subscriptions/update>).
    CancelAtPeriodEnd {
        /// The subscription.
        subscription: SubscriptionId,
    },
    /// `POST /v1/subscriptions/{id}` with `pause_collection`
    /// (<https://docs.stripe.com/billing/subscriptions/pause-payment>).
    PauseCollection {
        /// The subscription.
        subscription: SubscriptionId,
        /// What becomes of invoices meanwhile.
        behavior: PauseBehavior,
        /// When collection starts again by itself.
        resumes_at: Option<Timestamp>,
    },
    /// `POST /v1/subscriptions/{id}` with an empty `pause_collection`.
    ResumeCollection {
        /// The subscription.
        subscription: SubscriptionId,
    },
    /// `POST /v1/invoices/{id}/void` (<https://docs.stripe.com/api/invoices/void>).
    VoidInvoice {
        /// The invoice.
        invoice: InvoiceId,
        /// What it asked for.
        amount: Money,
    },
    /// `POST /v1/invoices/{id}/mark_uncollectible`
    /// (<https://docs.stripe.com/api/invoices/mark_uncollectible>).
    MarkUncollectible {
        /// The invoice.
        invoice: InvoiceId,
        /// What is written off.
        amount: Money,
    },
    /// `POST /v1/invoices/{id}/pay` (<https://docs.stripe.com/api/invoices/pay>).
    PayInvoice {
        /// The invoice.
        invoice: InvoiceId,
        /// What is collected.
        amount: Money,
        /// With what; `None` for what the invoice would use by itself.
        payment_method: Option<PaymentMethodId>,
    },
    /// A message to a customer, with every word of it.
    SendMessage {
        /// The case that it belongs to.
        case: CaseKey,
        /// Who it is for.
        customer: CustomerId,
        /// Where it goes.
        recipient: EmailAddress,
        /// The approved template that it was written from.
        template: String,
        /// That template's version.
        version: u32,
        /// The language: `en`.
        locale: String,
        /// The subject.
        subject: Private,
        /// The text.
        body: Private,
    },
    /// A customer's access to what they pay for, in the company's own systems.
    ChangeAccess {
        /// Whose access.
        customer: CustomerId,
        /// What becomes of it.
        change: AccessChange,
        /// A note for whoever looks there.
        note: Option<String>,
    },
    /// A standing grant for one reversible operation: nothing happens outside, and less is asked
    /// afterwards.
    GrantMandate(Terms),
}

impl Operation {
    /// The name that is signed, kept and logged.
    pub const fn name(&self) -> &'static str {
        self.kind().as_str()
    }

    /// The object that it changes, or that a message is about: at most one open proposal for an object
    /// and an operation.
    pub fn object(&self) -> ObjectId {
        match self {
            Self::Refund { charge, .. } => charge.into(),
            Self::BalanceCredit { customer, .. } | Self::ChangeAccess { customer, .. } => customer.into(),
            Self::SendMessage { case, .. } => case.object().clone(),
            Self::GrantMandate(terms) => (&terms.rule).into(),
            Self::SubmitEvidence { dispute, .. } | Self::AcceptDispute { dispute, .. } => dispute.into(),
            Self::CancelSubscription { subscription, .. }
            | Self::CancelAtPeriodEnd { subscription }
            | Self::PauseCollection { subscription, .. }
            | Self::ResumeCollection { subscription } => subscription.into(),
            Self::CreditNote { invoice, .. }
            | Self::VoidInvoice { invoice, .. }
            | Self::MarkUncollectible { invoice, .. }
            | Self::PayInvoice { invoice, .. } => invoice.into(),
        }
    }

    /// The money at stake: what moves, is lost, given up or argued about.
    pub const fn amount(&self) -> Option<Money> {
        match self {
            Self::Refund { amount, .. }
            | Self::CreditNote { amount, .. }
            | Self::BalanceCredit { amount, .. }
            | Self::SubmitEvidence { amount, .. }
            | Self::AcceptDispute { amount, .. }
            | Self::VoidInvoice { amount, .. }
            | Self::MarkUncollectible { amount, .. }
            | Self::PayInvoice { amount, .. } => Some(*amount),
            Self::CancelSubscription { .. }
            | Self::CancelAtPeriodEnd { .. }
            | Self::PauseCollection { .. }
            | Self::ResumeCollection { .. }
            | Self::SendMessage { .. }
            | Self::ChangeAccess { .. }
            | Self::GrantMandate(_) => None,
        }
    }

    /// The reason that goes to Stripe; empty if the call takes none.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Refund { reason, .. } => reason.as_str(),
            Self::CreditNote { reason, .. } => reason.as_str(),
            _ => "",
        }
    }

    /// Whether it is a call to Stripe that takes metadata. A call that does not is recognised by its
    /// request id and idempotency key, which Stripe's event names.
    pub const fn takes_metadata(&self) -> bool {
        match self {
            Self::Refund { .. }
            | Self::CreditNote { .. }
            | Self::BalanceCredit { .. }
            | Self::SubmitEvidence { .. }
            | Self::CancelAtPeriodEnd { .. }
            | Self::PauseCollection { .. }
            | Self::ResumeCollection { .. } => true,
            Self::AcceptDispute { .. }
            | Self::CancelSubscription { .. }
            | Self::VoidInvoice { .. }
            | Self::MarkUncollectible { .. }
            | Self::PayInvoice { .. }
            | Self::SendMessage { .. }
            | Self::ChangeAccess { .. }
            | Self::GrantMandate(_) => false,
        }
    }

    /// Every parameter that is not the object, the amount or the reason, by name. What is absent is
    /// not in the map, so that no two operations share one.
    pub fn parameters(&self) -> BTreeMap<String, String> {
        let mut map = BTreeMap::new();
        let mut add = |name: &str, value: Option<String>| {
            if let Some(value) = value {
                map.insert(name.to_owned(), value);
            }
        };
        match self {
            Self::Refund { .. }
            | Self::AcceptDispute { .. }
            | Self::CancelAtPeriodEnd { .. }
            | Self::ResumeCollection { .. }
            | Self::VoidInvoice { .. }
            | Self::MarkUncollectible { .. } => {}
            Self::CreditNote { to_balance, memo, email, .. } => {
                add("email", Some(email.to_string()));
                add("to_balance", Some(to_balance.to_string()));
                add("memo", memo.clone());
            }
            Self::BalanceCredit { description, .. } => {
                add("description", description.clone());
            }
            Self::SubmitEvidence { evidence, .. } => {
                for (name, value) in evidence.fields() {
                    add(&format!("evidence.{name}"), Some(value.to_owned()));
                }
            }
            Self::CancelSubscription { invoice_now, prorate, feedback, comment, .. } => {
                add("invoice_now", Some(invoice_now.to_string()));
                add("prorate", Some(prorate.to_string()));
                add("feedback", feedback.map(|feedback| feedback.as_str().to_owned()));
                add("comment", comment.clone());
            }
            Self::PauseCollection { behavior, resumes_at, .. } => {
                add("behavior", Some(behavior.as_str().to_owned()));
                add("resumes_at", resumes_at.map(|at| at.seconds().to_string()));
            }
            Self::PayInvoice { payment_method, .. } => {
                add("payment_method", payment_method.as_ref().map(PaymentMethodId::to_string));
            }
            Self::SendMessage { case, customer, recipient, template, version, locale, subject, body } => {
                add("case", Some(case.to_string()));
                add("customer", Some(customer.to_string()));
                add("recipient", Some(recipient.expose().to_owned()));
                add("template", Some(template.clone()));
                add("version", Some(version.to_string()));
                add("locale", Some(locale.clone()));
                add("subject", Some(subject.expose().to_owned()));
                add("body", Some(body.expose().to_owned()));
            }
            Self::ChangeAccess { change, note, .. } => {
                add("change", Some(change.as_str().to_owned()));
                add("note", note.clone());
            }
            Self::GrantMandate(Terms { allows, per_day, until, .. }) => {
                add("allows", Some(allows.as_str().to_owned()));
                add("per_day", Some(per_day.to_string()));
                add("until", Some(until.seconds().to_string()));
            }
        }
        map
    }

    /// What the trail keeps of it: everything, with the SHA-256 of what can hold a customer's data or
    /// somebody's own words. The proposal itself has them; who holds the words can check them.
    pub fn for_trail(&self) -> serde_json::Value {
        const PLAIN: [&str; 16] = [
            "case",
            "customer",
            "template",
            "version",
            "locale",
            "change",
            "behavior",
            "resumes_at",
            "payment_method",
            "invoice_now",
            "prorate",
            "to_balance",
            "email",
            "allows",
            "per_day",
            "until",
        ];
        let kept = |(name, value): (String, String)| {
            let value = if PLAIN.contains(&name.as_str()) { value } else { Digest::of(value).to_string() };
            (name, value)
        };
        serde_json::json!({
            "operation": self.name(),
            "object": self.object(),
            "amount": self.amount(),
            "reason": self.reason(),
            "parameters": self.parameters().into_iter().map(kept).collect::<BTreeMap<_, _>>(),
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::{Currency, RuleId, approval::ReversibleOperation};

    /// One of each operation, with every optional parameter.
    pub(crate) fn one_of_each() -> Vec<Operation> {
        let amount = Money::new(500, Currency::parse("usd").unwrap());
        let invoice = || InvoiceId::parse("in_1").unwrap();
        let subscription = || SubscriptionId::parse("sub_1").unwrap();
        let dispute = || DisputeId::parse("du_1").unwrap();
        let receipt = [("receipt".to_owned(), "file_1".to_owned())].into();
        vec![
            Operation::Refund {
                charge: ChargeId::parse("ch_1").unwrap(),
                amount,
                reason: RefundReason::Fraudulent,
            },
            Operation::CreditNote {
                invoice: invoice(),
                amount,
                to_balance: 200,
                reason: CreditNoteReason::ProductUnsatisfactory,
                memo: Some("Sorry".into()),
                email: false,
            },
            Operation::BalanceCredit {
                customer: CustomerId::parse("cus_1").unwrap(),
                amount,
                description: Some("goodwill".into()),
            },
            Operation::SubmitEvidence {
                dispute: dispute(),
                amount,
                evidence: Evidence::new(receipt).unwrap(),
            },
            Operation::AcceptDispute { dispute: dispute(), amount },
            Operation::CancelSubscription {
                subscription: subscription(),
                invoice_now: false,
                prorate: false,
                feedback: Some(CancelFeedback::TooExpensive),
                comment: Some("asked by email".into()),
            },
            Operation::CancelAtPeriodEnd { subscription: subscription() },
            Operation::PauseCollection {
                subscription: subscription(),
                behavior: PauseBehavior::Void,
                resumes_at: Some(Timestamp::from_seconds(1_795_000_000)),
            },
            Operation::ResumeCollection { subscription: subscription() },
            Operation::VoidInvoice { invoice: invoice(), amount },
            Operation::MarkUncollectible { invoice: invoice(), amount },
            Operation::PayInvoice {
                invoice: invoice(),
                amount,
                payment_method: PaymentMethodId::parse("pm_1").ok(),
            },
            Operation::SendMessage {
                case: "recovery:in_1".parse().unwrap(),
                customer: CustomerId::parse("cus_1").unwrap(),
                recipient: EmailAddress::parse("canary@example.test").unwrap(),
                template: "recovery-update-card".into(),
                version: 1,
                locale: "en".into(),
                subject: Private::new("canary: your payment"),
                body: Private::new("canary: please update your card"),
            },
            Operation::ChangeAccess {
                customer: CustomerId::parse("cus_1").unwrap(),
                change: AccessChange::Pause,
                note: Some("unpaid since October".into()),
            },
            Operation::GrantMandate(Terms {
                rule: RuleId::parse("support-asks").unwrap(),
                allows: ReversibleOperation::PauseCollection,
                per_day: 5,
                until: Timestamp::from_seconds(1_752_000_000),
            }),
        ]
    }

    #[test]
    fn every_operation_has_a_name_of_its_own_and_reads_what_it_writes() {
        let all = one_of_each();
        let names: std::collections::BTreeSet<&str> = all.iter().map(Operation::name).collect();
        assert_eq!(names.len(), all.len());
        for operation in all {
            let text = serde_json::to_string(&operation).unwrap();
            assert_eq!(serde_json::from_str::<Operation>(&text).unwrap(), operation);
        }
    }

    #[test]
    fn what_a_log_could_print_of_an_operation_holds_no_address_and_no_text_to_a_customer() {
        for operation in one_of_each() {
            let printed = format!("{operation:?} {operation} {}", operation.for_trail());
            assert!(!printed.contains("canary"), "{printed}");
        }
    }
}
