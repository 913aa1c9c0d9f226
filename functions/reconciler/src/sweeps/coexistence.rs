//! Who else acts on the same objects: Stripe's own e-mails about an invoice that we write about, automations
//! that run on it, and Smart Disputes that answer a dispute which our people are collecting evidence for. Two
//! hands at one object annoy customers, and a bank looks at one answer only.
//!
//! Stripe tells of none of these settings through its API, but of their effects: `invoice.sent` for an e-mail,
//! `invoice.overdue` and `invoice.will_be_due` for an automation
//! (<https://docs.stripe.com/api/events/types>), and a dispute's submission methods.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use domain::{
    Case, CaseKey, CaseKind,
    case::CaseState,
    classify::Bucket,
    finding::{Finding, FindingKind},
    plan::Priority,
    snapshot::Read,
};
use processor::gather;
use runtime::{Metrics, failure};
use serde::Serialize;
use stripe::client::Occurred;

use crate::{
    App,
    report::{MOST, Reporter, Told},
    window,
};

/// What shows that somebody else writes to the customer or works on the invoice.
const EVENTS: [&str; 3] = ["invoice.overdue", "invoice.sent", "invoice.will_be_due"];

const CURSOR: &str = "coexistence";

/// At most so many open cases are looked at in one run.
const CASES: usize = 5000;

/// What the sweep found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Invoices and disputes that we work on and somebody else as well.
    pub shared: usize,
    /// Those of them that the team was told of now.
    pub told: usize,
    /// Disputes that could not be looked at; the next run tries again.
    pub failed: usize,
}

/// Looks at what else acts on our open cases.
///
/// # Errors
/// If Stripe's list or the store does not answer.
pub async fn run(app: &App, metrics: &Metrics) -> Result<Report> {
    let (cases, mut report) = (&app.processor.cases, Report::default());
    let reporter = Reporter::new(app, metrics).await?;
    let mut found = BTreeSet::new();
    if let Some(window) = window::next(app, CURSOR, &EVENTS).await? {
        for event in &window.events {
            let key = CaseKey::new(CaseKind::Recovery, event.envelope.object.clone());
            if let Some(case) = cases.case(&key).await?.filter(|case| case.state == CaseState::Open) {
                found.insert(tell(&reporter, invoice(&case, event), &mut report).await?);
            }
        }
        cases.set_cursor(CURSOR, window.until).await?;
    }
    for case in cases.open_cases(CASES).await?.rows {
        if case.classification.bucket != Bucket::DisputeNeedsResponse {
            continue;
        }
        match dispute(app, &case).await {
            Ok(None) => {}
            Ok(Some(told)) => {
                found.insert(tell(&reporter, told, &mut report).await?);
            }
            Err(error) => {
                let failure = failure::chain(error.as_ref());
                tracing::warn!(case = %case.key, failure, "a dispute was not looked at");
                report.failed += 1;
            }
        }
    }
    // An e-mail that was sent stays sent: its finding ends with the case.
    for row in cases.findings(FindingKind::Coexistence, MOST).await? {
        let finding = &row.value.finding;
        let kind = if finding.what == "smart_disputes" { CaseKind::Dispute } else { CaseKind::Recovery };
        let key = CaseKey::new(kind, domain::ObjectId::parse(finding.subject.as_str())?);
        let open = cases.case(&key).await?.is_some_and(|case| case.state == CaseState::Open);
        let over = kind == CaseKind::Dispute && report.failed == 0 && !found.contains(&finding.id());
        if !open || over {
            reporter.gone(&row).await?;
        }
    }
    metrics.count("coexistence_found", u64::try_from(report.told)?);
    Ok(report)
}

async fn tell(reporter: &Reporter<'_>, told: Told, report: &mut Report) -> Result<String> {
    let id = told.finding.id();
    report.shared += 1;
    report.told += usize::from(reporter.tell(told).await?);
    Ok(id)
}

fn invoice(case: &Case, event: &Occurred) -> Told {
    let kind = event.envelope.kind.as_str();
    let (what, headline, repair) = if kind == "invoice.sent" {
        (
            "stripe_mail",
            "Stripe wrote to a customer about an invoice that we work on",
            "Send no draft of ours for this invoice, or switch off Stripe's e-mails for failed and unpaid \
             invoices in the Dashboard under Billing, Subscriptions and e-mails.",
        )
    } else {
        (
            "stripe_automation",
            "An automation of Stripe runs on an invoice that we work on",
            "Look under Billing, Automations what it does: two reminders annoy, and two retries cost fees.",
        )
    };
    let values: BTreeMap<String, String> = [
        ("stripe.event.type".to_owned(), kind.to_owned()),
        ("case.drafted_to_customer".to_owned(), case.contacted.to_string()),
    ]
    .into();
    told(case, what, headline, values, repair)
}

/// Whether Smart Disputes answers a dispute that waits for our answer.
async fn dispute(app: &App, case: &Case) -> Result<Option<Told>> {
    let stripe = app.processor.stripe.scoped(gather::scope(&case.origin));
    let answering = match stripe.dispute_answering(&case.key.object().clone().into()).await?.value {
        Read::Found(answering) if answering.is_by_stripe() => answering,
        Read::Found(_) | Read::Gone => return Ok(None),
    };
    let mut values = BTreeMap::new();
    let mut value = |field: &str, word: Option<String>| {
        values.extend(word.map(|word| (field.to_owned(), word)));
    };
    value("stripe.dispute.intended_submission_method", answering.intended);
    value("stripe.dispute.evidence_details.submission_method", answering.submitted);
    Ok(Some(told(
        case,
        "smart_disputes",
        "Smart Disputes answers, or may answer, a dispute that we collect evidence for",
        values,
        "Decide who answers: set the dispute to manual in the Dashboard, or leave it to Stripe and close our work.",
    )))
}

fn told(case: &Case, what: &str, headline: &str, values: BTreeMap<String, String>, repair: &str) -> Told {
    Told {
        finding: Finding {
            kind: FindingKind::Coexistence,
            what: what.to_owned(),
            subject: case.key.object().to_string(),
            customer: case.customer.clone(),
            headline: headline.to_owned(),
            values,
            repair: repair.to_owned(),
        },
        case: case.key.clone(),
        priority: Priority::Normal,
        otherwise: "The customer, or the bank, hears from two sides.",
        repair: None,
    }
}
