//! `STEP#key` under its case: the outbox. A step is dispatched by the run that planned it; if that
//! run dies, its lease runs out and the index of what is due shows the step.

use aws_sdk_dynamodb::{error::SdkError, operation::update_item::UpdateItemError};
use domain::{
    CaseKey, RunId, Timestamp,
    plan::{Step, StepKey},
};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    Cases, Due, StoreError,
    cases::{case_item, trail_item},
    item::{Item, at, key, n, nested, number, read, s, text},
    transaction::{Cancelled, Transaction},
};

/// The partition of the index for steps of a kind. Each kind has its own, so that steps which wait for
/// one system are never in the way of another system's.
fn due_kind(kind: &str) -> String {
    format!("step.{kind}")
}

/// Where a step stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum StepState {
    /// A run sends it, or died while sending it: whether the vendor has it is not known.
    Sending,
    /// The vendor has it.
    Done {
        /// The vendor's own id.
        vendor_id: String,
    },
    /// The vendor refuses it for good; somebody must look.
    Failed {
        /// The vendor's reason.
        why: String,
    },
}

/// A step in the outbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StepRow {
    /// The step.
    pub step: Step,
    /// Where it stands.
    pub state: StepState,
    /// How many runs took it; above one means that an earlier one may have sent it.
    pub tries: i64,
    /// When it was planned: the vendor cannot have it from before.
    pub since: Timestamp,
}

/// What became of the wish to try a failed step again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Retry {
    /// It is due; its kind.
    Queued(String),
    /// It did not fail, so there is nothing to try again.
    NotFailed(StepState),
    /// There is no such case, or no such step in it.
    Unknown,
}

/// Where a step stands that was just planned.
pub(crate) fn planned(step: &Step) -> StepState {
    match &step.kept {
        Some(why) => StepState::Done { vendor_id: format!("kept with the case: {why}") },
        None => StepState::Sending,
    }
}

pub(crate) fn step_item(
    step: &Step,
    run: &RunId,
    now: Timestamp,
    lease: Timestamp,
) -> Result<Item, StoreError> {
    let mut item = step_key(&step.case, &step.key);
    item.insert("step".into(), nested(step)?);
    if step.kept.is_none() {
        item.insert("due_kind".into(), s(due_kind(step.kind.name())));
        item.insert("due_at".into(), at(lease));
    }
    item.insert("step_state".into(), nested(&planned(step))?);
    item.insert("run".into(), s(run.as_str()));
    item.insert("tries".into(), n(1));
    item.insert("since".into(), at(now));
    Ok(item)
}

