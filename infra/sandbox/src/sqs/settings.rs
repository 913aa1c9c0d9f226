//! A queue's settings: its attributes in the words of `CreateQueue` and `SetQueueAttributes`.
//!
//! Source: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html>.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::refused::Refused;

/// The longest message and the longest batch, in bytes.
pub(super) const LONGEST: usize = 1_048_576;

/// Settings that the queue acts on, and those it only keeps.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(super) struct Settings {
    /// Seconds for which a received message is hidden.
    pub(super) visibility: i64,
    /// Seconds until a sent message can be received.
    pub(super) delay: i64,
    /// Seconds for which a message is kept.
    pub(super) retention: i64,
    /// Seconds that a receive waits if it does not say.
    pub(super) wait: i64,
    /// Bytes of the longest message.
    pub(super) longest: usize,
    pub(super) deduplicate_by_content: bool,
    pub(super) deduplicate_by_group: bool,
    pub(super) redrive: Option<Redrive>,
    /// Attributes without a meaning here (keys, policies), shown as they were set.
    kept: BTreeMap<String, String>,
}

/// Where messages go that were received too often.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(super) struct Redrive {
    /// The ARN of the dead-letter queue.
    pub(super) target: String,
    /// A message received this often is not delivered again.
    pub(super) receives: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            visibility: 30,
            delay: 0,
            retention: 345_600,
            wait: 0,
            longest: LONGEST,
            deduplicate_by_content: false,
            deduplicate_by_group: false,
            redrive: None,
            kept: BTreeMap::new(),
        }
    }
}

const KEPT: [&str; 5] = [
    "KmsDataKeyReusePeriodSeconds",
    "KmsMasterKeyId",
    "Policy",
    "RedriveAllowPolicy",
    "SqsManagedSseEnabled",
];

impl Settings {
    /// These settings with `attributes` set; either all of them or none.
    pub(super) fn with(&self, attributes: &BTreeMap<String, String>) -> Result<Self, Refused> {
        let mut new = self.clone();
        for (name, value) in attributes {
            new.set(name, value)?;
        }
        Ok(new)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), Refused> {
        match name {
            "VisibilityTimeout" => self.visibility = number(name, value, 0, 43_200)?,
            "DelaySeconds" => self.delay = number(name, value, 0, 900)?,
            "MessageRetentionPeriod" => self.retention = number(name, value, 60, 1_209_600)?,
            "ReceiveMessageWaitTimeSeconds" => self.wait = number(name, value, 0, 20)?,
            "MaximumMessageSize" => {
                let longest = number(name, value, 1024, 1_048_576)?;
                self.longest = usize::try_from(longest).unwrap_or(LONGEST);
            }
            "FifoQueue" => one_of(name, value, &["true"])?,
            "ContentBasedDeduplication" => {
                one_of(name, value, &["true", "false"])?;
                self.deduplicate_by_content = value == "true";
            }
            "DeduplicationScope" => {
                one_of(name, value, &["queue", "messageGroup"])?;
                self.deduplicate_by_group = value == "messageGroup";
            }
            "FifoThroughputLimit" => {
                one_of(name, value, &["perQueue", "perMessageGroupId"])?;
                self.kept.insert(name.to_owned(), value.to_owned());
            }
            "RedrivePolicy" => self.redrive = redrive(value)?,
            name if KEPT.contains(&name) => {
                self.kept.insert(name.to_owned(), value.to_owned());
            }
            name => return Err(Refused::AttributeName(name.to_owned())),
        }
        Ok(())
    }

