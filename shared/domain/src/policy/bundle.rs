//! Loading a bundle: every rule parses, validates strictly and has an id and a reason, every playbook finds
//! its templates, or nothing starts.

use std::{
    collections::{BTreeMap, BTreeSet},
    str::FromStr as _,
};

use cedar_policy::{
    ActionConstraint, Effect, EntityUid, Policy, PolicyId, PolicySet, PrincipalConstraint,
    ResourceConstraint, Schema, ValidationMode, Validator, ffi::DetailedError,
};
use serde::{Deserialize, de::DeserializeOwned};

use super::{
    Calendar, Templates,
    approval::ApprovalRule,
    evidence::Checklists,
    manifest::Manifest,
    playbook::{Playbook, Rung},
    settings::{Exception, Exceptions, Settings, Source},
    slot::Slots,
    template::{Message, RenderError, Template},
};
use crate::{
    CustomerId, Digest, Timestamp, approval::OperationKind, classify::Bucket, decide::needs_playbook,
    encoding,
};

/// A loaded policy bundle.
#[derive(Debug, Clone)]
pub struct Bundle {
    id: String,
    rules: PolicySet,
    /// The rules that can speak about an action, so that a question asks no others.
    by_action: BTreeMap<String, PolicySet>,
    schema: Schema,
    settings: Settings,
    exceptions: Vec<Exception>,
    checklists: Checklists,
    calendar: Calendar,
    /// By segment, then by bucket.
    playbooks: BTreeMap<String, BTreeMap<Bucket, Playbook>>,
    approvals: BTreeMap<String, ApprovalRule>,
    templates: Templates,
    /// Who was the last to change each rule that decides about signing or asking, if that is known.
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

impl BundleError {
    pub(super) fn new(file: &str, problem: impl Into<String>) -> Self {
        Self { file: file.to_owned(), problem: problem.into() }
    }
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
const SETTINGS: &str = "settings.toml";
const EXCEPTIONS: &str = "exceptions.toml";
const CALENDAR: &str = "calendar.toml";
const EVIDENCE: &str = "evidence.toml";
const MANIFEST: &str = "manifest.toml";
const SCHEMA: &str = "rules/schema.cedarschema";

type Files = BTreeMap<String, String>;

impl Bundle {
    /// Reads a bundle from its files, by path within the bundle. Files below `examples/` are not part of it:
    /// they are checked against it.
    ///
    /// # Errors
    /// The first file that is missing or wrong.
    pub fn load(files: &Files) -> Result<Self, BundleError> {
        let files: &Files = &files
            .iter()
            .filter(|(name, _)| !name.starts_with("examples/"))
            .map(|(name, text)| (name.clone(), text.clone()))
            .collect();
        let Playbooks { version, playbook: playbooks } = toml(files, PLAYBOOKS)?;
        let Approvals { approval: approvals } = toml(files, APPROVALS)?;
        let settings: Settings = toml(files, SETTINGS)?;
        let Exceptions { exceptions } = toml(files, EXCEPTIONS)?;
        let checklists: Checklists = toml(files, EVIDENCE)?;
        let calendar = Calendar::parse(text(files, CALENDAR)?)
            .map_err(|problem| BundleError::new(CALENDAR, problem.trim()))?;
        let templates = Templates::load(files)?;
        for (operation, rule) in &approvals {
            if OperationKind::parse(operation).is_none() {
                return Err(BundleError::new(APPROVALS, format!("there is no operation `{operation}`")));
            }
            rule.check().map_err(|problem| {
                BundleError::new(APPROVALS, format!("approval `{operation}`: {problem}"))
            })?;
        }
        settings.check().map_err(|problem| BundleError::new(SETTINGS, problem))?;
        for exception in &exceptions {
            exception.check().map_err(|problem| BundleError::new(EXCEPTIONS, problem))?;
        }
        checklists.check().map_err(|problem| BundleError::new(EVIDENCE, problem))?;
        check_playbooks(&playbooks, &settings, &templates, &approvals)?;
        let (rules, schema) = rules(files)?;
        let contents = contents(&rules, &approvals);
        let manifest: Manifest =
            if files.contains_key(MANIFEST) { toml(files, MANIFEST)? } else { Manifest::default() };
        let author = |(id, content): (&String, &Digest)| {
            (id.clone(), manifest.author(id, *content).map(str::to_lowercase))
        };
        let authors = contents.iter().map(author).collect();
        let digest = encoding::digest("policy/bundle/v1", |to| to.map(files));
        let playbooks = settings
            .segments
            .iter()
            .map(|segment| {
                let books = playbooks.iter();
                let books = books.map(|(bucket, book)| (*bucket, book.for_segment(&segment.name)));
                (segment.name.clone(), books.collect())
            })
            .collect();
        Ok(Self {
            id: format!("{version}+{digest}"),
            by_action: by_action(&rules, &schema),
            rules,
            schema,
            settings,
            exceptions,
            checklists,
            calendar,
            playbooks,
            approvals,
            templates,
            authors,
            contents,
        })
    }

