//! From a context to a decision: classify, ask the interlocks, ask the rules, plan.

use serde::{Deserialize, Serialize};

use crate::{
    Case, CaseKey, CaseKind, CustomerId, Money, Timestamp,
    case::CaseState,
    classify::{Bucket, Classification, classify},
    context::{Context, Subject},
    plan::{Interlock, Step, StepKind, Suppression},
    policy::{Bundle, CaseFacts, Playbook, Verdict},
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
    /// What policy said to each step that was wished for.
    pub verdicts: Vec<Verdict>,
    /// Steps that were not taken, with the reason.
    pub suppressed: Vec<Suppression>,
    /// Steps to take; those that the case has already are not repeated here.
    pub steps: Vec<Step>,
}

/// Decides about a case. The same context, case and bundle give the same decision; neither the
/// order of events nor their payload matters, since all facts come from the re-read.
pub fn decide(key: &CaseKey, context: &Context, before: Option<&Case>, bundle: &Bundle) -> Decision {
    let classification = classify(context);
    let bucket = classification.bucket;
    let mut decision = Decision {
        state: if bucket.is_settled() { CaseState::Closed } else { CaseState::Open },
        classification,
        verdicts: Vec::new(),
        suppressed: Vec::new(),
        steps: Vec::new(),
    };
    // A settled case needs no step, and a bucket without a playbook is one that the bundle chose
    // not to act on; but what is unknown always has one (the bundle's check makes sure).
    let Some(playbook) = bundle.playbook(bucket) else { return decision };
    let facts = CaseFacts { kind: key.kind(), bucket, amount: context.amount() };

    for wish in wishes(key, context, &decision.classification, playbook) {
        let name = wish.kind.name();
        if before.is_some_and(|case| case.steps.contains(&wish.key)) {
            continue;
        }
        if let Some((interlock, because)) = interlock(key, context, &wish.kind) {
            decision.suppressed.push(Suppression { step: name.into(), interlock, because });
            continue;
        }
        let verdict = bundle.may_step(name, facts);
        if verdict.permitted {
            decision.steps.push(wish);
        } else {
            let because = verdict.errors.first().cloned().unwrap_or_else(|| "no rule permits it".into());
            decision.suppressed.push(Suppression {
                step: name.into(),
                interlock: Interlock::NoRule,
                because,
            });
        }
        decision.verdicts.push(verdict);
    }
    decision
}

/// What the playbook wishes for, before anything keeps it from being done. The revision of a step is
/// what Stripe says, not how often it said so: duplicates and reordering make no second step.
fn wishes(key: &CaseKey, context: &Context, found: &Classification, playbook: &Playbook) -> Vec<Step> {
    let mut facts = vec![("Case".to_owned(), key.to_string())];
    facts.extend(context.customer.as_ref().map(|customer| ("Customer".to_owned(), customer.to_string())));
    facts.extend(context.amount().map(|amount| ("Amount".to_owned(), amount.to_string())));
    facts.extend(found.reasons.iter().map(|reason| ("Because".to_owned(), reason.clone())));
    let alert = StepKind::Alert {
        channel: playbook.channel.clone(),
        headline: playbook.headline.clone(),
        facts,
        next: playbook.next.clone(),
    };
    let mut wishes = vec![Step::new(key, alert, found.bucket.as_str())];
    if let Some(operation) = &playbook.request {
        let revision = context.request_revision();
        wishes.push(Step::new(key, StepKind::Request { operation: operation.clone() }, &revision));
    }
    wishes
}

/// The first interlock that keeps a step from being taken.
fn interlock(key: &CaseKey, context: &Context, step: &StepKind) -> Option<(Interlock, String)> {
    if context.frozen {
        return Some((Interlock::KillSwitch, "the switch that stops everything is on".into()));
    }
    match (key.kind(), step) {
        (CaseKind::Recovery, _) => recovery_interlock(key, context),
        (_, StepKind::Request { .. }) => match &context.subject {
            Subject::Charge(Read::Found(charge)) if charge.disputed => Some((
                Interlock::DisputedCharge,
                "the charge is disputed, so a refund could pay twice".into(),
            )),
            Subject::Charge(Read::Found(charge)) if charge.amount_refunded.amount > 0 => {
                Some((Interlock::AlreadyRefunded, format!("{} went back already", charge.amount_refunded)))
            }
            Subject::Charge(Read::Found(_)) => None,
            _ => Some((Interlock::MissingContext, "there is no charge to act on".into())),
        },
        _ => None,
    }
}

fn recovery_interlock(key: &CaseKey, context: &Context) -> Option<(Interlock, String)> {
    // An unread list of disputes might hold one: then nobody is dunned, and the suppression says so.
    let open = context.disputes.known().map(|all| all.iter().find(|dispute| !dispute.status.is_closed()));
    let in_store = context.open_cases.iter().find(|case| case.kind() == CaseKind::Dispute);
    match (open, in_store) {
        (Some(Some(dispute)), _) => {
            return Some((Interlock::OpenDispute, format!("dispute {} is open", dispute.id)));
        }
        (_, Some(case)) => return Some((Interlock::OpenDispute, format!("case {case} is open"))),
        (None, None) if context.customer.is_some() => {
            return Some((Interlock::MissingContext, "the customer's disputes could not be read".into()));
        }
        _ => {}
    }
    if context.subscription.known().is_some_and(crate::snapshot::Subscription::is_ending) {
        return Some((Interlock::PendingCancellation, "the subscription is ending".into()));
    }
    // The oldest open invoice that failed speaks for all of them. Stripe's list decides, not the
    // order in which events came.
    let Subject::Invoice(Read::Found(invoice)) = &context.subject else { return None };
    let older = context.open_invoices.known()?.iter().find(|other| {
        other.attempt_count > 0
            && other.id != invoice.id
            && (other.created, &other.id) < (invoice.created, &invoice.id)
    })?;
    let because = format!("invoice {} of this customer failed first; {key} waits for it", older.id);
    Some((Interlock::OneRecoveryPerCustomer, because))
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

    /// What is asked for, as text: asking for something else is another request.
    fn request_revision(&self) -> String {
        match &self.subject {
            Subject::Charge(Read::Found(charge)) => charge.refund_request.clone().unwrap_or_default(),
            _ => String::new(),
        }
    }
}

impl Case {
    /// The case after a decision.
    pub fn after(
        before: Option<&Self>,
        key: &CaseKey,
        customer: Option<CustomerId>,
        decision: &Decision,
        now: Timestamp,
        trail: Head,
    ) -> Self {
        let mut steps = before.map(|case| case.steps.clone()).unwrap_or_default();
        steps.extend(decision.steps.iter().map(|step| step.key.clone()));
        Self {
            key: key.clone(),
            customer: customer.or_else(|| before.and_then(|case| case.customer.clone())),
            state: decision.state,
            classification: decision.classification.clone(),
            verdicts: decision.verdicts.clone(),
            suppressed: decision.suppressed.clone(),
            steps,
            opened: before.map_or(now, |case| case.opened),
            changed: now,
            trail,
        }
    }
}

/// Whether a bucket must have a playbook: one that somebody has to see.
pub const fn needs_playbook(bucket: Bucket) -> bool {
    !bucket.is_settled() && !matches!(bucket, Bucket::DisputeUnderReview | Bucket::RefundPending)
}
