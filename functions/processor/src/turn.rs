//! One turn: claim the event, read Stripe again, decide, commit, dispatch.

use domain::{
    Case, Envelope, RunId,
    decide::{Decision, decide},
};
use runtime::Metrics;
use serde_json::json;
use store::{Claim, EventOutcome, StepState, StoreError, Turn};

use crate::{App, dispatch, gather};

/// How often a turn is decided anew because another run changed the case meanwhile.
const ROUNDS: u32 = 3;

/// Why a turn did not finish; the message comes again.
#[derive(Debug, thiserror::Error)]
pub enum TurnError {
    /// Another run holds the event and may still finish: this is no duplicate.
    #[error("another run holds event `{0}`; it comes again when the lease is over")]
    Held(domain::EventId),
    /// Stripe did not say what the object looks like.
    #[error("the object could not be read from Stripe")]
    Stripe(#[from] stripe::Error),
    /// The store did not take it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The decision cannot be written down.
    #[error("the decision could not be written as JSON")]
    Unwritable(#[from] serde_json::Error),
}

impl TurnError {
    /// One word for alarms and figures.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Held(_) => "held",
            Self::Stripe(_) => "stripe",
            Self::Store(StoreError::Conflict { .. }) => "conflict",
            Self::Store(_) => "store",
            Self::Unwritable(_) => "unwritable",
        }
    }
}

/// Takes one event to its recorded outcome.
///
/// # Errors
/// If the event must come again.
pub async fn take(app: &App, metrics: &Metrics, run: &RunId, event: &Envelope) -> Result<(), TurnError> {
    let now = (app.clock)();
    match app.cases.claim(event, run, now, now.plus(app.lease)).await? {
        Claim::Mine => {}
        Claim::Held => return Err(TurnError::Held(event.id.clone())),
        Claim::Done(outcome) => {
            metrics.count("duplicates_suppressed", 1);
            return finish_earlier(app, metrics, run, &outcome).await;
        }
    }
    let Some(key) = event.case() else {
        metrics.count("events_ignored", 1);
        return Ok(app.cases.finish(&event.id, run, &EventOutcome::Ignored).await?);
    };
    if event.livemode != (app.stripe.mode() == stripe::Mode::Live) {
        // Read with this key, the object would look as if it were gone.
        tracing::error!(
            event = event.id.as_str(),
            livemode = event.livemode,
            "the event is of the key's other mode"
        );
        metrics.count("events_refused", 1);
        let why = "the event and the Stripe key are of different modes (live and test)".to_owned();
        return Ok(app.cases.finish(&event.id, run, &EventOutcome::Refused { why }).await?);
    }
    for round in 1.. {
        match decide_and_commit(app, metrics, run, event, &key).await {
            Err(TurnError::Store(error)) if error.is_conflict() && round < ROUNDS => {}
            Err(error) => return Err(error),
            Ok(decision) => {
                log(event, &key, &decision);
                for step in &decision.steps {
                    dispatch::send_first(app, metrics, run, step, event).await;
                }
                return Ok(());
            }
        }
    }
    Ok(())
}

/// A duplicate finds the event done. If the run that did it died before its steps were sent, they
/// are sent now.
async fn finish_earlier(
    app: &App,
    metrics: &Metrics,
    run: &RunId,
    outcome: &EventOutcome,
) -> Result<(), TurnError> {
    let EventOutcome::Decided { case } = outcome else { return Ok(()) };
    for row in app.cases.steps(case).await? {
        if row.state == StepState::Sending {
            dispatch::send_again(app, metrics, run, &row).await?;
        }
    }
    Ok(())
}

async fn decide_and_commit(
    app: &App,
    metrics: &Metrics,
    run: &RunId,
    event: &Envelope,
    key: &domain::CaseKey,
) -> Result<Decision, TurnError> {
    let mut context = gather::gather(app, metrics, event, key).await?;
    let before = app.cases.turn_state(key, context.customer.as_ref()).await?;
    context.open_cases = before.customer.value.open.iter().filter(|open| *open != key).cloned().collect();
    context.frozen = before.frozen;
    let earlier = before.case.value.as_ref();
    let decision = decide(key, &context, earlier, &app.bundle);

    let now = (app.clock)();
    let head = earlier.map_or(domain::trail::Head::START, |case| case.trail);
    let body =
        json!({ "event": event.id, "context": context, "decision": decision, "policy": app.bundle.id() });
    let entry = head.entry(&key.to_string(), "decided", now, serde_json::to_string(&body)?);
    let case = Case::after(earlier, key, context.customer.clone(), &decision, now, entry.head());
    let turn = Turn {
        event: Some(&event.id),
        run,
        lease: now.plus(app.lease),
        case: &case,
        steps: &decision.steps,
        entry: &entry,
    };
    app.cases.commit(&before, &turn).await?;
    metrics.count_by("classified", decision.classification.bucket.as_str(), 1);
    for suppression in &decision.suppressed {
        metrics.count_by("suppressed", suppression.interlock.as_str(), 1);
    }
    Ok(decision)
}

/// One line for each decision: ids and words of ours, no bodies and no personal data.
fn log(event: &Envelope, key: &domain::CaseKey, decision: &Decision) {
    let steps: Vec<_> = decision.steps.iter().map(|step| step.kind.name()).collect();
    let suppressed: Vec<_> = decision.suppressed.iter().map(|one| one.interlock.as_str()).collect();
    tracing::info!(
        event = event.id.as_str(),
        kind = event.kind.as_str(),
        case = key.to_string(),
        bucket = decision.classification.bucket.as_str(),
        steps = steps.join(","),
        suppressed = suppressed.join(","),
        "decided"
    );
}