    /// Version and SHA-256 over all files: `2026-11+0f3a…`.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The numbers behind the rules.
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The same bundle relying on other systems or with other exceptions, to try an example of a company that
    /// has them. Its id stays, so nothing is decided by it for good.
    pub(super) fn with(&self, sources: Option<&BTreeSet<Source>>, exceptions: Option<&[Exception]>) -> Self {
        let mut other = self.clone();
        if let Some(sources) = sources {
            other.settings.sources.clone_from(sources);
        }
        if let Some(exceptions) = exceptions {
            other.exceptions = exceptions.to_vec();
        }
        other
    }

    /// Business days, holidays, quiet hours.
    pub const fn calendar(&self) -> &Calendar {
        &self.calendar
    }

    /// What banks want to see.
    pub const fn checklists(&self) -> &Checklists {
        &self.checklists
    }

    /// The approved messages.
    pub const fn templates(&self) -> &Templates {
        &self.templates
    }

    /// The exceptions for a customer that count at a time.
    pub fn exceptions<'a>(
        &'a self,
        customer: Option<&'a CustomerId>,
        at: Timestamp,
    ) -> impl Iterator<Item = &'a Exception> {
        self.exceptions.iter().filter(move |one| Some(&one.customer) == customer && one.counts(at))
    }

    /// What to do about a bucket for customers of a segment; nothing if the bundle has no playbook for it.
    pub fn playbook(&self, bucket: Bucket, segment: &str) -> Option<&Playbook> {
        self.playbooks.get(segment)?.get(&bucket)
    }

    /// An approved message, filled: in the language that a customer prefers, if it is one of ours. `None` if
    /// there is no such template.
    pub fn message(
        &self,
        id: &str,
        wanted: Option<&str>,
        facts: &Slots,
    ) -> Option<(&Template, Result<Message, RenderError>)> {
        let locale = super::Locale::best(wanted, self.templates.default_locale());
        let template = self.templates.get(id, locale)?;
        Some((template, template.render(&facts.only(&template.slots), self.calendar.zone())))
    }

    /// Every channel that a playbook names, and the one for what is escalated.
    pub fn channels(&self) -> BTreeSet<&str> {
        let books = self.playbooks.values().flat_map(BTreeMap::values);
        books
            .map(|playbook| playbook.channel.as_str())
            .chain([self.settings.escalation.channel.as_str()])
            .collect()
    }

    /// How an operation is approved; an operation without a rule cannot be proposed.
    pub fn approval(&self, operation: &str) -> Option<&ApprovalRule> {
        self.approvals.get(operation)
    }

    /// Every rule with its id and reason, in the order of the ids.
    pub fn rules(&self) -> BTreeMap<String, String> {
        let all = self.rules.policies().map(|rule| (rule.id().to_string(), self.reason(rule.id())));
        all.collect()
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
        let signing = self.rules_about("sign");
        let decide = |id: &str| id == approval || signing.contains(id);
        self.authors.iter().filter(|(id, _)| decide(id)).all(|(_, author)| author.is_some())
    }

    /// The content of each rule that decides about signing or asking, by its id, for the seal.
    pub const fn contents(&self) -> &BTreeMap<String, Digest> {
        &self.contents
    }

    /// Every rule as it stands in its file, with its annotations, by id.
    pub fn rule_texts(&self) -> BTreeMap<String, String> {
        self.rules.policies().map(|rule| (rule.id().to_string(), rule.to_string())).collect()
    }

    /// The ids of the rules that can speak about an action.
    pub fn rules_about(&self, action: &str) -> BTreeSet<String> {
        self.rules_for(action).policies().map(|rule| rule.id().to_string()).collect()
    }

