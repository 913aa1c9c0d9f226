//! Disputes and early fraud warnings.

use domain::{
    ChargeId, DisputeId, Money, ObjectId, PaymentIntentId, Timestamp,
    money::Currency,
    snapshot::{Dispute, DisputeAnswering, DisputeStatus, FraudWarning},
};
use serde::Deserialize;

use super::{Reference, count};

#[derive(Deserialize)]
pub struct DisputeWire {
    id: DisputeId,
    status: DisputeStatus,
    reason: String,
    currency: Currency,
    amount: i64,
    charge: Option<Reference<ChargeId>>,
    payment_intent: Option<Reference<PaymentIntentId>>,
    evidence_details: Option<EvidenceDetails>,
    created: Timestamp,
}

#[derive(Default, Deserialize)]
struct EvidenceDetails {
    due_by: Option<i64>,
    has_evidence: Option<bool>,
    submission_count: Option<i64>,
}

#[derive(Deserialize)]
pub struct DisputeAnsweringWire {
    intended_submission_method: Option<String>,
    evidence_details: Option<Submission>,
}

#[derive(Deserialize)]
struct Submission {
    submission_method: Option<String>,
}

impl From<DisputeAnsweringWire> for DisputeAnswering {
    fn from(wire: DisputeAnsweringWire) -> Self {
        Self {
            intended: wire.intended_submission_method,
            submitted: wire.evidence_details.and_then(|details| details.submission_method),
        }
    }
}

#[derive(Deserialize)]
pub struct FraudWarningWire {
    id: ObjectId,
    actionable: bool,
    fraud_type: String,
    charge: Option<Reference<ChargeId>>,
    payment_intent: Option<Reference<PaymentIntentId>>,
    created: Timestamp,
}

impl From<DisputeWire> for Dispute {
    fn from(wire: DisputeWire) -> Self {
        let details = wire.evidence_details.unwrap_or_default();
        Self {
            id: wire.id,
            status: wire.status,
            reason: wire.reason,
            amount: Money::new(wire.amount, wire.currency),
            charge: wire.charge.map(Reference::id),
            payment_intent: wire.payment_intent.map(Reference::id),
            // Stripe writes 0 as well as null where nothing can be answered.
            due_by: details.due_by.filter(|due| *due != 0).map(Timestamp::from_seconds),
            submission_count: count(details.submission_count),
            has_evidence: details.has_evidence.unwrap_or_default(),
            created: wire.created,
        }
    }
}

impl From<FraudWarningWire> for FraudWarning {
    fn from(wire: FraudWarningWire) -> Self {
        Self {
            id: wire.id,
            actionable: wire.actionable,
            fraud_type: wire.fraud_type,
            charge: wire.charge.map(Reference::id),
            payment_intent: wire.payment_intent.map(Reference::id),
            created: wire.created,
        }
    }
}
