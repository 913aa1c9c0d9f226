//! The account's objects: what each looks like and how it changes.

pub(crate) mod balance;
pub(crate) mod bills;
pub(crate) mod cards;
pub(crate) mod charges;
pub(crate) mod collection;
pub(crate) mod credit_lines;
pub(crate) mod credit_notes;
pub(crate) mod customers;
pub(crate) mod disputes;
pub(crate) mod endpoints;
pub(crate) mod evidence;
pub(crate) mod fraud_warnings;
pub(crate) mod intents;
pub(crate) mod invoices;
pub(crate) mod methods;
pub(crate) mod pauses;
pub(crate) mod prices;
pub(crate) mod refunds;
pub(crate) mod subscriptions;