    /// Rules that can never decide, each with the rule that always decides instead: a `forbid` without
    /// conditions takes every action that such a rule permits.
    pub fn shadowed(&self) -> BTreeMap<String, String> {
        let without_conditions = |rule: &&Policy| {
            rule.effect() == Effect::Forbid
                && !rule.has_non_scope_constraint()
                && rule.principal_constraint() == PrincipalConstraint::Any
                && rule.resource_constraint() == ResourceConstraint::Any
        };
        let mut shadowed = BTreeMap::new();
        for rule in self.rules.policies().filter(|rule| rule.effect() == Effect::Permit) {
            let mut forbidding = BTreeSet::new();
            let everywhere =
                self.by_action.values().filter(|slice| slice.policy(rule.id()).is_some()).all(|slice| {
                    let first = slice.policies().find(without_conditions);
                    forbidding.extend(first.map(|first| first.id().to_string()));
                    first.is_some()
                });
            if let (true, Some(by)) = (everywhere, forbidding.pop_first()) {
                shadowed.insert(rule.id().to_string(), by);
            }
        }
        shadowed
    }

    pub(super) fn rules_for(&self, action: &str) -> &PolicySet {
        self.by_action.get(action).unwrap_or(&self.rules)
    }

    pub(super) const fn schema(&self) -> &Schema {
        &self.schema
    }

    pub(super) fn reason(&self, id: &PolicyId) -> String {
        self.rules.annotation(id, "reason").unwrap_or_default().to_owned()
    }
}

fn text<'a>(files: &'a Files, name: &str) -> Result<&'a str, BundleError> {
    let missing = || BundleError::new(name, "the file is missing; restore it in the bundle");
    files.get(name).map(String::as_str).ok_or_else(missing)
}

/// A file of the bundle, with unknown fields refused. What is wrong is told with its line.
pub(super) fn toml<T: DeserializeOwned>(files: &Files, name: &str) -> Result<T, BundleError> {
    toml::from_str(text(files, name)?).map_err(|error| BundleError::new(name, error.to_string().trim()))
}

fn check_playbooks(
    playbooks: &BTreeMap<Bucket, Playbook>,
    settings: &Settings,
    templates: &Templates,
    approvals: &BTreeMap<String, ApprovalRule>,
) -> Result<(), BundleError> {
    let wrong = |problem: String| Err(BundleError::new(PLAYBOOKS, problem));
    let segments: Vec<&str> = settings.segments.iter().map(|segment| segment.name.as_str()).collect();
    for (bucket, playbook) in playbooks {
        if let Err(problem) = playbook.check(&segments) {
            return wrong(format!("`{bucket}`: {problem}"));
        }
        for rung in playbook.all_rungs() {
            let mut named = rung.draft.iter().chain(&rung.chat).chain(&rung.follow_up);
            if let Some(id) = named.find(|id| templates.get(id, templates.default_locale()).is_none()) {
                return wrong(format!("`{bucket}` names the template `{id}`, which is not there"));
            }
            check_alternatives(rung, templates).or_else(|problem| wrong(format!("`{bucket}`: {problem}")))?;
            if let Some(name) = rung.request.as_ref().filter(|name| !approvals.contains_key(*name)) {
                return wrong(format!("`{bucket}` asks for `{name}`, which has no `[approval]`"));
            }
        }
    }
    let mut needed = Bucket::ALL.into_iter().filter(|bucket| needs_playbook(*bucket));
    match needed.find(|bucket| !playbooks.contains_key(bucket)) {
        Some(bucket) => wrong(format!("add `[playbook.{bucket}]`: somebody has to see it")),
        None => Ok(()),
    }
}

/// What a model may choose goes the way of the draft that the playbook names, and only such a message has room
/// for its words: what is drafted without a model needs none.
fn check_alternatives(rung: &Rung, templates: &Templates) -> Result<(), String> {
    let get = |id: &String| templates.get(id, templates.default_locale());
    let mut named = rung.draft.iter().chain(&rung.chat).chain(&rung.follow_up);
    if let Some(id) = named.find(|id| get(id).is_some_and(|template| template.free().next().is_some())) {
        return Err(format!("`{id}` has a `free` slot, so it can only be one of `alternatives`"));
    }
    for id in &rung.alternatives {
        let Some(other) = get(id) else { return Err(format!("there is no template `{id}`")) };
        let Some(draft) = rung.draft.as_ref().and_then(get) else {
            return Err(format!("`{id}` is an alternative to no `draft`"));
        };
        if (other.channel, other.audience) != (draft.channel, draft.audience) || other.id == draft.id {
            return Err(format!(
                "`{id}` is no alternative to `{}`: name another one of its channel",
                draft.id
            ));
        }
    }
    Ok(())
}

