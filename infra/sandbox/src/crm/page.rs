//! A page with the records and what stands on each, for people who run the stand-ins by hand.

use axum::response::{Html, IntoResponse as _, Response};
use http::header;
use maud::{DOCTYPE, html};

use super::Entry;

/// The records, each with its tasks and notes. Everything is shown as text.
pub(super) fn show(name: &str, records: &[Entry], work: &[Entry]) -> Response {
    let body = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width";
                title { (name) " (sandbox)" }
                style { "body{font:1rem system-ui;max-width:52rem;margin:2rem auto;padding:0 1rem}article{border:1px solid #ccc;border-radius:.5rem;padding:.7rem 1rem;margin:1rem 0}article article{background:#fafafa}dt{color:#555;font-size:.85rem}dd{margin:0 0 .4rem;white-space:pre-wrap}" }
            }
            body {
                h1 { (name) }
                @if records.is_empty() { p { "There are no records." } }
                @for record in records {
                    article {
                        (entry(record))
                        @for one in work.iter().filter(|one| one.of.as_ref() == Some(&record.id)) {
                            article { (entry(one)) }
                        }
                    }
                }
            }
        }
    };
    let policy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'";
    let headers = [(header::CACHE_CONTROL, "no-store"), (header::CONTENT_SECURITY_POLICY, policy)];
    (headers, Html(body.into_string())).into_response()
}

fn entry(entry: &Entry) -> maud::Markup {
    html! {
        h2 { (entry.kind) " " (entry.id) }
        dl {
            @for (name, value) in &entry.properties {
                dt { (name) }
                dd { (value.as_str().map_or_else(|| value.to_string(), str::to_owned)) }
            }
        }
    }
}
