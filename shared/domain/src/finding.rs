//! What a sweep finds: that something is not as it should be, with the exact values.
//!
//! A finding is told once. It is told again when its values change, or when it went away and came back.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{CustomerId, Digest, Timestamp, encoding, trail};

/// Which sweep found it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingKind {
    /// A dispute whose deadline comes near without an answer.
    Deadline,
    /// An approval that needs somebody's eye.
    Approval,
    /// Two systems say different things of a customer.
    Drift,
    /// A write in Stripe that is none of ours.
    ExternalWrite,
    /// Stripe itself, or something else, acts on the same object.
    Coexistence,
}

impl FindingKind {
    /// All kinds.
    pub const ALL: [Self; 5] =
        [Self::Deadline, Self::Approval, Self::Drift, Self::ExternalWrite, Self::Coexistence];

    /// One word for keys, figures and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Deadline => "deadline",
            Self::Approval => "approval",
            Self::Drift => "drift",
            Self::ExternalWrite => "external_write",
            Self::Coexistence => "coexistence",
        }
    }
}

/// What a sweep found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Which sweep found it.
    pub kind: FindingKind,
    /// What is wrong, in one word of this code: `access_off`.
    pub what: String,
    /// The object that it is about: an id.
    pub subject: String,
    /// Whom it concerns.
    pub customer: Option<CustomerId>,
    /// What is wrong, in a line for people.
    pub headline: String,
    /// The exact values, by system and field: `stripe.subscription.status`. When one of them changes, it
    /// is told again.
    pub values: BTreeMap<String, String>,
    /// What to do about it.
    pub repair: String,
}

impl Finding {
    /// The same thing wrong with the same object is the same finding.
    pub fn id(&self) -> String {
        format!("{}:{}:{}", self.kind.as_str(), self.what, self.subject)
    }

    /// What has to change for it to be told again.
    pub fn digest(&self) -> Digest {
        encoding::digest("reconcile/finding/v1", |to| {
            to.text(&self.id());
            for (field, value) in &self.values {
                to.text(field);
                to.text(value);
            }
        })
    }
}

/// A finding as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FindingRow {
    /// What was found.
    pub finding: Finding,
    /// Since when.
    pub since: Timestamp,
    /// When it was told last.
    pub told: Timestamp,
    /// How often it was told: what makes the next message another one.
    pub times: u32,
    /// When it was gone.
    pub gone: Option<Timestamp>,
    /// The end of its trail.
    pub trail: trail::Head,
}

impl FindingRow {
    /// Whether there is anything new to tell about `finding`.
    pub fn is_news(before: Option<&Self>, finding: &Finding) -> bool {
        before.is_none_or(|row| row.gone.is_some() || row.finding.digest() != finding.digest())
    }

    /// The row after it was found, with the entry of its trail.
    ///
    /// # Errors
    /// If it cannot be written as JSON.
    pub fn found(
        before: Option<&Self>,
        finding: Finding,
        now: Timestamp,
    ) -> Result<(Self, trail::Entry), serde_json::Error> {
        let head = before.map_or(trail::Head::START, |row| row.trail);
        let body = serde_json::to_string(&finding)?;
        let entry = head.entry(&finding.id(), "found", now, body);
        let row = Self {
            since: before.filter(|row| row.gone.is_none()).map_or(now, |row| row.since),
            told: now,
            times: before.map_or(1, |row| row.times.saturating_add(1)),
            gone: None,
            trail: entry.head(),
            finding,
        };
        Ok((row, entry))
    }

    /// The row after it was looked for and not found any more.
    pub fn resolved(&self, now: Timestamp) -> (Self, trail::Entry) {
        let entry = self.trail.entry(&self.finding.id(), "gone", now, "{}".into());
        (Self { gone: Some(now), trail: entry.head(), ..self.clone() }, entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(status: &str) -> Finding {
        Finding {
            kind: FindingKind::Drift,
            what: "access_off".into(),
            subject: "cus_1".into(),
            customer: CustomerId::parse("cus_1").ok(),
            headline: "A paying customer has no access".into(),
            values: [("stripe.subscription.status".to_owned(), status.to_owned())].into(),
            repair: "give access back".into(),
        }
    }

    #[test]
    fn a_finding_is_news_once_again_when_a_value_changes_and_again_when_it_comes_back() {
        let at = Timestamp::from_seconds;
        assert!(FindingRow::is_news(None, &finding("active")));
        let (row, first) = FindingRow::found(None, finding("active"), at(10)).unwrap();
        assert!(!FindingRow::is_news(Some(&row), &finding("active")));
        assert!(FindingRow::is_news(Some(&row), &finding("trialing")));
        let (changed, second) = FindingRow::found(Some(&row), finding("trialing"), at(20)).unwrap();
        assert_eq!((changed.since, changed.told, changed.times), (at(10), at(20), 2));
        let (gone, third) = changed.resolved(at(30));
        assert!(FindingRow::is_news(Some(&gone), &finding("trialing")), "it came back");
        let (back, fourth) = FindingRow::found(Some(&gone), finding("trialing"), at(40)).unwrap();
        assert_eq!((back.since, back.times, back.gone), (at(40), 3, None));
        let chain = [first, second, third, fourth];
        trail::verify(&finding("active").id(), &chain, Some(back.trail)).unwrap();
    }
}
