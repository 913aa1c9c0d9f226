//! The policy bundle: what finance reviews in a pull request, and the verdicts that it gives.
//!
//! Rules are Cedar: nothing is permitted that no rule permits, a `forbid` beats every `permit`, and
//! the answer names the rules that decided. A rule that errors, and a question that does not fit the
//! schema, permit nothing (I7).

mod advice;
mod approval;
mod asking;
mod bundle;
mod calendar;
mod caution;
mod evidence;
mod example;
mod facts;
mod locale;
mod manifest;
mod playbook;
mod settings;
mod slot;
mod template;
mod templates;
pub mod words;
mod zone;

use std::{collections::BTreeMap, sync::LazyLock};

use cedar_policy::{
    Authorizer, Context as CedarContext, Decision, Entities, Entity, EntityId, EntityTypeName, EntityUid,
    Request, RestrictedExpression,
};
use serde::{Deserialize, Serialize};

use crate::{
    Money,
    approval::{Action, OperationKind, Person},
};

pub use advice::{AdviceSettings, Caps};
pub use approval::{ApprovalRule, Requester};
pub use bundle::{Bundle, BundleError};
pub use calendar::Calendar;
pub use evidence::{Checklists, Wanted};
pub use example::{Example, Expect, LikeError, resolve, step_word};
pub(crate) use facts::Found;
pub use facts::{CaseFacts, Strength};
pub use locale::Locale;
pub use manifest::{Manifest, Sealed};
pub use playbook::{Kind, Override, Playbook, Rung};
pub(crate) use settings::is_above;
pub use settings::{
    Autonomy, Churn, Controlled, DisputeSettings, Escalation, Exception, ExceptionKind, Frequency, Gated,
    Reaction, Segment, Settings, Source, Thresholds, WRITES, Watch,
};
pub(crate) use slot::visible;
pub use slot::{Link, NAME, NotALink, Slot, SlotType, Slots, TEXT};
pub use template::{Audience, Channel, Message, RenderError, Template, Tone};
pub use templates::Templates;
pub use zone::{NotAZone, Zone};

/// A rule that decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleRef {
    /// Its id in the bundle.
    pub id: String,
    /// Its reason, in words for finance.
    pub reason: String,
}

/// What policy decided about one question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// What was asked: `alert`, `request`, `ask`, `sign`.
    pub asked: String,
    /// The answer.
    pub permitted: bool,
    /// The rules that decided; none if nothing permits it.
    pub rules: Vec<RuleRef>,
    /// What went wrong while deciding; then nothing is permitted.
    pub errors: Vec<String>,
    /// The bundle's version and digest.
    pub policy: String,
}

