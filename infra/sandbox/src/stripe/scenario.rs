//! What happens at Stripe without a request of ours: customers, banks and people in the Dashboard.

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::{
    Stripe,
    document::Document as _,
    failure::{Failure, Outcome},
    form::Params,
    ids, lock,
    objects::{
        attempts::Session, bills, collection, customers, disputes, due, endpoints, fraud_warnings, invoices,
        lines, methods, periods, prices, products, refunds,
    },
    routes::{self, Call},
    store::{Origin, Tx},
};

impl Stripe {
    /// A new customer.
    pub fn create_customer(&self, name: &str, email: &str) -> Result<Value> {
        self.happen(|tx| Ok(customers::new(tx, name, email)))
    }

    /// Attaches a test card by name, as `pm_card_visa` or `pm_card_decline_do_not_honor`, and makes it
    /// the customer's default.
    pub fn attach_card(&self, customer: &str, card: &str) -> Result<Value> {
        self.happen(|tx| {
            let method = methods::attach(tx, card, customer)?;
            customers::set_default_method(tx, customer, method.id())?;
            Ok(method)
        })
    }

    /// Lets a payment method behave as another test card from now on; nobody is told.
    pub fn card_becomes(&self, method: &str, card: &str) -> Result<()> {
        self.happen(|tx| {
            methods::behave(tx, method, card);
            Ok(())
        })
    }

    /// The network replaced a card: `payment_method.automatically_updated`; it behaves as `card` from
    /// now on.
    pub fn update_card(&self, method: &str, card: &str) -> Result<Value> {
        self.happen(|tx| methods::renew(tx, method, card))
    }

    /// Subscribes a customer to a new monthly price of `amount` minor units and charges the first month.
    pub fn subscribe(&self, customer: &str, amount: i64, currency: &str) -> Result<Value> {
        self.happen(|tx| {
            let product = products::new(tx, "Plan");
            let price = prices::monthly(tx, product.id(), amount, currency);
            periods::simple(tx, customer, price.id())
        })
    }

    /// Begins a subscription's next period. Answers its invoice, paid or not; none if the subscription
    /// ended instead.
    pub fn renew(&self, subscription: &str) -> Result<Option<Value>> {
        self.happen(|tx| periods::renew(tx, subscription))
    }

    /// A one-off invoice, finalized and open, not yet tried.
    pub fn open_invoice(&self, customer: &str, amount: i64, currency: &str) -> Result<Value> {
        self.happen(|tx| {
            let bill = bills::Bill {
                customer,
                currency,
                reason: "manual",
                subscription: None,
                period: (tx.now, tx.now),
                due: None,
                advances: true,
                lines: vec![lines::single(tx, amount, currency)],
            };
            let draft = bills::draft(tx, bill)?;
            invoices::finalize(tx, draft.id())
        })
    }

    /// The scheduled retry of an open invoice. Answers it, paid or not.
    pub fn retry_invoice(&self, invoice: &str) -> Result<Value> {
        self.happen(|tx| {
            let current = tx.get("invoice", invoice, "id")?;
            if current.text("status") != "open" {
                return Err(Failure::refused(format!("The invoice is {}.", current.text("status"))));
            }
            collection::collect(tx, invoice, None, Session::Invoice, true).map(collection::Collected::invoice)
        })
    }

    /// Everything that falls due until now, for what belongs to no test clock: drafts are finalized,
    /// invoices tried again, trials end, periods begin. Nothing of it happens by itself.
    pub fn bill_due(&self) -> Result<()> {
        self.happen(|tx| due::settle(tx, None, tx.at))
    }

    /// A person pays an invoice; an error if the card declines.
    pub fn pay(&self, invoice: &str) -> Result<Value> {
        self.request("POST", &format!("/v1/invoices/{invoice}/pay"), "")
    }

    /// A person refunds a charge in the Dashboard, `amount` minor units or all.
    pub fn refund(&self, charge: &str, amount: Option<i64>, reason: &str) -> Result<Value> {
        let amount = amount.map(|amount| format!("&amount={amount}")).unwrap_or_default();
        self.request("POST", "/v1/refunds", &format!("charge={charge}&reason={reason}{amount}"))
    }

    /// A pending refund went through.
    pub fn succeed_refund(&self, refund: &str) -> Result<Value> {
        self.happen(|tx| refunds::succeed(tx, refund))
    }

    /// The bank sent a refund back, as `expired_or_canceled_card`.
    pub fn fail_refund(&self, refund: &str, reason: &str) -> Result<Value> {
        self.happen(|tx| refunds::fail(tx, refund, reason))
    }

    /// The bank disputes a charge; evidence is due by `due_by` seconds since the epoch.
    pub fn open_dispute(&self, charge: &str, reason: &str, amount: i64, due_by: i64) -> Result<Value> {
        self.happen(|tx| disputes::open(tx, charge, reason, amount, due_by, false))
    }

    /// The bank asks about a charge before it may dispute it.
    pub fn open_inquiry(&self, charge: &str, reason: &str, amount: i64, due_by: i64) -> Result<Value> {
        self.happen(|tx| disputes::open(tx, charge, reason, amount, due_by, true))
    }

    /// An inquiry becomes a chargeback.
    pub fn escalate_inquiry(&self, dispute: &str, due_by: i64) -> Result<Value> {
        self.happen(|tx| disputes::escalate(tx, dispute, due_by))
    }

    /// The bank decides a dispute: `won`, `lost` or `warning_closed`.
    pub fn decide_dispute(&self, dispute: &str, status: &str) -> Result<Value> {
        self.happen(|tx| disputes::decide(tx, dispute, status))
    }

