//! From a context to a decision: classify, ask the rules, ask the interlocks, plan.

mod advice;
mod churn;
mod deadlines;
mod evidence;
mod handoff;
mod interlocks;
mod links;
mod messages;
mod refunds;
mod status;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

pub use advice::brief;

use crate::{
    Case, CaseKey, CaseKind, Timestamp,
    advice::Consulted,
    case::CaseState,
    classify::{Bucket, Classification, classify},
    context::{Context, Subject},
    plan::{Interlock, Priority, Step, StepKind, Suppression},
    policy::{Bundle, CaseFacts, Found, Gated, Kind, Playbook, RuleRef, Verdict},
    snapshot::Read,
    trail::Head,
};

/// What was decided about a case, complete.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// Where the case stands now.
    pub state: CaseState,
    /// What was found.
    pub classification: Classification,
    /// The customer's segment.
    pub segment: String,
    /// How urgent it is.
    pub priority: Priority,
    /// Whether more people must hear of it, with the rules that decided.
    pub escalation: Verdict,
    /// What a refund touches: `entitlements`, `revenue_recognition`, `account_health`.
    pub touches: BTreeSet<String>,
    /// What to do next.
    pub next: String,
    /// What happens if nobody acts.
    pub otherwise: String,
    /// What policy said to each step that was wished for.
    pub verdicts: Vec<Verdict>,
    /// Steps that were not taken, with the reason.
    pub suppressed: Vec<Suppression>,
    /// Steps to take; those that the case has already are not repeated here.
    pub steps: Vec<Step>,
    /// The last day on which something can be done, such as a dispute's deadline.
    pub deadline: Option<Timestamp>,
    /// When to decide anew even if nothing is heard: something was held back or could not be read, or the
    /// next rung of the ladder is due.
    pub revisit: Option<Timestamp>,
}

/// Decides about a case. The same context, case and bundle give the same decision; neither the
/// order of events nor their payload matters, since all facts come from the re-read.
pub fn decide(key: &CaseKey, context: &Context, before: Option<&Case>, bundle: &Bundle) -> Decision {
    let Basis { classification, checklist, facts } = Basis::of(key, context, before, bundle);
    let bucket = classification.bucket;
    let opened = before.map_or(context.at, |case| case.opened);
    let playbook = bundle.playbook(bucket, &facts.segment);
    // An invoice that was paid without ever having been open here is no news to anybody.
    let news = bucket != Bucket::Paid || interlocks::was_open(before);
    let rung = playbook.filter(|_| news).and_then(|playbook| playbook.due(facts.day.into()));

    let mut turn = Turn { key, context, before, bundle, facts: &facts, classification: &classification };
    let (wishes, lacking) = turn.wishes(playbook, rung, &checklist);
    let questions =
        ["escalate", "alert", "task"].into_iter().chain(wishes.iter().map(|wish| wish.kind.name()));
    let mut verdicts = bundle.may(&facts, questions).into_iter();
    let escalation = escalation(&facts, verdicts.next());
    let (alert, task) = (verdicts.next(), verdicts.next());
    let escalated = escalation.permitted;
    let mut decision = Decision {
        state: if bucket.is_settled() { CaseState::Closed } else { CaseState::Open },
        segment: facts.segment.clone(),
        priority: handoff::priority(&facts, escalated),
        touches: facts.touches.iter().map(|&one| one.to_owned()).collect(),
        next: playbook.map_or_else(String::new, |playbook| playbook.next(&facts).to_owned()),
        otherwise: playbook.map_or_else(String::new, |playbook| playbook.otherwise.clone()),
        escalation,
        verdicts: Vec::new(),
        suppressed: interlocks::stopped(context, before, bucket).into_iter().chain(lacking).collect(),
        steps: Vec::new(),
        deadline: deadlines::deadline(context),
        revisit: None,
        classification: classification.clone(),
    };
    for (wish, verdict) in wishes.into_iter().zip(verdicts) {
        turn.take(wish, verdict, &mut decision);
    }
    // What people must hear comes last, so that it tells what was done and what was held back. Interlocks
    // keep messages from customers and requests from approvers; the team always hears.
    if let Some(playbook) = playbook {
        let handed = decision.suppressed.iter().find(|one| one.interlock.hands_over()).cloned();
        let wants = |kind| rung.is_some_and(|(_, rung)| rung.steps.contains(&kind));
        if let Some(task) = task.filter(|_| wants(Kind::Task) || handed.is_some() || escalated) {
            turn.take(handoff::task(&turn, playbook, &decision, handed.as_ref(), rung), task, &mut decision);
        }
        if let Some(alert) = alert.filter(|_| wants(Kind::Alert) || handed.is_some() || escalated) {
            turn.take(
                handoff::alert(&turn, playbook, &decision, handed.as_ref(), rung),
                alert,
                &mut decision,
            );
        }
    }
    decision.revisit = deadlines::revisit(&turn, &decision, playbook, rung, opened);
    decision
}

