//! What a model is told of a decision, and the decision with what may be used of its advice.

use std::collections::BTreeSet;

use super::{Basis, Decision, Turn, messages, refunds};
use crate::{
    Case, CaseKey, Timestamp,
    advice::{Advised, Brief, Known, Offer, Value, Worded, Wording},
    case::CaseState,
    classify::Bucket,
    context::{Context, Conversations, Subject},
    plan::{Draft, Step, StepKind},
    policy::{Bundle, Slot, Source},
    snapshot::{Dispute, Invoice, Read},
};

/// What a model may be told of a decision; nothing if the decision has no words of its own in which it could
/// help, or the case is over.
pub fn brief(
    key: &CaseKey,
    context: &Context,
    before: Option<&Case>,
    bundle: &Bundle,
    decision: &Decision,
) -> Option<Brief> {
    let worded = |step: &Step| {
        matches!(
            step.kind,
            StepKind::Alert(_)
                | StepKind::Task(_)
                | StepKind::Ticket { .. }
                | StepKind::Draft(_)
                | StepKind::Reply { .. }
        )
    };
    if decision.state == CaseState::Closed || !decision.steps.iter().any(worded) {
        return None;
    }
    let Basis { classification, facts, .. } = Basis::of(key, context, before, bundle);
    let turn = Turn { key, context, before, bundle, facts: &facts, classification: &classification };
    let message = wording(&turn, decision);
    Some(Brief {
        kind: key.kind(),
        bucket: classification.bucket,
        reasons: classification.reasons.clone(),
        segment: decision.segment.clone(),
        priority: decision.priority,
        escalated: decision.escalation.permitted,
        next: decision.next.clone(),
        known: known(&turn, decision),
        words: words(&turn),
        message,
        texts: refunds::reason(context).into_iter().collect(),
        zone: bundle.calendar().zone().clone(),
    })
}

/// The draft for the customer and the templates that the playbook offers instead. One that is put before the
/// approvers stays as it is: what is proposed does not depend on a model.
fn wording(turn: &Turn<'_>, decision: &Decision) -> Option<Wording> {
    let playbook = turn.bundle.playbook(turn.classification.bucket, &turn.facts.segment)?;
    let (_, rung) = playbook.due(turn.facts.day.into())?;
    let templates = turn.bundle.templates();
    let (step, draft) = decision.steps.iter().find_map(|step| match &step.kind {
        StepKind::Draft(draft) if !messages::is_put_to_approvers(turn, draft) => Some((step, draft)),
        _ => None,
    })?;
    let locale = crate::policy::Locale::parse(&draft.locale)?;
    let drafted =
        templates.get(rung.draft.as_ref()?, locale).filter(|one| one.reference() == draft.template)?;
    let slots = messages::slots(turn);
    let offers: Vec<Offer> = rung
        .alternatives
        .iter()
        .filter(|id| messages::untrue(turn, id).is_none())
        .filter_map(|id| templates.get(id, locale))
        // One that lacks a fact is not offered, just as the draft would be held back.
        .filter(|one| {
            one.slots.iter().all(|(name, kind)| {
                *kind == crate::policy::SlotType::Free || slots.get(name).map(Slot::kind) == Some(*kind)
            })
        })
        .map(|template| Offer { template: template.clone(), slots: slots.only(&template.slots) })
        .collect();
    (!offers.is_empty()).then(|| Wording { step: step.key.clone(), drafted: drafted.clone(), offers })
}

/// Collects facts under their labels; what is not there is left out.
#[derive(Default)]
struct Sheet(Vec<Known>);

impl Sheet {
    fn put(&mut self, what: &'static str, value: Option<Value>) {
        self.0.extend(value.map(|value| Known { what, value }));
    }

    fn count(&mut self, what: &'static str, count: impl TryInto<u32>) {
        self.put(what, count.try_into().ok().map(Value::Count));
    }

    fn day(&mut self, what: &'static str, at: Option<Timestamp>) {
        self.put(what, at.map(Value::Day));
    }
}

