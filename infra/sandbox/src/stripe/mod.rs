//! A stand-in for Stripe: the billing objects behind its HTTP API, their events, and signed
//! deliveries of those to webhook endpoints. API version 2026-10-28.endive.
//!
//! The way of a request (`execution`): key, account, version, route, scope, fault, idempotency key,
//! parameters, execution. Objects are JSON documents (`objects`) that one transaction changes
//! together with its events, its deliveries and its saved answer, on the [`Shelf`] before the answer.
//! [`Stripe`] has verbs for what happens without a request: renewals, declines, disputes, and people
//! in the Dashboard.
//!
//! What falls due as time passes (drafts, retries, renewals, trials) happens when time is moved: by a test
//! clock, by `/_sandbox/clock` or by [`Stripe::bill_due`]. It does not happen by itself, so that a test
//! decides when. What is asked of the stand-in and not of Stripe has paths of its own (`control`).
//!
//! Not modelled, and refused or absent rather than guessed at:
//! - Connect (one account for each stand-in; its parameters of refunds change nothing), live mode, files,
//!   Checkout, the customer portal, payment links, quotes, subscription schedules, coupons and other
//!   discounts, taxes, metered, tiered and custom prices, Issuing, Identity, Terminal, reports;
//! - payment methods other than test cards by name or token; the older cards and sources of customers;
//! - payouts, top-ups and transfers: the account has none, and every id is missing;
//! - of invoices: negative totals, previews, adding lines other than by items, revisions, several or
//!   partial payments, overdue and upcoming notices; of invoice items: an update of one that was billed;
//! - of subscriptions: changes of items, prorations, anchors, resumption invoices, trials of one that
//!   already runs, `pending_if_incomplete`; of payment intents: other captures than one, extended and
//!   incremental authorisations, the customer's part of an authentication (a test confirms with another
//!   card);
//! - a calendar: a month has 30 days and a year 365;
//! - concurrency limits, limits of one resource and `lock_timeout` (faults on demand, unlike the limits of
//!   rate, which can be switched on), the read quota, keys limited to addresses;
//! - the shapes of API versions other than its own: `Stripe-Version` is checked for form and echoed;
//! - search beyond terms joined by `AND`; the index lags a minute behind, always;
//! - retries of deliveries and of payments follow our own fixed schedules, as Stripe publishes none.
//!
//! Of the recipes of `stripe trigger` (Stripe's command line 1.52.0) those about billing run; CI asks the
//! command line itself. These do not:
//! - `coupon.*`, `customer.discount.*`, `promotion_code.*`, `tax_rate.*`: discounts and taxes are not
//!   modelled, and this API version no longer has the customer's parameter `coupon`;
//! - `customer.source.*`: sources are not modelled; `quote.*`, `subscription_schedule.*`: neither are these,
//!   and most of their recipes begin with a source;
//! - `payment_intent.partially_funded`, `payment_intent.processing`, `cash_balance.*`,
//!   `customer_cash_balance_transaction.*`: cards only;
//! - `checkout.session.*`, `payment_link.*`, `billing_portal.*`: pages of Stripe's are not served;
//! - `account.*`, `payout.*`, `topup.*`, `transfer.*`: Connect and money that leaves the account;
//! - `identity.*`, `issuing_*`, `reporting.*`, `v1.billing.meter.*`: not about what this project bills.
//!
//! Our own assumptions, where no public page says: parameter errors, 401, 403, 404, 409 and 429 are
//! not kept under an idempotency key and refusals by an object's state are; an empty value clears a
//! plain evidence field; an update of a dispute submits only if there is any evidence; an invoice that
//! is finalized by request and advances is charged an hour later; a deleted draft's items go with it; a
//! released authorisation shows as refunded without a refund of its own; events of a test clock's objects
//! carry the time at which they are told, and its charges the clock's.

mod control;
mod delivery;
mod document;
mod events;
mod execution;
mod expand;
mod failure;
mod faults;
mod form;
mod http;
mod idempotency;
mod ids;
mod keys;
mod limits;
mod lists;
mod objects;
mod routes;
mod scenario;
mod search;
pub mod seed;
mod store;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context as _, Result};
use serde_json::Value;
use tokio::sync::Notify;

pub(crate) use self::document::Document;
pub use self::{
    delivery::{Attempt, Disturbance, signature},
    faults::{Fault, Reason},
    keys::{Key, READ_SCOPES, WRITE_SCOPES},
    limits::Limits,
};
use self::{
    execution::Prepared,
    faults::Faults,
    idempotency::Running,
    limits::Gate,
    store::{Setting, State},
};
use crate::{Clock, Shelf};

/// The API version whose shapes this answers.
pub const API_VERSION: &str = "2026-10-28.endive";

/// What an account is opened with. It is always in test mode.
#[derive(Clone)]
pub struct Options {
    /// The account's id, `acct_…`.
    pub account: String,
    /// The API version of events and of answers to requests that name none.
    pub api_version: String,
    /// The keys that requests may show.
    pub keys: Vec<Key>,
    /// Where the ids come from: the same seed and history give the same ids.
    pub seed: u64,
}

impl Options {
    /// An account with these keys.
    pub fn new(account: impl Into<String>, keys: Vec<Key>) -> Self {
        Self { account: account.into(), api_version: API_VERSION.into(), keys, seed: 0 }
    }
}

