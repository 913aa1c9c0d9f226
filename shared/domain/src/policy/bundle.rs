//! Loading a bundle: every rule parses, validates strictly and has an id and a reason, or nothing
//! starts.

use std::collections::{BTreeMap, BTreeSet};

use cedar_policy::{
    ActionConstraint, EntityUid, Policy, PolicyId, PolicySet, Schema, ValidationMode, Validator,
};
use serde::Deserialize;

use super::{approval::ApprovalRule, manifest::Manifest, playbook::Playbook, template::Template};
use crate::{Digest, approval::OperationKind, classify::Bucket, decide::needs_playbook, encoding};

/// A loaded policy bundle.
#[derive(Debug)]
pub struct Bundle {
    id: String,
    rules: PolicySet,
    schema: Schema,
    playbooks: BTreeMap<Bucket, Playbook>,
    approvals: BTreeMap<String, ApprovalRule>,
    templates: BTreeMap<String, Template>,
    /// Who was the last to change each rule that decides about signing, if that is known.
    authors: BTreeMap<String, Option<String>>,
    contents: BTreeMap<String, Digest>,
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
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Approvals {
    approval: BTreeMap<String, ApprovalRule>,
}

const PLAYBOOKS: &str = "playbooks.toml";
const APPROVALS: &str = "approvals.toml";
const MANIFEST: &str = "manifest.toml";
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
        let Approvals { approval: approvals } =
            toml::from_str(file(APPROVALS)?).map_err(|error| wrong(APPROVALS, error.to_string()))?;
        for (operation, rule) in &approvals {
            if OperationKind::parse(operation).is_none() {
                return Err(wrong(APPROVALS, format!("there is no operation `{operation}`")));
            }
            rule.check().map_err(|problem| wrong(APPROVALS, format!("approval `{operation}`: {problem}")))?;
        }

        let mut templates = BTreeMap::new();
        for (name, source) in files.iter().filter(|(name, _)| name.starts_with("templates/")) {
            let template: Template =
                toml::from_str(source).map_err(|error| wrong(name, error.to_string()))?;
            template.check().map_err(|problem| wrong(name, problem))?;
            if let Some(other) = templates.insert(template.id.clone(), template) {
                return Err(wrong(name, format!("template id `{}` is used twice", other.id)));
            }
        }
        for (bucket, playbook) in &books.playbook {
            if let Some(id) = playbook.draft.as_ref().filter(|id| !templates.contains_key(*id)) {
                return Err(wrong(
                    PLAYBOOKS,
                    format!("`{bucket}` names the template `{id}`, which is not there"),
                ));
            }
            if let Some(name) = playbook.request.as_ref().filter(|name| !approvals.contains_key(*name)) {
                return Err(wrong(
                    PLAYBOOKS,
                    format!("`{bucket}` asks for `{name}`, which has no `[approval]` in `{APPROVALS}`"),
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
        let contents = contents(&rules, &approvals);
        let manifest: Manifest = match files.get(MANIFEST) {
            Some(text) => toml::from_str(text).map_err(|error| wrong(MANIFEST, error.to_string()))?,
            None => Manifest::default(),
        };
        let author = |(id, content): (&String, &Digest)| {
            (id.clone(), manifest.author(id, *content).map(str::to_lowercase))
        };
        let authors = contents.iter().map(author).collect();
        let digest = encoding::digest("policy/bundle/v1", |to| to.map(files));
        let id = format!("{}+{digest}", books.version);
        Ok(Self { id, rules, schema, playbooks: books.playbook, approvals, templates, authors, contents })
    }

    /// Version and SHA-256 over all files: `2026-11+0f3a…`.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What to do about a bucket; nothing if the bundle has no playbook for it.
    pub fn playbook(&self, bucket: Bucket) -> Option<&Playbook> {
        self.playbooks.get(&bucket)
    }

    /// An approved message.
    pub fn template(&self, id: &str) -> Option<&Template> {
        self.templates.get(id)
    }

    /// Every channel that a playbook names.
    pub fn channels(&self) -> BTreeSet<&str> {
        self.playbooks.values().map(|playbook| playbook.channel.as_str()).collect()
    }

    /// How an operation is approved; an operation without a rule cannot be proposed.
    pub fn approval(&self, operation: &str) -> Option<&ApprovalRule> {
        self.approvals.get(operation)
    }

    /// Whether one of these people's addresses is that of whoever was the last to change a rule by which
    /// this kind of operation would be signed: a Cedar rule that decided, or how it is approved.
    pub fn changed_last<'a>(
        &self,
        rules: impl IntoIterator<Item = &'a str>,
        kind: OperationKind,
        emails: &[String],
    ) -> bool {
        let approval = approval_id(kind.as_str());
        let mut ids = rules.into_iter().map(str::to_owned).chain([approval]);
        ids.any(|id| {
            let author = self.authors.get(&id).and_then(Option::as_deref);
            author.is_some_and(|author| emails.iter().any(|own| own.trim().eq_ignore_ascii_case(author)))
        })
    }

    /// Whether it is known of every rule by which this kind of operation can be signed who changed it
    /// last. If not, anybody could have: then no single person releases by it.
    pub fn is_attributed(&self, kind: OperationKind) -> bool {
        let approval = approval_id(kind.as_str());
        let decide = |id: &str| !id.starts_with(APPROVAL_PREFIX) || id == approval;
        self.authors.iter().filter(|(id, _)| decide(id)).all(|(_, author)| author.is_some())
    }

    /// The content of each rule that decides about signing, by its id, for the seal.
    pub const fn contents(&self) -> &BTreeMap<String, Digest> {
        &self.contents
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

/// Before the operation, in the id of how it is approved.
const APPROVAL_PREFIX: &str = "approval.";

fn approval_id(operation: &str) -> String {
    format!("{APPROVAL_PREFIX}{operation}")
}

/// What each rule about signing says: of a Cedar rule its text, of a table its values.
fn contents(rules: &PolicySet, approvals: &BTreeMap<String, ApprovalRule>) -> BTreeMap<String, Digest> {
    let signing = rules.policies().filter(|rule| decides_signing(rule));
    let cedar = signing.map(|rule| (rule.id().to_string(), Digest::of(rule.to_string())));
    let tables = approvals.iter().map(|(operation, rule)| {
        // Maps are ordered, so there is one text for a rule.
        let text = serde_json::to_string(rule).unwrap_or_default();
        (approval_id(operation), Digest::of(text))
    });
    cedar.chain(tables).collect()
}

fn decides_signing(rule: &Policy) -> bool {
    let is_sign = |action: &EntityUid| action.id().unescaped() == "sign";
    match rule.action_constraint() {
        ActionConstraint::Any => true,
        ActionConstraint::Eq(action) => is_sign(&action),
        ActionConstraint::In(actions) => actions.iter().any(is_sign),
    }
}
