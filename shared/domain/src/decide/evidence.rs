//! Evidence against a dispute: what the bank wants to see, and what of it is known already. It is staged
//! with the case; only an approved proposal submits it.

use std::collections::BTreeMap;

use super::Turn;
use crate::{
    approval::MAX_TEXT,
    context::{Application, Context, Fulfilment, Order, Subject},
    plan::{ChecklistItem, Step, StepKind},
    policy::{Bundle, Source, Strength},
    snapshot::Read,
};

/// A piece of evidence: where it was found, and the text for the bank if it is a text.
struct Piece {
    from: String,
    text: Option<String>,
}

#[expect(clippy::unnecessary_wraps, reason = "every arm of the search gives an option")]
fn piece(from: impl Into<String>, text: Option<String>) -> Option<Piece> {
    Some(Piece { from: from.into(), text })
}

/// The checklist of a dispute's reason; empty if the case is about something else.
pub(super) fn checklist(context: &Context, bundle: &Bundle) -> Vec<ChecklistItem> {
    let Subject::Dispute(Read::Found(dispute)) = &context.subject else { return Vec::new() };
    let wanted = bundle.checklists().for_reason(&dispute.reason).iter();
    wanted
        .map(|wanted| {
            let found = find(context, bundle, &wanted.field);
            ChecklistItem {
                field: wanted.field.clone(),
                required: wanted.required,
                note: if found.is_some() { "there".into() } else { wanted.how.clone() },
                found: found.map(|piece| piece.from),
            }
        })
        .collect()
}

/// How strong the evidence is: weak without what is required or without a checklist.
pub(super) fn strength(checklist: &[ChecklistItem]) -> Strength {
    let mut missing = checklist.iter().filter(|item| item.found.is_none()).peekable();
    let some = missing.peek().is_some();
    match (checklist.is_empty() || missing.any(|item| item.required), some) {
        (true, _) => Strength::Weak,
        (false, true) => Strength::Partial,
        (false, false) => Strength::Strong,
    }
}

/// The checklist with the texts that could be put together.
pub(super) fn step(turn: &Turn<'_>, checklist: &[ChecklistItem]) -> Step {
    let staged: BTreeMap<String, String> = checklist
        .iter()
        .filter_map(|item| Some((item.field.clone(), find(turn.context, turn.bundle, &item.field)?.text?)))
        .map(|(field, text)| (field, text.chars().take(MAX_TEXT).collect()))
        .collect();
    // What was found is what makes it news: more of it is worth staging again.
    let fields: Vec<String> =
        checklist.iter().filter(|item| item.found.is_some()).map(|item| item.field.clone()).collect();
    let revision = format!("{} {}", turn.classification.bucket, fields.join(" "));
    turn.step(StepKind::Evidence { checklist: checklist.to_vec(), staged }, &revision)
}

/// Looks for one field of evidence in what is known.
fn find(context: &Context, bundle: &Bundle, field: &str) -> Option<Piece> {
    let uses = |source| bundle.settings().sources.contains(&source);
    let application = context.application.known().filter(|_| uses(Source::Application));
    let order = application.and_then(|application| order(context, application));
    let contract = application.and_then(|application| application.contract.as_ref());
    let profile = context.profile.known();
    match field {
        "customer_name" => piece("Stripe, customer", Some(profile?.name.clone()?)),
        "customer_email_address" => piece("Stripe, customer", Some(profile?.email.clone()?)),
        "receipt" => {
            let charge = context.charge.known()?;
            charge.captured.then(|| Piece { from: format!("Stripe, receipt of {}", charge.id), text: None })
        }
        "customer_communication" => {
            let talks = context.conversations.known().filter(|_| uses(Source::HelpDesk))?;
            let talk = talks.items.first()?;
            piece(format!("help desk, conversation {}", talk.id), None)
        }
        "product_description" => piece(source(order?), Some(order?.description.clone()?)),
        "shipping_carrier" => piece(source(order?), Some(order?.carrier.clone()?)),
        "shipping_tracking_number" => piece(source(order?), Some(order?.tracking_number.clone()?)),
        "shipping_date" => {
            let sent = matches!(order?.fulfilment, Fulfilment::Shipped | Fulfilment::Delivered);
            piece(source(order?), Some(order?.fulfilled.filter(|_| sent)?.day()))
        }
        "shipping_documentation" => {
            let delivered = order?.fulfilment == Fulfilment::Delivered && order?.tracking_number.is_some();
            delivered.then_some(())?;
            piece(source(order?), None)
        }
        "service_date" => piece(source(order?), Some(order?.fulfilled?.day())),
        "service_documentation" => {
            let provided = matches!(order?.fulfilment, Fulfilment::Provided | Fulfilment::Delivered);
            provided.then_some(())?;
            piece(source(order?), None)
        }
        "access_activity_log" => piece(source(order?), Some(order?.access_log.clone()?)),
        "refund_policy_disclosure" => {
            let accepted = contract?.terms_accepted?;
            let text = format!("Accepted on {}: {}", accepted.day(), contract?.refund_policy.as_ref()?);
            piece("application, contract", Some(text))
        }
        "cancellation_policy_disclosure" => {
            let accepted = contract?.terms_accepted?;
            let text = format!("Accepted on {}: {}", accepted.day(), contract?.cancellation_policy.as_ref()?);
            piece("application, contract", Some(text))
        }
        "refund_policy" => contract?.refund_policy.as_ref().and(piece("application, contract", None)),
        "cancellation_policy" => {
            contract?.cancellation_policy.as_ref().and(piece("application, contract", None))
        }
        "cancellation_rebuttal" => {
            // Only what the application says itself: a contract without a cancellation.
            let charged = context.charge.known()?.created;
            let text = match contract?.cancelled {
                None => format!("Our records show no cancellation up to {}.", context.at.day()),
                Some(at) if at > charged => {
                    format!("The customer cancelled on {}, after the charge of {}.", at.day(), charged.day())
                }
                Some(_) => return None,
            };
            piece("application, contract", Some(text))
        }
        "uncategorized_text" => {
            let history = context.history.known()?;
            let earlier = history.succeeded.saturating_sub(1);
            (earlier > 0 && history.disputed <= 1).then_some(())?;
            let text = format!(
                "The same customer paid {earlier} other charges since {} without disputing them.",
                history.first?.day()
            );
            piece("Stripe, earlier charges", Some(text))
        }
        _ => None,
    }
}

fn order<'a>(context: &Context, application: &'a Application) -> Option<&'a Order> {
    let Subject::Dispute(Read::Found(dispute)) = &context.subject else { return None };
    application.order_of(dispute.charge.as_ref(), None)
}

fn source(order: &Order) -> String {
    // The application's id is text from another system; only its plain characters are shown.
    let id: String =
        order.id.chars().filter(|c| c.is_ascii_alphanumeric() || "-_.#".contains(*c)).take(64).collect();
    format!("application, order {id}")
}
