//! From a context to a decision: classify, ask the interlocks, ask the rules, plan.

use serde::{Deserialize, Serialize};

use crate::{
    Case, CaseKey, CaseKind, Money, Timestamp,
    case::CaseState,
    classify::{Bucket, Classification, classify},
    context::{Context, Subject},
    plan::{Interlock, Step, StepKind, Suppression},
    policy::{Bundle, CaseFacts, Playbook, Slot, Verdict},
    snapshot::Read,
    trail::Head,
};

/// When a case is looked at again because something about it could not be read, in seconds.
const SOON: i64 = 15 * 60;
/// When a case is looked at again because an interlock held something back, in seconds.
const LATER: i64 = 6 * 3600;

/// What was decided about a case, complete.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// Where the case stands now.
    pub state: CaseState,
    /// What was found.
    pub classification: Classification,
    /// What policy said to each step that was wished for.
    pub verdicts: Vec<Verdict>,
    /// Steps that were not taken, with the reason.
    pub suppressed: Vec<Suppression>,
    /// Steps to take; those that the case has already are not repeated here.
    pub steps: Vec<Step>,
    /// In how many seconds to decide anew even if nothing is heard, because something was held back or
    /// could not be read.
    pub revisit: Option<i64>,
}

/// Decides about a case. The same context, case and bundle give the same decision; neither the
/// order of events nor their payload matters, since all facts come from the re-read.
pub fn decide(key: &CaseKey, context: &Context, before: Option<&Case>, bundle: &Bundle) -> Decision {
    let classification = settle_answered(key, context, before, classify(context));
    let bucket = classification.bucket;
    let mut decision = Decision {
        state: if bucket.is_settled() { CaseState::Closed } else { CaseState::Open },
        classification,
        verdicts: Vec::new(),
        suppressed: Vec::new(),
        steps: Vec::new(),
        revisit: None,
    };
    // Without a playbook there is nothing to do; the bundle's check makes sure that whatever somebody
    // must see has one.
    let Some(playbook) = bundle.playbook(bucket) else { return decision };
    let facts = CaseFacts { kind: key.kind(), bucket, amount: context.amount() };
    let take = |wish: Step, decision: &mut Decision| {
        let name = wish.kind.name();
        if before.is_some_and(|case| case.steps.contains(&wish.key)) {
            return;
        }
        let verdict = bundle.may_step(name, facts);
        let held = interlock(key, context, &wish.kind).or_else(|| {
            let why = verdict.errors.first().map_or("no rule permits it", String::as_str);
            let forbidden = verdict.rules.first().map_or(why, |rule| rule.reason.as_str());
            (!verdict.permitted).then(|| (Interlock::NoRule, forbidden.to_owned()))
        });
        decision.verdicts.push(verdict);
        match held {
            None => decision.steps.push(wish),
            Some((interlock, because)) => {
                decision.suppressed.push(Suppression { step: name.into(), interlock, because });
            }
        }
    };
    if let Some(operation) = &playbook.request {
        let kind = StepKind::Request {
            operation: operation.clone(),
            origin: context.origin.clone(),
            source: context.event.clone(),
        };
        take(Step::new(key, kind, &context.request_revision()), &mut decision);
    }
    if let Some(kind) = draft(context, playbook, bundle) {
        take(Step::new(key, kind, &revision(context, bucket)), &mut decision);
    }
    // Last, so that the team hears what was done and what was held back. Interlocks keep messages from
    // customers and requests from approvers; the team always hears.
    take(alert(key, context, playbook, &decision), &mut decision);
    decision.revisit = if context.is_patchy() {
        Some(SOON)
    } else {
        let waits = |one: &Suppression| one.interlock != Interlock::NoRule;
        decision.suppressed.iter().any(waits).then_some(LATER)
    };
    decision
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
    let made = StepKind::Request { operation: String::new(), origin: context.origin.clone(), source: None };
    let request = Step::new(key, made, &context.request_revision()).key;
    let asked = charge.refund_request.is_some() && charge.amount_refunded.amount > 0;
    if asked && before.is_some_and(|case| case.steps.contains(&request)) {
        let reason = format!("{} of {} went back after this request", charge.amount_refunded, charge.amount);
        return Classification::new(Bucket::RefundMade, reason);
    }
    found
}