    /// The issuer suspects fraud, as `unauthorized_use_of_card`.
    pub fn early_fraud_warning(&self, charge: &str, fraud_type: &str) -> Result<Value> {
        self.happen(|tx| fraud_warnings::new(tx, charge, fraud_type))
    }

    /// A person ends a subscription in the Dashboard, at once.
    pub fn delete_subscription(&self, subscription: &str) -> Result<Value> {
        self.request("DELETE", &format!("/v1/subscriptions/{subscription}"), "")
    }

    /// A person does something in the Dashboard: any request of the API, with the form `a=b&c[d]=e`. Its
    /// events carry a request id and an idempotency key that are none of ours.
    pub fn request(&self, method: &str, path: &str, form: &str) -> Result<Value> {
        let (route, ids) = routes::find(method, path).with_context(|| format!("no route {method} {path}"))?;
        let call = Call { ids, params: Params::decode(form.as_bytes()) };
        let origin =
            Origin { request: Some(ids::request()), idempotency_key: Some(uuid::Uuid::new_v4().to_string()) };
        self.commit(origin, |tx| route.answer(tx, &call, path))
    }

    /// The charge that paid an invoice, or that was tried last.
    pub fn charge_of(&self, invoice: &str) -> Option<String> {
        let state = self.state();
        let payments: Vec<&Value> = state.all("invoice_payment").collect();
        let payment = payments.iter().rev().find(|payment| payment.text("invoice") == invoice)?;
        let intent = &state.objects.get(payment.text("/payment/payment_intent"))?.object;
        intent.maybe("latest_charge").map(str::to_owned)
    }

    /// Puts any object as it is; it must have `id` and `object`.
    pub fn put_object(&self, object: &Value) -> Result<()> {
        anyhow::ensure!(!object.id().is_empty(), "an object needs an id");
        self.happen(|tx| {
            tx.put(object);
            Ok(())
        })
    }

    /// Emits any event about any object, and answers the event's id.
    pub fn emit(&self, kind: &str, object: &Value) -> Result<String> {
        self.happen(|tx| {
            tx.emit(kind, object);
            Ok(())
        })?;
        let state = self.state();
        let event = state.events.values().next_back().context("no events while history is written")?;
        Ok(event.id().to_owned())
    }

    /// Delivers to `url` what matches `events` (as `*` or `invoice.paid`), signed with `secret`. Answers
    /// the endpoint's id.
    pub fn add_endpoint(&self, url: &str, secret: &str, events: &[&str]) -> Result<String> {
        self.endpoint(url, secret, events, false)
    }

    /// The same with thin events: <https://docs.stripe.com/event-destinations>.
    pub fn add_thin_endpoint(&self, url: &str, secret: &str, events: &[&str]) -> Result<String> {
        self.endpoint(url, secret, events, true)
    }

    fn endpoint(&self, url: &str, secret: &str, events: &[&str], thin: bool) -> Result<String> {
        let enabled: Vec<String> = events.iter().map(|&event| event.to_owned()).collect();
        let endpoint = self.happen(|tx| Ok(endpoints::new(tx, url, secret, &enabled, thin)))?;
        Ok(endpoint.id().to_owned())
    }

    /// Rolls an endpoint's secret; the old ones sign for `overlap` more seconds beside the new one.
    pub fn roll_secret(&self, endpoint: &str, secret: &str, overlap: i64) -> Result<()> {
        self.happen(|tx| endpoints::roll(tx, endpoint, secret, overlap))
    }

    /// Sends an event again to every enabled endpoint, as the Dashboard's button does.
    pub fn resend(&self, event: &str) -> Result<()> {
        let mut state = self.state();
        let found = state.events.values().find(|one| one.id() == event).context("no such event")?.clone();
        let endpoints: Vec<Value> = state.all("webhook_endpoint").cloned().collect();
        let mut changes = super::store::Changes { count: state.count, ..Default::default() };
        for mut job in super::delivery::jobs(&found, &endpoints, &mut Vec::new(), self.now()) {
            changes.count += 1;
            (job.seq, job.extra) = (changes.count, true);
            changes.jobs.insert(job.seq, Some(job));
        }
        state.keep(&self.shelf, changes)?;
        drop(state);
        self.wake.notify_waiters();
        Ok(())
    }

    /// While `work` runs, it is `at` seconds since the epoch; a silent past makes no events.
    pub(crate) fn in_the_past<T>(
        &self,
        at: i64,
        silent: bool,
        work: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        *lock(&self.past) = Some((at, silent));
        let done = work();
        *lock(&self.past) = None;
        done
    }

    /// Something happens by itself.
    fn happen<T>(&self, work: impl FnOnce(&mut Tx) -> Outcome<T>) -> Result<T> {
        self.commit(Origin::default(), work)
    }

    fn commit<T>(&self, origin: Origin, work: impl FnOnce(&mut Tx) -> Outcome<T>) -> Result<T> {
        let silent = lock(&self.past).is_some_and(|(_, silent)| silent);
        let now = self.now();
        let mut state = self.state();
        let mut tx = Tx::new(&state, &self.setting, origin, now, silent);
        let outcome = work(&mut tx);
        if outcome.as_ref().err().is_none_or(|failure| failure.commits) {
            let changes = tx.finish(&mut self.rules());
            state.keep(&self.shelf, changes)?;
            drop(state);
            self.wake.notify_waiters();
        }
        Ok(outcome?)
    }
}