/// The facts of a case that are worth saying.
fn known(turn: &Turn<'_>, decision: &Decision) -> Vec<Known> {
    let context = turn.context;
    let mut sheet = Sheet::default();
    if let Some(Slot::Name(company)) = turn.bundle.templates().house().get("company") {
        sheet.put("our company", Some(Value::Name(company.clone())));
    }
    sheet.put("amount", context.amount().map(Value::Money));
    sheet.put("customer", context.customer.as_ref().map(|id| Value::Id(id.to_string())));
    sheet.put("object", Some(Value::Id(turn.key.object().to_string())));
    match &context.subject {
        Subject::Invoice(Read::Found(invoice)) => of_invoice(invoice, &mut sheet),
        Subject::Dispute(Read::Found(dispute)) => of_dispute(dispute, &mut sheet),
        Subject::Charge(Read::Found(charge)) => {
            sheet.put("charged", Some(Value::Money(charge.amount)));
            sheet.put("went back already", positive(charge.amount_refunded));
            sheet.day("charged on", Some(charge.created));
        }
        Subject::Subscription(Read::Found(one)) => {
            sheet.day("ends", one.ended_at.or(one.cancel_at).filter(|_| one.is_ending()));
            sheet.day("current period ends", one.current_period_end);
        }
        _ => {}
    }
    if let Some(charge) = context.charge.known() {
        sheet.put("charged", Some(Value::Money(charge.amount)));
        sheet.put("went back already", positive(charge.amount_refunded));
        sheet.day("charged on", Some(charge.created));
    }
    sheet.day("deadline", decision.deadline);
    if let Some(left) = turn.facts.business_days_left {
        sheet.count("business days until the deadline", left);
    }
    let opened = turn.before.map_or(context.at, |case| case.opened);
    sheet.day("case opened", Some(opened));
    sheet.count("days since the case was opened", turn.facts.day);
    if let Some(history) = context.history.known() {
        sheet.count("payments that succeeded", history.succeeded);
        sheet.count("payments that failed", history.failed);
        sheet.count("payments refunded", history.refunded);
        sheet.count("payments disputed", history.disputed);
        sheet.day("first payment", history.first);
        sheet.day("last payment", history.last);
    }
    if let Some(open) = context.open_invoices.known() {
        sheet.count("other overdue invoices", open.len());
    }
    around(turn, &mut sheet);
    sheet.0
}

/// What the systems around Stripe say, as far as the policy relies on them.
fn around(turn: &Turn<'_>, sheet: &mut Sheet) {
    let (context, uses) = (turn.context, &turn.bundle.settings().sources);
    if let Some(account) = context.account.known().filter(|_| uses.contains(&Source::Crm)) {
        sheet.put("annual value", account.annual_value.map(Value::Money));
        sheet.day("contract renews", account.renews);
    }
    if let Some(talks) = context.conversations.known().filter(|_| uses.contains(&Source::HelpDesk)) {
        sheet.count("open conversations", talks.items.iter().filter(|one| one.open).count());
        if talks.priority().is_some() {
            let urgent = talks.items.iter().filter(|one| one.open && one.urgency.is_priority());
            sheet.count("urgent conversations", urgent.count());
        }
        sheet.day("last heard in a conversation", Conversations::open(talks).map(|one| one.updated));
    }
}

fn of_invoice(invoice: &Invoice, sheet: &mut Sheet) {
    sheet.count("attempts", invoice.attempt_count);
    sheet.day("next attempt", invoice.next_payment_attempt);
    sheet.day("invoice created", Some(invoice.created));
    if invoice.amount_due != invoice.amount_remaining {
        sheet.put("invoiced", Some(Value::Money(invoice.amount_due)));
    }
}

fn of_dispute(dispute: &Dispute, sheet: &mut Sheet) {
    sheet.day("disputed on", Some(dispute.created));
    sheet.put("charge", dispute.charge.as_ref().map(|id| Value::Id(id.to_string())));
}

