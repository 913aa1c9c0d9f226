//! Drift: where Stripe, the CRM and access disagree about a customer. Customers to whom something happened
//! are compared soon after it; all others one after another, round and round, so that a change made outside
//! of Stripe is found as well. Each drift is told once and again only when one of its values changes.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use domain::{
    CaseKey, CaseKind, CustomerId, ObjectId, SubscriptionId, Timestamp,
    drift::{self, Seen},
    finding::{FindingKind, FindingRow},
    plan::{PaymentStatus, Priority, StepKind},
    snapshot::InvoiceStatus,
};
use futures_util::future::join_all;
use runtime::{Metrics, failure};
use serde::Serialize;
use store::Versioned;

use crate::{
    App,
    report::{Repair, Reporter, Told},
    window::{self, Window},
};

/// Events after which a customer is compared.
const EVENTS: [&str; 4] = [
    "customer.subscription.deleted",
    "customer.subscription.updated",
    "invoice.paid",
    "invoice.payment_failed",
];

/// At most so many customers from each of events and open findings in one run. The round adds the customers of
/// a hundred subscriptions.
const AT_ONCE: usize = 200;

/// So many customers are compared at the same time; the pace of reading Stripe holds all the same.
const SIDE_BY_SIDE: usize = 8;

/// An event that has no outcome after so long, in seconds, is not waited for any more.
const PATIENCE: i64 = 12 * 3600;

/// The names of the cursor and of the place in the round.
const CURSOR: &str = "drift";
const ROUND: &str = "drift.round";

/// What the sweep found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Customers that were compared.
    pub compared: usize,
    /// Drifts that are there.
    pub open: usize,
    /// Those of them that are new, or changed, and were told.
    pub told: usize,
    /// Drifts that are gone.
    pub gone: usize,
    /// Customers of whom something is still under way, so that comparing them would tell what is about to
    /// change by itself.
    pub waiting: usize,
    /// Customers of whom a system did not answer; the next round comes to them again.
    pub failed: usize,
}

/// Compares customers. Without a CRM and without an application there is nothing to compare with.
///
/// # Errors
/// If Stripe's lists or the store do not answer.
pub async fn run(app: &App, metrics: &Metrics) -> Result<Report> {
    let (processor, mut report) = (&app.processor, Report::default());
    if processor.around.crm.is_none() && processor.around.application.is_none() {
        return Ok(report);
    }
    let mut known: BTreeMap<CustomerId, Vec<Versioned<FindingRow>>> = BTreeMap::new();
    for row in processor.cases.findings(FindingKind::Drift, AT_ONCE).await? {
        if let Some(customer) = row.value.finding.customer.clone() {
            known.entry(customer).or_default().push(row);
        }
    }
    let mut customers: BTreeSet<CustomerId> = known.keys().cloned().collect();
    let window = window::next(app, CURSOR, &EVENTS).await?;
    let mut until = window.as_ref().map(|window| window.until);
    let mut touched = BTreeSet::new();
    for event in window.iter().flat_map(|window| &window.events) {
        let Some(customer) = &event.envelope.customer else { continue };
        if touched.len() == AT_ONCE && !touched.contains(customer) {
            // The next run goes on from here. More than that in one second are left to the round.
            let first = window.iter().find_map(|window| window.events.first());
            let all_at_once = first.is_some_and(|first| first.envelope.created == event.envelope.created);
            until = Some(event.envelope.created.plus(i64::from(all_at_once)));
            break;
        }
        touched.insert(customer.clone());
    }
    customers.extend(touched);
    let after = processor.cases.place(ROUND).await?.and_then(|id| SubscriptionId::parse(id).ok());
    let round = processor.stripe.subscriptions_after(after.as_ref()).await?.value;
    customers.extend(round.items.iter().filter_map(|one| one.customer.clone()));
    let busy = Busy::read(app, window.as_ref()).await?;
    customers.retain(|customer| !busy.customers.contains(customer));
    report.waiting = busy.customers.len();

    let reporter = Reporter::new(app, metrics).await?;
    let customers: Vec<_> = customers.into_iter().collect();
    for some in customers.chunks(SIDE_BY_SIDE) {
        let none = Vec::new();
        let all = some
            .iter()
            .map(|customer| compare(app, &reporter, customer, known.get(customer).unwrap_or(&none)));
        for (customer, outcome) in some.iter().zip(join_all(all).await) {
            report.compared += 1;
            match outcome {
                Ok(one) => {
                    report.open += one.open;
                    report.told += one.told;
                    report.gone += one.gone;
                }
                Err(error) => {
                    let failure = failure::chain(error.as_ref());
                    tracing::warn!(customer = customer.as_str(), failure, "a customer was not compared");
                    report.failed += 1;
                    report.open += known.get(customer).map_or(0, Vec::len);
                }
            }
        }
    }
    if let Some(until) = until {
        processor.cases.set_cursor(CURSOR, busy.since.map_or(until, |since| since.min(until))).await?;
    }
    let place = round.items.last().filter(|_| !round.complete).map(|last| last.id.as_str());
    processor.cases.set_place(ROUND, place).await?;
    metrics.count("drift_open", u64::try_from(report.open)?);
    metrics.count("drift_found", u64::try_from(report.told)?);
    metrics.count("drift_unread", u64::try_from(report.failed)?);
    Ok(report)
}

