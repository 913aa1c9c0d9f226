//! Telling what a sweep found: once, with the exact values, and with a trail.

use std::collections::BTreeSet;

use anyhow::Result;
use domain::{
    CaseKey, RunId,
    event::Origin,
    finding::{Finding, FindingKind, FindingRow},
    plan::{Alert, PaymentStatus, Priority, Step, StepKind},
    policy::{Controlled, Gated},
};
use processor::dispatch;
use runtime::Metrics;
use store::Versioned;

use crate::App;

/// How many open findings of a kind are looked at again in one run.
pub(crate) const MOST: usize = 500;

/// A finding, and what is to be done about it.
pub(crate) struct Told {
    pub(crate) finding: Finding,
    /// The case under which its steps are kept.
    pub(crate) case: CaseKey,
    pub(crate) priority: Priority,
    /// What happens if nobody acts.
    pub(crate) otherwise: &'static str,
    /// Beside the alert.
    pub(crate) repair: Option<Repair>,
}

/// What repairs a finding.
pub(crate) enum Repair {
    /// A controlled write.
    Status(PaymentStatus),
    /// A question to the approvers: operation, and what it takes.
    Request(&'static str, [(&'static str, &'static str); 1]),
}

/// Tells what one run of a sweep found.
pub(crate) struct Reporter<'a> {
    app: &'a App,
    metrics: &'a Metrics,
    run: RunId,
    /// While everything is stopped nothing is told, and nothing counts as told.
    frozen: bool,
}

impl<'a> Reporter<'a> {
    pub(crate) async fn new(app: &'a App, metrics: &'a Metrics) -> Result<Self> {
        let frozen = app.processor.cases.is_frozen().await?;
        Ok(Self { app, metrics, run: app.processor.new_run(), frozen })
    }

    /// Records and tells a finding, unless it was told and has not changed. Whether it was told now.
    pub(crate) async fn tell(&self, told: Told) -> Result<bool> {
        let before = self.app.processor.cases.finding(&told.finding.id()).await?;
        if self.frozen || !FindingRow::is_news(before.value.as_ref(), &told.finding) {
            return Ok(false);
        }
        let (row, entry) =
            FindingRow::found(before.value.as_ref(), told.finding.clone(), (self.app.processor.clock)())?;
        let steps = self.steps(&told, &row);
        self.put(before.version, &row, &entry, &steps).await?;
        let sent: Vec<&Step> = steps.iter().filter(|step| step.kept.is_none()).collect();
        dispatch::send_all(&self.app.processor, self.metrics, &self.run, &sent, None).await;
        Ok(true)
    }

    /// Records a finding that nobody is told of and that is never looked at again. Whether it is new.
    pub(crate) async fn note(&self, finding: Finding) -> Result<bool> {
        let before = self.app.processor.cases.finding(&finding.id()).await?;
        if before.value.is_some() {
            return Ok(false);
        }
        let now = (self.app.processor.clock)();
        let (mut row, entry) = FindingRow::found(None, finding, now)?;
        row.gone = Some(now);
        self.put(0, &row, &entry, &[]).await?;
        Ok(true)
    }

    /// Closes a finding that is not there any more.
    pub(crate) async fn gone(&self, row: &Versioned<FindingRow>) -> Result<()> {
        let (after, entry) = row.value.resolved((self.app.processor.clock)());
        self.put(row.version, &after, &entry, &[]).await
    }

    /// Closes the open findings of a kind that were not found this time. How many.
    pub(crate) async fn all_gone_but(&self, kind: FindingKind, found: &BTreeSet<String>) -> Result<usize> {
        let mut gone = 0;
        for row in self.app.processor.cases.findings(kind, MOST).await? {
            if !found.contains(&row.value.finding.id()) {
                self.gone(&row).await?;
                gone += 1;
            }
        }
        Ok(gone)
    }

    async fn put(
        &self,
        version: i64,
        row: &FindingRow,
        entry: &domain::trail::Entry,
        steps: &[Step],
    ) -> Result<()> {
        let processor = &self.app.processor;
        let lease = (processor.clock)().plus(processor.lease);
        processor.cases.put_finding(version, row, entry, steps, &self.run, lease).await?;
        let (finding, event) = (row.finding.id(), entry.event.as_str());
        tracing::info!(finding, event, times = row.times, steps = steps.len(), "a finding");
        Ok(())
    }

    fn steps(&self, told: &Told, row: &FindingRow) -> Vec<Step> {
        let settings = self.app.processor.bundle.settings();
        let finding = &told.finding;
        let mut facts = vec![("Found".to_owned(), finding.id())];
        facts.extend(finding.customer.as_ref().map(|customer| ("Customer".to_owned(), customer.to_string())));
        facts.extend(finding.values.iter().map(|(field, value)| (field.clone(), value.clone())));
        facts.push(("Since".to_owned(), row.since.to_string()));
        let alert = Alert {
            channel: settings.escalation.channel.clone(),
            headline: finding.headline.clone(),
            priority: told.priority,
            facts,
            next: finding.repair.clone(),
            otherwise: told.otherwise.to_owned(),
            links: Vec::new(),
        };
        let repair = told.repair.as_ref().map(|repair| match repair {
            Repair::Status(status) => {
                let kept = match (settings.autonomy.payment_status, &self.app.processor.around.crm) {
                    (Controlled::Draft, _) => Some("the policy leaves it to a person"),
                    (Controlled::Auto, None) => Some("no CRM is configured"),
                    (Controlled::Auto, Some(_)) => None,
                };
                (StepKind::PaymentStatus(status.clone()), kept)
            }
            Repair::Request(operation, parameters) => {
                let asks = settings.autonomy.gated.get(*operation) == Some(&Gated::Approve);
                let parameters = parameters.map(|(name, value)| (name.to_owned(), value.to_owned()));
                let request = StepKind::Request {
                    operation: (*operation).to_owned(),
                    origin: Origin::default(),
                    source: None,
                    parameters: parameters.into(),
                };
                (request, (!asks).then_some("the policy only recommends it"))
            }
        });
        let alerted =
            (settings.autonomy.alert == Controlled::Draft).then_some("the policy leaves it to a person");
        let revision = format!("{} {}", finding.id(), row.times);
        std::iter::once((StepKind::Alert(alert), alerted))
            .chain(repair)
            .map(|(kind, kept)| {
                let mut step = Step::new(&told.case, finding.customer.clone(), kind, &revision);
                step.kept = kept.map(str::to_owned);
                step
            })
            .collect()
    }
}