fn positive(money: crate::Money) -> Option<Value> {
    (money.amount > 0).then_some(Value::Money(money))
}

/// The words of policy and state that are true of this case, by which a text may name it.
fn words(turn: &Turn<'_>) -> BTreeSet<String> {
    let mut words: BTreeSet<&str> = match turn.classification.bucket {
        Bucket::DisputeNeedsResponse | Bucket::DisputeUnderReview => {
            ["dispute", "disputed", "disputes", "evidence"].into()
        }
        Bucket::FraudWarningActionable => ["fraud"].into(),
        Bucket::RefundAsked | Bucket::RefundPending | Bucket::RefundFailed => ["refund"].into(),
        Bucket::AuthenticationNeeded => ["authentication"].into(),
        Bucket::SubscriptionEnding => ["cancel"].into(),
        _ => BTreeSet::new(),
    };
    if let Subject::Invoice(Read::Found(invoice)) = &turn.context.subject {
        let error = invoice.open_payment().and_then(|intent| intent.last_error.as_ref());
        let codes = error.into_iter().flat_map(|error| [&error.code, &error.decline_code]).flatten();
        if codes.into_iter().any(|code| code == "expired_card") {
            words.insert("expired_card");
        }
    }
    // What a dispute is about can be named.
    if let Subject::Dispute(Read::Found(dispute)) = &turn.context.subject {
        words.extend(match dispute.reason.as_str() {
            "credit_not_processed" => Some("refund"),
            "fraudulent" => Some("fraud"),
            "subscription_canceled" => Some("cancel"),
            _ => None,
        });
    }
    let subscription = turn.context.subscription.known();
    if subscription.is_some_and(crate::snapshot::Subscription::is_ending) {
        words.insert("cancel");
    }
    words.into_iter().map(str::to_owned).collect()
}

/// The label under which a summary stands: whoever reads it must know whose words it is.
const SUMMARY: &str = "Summary by a language model";
/// The label of a reason for more urgency.
const URGENT: &str = "More urgent, says a language model";

impl Decision {
    /// The decision with what may be used of a model's advice: other words for a draft, more urgency, a summary
    /// for colleagues. Nothing else differs: the same steps under the same keys, the same requests, the same verdicts.
    #[must_use]
    pub fn advised(&self, advised: &Advised) -> Self {
        let mut decision = self.clone();
        if let Some((priority, _)) = advised.raised() {
            decision.priority = decision.priority.max(*priority);
        }
        let mut lines = Vec::new();
        lines.extend(advised.summary().map(|text| (SUMMARY.to_owned(), text.to_string())));
        lines.extend(advised.raised().map(|(_, because)| (URGENT.to_owned(), because.to_string())));
        let chosen = advised.message().and_then(|worded| decision.reword(worded));
        for step in &mut decision.steps {
            match &mut step.kind {
                StepKind::Alert(alert) => {
                    alert.priority = alert.priority.max(decision.priority);
                    if let Some((old, new)) = &chosen {
                        let drafts = alert.facts.iter_mut().filter(|(label, _)| label == "Draft");
                        drafts.for_each(|(_, value)| *value = value.replace(old, new));
                    }
                    alert.facts.extend(lines.clone());
                }
                StepKind::Task(task) => {
                    task.priority = task.priority.max(decision.priority);
                    for (label, text) in &lines {
                        task.text = format!("{}\n{label}: {text}", task.text);
                    }
                }
                StepKind::Ticket { priority, .. } => {
                    if let Some((raised, _)) = advised.raised() {
                        *priority = (*priority).max(*raised);
                    }
                }
                _ => {}
            }
        }
        decision
    }

    /// Puts other words into a draft; the templates of before and now.
    fn reword(&mut self, worded: &Worded) -> Option<(String, String)> {
        let step = self.steps.iter_mut().find(|step| step.key == worded.step)?;
        let StepKind::Draft(draft) = &mut step.kind else { return None };
        let Draft { template, .. } = std::mem::replace(draft, worded.draft.clone());
        Some((template, worded.draft.template.clone()))
    }
}
