//! Finding what the tables know of an object.

use aws_sdk_dynamodb::Client;
use domain::{Case, CaseKey, CaseKind, EventId, ObjectId, trail};
use serde_json::Value;
use store::{Cases, EventOutcome, StepRow, StoreError, everything};

use super::answer::{Answer, Earlier, Received, Story, Told};

/// Looks an object up: as an event, as the object of a case, and, if it is neither, as something that the
/// context of a case names. The last reads the whole table.
///
/// # Errors
/// If the table does not answer or a row is not readable.
pub(crate) async fn look(client: &Client, table: &str, object: &ObjectId) -> Result<Answer, StoreError> {
    let cases = Cases::new(client.clone(), table);
    let mut answer =
        Answer { object: object.clone(), event: None, unreadable: Vec::new(), stories: Vec::new() };
    if object.as_str().starts_with("evt_")
        && let Ok(id) = EventId::parse(object.as_str())
    {
        let Some(row) = cases.event(&id).await? else { return Ok(answer) };
        if let Some(EventOutcome::Decided { case }) = &row.outcome {
            answer.stories.extend(story(&cases, case).await?);
        }
        answer.event = Some(Received { kind: row.kind, at: row.received, outcome: row.outcome });
        return Ok(answer);
    }
    for kind in CaseKind::ALL {
        answer.stories.extend(story(&cases, &CaseKey::new(kind, object.clone())).await?);
    }
    if answer.stories.is_empty() {
        let all = everything(client, [table]).await?;
        for case in all.cases {
            let entries = all.trails.get(&case.key.to_string()).map(Vec::as_slice).unwrap_or_default();
            let customer = case.customer.as_ref().is_some_and(|id| id.as_str() == object.as_str());
            if customer || entries.iter().any(|entry| names(entry, object.as_str())) {
                let steps = all.steps.iter().filter(|row| row.step.case == case.key);
                answer.stories.push(tell(case.clone(), steps.cloned().collect(), entries));
            }
        }
        // What cannot be read may be what was asked for.
        answer.unreadable = all.unreadable;
    }
    Ok(answer)
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
    Story { case, steps: steps.into_iter().map(Told::of).collect(), earlier: decisions }
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
