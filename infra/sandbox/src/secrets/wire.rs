//! The AWS JSON 1.1 protocol of Secrets Manager: operations by name, their parameters and answers.
//!
//! Source: <https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_Operations.html>.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, Response},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Secrets, new_id,
    refused::Refused,
    vault::{Payload, Secret, Vault, Version},
};
use crate::aws_json;

/// The parameters of all operations.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Input {
    name: Option<String>,
    secret_id: Option<String>,
    secret_id_list: Vec<String>,
    client_request_token: Option<String>,
    description: Option<String>,
    secret_string: Option<String>,
    secret_binary: Option<String>,
    version_id: Option<String>,
    version_stage: Option<String>,
    version_stages: Vec<String>,
    remove_from_version_id: Option<String>,
    move_to_version_id: Option<String>,
    recovery_window_in_days: Option<i64>,
    force_delete_without_recovery: bool,
    include_planned_deletion: bool,
    filters: Vec<Filter>,
    max_results: Option<usize>,
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Filter {
    key: String,
    values: Vec<String>,
}

pub(super) async fn handle(
    State(secrets): State<Arc<Secrets>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    // The reason could quote the body, so it is not told.
    let outcome = serde_json::from_slice(&body).map_err(|_| Refused::Malformed).and_then(|input| {
        secrets.step(|vault, now| dispatch(vault, aws_json::operation(&headers), input, now))
    });
    aws_json::answer("1.1", outcome.map_err(Into::into))
}

fn dispatch(vault: &mut Vault, operation: &str, input: Input, now: i64) -> Result<Value, Refused> {
    match operation {
        "CreateSecret" => create(vault, input, now),
        "PutSecretValue" => put(vault, &input, now),
        "UpdateSecret" => update(vault, input, now),
        "GetSecretValue" => {
            let secret = vault.alive(&input.id()?, now)?;
            let (id, version) =
                secret.version(input.version_id.as_deref(), input.version_stage.as_deref())?;
            Ok(value(secret, id, version))
        }
        "BatchGetSecretValue" => Ok(batch_get(vault, &input, now)),
        "DescribeSecret" => Ok(described(vault.find(&input.id()?, now)?)),
        "ListSecrets" => list(vault, &input),
        "UpdateSecretVersionStage" => {
            let stage =
                input.version_stage.as_deref().ok_or(Refused::Parameter("VersionStage is missing"))?;
            let secret = vault.alive(&input.id()?, now)?;
            let (from, to) = (input.remove_from_version_id.as_deref(), input.move_to_version_id.as_deref());
            secret.move_label(stage, from, to, now)?;
            Ok(json!({ "ARN": secret.arn, "Name": secret.name }))
        }
        "DeleteSecret" => delete(vault, &input, now),
        "RestoreSecret" => {
            let secret = vault.find(&input.id()?, now)?;
            secret.deleted = None;
            Ok(json!({ "ARN": secret.arn, "Name": secret.name }))
        }
        "RotateSecret" => {
            vault.alive(&input.id()?, now)?;
            Err(Refused::NoRotation)
        }
        other => Err(Refused::UnknownOperation(other.to_owned())),
    }
}

impl Input {
    fn id(&self) -> Result<String, Refused> {
        self.secret_id.clone().ok_or(Refused::Parameter("SecretId is missing"))
    }

    fn token(&self) -> String {
        self.client_request_token.clone().unwrap_or_else(new_id)
    }

    fn payload(&self) -> Result<Option<Payload>, Refused> {
        match (self.secret_string.clone(), self.secret_binary.clone()) {
            (Some(text), None) => Ok(Some(Payload::Text(text))),
            (None, Some(bytes)) => Ok(Some(Payload::Bytes(bytes))),
            (None, None) => Ok(None),
            _ => Err(Refused::Parameter("give SecretString or SecretBinary, not both")),
        }
    }
}

const NO_VALUE: Refused = Refused::Parameter("give SecretString or SecretBinary");

fn create(vault: &mut Vault, input: Input, now: i64) -> Result<Value, Refused> {
    let (token, payload) = (input.token(), input.payload()?.ok_or(NO_VALUE)?);
    let name = input.name.ok_or(Refused::Parameter("Name is missing"))?;
    let secret = vault.create(&name, &token, payload, now)?;
    secret.description = input.description;
    Ok(json!({ "ARN": secret.arn, "Name": secret.name, "VersionId": token }))
}

fn put(vault: &mut Vault, input: &Input, now: i64) -> Result<Value, Refused> {
    let (token, payload) = (input.token(), input.payload()?.ok_or(NO_VALUE)?);
    let secret = vault.alive(&input.id()?, now)?;
    secret.put(&token, payload, &input.version_stages, now)?;
    let (_, version) = secret.version(Some(&token), None)?;
    Ok(json!({
        "ARN": secret.arn, "Name": secret.name, "VersionId": token, "VersionStages": version.stages,
    }))
}

