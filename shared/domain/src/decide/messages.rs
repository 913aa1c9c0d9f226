//! Messages from approved templates, filled with facts.

use super::{Turn, refunds};
use crate::{
    context::Subject,
    plan::{Draft, Step, StepKind},
    policy::{Rung, Slot, Slots},
    snapshot::Read,
};

/// The messages that a rung asks for: to the customer, as a reply where a conversation is open and the
/// template is for chat, and to a colleague. One that lacks a fact is not drafted; the alert says so.
pub(super) fn drafts(turn: &Turn<'_>, rung: &Rung, place: usize) -> Vec<Step> {
    let slots = slots(turn);
    let revision = |template: &str| format!("{} {template}", turn.revision(place));
    let mut drafts = Vec::new();
    for id in rung.draft.iter().chain(&rung.follow_up) {
        let Some(draft) = render(turn, id, &slots) else { continue };
        let talk = turn.context.conversations.known().and_then(|talks| talks.open());
        let kind = match talk {
            Some(talk) if draft.channel == "chat" => StepKind::Reply { conversation: talk.id.clone(), draft },
            _ => StepKind::Draft(draft),
        };
        drafts.push(turn.step(kind, &revision(id)));
    }
    drafts
}

/// The message, or nothing if a fact that it needs is not known.
fn render(turn: &Turn<'_>, id: &str, slots: &Slots) -> Option<Draft> {
    let profile = turn.context.profile.known();
    let wanted = profile.and_then(|customer| customer.locale.as_deref());
    let message = turn.bundle.message(id, wanted, slots)?.ok()?;
    Some(Draft {
        template: message.template,
        channel: message.channel.as_str().to_owned(),
        locale: message.locale.to_string(),
        subject: message.subject,
        text: message.text,
    })
}

/// Every fact that a template may name.
pub(super) fn slots(turn: &Turn<'_>) -> Slots {
    let (context, settings) = (turn.context, turn.bundle.settings());
    let mut slots = Slots::default();
    for (name, link) in &settings.links {
        slots = slots.with(name, Slot::Link(link.clone()));
    }
    if let Some(amount) = context.amount() {
        slots = slots.with("amount", Slot::Money(amount));
    }
    if let Some(name) = context.profile.known().and_then(|customer| customer.name.clone()) {
        slots = slots.with("customer", Slot::Name(name));
    }
    if let Some(account) = context.account.known() {
        if let Some(name) = &account.name {
            slots = slots.with("account", Slot::Name(name.clone()));
        }
        if let Some(owner) = account.owner.as_ref().and_then(|owner| owner.name.clone()) {
            slots = slots.with("owner", Slot::Name(owner));
        }
        if let Some(renews) = account.renews {
            slots = slots.with("renews", Slot::Date(renews));
        }
        if let Some(value) = account.annual_value {
            slots = slots.with("annual_value", Slot::Money(value));
        }
    }
    slots = slots.with("object", Slot::Text(turn.key.object().to_string()));
    slots = slots.with("reason", Slot::Text(turn.classification.reasons.first().cloned().unwrap_or_default()));
    if let Some(reason) = refunds::reason(context) {
        slots = slots.with("refund_reason", Slot::Text(reason));
    }
    let date = match &context.subject {
        Subject::Invoice(Read::Found(invoice)) => {
            slots = slots.with("invoice", Slot::Text(invoice.id.to_string()));
            invoice.next_payment_attempt
        }
        Subject::Dispute(Read::Found(dispute)) => dispute.due_by,
        Subject::Subscription(Read::Found(one)) => one.cancel_at.or(one.ended_at).or(one.current_period_end),
        _ => None,
    };
    if let Some(date) = date {
        slots = slots.with("date", Slot::Date(date));
    }
    if let Some(segment) = settings.segment(&context.account) {
        let opened = turn.before.map_or(context.at, |case| case.opened);
        slots = slots.with("grace_end", Slot::Date(opened.plus(i64::from(segment.grace_days) * 86_400)));
    }
    slots
}
