//! The context of a decision: the object itself, read again from Stripe, and what stands around it.
//!
//! The object must be read, or the turn comes again. What stands around it may be missing; then the
//! context says why, and the decision is more cautious.

use std::time::Duration;

use domain::{
    CaseKey, CaseKind, ChargeId, CustomerId, InvoiceId, Timestamp,
    context::{Context, History, IssuerHours, Part, Subject},
    event::Origin,
    snapshot::{Charge, ChargeStatus, Customer, Dispute, Invoice, InvoiceStatus, Read},
};
use futures_util::future::join_all;
use runtime::Metrics;
use stripe::{Answer, Client, Error, InvoiceRead, Listed, wire::Scope};
use tokio::{join, time::timeout};

use crate::{App, Issuers, Look, issuers, turn::Cause};

/// What stands around an object must be read within this time, or it counts as missing.
const ENRICHMENT: Duration = Duration::from_secs(12);

/// Reads everything that a decision about this case may look at, as far as this look has not read it yet. An
/// event's payload is never asked.
///
/// # Errors
/// If Stripe does not tell what the object itself looks like.
pub async fn gather(
    app: &App,
    metrics: &Metrics,
    look: &Look,
    cause: &Cause,
    key: &CaseKey,
) -> Result<Context, Error> {
    let stripe = app.stripe.scoped(scope(&cause.origin)).reading(app.bundle.settings().metadata.clone());
    let stripe = stripe.remembering(look.memory());
    let reader = Reader { stripe, metrics, now: (app.clock)(), since: look.since() };
    let mut context = Context {
        event: cause.event.clone(),
        origin: cause.origin.clone(),
        subject: Subject::PaymentMethod(Read::Gone),
        customer: cause.customer.clone(),
        at: reader.now,
        livemode: app.stripe.mode().is_live(),
        profile: Part::not_asked(),
        account: Part::not_asked(),
        conversations: Part::not_asked(),
        application: Part::not_asked(),
        history: Part::not_asked(),
        issuer: Part::not_asked(),
        contacts: Vec::new(),
        case_page: app.console.clone(),
        systems: app.around.systems(),
        subscription: Part::not_asked(),
        charge: Part::not_asked(),
        charges: Part::not_asked(),
        open_invoices: Part::not_asked(),
        disputes: Part::not_asked(),
        all_charges: false,
        open_cases: Vec::new(),
        frozen: false,
    };
    let object = key.object().clone();
    match key.kind() {
        CaseKind::Recovery => reader.recovery(&mut context, &object.into()).await?,
        CaseKind::Dispute => {
            let dispute = reader.stripe.dispute(&object.into()).await?.value;
            let charge = found(&dispute).and_then(|dispute| dispute.charge.clone());
            context.subject = Subject::Dispute(dispute);
            reader.behind(&mut context, charge).await;
        }
        CaseKind::FraudWarning => {
            let warning = reader.stripe.early_fraud_warning(&object).await?.value;
            let charge = found(&warning).and_then(|warning| warning.charge.clone());
            context.subject = Subject::FraudWarning(warning);
            reader.behind(&mut context, charge).await;
        }
        CaseKind::Refund => {
            let refund = reader.stripe.refund(&object.into()).await?.value;
            let charge = found(&refund).and_then(|refund| refund.charge.clone());
            context.subject = Subject::Refund(refund);
            reader.behind(&mut context, charge).await;
        }
        CaseKind::Charge => {
            let charge = reader.stripe.charge(&object.into()).await?.value;
            context.customer = found(&charge).and_then(|charge| charge.customer.clone()).or(context.customer);
            context.subject = Subject::Charge(charge);
        }
        CaseKind::Status => {
            let subscription = reader.stripe.subscription(&object.into()).await?.value;
            context.customer = found(&subscription).and_then(|one| one.customer.clone()).or(context.customer);
            context.subject = Subject::Subscription(subscription);
            if let Some(customer) = &context.customer {
                let profile = reader.in_time("stripe_customer", reader.stripe.customer(customer)).await;
                context.profile = profile_of(profile);
            }
        }
        CaseKind::PaymentMethod => {
            let method = reader.stripe.payment_method(&object.into()).await?.value;
            context.subject = Subject::PaymentMethod(match method {
                Read::Found(method) => Read::Found(method.id),
                Read::Gone => Read::Gone,
            });
        }
    }
    let (issuer, told) = join!(reader.issuer(&app.issuers, &context), app.around.read(&context, metrics));
    context.issuer = issuer;
    (context.account, context.conversations, context.application) = told;
    Ok(context)
}

struct Reader<'a> {
    stripe: Client,
    metrics: &'a Metrics,
    now: Timestamp,
    /// Nothing that Stripe said is older than this.
    since: Timestamp,
}

