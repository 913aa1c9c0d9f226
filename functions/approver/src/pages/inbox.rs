//! What waits, and what was decided.

use domain::{Timestamp, approval::Stage};
use maud::{Markup, html};
use store::ProposalRow;

use super::{Me, page, text};

/// The inbox of one person.
pub(crate) fn inbox(
    me: &Me,
    mine: &[ProposalRow],
    others: &[ProposalRow],
    decided: &[ProposalRow],
    frozen: bool,
    now: Timestamp,
) -> Markup {
    let body = html! {
        @if frozen { section .warn { "Everything is stopped: approvals do not count, and nothing is done." } }
        section {
            h2 { "Waits for you" }
            (list(mine, now, "Nothing waits for you."))
        }
        section {
            h2 { "Waits for others" }
            (list(others, now, "Nothing waits for others."))
        }
        section {
            h2 { "Decided" }
            (list(decided, now, "Nothing was decided yet."))
        }
        p { a .button href="/requests/new" { "Ask for something" } }
    };
    page("Approvals", Some(me), &body)
}

fn list(rows: &[ProposalRow], now: Timestamp, none: &str) -> Markup {
    html! {
        @if rows.is_empty() { p .soft { (none) } }
        ul {
            @for row in rows {
                li {
                    a href={ "/a/" (row.id()) } {
                        (row.proposal.action.operation)
                        br;
                        span .soft { (standing(row, now)) " · " code { (row.proposal.digest.short()) } }
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