/// A request that was to change something, as it was answered. Requests refused before execution are
/// here as well, reads only if they were refused.
#[derive(Clone, Debug)]
pub struct Write {
    /// Seconds since the epoch.
    pub at: i64,
    /// The HTTP method.
    pub method: String,
    /// The path without the query.
    pub path: String,
    /// The header `Idempotency-Key`.
    pub idempotency_key: Option<String>,
    /// The parameters, all leaves text.
    pub params: Value,
    /// The header `Request-Id` of the answer.
    pub request_id: String,
    /// The status; 0 if it was not executed.
    pub status: u16,
    /// Whether the answer was an earlier one, kept under the idempotency key.
    pub replayed: bool,
    /// Whether the caller was answered.
    pub answered: bool,
}

/// The account and its API.
pub struct Stripe {
    setting: Setting,
    keys: Vec<Key>,
    shelf: Shelf,
    clock: Clock,
    client: reqwest::Client,
    state: Mutex<State>,
    faults: Faults,
    limits: Gate,
    running: Running,
    /// Requests that wait for [`Stripe::finish_late`].
    late: Mutex<Vec<Prepared>>,
    rules: Mutex<Vec<delivery::Rule>>,
    shuffle: Mutex<Option<u64>>,
    attempts: Mutex<Vec<Attempt>>,
    writes: Mutex<Vec<Write>>,
    /// While history is written: its time in seconds, and whether it makes no events.
    past: Mutex<Option<(i64, bool)>>,
    wake: Notify,
}

impl Stripe {
    /// Opens the account as the shelf kept it.
    ///
    /// # Errors
    /// If the shelf cannot be read or no HTTP client can be built.
    pub fn open(options: Options, shelf: Shelf, clock: Clock) -> Result<Arc<Self>> {
        // Fails only if a provider was installed before, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .context("cannot build the HTTP client that delivers events")?;
        let state = State::load(&shelf).context("cannot read the Stripe stand-in's state")?;
        let Options { account, api_version, keys, seed } = options;
        Ok(Arc::new(Self {
            setting: Setting { account, api_version, seed },
            keys,
            shelf,
            clock,
            client,
            state: Mutex::new(state),
            faults: Faults::default(),
            limits: Gate::default(),
            running: Running::default(),
            late: Mutex::default(),
            rules: Mutex::default(),
            shuffle: Mutex::default(),
            attempts: Mutex::default(),
            writes: Mutex::default(),
            past: Mutex::default(),
            wake: Notify::new(),
        }))
    }

    /// The HTTP API and, below `/_sandbox`, the control of the stand-in. Deliveries need [`Stripe::deliver`] to run beside it.
    pub fn router(self: &Arc<Self>) -> axum::Router {
        http::router(Arc::clone(self))
    }

    /// Plans a fault for the next `times` requests whose method and path begin like `on`, as
    /// `POST /v1/refunds` or only `/v1/`.
    pub fn fault(&self, fault: Fault, on: &str, times: u32) {
        self.faults.plan(fault, on, Some(times));
    }

    /// Forgets all planned faults.
    pub fn clear_faults(&self) {
        self.faults.clear();
    }

    /// Sets standing rate limits or, with `None`, lifts them; there are none at first.
    pub fn limit(&self, limits: Option<Limits>) {
        self.limits.set(limits);
    }

    /// Executes the requests that [`Fault::CommitLate`] put off, and says how many there were.
    pub fn finish_late(&self) -> usize {
        let late = std::mem::take(&mut *lock(&self.late));
        for prepared in &late {
            execution::execute(self, prepared, false);
        }
        late.len()
    }

    /// Disturbs the deliveries of the next `times` events of a type, or `charge.*`, or `*`.
    pub fn disturb(&self, disturbance: Disturbance, events: &str, times: u32) {
        self.rules().push(delivery::Rule { disturbance, filter: events.to_owned(), left: times });
    }

    /// Delivers what is due at the same time in an order that depends on this seed; `None` in the order
    /// of the events.
    pub fn reorder(&self, seed: Option<u64>) {
        *lock(&self.shuffle) = seed;
    }

    /// The requests so far that were to change something, oldest first.
    pub fn writes(&self) -> Vec<Write> {
        lock(&self.writes).clone()
    }

    /// All events, oldest first, also those that the API no longer answers.
    pub fn events(&self) -> Vec<Value> {
        self.state().events.values().cloned().collect()
    }

    /// The events after the first `known` ones, oldest first.
    pub fn events_after(&self, known: usize) -> Vec<Value> {
        self.state().events.values().skip(known).cloned().collect()
    }

    /// The deliveries that were tried, oldest first.
    pub fn deliveries(&self) -> Vec<Attempt> {
        self.attempts().clone()
    }

    /// How many deliveries are still to be made, now or later.
    pub fn undelivered(&self) -> usize {
        self.state().jobs.len()
    }

    /// An object as it is kept: nothing is expanded.
    pub fn object(&self, id: &str) -> Option<Value> {
        self.state().objects.get(id).map(|row| row.object.clone())
    }

    /// All objects of a kind as `invoice`, oldest first.
    pub fn objects(&self, kind: &str) -> Vec<Value> {
        self.state().all(kind).cloned().collect()
    }

    /// Seconds since the epoch.
    fn now(&self) -> i64 {
        lock(&self.past).map_or_else(|| self.clock.seconds(), |(at, _)| at)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    fn rules(&self) -> MutexGuard<'_, Vec<delivery::Rule>> {
        lock(&self.rules)
    }

    fn attempts(&self) -> MutexGuard<'_, Vec<Attempt>> {
        lock(&self.attempts)
    }

    fn shuffle(&self) -> Option<u64> {
        *lock(&self.shuffle)
    }

    fn log(&self, write: Write) {
        if write.method != "GET" || write.status >= 400 {
            lock(&self.writes).push(write);
        }
    }
}

/// A panicking test must not hide what the others hold.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
