//! Steps out of the outbox: each is sent once, by whichever run holds it (I4).

use domain::{
    ObjectId, RequestId, RunId, encoding,
    plan::{Step, StepKind},
};
use futures_util::{StreamExt as _, stream};
use runtime::{Metrics, failure};
use store::{CaseFile, RequestRow, StepRow, StepState, StoreError};

use crate::{App, card};

/// After so many tries, over a day and more, a person has to look.
const MOST_TRIES: i64 = 200;

/// The wait between tries doubles so often: with a lease of 90 s up to 12 minutes.
const DOUBLINGS: i64 = 3;

/// Steps of one case that are under way at a time.
const SIDE_BY_SIDE: usize = 4;

/// What became of a try to send a step.
pub(crate) enum Sent {
    /// The vendor has it under this id.
    Done(String),
    /// The vendor refuses it for good, in its words as far as people may see them.
    Failed(String),
    /// Not now, or not known: another run looks first. Every write here may be repeated after that.
    Later {
        /// Why.
        why: String,
        /// Seconds to wait at the least, if the vendor or its breaker said how many.
        after: Option<u64>,
    },
}

/// Sends the steps of a turn side by side, so that a vendor that hangs costs its own step its time-out and
/// the others nothing. `new` is the whole case, if it began with this turn.
pub async fn send_all(app: &App, metrics: &Metrics, run: &RunId, steps: &[&Step], new: Option<&CaseFile>) {
    let sends: Vec<_> = steps.iter().map(|step| send_first(app, metrics, run, step, new)).collect();
    stream::iter(sends).buffer_unordered(SIDE_BY_SIDE).collect::<Vec<()>>().await;
}

/// Sends a step that this run has just planned: nobody can have sent it before.
async fn send_first(app: &App, metrics: &Metrics, run: &RunId, step: &Step, new: Option<&CaseFile>) {
    // Boxed: the clients of many systems make a large future.
    let sent = Box::pin(send(app, step, None, new)).await;
    if let Err(error) = settle(app, metrics, run, step, 1, sent).await {
        // The step stays in the outbox, and the sweep sends it.
        tracing::warn!(step = step.key.as_str(), failure = failure::chain(&error), "a step was not settled");
    }
}

/// Takes those of a case's steps whose runs are gone, side by side.
///
/// # Errors
/// If the store does not answer; what could be sent was.
pub async fn send_all_again(
    app: &App,
    metrics: &Metrics,
    run: &RunId,
    rows: &[StepRow],
) -> Result<(), StoreError> {
    let waiting = rows.iter().filter(|row| row.state == StepState::Sending);
    let sends: Vec<_> = waiting.map(|row| send_again(app, metrics, run, row)).collect();
    let sent: Vec<_> = stream::iter(sends).buffer_unordered(SIDE_BY_SIDE).collect().await;
    sent.into_iter().collect()
}

/// Takes a step whose run is gone, and sends it after looking whether that run had sent it.
///
/// # Errors
/// If the store does not answer.
pub async fn send_again(app: &App, metrics: &Metrics, run: &RunId, row: &StepRow) -> Result<(), StoreError> {
    if app.cases.is_frozen().await? {
        return Ok(());
    }
    let now = (app.clock)();
    let Some(row) = app.cases.take_step(row, run, now, now.plus(app.lease)).await? else { return Ok(()) };
    metrics.count("steps_redriven", 1);
    let sent = match Box::pin(send(app, &row.step, Some(&row), None)).await {
        Sent::Later { why, .. } if row.tries >= MOST_TRIES => Sent::Failed(format!("given up: {why}")),
        sent => sent,
    };
    settle(app, metrics, run, &row.step, row.tries, sent).await
}

async fn send(app: &App, step: &Step, again: Option<&StepRow>, new: Option<&CaseFile>) -> Sent {
    match &step.kind {
        StepKind::Alert(told) => card::tell(app, step, told, again, new).await,
        StepKind::Request { .. } => request(app, step).await,
        _ => app.around.land(step, again.map(|row| row.since)).await,
    }
}

async fn settle(
    app: &App,
    metrics: &Metrics,
    run: &RunId,
    step: &Step,
    tries: i64,
    sent: Sent,
) -> Result<(), StoreError> {
    let (kind, key, case) = (step.kind.name(), step.key.as_str(), step.case.to_string());
    match sent {
        Sent::Done(vendor_id) => {
            metrics.count_by("steps_sent", kind, 1);
            app.cases.settle_step(step, run, &StepState::Done { vendor_id }).await
        }
        Sent::Failed(why) => {
            // The vendor's words are for whoever looks at the case, and not for the log.
            tracing::error!(step = key, case, kind, "a step was refused; ask `countersign why`");
            metrics.count("steps_failed", 1);
            metrics.count_by("steps_failed", kind, 1);
            app.cases.settle_step(step, run, &StepState::Failed { why }).await
        }
        Sent::Later { why, after } => {
            tracing::warn!(step = key, case, kind, why, "a step waits");
            metrics.count_by("steps_waiting", kind, 1);
            let until = (app.clock)().plus(wait(app.lease, tries, after));
            app.cases.put_off_step(step, run, until).await
        }
    }
}

/// Seconds until a step is tried again: longer each time, and as long as the vendor asks for.
fn wait(lease: i64, tries: i64, after: Option<u64>) -> i64 {
    let doublings = tries.saturating_sub(1).clamp(0, DOUBLINGS);
    let grown = (0..doublings).fold(lease, |wait, _| wait.saturating_mul(2));
    grown.max(after.and_then(|after| i64::try_from(after).ok()).unwrap_or_default())
}

/// Leaves the request and tells the approver. Both are idempotent: the row is put once, and the
/// message's deduplication id is the request's.
async fn request(app: &App, step: &Step) -> Sent {
    let StepKind::Request { operation, origin, source, parameters } = &step.kind else {
        return Sent::Failed("the step is no request".into());
    };
    let Some(id) = request_id(step) else { return Sent::Failed("the step has no usable key".into()) };
    let row = RequestRow {
        id: id.clone(),
        case: step.case.clone(),
        operation: operation.clone(),
        object: ObjectId::clone(step.case.object()),
        parameters: parameters.clone(),
        origin: origin.clone(),
        source: source.clone(),
        at: (app.clock)(),
    };
    if let Err(error) = app.cases.put_request(&row).await {
        return Sent::Later { why: failure::chain(&error), after: None };
    }
    let group = step.case.object().as_str();
    match app.approvals.send(group, id.as_str(), &serde_json::json!({ "request": id })).await {
        Ok(()) => Sent::Done(id.as_str().to_owned()),
        Err(error) => Sent::Later { why: failure::chain(&error), after: None },
    }
}

/// The request of a step: the same step always makes the same one.
fn request_id(step: &Step) -> Option<RequestId> {
    let digest = encoding::digest("plan/request/v1", |to| to.text(step.key.as_str()));
    RequestId::parse(format!("rq_{}", encoding::base32(digest.bytes().get(..16)?))).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_waits_longer_each_time_and_as_long_as_the_vendor_asks_for() {
        let waits = [1, 2, 3, 4, 5, 200].map(|tries| wait(90, tries, None));
        assert_eq!(waits, [90, 180, 360, 720, 720, 720]);
        assert_eq!([Some(7), Some(3600)].map(|after| wait(90, 1, after)), [90, 3600]);
    }
}
