//! What waits, and what was decided.

use domain::{
    Timestamp,
    approval::{Mandate, Stage},
};
use maud::{Markup, html};
use store::ProposalRow;

use super::{Me, page, text};
use crate::mandate;

/// A mandate that stands.
pub(crate) struct Standing {
    pub(crate) mandate: Mandate,
    /// The anti-forgery token of stopping it, for whoever may.
    pub(crate) stop: Option<String>,
}

/// The inbox of one person. What runs out first comes first, and of what runs out together the largest.
pub(crate) fn inbox(
    me: &Me,
    mine: &mut [ProposalRow],
    others: &mut [ProposalRow],
    decided: &[ProposalRow],
    mandates: &[Standing],
    frozen: bool,
    now: Timestamp,
) -> Markup {
    mine.sort_by_key(urgency);
    others.sort_by_key(urgency);
    let body = html! {
        @if frozen {
            section .warn role="alert" { "Everything is stopped: approvals do not count, and nothing is done." }
        }
        section {
            h2 { "Waits for you" (count(mine)) }
            (list(mine, now, "Nothing waits for you."))
        }
        section {
            h2 { "Waits for others" (count(others)) }
            (list(others, now, "Nothing waits for others."))
        }
        section {
            h2 { "Mandates that stand" @if !mandates.is_empty() { " (" (mandates.len()) ")" } }
            @if mandates.is_empty() {
                p .soft { "None: nothing is done without asking." }
            }
            @for one in mandates { (standing_mandate(one, now)) }
            p { a href="/requests/new?operation=mandate.grant" { "Ask for a mandate" } }
        }
        section {
            h2 { "Decided" }
            (list(decided, now, "Nothing was decided yet."))
        }
    };
    page("Approvals", Some(me), &body)
}

/// The deadline, then the amount downwards. Amounts of different currencies are compared as numbers: there
/// is no conversion, and it is only an order.
fn urgency(row: &ProposalRow) -> (Timestamp, i64, String) {
    let action = &row.proposal.action;
    let amount = action.operation.amount().map_or(0, |money| money.amount);
    (action.expires, amount.saturating_neg(), row.id().to_string())
}

fn count(rows: &[ProposalRow]) -> Markup {
    html! { @if !rows.is_empty() { " (" (rows.len()) ")" } }
}

fn list(rows: &[ProposalRow], now: Timestamp, none: &str) -> Markup {
    html! {
        @if rows.is_empty() { p .soft { (none) } } @else {
            ul .rows {
                @for row in rows {
                    @let action = &row.proposal.action;
                    li {
                        a href={ "/a/" (row.id()) } {
                            @if let Some(amount) = action.operation.amount() { span .sum { (amount) } }
                            span .about {
                                span { (text::sentence(&action.operation.to_string())) }
                                span .soft {
                                    (standing(row, now))
                                    @if row.proposal.is_open(now) && action.need > 1 {
                                        " · " (action.need) " people have to sign"
                                    }
                                    @if !action.livemode { " · test mode" }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn standing_mandate(one: &Standing, now: Timestamp) -> Markup {
    let mandate = &one.mandate;
    let used = mandate.terms.per_day.saturating_sub(mandate.left(now));
    html! {
        div .mandate {
            p {
                (text::sentence(&mandate::sentence(mandate))) " "
                a href={ "/a/" (mandate.proposal) } { "Who granted it" }
            }
            p .soft {
                "Used " (used) " of " (mandate.terms.per_day) " times today · ends "
                (text::until(mandate.terms.until, now))
            }
            @if let Some(csrf) = &one.stop {
                form method="post" action={ "/mandates/" (mandate.id) "/stop" } {
                    input type="hidden" name="csrf" value=(csrf);
                    button .stop { "Stop it now" }
                }
            }
        }
    }
}

/// Where a proposal stands, in a few words.
pub(super) fn standing(row: &ProposalRow, now: Timestamp) -> String {
    let expires = row.proposal.action.expires;
    match &row.proposal.stage {
        Stage::Pending if now >= expires => format!("ran out on {}", text::time(expires)),
        Stage::Pending => format!("to decide {}", text::until(expires, now)),
        Stage::Executing(attempt) if attempt.unknown.is_some() => "the outcome is unknown".to_owned(),
        Stage::Executing(_) => "being done".to_owned(),
        Stage::Executed { at, .. } => format!("done on {}", text::time(*at)),
        Stage::Failed { at, .. } => format!("refused by Stripe on {}", text::time(*at)),
        Stage::Denied { at, .. } => format!("denied on {}", text::time(*at)),
        Stage::Withdrawn { at, .. } => format!("taken back on {}", text::time(*at)),
        Stage::Expired { at } => format!("ran out on {}", text::time(*at)),
        Stage::Stale { at, .. } => format!("void since {}", text::time(*at)),
        Stage::Tampered { at, .. } => format!("stopped on {}", text::time(*at)),
    }
}
