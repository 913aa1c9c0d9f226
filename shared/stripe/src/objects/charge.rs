//! Charges, payment intents and refunds.

use std::collections::BTreeMap;

use domain::{
    ChargeId, CustomerId, Money, PaymentIntentId, PaymentMethodId, RefundId, Timestamp,
    money::Currency,
    snapshot::{
        Charge, ChargeStatus, Metadata, Outcome, OutcomeKind, PaymentError, PaymentIntent,
        PaymentIntentStatus, Refund, RefundStatus,
    },
};
use serde::Deserialize;

use super::{Page, Reference};

#[derive(Deserialize)]
pub struct ChargeWire {
    id: ChargeId,
    status: ChargeStatus,
    currency: Currency,
    amount: i64,
    #[serde(default)]
    amount_refunded: i64,
    #[serde(default)]
    disputed: bool,
    #[serde(default)]
    captured: bool,
    customer: Option<Reference<CustomerId>>,
    payment_intent: Option<Reference<PaymentIntentId>>,
    /// Only if the read asked for it, since 2022-11-15.
    refunds: Option<Page<RefundInCharge>>,
    outcome: Option<OutcomeWire>,
    #[serde(default, deserialize_with = "texts")]
    metadata: BTreeMap<String, String>,
    payment_method_details: Option<PaymentDetails>,
    livemode: bool,
    created: Timestamp,
}

#[derive(Deserialize)]
struct RefundInCharge {
    id: RefundId,
    created: Timestamp,
}

#[derive(Deserialize)]
struct PaymentDetails {
    card: Option<CardDetails>,
}

/// What tells one issuer from another: its name where Stripe gives it, else what is known of its cards.
#[derive(Deserialize)]
struct CardDetails {
    issuer: Option<String>,
    brand: Option<String>,
    country: Option<String>,
    funding: Option<String>,
}

impl CardDetails {
    fn issuer(self) -> Option<String> {
        let known: Vec<String> = [self.brand, self.country, self.funding].into_iter().flatten().collect();
        self.issuer.or_else(|| (!known.is_empty()).then(|| known.join(" ")))
    }
}

#[derive(Deserialize)]
struct OutcomeWire {
    #[serde(rename = "type")]
    kind: OutcomeKind,
    reason: Option<String>,
    risk_level: Option<String>,
    network_status: Option<String>,
    advice_code: Option<String>,
}

#[derive(Deserialize)]
pub struct PaymentIntentWire {
    pub(super) id: PaymentIntentId,
    status: PaymentIntentStatus,
    last_payment_error: Option<LastError>,
    latest_charge: Option<Reference<ChargeId>>,
}

#[derive(Deserialize)]
struct LastError {
    code: Option<String>,
    decline_code: Option<String>,
    advice_code: Option<String>,
    payment_method: Option<Reference<PaymentMethodId>>,
}

#[derive(Deserialize)]
pub struct RefundWire {
    id: RefundId,
    status: Option<RefundStatus>,
    currency: Currency,
    amount: i64,
    charge: Option<Reference<ChargeId>>,
    payment_intent: Option<Reference<PaymentIntentId>>,
    reason: Option<String>,
    failure_reason: Option<String>,
    #[serde(default, deserialize_with = "texts")]
    metadata: BTreeMap<String, String>,
    created: Timestamp,
}

/// Metadata is text by text; whatever else stands there is left out.
fn texts<'de, D: serde::Deserializer<'de>>(from: D) -> Result<BTreeMap<String, String>, D::Error> {
    let all = Option::<BTreeMap<String, serde_json::Value>>::deserialize(from)?.unwrap_or_default();
    let text = |(key, value): (String, serde_json::Value)| Some((key, value.as_str()?.to_owned()));
    Ok(all.into_iter().filter_map(text).collect())
}

/// The two keys that our own writes set.
#[derive(Default, Deserialize)]
pub(super) struct ApprovalMetadata {
    pub(super) approval_id: Option<String>,
    pub(super) approval_digest: Option<String>,
}

impl From<ChargeWire> for Charge {
    fn from(wire: ChargeWire) -> Self {
        let metadata = wire.metadata;
        let refunds = wire.refunds.map(|page| page.data).unwrap_or_default();
        let latest = refunds.into_iter().reduce(|a, b| if b.created > a.created { b } else { a });
        Self {
            id: wire.id,
            status: wire.status,
            amount: Money::new(wire.amount, wire.currency),
            amount_refunded: Money::new(wire.amount_refunded, wire.currency),
            disputed: wire.disputed,
            captured: wire.captured,
            customer: wire.customer.map(Reference::id),
            payment_intent: wire.payment_intent.map(Reference::id),
            latest_refund: latest.map(|refund| refund.id),
            outcome: wire.outcome.map(Into::into),
            refund_request: metadata.get("refund_request").cloned(),
            issuer: wire.payment_method_details.and_then(|details| details.card?.issuer()),
            metadata: Metadata(metadata),
            livemode: wire.livemode,
            created: wire.created,
        }
    }
}

impl From<OutcomeWire> for Outcome {
    fn from(wire: OutcomeWire) -> Self {
        Self {
            kind: wire.kind,
            reason: wire.reason,
            risk_level: wire.risk_level,
            network_status: wire.network_status,
            advice_code: wire.advice_code,
        }
    }
}

impl From<PaymentIntentWire> for PaymentIntent {
    fn from(wire: PaymentIntentWire) -> Self {
        Self {
            id: wire.id,
            status: wire.status,
            last_error: wire.last_payment_error.map(|error| PaymentError {
                code: error.code,
                decline_code: error.decline_code,
                advice_code: error.advice_code,
                payment_method: error.payment_method.map(Reference::id),
            }),
            latest_charge: wire.latest_charge.map(Reference::id),
        }
    }
}

impl From<RefundWire> for Refund {
    fn from(wire: RefundWire) -> Self {
        let metadata = wire.metadata;
        Self {
            id: wire.id,
            status: wire.status,
            amount: Money::new(wire.amount, wire.currency),
            charge: wire.charge.map(Reference::id),
            payment_intent: wire.payment_intent.map(Reference::id),
            reason: wire.reason,
            failure_reason: wire.failure_reason,
            approval_id: metadata.get("approval_id").cloned(),
            approval_digest: metadata.get("approval_digest").cloned(),
            metadata: Metadata(metadata),
            created: wire.created,
        }
    }
}
