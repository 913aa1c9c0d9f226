//! One invocation: the function, its figures and its id.

use anyhow::Result;
use domain::{AccountId, RunId, Timestamp, approval::Proposal, trail};
use runtime::Metrics;
use serde_json::Value;
use store::ProposalRow;

use crate::{App, keyring::Keys, keys};

/// One invocation.
#[derive(Clone, Copy)]
pub(crate) struct Turn<'a> {
    pub(crate) app: &'a App,
    pub(crate) metrics: &'a Metrics,
    /// The keys of our own, as they count now.
    pub(crate) keys: &'a Keys,
}

impl<'a> Turn<'a> {
    pub(crate) const fn new(app: &'a App, metrics: &'a Metrics, keys: &'a Keys) -> Self {
        Self { app, metrics, keys }
    }

    pub(crate) fn now(&self) -> Timestamp {
        (self.app.clock)()
    }

    /// Stripe, in the account that an action is for.
    pub(crate) fn stripe_of(&self, account: &AccountId) -> stripe::Client {
        if *account == self.app.account {
            self.app.stripe.clone()
        } else {
            self.app.stripe.scoped(stripe::Scope::Account(account.clone()))
        }
    }

    /// A place where a test lets this run die.
    pub(crate) fn checkpoint(&self, place: &'static str) -> Result<()> {
        Ok(self.app.checkpoints.pass(place)?)
    }

    /// Something that must never happen: counted, which an alarm watches, and logged with ids only.
    pub(crate) fn alarm(&self, proposal: &Proposal, what: &str) {
        self.metrics.count("integrity_alarms", 1);
        tracing::error!(proposal = proposal.action.proposal.as_str(), what, "stored approvals do not verify");
    }

    /// The line of a decision, and its figure.
    pub(crate) fn decided(&self, row: &ProposalRow, event: &'static str) {
        self.metrics.count_by("proposals", event, 1);
        let action = &row.proposal.action;
        tracing::info!(
            proposal = action.proposal.as_str(),
            request = row.dossier.request.as_str(),
            trace = action.source.as_ref().map(domain::EventId::trace),
            operation = action.operation.name(),
            digest = row.proposal.digest.short(),
            event,
            "a proposal moved"
        );
    }
}

/// A new holder of claims.
pub(crate) fn new_run() -> Result<RunId> {
    Ok(RunId::from_random(u128::from_be_bytes(keys::random()?)))
}

/// The next entry of a proposal's trail.
pub(crate) fn entry(proposal: &Proposal, event: &str, at: Timestamp, body: &Value) -> trail::Entry {
    proposal.trail.entry(proposal.action.proposal.as_str(), event, at, body.to_string())
}
