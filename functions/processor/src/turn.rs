//! One turn: claim the event, read Stripe again, decide, commit, dispatch.

use domain::{
    Case, CaseKey, CustomerId, Envelope, EventId, RunId,
    decide::{Decision, decide},
    event::{CANARY, Origin},
};
use runtime::{Metrics, failure};
use serde_json::json;
use store::{CaseFile, Claim, EventOutcome, StoreError, Turn};

use crate::{
    App, Look,
    advice::{self, Heard},
    card, dispatch, gather,
};

/// How often a turn is decided anew because another run changed the case meanwhile.
const ROUNDS: u32 = 3;

/// What makes a case be decided.
#[derive(Debug, Clone)]
pub struct Cause {
    /// The event, unless the case came due by itself.
    pub event: Option<EventId>,
    /// Where its objects are to be read.
    pub origin: Origin,
    /// Whom it concerns, if that is known already.
    pub customer: Option<CustomerId>,
}

/// Why a turn did not finish; the message comes again.
#[derive(Debug, thiserror::Error)]
pub enum TurnError {
    /// Another run holds the event and may still finish: this is no duplicate.
    #[error("another run holds event `{0}`; it comes again when the lease is over")]
    Held(EventId),
    /// Stripe did not say what the object looks like.
    #[error("the object could not be read from Stripe")]
    Stripe(#[from] stripe::Error),
    /// The store did not take it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A live event, and a key that sees only test data: what it read would be wrong.
    #[error("event `{0}` is of live mode and the Stripe key is not; store the live key")]
    WrongKey(EventId),
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
            Self::WrongKey(_) => "wrong_key",
            Self::Unwritable(_) => "unwritable",
        }
    }
}

/// Takes one event to its recorded outcome. `look` began after the event came.
///
/// # Errors
/// If the event must come again.
pub async fn take(
    app: &App,
    metrics: &Metrics,
    run: &RunId,
    look: &mut Look,
    event: &Envelope,
) -> Result<(), TurnError> {
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
        if event.kind == CANARY {
            metrics.count("canaries_arrived", 1);
        }
        metrics.count("events_ignored", 1);
        return Ok(app.cases.finish(&event.id, run, &EventOutcome::Ignored).await?);
    };
    match (event.livemode, app.stripe.mode().is_live()) {
        (true, false) => return Err(TurnError::WrongKey(event.id.clone())),
        (false, true) => {
            // A test event in a live deployment is nobody's work.
            tracing::warn!(event = event.id.as_str(), "an event of test mode is refused");
            metrics.count("events_refused", 1);
            let why = "an event of test mode came to a deployment with a live key".to_owned();
            return Ok(app.cases.finish(&event.id, run, &EventOutcome::Refused { why }).await?);
        }
        (true, true) | (false, false) => {}
    }
    let cause =
        Cause { event: Some(event.id.clone()), origin: event.origin(), customer: event.customer.clone() };
    decide_and_send(app, metrics, run, look, &cause, &key).await
}

/// Decides a case anew that came due by itself: something was held back or could not be read.
///
/// # Errors
/// If it must be tried again.
pub async fn revisit(app: &App, metrics: &Metrics, run: &RunId, case: &Case) -> Result<(), TurnError> {
    let cause = Cause { event: None, origin: case.origin.clone(), customer: case.customer.clone() };
    let mut look = Look::new((app.clock)());
    decide_and_send(app, metrics, run, &mut look, &cause, &case.key).await
}

