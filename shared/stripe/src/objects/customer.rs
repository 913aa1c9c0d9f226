//! Customers, subscriptions and payment methods.

use domain::{
    CustomerId, InvoiceId, PaymentMethodId, SubscriptionId, Timestamp,
    snapshot::{Customer, PaymentMethod, Subscription, SubscriptionStatus},
};
use serde::{Deserialize, de::IgnoredAny};

use super::{Page, Reference};

/// A customer, or what is left of a deleted one: the id and `deleted`.
#[derive(Deserialize)]
pub struct CustomerWire {
    pub(super) id: CustomerId,
    #[serde(default)]
    deleted: bool,
    delinquent: Option<bool>,
    name: Option<String>,
    email: Option<String>,
    preferred_locales: Option<Vec<String>>,
    invoice_settings: Option<InvoiceSettings>,
    default_source: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct InvoiceSettings {
    default_payment_method: Option<IgnoredAny>,
}

#[derive(Deserialize)]
pub struct SubscriptionWire {
    pub(super) id: SubscriptionId,
    customer: Option<Reference<CustomerId>>,
    status: SubscriptionStatus,
    #[serde(default)]
    cancel_at_period_end: bool,
    cancel_at: Option<Timestamp>,
    ended_at: Option<Timestamp>,
    pause_collection: Option<PauseCollection>,
    items: Option<Page<Item>>,
    /// Where the period stood before 2025-03-31.basil.
    current_period_end: Option<Timestamp>,
    latest_invoice: Option<Reference<InvoiceId>>,
    default_payment_method: Option<IgnoredAny>,
    default_source: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct PauseCollection {
    behavior: String,
}

#[derive(Deserialize)]
struct Item {
    current_period_end: Option<Timestamp>,
}

#[derive(Deserialize)]
pub struct PaymentMethodWire {
    id: PaymentMethodId,
    customer: Option<Reference<CustomerId>>,
    #[serde(rename = "type")]
    kind: String,
    card: Option<Card>,
    created: Timestamp,
}

#[derive(Deserialize)]
struct Card {
    exp_month: Option<i64>,
    exp_year: Option<i64>,
}

impl CustomerWire {
    pub(super) fn has_payment_method(&self) -> bool {
        let chosen = |settings: &InvoiceSettings| settings.default_payment_method.is_some();
        self.default_source.is_some() || self.invoice_settings.as_ref().is_some_and(chosen)
    }
}

impl SubscriptionWire {
    pub(super) const fn has_payment_method(&self) -> bool {
        self.default_payment_method.is_some() || self.default_source.is_some()
    }
}

impl From<CustomerWire> for Customer {
    fn from(wire: CustomerWire) -> Self {
        Self {
            id: wire.id,
            deleted: wire.deleted,
            delinquent: wire.delinquent,
            name: wire.name,
            email: wire.email,
            locale: wire.preferred_locales.and_then(|locales| locales.into_iter().next()),
        }
    }
}

impl From<SubscriptionWire> for Subscription {
    fn from(wire: SubscriptionWire) -> Self {
        let items = wire.items.map(|page| page.data).unwrap_or_default();
        Self {
            id: wire.id,
            customer: wire.customer.map(Reference::id),
            status: wire.status,
            cancel_at_period_end: wire.cancel_at_period_end,
            cancel_at: wire.cancel_at,
            ended_at: wire.ended_at,
            pause_collection: wire.pause_collection.map(|pause| pause.behavior),
            current_period_end: items
                .iter()
                .filter_map(|item| item.current_period_end)
                .min()
                .or(wire.current_period_end),
            latest_invoice: wire.latest_invoice.map(Reference::id),
        }
    }
}

impl From<PaymentMethodWire> for PaymentMethod {
    fn from(wire: PaymentMethodWire) -> Self {
        let card_expiry = wire.card.and_then(|card| {
            let month = u8::try_from(card.exp_month?).ok().filter(|month| (1..=12).contains(month))?;
            Some((u16::try_from(card.exp_year?).ok()?, month))
        });
        Self {
            id: wire.id,
            customer: wire.customer.map(Reference::id),
            kind: wire.kind,
            card_expiry,
            created: wire.created,
        }
    }
}
