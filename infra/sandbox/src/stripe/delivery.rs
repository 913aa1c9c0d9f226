//! Signed deliveries to webhook endpoints: <https://docs.stripe.com/webhooks>.

use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::Sha256;

use super::{Stripe, document::Document as _, events, ids, store::Changes};

/// When a failed delivery is tried again, in seconds after the attempt. Stripe says "three times over
/// a few hours" for sandboxes and publishes no intervals.
const RETRIES: &[i64] = &[300, 3600, 3 * 3600];

/// How long an endpoint may take to answer. Stripe publishes no number.
const PATIENCE: Duration = Duration::from_secs(10);

/// What happens to the deliveries of an event on its way.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Disturbance {
    /// It never arrives: it stays `delivery_success=false`, and only the API has it.
    Drop,
    /// It arrives this many times more.
    Duplicate(u32),
    /// It arrives this many seconds late.
    Delay(i64),
}

/// A disturbance that waits for its events.
#[derive(Serialize)]
pub(crate) struct Rule {
    pub disturbance: Disturbance,
    /// An event type, or all of a prefix as `charge.*`.
    pub filter: String,
    pub left: u32,
}

/// One delivery that is to be made.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Job {
    pub seq: u64,
    pub event: String,
    pub endpoint: String,
    /// Attempts that failed.
    pub failed: usize,
    /// Seconds since the epoch.
    pub due: i64,
    /// A duplicate or a manual resend, which no success waits for.
    pub extra: bool,
    #[serde(default, skip)]
    pub dropped: bool,
}

/// A delivery that was tried.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// Seconds since the epoch.
    pub at: i64,
    /// The event's id.
    pub event: String,
    /// The event's type.
    pub kind: String,
    /// The endpoint's id.
    pub endpoint: String,
    /// The answer, or `None` if there was none.
    pub status: Option<u16>,
}

/// The deliveries of a new event.
pub(crate) fn jobs(event: &Value, endpoints: &[Value], rules: &mut Vec<Rule>, now: i64) -> Vec<Job> {
    let kind = event.text("type");
    let wanted: Vec<&Value> = endpoints
        .iter()
        .filter(|endpoint| endpoint.text("status") == "enabled")
        .filter(|endpoint| {
            let filters = endpoint.each("enabled_events");
            filters.iter().filter_map(Value::as_str).any(|filter| events::matches(filter, kind))
        })
        .collect();
    let rule = rules.iter_mut().find(|rule| rule.left > 0 && events::matches(&rule.filter, kind));
    let disturbance = rule.map(|rule| {
        rule.left -= 1;
        rule.disturbance
    });
    rules.retain(|rule| rule.left > 0);
    let mut jobs = Vec::new();
    for endpoint in wanted {
        let job = Job {
            seq: 0,
            event: event.id().to_owned(),
            endpoint: endpoint.id().to_owned(),
            failed: 0,
            due: now,
            extra: false,
            dropped: false,
        };
        match disturbance {
            None => jobs.push(job),
            Some(Disturbance::Drop) => jobs.push(Job { dropped: true, ..job }),
            Some(Disturbance::Delay(by)) => jobs.push(Job { due: now.saturating_add(by), ..job }),
            Some(Disturbance::Duplicate(more)) => {
                jobs.push(job.clone());
                jobs.extend((0..more).map(|_| Job { extra: true, ..job.clone() }));
            }
        }
    }
    jobs
}

/// The header `Stripe-Signature` of `body` at `time` (seconds) under each of `secrets`. Test events
/// carry a `v0` beside, which proves nothing.
pub fn signature<'a>(secrets: impl IntoIterator<Item = &'a str>, time: i64, body: &str) -> String {
    let mut header = format!("t={time}");
    let mut last = String::new();
    for secret in secrets {
        last = hex(secret, &format!("{time}.{body}"));
        header.push_str(",v1=");
        header.push_str(&last);
    }
    let fake: String = last.chars().rev().collect();
    header.push_str(",v0=");
    header.push_str(&fake);
    header
}

fn hex(secret: &str, message: &str) -> String {
    // An HMAC key may have any length, so that the error cannot occur; no signature is the safe answer.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else { return String::new() };
    mac.update(message.as_bytes());
    ids::hex(&mac.finalize().into_bytes())
}

