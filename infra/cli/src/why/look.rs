//! Finding what the tables know of an object.

use aws_sdk_dynamodb::Client;
use domain::{Case, CaseKey, CaseKind, CustomerId, EventId, ObjectId, RequestId, trail};
use serde_json::Value;
use store::{Approvals, Cases, EventOutcome, StepRow, StepState, StoreError, everything};

use super::answer::{Answer, Earlier, Proposed, Received, Story, Told, Turned};

/// Looks an object up by its keys: as an event, as the object of a case, as a customer with open cases, as
/// what a proposal is about or as the proposal itself. What none of these knows may still be named by the context
/// of a case, which no key tells: only then the whole table of cases is read.
///
/// # Errors
/// If a table does not answer or a row is not readable.
pub(crate) async fn look(
    client: &Client,
    cases: &str,
    approvals: Option<&str>,
    object: &ObjectId,
) -> Result<Answer, StoreError> {
    let table = Cases::new(client.clone(), cases);
    let approvals = approvals.map(|name| Approvals::new(client.clone(), name));
    let mut answer = Answer {
        object: object.clone(),
        steps_stopped: table.is_frozen().await?,
        approvals_stopped: None,
        approvals_seen: approvals.is_some(),
        event: None,
        unreadable: Vec::new(),
        stories: Vec::new(),
        proposals: Vec::new(),
    };
    by_key(&table, &mut answer).await?;
    if let Some(approvals) = &approvals {
        answer.approvals_stopped = approvals.frozen().await?;
        add_proposals(&table, approvals, &mut answer).await?;
    }
    if answer.is_empty() && !object.as_str().starts_with("evt_") {
        by_context(client, cases, &mut answer).await?;
        if let Some(approvals) = approvals.filter(|_| !answer.stories.is_empty()) {
            add_proposals(&table, &approvals, &mut answer).await?;
        }
    }
    Ok(answer)
}

/// As an event, as the object of a case, as a customer.
async fn by_key(cases: &Cases, answer: &mut Answer) -> Result<(), StoreError> {
    let object = answer.object.clone();
    if let Some(id) = EventId::parse(object.as_str()).ok().filter(|id| id.as_str().starts_with("evt_")) {
        let Some(row) = cases.event(&id).await? else { return Ok(()) };
        let mut turn = None;
        if let Some(EventOutcome::Decided { case }) = &row.outcome {
            answer.stories.extend(story(cases, case).await?);
            turn = turned(&cases.trail(case).await?, &id);
        }
        answer.event = Some(Received { kind: row.kind, at: row.received, outcome: row.outcome, turn });
        return Ok(());
    }
    for kind in CaseKind::ALL {
        answer.stories.extend(story(cases, &CaseKey::new(kind, object.clone())).await?);
    }
    if let Some(id) = CustomerId::parse(object.as_str()).ok().filter(|id| id.as_str().starts_with("cus_")) {
        for key in cases.customer(&id).await?.open {
            answer.stories.extend(story(cases, &key).await?);
        }
    }
    Ok(())
}

/// As something that the context of a case names.
async fn by_context(client: &Client, table: &str, answer: &mut Answer) -> Result<(), StoreError> {
    let all = everything(client, [table]).await?;
    let object = answer.object.as_str();
    for case in &all.cases {
        let entries = all.trails.get(&case.key.to_string()).map(Vec::as_slice).unwrap_or_default();
        let customer = case.customer.as_ref().is_some_and(|id| id.as_str() == object);
        if customer || entries.iter().any(|entry| names(entry, object)) {
            let steps = all.steps.iter().filter(|row| row.step.case == case.key);
            answer.stories.push(tell(case.clone(), steps.cloned().collect(), entries));
        }
    }
    // What cannot be read may be what was asked for.
    answer.unreadable = all.unreadable;
    Ok(())
}

