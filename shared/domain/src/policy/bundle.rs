//! Loading a bundle: every rule parses, validates strictly and has an id and a reason, or nothing
//! starts.

use std::collections::{BTreeMap, BTreeSet};

use cedar_policy::{PolicyId, PolicySet, Schema, ValidationMode, Validator};
use serde::Deserialize;

use super::{
    calendar::Calendar,
    locale::Locale,
    playbook::{ApprovalRule, Playbook},
    template::Template,
    templates::Templates,
};
use crate::{classify::Bucket, decide::needs_playbook, encoding};

/// A loaded policy bundle.
#[derive(Debug)]
pub struct Bundle {
    id: String,
    rules: PolicySet,
    schema: Schema,
    playbooks: BTreeMap<Bucket, Playbook>,
    approvals: BTreeMap<String, ApprovalRule>,
    templates: Templates,
    calendar: Calendar,
}

/// What is wrong with a bundle, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("policy `{file}`: {problem}")]
pub struct BundleError {
    /// The file in the bundle.
    pub file: String,
    /// What is wrong with it.
    pub problem: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Playbooks {
    version: String,
    playbook: BTreeMap<Bucket, Playbook>,
    approval: BTreeMap<String, ApprovalRule>,
}

const CALENDAR: &str = "calendar.toml";
const PLAYBOOKS: &str = "playbooks.toml";
const SCHEMA: &str = "rules/schema.cedarschema";

impl Bundle {
    /// Reads a bundle from its files, by path within the bundle.
    ///
    /// # Errors
    /// The first file that is missing or wrong.
    pub fn load(files: &BTreeMap<String, String>) -> Result<Self, BundleError> {
        let wrong = |file: &str, problem: String| BundleError { file: file.to_owned(), problem };
        let file = |name: &str| {
            files.get(name).ok_or_else(|| wrong(name, "the file is missing; restore it in the bundle".into()))
        };
        let (schema, warnings) =
            Schema::from_cedarschema_str(file(SCHEMA)?).map_err(|error| wrong(SCHEMA, error.to_string()))?;
        if let Some(warning) = warnings.into_iter().next() {
            return Err(wrong(SCHEMA, warning.to_string()));
        }
        let books: Playbooks =
            toml::from_str(file(PLAYBOOKS)?).map_err(|error| wrong(PLAYBOOKS, error.to_string()))?;
        for (operation, rule) in &books.approval {
            rule.check().map_err(|problem| wrong(PLAYBOOKS, format!("approval `{operation}`: {problem}")))?;
        }

        let templates = Templates::load(files)?;
        let calendar = Calendar::parse(file(CALENDAR)?).map_err(|problem| wrong(CALENDAR, problem))?;
        for (bucket, playbook) in &books.playbook {
            if let Some(id) =
                playbook.draft.as_ref().filter(|id| templates.get(id, templates.default_locale()).is_none())
            {
                return Err(wrong(
                    PLAYBOOKS,
                    format!("`{bucket}` names the template `{id}`, which is not there"),
                ));
            }
            if let Some(name) = playbook.request.as_ref().filter(|name| !books.approval.contains_key(*name)) {
                return Err(wrong(
                    PLAYBOOKS,
                    format!("`{bucket}` asks for `{name}`, which has no `[approval]`"),
                ));
            }
        }
        let needed = Bucket::ALL.into_iter().filter(|bucket| needs_playbook(*bucket));
        if let Some(bucket) = needed.into_iter().find(|bucket| !books.playbook.contains_key(bucket)) {
            return Err(wrong(PLAYBOOKS, format!("add `[playbook.{bucket}]`: somebody has to see it")));
        }

        let mut rules = PolicySet::new();
        let mut ids = BTreeSet::new();
        for (name, source) in files.iter().filter(|(name, _)| name.strip_suffix(".cedar").is_some()) {
            let parsed: PolicySet = source.parse().map_err(|error| wrong(name, format!("{error}")))?;
            if parsed.templates().next().is_some() {
                return Err(wrong(name, "a rule with slots is not used here; write it out".into()));
            }
            for rule in parsed.policies() {
                let id = rule.annotation("id").filter(|id| !id.is_empty());
                let id = id.ok_or_else(|| wrong(name, "every rule needs an @id(\"…\")".into()))?;
                if rule.annotation("reason").is_none_or(str::is_empty) {
                    return Err(wrong(name, format!("rule `{id}` needs a @reason(\"…\") for people")));
                }
                if !ids.insert(id.to_owned()) {
                    return Err(wrong(name, format!("rule id `{id}` is used twice")));
                }
                rules
                    .add(rule.new_id(PolicyId::new(id)))
                    .map_err(|error| wrong(name, format!("rule `{id}`: {error}")))?;
            }
        }
        if rules.is_empty() {
            return Err(wrong("rules/", "there is no rule, so nothing would ever be permitted".into()));
        }
        let validation = Validator::new(schema.clone()).validate(&rules, ValidationMode::Strict);
        if let Some(error) = validation.validation_errors().next() {
            return Err(wrong("rules/", error.to_string()));
        }
        if let Some(warning) = validation.validation_warnings().next() {
            return Err(wrong("rules/", warning.to_string()));
        }
        let digest = encoding::digest("policy/bundle/v1", |to| to.map(files));
        let id = format!("{}+{digest}", books.version);
        Ok(Self {
            id,
            rules,
            schema,
            playbooks: books.playbook,
            approvals: books.approval,
            templates,
            calendar,
        })
    }

    /// Version and SHA-256 over all files: `2026-11+0f3a…`.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What to do about a bucket; nothing if the bundle has no playbook for it.
    pub fn playbook(&self, bucket: Bucket) -> Option<&Playbook> {
        self.playbooks.get(&bucket)
    }

    /// An approved message in a language, or in the bundle's own if it does not write that one.
    pub fn template(&self, id: &str, locale: Locale) -> Option<&Template> {
        self.templates.get(id, locale)
    }

    /// All approved messages.
    pub const fn templates(&self) -> &Templates {
        &self.templates
    }

    /// Business hours, holidays and quiet hours.
    pub const fn calendar(&self) -> &Calendar {
        &self.calendar
    }

    /// Every channel that a playbook names.
    pub fn channels(&self) -> BTreeSet<&str> {
        self.playbooks.values().map(|playbook| playbook.channel.as_str()).collect()
    }

    /// How an operation is approved; an operation without a rule cannot be proposed.
    pub fn approval(&self, operation: &str) -> Option<&ApprovalRule> {
        self.approvals.get(operation)
    }

    pub(super) const fn rules(&self) -> &PolicySet {
        &self.rules
    }

    pub(super) const fn schema(&self) -> &Schema {
        &self.schema
    }

    pub(super) fn reason(&self, id: &PolicyId) -> String {
        self.rules.annotation(id, "reason").unwrap_or_default().to_owned()
    }
}
