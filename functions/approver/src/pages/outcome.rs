//! What came of a decision, with the receipt of whoever made it.

use domain::approval::{Attempt, Decision, Receipt, Stage};
use maud::{Markup, html};
use store::ProposalFile;

use super::{Me, page, text};
use crate::execute::Progress;

/// What came of a proposal, in a sentence.
pub(super) fn outcome(stage: &Stage) -> Option<String> {
    Some(match stage {
        Stage::Pending => return None,
        Stage::Executing(Attempt { unknown: Some(why), .. }) => {
            format!(
                "Nobody knows yet whether Stripe did it: {why}. It is being looked for; do not do it by hand."
            )
        }
        Stage::Executing(_) => "It is being done.".to_owned(),
        Stage::Executed { effect, .. } => format!("Stripe did it: {effect}."),
        Stage::Failed { code, .. } => format!("Stripe refused it ({code}). Nothing was done."),
        Stage::Withdrawn { .. } => "It was taken back. Nothing was sent to Stripe.".to_owned(),
        Stage::Denied { .. } => "It was denied. Nothing was sent to Stripe.".to_owned(),
        Stage::Expired { .. } => {
            "Nobody decided in time. Nothing was sent to Stripe. If it is still wanted, it has to be asked for again."
                .to_owned()
        }
        Stage::Stale { moved, .. } => format!("Nothing was sent to Stripe, because {moved}."),
        Stage::Tampered { what, .. } => {
            format!("Stopped: {what}. Nothing was sent to Stripe; an administrator has to look.")
        }
    })
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
    let done = outcome(&file.proposal().stage);
    let title = match (decision, progress) {
        (Decision::Deny, _) => "You denied it",
        (_, Progress::At(Stage::Executed { .. })) => "Approved and done",
        (_, Progress::At(Stage::Failed { .. })) => "Approved, but Stripe refused it",
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
                Progress::RanOut => p { "The time ran out meanwhile. Nothing was sent to Stripe." },
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
