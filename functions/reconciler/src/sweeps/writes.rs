//! Writes in Stripe that belong to no execution of ours, found by what each event says of the request that
//! caused it. People also work in the Dashboard, so the policy says what is noted and what is an alarm. A key
//! of our own form that we never gave out is always one.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use domain::{
    CaseKey, CaseKind,
    approval::{Stage, idempotency_key},
    finding::{Finding, FindingKind},
    plan::Priority,
    policy::{Reaction, WRITES},
};
use runtime::Metrics;
use serde::Serialize;
use stripe::client::Occurred;

use crate::{
    App,
    report::{Reporter, Told},
    window,
};

/// How our idempotency keys begin.
const OURS: &str = "ap1_";

/// How many of the proposals that ended last are looked through.
const PROPOSALS: usize = 1000;

/// At most so many windows in one run.
const WINDOWS: usize = 20;

const CURSOR: &str = "writes";

/// What the sweep found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Events of writes.
    pub seen: usize,
    /// Those that an execution of ours caused.
    pub ours: usize,
    /// Those that Stripe caused by itself.
    pub by_stripe: usize,
    /// Others that were noted.
    pub noted: usize,
    /// Others that the team was told of.
    pub alarms: usize,
    /// Events that could not be read.
    pub unread: usize,
}

/// Looks at Stripe's events since the last run.
///
/// # Errors
/// If Stripe or the store does not answer.
pub async fn run(app: &App, metrics: &Metrics) -> Result<Report> {
    let mut report = Report::default();
    let mut ours = None;
    let reporter = Reporter::new(app, metrics).await?;
    for _ in 0..WINDOWS {
        let Some(window) = window::next(app, CURSOR, &WRITES).await? else { break };
        report.unread += window.unread;
        for event in &window.events {
            report.seen += 1;
            let Some(request) = &event.request_id else {
                report.by_stripe += 1;
                continue;
            };
            if ours.is_none() {
                ours = Some(Ours::read(app).await?);
            }
            if ours.as_ref().is_some_and(|ours| ours.caused(request, event.idempotency_key.as_deref())) {
                report.ours += 1;
                continue;
            }
            external(app, &reporter, event, &mut report).await?;
        }
        app.processor.cases.set_cursor(CURSOR, window.until).await?;
    }
    metrics.count("external_writes_noted", u64::try_from(report.noted)?);
    metrics.count("external_writes_alarming", u64::try_from(report.alarms)?);
    metrics.count("events_unswept", u64::try_from(report.unread)?);
    Ok(report)
}

/// The keys and requests of our executions.
struct Ours {
    keys: BTreeSet<String>,
    requests: BTreeSet<String>,
}

impl Ours {
    async fn read(app: &App) -> Result<Self> {
        let mut ours = Self { keys: BTreeSet::new(), requests: BTreeSet::new() };
        let open = app.approvals.open_proposals().await?;
        for row in open.iter().chain(&app.approvals.decided(PROPOSALS).await?) {
            let proposal = &row.proposal;
            match &proposal.stage {
                Stage::Executing(_) | Stage::Failed { .. } => {}
                Stage::Executed { request, .. } => ours.requests.extend(request.clone()),
                _ => continue,
            }
            ours.keys.insert(idempotency_key(&proposal.action.proposal, proposal.digest, 0));
        }
        Ok(ours)
    }

    fn caused(&self, request: &str, key: Option<&str>) -> bool {
        key.is_some_and(|key| self.keys.contains(key)) || self.requests.contains(request)
    }
}

async fn external(app: &App, reporter: &Reporter<'_>, event: &Occurred, report: &mut Report) -> Result<()> {
    let envelope = &event.envelope;
    let forged = event.idempotency_key.as_deref().is_some_and(|key| key.starts_with(OURS));
    let listed = app.processor.bundle.settings().watch.external_writes.get(&envelope.kind).copied();
    let reaction = if forged { Reaction::Alarm } else { listed.unwrap_or_default() };
    let mut values: BTreeMap<String, String> = [
        ("stripe.event.type".to_owned(), envelope.kind.clone()),
        ("stripe.event.created".to_owned(), envelope.created.to_string()),
        ("stripe.object.id".to_owned(), envelope.object.to_string()),
    ]
    .into();
    values.extend(event.request_id.clone().map(|id| ("stripe.request.id".to_owned(), id)));
    if forged {
        values
            .insert("stripe.request.idempotency_key".into(), "of our form, and never given out by us".into());
    }
    let finding = Finding {
        kind: FindingKind::ExternalWrite,
        what: if forged { "forged_key" } else { "unapproved" }.to_owned(),
        subject: envelope.id.to_string(),
        customer: envelope.customer.clone(),
        headline: format!("`{}` in Stripe belongs to no approval", envelope.kind),
        values,
        repair:
            "Find the request in Stripe's logs: who made it, and should it have gone through an approval?"
                .to_owned(),
    };
    match reaction {
        Reaction::Note => report.noted += usize::from(reporter.note(finding).await?),
        Reaction::Alarm => {
            let case =
                envelope.case().unwrap_or_else(|| CaseKey::new(CaseKind::Status, envelope.object.clone()));
            let told = Told {
                finding,
                case,
                priority: if forged { Priority::Urgent } else { Priority::High },
                otherwise: "Money may move past the approvals.",
                repair: None,
            };
            report.alarms += usize::from(reporter.tell(told).await?);
        }
    }
    Ok(())
}
