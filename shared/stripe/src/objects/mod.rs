//! Stripe's objects as they come over the wire, and how each becomes a type of
//! [`domain::snapshot`].
//!
//! Only what decisions use is declared; unknown fields are skipped and unknown values of an enum
//! kept. What came or went between API versions is optional, and the old place of a fact is read
//! where the new one is empty, since an account's version can lag behind.

mod billing;
mod charge;
mod credit;
mod customer;
mod dispute;

use std::{fmt, marker::PhantomData};

use domain::{
    AccountId,
    snapshot::{
        BalanceEntry, Charge, CreditNote, Customer, CustomerCredit, Dispute, DisputeAnswering, FraudWarning,
        Invoice, PaymentIntent, PaymentMethod, PaymentOnInvoice, Refund, Subscription,
    },
};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, MapAccess, Visitor, value::MapAccessDeserializer},
};

/// An invoice with what one read tells about its customer and its subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvoiceRead {
    /// The invoice, with its payments.
    pub invoice: Invoice,
    /// Its customer, if the read asked for them in full.
    pub customer: Option<Customer>,
    /// Its subscription, likewise: a pending cancellation shows here.
    pub subscription: Option<Subscription>,
}

/// The account that a key belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Account {
    /// Its id.
    pub id: AccountId,
}

/// A type that can be read from Stripe's JSON.
pub trait Object: Sized {
    /// Its shape on the wire.
    #[doc(hidden)]
    type Wire: DeserializeOwned + Into<Self>;
}

/// JSON that is not the object that was asked for. Where it happened is told, what stood there is
/// not: it may be personal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the expected object at line {line}, column {column}")]
pub struct Misshapen {
    /// The line, from 1.
    pub line: usize,
    /// The column.
    pub column: usize,
}

impl From<serde_json::Error> for Misshapen {
    fn from(error: serde_json::Error) -> Self {
        Self { line: error.line(), column: error.column() }
    }
}

/// Reads one object.
///
/// # Errors
/// [`Misshapen`] if a field that every API version has is missing or of another type.
pub fn parse<T: Object>(json: &[u8]) -> Result<T, Misshapen> {
    Ok(serde_json::from_slice::<T::Wire>(json)?.into())
}

macro_rules! objects {
    ($($name:ty = $wire:ty),+ $(,)?) => {
        $(impl Object for $name { type Wire = $wire; })+
    };
}

objects! {
    Account = Account,
    BalanceEntry = credit::BalanceEntryWire,
    Charge = charge::ChargeWire,
    CreditNote = credit::CreditNoteWire,
    Customer = customer::CustomerWire,
    CustomerCredit = credit::CustomerCreditWire,
    Dispute = dispute::DisputeWire,
    DisputeAnswering = dispute::DisputeAnsweringWire,
    FraudWarning = dispute::FraudWarningWire,
    Invoice = billing::InvoiceWire,
    InvoiceRead = billing::InvoiceWire,
    PaymentIntent = charge::PaymentIntentWire,
    PaymentMethod = customer::PaymentMethodWire,
    PaymentOnInvoice = billing::InvoicePaymentWire,
    Refund = charge::RefundWire,
    Subscription = customer::SubscriptionWire,
}

/// One page of a list (<https://docs.stripe.com/api/pagination>).
#[derive(Deserialize)]
pub(crate) struct Page<T> {
    pub(crate) data: Vec<T>,
    /// Absent in lists inside an object of some old versions.
    #[serde(default)]
    pub(crate) has_more: bool,
}

/// An id, or the object itself if the read asked for it (<https://docs.stripe.com/api/expanding_objects>).
enum Expandable<I, T> {
    Id(I),
    Object(Box<T>),
}

/// An object of which only the id counts.
#[derive(Deserialize)]
struct Bare<I> {
    id: I,
}

/// A reference of which only the id counts.
type Reference<I> = Expandable<I, Bare<I>>;

impl<I> Expandable<I, Bare<I>> {
    fn id(self) -> I {
        match self {
            Self::Id(id) => id,
            Self::Object(object) => object.id,
        }
    }
}

impl<I, T> Expandable<I, T> {
    fn object(self) -> Option<T> {
        match self {
            Self::Id(_) => None,
            Self::Object(object) => Some(*object),
        }
    }
}

impl<'de, I: TryFrom<String>, T: Deserialize<'de>> Deserialize<'de> for Expandable<I, T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct IdOrObject<I, T>(PhantomData<(I, T)>);

        impl<'de, I: TryFrom<String>, T: Deserialize<'de>> Visitor<'de> for IdOrObject<I, T> {
            type Value = Expandable<I, T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an id or an object")
            }

            fn visit_str<E: serde::de::Error>(self, id: &str) -> Result<Self::Value, E> {
                I::try_from(id.to_owned()).map(Expandable::Id).map_err(|_| E::custom("not an id"))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map))
                    .map(|object| Expandable::Object(Box::new(object)))
            }
        }

        from.deserialize_any(IdOrObject(PhantomData))
    }
}

/// A count that Stripe writes as a number; what cannot be one counts as none.
fn count(number: Option<i64>) -> u32 {
    number.and_then(|number| u32::try_from(number).ok()).unwrap_or(0)
}