/// What the rules say to these questions about a case, whether a playbook wishes for it or not.
pub fn verdicts(
    key: &CaseKey,
    context: &Context,
    before: Option<&Case>,
    bundle: &Bundle,
    questions: &[&str],
) -> Vec<Verdict> {
    bundle.may(&Basis::of(key, context, before, bundle).facts, questions.iter().copied())
}

/// Every question that the agent has: the actions of the schema that are its own.
pub const QUESTIONS: [&str; 10] = [
    "alert",
    "draft",
    "escalate",
    "evidence",
    "note",
    "payment_status",
    "reply",
    "request",
    "task",
    "ticket",
];

/// What a decision rests on.
struct Basis {
    classification: Classification,
    checklist: Vec<crate::plan::ChecklistItem>,
    facts: CaseFacts,
}

impl Basis {
    fn of(key: &CaseKey, context: &Context, before: Option<&Case>, bundle: &Bundle) -> Self {
        let classification = if key.kind() == context.subject.kind() {
            churn::raise(context, bundle, settle_answered(key, context, before, classify(context)))
        } else {
            Classification::new(Bucket::Unknown, "what was read is no object of this kind of case")
        };
        let bucket = classification.bucket;
        let opened = before.map_or(context.at, |case| case.opened);
        let day = context.at.since(opened).div_euclid(86_400).max(0);
        let checklist = evidence::checklist(context, bundle);
        let touches = refunds::touches(context, bundle, bucket);
        let found = Found { bucket, day, evidence: evidence::strength(&checklist), touches };
        Self { facts: CaseFacts::of(key, context, bundle, &found), classification, checklist }
    }
}

/// One decision while it is made.
struct Turn<'a> {
    key: &'a CaseKey,
    context: &'a Context,
    before: Option<&'a Case>,
    bundle: &'a Bundle,
    facts: &'a CaseFacts,
    classification: &'a Classification,
}

