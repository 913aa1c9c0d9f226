//! Deadlines of disputes. The ladder of announcements belongs to the case; this sweep is for what the ladder
//! cannot see: that nobody has reacted to it. Then the backup hears, then there is a last call, then the
//! deadline is said to have passed.
//!
//! A bank looks at one answer only. Whoever has answered is not called again, a second proposal for the same
//! dispute cannot be opened while one is open, and none can be made once evidence went out.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use domain::{
    Case, CaseKind, ObjectId, Timestamp,
    classify::Bucket,
    finding::{Finding, FindingKind},
    plan::Priority,
    snapshot::Read,
};
use processor::gather;
use runtime::{Metrics, failure};
use serde::Serialize;

use crate::{
    App,
    report::{Reporter, Told},
};

/// At most so many open cases are looked at in one run.
const CASES: usize = 5000;

/// What the sweep found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Disputes that wait for an answer.
    pub open: usize,
    /// Hours until the nearest deadline; negative if it has passed.
    pub nearest_hours: Option<i64>,
    /// Those about which somebody had to be told now.
    pub told: usize,
    /// Those that could not be looked at; the next run tries again.
    pub failed: usize,
}

/// Looks at every dispute with a deadline.
///
/// # Errors
/// If the store does not answer.
pub async fn run(app: &App, metrics: &Metrics) -> Result<Report> {
    let now = (app.processor.clock)();
    let open = app.processor.cases.open_cases(CASES).await?;
    let waiting: Vec<(&Case, Timestamp)> = open
        .rows
        .iter()
        .filter(|case| case.key.kind() == CaseKind::Dispute)
        .filter(|case| case.classification.bucket == Bucket::DisputeNeedsResponse)
        .filter_map(|case| Some((case, case.deadline?)))
        .collect();
    let proposals = app.approvals.open_proposals().await?;
    let proposed: BTreeMap<ObjectId, &str> = proposals
        .iter()
        .map(|row| (row.proposal.action.operation.object(), row.proposal.stage.name()))
        .collect();
    let reporter = Reporter::new(app, metrics).await?;
    let mut report = Report { open: waiting.len(), failed: open.unreadable, ..Report::default() };
    let mut found = BTreeSet::new();
    for (case, due) in waiting {
        let hours = due.since(now).div_euclid(3600);
        report.nearest_hours = Some(report.nearest_hours.map_or(hours, |nearest| nearest.min(hours)));
        let Some(told) = call(app, case, due, proposed.get(case.key.object()).copied(), now) else {
            continue;
        };
        let id = told.finding.id();
        match tell(app, &reporter, case, told).await {
            Ok(None) => {}
            Ok(Some(told)) => {
                report.told += usize::from(told);
                found.insert(id);
            }
            Err(error) => {
                let failure = failure::chain(error.as_ref());
                tracing::warn!(case = %case.key, failure, "a deadline was not looked at");
                report.failed += 1;
                found.insert(id);
            }
        }
    }
    reporter.all_gone_but(FindingKind::Deadline, &found).await?;
    metrics.count("disputes_waiting", u64::try_from(report.open)?);
    metrics.count("deadlines_called", u64::try_from(report.told)?);
    if let Some(hours) = report.nearest_hours.and_then(|hours| i32::try_from(hours).ok()) {
        metrics.number("dispute_deadline_hours", f64::from(hours));
    }
    Ok(report)
}

/// Whom to call, if anybody.
fn call(app: &App, case: &Case, due: Timestamp, proposal: Option<&str>, now: Timestamp) -> Option<Told> {
    let bundle = &app.processor.bundle;
    let dispute = &bundle.settings().dispute;
    let left = bundle.calendar().business_days_between(now, due);
    let (owner, backup) = (&dispute.owner, &dispute.backup);
    let (what, priority, headline) = if now >= due {
        ("passed", Priority::Urgent, "The deadline of a dispute has passed without an answer".to_owned())
    } else if due.since(now) <= i64::from(dispute.last_call_hours) * 3600 {
        let line = match proposal {
            None => format!("Last call: a dispute has no answer, {owner} and {backup}"),
            Some(_) => {
                format!("Last call: the answer to a dispute waits for a signature, {owner} and {backup}")
            }
        };
        ("last_call", Priority::Urgent, line)
    } else if left <= i64::from(dispute.backup_days) {
        let line = match proposal {
            None => format!("{owner} has not reacted to a dispute; {backup} takes over"),
            Some(stage) => {
                format!("The answer to a dispute of {owner} is not out ({stage}); {backup} takes over")
            }
        };
        ("backup", Priority::High, line)
    } else {
        return None;
    };
    let mut values: BTreeMap<String, String> = [
        ("stripe.dispute.id".to_owned(), case.key.object().to_string()),
        ("stripe.dispute.due_by".to_owned(), due.to_string()),
        ("proposal".to_owned(), proposal.unwrap_or("none").to_owned()),
    ]
    .into();
    values.extend(case.amount.map(|amount| ("stripe.dispute.amount".to_owned(), amount.to_string())));
    Some(Told {
        finding: Finding {
            kind: FindingKind::Deadline,
            what: what.to_owned(),
            subject: case.key.object().to_string(),
            customer: case.customer.clone(),
            headline,
            values,
            repair: case.next.clone(),
        },
        case: case.key.clone(),
        priority,
        otherwise: "After the deadline the bank decides without us, and the money is lost with the fee.",
        repair: None,
    })
}

/// Asks Stripe before anybody is called: a dispute that was answered meanwhile is decided anew instead.
/// `None` if there is nothing to call for.
async fn tell(app: &App, reporter: &Reporter<'_>, case: &Case, told: Told) -> Result<Option<bool>> {
    let known = app.processor.cases.finding(&told.finding.id()).await?.value;
    if known.is_some_and(|row| row.gone.is_none() && row.finding.digest() == told.finding.digest()) {
        return Ok(Some(false));
    }
    let stripe = app.processor.stripe.scoped(gather::scope(&case.origin));
    let waits = match stripe.dispute(&case.key.object().clone().into()).await?.value {
        Read::Found(dispute) => dispute.status.needs_response() && dispute.submission_count == 0,
        Read::Gone => false,
    };
    if waits { reporter.tell(told).await.map(Some) } else { Ok(None) }
}