/// What makes a new message necessary: another bucket, or a fact that changes what to do. It comes
/// from what Stripe says and never from how often it said so, so duplicates and reordering add none.
fn revision(context: &Context, bucket: Bucket) -> String {
    let more = match &context.subject {
        // A failure is worth saying again when Stripe stops trying by itself.
        Subject::Invoice(Read::Found(invoice)) => match invoice.next_payment_attempt {
            Some(_) => "Stripe tries again".to_owned(),
            None => "Stripe does not try again".to_owned(),
        },
        // An inquiry that becomes a chargeback needs another answer by another day.
        Subject::Dispute(Read::Found(dispute)) => {
            format!("{} {}", dispute.status, dispute.due_by.map_or(0, Timestamp::seconds))
        }
        Subject::Subscription(Read::Found(one)) => {
            let end = one.cancel_at.or(one.ended_at).or(one.current_period_end);
            format!("{} {}", one.status, end.filter(|_| one.is_ending()).map_or(0, Timestamp::seconds))
        }
        Subject::Charge(Read::Found(_)) => context.request_revision(),
        _ => String::new(),
    };
    format!("{bucket} {more}")
}

/// What the team is told: what happened, why, what was held back, and what to do next.
fn alert(key: &CaseKey, context: &Context, playbook: &Playbook, decision: &Decision) -> Step {
    let found = &decision.classification;
    let mut facts = vec![("Case".to_owned(), key.to_string())];
    facts.extend(context.customer.as_ref().map(|customer| ("Customer".to_owned(), customer.to_string())));
    facts.extend(context.amount().map(|amount| ("Amount".to_owned(), amount.to_string())));
    facts.extend(found.reasons.iter().map(|reason| ("Because".to_owned(), reason.clone())));
    for step in &decision.steps {
        if let StepKind::Draft { template, .. } = &step.kind {
            facts.push(("Draft".to_owned(), format!("{template} is in the case, for a person to send")));
        }
    }
    let held = |one: &Suppression| (format!("Held back: {}", one.step), one.because.clone());
    facts.extend(decision.suppressed.iter().map(held));
    let next = if decision.suppressed.iter().any(|one| one.step == "request") {
        "The request was held back, so nobody was asked to approve it. Decide by hand."
    } else {
        &playbook.next
    };
    let kind = StepKind::Alert {
        channel: playbook.channel.clone(),
        headline: playbook.headline.clone(),
        facts,
        next: next.to_owned(),
    };
    Step::new(key, kind, &revision(context, found.bucket))
}

/// The message to the customer that the playbook names. It was rendered when the bundle was loaded, so
/// it renders; if it did not, there is none.
fn draft(context: &Context, playbook: &Playbook, bundle: &Bundle) -> Option<StepKind> {
    let template = bundle.template(playbook.draft.as_ref()?, bundle.templates().default_locale())?;
    let facts = bundle.templates().house().clone();
    let facts =
        facts.with("amount", Slot::Money(context.amount()?)).with("invoice", Slot::Text(context.object()?));
    let message = template.render(&facts.only(&template.slots), bundle.calendar().zone()).ok()?;
    Some(StepKind::Draft { template: message.template, subject: message.subject, text: message.text })
}

/// The first interlock that keeps a step from being taken.
fn interlock(key: &CaseKey, context: &Context, step: &StepKind) -> Option<(Interlock, String)> {
    if context.frozen {
        return Some((Interlock::KillSwitch, "the switch that stops everything is on".into()));
    }
    match (step, &context.subject) {
        (StepKind::Draft { .. }, _) => recovery_interlock(key, context),
        (StepKind::Request { .. }, Subject::Charge(Read::Found(charge))) if charge.disputed => {
            Some((Interlock::DisputedCharge, "the charge is disputed, so a refund could pay twice".into()))
        }
        // The team always hears.
        (StepKind::Alert { .. }, _) | (StepKind::Request { .. }, Subject::Charge(Read::Found(_))) => None,
        (StepKind::Request { .. }, _) => {
            Some((Interlock::MissingContext, "there is no charge to act on".into()))
        }
    }
}

