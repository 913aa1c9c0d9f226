//! A page with the records and what stands on each.

use axum::response::Response;
use maud::{Markup, html};

use super::Entry;
use crate::page::{fact, plain, show as page};

/// What a record or a task is called, by either vendor.
const TITLES: [&str; 4] = ["name", "Name", "hs_task_subject", "Subject"];

/// The records, each with its tasks and notes, those with the most work first.
pub(super) fn show(name: &str, mut records: Vec<Entry>, work: &[Entry]) -> Response {
    let of = |record: &Entry| work.iter().filter(|one| one.of.as_ref() == Some(&record.id)).count();
    records.sort_by_key(|record| std::cmp::Reverse(of(record)));
    let body = html! {
        @if records.is_empty() { p { "There are no records." } }
        @for record in &records {
            article {
                (entry(record))
                @for one in work.iter().filter(|one| one.of.as_ref() == Some(&record.id)) {
                    article { (entry(one)) }
                }
            }
        }
    };
    let note = format!("{} records, {} tasks and notes", records.len(), work.len());
    page(name, &note, &body)
}

fn entry(entry: &Entry) -> Markup {
    let title = TITLES.iter().find_map(|name| entry.properties.get(*name));
    html! {
        h2 {
            @if let Some(title) = title { (plain(title)) " " }
            small.quiet { (entry.kind) " " (entry.id) }
        }
        dl {
            @for (name, value) in &entry.properties {
                @if !TITLES.contains(&name.as_str()) { (fact(name, &readable(name, &plain(value)))) }
            }
        }
    }
}

/// A field as the vendor's own page shows it: what HubSpot calls a body is HTML.
fn readable(name: &str, value: &str) -> String {
    if !name.ends_with("_body") {
        return value.to_owned();
    }
    let text = value.replace("<br>", "\n");
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&")
}