async fn decide_and_send(
    app: &App,
    metrics: &Metrics,
    run: &RunId,
    look: &mut Look,
    cause: &Cause,
    key: &CaseKey,
) -> Result<(), TurnError> {
    let mut heard = None;
    for round in 1.. {
        match decide_and_commit(app, metrics, run, look, &mut heard, cause, key).await {
            Err(TurnError::Store(error)) if error.is_conflict() && round < ROUNDS => {
                *look = Look::new((app.clock)());
            }
            Err(error) => return Err(error),
            Ok(Committed { decision, moved, new }) => {
                log(cause, key, &decision);
                let steps: Vec<_> = decision.steps.iter().filter(|step| step.kept.is_none()).collect();
                dispatch::send_all(app, metrics, run, &steps, new.as_ref()).await;
                if moved && let Err(error) = card::show(app, metrics, key).await {
                    // It is due, and the sweep shows it.
                    tracing::warn!(case = %key, failure = failure::chain(&error), "a card waits");
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
    let rows = app.cases.steps(case).await?;
    Ok(dispatch::send_all_again(app, metrics, run, &rows).await?)
}

/// What a turn has written.
struct Committed {
    decision: Decision,
    /// Whether the case's card lags behind now.
    moved: bool,
    /// The case with its steps, if it began with this turn: nobody else has touched it, so whoever needs the
    /// whole of it has to read nothing.
    new: Option<CaseFile>,
}

async fn decide_and_commit(
    app: &App,
    metrics: &Metrics,
    run: &RunId,
    look: &mut Look,
    heard: &mut Option<Heard>,
    cause: &Cause,
    key: &CaseKey,
) -> Result<Committed, TurnError> {
    // Boxed: the clients of many systems make a large future.
    let mut context = Box::pin(gather::gather(app, metrics, look, cause, key)).await?;
    let mut before = app.cases.turn_state(key, context.customer.as_ref()).await?;
    let known = before.case.value.as_ref().and_then(|case| case.customer.clone());
    if let (None, Some(known)) = (&context.customer, known) {
        // This time nobody said whom it concerns, but the case knows.
        before = app.cases.turn_state(key, Some(&known)).await?;
        context.customer = Some(known);
    }
    context.open_cases = before.customer.value.open.iter().filter(|open| *open != key).cloned().collect();
    context.contacts.clone_from(&before.customer.value.contacts);
    context.frozen = before.frozen;
    let earlier = before.case.value.as_ref();
    if look.is_overtaken(earlier, &before.customer.value.open) {
        return Err(StoreError::Conflict { what: "the case, since it was looked at in Stripe" }.into());
    }
    let decision = decide(key, &context, earlier, &app.bundle);
    // Boxed, as above. The decision stands; what comes back only changes words, urgency upwards and the summary.
    let about = (key, &context, earlier);
    let advice = Box::pin(advice::consult(app, metrics, run, heard, about, &decision)).await;

    let now = (app.clock)();
    let head = earlier.map_or(domain::trail::Head::START, |case| case.trail);
    let mut body =
        json!({ "event": cause.event, "context": context, "decision": decision, "policy": app.bundle.id() });
    // What was decided stands there as without a model, and beside it what a model changed.
    let decision = match &advice {
        Some(Heard { consulted, advised }) => {
            body.as_object_mut().map(|body| body.insert("advice".to_owned(), json!(consulted)));
            advised.as_ref().map_or(decision.clone(), |advised| decision.advised(advised))
        }
        None => decision,
    };
    let entry = head.entry(&key.to_string(), "decided", now, serde_json::to_string(&body)?);
    let mut case = Case::after(earlier, key, &context, &decision, now, entry.head());
    if let Some(Heard { consulted, .. }) = advice {
        case.hear(consulted);
    }
    let turn = Turn {
        event: cause.event.as_ref(),
        run,
        lease: now.plus(app.lease),
        case: &case,
        steps: &decision.steps,
        entry: &entry,
    };
    let moved = app.cases.commit(&before, &turn).await?;
    look.decided(&case);
    metrics.count_by("classified", decision.classification.bucket.as_str(), 1);
    for suppression in &decision.suppressed {
        metrics.count_by("suppressed", suppression.interlock.as_str(), 1);
    }
    let new = earlier.is_none().then(|| CaseFile::begun(case, &decision.steps, now));
    Ok(Committed { decision, moved, new })
}

/// One line for each decision: ids and words of ours, no bodies and no personal data.
fn log(cause: &Cause, key: &CaseKey, decision: &Decision) {
    let steps: Vec<_> = decision.steps.iter().map(|step| step.kind.name()).collect();
    let suppressed: Vec<_> = decision.suppressed.iter().map(|one| one.interlock.as_str()).collect();
    tracing::info!(
        event = cause.event.as_ref().map(EventId::as_str),
        trace = cause.event.as_ref().map(EventId::trace),
        case = key.to_string(),
        bucket = decision.classification.bucket.as_str(),
        steps = steps.join(","),
        suppressed = suppressed.join(","),
        "decided"
    );
}
