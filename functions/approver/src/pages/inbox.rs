//! What waits, and what was decided.

use domain::{Timestamp, approval::Stage};
use maud::{Markup, html};
use store::ProposalRow;

use super::{Me, page, text};

/// The inbox of one person. What runs out first comes first, and of what runs out together the largest.
pub(crate) fn inbox(
    me: &Me,
    mine: &mut [ProposalRow],
    others: &mut [ProposalRow],
    decided: &[ProposalRow],
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