impl Reader<'_> {
    /// The invoice, and what the interlocks look at. That is what Stripe has now, so that the order in
    /// which events came cannot matter.
    async fn recovery(&self, context: &mut Context, id: &InvoiceId) -> Result<(), Error> {
        let (invoice, around) = if let Some(customer) = context.customer.clone() {
            let (invoice, around) = join!(self.stripe.invoice(id), self.around(&customer));
            (invoice?.value, around)
        } else {
            let invoice = self.stripe.invoice(id).await?.value;
            context.customer = found(&invoice).and_then(|read| read.invoice.customer.clone());
            match &context.customer {
                Some(customer) => (invoice, self.around(customer).await),
                None => (invoice, Around::default()),
            }
        };
        // The context goes into the trail, so it keeps what can decide and not a hundred old charges.
        let latest = found(&invoice)
            .and_then(|read| read.invoice.open_payment())
            .and_then(|intent| intent.latest_charge.clone());
        context.all_charges = around.all_charges;
        context.history = around.history;
        context.charges = self.with_latest(around.charges, latest).await;
        context.disputes = only(around.disputes, |dispute| !dispute.status.is_closed());
        context.open_invoices = oldest_failed(around.open_invoices, id);
        context.subject = Subject::Invoice(match invoice {
            Read::Found(InvoiceRead { invoice, subscription, customer }) => {
                if let Some(value) = customer {
                    context.profile = Part::Known { value, read: self.since };
                }
                if let Some(value) = subscription {
                    context.subscription = Part::Known { value, read: self.since };
                }
                Read::Found(invoice)
            }
            Read::Gone => Read::Gone,
        });
        Ok(())
    }

    /// The customer's charges with their disputes, and side by side the open invoices.
    async fn around(&self, customer: &CustomerId) -> Around {
        let charges = async {
            let charges = self.in_time("stripe_charges", self.stripe.charges(customer)).await;
            let whole = charges.known().is_some_and(|listed| listed.complete && listed.skipped == 0);
            let history = history(&charges, self.since);
            let charges = items(charges);
            let disputes = match &charges {
                Part::Known { value, .. } => self.disputes(value).await,
                Part::Missing { why } => Part::Missing { why: why.clone() },
            };
            (charges, disputes, history, whole)
        };
        let open = self.stripe.invoices(customer, &InvoiceStatus::Open);
        let ((charges, disputes, history, all_charges), open) =
            join!(charges, self.in_time("stripe_open_invoices", open));
        Around {
            charges,
            disputes,
            history,
            all_charges,
            open_invoices: self.whole("stripe_open_invoices", open),
        }
    }

    /// How the issuer of the card that failed answers at the moment.
    async fn issuer(&self, issuers: &Issuers, context: &Context) -> Part<IssuerHours> {
        let failed = context.charges.known().filter(|_| matches!(context.subject, Subject::Invoice(_)));
        let failed = failed.and_then(|charges| charges.iter().find(|one| one.status == ChargeStatus::Failed));
        let Some(issuer) = failed.and_then(|charge| charge.issuer.as_deref()) else {
            return Part::not_asked();
        };
        if let Some(value) = issuers.fresh(issuer, self.now) {
            return Part::Known { value, read: self.now };
        }
        let read = self.stripe.latest_charges(self.now.plus(-issuers::BACK));
        match self.in_time("stripe_latest_charges", read).await {
            Part::Known { value: Listed { items, .. }, read } => {
                issuers.keep(&items, self.now);
                let value = issuers.fresh(issuer, self.now).unwrap_or_default();
                Part::Known { value, read }
            }
            Part::Missing { why } => Part::Missing { why },
        }
    }

    /// Keeps the charge that failed last, reading it by itself if the list did not hold it: only its
    /// outcome tells whether Stripe blocked the payment.
    async fn with_latest(&self, charges: Part<Vec<Charge>>, latest: Option<ChargeId>) -> Part<Vec<Charge>> {
        let Some(latest) = latest else { return only(charges, |_| false) };
        let charges = only(charges, |charge| charge.id == latest);
        match charges {
            Part::Known { value, read } if !value.is_empty() => Part::Known { value, read },
            _ => match self.in_time("stripe_charge", self.stripe.charge(&latest)).await {
                Part::Known { value: Read::Found(charge), read } => Part::Known { value: vec![charge], read },
                Part::Known { value: Read::Gone, .. } => Part::Missing { why: "gone".into() },
                Part::Missing { why } => Part::Missing { why },
            },
        }
    }

    /// The charge behind an object, whom it concerns, and how they paid until now.
    async fn behind(&self, context: &mut Context, charge: Option<ChargeId>) {
        let Some(id) = charge else { return };
        context.charge = match self.in_time("stripe_charge", self.stripe.charge(&id)).await {
            Part::Known { value: Read::Found(charge), read } => Part::Known { value: charge, read },
            Part::Known { value: Read::Gone, .. } => Part::Missing { why: "gone".into() },
            Part::Missing { why } => Part::Missing { why },
        };
        let customer = context.charge.known().and_then(|charge| charge.customer.clone());
        context.customer = customer.or_else(|| context.customer.take());
        let Some(customer) = &context.customer else { return };
        let (profile, charges) = join!(
            self.in_time("stripe_customer", self.stripe.customer(customer)),
            self.in_time("stripe_charges", self.stripe.charges(customer)),
        );
        context.profile = profile_of(profile);
        context.history = history(&charges, self.since);
    }

    async fn disputes(&self, charges: &[Charge]) -> Part<Vec<Dispute>> {
        let disputed = charges.iter().filter(|charge| charge.disputed);
        let lists = join_all(disputed.map(|charge| async {
            let listed = self.in_time("stripe_disputes", self.stripe.disputes(&charge.id)).await;
            self.whole("stripe_disputes", listed)
        }));
        let mut disputes = Vec::new();
        for list in lists.await {
            match list {
                Part::Known { value, .. } => disputes.extend(value),
                missing @ Part::Missing { .. } => return missing,
            }
        }
        Part::Known { value: disputes, read: self.since }
    }

    /// A list of which a missing item would prove something: only a whole one is known.
    fn whole<T>(&self, source: &'static str, listed: Part<Listed<T>>) -> Part<Vec<T>> {
        match listed {
            Part::Known { value, .. } if !value.complete || value.skipped > 0 => {
                self.metrics.count("enrichment_failed", 1);
                self.metrics.count_by("enrichment_failed", source, 1);
                Part::Missing { why: "incomplete".into() }
            }
            other => items(other),
        }
    }

    /// The answer, unless it does not come in time or is a refusal; both are counted and leave the
    /// decision more cautious.
    async fn in_time<T>(
        &self,
        source: &'static str,
        read: impl Future<Output = Result<Answer<T>, Error>>,
    ) -> Part<T> {
        let (why, failure) = match timeout(ENRICHMENT, read).await {
            Ok(Ok(answer)) => return Part::Known { value: answer.value, read: self.since },
            Ok(Err(error)) => ("refused", runtime::failure::chain(&error)),
            Err(_) => ("timed_out", "no answer in time".to_owned()),
        };
        self.metrics.count("enrichment_failed", 1);
        self.metrics.count_by("enrichment_failed", source, 1);
        tracing::warn!(source, failure, "a part of the context is missing");
        Part::Missing { why: why.into() }
    }
}