fn update(vault: &mut Vault, input: Input, now: i64) -> Result<Value, Refused> {
    let (token, payload) = (input.token(), input.payload()?);
    let secret = vault.alive(&input.id()?, now)?;
    let mut answer = json!({ "ARN": secret.arn, "Name": secret.name });
    if let Some(payload) = payload {
        secret.put(&token, payload, &[], now)?;
        answer = json!({ "ARN": secret.arn, "Name": secret.name, "VersionId": token });
    }
    if input.description.is_some() {
        secret.description = input.description;
        secret.changed_at = now;
    }
    Ok(answer)
}

fn delete(vault: &mut Vault, input: &Input, now: i64) -> Result<Value, Refused> {
    let days = match (input.force_delete_without_recovery, input.recovery_window_in_days) {
        (true, None) => 0,
        (false, None) => 30,
        (false, Some(days @ 7..=30)) => days,
        (false, Some(_)) => return Err(Refused::Parameter("RecoveryWindowInDays must be from 7 to 30")),
        (true, Some(_)) => return Err(Refused::Parameter("give a recovery window or force, not both")),
    };
    let secret = vault.alive(&input.id()?, now)?;
    let gone = secret.delete(days, now)?;
    Ok(json!({ "ARN": secret.arn, "Name": secret.name, "DeletionDate": seconds(gone) }))
}

fn batch_get(vault: &mut Vault, input: &Input, now: i64) -> Value {
    let (mut values, mut errors) = (Vec::new(), Vec::new());
    for id in &input.secret_id_list {
        let got = vault.alive(id, now).and_then(|secret| {
            let (id, version) = secret.version(None, None)?;
            Ok(value(secret, id, version))
        });
        match got {
            Ok(value) => values.push(value),
            Err(refused) => errors
                .push(json!({ "SecretId": id, "ErrorCode": refused.name(), "Message": refused.to_string() })),
        }
    }
    json!({ "SecretValues": values, "Errors": errors })
}

/// By name; of the filters only `name` (a prefix) is known.
fn list(vault: &Vault, input: &Input) -> Result<Value, Refused> {
    if input.filters.iter().any(|filter| filter.key != "name") {
        return Err(Refused::Parameter("the sandbox filters by name only"));
    }
    let most = input.max_results.unwrap_or(100);
    if !(1..=100).contains(&most) {
        return Err(Refused::Parameter("MaxResults must be from 1 to 100"));
    }
    if input.next_token.as_ref().is_some_and(|token| !vault.secrets.contains_key(token)) {
        return Err(Refused::NextToken);
    }
    let wanted = |secret: &&Secret| {
        let named = |filter: &Filter| filter.values.iter().any(|prefix| secret.name.starts_with(prefix));
        (input.include_planned_deletion || secret.deleted.is_none())
            && input.next_token.as_ref().is_none_or(|token| secret.name > *token)
            && input.filters.iter().all(named)
    };
    let mut found: Vec<&Secret> = vault.secrets.values().filter(wanted).collect();
    let more = found.len() > most;
    found.truncate(most);
    let next = found.last().filter(|_| more).map(|secret| secret.name.clone());
    Ok(json!({ "SecretList": found.into_iter().map(described).collect::<Vec<_>>(), "NextToken": next }))
}

fn value(secret: &Secret, id: &str, version: &Version) -> Value {
    let mut value = json!({
        "ARN": secret.arn,
        "Name": secret.name,
        "VersionId": id,
        "VersionStages": version.stages,
        "CreatedDate": seconds(version.created_at),
    });
    let (key, payload) = match &version.value {
        Payload::Text(text) => ("SecretString", text),
        Payload::Bytes(bytes) => ("SecretBinary", bytes),
    };
    if let Some(fields) = value.as_object_mut() {
        fields.insert(key.to_owned(), payload.clone().into());
    }
    value
}

fn described(secret: &Secret) -> Value {
    let stages: BTreeMap<&String, &Vec<String>> = secret
        .versions
        .iter()
        .filter(|(_, version)| !version.stages.is_empty())
        .map(|(id, version)| (id, &version.stages))
        .collect();
    json!({
        "ARN": secret.arn,
        "Name": secret.name,
        "Description": secret.description,
        "CreatedDate": seconds(secret.created_at),
        "LastChangedDate": seconds(secret.changed_at),
        "DeletedDate": secret.deleted.map(|(marked, _)| seconds(marked)),
        // The first is `DescribeSecret`'s name for it, the second that of `ListSecrets`.
        "VersionIdsToStages": stages,
        "SecretVersionsToStages": stages,
    })
}

/// Times go over the wire in seconds with a fraction.
fn seconds(millis: i64) -> Value {
    let text = format!("{}.{:03}", millis.div_euclid(1000), millis.rem_euclid(1000));
    text.parse::<serde_json::Number>().map_or(Value::Null, Value::Number)
}