impl Turn<'_> {
    /// The steps that this rung of the ladder wishes for, less those that the case has already, and the
    /// messages that lack a fact.
    fn wishes(
        &self,
        playbook: Option<&Playbook>,
        rung: Option<(usize, &crate::policy::Rung)>,
        checklist: &[crate::plan::ChecklistItem],
    ) -> (Vec<Step>, Vec<Suppression>) {
        let (mut wishes, mut lacking) = (Vec::new(), Vec::new());
        if let (Some(playbook), Some((place, rung))) = (playbook, rung) {
            if let Some(operation) = &rung.request {
                wishes.push(self.request(operation));
            }
            if !rung.only_after_contact || self.before.is_some_and(|case| case.contacted) {
                let (drafts, without) = messages::drafts(self, rung, place);
                wishes.extend(drafts);
                lacking.extend(without);
            }
            let revision = self.revision(place);
            for kind in &rung.steps {
                match kind {
                    Kind::Note => {
                        let text = handoff::note(self, playbook);
                        wishes.push(self.step(StepKind::Note { text }, &revision));
                    }
                    Kind::Ticket => wishes.push(self.step(handoff::ticket(self, playbook), &revision)),
                    Kind::Evidence => wishes.push(evidence::step(self, checklist)),
                    Kind::Alert | Kind::Task => {}
                }
            }
        }
        wishes.extend(status::step(self));
        wishes.retain(|wish| !self.before.is_some_and(|case| case.steps.contains(&wish.key)));
        (wishes, lacking)
    }

    /// The request for a gated action. It is kept as a recommendation if the policy does not let the agent
    /// ask.
    fn request(&self, operation: &str) -> Step {
        let kind = StepKind::Request {
            operation: operation.to_owned(),
            origin: self.context.origin.clone(),
            source: self.context.event.clone(),
            parameters: [].into(),
        };
        let mut step = self.step(kind, &self.context.request_revision());
        if self.bundle.settings().autonomy.gated.get(operation) != Some(&Gated::Approve) {
            step.kept = Some("the policy only recommends it".into());
        }
        step
    }

    fn step(&self, kind: StepKind, revision: &str) -> Step {
        let mut step = Step::new(self.key, self.context.customer.clone(), kind, revision);
        step.kept = self.kept(&step.kind);
        step
    }

    /// Why a step stays with the case.
    fn kept(&self, kind: &StepKind) -> Option<String> {
        let autonomy = &self.bundle.settings().autonomy;
        let systems = self.context.systems;
        let (level, system) = match kind {
            StepKind::Draft(draft) if messages::is_put_to_approvers(self, draft) => {
                return Some("it is sent once it is approved".into());
            }
            StepKind::Draft(_) => return Some("a person sends it".into()),
            StepKind::Evidence { .. } => return Some("a person submits it".into()),
            StepKind::Request { .. } => return None,
            StepKind::Alert(_) => (autonomy.alert, None),
            StepKind::Task(_) => (autonomy.task, Some(("CRM", systems.crm))),
            StepKind::Note { .. } => (autonomy.note, Some(("CRM", systems.crm))),
            StepKind::PaymentStatus(_) => (autonomy.payment_status, Some(("CRM", systems.crm))),
            StepKind::Ticket { .. } => (autonomy.ticket, Some(("help desk", systems.help_desk))),
            StepKind::Reply { .. } => (autonomy.reply, Some(("help desk", systems.help_desk))),
        };
        if level == crate::policy::Controlled::Draft {
            return Some("the policy leaves it to a person".into());
        }
        match system {
            Some((name, false)) => Some(format!("no {name} is configured")),
            Some((_, true)) if self.context.customer.is_none() => Some("the customer is not known".into()),
            Some(("CRM", true)) if self.context.account.known().is_some_and(|one| one.id.is_empty()) => {
                Some("the CRM has no record of this customer".into())
            }
            _ => None,
        }
    }

    /// Takes a step, or says why not.
    fn take(&mut self, wish: Step, verdict: Verdict, decision: &mut Decision) {
        if self.before.is_some_and(|case| case.steps.contains(&wish.key)) {
            return;
        }
        let name = wish.kind.name();
        let held = interlocks::interlock(self, &wish.kind).or_else(|| {
            let why = verdict.errors.first().map_or("no rule permits it", String::as_str);
            let forbidden = verdict.rules.first().map_or(why, |rule| rule.reason.as_str());
            (!verdict.permitted).then(|| (Interlock::NoRule, forbidden.to_owned()))
        });
        decision.verdicts.push(verdict);
        match held {
            None => {
                let request = messages::request(self, &wish);
                decision.steps.push(wish);
                decision.steps.extend(request);
            }
            Some((interlock, because)) => {
                decision.suppressed.push(Suppression { step: name.into(), interlock, because });
            }
        }
    }

    /// What makes a new message necessary: another bucket, another rung, or a fact that changes what to
    /// do. It comes from what Stripe says and never from how often it said so, so duplicates and
    /// reordering add none.
    fn revision(&self, place: usize) -> String {
        let more = match &self.context.subject {
            // A failure is worth saying again when Stripe stops trying by itself.
            Subject::Invoice(Read::Found(invoice)) => match invoice.next_payment_attempt {
                Some(_) => "Stripe tries again".to_owned(),
                None => "Stripe does not try again".to_owned(),
            },
            // An inquiry that becomes a chargeback needs another answer by another day.
            Subject::Dispute(Read::Found(dispute)) => {
                let due = dispute.due_by.map_or(0, Timestamp::seconds);
                format!("{} {due} {}", dispute.status, deadlines::dispute_rung(self).unwrap_or_default())
            }
            Subject::Subscription(Read::Found(one)) => {
                let end = one.cancel_at.or(one.ended_at).or(one.current_period_end);
                format!("{} {}", one.status, end.filter(|_| one.is_ending()).map_or(0, Timestamp::seconds))
            }
            Subject::Charge(Read::Found(_)) => self.context.request_revision(),
            _ => String::new(),
        };
        format!("{} {more} {place}", self.classification.bucket)
    }
}

