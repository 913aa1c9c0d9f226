//! Credit notes, customers' balances and the entries of the account's own balance.

use serde::{Deserialize, Serialize};

use crate::{CustomerId, InvoiceId, Money, ObjectId, Timestamp, open_enum::open_enum};

open_enum! {
    /// <https://docs.stripe.com/api/credit_notes/object#credit_note_object-status>
    CreditNoteStatus { Issued = "issued", Void = "void" }
}

/// A credit note.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreditNote {
    /// Its id (`cn_…`).
    pub id: ObjectId,
    /// The invoice that it corrects.
    pub invoice: Option<InvoiceId>,
    /// Whom it credits.
    pub customer: Option<CustomerId>,
    /// Where it stands.
    pub status: CreditNoteStatus,
    /// What it credits.
    pub amount: Money,
    /// The proposal that it executes, from the metadata that our own write set.
    pub approval_id: Option<String>,
    /// The digest of that proposal, likewise.
    pub approval_digest: Option<String>,
    /// When it was created.
    pub created: Timestamp,
}

/// An entry of a customer's balance, which lowers or raises their next invoices.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomerCredit {
    /// Its id (`cbtxn_…`).
    pub id: ObjectId,
    /// Whose balance.
    pub customer: Option<CustomerId>,
    /// Negative in the customer's favour.
    pub amount: Money,
    /// The balance afterwards.
    pub ending_balance: Money,
    /// `adjustment`, `applied_to_invoice`, …
    pub kind: String,
    /// As on [`CreditNote`].
    pub approval_id: Option<String>,
    /// As on [`CreditNote`].
    pub approval_digest: Option<String>,
    /// When it was created.
    pub created: Timestamp,
}

/// An entry of the account's own balance: what a charge, refund or dispute brought or cost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BalanceEntry {
    /// Its id (`txn_…`).
    pub id: ObjectId,
    /// The charge, refund or dispute behind it.
    pub source: Option<ObjectId>,
    /// What moved before the fee.
    pub amount: Money,
    /// Stripe's fee.
    pub fee: Money,
    /// What is left.
    pub net: Money,
    /// `charge`, `refund`, `adjustment`, …
    pub kind: String,
    /// When it was created.
    pub created: Timestamp,
}