    /// The settings in the words they are set with.
    pub(super) fn shown(&self) -> BTreeMap<String, String> {
        let scope = if self.deduplicate_by_group { "messageGroup" } else { "queue" };
        let mut shown = self.kept.clone();
        shown.entry("FifoThroughputLimit".to_owned()).or_insert_with(|| "perQueue".to_owned());
        shown.entry("SqsManagedSseEnabled".to_owned()).or_insert_with(|| "true".to_owned());
        shown.extend(
            [
                ("VisibilityTimeout", self.visibility.to_string()),
                ("DelaySeconds", self.delay.to_string()),
                ("MessageRetentionPeriod", self.retention.to_string()),
                ("ReceiveMessageWaitTimeSeconds", self.wait.to_string()),
                ("MaximumMessageSize", self.longest.to_string()),
                ("FifoQueue", "true".to_owned()),
                ("ContentBasedDeduplication", self.deduplicate_by_content.to_string()),
                ("DeduplicationScope", scope.to_owned()),
            ]
            .map(|(name, value)| (name.to_owned(), value)),
        );
        if let Some(Redrive { target, receives }) = &self.redrive {
            let policy = json!({ "deadLetterTargetArn": target, "maxReceiveCount": receives });
            shown.insert("RedrivePolicy".to_owned(), policy.to_string());
        }
        shown
    }
}

fn number(name: &str, value: &str, least: i64, most: i64) -> Result<i64, Refused> {
    value.parse().ok().filter(|number| (least..=most).contains(number)).ok_or_else(|| {
        Refused::AttributeValue {
            name: name.to_owned(),
            reason: format!("`{value}` is not a number from {least} to {most}"),
        }
    })
}

fn one_of(name: &str, value: &str, allowed: &[&str]) -> Result<(), Refused> {
    if allowed.contains(&value) {
        return Ok(());
    }
    let reason = format!("`{value}` is not one of {}", allowed.join(", "));
    Err(Refused::AttributeValue { name: name.to_owned(), reason })
}

/// The empty string takes a policy away. The count may be a number or a string of digits.
fn redrive(value: &str) -> Result<Option<Redrive>, Refused> {
    let refuse = |reason: &str| Refused::AttributeValue {
        name: "RedrivePolicy".to_owned(),
        reason: reason.to_owned(),
    };
    if value.is_empty() {
        return Ok(None);
    }
    let policy: Value = serde_json::from_str(value).map_err(|_| refuse("it is not JSON"))?;
    let target = policy.get("deadLetterTargetArn").and_then(Value::as_str);
    let receives = match policy.get("maxReceiveCount") {
        Some(Value::String(count)) => count.parse().ok(),
        Some(count) => count.as_u64().and_then(|count| u32::try_from(count).ok()),
        None => None,
    };
    match (target, receives) {
        (Some(target), Some(receives @ 1..=1000)) => {
            Ok(Some(Redrive { target: target.to_owned(), receives }))
        }
        (None, _) => Err(refuse("it has no deadLetterTargetArn")),
        _ => Err(refuse("maxReceiveCount is not a number from 1 to 1000")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: &str, value: &str) -> Result<Settings, Refused> {
        Settings::default().with(&[(name.to_owned(), value.to_owned())].into())
    }

    #[test]
    fn what_is_shown_can_be_set_again() {
        let policy = r#"{"deadLetterTargetArn":"arn:aws:sqs:x:0:d.fifo","maxReceiveCount":"3"}"#;
        let settings = with("RedrivePolicy", policy).unwrap();
        assert_eq!(settings.redrive.as_ref().unwrap().receives, 3);
        let again = Settings::default().with(&settings.shown()).unwrap();
        assert_eq!(again.shown(), settings.shown());
    }

    #[test]
    fn values_out_of_range_are_refused() {
        for (name, value) in [
            ("VisibilityTimeout", "43201"),
            ("DelaySeconds", "-1"),
            ("MaximumMessageSize", "1023"),
            ("FifoQueue", "false"),
            ("DeduplicationScope", "account"),
            ("RedrivePolicy", r#"{"deadLetterTargetArn":"x","maxReceiveCount":0}"#),
        ] {
            assert!(matches!(with(name, value), Err(Refused::AttributeValue { .. })), "{name}={value}");
        }
        assert!(matches!(with("Colour", "red"), Err(Refused::AttributeName(_))));
    }
}
