//! From signed bytes to the envelope that goes onto the queue.
//!
//! Only the few fields of [`Envelope`] are read, borrowed from the bytes; everything else is skipped
//! without building a tree. What the payload says about the object is deliberately left behind: it
//! may be old, and it is full of personal data.

use std::{borrow::Cow, fmt};

use domain::{AccountId, CustomerId, Envelope, EventId, ObjectId, Timestamp};
use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, Visitor},
};

use crate::Verified;

/// Why signed bytes are no event that can be worked on. None of the texts repeats the payload.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAnEnvelope {
    /// Not text.
    #[error("the body is not UTF-8")]
    NotUtf8,
    /// Not JSON, or fields of other types than Stripe's.
    #[error("the body is not the JSON of an event (line {line}, column {column})")]
    NotJson {
        /// Where reading stopped.
        line: usize,
        /// Likewise.
        column: usize,
    },
    /// JSON, but no event: `object` is neither `event` nor `v2.core.event`.
    #[error("the body is no event: point the endpoint at an event destination")]
    NotAnEvent,
    /// An event without one of the fields that every event has.
    #[error("the event has no `{0}`")]
    Missing(&'static str),
    /// The event's object has no id, so that nothing can be read again: `balance.available`.
    #[error("the event's object has no id")]
    NoObjectId,
    /// A thin event about nothing in particular.
    #[error("the thin event names no related object")]
    NoRelatedObject,
    /// An id or name with characters that none of Stripe's has.
    #[error("`{0}` is not usable")]
    Unusable(&'static str),
    /// An event of the bus from somewhere else.
    #[error("the event comes from another source than the configured one")]
    WrongSource,
}

impl NotAnEnvelope {
    /// A word for a metric.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::NotUtf8 => "not_utf8",
            Self::NotJson { .. } => "not_json",
            Self::NotAnEvent => "not_an_event",
            Self::Missing(_) => "missing_field",
            Self::NoObjectId => "no_object_id",
            Self::NoRelatedObject => "no_related_object",
            Self::Unusable(_) => "unusable",
            Self::WrongSource => "wrong_source",
        }
    }
}

/// The envelope of a webhook delivery, snapshot or thin
/// (<https://docs.stripe.com/event-destinations#events-overview>).
///
/// # Errors
/// [`NotAnEnvelope`]: retrying will not help; what the sender is told is the caller's choice.
pub fn from_webhook(
    verified: &Verified<'_>,
    received: Timestamp,
    endpoint: &str,
) -> Result<Envelope, NotAnEnvelope> {
    read::<Event<'_>>(verified.body())?.envelope(received, endpoint)
}

/// The envelope of an event from an EventBridge partner source: the event stands under `detail`
/// (<https://docs.stripe.com/event-destinations/eventbridge>). There is no signature; what is trusted
/// is the bus, hence the exact `source` (`aws.partner/stripe.com/ed_…`).
///
/// # Errors
/// As [`from_webhook`].
pub fn from_eventbridge(
    event: &[u8],
    source: &str,
    received: Timestamp,
    endpoint: &str,
) -> Result<Envelope, NotAnEnvelope> {
    let bus = read::<BusEvent<'_>>(event)?;
    if bus.source.0 != source {
        return Err(NotAnEnvelope::WrongSource);
    }
    bus.detail.envelope(received, endpoint)
}

fn read<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, NotAnEnvelope> {
    let text = std::str::from_utf8(bytes).map_err(|_| NotAnEnvelope::NotUtf8)?;
    serde_json::from_str(text)
        .map_err(|error| NotAnEnvelope::NotJson { line: error.line(), column: error.column() })
}

/// Text that is borrowed unless it holds an escape.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

#[derive(Deserialize)]
struct BusEvent<'a> {
    #[serde(borrow)]
    source: Text<'a>,
    #[serde(borrow)]
    detail: Event<'a>,
}

/// Snapshot and thin events in one shape: what one of them lacks is absent.
#[derive(Deserialize)]
pub(crate) struct Event<'a> {
    #[serde(borrow)]
    object: Option<Text<'a>>,
    #[serde(borrow)]
    id: Option<Text<'a>>,
    #[serde(borrow, rename = "type")]
    kind: Option<Text<'a>>,
    #[serde(borrow)]
    account: Option<Text<'a>>,
    #[serde(borrow)]
    context: Option<Text<'a>>,
    livemode: Option<bool>,
    #[serde(borrow)]
    api_version: Option<Text<'a>>,
    created: Option<Created>,
    #[serde(borrow)]
    data: Option<Data<'a>>,
    #[serde(borrow)]
    related_object: Option<About<'a>>,
    #[serde(borrow)]
    request: Option<Cause<'a>>,
}

#[derive(Deserialize)]
struct Data<'a> {
    #[serde(borrow)]
    object: Option<About<'a>>,
}

/// The request that caused an event.
#[derive(Deserialize)]
struct Cause<'a> {
    #[serde(borrow)]
    id: Option<Text<'a>>,
    #[serde(borrow)]
    idempotency_key: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct About<'a> {
    #[serde(borrow)]
    id: Option<Text<'a>>,
    #[serde(borrow)]
    customer: Option<Reference<'a>>,
}

