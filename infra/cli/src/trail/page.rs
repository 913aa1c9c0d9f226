//! An export as a page to read: everything in the order in which it happened, nothing from elsewhere, no
//! script.

use anyhow::Result;
use domain::trail::Entry;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde_json::Value;

use super::Line;

const STYLE: &str = include_str!("page.css");

/// The page of an export.
pub(super) fn page(id: &str, text: &str) -> Result<String> {
    let lines = text.lines().map(serde_json::from_str).collect::<Result<Vec<Line>, _>>()?;
    let (mut entries, mut actions, mut checkpoints, mut made) = (Vec::new(), Vec::new(), Vec::new(), None);
    for line in lines {
        match line {
            Line::Entry(entry) => entries.push(entry),
            Line::Action(action) => actions.push(action),
            Line::Checkpoint(checkpoint) => checkpoints.push(checkpoint),
            Line::Export { at, .. } => made = Some(at),
            Line::Head { .. } | Line::Unreadable(_) => {}
        }
    }
    entries.sort_by(|one, other| (one.at, &one.subject, one.seq).cmp(&(other.at, &other.subject, other.seq)));
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "Trail of " (id) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                main {
                    h1 { "Trail of " code { (id) } }
                    @if let Some(made) = made { p .soft { "Exported " (made) "." } }
                    p {
                        "This page is for reading. What counts is the file of the same name that ends in "
                        code { ".jsonl" } ": "
                        code { "countersign trail verify --file FILE --public-key HEX" }
                        " checks it without a network."
                    }
                    @for action in &actions {
                        section {
                            h2 { "Proposal " code { (action.proposal) } }
                            p .what { (action.operation) "." }
                            dl {
                                dt { "Asked for by" } dd { code { (action.requester) } }
                                dt { "Signatures needed" } dd { (action.need) }
                                dt { "Open" } dd { (action.created) " until " (action.expires) }
                                dt { "Policy" } dd { code { (action.policy) } }
                                dt { "Digest that was signed" } dd { code { (action.digest()) } }
                            }
                        }
                    }
                    h2 { "What happened" }
                    ol { @for entry in &entries { li { (happened(entry)) } } }
                    h2 { "Checkpoints" }
                    @match (checkpoints.first(), checkpoints.last()) {
                        (Some(first), Some(last)) => p {
                            (checkpoints.len()) " signed checkpoints, number " (first.statement.number) " to "
                            (last.statement.number) ", say where these chains end until " (last.statement.until) "."
                        },
                        _ => p { "None is signed yet, so nothing but the chain itself says that it is complete." },
                    }
                }
            }
        }
    };
    Ok(page.into_string())
}

fn happened(entry: &Entry) -> Markup {
    let body: Value = serde_json::from_str(&entry.body).unwrap_or(Value::Null);
    let text = |path: &str| body.pointer(path).and_then(Value::as_str);
    html! {
        p .soft { time { (entry.at) } " · " code { (entry.subject) } " · entry " (entry.seq) }
        p {
            strong { (entry.event) }
            @if let Some(person) = text("/person") { " by " code { (person) } }
            @if let Some(bucket) = text("/decision/classification/bucket") { ": " (bucket) }
            @if let Some(why) = text("/why").or_else(|| text("/moved")).or_else(|| text("/reason")) { ": " (why) }
            @if let Some(effect) = text("/effect") { ": " code { (effect) } }
            @if let Some(mandate) = text("/mandate") { " under mandate " code { (mandate) } ", which others signed before" }
        }
        @if body.get("receipt").is_some() {
            dl {
                dt { "Decision" } dd { (text("/receipt/decision").unwrap_or_default()) }
                dt { "Signed in as" } dd {
                    code { (text("/receipt/voter/team").unwrap_or_default()) } " "
                    code { (text("/receipt/voter/user").unwrap_or_default()) }
                }
                dt { "Receipt" } dd {
                    code { (text("/receipt/id").unwrap_or_default()) } ", key "
                    code { (text("/receipt/key").unwrap_or_default()) }
                }
                @if let Some(passkey) = text("/receipt/assertion/credential") {
                    dt { "Passkey" } dd { code { (passkey) } }
                }
            }
        }
        @if let Some(rules) = body.get("rules").and_then(Value::as_array).filter(|rules| !rules.is_empty()) {
            p { "By rule " @for rule in rules { code { (rule.as_str().unwrap_or_default()) } " " } }
        }
        details {
            summary { "All of it" }
            pre { (serde_json::to_string_pretty(&body).unwrap_or_default()) }
            p .soft { "Hash " code { (entry.hash) } }
        }
    }
}
