//! Steps out of the outbox: each is sent once, by whichever run holds it (I4).

use connectors::slack::{Block, Key, Message, Verdict};
use domain::{
    ObjectId, RequestId, RunId, encoding,
    plan::{Alert, Step, StepKind},
};
use runtime::{Metrics, failure};
use store::{RequestRow, StepRow, StepState, StoreError};

use crate::{App, systems::Landed};

/// After so many tries, over a day and more, a person has to look.
const MOST_TRIES: i64 = 500;

/// What became of a try to send a step.
enum Sent {
    /// The vendor has it under this id.
    Done(String),
    /// The vendor refuses it for good.
    Failed(String),
    /// Not now, or not known: the lease runs out and another run looks first.
    Later(String),
}

/// Sends a step that this run has just planned: nobody can have sent it before.
pub async fn send_first(app: &App, metrics: &Metrics, run: &RunId, step: &Step) {
    let sent = send(app, step, None).await;
    if let Err(error) = settle(app, metrics, run, step, sent).await {
        // The step stays in the outbox, and the sweep sends it.
        tracing::warn!(step = step.key.as_str(), failure = failure::chain(&error), "a step was not settled");
    }
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
    let sent = match send(app, &row.step, Some(&row)).await {
        Sent::Later(why) if row.tries >= MOST_TRIES => Sent::Failed(format!("given up: {why}")),
        sent => sent,
    };
    settle(app, metrics, run, &row.step, sent).await
}

async fn send(app: &App, step: &Step, again: Option<&StepRow>) -> Sent {
    match &step.kind {
        StepKind::Alert(told) => match app.channels.get(&told.channel) {
            Some(channel) => alert_once(app, &alert(app, step, channel, told), again).await,
            None => Sent::Failed(format!("`SLACK_CHANNELS` has no `{}` any more", told.channel)),
        },
        StepKind::Request { .. } => request(app, step).await,
        _ => match app.around.land(step, again.map(|row| row.since)).await {
            Landed::Done(id) => Sent::Done(id),
            Landed::Refused(why) => Sent::Failed(why),
            Landed::Later(why) => Sent::Later(why),
        },
    }
}

async fn settle(
    app: &App,
    metrics: &Metrics,
    run: &RunId,
    step: &Step,
    sent: Sent,
) -> Result<(), StoreError> {
    let (kind, key, case) = (step.kind.name(), step.key.as_str(), step.case.to_string());
    match sent {
        Sent::Done(vendor_id) => {
            metrics.count_by("steps_sent", kind, 1);
            app.cases.settle_step(step, run, &StepState::Done { vendor_id }).await
        }
        Sent::Failed(why) => {
            tracing::error!(step = key, case, kind, why, "a step was refused; see the case");
            metrics.count("steps_failed", 1);
            metrics.count_by("steps_failed", kind, 1);
            app.cases.settle_step(step, run, &StepState::Failed { why }).await
        }
        Sent::Later(why) => {
            tracing::warn!(step = key, case, kind, why, "a step waits");
            metrics.count_by("steps_waiting", kind, 1);
            Ok(())
        }
    }
}

fn alert(app: &App, step: &Step, channel: &str, told: &Alert) -> Message {
    let Alert { headline, facts, next, .. } = told;
    let mut blocks = vec![
        Block::header(headline),
        Block::facts(facts.iter().map(|(name, value)| (name.as_str(), value.as_str()))),
        Block::section(next),
    ];
    if let Some(console) = &app.console {
        blocks.push(Block::links([("Open Countersign", console.as_str())]));
    }
    Message {
        channel: channel.to_owned(),
        text: format!("{headline}: {}", step.case),
        blocks,
        thread: None,
        key: Key { event_type: "countersign_step".into(), key: step.key.as_str().to_owned() },
    }
}

/// Slack has no idempotency key. Each message therefore carries the step's key as metadata, and a
/// run that takes over a step looks for it before it posts.
async fn alert_once(app: &App, message: &Message, again: Option<&StepRow>) -> Sent {
    if let Some(row) = again {
        match app.slack.find(&message.channel, None, &message.key, row.since).await {
            Ok(Some(ts)) => return Sent::Done(ts.0),
            Ok(None) => {}
            Err(error) => return Sent::Later(failure::chain(&error)),
        }
    }
    match app.slack.post(message).await {
        Ok(ts) => Sent::Done(ts.0),
        Err(error) if error.verdict() == Verdict::GiveUp => Sent::Failed(failure::chain(&error)),
        Err(error) => Sent::Later(failure::chain(&error)),
    }
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
        return Sent::Later(failure::chain(&error));
    }
    let group = step.case.object().as_str();
    match app.approvals.send(group, id.as_str(), &serde_json::json!({ "request": id })).await {
        Ok(()) => Sent::Done(id.as_str().to_owned()),
        Err(error) => Sent::Later(failure::chain(&error)),
    }
}

/// The request of a step: the same step always makes the same one.
fn request_id(step: &Step) -> Option<RequestId> {
    let digest = encoding::digest("plan/request/v1", |to| to.text(step.key.as_str()));
    RequestId::parse(format!("rq_{}", encoding::base32(digest.bytes().get(..16)?))).ok()
}
