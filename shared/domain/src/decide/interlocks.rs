//! What keeps a message from a customer or a request from an approver. The team always hears.

use super::{Turn, is_recovery};
use crate::{
    Case, CaseKind,
    case::CaseState,
    classify::Bucket,
    context::{Context, Part, Subject},
    plan::{Interlock, StepKind, Suppression},
    policy::{ExceptionKind, Source},
    snapshot::{Invoice, Read, Subscription},
};

type Held = Option<(Interlock, String)>;

/// The first interlock that keeps a step from being taken.
pub(super) fn interlock(turn: &Turn<'_>, step: &StepKind) -> Held {
    let context = turn.context;
    if context.frozen {
        return Some((Interlock::KillSwitch, "the switch that stops everything is on".into()));
    }
    match step {
        _ if step.is_to_customer() => to_customer(turn),
        StepKind::Request { .. } => request(turn),
        _ => None,
    }
}

/// A case whose invoice was paid before its ladder was at its end: nothing more is said, and that stands
/// in the case.
pub(super) fn stopped(context: &Context, before: Option<&Case>, bucket: Bucket) -> Option<Suppression> {
    let paid = matches!(context.subject, Subject::Invoice(_)) && bucket == Bucket::Paid;
    (paid && was_open(before)).then(|| Suppression {
        step: "draft".into(),
        interlock: Interlock::AlreadyPaid,
        because: "the invoice is paid; the rest of the ladder is dropped".into(),
    })
}

/// Whether a case was open until its invoice was paid. A case that is decided once more after that still was.
pub(super) fn was_open(before: Option<&Case>) -> bool {
    before.is_some_and(|case| {
        case.state == CaseState::Open
            || case.suppressed.iter().any(|one| one.interlock == Interlock::AlreadyPaid)
    })
}

fn request(turn: &Turn<'_>) -> Held {
    if let Some(exception) = exception(turn, ExceptionKind::ByHand) {
        return Some(exception);
    }
    match &turn.context.subject {
        Subject::Charge(Read::Found(charge)) if charge.disputed => {
            Some((Interlock::DisputedCharge, "the charge is disputed, so a refund could pay twice".into()))
        }
        Subject::Charge(Read::Found(_)) => None,
        _ if turn.facts.kind == CaseKind::FraudWarning => match turn.context.charge.known() {
            Some(charge) if charge.disputed => Some((
                Interlock::DisputedCharge,
                "the charge is disputed, so a refund could pay twice".into(),
            )),
            Some(_) => None,
            None => Some((Interlock::MissingContext, "the charge could not be read".into())),
        },
        _ => Some((Interlock::MissingContext, "there is no charge to act on".into())),
    }
}

fn to_customer(turn: &Turn<'_>) -> Held {
    exception(turn, ExceptionKind::ByHand)
        .or_else(|| missing(turn))
        .or_else(|| conversation(turn))
        .or_else(|| if is_recovery(turn.facts.kind) { recovery(turn) } else { None })
        .or_else(|| manners(turn))
}

pub(super) fn exception(turn: &Turn<'_>, kind: ExceptionKind) -> Held {
    let mut all = turn.bundle.exceptions(turn.context.customer.as_ref(), turn.context.at);
    let one = all.find(|one| one.kind == kind)?;
    let because = format!("until {} by {}: {}", one.until, one.owner, one.reason);
    Some((Interlock::Exception, because))
}

fn missing(turn: &Turn<'_>) -> Held {
    let because = |why: &str| Some((Interlock::MissingContext, why.to_owned()));
    if turn.context.subject.is_gone() {
        return because("Stripe does not have the object");
    }
    if turn.context.customer.is_none() {
        return because("it is not known who the customer is");
    }
    if turn.context.profile.known().is_some_and(|customer| customer.deleted) {
        return because("the customer was deleted in Stripe");
    }
    if turn.facts.missing.is_empty() {
        return None;
    }
    let names: Vec<&str> = turn.facts.missing.iter().copied().collect();
    because(&format!(
        "not known: {}; it is tried again, and a system that you do not have is taken out of `sources` in the policy",
        names.join(", ")
    ))
}

fn conversation(turn: &Turn<'_>) -> Held {
    if !turn.bundle.settings().sources.contains(&Source::HelpDesk) {
        return None;
    }
    let talk = turn.context.conversations.known()?.priority()?;
    let because = format!("conversation {} with the help desk is open and `{}`", talk.id, talk.urgency);
    Some((Interlock::PriorityTicket, because))
}

/// No dunning during a dispute, after a cancellation, for a second invoice, or by exception.
fn recovery(turn: &Turn<'_>) -> Held {
    let context = turn.context;
    let Subject::Invoice(Read::Found(invoice)) = &context.subject else { return None };
    dispute(turn)
        .or_else(|| {
            let ending = context.subscription.known().is_some_and(Subscription::is_ending);
            ending.then(|| (Interlock::PendingCancellation, "the subscription is ending".into()))
        })
        .or_else(|| exception(turn, ExceptionKind::NoDunning))
        .or_else(|| older_invoice(turn, invoice))
        .or_else(|| match &context.issuer {
            Part::Known { value: hours, .. } => {
                let why = hours.outage(context.at, &turn.bundle.settings().issuer)?;
                Some((Interlock::IssuerOutage, why))
            }
            // It may be out, and nobody could tell (I7).
            part if part.failed() => Some((Interlock::MissingContext, "not known: card_issuer".into())),
            Part::Missing { .. } => None,
        })
}

fn dispute(turn: &Turn<'_>) -> Held {
    let context = turn.context;
    let disputes = context.disputes.known()?;
    if let Some(open) = disputes.iter().find(|dispute| !dispute.status.is_closed()) {
        return Some((Interlock::OpenDispute, format!("dispute {} is open", open.id)));
    }
    // Stripe's own list decides, if it is whole; otherwise an older dispute may be in the store.
    let stored = context.open_cases.iter().find(|case| case.kind() == CaseKind::Dispute);
    let case = stored.filter(|_| !context.all_charges)?;
    Some((Interlock::OpenDispute, format!("case {case} is open")))
}

/// The oldest open invoice that failed speaks for all of them. Stripe's list decides, not the order in
/// which events came.
fn older_invoice(turn: &Turn<'_>, invoice: &Invoice) -> Held {
    let open = turn.context.open_invoices.known()?;
    let older = open.iter().find(|other| {
        other.attempt_count > 0
            && other.id != invoice.id
            && (other.created, &other.id) < (invoice.created, &invoice.id)
    })?;
    let because = format!("invoice {} of this customer failed first; {} waits for it", older.id, turn.key);
    Some((Interlock::OneRecoveryPerCustomer, because))
}

/// Not too often, and not at night.
fn manners(turn: &Turn<'_>) -> Held {
    let context = turn.context;
    let frequency = turn.bundle.settings().frequency;
    let since = context.at.plus(-86_400 * i64::from(frequency.days));
    let recent = context.contacts.iter().filter(|at| **at > since).count();
    if recent >= usize::from(frequency.most) {
        let because = format!("{recent} messages were drafted in the last {} days", frequency.days);
        return Some((Interlock::FrequencyCap, because));
    }
    let calendar = turn.bundle.calendar();
    calendar.is_quiet(context.at).then(|| {
        let until = calendar.next_allowed(context.at);
        (Interlock::QuietHours, format!("nobody is written to before {until}"))
    })
}
