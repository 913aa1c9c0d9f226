//! The sealed manifest: who was the last to change each rule by which something is signed or asked for.
//!
//! `countersign policy seal` makes it from version control when the bundle is built. It binds each
//! rule's content, so a rule that was changed since counts as changed by nobody known.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Digest;

/// The manifest, `manifest.toml` in the bundle.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// By the rule's id: that of a Cedar rule, or `approval.` and the operation.
    #[serde(default)]
    pub rule: BTreeMap<String, Sealed>,
}

/// One rule's seal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sealed {
    /// The e-mail address that version control has for whoever changed it last.
    pub by: String,
    /// SHA-256 of the rule as it is written.
    pub content: Digest,
}

impl Manifest {
    /// Who was the last to change a rule of this content; `None` if that is not known.
    pub fn author(&self, rule: &str, content: Digest) -> Option<&str> {
        self.rule.get(rule).filter(|sealed| sealed.content == content).map(|sealed| sealed.by.as_str())
    }

    /// As TOML.
    pub fn to_toml(&self) -> String {
        let mut text = String::from(
            "# Who was the last to change each rule by which something is signed. Made by\n\
             # `countersign policy seal` from version control; do not edit.\n",
        );
        for (id, Sealed { by, content }) in &self.rule {
            // Ids and addresses hold no quotes: `seal` refuses them.
            let lines =
                [format!("[rule.\"{id}\"]"), format!("by = \"{by}\""), format!("content = \"{content}\"")];
            text.push('\n');
            text.push_str(&lines.join("\n"));
            text.push('\n');
        }
        text
    }
}
