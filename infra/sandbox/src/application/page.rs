//! A page that shows who has access, and what changed it.

use axum::response::Response;
use maud::{Markup, html};
use serde_json::Value;

use super::{Customer, Memory};
use crate::page::{fact, plain, show as page, time};

/// Everybody, those whose access was changed first.
pub(super) fn show(memory: &Memory) -> Response {
    let changed = |id: &str| memory.executions.values().any(|one| one.customer == id);
    let mut customers: Vec<(&String, &Customer)> = memory.customers.iter().collect();
    customers.sort_by_key(|(id, _)| !changed(id));
    let paused = memory.customers.values().filter(|one| one.paused).count();
    let note = format!("{} customers, access of {paused} is paused", customers.len());
    let body = html! {
        @if customers.is_empty() { p { "There are no customers." } }
        @for (id, customer) in customers {
            article {
                h2 {
                    (id) " "
                    @if customer.paused { span.bad { "access is paused" } } @else { span.good { "has access" } }
                }
                @for (execution, one) in memory.executions.iter().filter(|(_, one)| one.customer == *id) {
                    p {
                        (time(one.at)) " " strong { (one.change) } " by " code { (execution) }
                        @if let Some(note) = &one.note { ": " (note) }
                    }
                }
                (known(&customer.told()))
            }
        }
    };
    page("Application", &note, &body)
}

/// Each part, and in it each thing in a line.
fn known(known: &Value) -> Markup {
    html! {
        dl {
            @for (part, value) in known.as_object().into_iter().flatten() {
                @match value {
                    Value::Array(items) if items.is_empty() => (fact(part, "none")),
                    Value::Array(items) => @for item in items { (fact(part, &line(item))) },
                    value => (fact(part, &line(value))),
                }
            }
        }
    }
}

fn line(value: &Value) -> String {
    let Some(fields) = value.as_object() else { return plain(value) };
    let field = |(name, value): (&String, &Value)| match (name.as_str(), value.as_i64()) {
        ("placed" | "fulfilled" | "last_active" | "renews" | "terms_accepted" | "since", Some(at)) => {
            format!("{name} {}", time(at))
        }
        ("amount", _) if value.is_object() => {
            let part = |name: &str| value.get(name).map(plain).unwrap_or_default();
            format!("{} {} minor units", part("amount"), part("currency"))
        }
        _ => format!("{name} {}", plain(value)),
    };
    fields.iter().map(field).collect::<Vec<_>>().join(" · ")
}
