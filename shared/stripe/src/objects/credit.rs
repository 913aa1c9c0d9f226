//! Credit notes and balances.

use domain::{
    CustomerId, InvoiceId, Money, ObjectId, Timestamp,
    money::Currency,
    snapshot::{BalanceEntry, CreditNote, CreditNoteStatus, CustomerCredit},
};
use serde::Deserialize;

use super::{Reference, charge::ApprovalMetadata};

#[derive(Deserialize)]
pub struct CreditNoteWire {
    id: ObjectId,
    invoice: Option<Reference<InvoiceId>>,
    customer: Option<Reference<CustomerId>>,
    status: CreditNoteStatus,
    currency: Currency,
    amount: i64,
    metadata: Option<ApprovalMetadata>,
    created: Timestamp,
}

#[derive(Deserialize)]
pub struct CustomerCreditWire {
    id: ObjectId,
    customer: Option<Reference<CustomerId>>,
    currency: Currency,
    amount: i64,
    ending_balance: i64,
    #[serde(rename = "type")]
    kind: String,
    metadata: Option<ApprovalMetadata>,
    created: Timestamp,
}

#[derive(Deserialize)]
pub struct BalanceEntryWire {
    id: ObjectId,
    source: Option<Reference<String>>,
    currency: Currency,
    amount: i64,
    fee: i64,
    net: i64,
    #[serde(rename = "type")]
    kind: String,
    created: Timestamp,
}

impl From<CreditNoteWire> for CreditNote {
    fn from(wire: CreditNoteWire) -> Self {
        let metadata = wire.metadata.unwrap_or_default();
        Self {
            id: wire.id,
            invoice: wire.invoice.map(Reference::id),
            customer: wire.customer.map(Reference::id),
            status: wire.status,
            amount: Money::new(wire.amount, wire.currency),
            approval_id: metadata.approval_id,
            approval_digest: metadata.approval_digest,
            created: wire.created,
        }
    }
}

impl From<CustomerCreditWire> for CustomerCredit {
    fn from(wire: CustomerCreditWire) -> Self {
        let metadata = wire.metadata.unwrap_or_default();
        Self {
            id: wire.id,
            customer: wire.customer.map(Reference::id),
            amount: Money::new(wire.amount, wire.currency),
            ending_balance: Money::new(wire.ending_balance, wire.currency),
            kind: wire.kind,
            approval_id: metadata.approval_id,
            approval_digest: metadata.approval_digest,
            created: wire.created,
        }
    }
}

impl From<BalanceEntryWire> for BalanceEntry {
    fn from(wire: BalanceEntryWire) -> Self {
        let money = |amount| Money::new(amount, wire.currency);
        Self {
            id: wire.id,
            // Payouts, top-ups and the like are behind entries too; one without a plain id is nobody's.
            source: wire.source.and_then(|source| ObjectId::parse(source.id()).ok()),
            amount: money(wire.amount),
            fee: money(wire.fee),
            net: money(wire.net),
            kind: wire.kind,
            created: wire.created,
        }
    }
}
