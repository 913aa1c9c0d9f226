//! Until when something can be done, and when to look again.

use super::{Decision, Turn};
use crate::{
    Timestamp,
    case::CaseState,
    context::{Context, Subject},
    plan::Interlock,
    policy::{Playbook, Rung},
    snapshot::Read,
};

/// When a case is looked at again because something about it could not be read, in seconds.
const SOON: i64 = 15 * 60;
/// When a case is looked at again because an interlock held something back, in seconds.
const LATER: i64 = 6 * 3600;
/// The same for an interlock that lasts for days, in seconds.
const TOMORROW: i64 = 24 * 3600;

/// The last moment at which something can be done.
pub(super) fn deadline(context: &Context) -> Option<Timestamp> {
    match &context.subject {
        Subject::Dispute(Read::Found(dispute)) if dispute.status.needs_response() => dispute.due_by,
        _ => None,
    }
}

/// The rung of the ladder before a dispute's deadline: the fewest business days that are not yet passed.
pub(super) fn dispute_rung(turn: &Turn<'_>) -> Option<u16> {
    let left = turn.facts.business_days_left?;
    turn.bundle.settings().dispute.ladder.iter().copied().filter(|days| left <= i64::from(*days)).min()
}

/// When the next rung before a dispute's deadline begins.
fn next_dispute_rung(turn: &Turn<'_>) -> Option<Timestamp> {
    let due = deadline(turn.context)?;
    let ladder = turn.bundle.settings().dispute.ladder.iter();
    let starts = ladder
        .map(|days| turn.bundle.calendar().add_business_days(due, -i16::try_from(*days).unwrap_or(i16::MAX)));
    // The deadline itself is the last time to look: then the bank decides without us.
    starts.chain([due]).filter(|start| *start > turn.context.at).min()
}

/// The earliest time at which this decision may change by itself.
pub(super) fn revisit(
    turn: &Turn<'_>,
    decision: &Decision,
    playbook: Option<&Playbook>,
    rung: Option<(usize, &Rung)>,
    opened: Timestamp,
) -> Option<Timestamp> {
    let (context, at) = (turn.context, turn.context.at);
    if context.is_patchy() {
        return Some(at.plus(SOON));
    }
    let held = decision.suppressed.iter().filter_map(|one| match one.interlock {
        Interlock::NoRule | Interlock::AlreadyPaid => None,
        Interlock::QuietHours => Some(turn.bundle.calendar().next_allowed(at)),
        Interlock::Exception | Interlock::FrequencyCap => Some(at.plus(TOMORROW)),
        _ => Some(at.plus(LATER)),
    });
    let ladder = playbook.filter(|_| decision.state == CaseState::Open).and_then(|playbook| {
        let day = match rung {
            Some((place, _)) => playbook.next_day(place),
            None => playbook.rungs.first().map(|rung| rung.day),
        };
        day.map(|day| opened.plus(i64::from(day) * 86_400))
    });
    held.chain(ladder).chain(next_dispute_rung(turn)).filter(|then| *then > at).min()
}
