//! What the console shows: ids, states and words of ours, and what was posted to Slack; no bodies of
//! Stripe's objects.

use std::collections::BTreeMap;

use domain::{
    Case, Timestamp,
    case::{CaseKey, CaseState},
    event::case_kind,
    plan::StepKind,
};
use sandbox::{
    Sandbox,
    world::{APPROVAL_QUEUE, DEAD_APPROVAL_QUEUE, DEAD_EVENT_QUEUE, EVENT_QUEUE},
};
use serde::Serialize;
use serde_json::Value;
use store::{EventOutcome, Everything, ProposalRow, StepRow, StepState};

use super::charts::{self, Chart};

/// How many rows of each kind are shown, newest first.
const SHOWN: usize = 60;

/// The pipeline at one moment.
#[derive(Debug, Serialize)]
pub(super) struct Board {
    pub(super) now: i64,
    pub(super) api: String,
    /// The pages of the other systems, by name.
    pub(super) pages: Vec<(&'static str, String)>,
    pub(super) queues: Vec<Queue>,
    pub(super) totals: Totals,
    pub(super) charts: Vec<Chart>,
    pub(super) approvals: Vec<Approval>,
    pub(super) events: Vec<Event>,
    pub(super) cases: Vec<CaseLine>,
    pub(super) steps: Vec<StepLine>,
    /// All that failed, however old.
    pub(super) failed: Vec<StepLine>,
    pub(super) slack: Vec<Post>,
    pub(super) writes: Vec<Write>,
}

/// How much of everything there is.
#[derive(Debug, Default, Serialize)]
pub(super) struct Totals {
    pub(super) events: usize,
    pub(super) duplicates: usize,
    pub(super) cases: usize,
    pub(super) open_cases: usize,
    pub(super) suppressed: usize,
    pub(super) steps: usize,
    pub(super) steps_done: usize,
    pub(super) messages: usize,
    pub(super) pending: usize,
    pub(super) approvals: usize,
    pub(super) writes: usize,
    pub(super) unreadable: usize,
}

#[derive(Debug, Serialize)]
pub(super) struct Queue {
    pub(super) name: &'static str,
    pub(super) waiting: usize,
    pub(super) in_flight: usize,
    pub(super) dead: usize,
}

#[derive(Debug, Serialize)]
pub(super) struct Event {
    pub(super) id: String,
    pub(super) kind: String,
    pub(super) at: i64,
    /// Deliveries so far; more than one are duplicates.
    pub(super) deliveries: usize,
    pub(super) outcome: &'static str,
    pub(super) case: Option<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct CaseLine {
    pub(super) key: String,
    pub(super) customer: Option<String>,
    pub(super) open: bool,
    pub(super) bucket: &'static str,
    pub(super) reasons: Vec<String>,
    /// Why something did not happen.
    pub(super) suppressed: Vec<String>,
    /// What a language model said, if one was asked: what became of it, and its checked summary.
    pub(super) advice: Option<(String, Option<String>)>,
    /// The rules that decided.
    pub(super) rules: Vec<String>,
    pub(super) steps: usize,
    pub(super) at: i64,
}

#[derive(Debug, Serialize)]
pub(super) struct StepLine {
    pub(super) key: String,
    pub(super) case: String,
    pub(super) kind: &'static str,
    pub(super) what: String,
    pub(super) state: &'static str,
    pub(super) detail: Option<String>,
    pub(super) tries: i64,
    pub(super) at: i64,
}

#[derive(Debug, Serialize)]
pub(super) struct Post {
    pub(super) place: String,
    pub(super) text: String,
    pub(super) at: i64,
}

#[derive(Debug, Serialize)]
pub(super) struct Approval {
    pub(super) id: String,
    pub(super) url: String,
    pub(super) stage: &'static str,
    pub(super) sentence: String,
    pub(super) amount: Option<String>,
    pub(super) why: String,
    pub(super) requester: String,
    pub(super) need: u8,
    pub(super) digest: String,
    pub(super) at: i64,
    pub(super) expires: i64,
    /// The Stripe object that came of it.
    pub(super) effect: Option<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct Write {
    pub(super) at: i64,
    pub(super) method: String,
    pub(super) path: String,
    pub(super) status: u16,
    pub(super) idempotency_key: Option<String>,
    pub(super) replayed: bool,
    pub(super) answered: bool,
    pub(super) request: String,
}

impl Board {
    /// The pipeline now.
    pub(super) fn of(sandbox: &Sandbox, all: &Everything, url: &str, now: Timestamp) -> Self {
        let (events, duplicates, total_events) = events(sandbox, all);
        let writes = writes(sandbox);
        let messages = sandbox.slack.messages();
        let pending = all.proposals.iter().filter(|row| row.proposal.is_open(now)).count();
        let totals = Totals {
            events: total_events,
            duplicates,
            cases: all.cases.len(),
            open_cases: all.cases.iter().filter(|case| case.state == CaseState::Open).count(),
            suppressed: all.cases.iter().map(|case| case.suppressed.len()).sum(),
            steps: all.steps.len(),
            steps_done: all.steps.iter().filter(|row| matches!(row.state, StepState::Done { .. })).count(),
            messages: messages.len(),
            pending,
            approvals: all.proposals.len(),
            writes: writes.len(),
            unreadable: all.unreadable.len(),
        };
        Self {
            now: now.seconds(),
            api: url.to_owned(),
            pages: vec![
                ("Slack", sandbox.urls.slack.clone()),
                ("CRM", sandbox.urls.hubspot.clone()),
                ("Help desk", sandbox.urls.zendesk.clone()),
                ("Application", sandbox.urls.application.clone()),
                ("Outbox", sandbox.urls.ses.clone()),
                ("Language model", sandbox.urls.model.clone()),
            ],
            queues: queues(sandbox),
            totals,
            charts: charts::of(all, now),
            approvals: newest(all.proposals.iter().map(|row| approval(row, url)).collect(), |one| one.at),
            events,
            cases: newest(all.cases.iter().map(case).collect(), |one| one.at),
            steps: newest(all.steps.iter().map(step).collect(), |one| one.at),
            failed: all
                .steps
                .iter()
                .filter(|row| matches!(row.state, StepState::Failed { .. }))
                .map(step)
                .collect(),
            slack: newest(
                messages
                    .iter()
                    .map(|message| Post {
                        place: sandbox.slack.place(&message.channel),
                        text: message.text.clone(),
                        at: seconds(&message.ts),
                    })
                    .collect(),
                |one| one.at,
            ),
            writes: newest(writes, |one| one.at),
        }
    }
}

/// The newest rows; rows of one second keep the reverse of their order.
fn newest<T>(mut rows: Vec<T>, at: impl Fn(&T) -> i64) -> Vec<T> {
    rows.reverse();
    rows.sort_by_key(|row| std::cmp::Reverse(at(row)));
    rows.truncate(SHOWN);
    rows
}

fn seconds(ts: &str) -> i64 {
    ts.split('.').next().and_then(|seconds| seconds.parse().ok()).unwrap_or_default()
}

fn queues(sandbox: &Sandbox) -> Vec<Queue> {
    let queue = |name, queue, grave| {
        let (waiting, in_flight) = sandbox.sqs.depth(queue);
        let (dead, looked_at) = sandbox.sqs.depth(grave);
        Queue { name, waiting, in_flight, dead: dead + looked_at }
    };
    vec![
        queue("events", EVENT_QUEUE, DEAD_EVENT_QUEUE),
        queue("approvals", APPROVAL_QUEUE, DEAD_APPROVAL_QUEUE),
    ]
}

/// Stripe's events with what became of them; how many deliveries were duplicates; how many events.
fn events(sandbox: &Sandbox, all: &Everything) -> (Vec<Event>, usize, usize) {
    let mut delivered: BTreeMap<String, usize> = BTreeMap::new();
    for attempt in sandbox.stripe.deliveries() {
        *delivered.entry(attempt.event).or_default() += 1;
    }
    let duplicates = delivered.values().map(|times| times.saturating_sub(1)).sum();
    let rows: BTreeMap<&str, _> = all.events.iter().map(|row| (row.id.as_str(), row)).collect();
    let mut events: BTreeMap<String, Event> = BTreeMap::new();
    for event in sandbox.stripe.events() {
        let text = |name: &str| event.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (id, kind) = (text("id"), text("type"));
        let at = event.get("created").and_then(Value::as_i64).unwrap_or_default();
        let deliveries = delivered.get(&id).copied().unwrap_or_default();
        let outcome = match (case_kind(&kind), deliveries) {
            (None, _) => "starts no work",
            (Some(_), 0) => "not delivered yet",
            (Some(_), _) => "queued",
        };
        events.insert(id.clone(), Event { id, kind, at, deliveries, outcome, case: None });
    }
    for (id, row) in rows {
        let (outcome, case) = match &row.outcome {
            Some(EventOutcome::Decided { case }) => ("decided", Some(case.to_string())),
            Some(EventOutcome::Ignored) => ("ignored", None),
            Some(EventOutcome::Refused { .. }) => ("refused", None),
            None => ("at work", None),
        };
        let event = events.entry(id.to_owned()).or_insert_with(|| Event {
            id: id.to_owned(),
            kind: row.kind.clone(),
            at: row.received.seconds(),
            deliveries: 1,
            outcome: "",
            case: None,
        });
        (event.outcome, event.case) = (outcome, case);
    }
    let total = events.len();
    (newest(events.into_values().collect(), |event| event.at), duplicates, total)
}

fn case(case: &Case) -> CaseLine {
    let mut rules: Vec<String> =
        case.verdicts.iter().flat_map(|verdict| &verdict.rules).map(|rule| rule.id.clone()).collect();
    rules.dedup();
    CaseLine {
        key: case.key.to_string(),
        customer: case.customer.as_ref().map(ToString::to_string),
        open: case.state == CaseState::Open,
        bucket: case.classification.bucket.as_str(),
        reasons: case.classification.reasons.clone(),
        suppressed: case.suppressed.iter().map(|one| format!("no {}: {}", one.step, one.because)).collect(),
        advice: case.advice.as_ref().map(|one| (one.told(), one.summary().map(str::to_owned))),
        rules,
        steps: case.steps.len(),
        at: case.changed.seconds(),
    }
}

fn step(row: &StepRow) -> StepLine {
    let what = match &row.step.kind {
        StepKind::Alert(alert) => format!("#{}: {}", alert.channel, alert.headline),
        StepKind::Draft(draft) => draft.template.clone(),
        StepKind::Reply { conversation, draft } => {
            format!("{} for conversation {conversation}", draft.template)
        }
        StepKind::Task(task) => task.title.clone(),
        StepKind::Note { text } => text.clone(),
        StepKind::PaymentStatus(status) => status.status.clone(),
        StepKind::Ticket { subject, .. } => subject.clone(),
        StepKind::Evidence { checklist, staged } => {
            format!("{} fields staged, {} on the checklist", staged.len(), checklist.len())
        }
        StepKind::Request { operation, .. } => format!("asks for {operation}"),
    };
    let (state, detail) = match &row.state {
        StepState::Sending => ("sending", None),
        StepState::Done { vendor_id } => ("done", Some(vendor_id.clone())),
        StepState::Failed { why } => ("failed", Some(why.clone())),
    };
    let case: &CaseKey = &row.step.case;
    StepLine {
        key: row.step.key.to_string(),
        case: case.to_string(),
        kind: row.step.kind.name(),
        what,
        state,
        detail,
        tries: row.tries,
        at: row.since.seconds(),
    }
}

fn approval(row: &ProposalRow, url: &str) -> Approval {
    let action = &row.proposal.action;
    let effect = match &row.proposal.stage {
        domain::approval::Stage::Executed { effect, .. } => Some(effect.clone()),
        _ => None,
    };
    Approval {
        id: row.id().to_string(),
        url: format!("{url}/a/{}", row.id()),
        stage: row.proposal.stage.name(),
        sentence: action.operation.to_string(),
        amount: action.operation.amount().map(|money| money.to_string()),
        why: row.dossier.why.clone(),
        requester: action.requester.to_string(),
        need: action.need,
        digest: row.proposal.digest.to_string().chars().take(8).collect(),
        at: action.created.seconds(),
        expires: action.expires.seconds(),
        effect,
    }
}

/// What the approver wrote, and whoever else plays with the stand-in; not how history was made.
fn writes(sandbox: &Sandbox) -> Vec<Write> {
    let writes = sandbox.stripe.writes().into_iter().filter(|write| write.method != "GET");
    writes
        .map(|write| Write {
            at: write.at,
            method: write.method,
            path: write.path,
            status: write.status,
            idempotency_key: write.idempotency_key,
            replayed: write.replayed,
            answered: write.answered,
            request: write.request_id,
        })
        .collect()
}
