//! The tables' settings that keep what was decided: point-in-time recovery, protection from deletion, encryption, and
//! the expiry of rows
//! (<https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DescribeTable.html>). Whoever runs this may
//! not be allowed to ask; then that is said, and it is no failure.

use aws_sdk_dynamodb::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    types::{PointInTimeRecoveryStatus, SseStatus, TableDescription, TimeToLiveStatus},
};
use runtime::{Env, aws::Aws};

use super::Findings;

/// The attribute by which rows end.
const EXPIRES: &str = "expires_at";

pub(super) async fn examine(env: &Env, found: &mut Findings) {
    let names: Vec<&str> =
        ["CASES_TABLE", "APPROVALS_TABLE"].iter().filter_map(|name| env.optional(name)).collect();
    if names.is_empty() {
        return;
    }
    let client = match Aws::from_env(env) {
        Ok(aws) => aws.dynamodb(),
        Err(error) => {
            let why = format!("{error}; export the AWS credentials of whoever may describe them");
            return found.bad("tables", why);
        }
    };
    for name in names {
        table(&client, name, found).await;
    }
}

async fn table(client: &Client, name: &str, found: &mut Findings) {
    let what = format!("table {name}");
    let description = match client.describe_table().table_name(name).send().await {
        Ok(answer) => answer.table,
        Err(error) => return unanswered(&what, word(&error), "dynamodb:DescribeTable", found),
    };
    let mut wrong = description.as_ref().map_or_else(Vec::new, |table| described(name, table));
    match client.describe_continuous_backups().table_name(name).send().await {
        Ok(answer) => {
            let recovery = answer.continuous_backups_description.and_then(|all| {
                all.point_in_time_recovery_description.and_then(|one| one.point_in_time_recovery_status)
            });
            if recovery != Some(PointInTimeRecoveryStatus::Enabled) {
                wrong.push(format!(
                    "it cannot be restored to a point in time; run `aws dynamodb update-continuous-backups --table-name \
                     {name} --point-in-time-recovery-specification PointInTimeRecoveryEnabled=true`"
                ));
            }
        }
        Err(error) => unanswered(&what, word(&error), "dynamodb:DescribeContinuousBackups", found),
    }
    match client.describe_time_to_live().table_name(name).send().await {
        Ok(answer) => {
            let expiry = answer.time_to_live_description;
            let works = expiry.is_some_and(|one| {
                one.time_to_live_status == Some(TimeToLiveStatus::Enabled)
                    && one.attribute_name.as_deref() == Some(EXPIRES)
            });
            if !works {
                wrong.push(format!(
                    "rows that are over are never removed; run `aws dynamodb update-time-to-live --table-name {name} \
                     --time-to-live-specification Enabled=true,AttributeName={EXPIRES}`"
                ));
            }
        }
        Err(error) => unanswered(&what, word(&error), "dynamodb:DescribeTimeToLive", found),
    }
    if wrong.is_empty() {
        found.good(&what, "it is protected as the template says");
    }
    for one in wrong {
        found.bad(&what, one);
    }
}

/// What the table's own description shows to be wrong.
fn described(name: &str, table: &TableDescription) -> Vec<String> {
    let mut wrong = Vec::new();
    if table.deletion_protection_enabled != Some(true) {
        wrong.push(format!(
            "it can be deleted; run `aws dynamodb update-table --table-name {name} --deletion-protection-enabled`"
        ));
    }
    let encrypted = table.sse_description.as_ref().and_then(|sse| sse.status.as_ref());
    if !matches!(encrypted, Some(SseStatus::Enabled | SseStatus::Updating)) {
        wrong.push(format!(
            "no key of yours encrypts it; run `aws dynamodb update-table --table-name {name} --sse-specification \
             Enabled=true`"
        ));
    }
    wrong
}

fn unanswered(what: &str, why: Option<&str>, right: &str, found: &mut Findings) {
    match why {
        Some("AccessDeniedException" | "AccessDenied") => {
            found.unknown(what, format!("you may not ask; get the right {right} and run this again"));
        }
        Some("ResourceNotFoundException") => {
            found.bad(
                what,
                "there is no such table in this region; deploy the stack, or correct the variable",
            );
        }
        why => found.bad(
            what,
            format!(
                "DynamoDB gave no answer ({}); check the credentials, the region and the network",
                why.unwrap_or("none")
            ),
        ),
    }
}

/// The service's word for an error.
fn word<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> Option<&str> {
    error.as_service_error().and_then(ProvideErrorMetadata::code)
}
