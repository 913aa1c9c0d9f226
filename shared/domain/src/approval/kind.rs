//! The kinds of operation, by name, what each is about and where it is done.

use std::fmt;

use super::{Operation, choices::closed_enum};

closed_enum! {
    /// The kinds of operation, by the name that is signed, kept and logged.
    OperationKind {
        /// [`Operation::Refund`].
        Refund = "refund.create",
        /// [`Operation::CreditNote`].
        CreditNote = "credit_note.create",
        /// [`Operation::BalanceCredit`].
        BalanceCredit = "customer_balance.credit",
        /// [`Operation::SubmitEvidence`].
        SubmitEvidence = "dispute.submit",
        /// [`Operation::AcceptDispute`].
        AcceptDispute = "dispute.accept",
        /// [`Operation::CancelSubscription`].
        CancelSubscription = "subscription.cancel",
        /// [`Operation::CancelAtPeriodEnd`].
        CancelAtPeriodEnd = "subscription.cancel_at_period_end",
        /// [`Operation::PauseCollection`].
        PauseCollection = "subscription.pause_collection",
        /// [`Operation::ResumeCollection`].
        ResumeCollection = "subscription.resume_collection",
        /// [`Operation::VoidInvoice`].
        VoidInvoice = "invoice.void",
        /// [`Operation::MarkUncollectible`].
        MarkUncollectible = "invoice.mark_uncollectible",
        /// [`Operation::PayInvoice`].
        PayInvoice = "invoice.pay",
        /// [`Operation::SendMessage`].
        SendMessage = "message.send",
        /// [`Operation::ChangeAccess`].
        ChangeAccess = "access.change",
        /// [`Operation::GrantMandate`].
        GrantMandate = "mandate.grant",
    }
}

/// What kind of object an operation is asked for on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// `ch_…`
    Charge,
    /// `in_…`
    Invoice,
    /// `du_…`
    Dispute,
    /// `sub_…`
    Subscription,
    /// `cus_…`
    Customer,
    /// A case's own object; only a case asks for it.
    Case,
    /// A rule of the policy, by its id.
    Rule,
}

/// Where an operation is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum System {
    /// Stripe, by one write with an idempotency key.
    Stripe,
    /// The mail service, which takes no idempotency key and cannot be asked what it did.
    Mail,
    /// The company's own application, which does an execution once and can be asked about it.
    Application,
    /// The approver's own table: nothing leaves this house.
    Here,
}

impl fmt::Display for System {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stripe => "Stripe",
            Self::Mail => "the mail service",
            Self::Application => "the application",
            Self::Here => "the approver",
        })
    }
}

impl OperationKind {
    /// Where it is done.
    pub const fn system(self) -> System {
        match self {
            Self::SendMessage => System::Mail,
            Self::ChangeAccess => System::Application,
            Self::GrantMandate => System::Here,
            Self::Refund
            | Self::CreditNote
            | Self::BalanceCredit
            | Self::SubmitEvidence
            | Self::AcceptDispute
            | Self::CancelSubscription
            | Self::CancelAtPeriodEnd
            | Self::PauseCollection
            | Self::ResumeCollection
            | Self::VoidInvoice
            | Self::MarkUncollectible
            | Self::PayInvoice => System::Stripe,
        }
    }

    /// The resource that Stripe lets a key write for it, as Stripe's documentation names resources; `None`
    /// if it is no write to Stripe.
    pub const fn writes(self) -> Option<&'static str> {
        match self {
            Self::Refund => Some("refunds"),
            Self::CreditNote => Some("credit_notes"),
            Self::BalanceCredit => Some("customer_balance_transactions"),
            Self::SubmitEvidence | Self::AcceptDispute => Some("disputes"),
            Self::CancelSubscription
            | Self::CancelAtPeriodEnd
            | Self::PauseCollection
            | Self::ResumeCollection => Some("subscriptions"),
            Self::VoidInvoice | Self::MarkUncollectible | Self::PayInvoice => Some("invoices"),
            Self::SendMessage | Self::ChangeAccess | Self::GrantMandate => None,
        }
    }

    /// What it is asked for on.
    pub const fn target(self) -> Target {
        match self {
            Self::Refund => Target::Charge,
            Self::CreditNote | Self::VoidInvoice | Self::MarkUncollectible | Self::PayInvoice => {
                Target::Invoice
            }
            Self::SubmitEvidence | Self::AcceptDispute => Target::Dispute,
            Self::CancelSubscription
            | Self::CancelAtPeriodEnd
            | Self::PauseCollection
            | Self::ResumeCollection => Target::Subscription,
            Self::BalanceCredit | Self::ChangeAccess => Target::Customer,
            Self::SendMessage => Target::Case,
            Self::GrantMandate => Target::Rule,
        }
    }

    /// The parameters that may be given with a wish for it; what else the operation holds is read from
    /// Stripe.
    pub const fn parameters(self) -> &'static [&'static str] {
        match self {
            Self::Refund => &["amount", "reason"],
            Self::CreditNote => &["amount", "reason", "memo", "email"],
            Self::BalanceCredit => &["amount", "currency", "description"],
            Self::SubmitEvidence => &[
                "product_description",
                "service_date",
                "access_activity_log",
                "uncategorized_text",
                "receipt",
            ],
            Self::CancelSubscription => &["invoice_now", "prorate", "feedback", "comment"],
            Self::PauseCollection => &["behavior", "resumes_at"],
            Self::PayInvoice => &["payment_method"],
            Self::SendMessage => &["template"],
            Self::ChangeAccess => &["change", "note"],
            Self::GrantMandate => &["allows", "per_day", "days"],
            Self::AcceptDispute
            | Self::CancelAtPeriodEnd
            | Self::ResumeCollection
            | Self::VoidInvoice
            | Self::MarkUncollectible => &[],
        }
    }
}

impl Operation {
    /// Which kind it is.
    pub const fn kind(&self) -> OperationKind {
        match self {
            Self::Refund { .. } => OperationKind::Refund,
            Self::CreditNote { .. } => OperationKind::CreditNote,
            Self::BalanceCredit { .. } => OperationKind::BalanceCredit,
            Self::SubmitEvidence { .. } => OperationKind::SubmitEvidence,
            Self::AcceptDispute { .. } => OperationKind::AcceptDispute,
            Self::CancelSubscription { .. } => OperationKind::CancelSubscription,
            Self::CancelAtPeriodEnd { .. } => OperationKind::CancelAtPeriodEnd,
            Self::PauseCollection { .. } => OperationKind::PauseCollection,
            Self::ResumeCollection { .. } => OperationKind::ResumeCollection,
            Self::VoidInvoice { .. } => OperationKind::VoidInvoice,
            Self::MarkUncollectible { .. } => OperationKind::MarkUncollectible,
            Self::PayInvoice { .. } => OperationKind::PayInvoice,
            Self::SendMessage { .. } => OperationKind::SendMessage,
            Self::ChangeAccess { .. } => OperationKind::ChangeAccess,
            Self::GrantMandate(_) => OperationKind::GrantMandate,
        }
    }
}