/// What people were asked: about these cases, about the object itself, or the proposal that was named.
async fn add_proposals(cases: &Cases, approvals: &Approvals, answer: &mut Answer) -> Result<(), StoreError> {
    for row in approvals.proposals().await? {
        let action = &row.proposal.action;
        let named = row.id().as_str() == answer.object.as_str() || action.operation.object() == answer.object;
        let case = row.dossier.case.as_ref();
        if named
            && let Some(case) = case
            && !answer.stories.iter().any(|story| story.case.key == *case)
        {
            answer.stories.extend(story(cases, case).await?);
        }
        let story = answer.stories.iter_mut().find(|story| Some(&story.case.key) == case);
        if !named && story.is_none() {
            continue;
        }
        // The list lags a little, and has no votes.
        let Some(file) = approvals.proposal(row.id()).await? else { continue };
        story.map_or(&mut answer.proposals, |story| &mut story.proposals).push(Proposed::of(&file));
    }
    for story in &mut answer.stories {
        for request in story.steps.iter().filter(|step| step.step == "request").filter_map(request) {
            if let Some(entry) = approvals.refusal(&request).await? {
                let body: Value = serde_json::from_str(&entry.body).unwrap_or_default();
                let why = body.get("reason").and_then(Value::as_str).unwrap_or("without a reason");
                story.refused.push((request, why.to_owned()));
            }
        }
    }
    Ok(())
}

/// The request that a step left for the approver.
fn request(step: &Told) -> Option<RequestId> {
    match &step.state {
        StepState::Done { vendor_id } => RequestId::parse(vendor_id).ok(),
        _ => None,
    }
}

async fn story(cases: &Cases, key: &CaseKey) -> Result<Option<Story>, StoreError> {
    let Some(case) = cases.case(key).await? else { return Ok(None) };
    let (steps, entries) = (cases.steps(key).await?, cases.trail(key).await?);
    Ok(Some(tell(case, steps, &entries)))
}

fn tell(case: Case, mut steps: Vec<StepRow>, entries: &[trail::Entry]) -> Story {
    steps.sort_by_key(|row| row.since);
    let mut decisions: Vec<Earlier> = entries.iter().filter_map(earlier).collect();
    // The last one is the case as it is now.
    decisions.pop();
    Story {
        case,
        steps: steps.into_iter().map(Told::of).collect(),
        earlier: decisions,
        proposals: Vec::new(),
        refused: Vec::new(),
    }
}

/// An entry of the trail that records a decision.
fn earlier(entry: &trail::Entry) -> Option<Earlier> {
    let body: Value = serde_json::from_str(&entry.body).ok()?;
    let decision = body.get("decision")?;
    let read = |name: &str| decision.get(name).cloned().unwrap_or_default();
    Some(Earlier {
        at: entry.at,
        found: serde_json::from_value(read("classification")).ok()?,
        suppressed: serde_json::from_value(read("suppressed")).unwrap_or_default(),
    })
}

/// What the turn of an event brought, by the trail of its case.
fn turned(entries: &[trail::Entry], event: &EventId) -> Option<Turned> {
    let decisions = entries.iter().filter_map(|entry| {
        let body: Value = serde_json::from_str(&entry.body).ok()?;
        body.get("decision").is_some().then_some((entry.at, body))
    });
    let all: Vec<_> = decisions.collect();
    let place =
        all.iter().position(|(_, body)| body.get("event").and_then(Value::as_str) == Some(event.as_str()))?;
    let (at, body) = all.get(place)?;
    let decision = body.get("decision")?;
    let steps = decision.get("steps").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let kind = |step: &Value| step.get("kind").and_then(Value::as_str).map(str::to_owned);
    Some(Turned {
        at: *at,
        steps: steps.iter().filter_map(kind).collect(),
        suppressed: decision
            .get("suppressed")
            .and_then(|all| serde_json::from_value(all.clone()).ok())
            .unwrap_or_default(),
        superseded: all.get(place.saturating_add(1)..).and_then(<[_]>::last).map(|(at, _)| *at),
    })
}

/// Whether the context of a decision names an object: as a whole value, so that `in_1` is not found in
/// `in_12`.
fn names(entry: &trail::Entry, object: &str) -> bool {
    fn holds(value: &Value, object: &str) -> bool {
        match value {
            Value::String(text) => text == object,
            Value::Array(items) => items.iter().any(|item| holds(item, object)),
            Value::Object(fields) => fields.values().any(|field| holds(field, object)),
            _ => false,
        }
    }
    let body: Option<Value> = serde_json::from_str(&entry.body).ok();
    body.as_ref().and_then(|body| body.get("context")).is_some_and(|context| holds(context, object))
}
