//! One proposal: everything that somebody needs to decide it, and what came of it.

use domain::{
    Money, Timestamp,
    approval::{Attempt, Decision, Facts, Stage},
    policy::RuleRef,
    snapshot::Customer,
};
use maud::{Markup, html};
use store::ProposalFile;

use super::{
    Me,
    facts::{facts, parameters},
    harmless,
    inbox::standing,
    page, text,
};
use crate::execute::Progress;

/// What it is about, as read just now.
#[derive(Debug)]
pub(crate) enum Reread {
    /// Stripe has it.
    Found(Box<Facts>),
    /// Stripe has it no more.
    Gone,
    /// Stripe could not be asked.
    Unreadable,
}

impl Reread {
    pub(crate) const fn facts(&self) -> Option<&Facts> {
        match self {
            Self::Found(facts) => Some(facts),
            Self::Gone | Self::Unreadable => None,
        }
    }
}

/// What the review page shows.
pub(crate) struct Review<'a> {
    pub(crate) me: &'a Me,
    pub(crate) file: &'a ProposalFile,
    pub(crate) now_read: &'a Reread,
    pub(crate) customer: Option<&'a Customer>,
    /// What is different from when it was proposed.
    pub(crate) moved: Vec<String>,
    /// The rules that let the reader sign.
    pub(crate) rules: &'a [RuleRef],
    pub(crate) requester: String,
    /// Names of who signed, and of who else may.
    pub(crate) signed: Vec<String>,
    pub(crate) may_sign: Vec<String>,
    /// Why the reader cannot decide it.
    pub(crate) refused: Option<String>,
    pub(crate) may_approve: bool,
    pub(crate) may_deny: bool,
    /// The amount that whoever approves types.
    pub(crate) typed: Option<Money>,
    /// The anti-forgery tokens of taking it back, and of saying what was seen in Stripe.
    pub(crate) withdraw: Option<String>,
    pub(crate) looked: Option<String>,
    /// What just happened.
    pub(crate) notice: Option<&'static str>,
    pub(crate) frozen: bool,
    pub(crate) csrf: String,
    pub(crate) now: Timestamp,
}

/// The review page.
pub(crate) fn review(shown: &Review<'_>) -> Markup {
    let row = &shown.file.row.value;
    let action = &row.proposal.action;
    let open = row.proposal.is_open(shown.now);
    let body = html! {
        (notices(shown))
        section {
            p .soft { "What will happen" }
            @if let Some(amount) = action.operation.amount() { p .amount { (amount) } }
            p { (text::sentence(&action.operation.to_string())) }
            dl {
                dt { "Customer" } dd { (customer(shown)) }
                dt { "Asked for by" } dd { (harmless(&shown.requester, 80)) " on " (text::time(action.created)) }
                dt { "Stands" } dd { (standing(row, shown.now)) }
                dt { "Check" } dd { code { (row.proposal.digest.short()) } " (the same as in the message)" }
                @if !action.livemode { dt { "Mode" } dd { "test mode, no real money" } }
            }
        }
        section {
            h2 { "Why" }
            p .untrusted { (harmless(&row.dossier.why, 500)) }
            @if let Some(case) = &row.dossier.case { p .soft { "Case " code { (case) } } }
        }
        (parameters(&action.operation))
        (read(shown))
        (signatures(shown))
        @if open { (choice(shown)) }
        @if let Some(csrf) = &shown.looked { (looked(action.proposal.as_str(), csrf)) }
        @if let Some(what) = outcome(&row.proposal.stage) { section { h2 { "What came of it" } p { (what) } } }
    };
    page(if open { "Decide" } else { "Proposal" }, Some(shown.me), &body)
}

fn notices(shown: &Review<'_>) -> Markup {
    let dossier = &shown.file.row.value.dossier;
    let pending = shown.file.proposal().stage == Stage::Pending;
    html! {
        @if let Some(notice) = shown.notice { section .warn role="alert" { (notice) } }
        @if shown.frozen { section .warn { "Everything is stopped: approvals do not count, and nothing is done." } }
        @if let Some((old, moved)) = &dossier.replaces {
            section .warn {
                "This takes the place of " a href={ "/a/" (old) } { "an earlier proposal" }
                ", because " (moved) "."
            }
        }
        @match shown.now_read {
            Reread::Unreadable if pending => section .warn {
                "Stripe cannot be read just now, so it cannot be approved. Try again in a minute."
            },
            Reread::Gone if pending => section .warn {
                "Stripe does not know the object any more, so nothing can be done."
            },
            _ => {},
        }
        @if pending && !shown.moved.is_empty() {
            section .warn {
                "Since it was proposed, " (shown.moved.join("; "))
                ". Approved as it is, it is not done, but proposed again as things stand then."
            }
        }
    }
}

fn customer(shown: &Review<'_>) -> Markup {
    let row = &shown.file.row.value;
    let id = row.dossier.customer.as_ref().map(|customer| &customer.id);
    let id = shown.now_read.facts().unwrap_or(&row.dossier.facts).customer().or(id);
    let name = shown.customer.and_then(|customer| customer.name.as_deref());
    html! {
        @if let Some(name) = name { (harmless(name, 120)) " " }
        @match id {
            Some(id) => { code { (id) } },
            None => { "none" },
        }
    }
}

