//! The rules by which something can be asked for: what a mandate stands under.

use cedar_policy::{Effect, PolicyId};

use super::{Bundle, RuleRef};
use crate::{Digest, RuleId, approval::RuleFacts};

/// How the agent asks, and how people do.
const QUESTIONS: [&str; 2] = ["request", "ask"];

impl Bundle {
    /// A rule that lets something be asked for; `None` if there is none of this id.
    pub fn asking_rule(&self, id: &RuleId) -> Option<RuleFacts> {
        let name = PolicyId::new(id.as_str());
        let found = QUESTIONS.iter().find_map(|question| self.rules_for(question).policy(&name))?;
        (found.effect() == Effect::Permit).then(|| RuleFacts {
            id: id.clone(),
            reason: self.reason(&name),
            content: Digest::of(found.to_string()),
            policy: self.id().to_owned(),
        })
    }

    /// All of them, in the order of their ids.
    pub fn asking_rules(&self) -> Vec<RuleRef> {
        let ids = QUESTIONS.iter().flat_map(|question| self.rules_about(question));
        let ids: std::collections::BTreeSet<String> = ids.collect();
        let known = ids.into_iter().filter_map(|id| self.asking_rule(&RuleId::parse(id).ok()?));
        known.map(|rule| RuleRef { id: rule.id.to_string(), reason: rule.reason }).collect()
    }
}
