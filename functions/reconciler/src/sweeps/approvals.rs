//! A report on approvals: what ends soon without a signature, what hangs, and what nobody knows the outcome
//! of. It reads; the approver's own schedule expires, settles and takes over.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use domain::{
    CaseKey, CaseKind, Timestamp,
    approval::{OperationKind, Stage},
    finding::{Finding, FindingKind},
    plan::Priority,
};
use runtime::Metrics;
use serde::Serialize;
use store::ProposalRow;

use crate::{
    App,
    report::{Reporter, Told},
};

/// An execution whose lease ran out this long ago, in seconds, was taken over by nobody.
const STUCK: i64 = 900;

/// What the sweep found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Proposals that wait for signatures.
    pub pending: usize,
    /// Those of them that end soon.
    pub expiring: usize,
    /// Executions that nobody holds any more.
    pub stuck: usize,
    /// Executions of which nobody knows whether Stripe did it.
    pub unknown: usize,
}

/// Looks at every proposal that is open or executing.
///
/// # Errors
/// If the store does not answer.
pub async fn run(app: &App, metrics: &Metrics) -> Result<Report> {
    let now = (app.processor.clock)();
    let soon = i64::from(app.processor.bundle.settings().watch.expiry_hours) * 3600;
    let reporter = Reporter::new(app, metrics).await?;
    let (mut report, mut found) = (Report::default(), BTreeSet::new());
    for row in app.approvals.open_proposals().await? {
        let what = match &row.proposal.stage {
            Stage::Pending => {
                report.pending += 1;
                let left = row.proposal.action.expires.since(now);
                (left <= soon).then_some("expiring")
            }
            Stage::Executing(attempt) if attempt.unknown.is_some() => Some("unknown"),
            Stage::Executing(attempt) => (now.since(attempt.lease) > STUCK).then_some("stuck"),
            _ => None,
        };
        let Some(what) = what else { continue };
        match what {
            "expiring" => report.expiring += 1,
            "unknown" => report.unknown += 1,
            _ => report.stuck += 1,
        }
        let told = told(&row, what, now);
        found.insert(told.finding.id());
        reporter.tell(told).await?;
    }
    reporter.all_gone_but(FindingKind::Approval, &found).await?;
    metrics.count("approvals_pending", u64::try_from(report.pending)?);
    metrics.count("approvals_expiring", u64::try_from(report.expiring)?);
    metrics.count("executions_stuck", u64::try_from(report.stuck)?);
    metrics.count("executions_in_doubt", u64::try_from(report.unknown)?);
    Ok(report)
}

fn told(row: &ProposalRow, what: &str, now: Timestamp) -> Told {
    let action = &row.proposal.action;
    let (priority, headline, repair) = match what {
        "expiring" if action.expires <= now => (
            Priority::Normal,
            "A proposal ran out and was not closed yet",
            "Look whether the approver's schedule runs.",
        ),
        "expiring" => (
            Priority::High,
            "A proposal ends soon and waits for a signature",
            "Open the inbox and decide it.",
        ),
        "unknown" => (
            Priority::Urgent,
            "Nobody knows whether Stripe did what was signed",
            "Open the proposal; it says what to look for in Stripe and takes what you saw.",
        ),
        _ => (
            Priority::Urgent,
            "An execution hangs",
            "Look at the approver's schedule and log; it takes the execution over by itself.",
        ),
    };
    let mut values: BTreeMap<String, String> = [
        ("proposal.stage".to_owned(), row.proposal.stage.name().to_owned()),
        ("proposal.operation".to_owned(), action.operation.name().to_owned()),
        ("proposal.expires".to_owned(), action.expires.to_string()),
        ("proposal.need".to_owned(), action.need.to_string()),
    ]
    .into();
    values.extend(action.operation.amount().map(|amount| ("proposal.amount".to_owned(), amount.to_string())));
    Told {
        finding: Finding {
            kind: FindingKind::Approval,
            what: what.to_owned(),
            subject: row.id().to_string(),
            customer: row.dossier.customer.as_ref().map(|customer| customer.id.clone()),
            headline: headline.to_owned(),
            values,
            repair: repair.to_owned(),
        },
        case: row.dossier.case.clone().unwrap_or_else(|| case(row)),
        priority,
        otherwise: "Nothing is sent that nobody signed, and whoever asked waits.",
        repair: None,
    }
}

/// The case that would be about the same object.
fn case(row: &ProposalRow) -> CaseKey {
    let operation = &row.proposal.action.operation;
    let kind = match operation.kind() {
        OperationKind::Refund => CaseKind::Charge,
        OperationKind::CreditNote
        | OperationKind::VoidInvoice
        | OperationKind::MarkUncollectible
        | OperationKind::PayInvoice => CaseKind::Recovery,
        OperationKind::SubmitEvidence | OperationKind::AcceptDispute => CaseKind::Dispute,
        _ => CaseKind::Status,
    };
    CaseKey::new(kind, operation.object())
}