/// Customers of whom something is still under way: an event without an outcome, or a step in the outbox.
struct Busy {
    customers: BTreeSet<CustomerId>,
    /// When the oldest of those events was created: from there the next run looks again.
    since: Option<Timestamp>,
}

impl Busy {
    async fn read(app: &App, window: Option<&Window>) -> Result<Self> {
        let cases = &app.processor.cases;
        let now = (app.processor.clock)();
        // What happened since the window's end is as much under way.
        let end = window.map_or(now.plus(-window::SETTLED), |window| window.until);
        let latest = window::latest(app, &EVENTS, end).await?;
        let recent: Vec<_> = window
            .iter()
            .flat_map(|window| &window.events)
            .chain(&latest)
            .map(|one| &one.envelope)
            .filter(|event| now.since(event.created) < PATIENCE)
            .collect();
        let ids: Vec<_> = recent.iter().map(|event| event.id.clone()).collect();
        let unfinished: BTreeSet<_> = cases.unfinished(&ids).await?.into_iter().collect();
        let under_way = || recent.iter().filter(|event| unfinished.contains(&event.id));
        let mut of_steps = Vec::new();
        for kind in StepKind::NAMES {
            let steps = cases.due_steps(kind, now.plus(PATIENCE), 1000).await?;
            of_steps.extend(steps.rows.into_iter().filter_map(|row| row.step.customer));
        }
        Ok(Self {
            since: under_way().map(|event| event.created).min(),
            customers: under_way().filter_map(|event| event.customer.clone()).chain(of_steps).collect(),
        })
    }
}

async fn compare(
    app: &App,
    reporter: &Reporter<'_>,
    customer: &CustomerId,
    before: &[Versioned<FindingRow>],
) -> Result<Report> {
    let mut report = Report::default();
    let processor = &app.processor;
    let (stripe, around) = (&processor.stripe, &processor.around);
    let subscriptions = stripe.all_subscriptions(customer).await?.value;
    let open = stripe.invoices(customer, &InvoiceStatus::Open).await?.value;
    let status = match &around.crm {
        Some(crm) => crm.account(customer).await?.and_then(|account| account.payment_status),
        None => None,
    };
    let access = match &around.application {
        Some(application) => match application.read(customer).await {
            Ok(known) => known.has_access(),
            Err(error) if error.is_not_found() => None,
            Err(error) => return Err(error.into()),
        },
        None => None,
    };
    let now = (processor.clock)();
    let seen = Seen {
        customer,
        // A part of the list proves nothing.
        subscriptions: if subscriptions.complete { &subscriptions.items } else { &[] },
        open_invoices: (open.complete && subscriptions.complete).then_some(open.items.as_slice()),
        payment_status: status.as_deref(),
        access,
        at: now,
        served: i64::from(processor.bundle.settings().watch.served_hours) * 3600,
    };
    let drifts = drift::compare(&seen);
    for drift in &drifts {
        let told = told(drift, customer, now)?;
        report.open += 1;
        report.told += usize::from(reporter.tell(told).await?);
    }
    let still: BTreeSet<String> = drifts.iter().map(|drift| drift.finding.id()).collect();
    for row in before.iter().filter(|row| !still.contains(&row.value.finding.id())) {
        reporter.gone(row).await?;
        report.gone += 1;
    }
    Ok(report)
}

fn told(drift: &drift::Drift, customer: &CustomerId, now: Timestamp) -> Result<Told> {
    let object = ObjectId::parse(customer.as_str())?;
    let repair = match drift.repair {
        drift::Repair::Status(status) => Repair::Status(PaymentStatus {
            status: status.to_owned(),
            open: None,
            object: object.clone(),
            read: now,
        }),
        drift::Repair::Access(change) => Repair::Request("access.change", [("change", change.as_str())]),
    };
    Ok(Told {
        finding: drift.finding.clone(),
        // An access change is asked for the customer, so its case is about them.
        case: CaseKey::new(CaseKind::Status, object),
        priority: Priority::High,
        otherwise: "The systems go on saying different things of this customer.",
        repair: Some(repair),
    })
}
