//! What the chat shows of a case: its alerts as the outbox has them, and `CARD` under the case while the
//! message that stands for it lags behind.

use aws_sdk_dynamodb::{error::SdkError, operation::update_item::UpdateItemError};
use domain::{
    Case, CaseKey, Timestamp,
    plan::{Alert, Step, StepKey, StepKind},
};

use crate::{
    Cases, Due, StepRow, StepState, StoreError, Turn,
    item::{Item, at, key, n, nested, read, s, text},
    steps::{planned, step_row},
};

/// The partition of the index for cards.
const DUE: &str = "card";

/// A case and its steps, as they were at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseFile {
    /// The case; `None` if there is none.
    pub case: Option<Case>,
    /// All its steps, in the order of their keys.
    pub steps: Vec<StepRow>,
}

/// The case's own messages in one channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thread<'a> {
    /// Those that were sent, the first one first: it is the card, and the others answered it.
    pub sent: Vec<&'a StepRow>,
    /// What was planned last, whether it is sent already or not.
    pub latest: Option<&'a StepRow>,
}

impl CaseFile {
    /// A case that began at `now` with these steps, none of which was sent yet.
    pub fn begun(case: Case, steps: &[Step], now: Timestamp) -> Self {
        let row = |step: &Step| StepRow { state: planned(step), step: step.clone(), tries: 1, since: now };
        let mut steps: Vec<_> = steps.iter().map(row).collect();
        steps.sort_by(|one, two| one.step.key.cmp(&two.step.key));
        Self { case: Some(case), steps }
    }

    /// Whether the case planned this step itself. Others are kept under it, such as what a sweep found.
    pub fn planned(&self, step: &StepKey) -> bool {
        self.case.as_ref().is_some_and(|case| case.steps.contains(step))
    }

    /// The channels, as the policy names them, that hear of the case.
    pub fn channels(&self) -> impl Iterator<Item = &str> {
        let mut names: Vec<&str> = self.alerts().map(|(_, alert)| alert.channel.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        names.into_iter()
    }

    /// What was said about the case in a channel.
    pub fn thread(&self, channel: &str) -> Thread<'_> {
        let here = || self.alerts().filter(|(_, alert)| alert.channel == channel).map(|(row, _)| row);
        let mut sent: Vec<_> = here().filter(|row| row.posted().is_some()).collect();
        sent.sort_by_key(|row| row.posted().map(|(_, ts)| ts));
        let planned = here().filter(|row| !matches!(row.state, StepState::Failed { .. }));
        let latest = planned.max_by_key(|row| (row.since, row.posted().map(|(_, ts)| ts)));
        Thread { sent, latest }
    }

    fn alerts(&self) -> impl Iterator<Item = (&StepRow, &Alert)> {
        let own = |row: &&StepRow| row.step.kept.is_none() && self.planned(&row.step.key);
        self.steps.iter().filter(own).filter_map(|row| match &row.step.kind {
            StepKind::Alert(alert) => Some((row, alert)),
            _ => None,
        })
    }
}

impl StepRow {
    /// Where the chat has this alert: the conversation, and the time by which it knows the message.
    pub fn posted(&self) -> Option<(&str, &str)> {
        match (&self.step.kind, &self.state) {
            (StepKind::Alert(_), StepState::Done { vendor_id }) => vendor_id.split_once('/'),
            _ => None,
        }
    }
}

/// Whether the chat shows something else about the case than is known now. A new case has no card yet:
/// its first alert becomes the card.
pub(crate) fn has_moved(before: Option<&Case>, turn: &Turn<'_>) -> bool {
    let shown = |case: &Case| (case.state, case.classification.bucket, case.priority, case.deadline);
    let tells = |step: &Step| matches!(step.kind, StepKind::Alert(_) | StepKind::Request { .. });
    before.is_some_and(|before| shown(before) != shown(turn.case) || turn.steps.iter().any(tells))
}

pub(crate) fn card_item(case: &Case, due: Timestamp) -> Result<Item, StoreError> {
    let mut item = card_key(&case.key);
    item.insert("of".into(), nested(&case.key)?);
    item.insert("trail_length".into(), n(case.trail.length.into()));
    item.insert("due_kind".into(), s(DUE));
    item.insert("due_at".into(), at(due));
    Ok(item)
}

impl Cases {
    /// A case with its steps, read in one query.
    ///
    /// # Errors
    /// If the table does not answer or a row is not readable.
    pub async fn file(&self, case: &CaseKey) -> Result<CaseFile, StoreError> {
        let mut pages = self
            .client
            .query()
            .table_name(&self.table)
            .consistent_read(true)
            // `$` follows `#`: this covers `CASE` and every `STEP#…`, and leaves out the trail.
            .key_condition_expression("pk = :pk AND sk BETWEEN :case AND :steps")
            .expression_attribute_values(":pk", s(format!("CASE#{case}")))
            .expression_attribute_values(":case", s("CASE"))
            .expression_attribute_values(":steps", s("STEP$"))
            .into_paginator()
            .items()
            .send();
        let mut file = CaseFile { case: None, steps: Vec::new() };
        while let Some(item) = pages.next().await {
            let item = item.map_err(|error| StoreError::table("the read of a case", &error))?;
            match text(&item, "sk") {
                Some("CASE") => file.case = Some(read(&item, "case")?),
                Some(step) if step.starts_with("STEP#") => file.steps.push(step_row(&item)?),
                _ => {}
            }
        }
        Ok(file)
    }

    /// Cases whose card lags behind since before now, the longest waiting first, at most `limit`.
    ///
    /// # Errors
    /// If the table does not answer.
    pub async fn due_cards(&self, now: Timestamp, limit: i32) -> Result<Due<CaseKey>, StoreError> {
        let rows = self.due(DUE, now, limit).await?;
        Ok(Due::of(rows.iter().map(|item| read(item, "of"))))
    }

    /// Takes a card until `lease`; `false` if it is not due.
    ///
    /// # Errors
    /// If the table does not answer.
    pub async fn take_card(
        &self,
        case: &CaseKey,
        now: Timestamp,
        lease: Timestamp,
    ) -> Result<bool, StoreError> {
        let sent = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(card_key(case)))
            .update_expression("SET due_at = :lease")
            .condition_expression("due_at <= :now")
            .expression_attribute_values(":lease", at(lease))
            .expression_attribute_values(":now", at(now))
            .send()
            .await;
        sent.map_or_else(|error| unless_refused("the claim of a card", &error), |_| Ok(true))
    }

    /// Records that the card shows the case as it was when its trail was this long; `false` if the case
    /// moved on since, so that the card has to be shown again.
    ///
    /// # Errors
    /// If the table does not answer.
    pub async fn settle_card(&self, case: &Case) -> Result<bool, StoreError> {
        let sent = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(card_key(&case.key)))
            .update_expression("REMOVE due_kind, due_at")
            .condition_expression("trail_length <= :shown")
            .expression_attribute_values(":shown", n(case.trail.length.into()))
            .send()
            .await;
        sent.map_or_else(|error| unless_refused("the end of a card", &error), |_| Ok(true))
    }
}

fn unless_refused(call: &'static str, error: &SdkError<UpdateItemError>) -> Result<bool, StoreError> {
    match error.as_service_error() {
        Some(UpdateItemError::ConditionalCheckFailedException(_)) => Ok(false),
        _ => Err(StoreError::table(call, error)),
    }
}

fn card_key(case: &CaseKey) -> Item {
    key(&format!("CASE#{case}"), "CARD")
}
