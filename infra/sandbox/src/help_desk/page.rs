//! A page with the threads and what was written in each.

use axum::response::Response;
use maud::{Markup, html};

use super::{Book, Entry, Thread};
use crate::page::{show as page, time};

/// The threads, last changed first.
pub(super) fn show(name: &str, book: &Book) -> Response {
    let mut threads = book.threads();
    threads.sort_by_key(|thread| std::cmp::Reverse(thread.updated));
    let body = html! {
        @if threads.is_empty() { p { "Nobody has written yet." } }
        @for thread in &threads { (card(book, thread)) }
    };
    page(name, &format!("{} conversations and tickets", threads.len()), &body)
}

fn card(book: &Book, thread: &Thread) -> Markup {
    let person = thread.person.as_ref().and_then(|id| book.memory().people.get(id).cloned());
    html! {
        article {
            h2 { (thread.subject) }
            p.quiet {
                (if thread.case.is_some() { "Ticket" } else { "Conversation" }) " " (thread.id)
                " · " (thread.state)
                @if let Some(priority) = &thread.priority { " · " (priority) }
                @for tag in &thread.tags { " · #" (tag) }
                @if let Some(person) = &person { " · " (person.name) " <" (person.email) ">" }
                @if let Some(case) = &thread.case { " · " (case) }
            }
            @for entry in &thread.entries {
                article {
                    p.quiet { (who(entry)) " · " (time(entry.at)) }
                    p style="white-space:pre-wrap" { (entry.seen()) }
                }
            }
        }
    }
}

fn who(entry: &Entry) -> &'static str {
    match (entry.by_customer, entry.public) {
        (true, _) => "The customer",
        (false, true) => "Sent to the customer",
        (false, false) if entry.seen().starts_with("DRAFT") => "Draft, an internal note",
        (false, false) => "Internal note",
    }
}
