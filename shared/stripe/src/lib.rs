//! Stripe, as far as Countersign reads it: the signature of a delivery, the envelope of an event,
//! a client that can only `GET`, and a probe that tells what a key may do.
//!
//! ```
//! # use domain::Timestamp;
//! # fn receive(secrets: &stripe::EndpointSecrets, header: &[u8], body: &[u8], now: Timestamp) -> Option<()> {
//! let verified = secrets.verify(header, body, now).ok()?;
//! let envelope = stripe::envelope::from_webhook(&verified, now, "default").ok()?;
//! # Some(()) }
//! ```
//!
//! # What is not modelled
//! - **Writes.** They live in `shared/gated`, behind a signed grant.
//! - **Fields that no decision uses**: lines, taxes, discounts, addresses, names on cards, and all
//!   metadata but `refund_request` of a charge and our own two keys.
//! - **Amounts in currencies without a three-letter code** (stablecoins): such an object is
//!   [`Misshapen`], and a human looks.
//! - **Payments that are no payment intent** (payment records, bare charges on an invoice): they count
//!   by their state only.
//! - **Compelling evidence, compliance programmes and appeals** of disputes: fees and conditions of
//!   their own, so they stay in the Dashboard. Their states are known.
//! - **The v2 API**: a thin event is followed to the v1 object that it names. A thin event about a v2
//!   object is passed on as it is and no case claims it.
//! - **Search**: it lags behind by seconds to minutes; lists do not.
//! - **Files**: evidence names files that somebody uploaded in the Dashboard.
//! - **Connect's own objects**: an event of a connected account is read in that account's name, and that
//!   is all.
//! - **Permissions beyond those that [`probe`] asks about**: it knows what we use and what would hurt
//!   most, not all that a key can be given.
//! - **Azure Event Grid**: only webhooks and Amazon EventBridge bring events in.
//! - **`charge.invoice`** of versions before 2025-03-31.basil: [`Client::invoice_payments`] answers the
//!   same question for every version that the pinned one can read.

pub mod client;
pub mod envelope;
mod error;
mod key;
mod objects;
pub mod probe;
pub mod signature;
pub mod wire;

pub use client::{Answer, Client, Listed, Readable, Settings};
pub use error::{Error, Verdict};
pub use key::{ApiKey, Mode, NotAKey};
pub use objects::{Account, InvoiceRead, Misshapen, Object, parse};
pub use signature::{EndpointSecrets, Verified};
pub use wire::{API_VERSION, BadBase, Base, Scope};
