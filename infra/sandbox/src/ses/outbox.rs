//! A page with everything that was accepted.

use axum::response::Response;
use maud::html;

use super::Message;
use crate::page::{fact, show as page, time};

/// All messages, newest first, as plain text.
pub(super) fn show(messages: &[Message]) -> Response {
    let body = html! {
        @if messages.is_empty() { p { "Nothing was sent. A message goes out when people have approved it." } }
        @for message in messages.iter().rev() {
            article {
                h2 { (message.subject) }
                dl {
                    (fact("from", &message.from))
                    (fact("to", &message.to.join(", ")))
                    @if !message.reply_to.is_empty() { (fact("answers to", &message.reply_to.join(", "))) }
                    (fact("accepted", &time(message.at)))
                    (fact("id", &message.id))
                    @for (name, value) in &message.tags { (fact(name, value)) }
                }
                pre { (message.text) }
            }
        }
    };
    page("Outbox of Amazon SES", &format!("{} messages", messages.len()), &body)
}
