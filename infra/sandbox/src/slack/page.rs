//! A page with everything that was posted, for people who run the stand-ins by hand.

use std::sync::Arc;

use axum::{
    extract::State,
    response::{Html, IntoResponse as _, Response},
};
use http::header;
use maud::{DOCTYPE, Markup, html};
use serde_json::Value;

use super::{Message, Slack};

/// All messages, newest first.
pub(super) async fn show(State(slack): State<Arc<Slack>>) -> Response {
    let messages = slack.messages();
    let body = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width";
                title { "Slack (sandbox)" }
                style { "body{font:1rem system-ui;max-width:44rem;margin:2rem auto;padding:0 1rem}article{border:1px solid #ccc;border-radius:.5rem;padding:.7rem 1rem;margin:1rem 0}article.reply{margin-left:2rem}header{color:#555;font-size:.85rem}p{white-space:pre-wrap;margin:.4rem 0}a.button{border:1px solid;border-radius:.3rem;padding:.2rem .6rem;margin-right:.5rem;text-decoration:none}" }
            }
            body {
                h1 { "Slack" }
                @if messages.is_empty() { p { "Nothing was posted yet." } }
                @for message in messages.iter().rev() { (article(&slack, message)) }
            }
        }
    };
    let headers = [
        (header::CACHE_CONTROL, "no-store"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
        ),
    ];
    (headers, Html(body.into_string())).into_response()
}

fn article(slack: &Slack, message: &Message) -> Markup {
    html! {
        article.reply[message.thread_ts.is_some()] {
            header { (place(slack, &message.channel)) " · " (message.ts) @if message.edited.is_some() { " (edited)" } }
            @if message.blocks.is_empty() { p { (mrkdwn(&message.text)) } }
            @for block in &message.blocks { (parts(block)) }
        }
    }
}

/// The channel's name, or who is spoken to.
pub(super) fn place(slack: &Slack, channel: &str) -> String {
    if let Some(known) = slack.workspace.channels.iter().find(|known| known.id == channel) {
        return format!("#{}", known.name);
    }
    let people = slack.people_in(channel);
    let names =
        people.iter().map(|id| slack.people.find(id).map_or_else(|| id.clone(), |person| person.name));
    names.collect::<Vec<_>>().join(", ")
}

/// The texts and buttons anywhere in a block, in order.
fn parts(value: &Value) -> Markup {
    let url = value.get("url").and_then(Value::as_str).filter(|url| is_web(url));
    let label = value.pointer("/text/text").and_then(Value::as_str).unwrap_or("Open");
    match value {
        Value::Object(_) if value.get("type").is_some_and(|kind| kind == "button") => html! {
            @match url {
                Some(url) => a.button href=(url) rel="noreferrer" { (label) },
                None => span { "[" (label) "] " },
            }
        },
        Value::Object(fields) => html! {
            @match (value.get("type").and_then(Value::as_str), value.get("text").and_then(Value::as_str)) {
                (Some("mrkdwn"), Some(text)) => p { (mrkdwn(text)) },
                (_, Some(text)) => p { (text) },
                _ => @for (_, field) in fields { (parts(field)) },
            }
        },
        Value::Array(list) => html! { @for item in list { (parts(item)) } },
        _ => html! {},
    }
}

/// Slack's `<url|label>` becomes a link; everything else is text, with Slack's three entities undone:
/// <https://docs.slack.dev/messaging/formatting-message-text>.
fn mrkdwn(text: &str) -> Markup {
    let mut rest = text;
    let mut pieces = Vec::new();
    while let Some((before, after)) = rest.split_once('<') {
        let Some((inside, after)) = after.split_once('>') else { break };
        pieces.push(html! { (plain(before)) });
        let (target, label) = inside.split_once('|').unwrap_or((inside, inside));
        pieces.push(if is_web(target) {
            html! { a href=(plain(target)) rel="noreferrer" { (plain(label)) } }
        } else {
            html! { "<" (plain(inside)) ">" }
        });
        rest = after;
    }
    html! { @for piece in pieces { (piece) } (plain(rest)) }
}

fn plain(text: &str) -> String {
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

/// Nothing but a web address may be a link: no `javascript:`.
fn is_web(url: &str) -> bool {
    url.starts_with("https://") || url.starts_with("http://")
}
