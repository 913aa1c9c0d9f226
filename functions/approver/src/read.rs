//! The approver's own reads: what a proposal rests on, as Stripe says it now.

use anyhow::{Context as _, Result, ensure};
use domain::{
    AccountId, CaseKey, CaseKind, ChargeId, CustomerId, DisputeId, InvoiceId, ObjectId, RefundId, RuleId,
    SubscriptionId,
    approval::{
        Action, CustomerFacts, Facts, MessageFacts, OpenInvoice, Operation, OperationKind, SubscriptionFacts,
        Target,
    },
    snapshot::{Customer, InvoiceStatus, Read, Subscription},
};
use stripe::Client;

use crate::turn::Turn;

/// Reads what an operation of this kind on this object rests on; `None` if Stripe has no such object.
/// `case` is what a message is about.
///
/// # Errors
/// If Stripe cannot be asked, or not answered in full: what is missing from a list proves nothing.
pub(crate) async fn facts(
    turn: Turn<'_>,
    account: &AccountId,
    kind: OperationKind,
    object: &ObjectId,
    case: Option<&CaseKey>,
) -> Result<Option<Facts>> {
    let stripe = turn.stripe_of(account);
    let object = object.clone();
    match kind.target() {
        Target::Charge => charge(&stripe, &object.into()).await,
        Target::Invoice => invoice(&stripe, &object.into()).await,
        Target::Dispute => dispute(&stripe, &object.into()).await,
        Target::Subscription => {
            let with_invoices = kind == OperationKind::CancelSubscription;
            subscription(&stripe, &object.into(), with_invoices).await
        }
        Target::Customer => Ok(customer(&stripe, &object.into()).await?.map(Facts::Customer)),
        // It stands in the policy, and Stripe is not asked.
        Target::Rule => Ok(turn.app.bundle.asking_rule(&RuleId::from(object)).map(Facts::Rule)),
        Target::Case => match case {
            Some(case) => message(&stripe, case).await,
            None => Ok(None),
        },
    }
}

/// Reads again what an action rests on.
pub(crate) async fn again(turn: Turn<'_>, action: &Action) -> Result<Option<Facts>> {
    let case = match &action.operation {
        Operation::SendMessage { case, .. } => Some(case),
        _ => None,
    };
    let object = action.operation.object();
    facts(turn, &action.account, action.operation.kind(), &object, case).await
}

/// The customer to whom it happens, as Stripe knows them now; `None` if there is none, or not any more.
pub(crate) async fn customer_of(
    turn: Turn<'_>,
    account: &AccountId,
    facts: &Facts,
) -> Result<Option<Customer>> {
    let stripe = turn.stripe_of(account);
    let id = match (facts.customer(), facts) {
        (Some(id), _) => Some(id.clone()),
        // A dispute tells its charge, and the charge its customer.
        (None, Facts::Dispute(dispute)) => match &dispute.charge {
            Some(charge) => found(stripe.charge(charge).await?.value).and_then(|charge| charge.customer),
            None => None,
        },
        (None, _) => None,
    };
    match id {
        Some(id) => Ok(found(stripe.customer(&id).await.context("could not read the customer")?.value)),
        None => Ok(None),
    }
}

async fn charge(stripe: &Client, id: &ChargeId) -> Result<Option<Facts>> {
    let read = stripe.charge(id).await.context("could not read the charge")?;
    Ok(found(read.value).map(Facts::Charge))
}

async fn invoice(stripe: &Client, id: &InvoiceId) -> Result<Option<Facts>> {
    let read = stripe.invoice(id).await.context("could not read the invoice")?;
    Ok(found(read.value).map(|read| Facts::Invoice(read.invoice)))
}

async fn dispute(stripe: &Client, id: &DisputeId) -> Result<Option<Facts>> {
    let read = stripe.dispute(id).await.context("could not read the dispute")?;
    Ok(found(read.value).map(Facts::Dispute))
}

async fn subscription(stripe: &Client, id: &SubscriptionId, with_invoices: bool) -> Result<Option<Facts>> {
    let read = stripe.subscription(id).await.context("could not read the subscription")?;
    let Some(subscription) = found(read.value) else { return Ok(None) };
    let open_invoices = if with_invoices { Some(open_invoices(stripe, &subscription).await?) } else { None };
    Ok(Some(Facts::Subscription(SubscriptionFacts { subscription, open_invoices })))
}

/// What Stripe stops collecting once the subscription is cancelled.
async fn open_invoices(stripe: &Client, subscription: &Subscription) -> Result<Vec<OpenInvoice>> {
    let Some(customer) = &subscription.customer else { return Ok(Vec::new()) };
    let listed = stripe.invoices(customer, &InvoiceStatus::Open).await;
    let listed = listed.context("could not list the customer's open invoices")?.value;
    ensure!(listed.complete && listed.skipped == 0, "the customer's open invoices could not be read in full");
    let ours = listed.items.into_iter().filter(|one| one.subscription.as_ref() == Some(&subscription.id));
    let mut open: Vec<OpenInvoice> = ours
        .map(|one| OpenInvoice {
            id: one.id,
            remaining: one.amount_remaining.amount,
            currency: one.amount_remaining.currency,
        })
        .collect();
    open.sort();
    Ok(open)
}

async fn customer(stripe: &Client, id: &CustomerId) -> Result<Option<CustomerFacts>> {
    let read = stripe.customer(id).await.context("could not read the customer")?;
    Ok(found(read.value).map(Into::into))
}

/// A message: the customer, and the state of what it is about.
async fn message(stripe: &Client, case: &CaseKey) -> Result<Option<Facts>> {
    let object = case.object().clone();
    let about = match case.kind() {
        CaseKind::Recovery => invoice(stripe, &object.into()).await?,
        CaseKind::Charge => charge(stripe, &object.into()).await?,
        CaseKind::Status => subscription(stripe, &object.into(), false).await?,
        CaseKind::Refund => match found(stripe.refund(&RefundId::from(object)).await?.value) {
            Some(refund) => match &refund.charge {
                Some(id) => charge(stripe, id).await?,
                None => None,
            },
            None => None,
        },
        CaseKind::Dispute => match dispute(stripe, &object.into()).await? {
            Some(Facts::Dispute(dispute)) => match &dispute.charge {
                Some(id) => charge(stripe, id).await?,
                None => None,
            },
            _ => None,
        },
        CaseKind::FraudWarning | CaseKind::PaymentMethod => None,
    };
    let Some(about) = about else { return Ok(None) };
    let Some(id) = about.customer().cloned() else { return Ok(None) };
    let Some(customer) = customer(stripe, &id).await? else { return Ok(None) };
    Ok(Some(Facts::Message(MessageFacts { customer, about: Some(Box::new(about)) })))
}

fn found<T>(read: Read<T>) -> Option<T> {
    match read {
        Read::Found(value) => Some(value),
        Read::Gone => None,
    }
}