fn read(shown: &Review<'_>) -> Markup {
    let (read, when) = match shown.now_read.facts() {
        Some(read) => (read, "As Stripe says now"),
        None => (&shown.file.row.value.dossier.facts, "As it was when this was proposed"),
    };
    html! { section { h2 { (when) } (facts(read, shown.file.proposal().action.livemode)) } }
}

/// What somebody saw in Stripe of an outcome that no machine can tell.
fn looked(id: &str, csrf: &str) -> Markup {
    html! {
        section {
            h2 { "Say what you saw in Stripe" }
            p .soft {
                "Look for it in the Stripe Dashboard. Stripe is asked once more before what you say counts,                  and nothing is ever sent again by this."
            }
            form method="post" action={ "/a/" (id) "/looked" } {
                input type="hidden" name="csrf" value=(csrf);
                label { "What you saw, with its id" input name="saw" required maxlength="300" autocomplete="off"; }
                div .choice {
                    button name="outcome" value="done" { "It was done" }
                    button .stop name="outcome" value="not_done" { "It was not done" }
                }
            }
        }
    }
}

fn signatures(shown: &Review<'_>) -> Markup {
    let action = &shown.file.proposal().action;
    let names = |names: &[String]| names.iter().map(|name| harmless(name, 80)).collect::<Vec<_>>().join(", ");
    html! {
        section {
            h2 { "Who signs" }
            dl {
                dt { "Needed" } dd { (action.need) @if action.need == 1 { " person" } @else { " people" } }
                dt { "Signed" } dd { @if shown.signed.is_empty() { "nobody yet" } @else { (names(&shown.signed)) } }
                dt { "May sign" } dd { @if shown.may_sign.is_empty() { "nobody else" } @else { (names(&shown.may_sign)) } }
                dt { "By" } dd { (text::time(action.expires)) }
            }
            @for rule in shown.rules { p .soft { (rule.reason) " (rule " code { (rule.id) } ")" } }
        }
    }
}

fn choice(shown: &Review<'_>) -> Markup {
    let row = &shown.file.row.value;
    let action = &row.proposal.action;
    let left = usize::from(action.need).saturating_sub(shown.signed.len());
    html! {
        section {
            h2 { "Your decision" }
            @if let Some(refused) = &shown.refused { p { (text::sentence(refused)) } }
            @if shown.may_approve || shown.may_deny {
                p .soft {
                    @if left > 1 { "If you approve, " (left - 1) " more must sign before it is done. " }
                    @else { "If you approve, it is done at once, and cannot be taken back here. " }
                    "If you deny, it ends, and nothing is sent to Stripe."
                }
                form .choice method="post" action={ "/a/" (action.proposal) } {
                    input type="hidden" name="digest" value=(row.proposal.digest);
                    input type="hidden" name="csrf" value=(shown.csrf);
                    @if let (true, Some(amount)) = (shown.may_approve, shown.typed) {
                        label {
                            "To approve, type the amount (" (amount) ") without the currency"
                            input name="amount" inputmode="decimal" maxlength="20" autocomplete="off";
                        }
                    }
                    @if shown.may_approve {
                        button .go name="decision" value="approve" {
                            "Approve"
                            @if let Some(amount) = action.operation.amount() { " " (amount) }
                        }
                    }
                    @if shown.may_deny { button .stop name="decision" value="deny" { "Deny" } }
                }
            }
            @if let Some(csrf) = &shown.withdraw {
                form method="post" action={ "/a/" (action.proposal) "/withdraw" } {
                    input type="hidden" name="csrf" value=(csrf);
                    button { "Take it back" }
                }
            }
        }
    }
}

/// What came of a proposal, in a sentence.
fn outcome(stage: &Stage) -> Option<String> {
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
        Stage::Denied { .. } => "It was denied. Nothing was sent to Stripe.".to_owned(),
        Stage::Withdrawn { .. } => "It was taken back. Nothing was sent to Stripe.".to_owned(),
        Stage::Expired { .. } => "Nobody decided in time. Nothing was sent to Stripe.".to_owned(),
        Stage::Stale { moved, .. } => format!("Nothing was sent to Stripe, because {moved}."),
        Stage::Tampered { what, .. } => {
            format!("Stopped: {what}. Nothing was sent to Stripe; an administrator has to look.")
        }
    })
}

/// What a vote brought about.
pub(crate) fn result(me: &Me, file: &ProposalFile, decision: Decision, progress: &Progress) -> Markup {
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
        section {
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
            p { a href={ "/a/" (action.proposal) } { "Open it" } " · " a href="/" { "Inbox" } }
        }
    };
    page(title, Some(me), &body)
}

/// Something that was not taken.
pub(crate) fn not_taken(me: &Me, why: &str, here: &str) -> Markup {
    let body = html! {
        section {
            p { (text::sentence(why)) }
            p { a href=(here) { "Open it" } " · " a href="/" { "Inbox" } }
        }
    };
    page("Nothing was changed", Some(me), &body)
}

/// A vote that does not count.
pub(crate) fn vote_refused(me: &Me, why: &str, here: &str) -> Markup {
    let body = html! {
        section {
            p { (text::sentence(why)) }
            p { a href=(here) { "Open it" } " · " a href="/" { "Inbox" } }
        }
    };
    page("Your decision was not counted", Some(me), &body)
}