impl Bundle {
    /// What the rules say to each question about a case, in the order of the questions. The facts are put
    /// to them once.
    pub(crate) fn may<'a>(
        &self,
        facts: &CaseFacts,
        questions: impl IntoIterator<Item = &'a str>,
    ) -> Vec<Verdict> {
        let case =
            uid("Case", "case").and_then(|id| Entity::new(id, facts.attributes().collect(), [].into()).ok());
        let agent = uid("Agent", "processor").map(|agent| Entity::new_no_attrs(agent, [].into()));
        let entities = Entities::from_entities(agent.into_iter().chain(case), Some(self.schema()));
        questions
            .into_iter()
            .map(|question| match &entities {
                Ok(entities) => self.ask(question, ("Agent", "processor"), ("Case", "case"), entities),
                Err(error) => self.refuse(question, error.to_string()),
            })
            .collect()
    }

    /// Whether a person may ask for an operation of so much; before they say how much, of any amount.
    pub fn may_ask(
        &self,
        person: &Person,
        kind: OperationKind,
        livemode: bool,
        amount: Option<Money>,
    ) -> Verdict {
        self.ask_person("ask", person, kind, "wish", livemode, amount)
    }

    /// Whether a person may sign a proposal. The floor in [`Person::may_sign`] comes first and is
    /// not asked here.
    pub fn may_sign(&self, person: &Person, action: &Action) -> Verdict {
        let (kind, amount) = (action.operation.kind(), action.operation.amount());
        self.ask_person("sign", person, kind, action.proposal.as_str(), action.livemode, amount)
    }

    fn ask_person(
        &self,
        act: &str,
        person: &Person,
        kind: OperationKind,
        proposal: &str,
        livemode: bool,
        amount: Option<Money>,
    ) -> Verdict {
        let mut facts = vec![
            text("operation", kind.as_str()),
            ("livemode".to_owned(), RestrictedExpression::new_bool(livemode)),
        ];
        if let Some(money) = amount {
            facts.push(("amount".to_owned(), RestrictedExpression::new_long(money.amount)));
            facts.push(text("currency", money.currency.code()));
        }
        let groups: Vec<_> = person.groups.iter().filter_map(|group| uid("Group", group)).collect();
        let mut entities: Vec<Entity> =
            groups.iter().cloned().map(|group| Entity::new_no_attrs(group, [].into())).collect();
        entities.extend(
            uid("Person", person.id.as_str())
                .map(|id| Entity::new_no_attrs(id, groups.into_iter().collect())),
        );
        entities.extend(
            uid("Proposal", proposal)
                .and_then(|id| Entity::new(id, facts.into_iter().collect(), [].into()).ok()),
        );
        match Entities::from_entities(entities, Some(self.schema())) {
            Ok(entities) => self.ask(act, ("Person", person.id.as_str()), ("Proposal", proposal), &entities),
            Err(error) => self.refuse(act, error.to_string()),
        }
    }

    /// An answer that permits nothing, because the question could not be put.
    fn refuse(&self, asked: &str, error: String) -> Verdict {
        Verdict {
            asked: asked.to_owned(),
            permitted: false,
            rules: Vec::new(),
            errors: vec![error],
            policy: self.id().to_owned(),
        }
    }

    fn ask(
        &self,
        action: &str,
        principal: (&str, &str),
        resource: (&str, &str),
        entities: &Entities,
    ) -> Verdict {
        let (Some(principal), Some(act), Some(resource)) =
            (uid(principal.0, principal.1), uid("Action", action), uid(resource.0, resource.1))
        else {
            return self.refuse(action, "the question cannot be put to the rules".into());
        };
        let request = match Request::new(principal, act, resource, CedarContext::empty(), Some(self.schema()))
        {
            Ok(request) => request,
            Err(error) => return self.refuse(action, error.to_string()),
        };
        let answer = Authorizer::new().is_authorized(&request, self.rules_for(action), entities);
        let errors: Vec<String> = answer.diagnostics().errors().map(ToString::to_string).collect();
        let mut rules: Vec<RuleRef> = answer
            .diagnostics()
            .reason()
            .map(|id| RuleRef { id: id.to_string(), reason: self.reason(id) })
            .collect();
        rules.sort_by(|one, two| one.id.cmp(&two.id));
        Verdict {
            asked: action.to_owned(),
            permitted: answer.decision() == Decision::Allow && errors.is_empty(),
            rules,
            errors,
            policy: self.id().to_owned(),
        }
    }
}

fn text(name: &str, value: &str) -> (String, RestrictedExpression) {
    (name.to_owned(), RestrictedExpression::new_string(value.to_owned()))
}

/// The entity types of the schema. Reading a name takes Cedar's parser, so each is read once.
static KINDS: LazyLock<BTreeMap<&'static str, EntityTypeName>> = LazyLock::new(|| {
    let kinds = ["Action", "Agent", "Case", "Group", "Person", "Proposal"];
    kinds.into_iter().filter_map(|kind| Some((kind, kind.parse().ok()?))).collect()
});

fn uid(kind: &str, id: &str) -> Option<EntityUid> {
    Some(EntityUid::from_type_name_and_id(KINDS.get(kind)?.clone(), EntityId::new(id)))
}