fn recovery_interlock(key: &CaseKey, context: &Context) -> Option<(Interlock, String)> {
    let missing = |what: &str| Some((Interlock::MissingContext, format!("{what} could not be read")));
    let Subject::Invoice(Read::Found(invoice)) = &context.subject else { return missing("the invoice") };
    if context.customer.is_some() {
        let Some(disputes) = context.disputes.known() else { return missing("the customer's disputes") };
        if let Some(open) = disputes.iter().find(|dispute| !dispute.status.is_closed()) {
            return Some((Interlock::OpenDispute, format!("dispute {} is open", open.id)));
        }
        // Stripe's own list decides, if it is whole; otherwise an older dispute may be in the store.
        let stored = context.open_cases.iter().find(|case| case.kind() == CaseKind::Dispute);
        if let Some(case) = stored.filter(|_| !context.all_charges) {
            return Some((Interlock::OpenDispute, format!("case {case} is open")));
        }
    }
    if context.subscription.known().is_some_and(crate::snapshot::Subscription::is_ending) {
        return Some((Interlock::PendingCancellation, "the subscription is ending".into()));
    }
    // The oldest open invoice that failed speaks for all of them. Stripe's list decides, not the
    // order in which events came.
    if context.customer.is_some() {
        let Some(open) = context.open_invoices.known() else { return missing("the customer's invoices") };
        let older = open.iter().find(|other| {
            other.attempt_count > 0
                && other.id != invoice.id
                && (other.created, &other.id) < (invoice.created, &invoice.id)
        });
        if let Some(older) = older {
            let because = format!("invoice {} of this customer failed first; {key} waits for it", older.id);
            return Some((Interlock::OneRecoveryPerCustomer, because));
        }
    }
    None
}

impl Context {
    /// The money at stake.
    pub fn amount(&self) -> Option<Money> {
        match &self.subject {
            Subject::Invoice(Read::Found(invoice)) => Some(invoice.amount_remaining),
            Subject::Dispute(Read::Found(dispute)) => Some(dispute.amount),
            Subject::Refund(Read::Found(refund)) => Some(refund.amount),
            Subject::Charge(Read::Found(charge)) => {
                charge.asked_refund().ok().flatten().map(|(_, amount)| amount).or(Some(charge.amount))
            }
            _ => None,
        }
    }

    /// The id of an invoice, for a message about it.
    fn object(&self) -> Option<String> {
        match &self.subject {
            Subject::Invoice(Read::Found(invoice)) => Some(invoice.id.to_string()),
            _ => None,
        }
    }

    /// What is asked for, as text: asking for something else is another request.
    fn request_revision(&self) -> String {
        match &self.subject {
            Subject::Charge(Read::Found(charge)) => charge.refund_request.clone().unwrap_or_default(),
            _ => String::new(),
        }
    }

    /// Whether a part was asked for and not answered.
    pub fn is_patchy(&self) -> bool {
        self.subscription.failed()
            || self.charges.failed()
            || self.open_invoices.failed()
            || self.disputes.failed()
    }
}

impl Case {
    /// The case after a decision.
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
        Self {
            key: key.clone(),
            customer: context.customer.clone().or_else(|| before.and_then(|case| case.customer.clone())),
            origin: context.origin.clone(),
            state: decision.state,
            classification: decision.classification.clone(),
            verdicts: decision.verdicts.clone(),
            suppressed: decision.suppressed.clone(),
            steps,
            opened: before.map_or(now, |case| case.opened),
            changed: now,
            revisit: decision.revisit.map(|seconds| now.plus(seconds)),
            trail,
        }
    }
}

/// Whether a bucket must have a playbook: one that somebody has to see.
pub const fn needs_playbook(bucket: Bucket) -> bool {
    !bucket.is_settled() && !matches!(bucket, Bucket::DisputeUnderReview | Bucket::RefundPending)
}
