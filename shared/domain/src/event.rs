//! What travels on the queue: the envelope of an event, ids only.

use serde::{Deserialize, Serialize};

use crate::{AccountId, CaseKey, CaseKind, CustomerId, EventId, ObjectId, Timestamp, encoding};

/// A Stripe event without its payload: a trigger, never a source of truth. It holds no personal
/// data, since it goes onto a queue and into logs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Envelope {
    /// The event's id; also the queue's deduplication id.
    pub id: EventId,
    /// The type without the prefix that thin versions carry: `invoice.payment_failed`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The object that the event is about.
    pub object: ObjectId,
    /// The customer, if the event's object named one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<CustomerId>,
    /// The connected account that the event came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<AccountId>,
    /// The path that a thin event or an organisation's event names, for `Stripe-Context`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
    /// Whether it happened in live mode.
    pub livemode: bool,
    /// The API version that the payload was rendered in; thin events have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_version: Option<String>,
    /// When Stripe created it. Never used for order: Stripe promises none.
    pub created: Timestamp,
    /// When it was taken in.
    pub received: Timestamp,
    /// Which endpoint took it in, or which sweep found it.
    pub endpoint: String,
}

/// Which account an object lives in, if it is not the key's own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// A connected account, for `Stripe-Account`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<AccountId>,
    /// A path of accounts, for `Stripe-Context`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
}

/// The type of the event that we send to ourselves, to see that the whole path works. It starts no work.
pub const CANARY: &str = "countersign.canary";

impl EventId {
    /// The trace of everything that follows from an event, as a W3C trace id: 16 bytes in hex
    /// (<https://www.w3.org/TR/trace-context/#trace-id>). It is made of the event's id, so that every
    /// function knows it without being told: from ingress to the execution of what was asked for.
    pub fn trace(&self) -> String {
        let digest = encoding::digest("event/trace/v1", |to| to.text(self.as_str()));
        encoding::hex(digest.bytes().get(..16).unwrap_or_default())
    }
}

impl Envelope {
    /// Where its object is to be read.
    pub fn origin(&self) -> Origin {
        Origin { account: self.account.clone(), context: self.context.clone() }
    }

    /// The queue's message group. Events of one customer keep their order; without a customer, those
    /// of one object do.
    pub fn group(&self) -> String {
        let who = self.customer.as_ref().map_or(self.object.as_str(), CustomerId::as_str);
        match &self.account {
            Some(account) => format!("{account}.{who}"),
            None => who.to_owned(),
        }
    }

    /// The case that the event belongs to; `None` for a type that starts no work.
    pub fn case(&self) -> Option<CaseKey> {
        case_kind(&self.kind).map(|kind| CaseKey::new(kind, self.object.clone()))
    }
}

/// The kind of case that an event type feeds. This is the whole list of types that start work; all
/// others are counted and answered with 200.
pub fn case_kind(event_type: &str) -> Option<CaseKind> {
    Some(match event_type {
        "invoice.paid" | "invoice.payment_action_required" | "invoice.payment_failed" => CaseKind::Recovery,
        "charge.dispute.closed"
        | "charge.dispute.created"
        | "charge.dispute.funds_reinstated"
        | "charge.dispute.funds_withdrawn"
        | "charge.dispute.updated" => CaseKind::Dispute,
        "radar.early_fraud_warning.created" | "radar.early_fraud_warning.updated" => CaseKind::FraudWarning,
        "charge.refund.updated" | "refund.created" | "refund.failed" | "refund.updated" => CaseKind::Refund,
        "charge.refunded" | "charge.updated" => CaseKind::Charge,
        "customer.subscription.deleted" | "customer.subscription.updated" => CaseKind::Status,
        "payment_method.automatically_updated" => CaseKind::PaymentMethod,
        _ => return None,
    })
}

/// The event types that start work, for registering an endpoint and for the sweep of missed events.
/// Stripe filters by at most 20 types in one call (<https://docs.stripe.com/api/events/list>).
pub const HANDLED: [&str; 19] = [
    "charge.dispute.closed",
    "charge.dispute.created",
    "charge.dispute.funds_reinstated",
    "charge.dispute.funds_withdrawn",
    "charge.dispute.updated",
    "charge.refund.updated",
    "charge.refunded",
    "charge.updated",
    "customer.subscription.deleted",
    "customer.subscription.updated",
    "invoice.paid",
    "invoice.payment_action_required",
    "invoice.payment_failed",
    "payment_method.automatically_updated",
    "radar.early_fraud_warning.created",
    "radar.early_fraud_warning.updated",
    "refund.created",
    "refund.failed",
    "refund.updated",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn envelope() -> Envelope {
        Envelope {
            id: EventId::parse("evt_1").unwrap(),
            kind: "invoice.paid".into(),
            object: ObjectId::parse("in_1").unwrap(),
            customer: None,
            account: None,
            context: None,
            livemode: false,
            api_version: None,
            created: Timestamp::from_seconds(1),
            received: Timestamp::from_seconds(2),
            endpoint: "default".into(),
        }
    }

    #[test]
    fn every_handled_type_feeds_a_case() {
        for kind in HANDLED {
            assert!(case_kind(kind).is_some(), "{kind}");
        }
        assert_eq!(case_kind("price.created"), None);
    }

    #[test]
    fn events_of_one_customer_share_a_group_and_accounts_do_not() {
        let one = envelope();
        assert_eq!(one.group(), "in_1");
        let two = Envelope { customer: CustomerId::parse("cus_1").ok(), ..one };
        assert_eq!(two.group(), "cus_1");
        let three = Envelope { account: AccountId::parse("acct_1").ok(), ..two };
        assert_eq!(three.group(), "acct_1.cus_1");
    }

    #[test]
    fn a_message_with_a_field_that_no_envelope_has_is_refused() {
        let mut message = serde_json::to_value(envelope()).unwrap();
        assert!(serde_json::from_value::<Envelope>(message.clone()).is_ok());
        message["email"] = "canary@example.test".into();
        assert!(serde_json::from_value::<Envelope>(message).is_err());
    }
}
