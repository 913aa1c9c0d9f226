//! `STEP#key` under its case: the outbox. A step is dispatched by the run that planned it; if that
//! run dies, its lease runs out and the index of what is due shows the step.

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use domain::{
    CaseKey, RunId, Timestamp,
    plan::{Step, StepKey},
};
use serde::{Deserialize, Serialize};

use crate::{
    Cases, Due, StoreError,
    item::{Item, at, key, nested, number, read, s, text},
};

/// The partition of the index for steps.
const DUE: &str = "step";

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

pub(crate) fn step_item(
    step: &Step,
    run: &RunId,
    now: Timestamp,
    lease: Timestamp,
) -> Result<Item, StoreError> {
    let mut item = step_key(&step.case, &step.key);
    item.insert("step".into(), nested(step)?);
    let state = if let Some(why) = &step.kept {
        StepState::Done { vendor_id: format!("kept with the case: {why}") }
    } else {
        item.insert("due_kind".into(), s(DUE));
        item.insert("due_at".into(), at(lease));
        StepState::Sending
    };
    item.insert("step_state".into(), nested(&state)?);
    item.insert("run".into(), s(run.as_str()));
    item.insert("tries".into(), crate::item::n(1));
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
            .expression_attribute_values(":tries", crate::item::n(row.tries.saturating_add(1)))
            .expression_attribute_values(":before", crate::item::n(row.tries))
            .expression_attribute_values(":lease", at(lease))
            .expression_attribute_values(":now", at(now))
            .expression_attribute_values(":due", s(DUE))
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
        match sent {
            Ok(_) => Ok(()),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(UpdateItemError::is_conditional_check_failed_exception) =>
            {
                Err(StoreError::Conflict { what: "the step" })
            }
            Err(error) => Err(StoreError::table("the end of a step", &error)),
        }
    }

    /// Steps whose lease ran out, the longest due first, at most `limit`. Rows that cannot be read are
    /// left out and counted.
    ///
    /// # Errors
    /// If the table does not answer.
    pub async fn due_steps(&self, now: Timestamp, limit: i32) -> Result<Due<StepRow>, StoreError> {
        let rows = self.due(DUE, now, limit).await?;
        Ok(Due::of(rows.iter().map(step_row)))
    }

    /// The steps of a case.
    ///
    /// # Errors
    /// If the table does not answer or a row is not readable.
    pub async fn steps(&self, case: &CaseKey) -> Result<Vec<StepRow>, StoreError> {
        let answer = self
            .client
            .query()
            .table_name(&self.table)
            .consistent_read(true)
            .key_condition_expression("pk = :pk AND begins_with(sk, :step)")
            .expression_attribute_values(":pk", s(format!("CASE#{case}")))
            .expression_attribute_values(":step", s("STEP#"))
            .send()
            .await
            .map_err(|error| StoreError::table("the steps of a case", &error))?;
        answer.items().iter().map(step_row).collect()
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
