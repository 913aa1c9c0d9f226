//! Batch operations: up to ten entries, each of which succeeds or fails by itself.

use std::collections::HashSet;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Sqs, refused::Refused, service::State, settings::LONGEST, wire::name_of};

/// A batch request.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Batch<T> {
    queue_url: Option<String>,
    #[serde(default = "Vec::new")]
    entries: Vec<Entry<T>>,
}

#[derive(Deserialize)]
struct Entry<T> {
    #[serde(rename = "Id", default)]
    id: String,
    #[serde(flatten)]
    of: T,
}

impl<T> Batch<T> {
    pub(super) fn entries(&self) -> impl Iterator<Item = &T> {
        self.entries.iter().map(|entry| &entry.of)
    }

    fn check(&self) -> Result<(), Refused> {
        match self.entries.len() {
            0 => return Err(Refused::EmptyBatch),
            1..=10 => {}
            many => return Err(Refused::LongBatch(many)),
        }
        let mut seen = HashSet::new();
        for Entry { id, .. } in &self.entries {
            let letters = id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
            if !letters || !(1..=80).contains(&id.len()) {
                return Err(Refused::EntryId);
            }
            if !seen.insert(id) {
                return Err(Refused::RepeatedId(id.clone()));
            }
        }
        Ok(())
    }
}

/// Does `each` entry on the batch's queue and saves once.
pub(super) fn each<T>(
    sqs: &Sqs,
    batch: Batch<T>,
    each: impl Fn(&mut State, &str, T, i64) -> Result<Map<String, Value>, Refused>,
) -> Result<Value, Refused> {
    batch.check()?;
    let name = name_of(batch.queue_url)?;
    let (mut successful, mut failed) = (Vec::new(), Vec::new());
    sqs.step(|state, now| {
        state.queue(&name)?;
        for Entry { id, of } in batch.entries {
            match each(state, &name, of, now) {
                Ok(mut answer) => {
                    answer.insert("Id".to_owned(), id.into());
                    successful.push(Value::Object(answer));
                }
                Err(refused) => {
                    let (code, _) = refused.names();
                    let message = refused.to_string();
                    failed.push(json!({ "Id": id, "Code": code, "Message": message, "SenderFault": true }));
                }
            }
        }
        Ok(())
    })?;
    Ok(json!({ "Successful": successful, "Failed": failed }))
}

/// A batch of messages is together no longer than the longest message.
pub(super) fn check_size(bytes: usize) -> Result<(), Refused> {
    if bytes > LONGEST { Err(Refused::BatchTooLong(LONGEST)) } else { Ok(()) }
}
