//! What the bank wants to see, by a dispute's reason.

use std::collections::BTreeMap;

use serde::Deserialize;

/// `evidence.toml`: a checklist for each of Stripe's reasons
/// (<https://docs.stripe.com/disputes/categories>), and `other` for one that is not listed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checklists {
    /// By reason.
    pub reason: BTreeMap<String, Vec<Wanted>>,
}

/// One thing that the bank wants to see.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// Stripe's name of the field (<https://docs.stripe.com/api/disputes/evidence_object>).
    pub field: String,
    /// Whether an answer without it is hopeless.
    #[serde(default)]
    pub required: bool,
    /// How to get it if it is not there.
    pub how: String,
}

/// The list for reasons that have none of their own.
const OTHER: &str = "other";

impl Checklists {
    /// The checklist for a reason.
    pub fn for_reason(&self, reason: &str) -> &[Wanted] {
        self.reason.get(reason).or_else(|| self.reason.get(OTHER)).map_or(&[], Vec::as_slice)
    }

    pub(super) fn check(&self) -> Result<(), String> {
        if !self.reason.contains_key(OTHER) {
            return Err("add `[[reason.other]]` for reasons that Stripe adds later".into());
        }
        let fields = self.reason.values().flatten();
        match fields.map(|wanted| &wanted.field).find(|field| !crate::approval::is_evidence_field(field)) {
            Some(field) => Err(format!("`{field}` is none of Stripe's fields of evidence")),
            None => Ok(()),
        }
    }
}
