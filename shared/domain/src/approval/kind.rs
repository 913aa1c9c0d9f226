//! The kinds of operation, by name, and what each is about.

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
}

impl OperationKind {
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
        }
    }
}