/// What stands around a customer's invoice.
struct Around {
    charges: Part<Vec<Charge>>,
    disputes: Part<Vec<Dispute>>,
    history: Part<History>,
    all_charges: bool,
    open_invoices: Part<Vec<Invoice>>,
}

impl Default for Around {
    fn default() -> Self {
        Self {
            charges: Part::not_asked(),
            disputes: Part::not_asked(),
            history: Part::not_asked(),
            all_charges: false,
            open_invoices: Part::not_asked(),
        }
    }
}

fn profile_of(part: Part<Read<Customer>>) -> Part<Customer> {
    match part {
        Part::Known { value: Read::Found(customer), read } => Part::Known { value: customer, read },
        Part::Known { value: Read::Gone, .. } => Part::Missing { why: "gone".into() },
        Part::Missing { why } => Part::Missing { why },
    }
}

fn history(charges: &Part<Listed<Charge>>, read: Timestamp) -> Part<History> {
    match charges {
        Part::Known { value, .. } => {
            Part::Known { value: History::of(&value.items, value.complete && value.skipped == 0), read }
        }
        Part::Missing { why } => Part::Missing { why: why.clone() },
    }
}

/// Where the objects of a case are read.
pub fn scope(origin: &Origin) -> Scope {
    match (&origin.context, &origin.account) {
        (Some(context), _) => Scope::Context(context.clone()),
        (None, Some(account)) => Scope::Account(account.clone()),
        (None, None) => Scope::Own,
    }
}

fn items<T>(listed: Part<Listed<T>>) -> Part<Vec<T>> {
    match listed {
        Part::Known { value, read } => Part::Known { value: value.items, read },
        Part::Missing { why } => Part::Missing { why },
    }
}

/// Of the customer's other open invoices, the one that was tried and failed first.
fn oldest_failed(open: Part<Vec<Invoice>>, this: &InvoiceId) -> Part<Vec<Invoice>> {
    match open {
        Part::Known { value, read } => {
            let others = value.into_iter().filter(|other| other.attempt_count > 0 && other.id != *this);
            let oldest = others.min_by(|one, two| (one.created, &one.id).cmp(&(two.created, &two.id)));
            Part::Known { value: oldest.into_iter().collect(), read }
        }
        missing @ Part::Missing { .. } => missing,
    }
}

fn only<T>(part: Part<Vec<T>>, keep: impl FnMut(&T) -> bool) -> Part<Vec<T>> {
    match part {
        Part::Known { mut value, read } => {
            value.retain(keep);
            Part::Known { value, read }
        }
        missing @ Part::Missing { .. } => missing,
    }
}

const fn found<T>(read: &Read<T>) -> Option<&T> {
    match read {
        Read::Found(value) => Some(value),
        Read::Gone => None,
    }
}