/// What one delivery sends.
struct Letter {
    url: String,
    signature: String,
    body: String,
    kind: String,
}

impl Stripe {
    /// Makes every delivery that is due, once, and says how many were tried.
    pub async fn deliver_due(&self) -> usize {
        let due = self.due();
        for job in &due {
            let letter = self.letter(job);
            let Some(letter) = letter else {
                self.settle(job, Some(200));
                continue;
            };
            let answer = self
                .client
                .post(&letter.url)
                .timeout(PATIENCE)
                .header("content-type", "application/json; charset=utf-8")
                .header("user-agent", "Stripe/1.0 (+https://stripe.com/docs/webhooks)")
                .header("stripe-signature", &letter.signature)
                .body(letter.body)
                .send()
                .await;
            let status = answer.ok().map(|answer| answer.status().as_u16());
            self.attempts().push(Attempt {
                at: self.now(),
                event: job.event.clone(),
                kind: letter.kind,
                endpoint: job.endpoint.clone(),
                status,
            });
            self.settle(job, status);
        }
        due.len()
    }

    /// Delivers until the future is dropped: whenever something happens, the clock is moved or a
    /// second has passed.
    pub async fn deliver(&self) {
        loop {
            let changed = self.wake.notified();
            self.deliver_due().await;
            tokio::select! {
                () = changed => {}
                () = self.clock.moved() => {}
                () = tokio::time::sleep(Duration::from_secs(1)) => {}
            }
        }
    }

    /// The deliveries that are due, in the order of their events or in a shuffled one.
    fn due(&self) -> Vec<Job> {
        let now = self.now();
        let mut due: Vec<Job> = self.state().jobs.values().filter(|job| job.due <= now).cloned().collect();
        if let Some(seed) = self.shuffle() {
            due.sort_by_cached_key(|job| ids::derived("", seed, job.seq));
        }
        due
    }

    fn letter(&self, job: &Job) -> Option<Letter> {
        let state = self.state();
        let endpoint = Some(&state.objects.get(&job.endpoint)?.object).filter(|one| !one.flag("deleted"))?;
        let mut event = state.events.values().rev().find(|event| event.id() == job.event)?.clone();
        if let Some(version) = endpoint.maybe("api_version") {
            event.set("api_version", version);
        }
        let kind = event.text("type").to_owned();
        let note = state.notes.get(&format!("endpoint:{}", job.endpoint))?;
        let now = self.now();
        // Newest first, as long as each lives.
        let secrets = note
            .each("secrets")
            .iter()
            .filter(|secret| secret.get("until").and_then(Value::as_i64).is_none_or(|until| now < until))
            .map(|secret| secret.text("secret"));
        if note.flag("thin") {
            event = events::thin(&event);
        }
        let body = event.to_string();
        Some(Letter {
            url: endpoint.text("url").to_owned(),
            signature: signature(secrets, now, &body),
            body,
            kind,
        })
    }

    /// Records how a delivery went: done, tried again later, or given up.
    fn settle(&self, job: &Job, status: Option<u16>) {
        let mut state = self.state();
        let mut changes = Changes { count: state.count, ..Changes::default() };
        let success = status.is_some_and(|status| (200..300).contains(&status));
        if success {
            changes.jobs.insert(job.seq, None);
            let found = state.events.iter().rev().find(|(_, event)| event.id() == job.event);
            if let (Some((seq, event)), false) = (found, job.extra) {
                let mut event = event.clone();
                event.set("pending_webhooks", (event.int("pending_webhooks") - 1).max(0));
                changes.events.insert(*seq, event);
            }
        } else {
            let again = RETRIES.get(job.failed).filter(|_| !job.extra).map(|after| Job {
                failed: job.failed + 1,
                due: self.now().saturating_add(*after),
                ..job.clone()
            });
            changes.jobs.insert(job.seq, again);
        }
        if let Err(error) = state.keep(&self.shelf, changes) {
            tracing::error!(error = %format!("{error:#}"), "the Stripe stand-in cannot keep a delivery");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_live_secret_signs() {
        let header = signature(["whsec_new", "whsec_old"], 1_790_000_000, "{}");
        assert_eq!(header.matches(",v1=").count(), 2);
        assert!(header.starts_with("t=1790000000,v1=") && header.contains(",v0="));
        assert!(header.contains(&hex("whsec_old", "1790000000.{}")));
    }
}