/// Whether more people must hear of it. A rule says so, or something that should be known is not, or the
/// rules could not be asked (I7).
fn escalation(facts: &CaseFacts, verdict: Option<Verdict>) -> Verdict {
    let mut verdict = verdict.unwrap_or_else(|| Verdict {
        asked: "escalate".into(),
        permitted: true,
        rules: Vec::new(),
        errors: vec!["the rules gave no answer".into()],
        policy: String::new(),
    });
    let floor = |id: &str, reason: String| RuleRef { id: id.to_owned(), reason };
    let mut floors = Vec::new();
    if !verdict.errors.is_empty() {
        floors.push(floor("floor-error", "A rule could not be evaluated, so a person decides.".into()));
    }
    if !facts.missing.is_empty() && !facts.bucket.is_settled() {
        let names: Vec<&str> = facts.missing.iter().copied().collect();
        let reason =
            format!("Not known: {}. What is not known counts as the stricter case.", names.join(", "));
        floors.push(floor("floor-missing", reason));
    }
    if !floors.is_empty() {
        // A forbidding rule may silence other rules, but nothing silences the floor.
        if !verdict.permitted {
            verdict.rules.clear();
        }
        verdict.permitted = true;
        verdict.rules.extend(floors);
    }
    verdict
}

/// A request that the case has made already is answered as soon as money went back; what the charge
/// still asks for in its metadata is the same request.
fn settle_answered(
    key: &CaseKey,
    context: &Context,
    before: Option<&Case>,
    found: Classification,
) -> Classification {
    let Subject::Charge(Read::Found(charge)) = &context.subject else { return found };
    let made = StepKind::Request {
        operation: String::new(),
        origin: context.origin.clone(),
        source: None,
        parameters: [].into(),
    };
    let request = Step::new(key, None, made, &context.request_revision()).key;
    let asked = charge.refund_request.is_some() && charge.amount_refunded.amount > 0;
    if asked && before.is_some_and(|case| case.steps.contains(&request)) {
        let reason = format!("{} of {} went back after this request", charge.amount_refunded, charge.amount);
        return Classification::new(Bucket::RefundMade, reason);
    }
    found
}

impl Case {
    /// The case after a decision.
    ///
    /// What a model last said about it counts as long as the same is found: without being asked again its case
    /// stays as urgent.
    pub fn after(
        before: Option<&Self>,
        key: &CaseKey,
        context: &Context,
        decision: &Decision,
        now: Timestamp,
        trail: Head,
    ) -> Self {
        let mut steps = before.map(|case| case.steps.clone()).unwrap_or_default();
        steps.extend(decision.steps.iter().map(|step| step.key.clone()));
        let same = before.filter(|case| case.classification.bucket == decision.classification.bucket);
        let advice = same.and_then(|case| case.advice.clone());
        let raised = advice.as_ref().and_then(Consulted::priority).unwrap_or(decision.priority);
        Self {
            key: key.clone(),
            customer: context.customer.clone().or_else(|| before.and_then(|case| case.customer.clone())),
            origin: context.origin.clone(),
            state: decision.state,
            classification: decision.classification.clone(),
            priority: decision.priority.max(raised),
            escalation: decision.escalation.clone(),
            next: decision.next.clone(),
            otherwise: decision.otherwise.clone(),
            verdicts: decision.verdicts.clone(),
            suppressed: decision.suppressed.clone(),
            contacted: before.is_some_and(|case| case.contacted) || decision.contacts(),
            steps,
            opened: before.map_or(now, |case| case.opened),
            changed: now,
            amount: context.amount(),
            deadline: decision.deadline,
            revisit: decision.revisit,
            trail,
            advice,
        }
    }
}

impl Decision {
    /// Whether it drafts a message to the customer.
    pub fn contacts(&self) -> bool {
        self.steps.iter().any(|step| step.kind.is_to_customer())
    }
}

/// Whether a bucket must have a playbook: one that somebody has to see.
pub const fn needs_playbook(bucket: Bucket) -> bool {
    !bucket.is_settled() && !matches!(bucket, Bucket::DisputeUnderReview | Bucket::RefundPending)
}

/// Whether a case of this kind is about a payment that failed.
const fn is_recovery(kind: CaseKind) -> bool {
    matches!(kind, CaseKind::Recovery)
}
