//! Invoices and the payments on them.

use domain::{
    CustomerId, InvoiceId, Money, ObjectId, PaymentIntentId, SubscriptionId, Timestamp,
    money::Currency,
    snapshot::{CollectionMethod, Invoice, InvoicePayment, InvoiceStatus, PaymentOnInvoice},
};
use serde::{Deserialize, de::IgnoredAny};

use super::{
    Expandable, InvoiceRead, Page, Reference,
    charge::PaymentIntentWire,
    count,
    customer::{CustomerWire, SubscriptionWire},
};

#[derive(Deserialize)]
pub struct InvoiceWire {
    id: InvoiceId,
    customer: Option<Expandable<CustomerId, CustomerWire>>,
    parent: Option<Parent>,
    /// Where the subscription stood before 2025-03-31.basil.
    subscription: Option<Expandable<SubscriptionId, SubscriptionWire>>,
    status: Option<InvoiceStatus>,
    currency: Currency,
    amount_due: i64,
    amount_remaining: i64,
    attempt_count: Option<i64>,
    next_payment_attempt: Option<Timestamp>,
    collection_method: Option<CollectionMethod>,
    billing_reason: Option<String>,
    created: Timestamp,
    default_payment_method: Option<IgnoredAny>,
    default_source: Option<IgnoredAny>,
    payments: Option<Page<InvoicePaymentWire>>,
    /// Where the one payment stood before 2025-03-31.basil.
    payment_intent: Option<Expandable<PaymentIntentId, PaymentIntentWire>>,
}

#[derive(Deserialize)]
struct Parent {
    subscription_details: Option<SubscriptionDetails>,
}

#[derive(Deserialize)]
struct SubscriptionDetails {
    subscription: Option<Expandable<SubscriptionId, SubscriptionWire>>,
}

#[derive(Deserialize)]
pub struct InvoicePaymentWire {
    id: ObjectId,
    invoice: Reference<InvoiceId>,
    payment: Payment,
    status: String,
    created: Timestamp,
}

#[derive(Deserialize)]
struct Payment {
    payment_intent: Option<Expandable<PaymentIntentId, PaymentIntentWire>>,
}

impl From<InvoiceWire> for InvoiceRead {
    fn from(wire: InvoiceWire) -> Self {
        let subscription =
            wire.parent.and_then(|parent| parent.subscription_details?.subscription).or(wire.subscription);
        let (subscription_id, subscription) = match subscription {
            None => (None, None),
            Some(Expandable::Id(id)) => (Some(id), None),
            Some(Expandable::Object(object)) => (Some(object.id.clone()), Some(*object)),
        };
        let (customer_id, customer) = match wire.customer {
            None => (None, None),
            Some(Expandable::Id(id)) => (Some(id), None),
            Some(Expandable::Object(object)) => (Some(object.id.clone()), Some(*object)),
        };
        // What a renewal would use: the invoice's own, the subscription's, the customer's. "None" is
        // only certain if all of them were read.
        let named = wire.default_payment_method.is_some()
            || wire.default_source.is_some()
            || subscription.as_ref().is_some_and(SubscriptionWire::has_payment_method)
            || customer.as_ref().is_some_and(CustomerWire::has_payment_method);
        let all_read = customer.is_some() && (subscription.is_some() || subscription_id.is_none());

        let status = wire.status.unwrap_or(InvoiceStatus::Other(String::new()));
        let payments = match (wire.payments, wire.payment_intent) {
            (Some(page), _) => page.data.into_iter().map(InvoicePayment::from).collect(),
            (None, Some(intent)) => {
                let paid = if status == InvoiceStatus::Paid { "paid" } else { "open" };
                vec![InvoicePayment { status: paid.to_owned(), intent: intent.object().map(Into::into) }]
            }
            (None, None) => Vec::new(),
        };
        let money = |amount| Money::new(amount, wire.currency);
        let invoice = Invoice {
            id: wire.id,
            customer: customer_id,
            subscription: subscription_id,
            status,
            amount_due: money(wire.amount_due),
            amount_remaining: money(wire.amount_remaining),
            attempt_count: count(wire.attempt_count),
            next_payment_attempt: wire.next_payment_attempt,
            collection_method: wire.collection_method,
            billing_reason: wire.billing_reason,
            created: wire.created,
            has_payment_method: if named { Some(true) } else { all_read.then_some(false) },
            payments,
        };
        Self { invoice, customer: customer.map(Into::into), subscription: subscription.map(Into::into) }
    }
}

impl From<InvoiceWire> for Invoice {
    fn from(wire: InvoiceWire) -> Self {
        InvoiceRead::from(wire).invoice
    }
}

impl From<InvoicePaymentWire> for InvoicePayment {
    fn from(wire: InvoicePaymentWire) -> Self {
        let intent = wire.payment.payment_intent.and_then(Expandable::object).map(Into::into);
        Self { status: wire.status, intent }
    }
}

impl From<InvoicePaymentWire> for PaymentOnInvoice {
    fn from(wire: InvoicePaymentWire) -> Self {
        let payment_intent = wire.payment.payment_intent.map(|intent| match intent {
            Expandable::Id(id) => id,
            Expandable::Object(intent) => intent.id,
        });
        Self {
            id: wire.id,
            invoice: wire.invoice.id(),
            payment_intent,
            status: wire.status,
            created: wire.created,
        }
    }
}
