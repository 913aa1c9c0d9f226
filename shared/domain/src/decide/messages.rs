//! Messages from approved templates, filled with facts.

use std::collections::BTreeMap;

use super::{Turn, interlocks, links};
use crate::{
    CaseKind,
    context::{Conversations, Subject},
    plan::{Draft, Interlock, Step, StepKind, Suppression},
    policy::{ExceptionKind, Gated, Link, RenderError, Rung, Slot, Slots, Source},
    snapshot::Read,
};

/// The gated operation that sends a message.
const SEND: &str = "message.send";

/// The slot of a message that says until when access goes on.
const ACCESS_UNTIL: &str = "access_until";

/// The messages that a rung asks for: to the customer, as a reply where a conversation is open and the
/// template is for chat, and to a colleague. One that lacks a fact is held back with what is missing.
pub(super) fn drafts(turn: &Turn<'_>, rung: &Rung, place: usize) -> (Vec<Step>, Vec<Suppression>) {
    let slots = slots(turn);
    let (mut drafts, mut lacking) = (Vec::new(), Vec::new());
    let uses = turn.bundle.settings().sources.contains(&Source::HelpDesk);
    let talk = turn.context.conversations.known().filter(|_| uses).and_then(Conversations::open);
    let to_customer = talk.and(rung.chat.as_ref()).or(rung.draft.as_ref());
    for id in to_customer.into_iter().chain(&rung.follow_up) {
        if let Some((interlock, because)) = untrue(turn, id) {
            lacking.push(Suppression { step: "draft".into(), interlock, because });
            continue;
        }
        match render(turn, id, &slots) {
            Some(Ok(draft)) => {
                let kind = match talk {
                    Some(talk) if draft.channel == "chat" => {
                        StepKind::Reply { conversation: talk.id.clone(), draft }
                    }
                    _ => StepKind::Draft(draft),
                };
                drafts.push(turn.step(kind, &format!("{} {id}", turn.revision(place))));
            }
            Some(Err(error)) => lacking.push(Suppression {
                step: "draft".into(),
                interlock: Interlock::MissingContext,
                because: error.to_string(),
            }),
            None => {}
        }
    }
    (drafts, lacking)
}

/// Whether the policy has the agent put this message before the approvers, who may let it be sent. They
/// write it anew from an invoice or a charge; one about something else is left to a person.
pub(super) fn is_put_to_approvers(turn: &Turn<'_>, draft: &Draft) -> bool {
    let autonomy = &turn.bundle.settings().autonomy;
    draft.channel == "email"
        && matches!(
            turn.key.kind(),
            CaseKind::Recovery | CaseKind::Charge | CaseKind::Dispute | CaseKind::Refund
        )
        && autonomy.gated.get(SEND) == Some(&Gated::Approve)
}

/// The request to send a draft that was taken. Whatever holds back the draft holds back the request; its
/// words are the approver's own, from the same template.
pub(super) fn request(turn: &Turn<'_>, step: &Step) -> Option<Step> {
    let StepKind::Draft(draft) = &step.kind else { return None };
    if !is_put_to_approvers(turn, draft) {
        return None;
    }
    let kind = StepKind::Request {
        operation: SEND.to_owned(),
        origin: turn.context.origin.clone(),
        source: turn.context.event.clone(),
        parameters: BTreeMap::from([("template".to_owned(), draft.template.clone())]),
    };
    Some(turn.step(kind, step.key.as_str()))
}

/// Why a message would not be true for this customer: access that nobody takes away does not end.
pub(super) fn untrue(turn: &Turn<'_>, id: &str) -> Option<(Interlock, String)> {
    let template = turn.bundle.templates().get(id, turn.bundle.templates().default_locale())?;
    template.slots.contains_key(ACCESS_UNTIL).then_some(())?;
    interlocks::exception(turn, ExceptionKind::DoNotDowngrade)
}

/// The message, or what keeps it from being written; nothing if the bundle has no such template, which
/// loading it rules out.
fn render(turn: &Turn<'_>, id: &str, slots: &Slots) -> Option<Result<Draft, RenderError>> {
    let profile = turn.context.profile.known();
    let wanted = profile.and_then(|customer| customer.locale.as_deref());
    let (template, message) = turn.bundle.message(id, wanted, slots)?;
    Some(message.map(|message| Draft {
        template: message.template,
        channel: template.channel.as_str().to_owned(),
        locale: template.locale.to_string(),
        subject: message.subject,
        text: message.text,
    }))
}

/// Every fact that a template may name.
pub(super) fn slots(turn: &Turn<'_>) -> Slots {
    let (context, bundle) = (turn.context, turn.bundle);
    let mut slots = bundle.templates().house().clone();
    let mut put = |name: &str, slot: Option<Slot>| {
        if let Some(slot) = slot {
            slots = std::mem::take(&mut slots).with(name, slot);
        }
    };
    let account = context.account.known();
    let opened = turn.before.map_or(context.at, |case| case.opened);
    let grace = bundle.settings().segment(&context.account).map(|segment| i64::from(segment.grace_days));
    put("amount", context.amount().map(Slot::Money));
    let name = account.and_then(|account| account.name.clone());
    let name = name.or_else(|| context.profile.known().and_then(|customer| customer.name.clone()));
    put("account", name.map(Slot::Name));
    put("renewal", account.and_then(|account| account.renews).map(Slot::Date));
    put("case_page", case_page(turn).and_then(|page| Link::parse(&page).ok()).map(Slot::Link));
    put("speak_by", Some(Slot::Date(bundle.calendar().add_business_days(context.at, 2))));
    put("since", Some(Slot::Date(opened)));
    // A day that is over is no warning.
    let until = grace.map(|days| opened.plus(days * 86_400)).filter(|until| *until > context.at);
    put(ACCESS_UNTIL, until.map(Slot::Date));
    put("charged_on", context.charge.known().map(|charge| Slot::Date(charge.created)));
    match &context.subject {
        Subject::Invoice(Read::Found(invoice)) => {
            put("invoice", Some(Slot::Text(invoice.id.to_string())));
            put("next_try", invoice.next_payment_attempt.map(Slot::Date));
        }
        Subject::Charge(Read::Found(charge)) => put("charged_on", Some(Slot::Date(charge.created))),
        Subject::Subscription(Read::Found(one)) => {
            put("ends_on", one.ended_at.or(one.cancel_at).or(one.current_period_end).map(Slot::Date));
            put("paused_on", Some(Slot::Date(context.at)));
        }
        _ => {}
    }
    slots
}

/// Where a colleague reads more: our own page of the case, or the object in Stripe.
fn case_page(turn: &Turn<'_>) -> Option<String> {
    let ours = turn.context.case_page.clone();
    ours.or_else(|| links::links(turn.context, turn.key.object()).into_iter().next().map(|(_, page)| page))
}
