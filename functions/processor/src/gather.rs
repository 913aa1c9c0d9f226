//! The context of a decision: the object itself, read again from Stripe, and what stands around it.
//!
//! The object must be read, or the turn comes again. What stands around it may be missing; then the
//! context says why, and the decision is more cautious.

use domain::{
    CaseKey, CaseKind, ChargeId, CustomerId, Envelope, Timestamp,
    context::{Context, Part, Subject},
    snapshot::{Charge, Dispute, Invoice, InvoiceStatus, Read},
};
use runtime::Metrics;
use stripe::{Answer, Client, Error, InvoiceRead, Listed, wire::Scope};
use tokio::join;

use crate::App;

/// Reads everything that a decision about this case may look at. An event's payload is never asked.
///
/// # Errors
/// If Stripe does not tell what the object itself looks like.
pub async fn gather(app: &App, metrics: &Metrics, event: &Envelope, key: &CaseKey) -> Result<Context, Error> {
    let reader = Reader { stripe: app.stripe.scoped(Scope::of(event)), metrics, now: (app.clock)() };
    let mut context = Context {
        event: event.id.clone(),
        subject: Subject::PaymentMethod(Read::Gone),
        customer: event.customer.clone(),
        subscription: Part::not_asked(),
        charges: Part::not_asked(),
        open_invoices: Part::not_asked(),
        disputes: Part::not_asked(),
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
            reader.customer_of(&mut context, charge).await;
        }
        CaseKind::FraudWarning => {
            let warning = reader.stripe.early_fraud_warning(&object).await?.value;
            let charge = found(&warning).and_then(|warning| warning.charge.clone());
            context.subject = Subject::FraudWarning(warning);
            reader.customer_of(&mut context, charge).await;
        }
        CaseKind::Refund => {
            let refund = reader.stripe.refund(&object.into()).await?.value;
            let charge = found(&refund).and_then(|refund| refund.charge.clone());
            context.subject = Subject::Refund(refund);
            reader.customer_of(&mut context, charge).await;
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
        }
        CaseKind::PaymentMethod => {
            let method = reader.stripe.payment_method(&object.into()).await?.value;
            context.subject = Subject::PaymentMethod(match method {
                Read::Found(method) => Read::Found(method.id),
                Read::Gone => Read::Gone,
            });
        }
    }
    Ok(context)
}

struct Reader<'a> {
    stripe: Client,
    metrics: &'a Metrics,
    now: Timestamp,
}

impl Reader<'_> {
    /// The invoice, and side by side the customer's charges and open invoices: the interlocks look at
    /// what Stripe has now, so that the order in which events came cannot matter.
    async fn recovery(&self, context: &mut Context, id: &domain::InvoiceId) -> Result<(), Error> {
        let (invoice, charges, open) = if let Some(customer) = context.customer.clone() {
            let (invoice, charges, open) =
                join!(self.stripe.invoice(id), self.charges(&customer), self.open_invoices(&customer));
            (invoice?.value, charges, open)
        } else {
            let invoice = self.stripe.invoice(id).await?.value;
            context.customer = found(&invoice).and_then(|read| read.invoice.customer.clone());
            match &context.customer {
                Some(customer) => {
                    let (charges, open) = join!(self.charges(customer), self.open_invoices(customer));
                    (invoice, charges, open)
                }
                None => (invoice, Part::not_asked(), Part::not_asked()),
            }
        };
        context.disputes = match &charges {
            Part::Known { value, .. } => self.disputes(value).await,
            Part::Missing { why } => Part::Missing { why: why.clone() },
        };
        // The context goes into the trail, so it keeps what can decide and not a hundred old charges.
        let latest = found(&invoice)
            .and_then(|read| read.invoice.open_payment())
            .and_then(|intent| intent.latest_charge.clone());
        context.charges = only(charges, |charge| charge.disputed || Some(&charge.id) == latest.as_ref());
        context.open_invoices = only(open, |other| other.attempt_count > 0 && other.id != *id);
        context.subject = Subject::Invoice(match invoice {
            Read::Found(InvoiceRead { invoice, subscription, .. }) => {
                if let Some(value) = subscription {
                    context.subscription = Part::Known { value, read: self.now };
                }
                Read::Found(invoice)
            }
            Read::Gone => Read::Gone,
        });
        Ok(())
    }

    /// Whom a charge concerns, where the object itself does not say.
    async fn customer_of(&self, context: &mut Context, charge: Option<ChargeId>) {
        let Some(id) = charge.filter(|_| context.customer.is_none()) else { return };
        match self.part("stripe_charge", self.stripe.charge(&id).await.map(|answer| answer.value)) {
            Part::Known { value: Read::Found(charge), read } => {
                context.customer.clone_from(&charge.customer);
                context.charges = Part::Known { value: vec![charge], read };
            }
            Part::Known { value: Read::Gone, .. } => {}
            Part::Missing { why } => context.charges = Part::Missing { why },
        }
    }

    async fn charges(&self, customer: &CustomerId) -> Part<Vec<Charge>> {
        let listed = self.stripe.charges(customer).await;
        self.part("stripe_charges", listed.map(|answer| answer.value.items))
    }

    async fn open_invoices(&self, customer: &CustomerId) -> Part<Vec<Invoice>> {
        let listed = self.stripe.invoices(customer, &InvoiceStatus::Open).await;
        self.complete("stripe_open_invoices", listed)
    }

    async fn disputes(&self, charges: &[Charge]) -> Part<Vec<Dispute>> {
        let mut disputes = Vec::new();
        for charge in charges.iter().filter(|charge| charge.disputed) {
            match self.complete("stripe_disputes", self.stripe.disputes(&charge.id).await) {
                Part::Known { value, .. } => disputes.extend(value),
                missing @ Part::Missing { .. } => return missing,
            }
        }
        Part::Known { value: disputes, read: self.now }
    }

    /// A list of which a missing item would prove something: only a complete one is known.
    fn complete<T>(&self, source: &'static str, listed: Result<Answer<Listed<T>>, Error>) -> Part<Vec<T>> {
        match listed {
            Ok(answer) if !answer.value.complete || answer.value.skipped > 0 => {
                self.metrics.count_by("enrichment_failed", source, 1);
                Part::Missing { why: "incomplete".into() }
            }
            other => self.part(source, other.map(|answer| answer.value.items)),
        }
    }

    fn part<T>(&self, source: &'static str, read: Result<T, Error>) -> Part<T> {
        match read {
            Ok(value) => Part::Known { value, read: self.now },
            Err(error) => {
                self.metrics.count_by("enrichment_failed", source, 1);
                let failure = runtime::failure::chain(&error);
                tracing::warn!(source, failure, "a part of the context is missing");
                Part::Missing { why: "refused".into() }
            }
        }
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
