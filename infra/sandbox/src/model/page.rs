//! A page with what was asked and answered.

use axum::response::Response;
use maud::html;

use super::{Exchange, Mode};
use crate::page::{fact, show as page, time};

/// The latest exchanges, newest first, as plain text.
pub(super) fn show(mode: Mode, asked: usize, exchanges: &[Exchange]) -> Response {
    let others: Vec<&str> = Mode::ALL.into_iter().filter(|other| *other != mode).map(Mode::as_str).collect();
    let body = html! {
        p { "It is " strong { (mode.as_str()) } ". It can be " (others.join(", ")) " as well:" }
        pre { "curl -H 'content-type: application/json' -d '{\"mode\":\"inventive\"}' …/_sandbox/mode" }
        @if exchanges.is_empty() { p { "Nobody has asked anything yet." } }
        @for exchange in exchanges.iter().rev() {
            article {
                h2 { (exchange.mode.as_str()) " · " (exchange.vendor.name()) }
                dl {
                    (fact("asked", &time(exchange.at)))
                    (fact("tokens", &format!("{} read, {} written", exchange.tokens.0, exchange.tokens.1)))
                }
                article { p.quiet { "Instructions" } pre { (exchange.system) } }
                article { p.quiet { "Question" } pre { (exchange.input) } }
                article {
                    p.quiet { "Answer" }
                    pre { (if exchange.answer.is_empty() { "It refused." } else { &exchange.answer }) }
                }
            }
        }
    };
    page("Language model", &format!("{asked} questions"), &body)
}