impl Cases {
    /// Takes a step whose lease ran out, until `lease`. `None` if another run holds it or it is
    /// settled.
    ///
    /// # Errors
    /// If the table does not answer.
    pub async fn take_step(
        &self,
        row: &StepRow,
        run: &RunId,
        now: Timestamp,
        lease: Timestamp,
    ) -> Result<Option<StepRow>, StoreError> {
        // The number of tries is set, not added to: a lost answer must not count twice.
        let sent = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(step_key(&row.step.case, &row.step.key)))
            .update_expression("SET run = :run, tries = :tries, due_at = :lease")
            .condition_expression("due_kind = :due AND ((due_at <= :now AND tries = :before) OR run = :run)")
            .expression_attribute_values(":run", s(run.as_str()))
            .expression_attribute_values(":tries", n(row.tries.saturating_add(1)))
            .expression_attribute_values(":before", n(row.tries))
            .expression_attribute_values(":lease", at(lease))
            .expression_attribute_values(":now", at(now))
            .expression_attribute_values(":due", s(due_kind(row.step.kind.name())))
            .send()
            .await;
        match sent {
            Ok(_) => Ok(Some(StepRow { tries: row.tries.saturating_add(1), ..row.clone() })),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(UpdateItemError::is_conditional_check_failed_exception) =>
            {
                Ok(None)
            }
            Err(error) => Err(StoreError::table("the claim of a step", &error)),
        }
    }

    /// Records how a step ended. Only the run that holds it may, so that a late answer cannot
    /// overwrite a later one.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if another run holds it now.
    pub async fn settle_step(&self, step: &Step, run: &RunId, state: &StepState) -> Result<(), StoreError> {
        let sent = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(step_key(&step.case, &step.key)))
            .update_expression("SET step_state = :state REMOVE due_kind, due_at")
            .condition_expression("run = :run")
            .expression_attribute_values(":state", nested(state)?)
            .expression_attribute_values(":run", s(run.as_str()))
            .send()
            .await;
        sent.map(drop).map_err(|error| unless_held("the end of a step", &error))
    }

    /// Lets a step wait until `until`, which the vendor asked for or the number of tries suggests.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if another run holds it now.
    pub async fn put_off_step(&self, step: &Step, run: &RunId, until: Timestamp) -> Result<(), StoreError> {
        let sent = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(step_key(&step.case, &step.key)))
            .update_expression("SET due_at = :until")
            .condition_expression("run = :run AND due_kind = :due")
            .expression_attribute_values(":until", at(until))
            .expression_attribute_values(":run", s(run.as_str()))
            .expression_attribute_values(":due", s(due_kind(step.kind.name())))
            .send()
            .await;
        sent.map(drop).map_err(|error| unless_held("the wait of a step", &error))
    }

    /// Steps of a kind ([`domain::plan::StepKind::NAMES`]) whose lease ran out, the longest due first, at
    /// most `limit`. Rows that cannot be read are left out and counted.
    ///
    /// # Errors
    /// If the table does not answer.
    pub async fn due_steps(
        &self,
        kind: &str,
        now: Timestamp,
        limit: i32,
    ) -> Result<Due<StepRow>, StoreError> {
        let rows = self.due(&due_kind(kind), now, limit).await?;
        Ok(Due::of(rows.iter().map(step_row)))
    }

    /// Puts a failed step back into the outbox, due at once, with its key and the time since which the
    /// vendor may have it: whoever takes it looks there first. `by` asked for it, and the case's trail
    /// says so.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if the case or the step was changed meanwhile.
    pub async fn retry_step(
        &self,
        case: &CaseKey,
        step: &str,
        by: &str,
        now: Timestamp,
    ) -> Result<Retry, StoreError> {
        let before = self.turn_state(case, None).await?.case;
        let row = self.steps(case).await?.into_iter().find(|row| row.step.key.as_str() == step);
        let Some(row) = row else { return Ok(Retry::Unknown) };
        let StepState::Failed { why } = &row.state else { return Ok(Retry::NotFailed(row.state)) };
        let kind = row.step.kind.name();
        let values = [
            (":failed", nested(&row.state)?),
            (":sending", nested(&StepState::Sending)?),
            (":due", s(due_kind(kind))),
            (":now", at(now)),
            (":by", s(by)),
            (":one", n(1)),
        ];
        let mut all = Transaction::new(&self.table).update(
            "the step",
            step_key(case, &row.step.key),
            "SET step_state = :sending, due_kind = :due, due_at = :now, tries = :one, retried_by = :by",
            "step_state = :failed",
            values,
        );
        // What a sweep found may be kept under a case that does not exist: then the step alone tells.
        if let Some(mut after) = before.value {
            let body = json!({ "step": step, "kind": kind, "failed": why, "by": by }).to_string();
            let entry = after.trail.entry(&case.to_string(), "step_retried", now, body);
            after.trail = entry.head();
            all = all
                .replace("the case", case_item(&after)?, before.version)
                .create("the trail", trail_item(&format!("CASE#{case}"), &entry)?);
        }
        all.commit(&self.client, &(before.version, &row, by, now)).await.map_err(Cancelled::into_error)?;
        Ok(Retry::Queued(kind.to_owned()))
    }

    /// The steps of a case.
    ///
    /// # Errors
    /// If the table does not answer or a row is not readable.
    pub async fn steps(&self, case: &CaseKey) -> Result<Vec<StepRow>, StoreError> {
        Ok(self.file(case).await?.steps)
    }
}

fn unless_held(call: &'static str, error: &SdkError<UpdateItemError>) -> StoreError {
    match error.as_service_error() {
        Some(UpdateItemError::ConditionalCheckFailedException(_)) => {
            StoreError::Conflict { what: "the step" }
        }
        _ => StoreError::table(call, error),
    }
}

fn step_key(case: &CaseKey, step: &StepKey) -> Item {
    key(&format!("CASE#{case}"), &format!("STEP#{step}"))
}

pub(crate) fn step_row(item: &Item) -> Result<StepRow, StoreError> {
    let missing = |name: &str| crate::item::unreadable(item, format!("`{name}` is missing"));
    text(item, "run").ok_or_else(|| missing("run"))?;
    Ok(StepRow {
        step: read(item, "step")?,
        state: read(item, "step_state")?,
        tries: number(item, "tries").ok_or_else(|| missing("tries"))?,
        since: Timestamp::from_seconds(number(item, "since").ok_or_else(|| missing("since"))?),
    })
}
