//! What people get: what happened, why, the exact rule, what was held back, what to do, and what happens if
//! nobody does.

use super::{Decision, Turn, links, refunds};
use crate::{
    Timestamp,
    classify::Bucket,
    context::Subject,
    plan::{Alert, Interlock, Priority, Step, StepKind, Suppression, Task},
    policy::{CaseFacts, Playbook, RuleRef, Rung, Source, Strength},
    snapshot::Read,
};

/// How urgent a case is: by its deadline, by what is at stake, and by whether it was escalated.
pub(super) fn priority(facts: &CaseFacts, escalated: bool) -> Priority {
    if facts.bucket.is_settled() {
        return if escalated { Priority::Normal } else { Priority::Low };
    }
    let stake = u8::from(facts.above_revenue) + u8::from(facts.above_contract) + u8::from(facts.renewal_soon);
    if let Some(left) = facts.business_days_left {
        if facts.is_not_worth_answering() {
            return Priority::Normal;
        }
        // A strong answer that nobody sends is lost money; a weak one is a decision about accepting.
        let soon = if facts.evidence == Strength::Strong { 3 } else { 2 };
        return match left {
            left if left <= soon => Priority::Urgent,
            left if left <= 5 || stake > 0 => Priority::High,
            _ => Priority::Normal,
        };
    }
    match (stake, escalated) {
        (2.., _) => Priority::Urgent,
        (1, _) | (_, true) => Priority::High,
        _ => Priority::Normal,
    }
}

/// The alert to the team's channel.
pub(super) fn alert(
    turn: &Turn<'_>,
    playbook: &Playbook,
    decision: &Decision,
    handed: Option<&Suppression>,
    rung: Option<(usize, &Rung)>,
) -> Step {
    let (context, found) = (turn.context, turn.classification);
    let mut facts = vec![("Case".to_owned(), turn.key.to_string())];
    let mut fact = |label: &str, value: String| facts.push((label.to_owned(), value));
    if let Some(customer) = &context.customer {
        fact("Customer", customer.to_string());
    }
    if let Some(amount) = context.amount() {
        fact("Amount", amount.to_string());
    }
    if let Some(account) = context.account.known().filter(|_| uses(turn, Source::Crm)) {
        if let Some(value) = account.annual_value {
            fact("Annual value", format!("{value}, {}", turn.facts.segment));
        }
        if let Some(owner) = account.owner.as_ref().and_then(|owner| owner.name.clone()) {
            fact("Owner", owner);
        }
        if let Some(renews) = account.renews {
            fact("Renews", renews.day());
        }
    }
    if let Some(deadline) = decision.deadline {
        let left = turn.facts.business_days_left.unwrap_or_default();
        fact("Deadline", format!("{deadline}, {left} business days left"));
    }
    for reason in &found.reasons {
        fact("Because", reason.clone());
    }
    if let Some(reason) = refunds::reason(context) {
        fact("Asked for because", reason);
    }
    if !decision.touches.is_empty() {
        fact(
            "Touches",
            decision.touches.iter().map(|one| one.replace('_', " ")).collect::<Vec<_>>().join(", "),
        );
    }
    for rule in reasons(decision) {
        fact("Escalated", format!("{} (rule {})", rule.reason, rule.id));
    }
    for step in &decision.steps {
        match &step.kind {
            StepKind::Draft(draft) => {
                fact("Draft", format!("{} is in the case, for a person to send", draft.template));
            }
            StepKind::Reply { conversation, draft } => {
                fact("Draft", format!("{} waits in conversation {conversation}", draft.template));
            }
            StepKind::Evidence { checklist, .. } => {
                let there = checklist.iter().filter(|item| item.found.is_some()).count();
                fact(
                    "Evidence",
                    format!("{there} of {} pieces, {}", checklist.len(), turn.facts.evidence.as_str()),
                );
                let missing = checklist.iter().filter(|item| item.found.is_none() && item.required);
                for item in missing {
                    fact("Missing", format!("{}: {}", item.field.replace('_', " "), item.note));
                }
            }
            StepKind::Request { operation, .. } if step.kept.is_some() => {
                fact("Recommended", operation.clone());
            }
            _ => {}
        }
    }
    for one in decision.suppressed.iter().filter(|one| is_news(one)) {
        fact(&format!("Held back: {}", one.step), one.because.clone());
    }
    fact("Policy", policy(turn));
    let request_held = decision.suppressed.iter().any(|one| one.step == "request");
    let next = if request_held {
        "The request was held back, so nobody was asked to approve it. Decide by hand."
    } else {
        &decision.next
    };
    let escalated = decision.escalation.permitted;
    let channel = if escalated { &turn.bundle.settings().escalation.channel } else { &playbook.channel };
    let kind = StepKind::Alert(Alert {
        channel: channel.clone(),
        headline: playbook.headline.clone(),
        priority: decision.priority,
        facts,
        next: next.to_owned(),
        otherwise: playbook.otherwise.clone(),
        links: links::links(context, turn.key.object()),
    });
    turn.step(kind, &revision(turn, handed, rung, escalated))
}

