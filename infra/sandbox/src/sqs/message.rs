//! Messages, their attributes, limits and digests.
//!
//! Limits: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html>;
//! the digest of attributes: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html>.

use std::collections::BTreeMap;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde::{Deserialize, Serialize};

use super::refused::Refused;

/// A message's custom attributes by name.
pub type Attributes = BTreeMap<String, Attribute>;

/// One custom attribute, as it goes over the wire.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Attribute {
    /// `String`, `Number` or `Binary`, with an optional label after a full stop.
    pub data_type: String,
    /// The value of a string or number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub string_value: Option<String>,
    /// The value of a binary attribute, in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub binary_value: Option<String>,
}

/// A message in a queue. All times are in milliseconds since the epoch.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Message {
    /// What `SendMessage` answered.
    pub id: String,
    /// The position in the queue.
    pub sequence: u64,
    /// The body as sent.
    pub body: String,
    /// The custom attributes as sent.
    pub attributes: Attributes,
    /// The X-Ray header as sent.
    pub trace_header: Option<String>,
    /// The message group: order holds within it.
    pub group: String,
    /// What later sends are compared with.
    pub deduplication_id: String,
    /// When it was sent, or came into a dead-letter queue.
    pub sent_at: i64,
    /// From when on it can be received.
    pub visible_at: i64,
    /// How often it was received, over all queues.
    pub receives: u32,
    /// When it was first received.
    pub first_received_at: Option<i64>,
    /// When it was last received.
    pub received_at: Option<i64>,
    /// In a dead-letter queue: the ARN of the queue that it comes from.
    pub source: Option<String>,
}

impl Message {
    /// Whether a receiver holds it: received, and the visibility timeout still runs.
    pub fn in_flight(&self, now: i64) -> bool {
        self.receives > 0 && self.visible_at > now
    }
}

/// A message that a client wants to send, with everything checked that does not depend on the
/// queue.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    pub(super) body: String,
    pub(super) attributes: Attributes,
    pub(super) trace_header: Option<String>,
    pub(super) group: String,
    pub(super) deduplication_id: Option<String>,
}

impl Draft {
    pub(super) fn checked(self) -> Result<Self, Refused> {
        if self.body.is_empty() {
            return Err(Refused::Missing("MessageBody"));
        }
        if !self.body.chars().all(allowed) {
            return Err(Refused::Contents);
        }
        check_token("MessageGroupId", &self.group)?;
        if let Some(id) = &self.deduplication_id {
            check_token("MessageDeduplicationId", id)?;
        }
        check_attributes(&self.attributes)?;
        Ok(self)
    }

    /// Bytes that count towards the size limit: body and attributes.
    pub(super) fn size(&self) -> usize {
        let attributes = self.attributes.iter().map(|(name, attribute)| {
            name.len() + attribute.data_type.len() + attribute.value().map_or(0, |value| value.len())
        });
        self.body.len() + attributes.sum::<usize>()
    }
}

impl Attribute {
    fn value(&self) -> Option<Vec<u8>> {
        if self.is_binary() {
            BASE64_STANDARD.decode(self.binary_value.as_deref()?).ok()
        } else {
            self.string_value.clone().map(String::into_bytes)
        }
    }

    fn is_binary(&self) -> bool {
        self.data_type == "Binary" || self.data_type.starts_with("Binary.")
    }
}

/// The digest of a body in lower-case hexadecimal.
pub(super) fn digest(body: &str) -> String {
    format!("{:x}", md5::compute(body))
}

/// The digest of attributes, or nothing where there are none: for each, by name, the length and
/// bytes of name and type, one byte for the kind, the length and bytes of the value.
pub(super) fn digest_of(attributes: &Attributes) -> Option<String> {
    fn push(to: &mut Vec<u8>, part: &[u8]) {
        to.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
        to.extend_from_slice(part);
    }
    if attributes.is_empty() {
        return None;
    }
    let mut bytes = Vec::new();
    for (name, attribute) in attributes {
        push(&mut bytes, name.as_bytes());
        push(&mut bytes, attribute.data_type.as_bytes());
        bytes.push(if attribute.is_binary() { 2 } else { 1 });
        push(&mut bytes, &attribute.value().unwrap_or_default());
    }
    Some(format!("{:x}", md5::compute(bytes)))
}

