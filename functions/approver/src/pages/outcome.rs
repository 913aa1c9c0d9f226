//! What came of a decision, with the receipt of whoever made it.

use domain::approval::{Attempt, Decision, LOOKED_NOT_DONE, Proposal, Receipt, Stage, System};
use maud::{Markup, html};
use store::ProposalFile;

use super::{Me, page, text};
use crate::execute::{NOT_SENT, Progress};

/// What came of a proposal, in a sentence.
pub(super) fn outcome(proposal: &Proposal) -> Option<String> {
    let system = proposal.action.operation.kind().system();
    let nothing = nothing_sent(system);
    Some(match &proposal.stage {
        Stage::Pending => return None,
        Stage::Executing(Attempt { unknown: Some(why), .. }) if system == System::Mail => {
            format!("Nobody knows whether the message went out: {why}. It is not sent again.")
        }
        Stage::Executing(Attempt { unknown: Some(why), .. }) => {
            format!(
                "Nobody knows yet whether {system} did it: {why}. It is being looked for; do not do it by hand."
            )
        }
        Stage::Executing(_) => "It is being done.".to_owned(),
        Stage::Executed { effect, .. } if system == System::Mail => {
            format!("The message was sent: {effect}.")
        }
        Stage::Executed { effect, .. } if system == System::Here => {
            format!("The mandate {effect} was granted; the inbox shows whether it still stands.")
        }
        Stage::Executed { effect, .. } => text::sentence(&format!("{system} did it: {effect}")),
        Stage::Failed { code, .. } if code == LOOKED_NOT_DONE => {
            "Somebody looked: it was not done, and it is not tried again.".to_owned()
        }
        Stage::Failed { code, .. } => match code.strip_prefix(NOT_SENT) {
            Some(why) => format!("{nothing} ({why}). If it is still wanted, it has to be asked for again."),
            None => format!("{} Nothing was done.", text::sentence(&format!("{system} refused it ({code})"))),
        },
        Stage::Withdrawn { .. } => format!("It was taken back. {nothing}."),
        Stage::Denied { .. } => format!("It was denied. {nothing}."),
        Stage::Expired { .. } => {
            format!("Nobody decided in time. {nothing}. If it is still wanted, it has to be asked for again.")
        }
        Stage::Stale { moved, .. } => format!("{nothing}, because {moved}."),
        Stage::Tampered { what, .. } => format!("Stopped: {what}. {nothing}; an administrator has to look."),
    })
}

/// That nothing left this house, without a full stop.
pub(super) fn nothing_sent(system: System) -> String {
    match system {
        System::Mail => "Nothing was sent to the customer".to_owned(),
        System::Stripe | System::Application => format!("Nothing was sent to {system}"),
        System::Here => "Nothing was granted".to_owned(),
    }
}

/// The headline of something that was approved and not done.
pub(crate) fn failed(system: System, code: &str) -> &'static str {
    match system {
        _ if code == LOOKED_NOT_DONE || code.starts_with(NOT_SENT) => "Approved, but it was not done",
        System::Stripe => "Approved, but Stripe refused it",
        System::Mail => "Approved, but the mail service refused it",
        System::Application => "Approved, but the application refused it",
        System::Here => "Approved, but it was not granted",
    }
}

/// The signed record of one's own decision.
pub(super) fn receipt(receipt: &Receipt) -> Markup {
    let body = &receipt.body;
    html! {
        section {
            h2 { "Your receipt" }
            p .soft {
                "Signed over exactly what you were shown. Anybody with the public key can check it, and it cannot be \
                 used for anything else."
            }
            dl {
                dt { "Decision" } dd { @match body.decision { Decision::Approve => "approved", Decision::Deny => "denied" }
                    " on " (text::time(body.at)) }
                dt { "Receipt" } dd { code { (body.id) } }
                dt { "Of" } dd { code { (body.digest) } }
                @if let Some(assertion) = &receipt.assertion {
                    dt { "Passkey" } dd { code { (assertion.credential.as_str()) } }
                }
                dt { "Key" } dd { code { (receipt.key) } }
                dt { "Signature" } dd { code { (receipt.signature) } }
            }
        }
    }
}

/// What a vote brought about.
pub(crate) fn result(
    me: &Me,
    file: &ProposalFile,
    own: Option<&Receipt>,
    decision: Decision,
    progress: &Progress,
) -> Markup {
    let action = &file.proposal().action;
    let system = action.operation.kind().system();
    let done = outcome(file.proposal());
    let title = match (decision, progress) {
        (Decision::Deny, _) => "You denied it",
        (_, Progress::At(Stage::Executed { .. })) => "Approved and done",
        (_, Progress::At(Stage::Failed { code, .. })) => failed(system, code),
        (_, Progress::At(Stage::Stale { .. } | Stage::Tampered { .. })) => "It was not done",
        (_, Progress::Replaced(_)) => "It was not done: Stripe moved on",
        _ => "You approved it",
    };
    let body = html! {
        section role="status" {
            @if let Some(amount) = action.operation.amount() { p .amount { (amount) } }
            p { (text::sentence(&action.operation.to_string())) }
            @match progress {
                Progress::Waiting { got, need } => p { (got) " of " (need) " have signed. The others were told." },
                Progress::Frozen => p { "Everything is stopped, so it waits until the freeze is lifted." },
                Progress::OverBudget => p {
                    "What may be done today is used up. It is done when there is room again, if its time has not \
                     run out by then."
                },
                Progress::RanOut => p { "The time ran out meanwhile. " (nothing_sent(system)) "." },
                Progress::Busy => p { "It is being done. Open it again in a moment." },
                Progress::Replaced(next) => {
                    p { "Nothing was sent. The same was proposed again on what Stripe says now." }
                    p { a .button.go href={ "/a/" (next) } { "Decide the new one" } }
                },
                Progress::At(_) => @if let Some(done) = &done { p { (done) } },
            }
            p .choice {
                a .button href="/" { "Back to the inbox" }
                a .button href={ "/a/" (action.proposal) } { "Open this proposal" }
            }
        }
        @if let Some(own) = own { (receipt(own)) }
    };
    page(title, Some(me), &body)
}

/// A vote that does not count.
pub(crate) fn vote_refused(me: &Me, why: &str, here: &str) -> Markup {
    let body = html! {
        section role="alert" {
            p { (text::sentence(why)) }
            p { "What you pressed just now changed nothing." }
            p .choice {
                a .button href=(here) { "Open the proposal" }
                a .button href="/" { "Back to the inbox" }
            }
        }
    };
    page("Your decision was not counted", Some(me), &body)
}

/// Something that was not taken.
pub(crate) fn not_taken(me: &Me, why: &str, here: &str) -> Markup {
    let body = html! {
        section role="alert" {
            p { (text::sentence(why)) }
            p .choice {
                a .button href=(here) { "Open the proposal" }
                a .button href="/" { "Back to the inbox" }
            }
        }
    };
    page("Nothing was changed", Some(me), &body)
}