/// The task for whoever looks after the account.
pub(super) fn task(
    turn: &Turn<'_>,
    playbook: &Playbook,
    decision: &Decision,
    handed: Option<&Suppression>,
    rung: Option<(usize, &Rung)>,
) -> Step {
    let context = turn.context;
    let account = context.account.known().filter(|_| uses(turn, Source::Crm));
    let who = account.and_then(|account| account.name.clone());
    let who = who.or_else(|| context.customer.as_ref().map(ToString::to_string)).unwrap_or_default();
    let amount = context.amount();
    let mut title = playbook.headline.clone();
    for part in amount.map(|amount| amount.to_string()).into_iter().chain([who]) {
        title = format!("{title} · {part}");
    }
    let mut text = vec![format!("Next: {}", decision.next)];
    text.extend(handed.map(|one| format!("Handed over, because a message was held back: {}", one.because)));
    text.extend(turn.classification.reasons.iter().map(|reason| format!("Because: {reason}")));
    text.extend(reasons(decision).map(|rule| format!("Rule {}: {}", rule.id, rule.reason)));
    text.push(format!("If nobody acts: {}", playbook.otherwise));
    text.extend(
        links::links(context, turn.key.object()).into_iter().map(|(label, at)| format!("{label}: {at}")),
    );
    text.push(format!("Case {}, policy {}", turn.key, policy(turn)));
    let days = match decision.priority {
        Priority::Urgent => 0,
        Priority::High => 1,
        Priority::Normal => 3,
        Priority::Low => 5,
    };
    let due = turn.bundle.calendar().add_business_days(context.at, days);
    let kind = StepKind::Task(Task {
        title,
        text: text.join("\n"),
        owner: account.and_then(|account| account.owner.as_ref()).map(|owner| owner.id.clone()),
        priority: decision.priority,
        due: decision.deadline.map_or(due, |deadline| due.min(ahead(turn, deadline))),
        value: amount,
    });
    turn.step(kind, &revision(turn, handed, rung, decision.escalation.permitted))
}

/// When evidence should be with the bank: some business days before its deadline, but not in the past.
fn ahead(turn: &Turn<'_>, deadline: Timestamp) -> Timestamp {
    let margin = i16::try_from(turn.bundle.settings().dispute.margin).unwrap_or(i16::MAX);
    turn.bundle.calendar().add_business_days(deadline, -margin).max(turn.context.at)
}

/// The note on the customer's record.
pub(super) fn note(turn: &Turn<'_>, playbook: &Playbook) -> String {
    let mut text = vec![playbook.headline.clone()];
    // Of a paid invoice nothing is open any more; what arrived is what was asked for.
    let amount = match &turn.context.subject {
        Subject::Invoice(Read::Found(invoice)) if turn.classification.bucket == Bucket::Paid => {
            Some(invoice.amount_due)
        }
        _ => turn.context.amount(),
    };
    text.extend(amount.map(|amount| amount.to_string()));
    text.extend(turn.classification.reasons.iter().cloned());
    text.extend(refunds::reason(turn.context).map(|reason| format!("asked for because: {reason}")));
    text.push(format!("case {}, policy {}", turn.key, policy(turn)));
    text.join(" · ")
}

/// The ticket for the help desk.
pub(super) fn ticket(turn: &Turn<'_>, playbook: &Playbook) -> StepKind {
    let amount = turn.context.amount().map_or_else(String::new, |amount| format!(": {amount}"));
    let mut text = vec![format!("Next: {}", playbook.next(turn.facts))];
    text.extend(turn.classification.reasons.iter().map(|reason| format!("Because: {reason}")));
    text.push(format!("If nobody acts: {}", playbook.otherwise));
    text.push(format!("Case {}", turn.key));
    StepKind::Ticket {
        subject: format!("{}{amount}", playbook.headline),
        text: text.join("\n"),
        priority: priority(turn.facts, false),
    }
}

/// The bundle's version, and enough of its digest to tell two apart.
fn policy(turn: &Turn<'_>) -> String {
    let id = turn.bundle.id();
    let end = id.find('+').map_or(id.len(), |plus| plus.saturating_add(13));
    id.chars().take(end).collect()
}

/// The rules that escalate, if any do.
fn reasons(decision: &Decision) -> impl Iterator<Item = &RuleRef> {
    decision.escalation.rules.iter().filter(|_| decision.escalation.permitted)
}

/// A new reason to hand over, and an escalation, are worth saying again.
fn revision(
    turn: &Turn<'_>,
    handed: Option<&Suppression>,
    rung: Option<(usize, &Rung)>,
    escalated: bool,
) -> String {
    let place = rung.map_or(0, |(place, _)| place);
    let handed = handed.map_or("", |one| one.interlock.as_str());
    let escalated = if escalated { "escalated" } else { "" };
    format!("{} {handed} {escalated}", turn.revision(place))
}

/// Whether the team must hear that something was held back. That a bucket allows no note is no news.
fn is_news(one: &Suppression) -> bool {
    one.interlock != Interlock::NoRule || matches!(one.step.as_str(), "draft" | "reply" | "request")
}

fn uses(turn: &Turn<'_>, source: Source) -> bool {
    turn.bundle.settings().sources.contains(&source)
}