/// XML 1.0's characters.
fn allowed(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{FFFD}' | '\u{10000}'..)
}

fn check_token(name: &'static str, value: &str) -> Result<(), Refused> {
    if (1..=128).contains(&value.len()) && value.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(());
    }
    let reason = "it must be 1 to 128 ASCII letters, digits and punctuation marks".to_owned();
    Err(Refused::Invalid { name, value: value.to_owned(), reason })
}

fn check_attributes(attributes: &Attributes) -> Result<(), Refused> {
    let refuse = |name: &str, reason: &str| {
        Err(Refused::Invalid { name: "MessageAttributes", value: name.to_owned(), reason: reason.to_owned() })
    };
    if attributes.len() > 10 {
        return refuse("", "a message has at most 10 attributes");
    }
    for (name, attribute) in attributes {
        let lower = name.to_ascii_lowercase();
        let letters = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
        if !letters || !(1..=256).contains(&name.len()) {
            return refuse(name, "a name has 1 to 256 letters, digits, hyphens, underscores and full stops");
        }
        if name.starts_with('.') || name.ends_with('.') || name.contains("..") {
            return refuse(name, "a name neither starts nor ends with a full stop, nor has two in a row");
        }
        if lower.starts_with("aws.") || lower.starts_with("amazon.") {
            return refuse(name, "names that start with AWS. or Amazon. are reserved");
        }
        if !matches!(attribute.data_type.split('.').next(), Some("String" | "Number" | "Binary")) {
            return refuse(name, "the data type must start with String, Number or Binary");
        }
        if attribute.value().is_none_or(|value| value.is_empty()) {
            return refuse(name, "the value must not be empty and must fit the data type");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attribute(kind: &str, value: &str) -> Attribute {
        let (string_value, binary_value) = if kind == "Binary" {
            (None, Some(BASE64_STANDARD.encode(value)))
        } else {
            (Some(value.to_owned()), None)
        };
        Attribute { data_type: kind.to_owned(), string_value, binary_value }
    }

    // The digests are those of <https://npmjs.com/package/aws-md5-of-message-attributes>.
    #[test]
    fn digests_of_attributes_are_those_that_the_sdks_compute() {
        let text = ("attribName1".to_owned(), attribute("String", "attribValue 1"));
        let number = (
            "customNumberTypeAttrib".to_owned(),
            attribute("Number.float", "4563442423554324324264524243.32543234"),
        );
        let binary = ("binaryAttribute".to_owned(), attribute("Binary", "Hello binary world!"));
        let digest = |of: &[(String, Attribute)]| digest_of(&of.iter().cloned().collect()).unwrap();
        assert_eq!(digest(std::slice::from_ref(&text)), "19e27d4e946b072f3f58da80d94fd778");
        assert_eq!(digest(std::slice::from_ref(&number)), "9fe1b90bbd9965bdf77bac517c7d2495");
        assert_eq!(digest(std::slice::from_ref(&binary)), "31a92b15d92f8db860eda32aceb656c3");
        assert_eq!(digest(&[text, number, binary]), "c932db14a896c663f83c260297d594ff");
        assert_eq!(digest_of(&Attributes::new()), None);
    }

    #[test]
    fn a_body_with_a_control_character_is_refused() {
        let draft = |body: &str| Draft {
            body: body.to_owned(),
            attributes: Attributes::new(),
            trace_header: None,
            group: "a".to_owned(),
            deduplication_id: None,
        };
        assert_eq!(draft("a\u{0}b").checked().unwrap_err(), Refused::Contents);
        assert!(draft("line\nline \u{1F4B6}").checked().is_ok());
    }

    #[test]
    fn reserved_empty_and_too_many_attributes_are_refused() {
        let check = |name: &str, value: Attribute| check_attributes(&[(name.to_owned(), value)].into());
        assert!(check("fine", attribute("String", "x")).is_ok());
        assert!(check("AWS.x", attribute("String", "x")).is_err());
        assert!(check("a..b", attribute("String", "x")).is_err());
        assert!(check("empty", attribute("String", "")).is_err());
        assert!(check("kind", attribute("Date", "x")).is_err());
        let many = (0..11).map(|n| (format!("a{n}"), attribute("String", "x"))).collect();
        assert!(check_attributes(&many).is_err());
    }
}
