//! Evidence against a dispute: named texts and files within the limits that Stripe sets.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What is sent to the bank, by the name of Stripe's field
/// (<https://docs.stripe.com/api/disputes/evidence_object>). Texts go as they are, files as the id
/// of an upload. Plain fields only: compelling evidence and compliance programmes carry fees and
/// conditions of their own and are left to the Dashboard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "BTreeMap<String, String>", into = "BTreeMap<String, String>")]
pub struct Evidence(BTreeMap<String, String>);

/// Why Stripe would not take it as evidence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotEvidence {
    /// Nothing to submit.
    #[error("no field is given: name at least one")]
    Empty,
    /// Not one of the fields.
    #[error("`{0}` is no field of evidence")]
    UnknownField(String),
    /// Without text.
    #[error("`{0}` is blank: leave it out instead")]
    Blank(String),
    /// A file field that holds no id.
    #[error("`{0}` takes the id of an uploaded file")]
    NotAFile(String),
    /// One text beyond [`MAX_TEXT`].
    #[error("`{0}` is longer than {MAX_TEXT} characters: shorten it")]
    TooLong(String),
    /// All texts together beyond [`MAX_ALL_TEXT`].
    #[error("all texts together are longer than {MAX_ALL_TEXT} characters: shorten them")]
    TooLongTogether,
}

/// Characters that one text may have.
pub const MAX_TEXT: usize = 20_000;
/// Characters that all texts together may have (<https://docs.stripe.com/disputes/api>).
pub const MAX_ALL_TEXT: usize = 150_000;

const TEXTS: [&str; 18] = [
    "access_activity_log",
    "billing_address",
    "cancellation_policy_disclosure",
    "cancellation_rebuttal",
    "customer_email_address",
    "customer_name",
    "customer_purchase_ip",
    "duplicate_charge_explanation",
    "duplicate_charge_id",
    "product_description",
    "refund_policy_disclosure",
    "refund_refusal_explanation",
    "service_date",
    "shipping_address",
    "shipping_carrier",
    "shipping_date",
    "shipping_tracking_number",
    "uncategorized_text",
];

const FILES: [&str; 9] = [
    "cancellation_policy",
    "customer_communication",
    "customer_signature",
    "duplicate_charge_documentation",
    "receipt",
    "refund_policy",
    "service_documentation",
    "shipping_documentation",
    "uncategorized_file",
];

/// Whether Stripe has a field of evidence by this name.
pub fn is_evidence_field(name: &str) -> bool {
    TEXTS.contains(&name) || FILES.contains(&name)
}

impl Evidence {
    /// Checks the names, that nothing is blank, and the lengths.
    ///
    /// # Errors
    /// [`NotEvidence`] names the field to correct.
    pub fn new(fields: BTreeMap<String, String>) -> Result<Self, NotEvidence> {
        if fields.is_empty() {
            return Err(NotEvidence::Empty);
        }
        let mut all = 0;
        for (name, value) in &fields {
            let length = value.chars().count();
            if value.trim().is_empty() {
                return Err(NotEvidence::Blank(name.clone()));
            }
            if FILES.contains(&name.as_str()) {
                crate::ObjectId::parse(value.as_str()).map_err(|_| NotEvidence::NotAFile(name.clone()))?;
            } else if !TEXTS.contains(&name.as_str()) {
                return Err(NotEvidence::UnknownField(name.clone()));
            } else if length > MAX_TEXT {
                return Err(NotEvidence::TooLong(name.clone()));
            } else {
                all += length;
            }
        }
        if all > MAX_ALL_TEXT { Err(NotEvidence::TooLongTogether) } else { Ok(Self(fields)) }
    }

    /// The fields in the order of their names.
    pub fn fields(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

impl TryFrom<BTreeMap<String, String>> for Evidence {
    type Error = NotEvidence;

    fn try_from(fields: BTreeMap<String, String>) -> Result<Self, NotEvidence> {
        Self::new(fields)
    }
}

impl From<Evidence> for BTreeMap<String, String> {
    fn from(evidence: Evidence) -> Self {
        evidence.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evidence(fields: &[(&str, &str)]) -> Result<Evidence, NotEvidence> {
        Evidence::new(fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn evidence_takes_stripes_fields_and_no_others() {
        assert!(evidence(&[("receipt", "file_1"), ("product_description", "A seat")]).is_ok());
        assert_eq!(evidence(&[]), Err(NotEvidence::Empty));
        assert_eq!(evidence(&[("submit", "true")]), Err(NotEvidence::UnknownField("submit".into())));
        assert_eq!(evidence(&[("receipt", "see below")]), Err(NotEvidence::NotAFile("receipt".into())));
        assert_eq!(evidence(&[("service_date", " ")]), Err(NotEvidence::Blank("service_date".into())));
    }

    #[test]
    fn texts_are_limited_one_by_one_and_together() {
        let (most, more) = ("é".repeat(MAX_TEXT), "é".repeat(MAX_TEXT + 1));
        assert!(evidence(&[("uncategorized_text", &most)]).is_ok(), "characters, not bytes");
        assert_eq!(
            evidence(&[("uncategorized_text", &more)]),
            Err(NotEvidence::TooLong("uncategorized_text".into()))
        );
        let eight: Vec<(&str, &str)> = TEXTS.iter().take(8).map(|name| (*name, most.as_str())).collect();
        assert_eq!(evidence(&eight), Err(NotEvidence::TooLongTogether));
    }

    #[test]
    fn evidence_that_was_stored_is_checked_again() {
        assert!(serde_json::from_str::<Evidence>(r#"{"receipt":"file_1"}"#).is_ok());
        assert!(serde_json::from_str::<Evidence>(r#"{"appeal":"x"}"#).is_err());
    }
}
