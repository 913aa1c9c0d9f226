//! What people wrote beside an object in Stripe.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

/// The keys and values of `metadata` (<https://docs.stripe.com/metadata>). The values may be about people, so
/// they are not printed.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Metadata(pub BTreeMap<String, String>);

impl fmt::Debug for Metadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
