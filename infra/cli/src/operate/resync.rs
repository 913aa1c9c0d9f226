//! `countersign resync`: has everything of a customer decided anew from what Stripe says now. It queues an
//! envelope for each object; steps that were taken are not taken again, so it is safe to repeat.

use std::fmt::Write as _;

use anyhow::{Result, bail};
use clap::Args;
use domain::{
    CustomerId, Envelope, EventId, ObjectId, Timestamp,
    snapshot::{InvoiceStatus, Read},
};
use runtime::{Env, system_clock};

use super::{bar, pace, queue, run, stripe};
use crate::End;

/// Whose objects.
#[derive(Debug, Clone, Args)]
pub(crate) struct ResyncOptions {
    /// The customer
    #[arg(long, value_name = "ID")]
    customer: CustomerId,
    /// Only list what would be decided anew
    #[arg(long)]
    dry_run: bool,
    /// The queue of events; not needed to list
    #[arg(long, value_name = "URL", required_unless_present = "dry_run")]
    queue: Option<String>,
    /// At most so many objects a second
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=300))]
    rate: u32,
}

/// Lists what the customer has, and queues it.
pub(crate) fn resync(options: &ResyncOptions, env: &Env) -> Result<End> {
    let now = (system_clock())();
    let stripe = stripe(env)?;
    let queue =
        options.queue.as_deref().filter(|_| !options.dry_run).map(|url| queue(env, url)).transpose()?;
    run(async {
        let found = objects(&stripe, &options.customer).await?;
        let (bar, mut pace) = (bar(u64::try_from(found.len())?, "resyncing"), pace(options.rate));
        let mut text = String::new();
        for (kind, object) in &found {
            let envelope = envelope(&stripe, &options.customer, kind, object, now)?;
            if let Some(queue) = &queue {
                pace.tick().await;
                queue.send_event(&envelope).await?;
            }
            let _ = write!(text, "\n{object} as {kind}");
            bar.inc(1);
        }
        bar.finish_and_clear();
        let done = if queue.is_some() { "are decided anew" } else { "would be decided anew" };
        Ok(End::good(format!("{} objects of {} {done}{text}", found.len(), options.customer)))
    })
}

/// The customer's objects that cases are about, each with a type of event that feeds its case.
async fn objects(stripe: &stripe::Client, customer: &CustomerId) -> Result<Vec<(&'static str, ObjectId)>> {
    if matches!(stripe.customer(customer).await?.value, Read::Gone) {
        bail!("Stripe has no customer `{customer}`; copy the id from the Dashboard");
    }
    let mut all = Vec::new();
    for one in stripe.all_subscriptions(customer).await?.value.items {
        all.push(("customer.subscription.updated", ObjectId::parse(one.id.as_str())?));
    }
    for status in [InvoiceStatus::Open, InvoiceStatus::Uncollectible] {
        for one in stripe.invoices(customer, &status).await?.value.items {
            all.push(("invoice.payment_failed", ObjectId::parse(one.id.as_str())?));
        }
    }
    for charge in stripe.charges(customer).await?.value.items {
        if charge.disputed {
            for one in stripe.disputes(&charge.id).await?.value.items {
                all.push(("charge.dispute.updated", ObjectId::parse(one.id.as_str())?));
            }
        }
        if charge.amount_refunded.amount > 0 {
            for one in stripe.refunds(&charge.id).await?.value.items {
                all.push(("refund.updated", ObjectId::parse(one.id.as_str())?));
            }
        }
        if charge.refund_request.is_some() || charge.amount_refunded.amount > 0 {
            all.push(("charge.updated", ObjectId::parse(charge.id.as_str())?));
        }
    }
    Ok(all)
}

fn envelope(
    stripe: &stripe::Client,
    customer: &CustomerId,
    kind: &str,
    object: &ObjectId,
    now: Timestamp,
) -> Result<Envelope> {
    Ok(Envelope {
        id: EventId::parse(format!("evt_resync_{object}_{}", now.seconds()))?,
        kind: kind.to_owned(),
        object: object.clone(),
        customer: Some(customer.clone()),
        account: None,
        context: None,
        livemode: stripe.mode().is_live(),
        api_version: None,
        created: now,
        received: now,
        endpoint: "resync".into(),
    })
}
