//! The form that asks for a refund.

use domain::approval::RefundReason;
use maud::{Markup, html};

use super::{Me, page, text};

/// What was filled in.
#[derive(Debug, Clone, Default)]
pub(crate) struct Asked {
    pub(crate) charge: String,
    /// Major units, as typed.
    pub(crate) amount: String,
    pub(crate) reason: String,
    pub(crate) note: String,
}

/// Why it was not taken, and a page to go to instead.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    pub(crate) why: String,
    pub(crate) other: Option<String>,
}

/// The form, and what was wrong with it.
pub(crate) fn request_form(me: &Me, asked: &Asked, nonce: &str, csrf: &str, told: Option<&Told>) -> Markup {
    let asks = RefundReason::RequestedByCustomer.as_str();
    let chosen = if asked.reason.is_empty() { asks } else { asked.reason.as_str() };
    let body = html! {
        @if let Some(told) = told {
            section .warn role="alert" {
                (text::sentence(&told.why))
                @if let Some(other) = &told.other { " " a href=(other) { "Open the other proposal" } }
            }
        }
        section {
            p .soft { "Nothing is refunded by asking: somebody else has to approve it." }
            form method="post" action="/requests" {
                input type="hidden" name="nonce" value=(nonce);
                input type="hidden" name="csrf" value=(csrf);
                label {
                    "Charge"
                    input name="charge" required maxlength="255" placeholder="ch_…" value=(asked.charge) autocomplete="off";
                }
                label {
                    "Amount, in the charge's currency"
                    input name="amount" required maxlength="20" inputmode="decimal" placeholder="19.99" value=(asked.amount)
                        autocomplete="off";
                }
                label {
                    "Reason"
                    select name="reason" {
                        @for reason in RefundReason::ALL {
                            option value=(reason.as_str()) selected[reason.as_str() == chosen] {
                                (text::sentence(&reason.to_string()).trim_end_matches('.'))
                                @if *reason == RefundReason::Fraudulent { " (block-lists the customer)" }
                            }
                        }
                    }
                }
                label {
                    "Note for whoever decides"
                    textarea name="note" rows="3" maxlength="500" { (asked.note) }
                }
                button .go { "Ask" }
            }
        }
    };
    page("Ask for a refund", Some(me), &body)
}