/// An id, or the object in full with its id in it.
struct Reference<'a>(Option<Text<'a>>);

impl<'de: 'a, 'a> Deserialize<'de> for Reference<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct IdOrObject;

        impl<'de> Visitor<'de> for IdOrObject {
            type Value = Reference<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an id or an object")
            }

            fn visit_borrowed_str<E>(self, id: &'de str) -> Result<Self::Value, E> {
                Ok(Reference(Some(Text(Cow::Borrowed(id)))))
            }

            fn visit_str<E>(self, id: &str) -> Result<Self::Value, E> {
                Ok(Reference(Some(Text(Cow::Owned(id.to_owned())))))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut id = None;
                while let Some(key) = map.next_key::<Text<'de>>()? {
                    if key.0 == "id" {
                        id = Some(map.next_value()?);
                    } else {
                        map.next_value::<IgnoredAny>()?;
                    }
                }
                Ok(Reference(id))
            }
        }

        from.deserialize_any(IdOrObject)
    }
}

/// Seconds in a snapshot event, RFC 3339 in a thin one; `None` for other text.
struct Created(Option<Timestamp>);

impl<'de> Deserialize<'de> for Created {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Time;

        impl Visitor<'_> for Time {
            type Value = Created;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("seconds or RFC 3339")
            }

            fn visit_i64<E>(self, seconds: i64) -> Result<Created, E> {
                Ok(Created(Some(Timestamp::from_seconds(seconds))))
            }

            fn visit_u64<E>(self, seconds: u64) -> Result<Created, E> {
                Ok(Created(i64::try_from(seconds).ok().map(Timestamp::from_seconds)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Created, E> {
                Ok(Created(Timestamp::parse_rfc3339(text)))
            }
        }

        from.deserialize_any(Time)
    }
}

impl Event<'_> {
    /// The event's id, for going on in a list.
    pub(crate) fn id(&self) -> Option<EventId> {
        EventId::parse(self.id.as_ref()?.0.clone()).ok()
    }

    /// The request id and the idempotency key of the request that caused it.
    pub(crate) fn cause(&self) -> (Option<String>, Option<String>) {
        let text = |text: &Option<Text<'_>>| text.as_ref().map(|text| text.0.clone().into_owned());
        self.request.as_ref().map_or((None, None), |cause| (text(&cause.id), text(&cause.idempotency_key)))
    }

    /// The envelope, if the event can be worked on.
    pub(crate) fn envelope(self, received: Timestamp, endpoint: &str) -> Result<Envelope, NotAnEnvelope> {
        let thin = match self.object.as_ref().map(|text| text.0.as_ref()) {
            Some("event") => false,
            Some("v2.core.event") => true,
            _ => return Err(NotAnEnvelope::NotAnEvent),
        };
        let kind = self.kind.ok_or(NotAnEnvelope::Missing("type"))?.0;
        // The thin version of a v1 event carries the event's own type behind `v1.`.
        let kind = if thin { kind.strip_prefix("v1.").unwrap_or(&kind) } else { &kind };
        let created = self.created.ok_or(NotAnEnvelope::Missing("created"))?;
        let about = if thin { self.related_object } else { self.data.and_then(|data| data.object) };
        let Some(About { id: Some(object), customer }) = about else {
            return Err(if thin { NotAnEnvelope::NoRelatedObject } else { NotAnEnvelope::NoObjectId });
        };
        let id = self.id.ok_or(NotAnEnvelope::Missing("id"))?;
        Ok(Envelope {
            id: EventId::parse(id.0).map_err(|_| NotAnEnvelope::Unusable("id"))?,
            kind: named(kind, "type")?,
            object: ObjectId::parse(object.0).map_err(|_| NotAnEnvelope::Unusable("object"))?,
            // A deleted or unreadable customer only costs the event its place in the queue's order.
            customer: customer.and_then(|customer| customer.0).and_then(|id| CustomerId::parse(id.0).ok()),
            account: self
                .account
                .map(|id| AccountId::parse(id.0).map_err(|_| NotAnEnvelope::Unusable("account")))
                .transpose()?,
            context: self.context.map(|text| named(&text.0, "context")).transpose()?,
            livemode: self.livemode.ok_or(NotAnEnvelope::Missing("livemode"))?,
            api_version: self.api_version.map(|text| named(&text.0, "api_version")).transpose()?,
            created: created.0.ok_or(NotAnEnvelope::Unusable("created"))?,
            received,
            endpoint: endpoint.to_owned(),
        })
    }
}

/// A type, context or version: they go into logs, metrics and headers, so only plain characters.
fn named(text: &str, field: &'static str) -> Result<String, NotAnEnvelope> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b'/');
    if (1..=255).contains(&text.len()) && text.bytes().all(plain) {
        Ok(text.to_owned())
    } else {
        Err(NotAnEnvelope::Unusable(field))
    }
}
