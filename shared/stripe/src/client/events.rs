//! The list of events, for what was never delivered and for what somebody else caused.

use domain::{Envelope, EventId, Timestamp};
use serde::Deserialize;

use super::{Answer, Client, Listed, MOST};
use crate::{Error, Misshapen, envelope::Event, wire::Parameters};

/// Which events to list (<https://docs.stripe.com/api/events/list>). Stripe keeps them for 30 days.
#[derive(Debug, Clone, Default)]
pub struct EventQuery {
    /// Of these types only; Stripe takes 20 at most. Empty for all.
    pub types: Vec<String>,
    /// `Some(false)`: not delivered to every endpoint. That includes those still being tried.
    pub delivery_success: Option<bool>,
    /// Created then or later.
    pub from: Option<Timestamp>,
    /// Created before then.
    pub until: Option<Timestamp>,
    /// Where to start.
    pub cursor: Option<Cursor>,
}

/// A place in the list, and the way to go on from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cursor {
    /// From this event into the past: newest first.
    StartingAfter(EventId),
    /// From this event towards now: oldest first, so that a sweep can go on where it stopped.
    EndingBefore(EventId),
}

/// An event of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Occurred {
    /// What ingress would have put onto the queue.
    pub envelope: Envelope,
    /// The request that caused it, if one did.
    pub request_id: Option<String>,
    /// That request's idempotency key: ours start with `ap1_`.
    pub idempotency_key: Option<String>,
}

#[derive(Deserialize)]
struct EventPage<'a> {
    #[serde(borrow)]
    data: Vec<Event<'a>>,
    #[serde(default)]
    has_more: bool,
}

impl EventQuery {
    fn parameters(&self, cursor: Option<&Cursor>) -> Parameters {
        let mut all = Parameters::new();
        let mut add = |name: &str, value: Option<String>| {
            all.extend(value.map(|value| (name.to_owned(), value)));
        };
        for (number, kind) in self.types.iter().enumerate() {
            add(&format!("types[{number}]"), Some(kind.clone()));
        }
        add("delivery_success", self.delivery_success.map(|flag| flag.to_string()));
        add("created[gte]", self.from.map(|time| time.seconds().to_string()));
        add("created[lt]", self.until.map(|time| time.seconds().to_string()));
        add("limit", Some("100".into()));
        match cursor {
            None => {}
            Some(Cursor::StartingAfter(id)) => add("starting_after", Some(id.to_string())),
            Some(Cursor::EndingBefore(id)) => add("ending_before", Some(id.to_string())),
        }
        all
    }
}

impl Client {
    /// Lists events as the envelopes that they would have become; `received` and `endpoint` name the
    /// sweep that found them. Events without an object that can be read again are skipped.
    ///
    /// # Errors
    /// As any read.
    pub async fn events(
        &self,
        query: &EventQuery,
        received: Timestamp,
        endpoint: &str,
    ) -> Result<Answer<Listed<Occurred>>, Error> {
        const CALL: &str = "events";
        let (mut items, mut skipped) = (Vec::new(), 0);
        let mut cursor = query.cursor.clone();
        loop {
            let answer = self.get(CALL, &["events"], &query.parameters(cursor.as_ref())).await?;
            let page: EventPage<'_> =
                serde_json::from_slice(&answer.value).map_err(|error| Error::Shape {
                    call: CALL,
                    source: Misshapen::from(error),
                    request_id: answer.request_id.clone(),
                })?;
            let has_more = page.has_more;
            let mut events = page.data;
            // Each page is newest first, whichever way the pages go.
            let oldest_first = matches!(cursor, Some(Cursor::EndingBefore(_)));
            if oldest_first {
                events.reverse();
            }
            let next = events.last().and_then(Event::id);
            for event in events {
                let (request_id, idempotency_key) = event.cause();
                match event.envelope(received, endpoint) {
                    Ok(envelope) => items.push(Occurred { envelope, request_id, idempotency_key }),
                    Err(_) => skipped += 1,
                }
            }
            let go_on = has_more && items.len() + skipped < MOST;
            let Some(next) = next.filter(|_| go_on) else {
                return Ok(answer.map(|_| Listed { items, complete: !has_more, skipped }));
            };
            cursor =
                Some(if oldest_first { Cursor::EndingBefore(next) } else { Cursor::StartingAfter(next) });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire;

    #[test]
    fn the_query_is_spelled_as_stripes_own_library_spells_it() {
        let query = EventQuery {
            types: vec!["invoice.payment_failed".into(), "charge.dispute.created".into()],
            delivery_success: Some(false),
            from: Some(Timestamp::from_seconds(1_790_000_000)),
            until: Some(Timestamp::from_seconds(1_790_003_600)),
            cursor: None,
        };
        let after = Cursor::StartingAfter(EventId::parse("evt_0").unwrap());
        let text = include_str!("../../../../tests/fixtures/stripe/wire_requests.json");
        let captured: serde_json::Value = serde_json::from_str(text).unwrap();
        let captured =
            captured["requests"].as_array().unwrap().iter().find(|one| one["name"] == "list_events");
        assert_eq!(
            wire::query(&query.parameters(Some(&after))),
            captured.unwrap()["query"].as_str().unwrap()
        );
    }
}