fn rules(files: &Files) -> Result<(PolicySet, Schema), BundleError> {
    let (schema, warnings) = Schema::from_cedarschema_str(text(files, SCHEMA)?)
        .map_err(|error| at_line(files, SCHEMA, &(&error).into()))?;
    if let Some(warning) = warnings.into_iter().next() {
        return Err(BundleError::new(SCHEMA, warning.to_string()));
    }
    let mut rules = PolicySet::new();
    let mut ids: BTreeMap<String, &str> = BTreeMap::new();
    for (name, source) in files.iter().filter(|(name, _)| name.strip_suffix(".cedar").is_some()) {
        let wrong = |problem: String| BundleError::new(name, problem);
        let parsed = PolicySet::from_str(source).map_err(|error| at_line(files, name, &(&error).into()))?;
        if parsed.templates().next().is_some() {
            return Err(wrong("a rule with slots is not used here; write it out".into()));
        }
        for rule in parsed.policies() {
            let id = rule.annotation("id").filter(|id| !id.is_empty());
            let id = id.ok_or_else(|| wrong("every rule needs an @id(\"…\")".into()))?;
            if rule.annotation("reason").is_none_or(str::is_empty) {
                return Err(wrong(format!("rule `{id}` needs a @reason(\"…\") for people")));
            }
            if let Some(other) = ids.insert(id.to_owned(), name) {
                return Err(wrong(format!("rule id `{id}` is used twice, here and in `{other}`")));
            }
            rules
                .add(rule.new_id(PolicyId::new(id)))
                .map_err(|error| wrong(format!("rule `{id}`: {error}")))?;
        }
    }
    if rules.is_empty() {
        return Err(BundleError::new("rules/", "there is no rule, so nothing would ever be permitted"));
    }
    let validation = Validator::new(schema.clone()).validate(&rules, ValidationMode::Strict);
    // The validator names the rule; the file is the one that the rule stands in.
    let place = |id: &PolicyId| ids.get(&id.to_string()).copied().unwrap_or("rules/").to_owned();
    if let Some(error) = validation.validation_errors().next() {
        return Err(at_line(files, &place(error.policy_id()), &error.into()));
    }
    if let Some(warning) = validation.validation_warnings().next() {
        return Err(at_line(files, &place(warning.policy_id()), &warning.into()));
    }
    Ok((rules, schema))
}

/// What Cedar says about a file, with the line and what helps, where it knows them.
fn at_line(files: &Files, name: &str, error: &DetailedError) -> BundleError {
    let start = error.source_locations.first().map(|label| label.loc.start);
    let before = start.and_then(|start| files.get(name)?.get(..start));
    let line =
        before.map_or_else(String::new, |before| format!("line {}: ", before.matches('\n').count() + 1));
    let help = error.help.as_ref().map_or_else(String::new, |help| format!("; {help}"));
    BundleError::new(name, format!("{line}{}{help}", error.message))
}

/// The rules that can speak about each action of the schema.
fn by_action(rules: &PolicySet, schema: &Schema) -> BTreeMap<String, PolicySet> {
    schema
        .actions()
        .map(|action| {
            let speaks = |constraint: &ActionConstraint| match constraint {
                ActionConstraint::Any => true,
                ActionConstraint::Eq(one) => one == action,
                ActionConstraint::In(some) => some.contains(action),
            };
            let slice = rules.policies().filter(|rule| speaks(&rule.action_constraint())).cloned();
            let name = action.id().unescaped().to_owned();
            (name, PolicySet::from_policies(slice).unwrap_or_else(|_| rules.clone()))
        })
        .collect()
}
/// Before the operation, in the id of how it is approved.
const APPROVAL_PREFIX: &str = "approval.";

fn approval_id(operation: &str) -> String {
    format!("{APPROVAL_PREFIX}{operation}")
}

/// What each rule about signing or asking says: of a Cedar rule its text, of a table its values.
fn contents(rules: &PolicySet, approvals: &BTreeMap<String, ApprovalRule>) -> BTreeMap<String, Digest> {
    let sealed = rules.policies().filter(|rule| is_sealed(rule));
    let cedar = sealed.map(|rule| (rule.id().to_string(), Digest::of(rule.to_string())));
    let tables = approvals.iter().map(|(operation, rule)| {
        // Maps are ordered, so there is one text for a rule.
        let text = serde_json::to_string(rule).unwrap_or_default();
        (approval_id(operation), Digest::of(text))
    });
    cedar.chain(tables).collect()
}

/// Whether it decides about signing or asking: a mandate stands under a rule about asking.
fn is_sealed(rule: &Policy) -> bool {
    let concerns = |action: &EntityUid| ["sign", "ask", "request"].contains(&action.id().unescaped());
    match rule.action_constraint() {
        ActionConstraint::Any => true,
        ActionConstraint::Eq(action) => concerns(&action),
        ActionConstraint::In(actions) => actions.iter().any(concerns),
    }
}
