//! The pages of stand-ins, for people who run them by hand. Everything is shown as text.

use axum::response::{Html, IntoResponse as _, Response};
use http::header;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde_json::Value;

/// A page called `name`, with a line that says what is on it.
pub(crate) fn show(name: &str, note: &str, body: &Markup) -> Response {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (name) " (sandbox)" }
                style { (PreEscaped(include_str!("page.css"))) }
            }
            body {
                header { h1 { (name) } p.quiet { (note) } }
                main { (body) }
            }
        }
    };
    let policy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'";
    let headers = [(header::CACHE_CONTROL, "no-store"), (header::CONTENT_SECURITY_POLICY, policy)];
    (headers, Html(page.into_string())).into_response()
}

/// A name and its value in a list of facts.
pub(crate) fn fact(name: &str, value: &str) -> Markup {
    html! { dt { (name) } dd { (value) } }
}

/// A field's value as people read it.
pub(crate) fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Seconds since 1970 as a day and a time in UTC.
pub(crate) fn time(seconds: i64) -> String {
    crate::clock::instant(seconds).chars().take(16).collect::<String>().replace('T', " ")
}
