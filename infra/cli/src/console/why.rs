//! The page that answers "why did nothing happen?" about one object.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, Query, State},
    response::{Html, IntoResponse as _, Redirect, Response},
};
use domain::ObjectId;
use http::{HeaderMap, StatusCode, header};
use maud::{DOCTYPE, Markup, html};
use sandbox::world::{APPROVALS_TABLE, CASES_TABLE};
use serde::Deserialize;

use super::{Console, failed, guarded, page::ticked};
use crate::why::{Answer, look};

/// What was typed into the search box.
#[derive(Deserialize)]
pub(super) struct Asked {
    object: Option<String>,
}

/// The search box, or the way to the answer.
pub(super) async fn search(Query(asked): Query<Asked>) -> Response {
    match asked.object.as_deref().map(str::trim) {
        None | Some("") => page(StatusCode::OK, "", &html! {}),
        Some(text) => match ObjectId::parse(text) {
            Ok(object) => Redirect::to(&format!("/_console/why/{object}")).into_response(),
            Err(_) => no_id(text),
        },
    }
}

/// The answer: a page for a browser, JSON for `countersign why`.
pub(super) async fn answer(
    State(console): State<Arc<Console>>,
    Path(object): Path<String>,
    headers: HeaderMap,
) -> Response {
    let wants = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let browser = wants.contains("text/html");
    let Ok(object) = ObjectId::parse(&object) else {
        return if browser {
            no_id(&object)
        } else {
            (StatusCode::BAD_REQUEST, "this is no id of a Stripe object\n").into_response()
        };
    };
    match look(&console.tables, CASES_TABLE, Some(APPROVALS_TABLE), &object).await {
        Ok(answer) if browser => page(StatusCode::OK, object.as_str(), &told(&answer)),
        Ok(answer) => ([(header::CACHE_CONTROL, "no-store")], Json(answer)).into_response(),
        Err(error) => failed(&error),
    }
}

fn no_id(text: &str) -> Response {
    let help = html! {
        p.alarm { "This is no id of a Stripe object. Ids look like " code { "in_1AbC" } ", " code { "evt_1AbC" } " or " code { "cus_1AbC" } "." }
    };
    page(StatusCode::BAD_REQUEST, text, &help)
}

fn page(status: StatusCode, object: &str, answer: &Markup) -> Response {
    let whole = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { @if object.is_empty() { "Why?" } @else { "Why? " (object) } " · Countersign" }
                link rel="stylesheet" href="/_console/console.css";
            }
            body {
                header.top {
                    h1 { "Why?" }
                    (search_box(object))
                    nav { a href="/_console" { "Console" } }
                }
                main.why { (answer) }
            }
        }
    };
    guarded((status, Html(whole.into_string())).into_response())
}

/// Where an object's id is typed.
pub(super) fn search_box(object: &str) -> Markup {
    html! {
        form.search action="/_console/why" method="get" role="search" {
            label for="object" { "What happened to" }
            input #object name="object" value=(object) placeholder="in_… evt_… cus_… ap_…" autocomplete="off" spellcheck="false" required maxlength="255";
            button { "Ask" }
        }
    }
}

fn told(answer: &Answer) -> Markup {
    let lines = answer.lines();
    html! {
        @for part in lines.chunk_by(|_, next| next.depth > 0) {
            section.panel {
                @for line in part {
                    @match line.depth {
                        0 => h2 { (ticked(&line.text)) },
                        1 => p { (ticked(&line.text)) },
                        _ => p.quiet { (ticked(&line.text)) },
                    }
                }
            }
        }
    }
}
