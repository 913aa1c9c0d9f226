//! What can be asked for, signed and sent to Stripe.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

use super::Evidence;
use crate::{
    ChargeId, CustomerId, DisputeId, InvoiceId, Money, ObjectId, PaymentMethodId, SubscriptionId, Timestamp,
};

/// What is to be done in Stripe: a closed list, with the parameters that each call takes. What is
/// not here cannot be asked for, signed or sent.
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
}

/// Declares a closed list of texts that Stripe takes.
macro_rules! closed_enum {
    ($($(#[$doc:meta])* $name:ident { $($(#[$of:meta])* $variant:ident = $text:literal),+ $(,)? })+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name {
            $($(#[$of])* $variant,)+
        }

        impl $name {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// As Stripe writes it.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }

            /// Reads what Stripe, or a form, writes.
            pub fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|known| known.as_str() == text)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.as_str().replace('_', " "))
            }
        }
    )+};
}

closed_enum! {
    /// The reasons that Stripe takes for a refund. `fraudulent` also block-lists the customer's card
    /// and e-mail address, so it is never chosen silently.
    RefundReason {
        /// The same thing was charged twice.
        Duplicate = "duplicate",
        /// The payment was fraudulent.
        Fraudulent = "fraudulent",
        /// The customer asked.
        RequestedByCustomer = "requested_by_customer",
    }

    /// The reasons that Stripe takes for a credit note.
    CreditNoteReason {
        /// The same thing was billed twice.
        Duplicate = "duplicate",
        /// The order was fraudulent.
        Fraudulent = "fraudulent",
        /// The order changed.
        OrderChange = "order_change",
        /// The customer was not satisfied.
        ProductUnsatisfactory = "product_unsatisfactory",
    }

    /// What becomes of invoices while collection is paused.
    PauseBehavior {
        /// They wait as drafts.
        KeepAsDraft = "keep_as_draft",
        /// They are written off.
        MarkUncollectible = "mark_uncollectible",
        /// They are voided.
        Void = "void",
    }

    /// What Stripe lets a customer give as a reason for leaving.
    CancelFeedback {
        /// How they were served.
        CustomerService = "customer_service",
        /// The quality.
        LowQuality = "low_quality",
        /// Something is missing.
        MissingFeatures = "missing_features",
        /// Something else.
        Other = "other",
        /// They use another service.
        SwitchedService = "switched_service",
        /// It is too complex.
        TooComplex = "too_complex",
        /// The price.
        TooExpensive = "too_expensive",
        /// They do not use it.
        Unused = "unused",
    }
}

impl Operation {
    /// The name that is signed, kept and logged.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Refund { .. } => "refund.create",
            Self::CreditNote { .. } => "credit_note.create",
            Self::BalanceCredit { .. } => "customer_balance.credit",
            Self::SubmitEvidence { .. } => "dispute.submit",
            Self::AcceptDispute { .. } => "dispute.accept",
            Self::CancelSubscription { .. } => "subscription.cancel",
            Self::CancelAtPeriodEnd { .. } => "subscription.cancel_at_period_end",
            Self::PauseCollection { .. } => "subscription.pause_collection",
            Self::ResumeCollection { .. } => "subscription.resume_collection",
            Self::VoidInvoice { .. } => "invoice.void",
            Self::MarkUncollectible { .. } => "invoice.mark_uncollectible",
            Self::PayInvoice { .. } => "invoice.pay",
        }
    }

    /// The object that it changes: at most one open proposal for an object and an operation.
    pub fn object(&self) -> ObjectId {
        match self {
            Self::Refund { charge, .. } => charge.into(),
            Self::BalanceCredit { customer, .. } => customer.into(),
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
            | Self::ResumeCollection { .. } => None,
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

    /// Whether the call takes metadata. Where it does not, the write is recognised by its request id
    /// and idempotency key, which Stripe's event names.
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
            | Self::PayInvoice { .. } => false,
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
        }
        map
    }
}

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
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::Currency;

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
            };
            assert!(sentence.contains(consequence), "{sentence}");
        }
    }
}
