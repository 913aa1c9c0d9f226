//! What Stripe says about the object of a proposal.

use domain::approval::{Facts, MessageFacts, OpenInvoice, Operation, SubscriptionFacts};
use maud::{Markup, html};

use super::{harmless, text};

/// The facts as a list, with the way to the Stripe Dashboard.
pub(super) fn facts(facts: &Facts, livemode: bool) -> Markup {
    html! {
        dl { (rows(facts)) }
        @if let Some(place) = place(facts) {
            @let test = if livemode { "" } else { "test/" };
            p {
                a href={ "https://dashboard.stripe.com/" (test) (place) } rel="noreferrer noopener" {
                    "Open it in the Stripe Dashboard"
                }
            }
        }
    }
}

fn rows(facts: &Facts) -> Markup {
    html! {
        @match facts {
            Facts::Charge(charge) => {
                dt { "Charge" } dd { code { (charge.id) } }
                dt { "Charged" } dd { (charge.amount) " on " (text::time(charge.created)) }
                dt { "Went back already" } dd { (charge.amount_refunded) }
                dt { "Can still go back" } dd { (charge.refundable()) }
                dt { "State" } dd { (charge.status) }
                dt { "Disputed" } dd { (yes(charge.disputed)) }
            },
            Facts::Invoice(invoice) => {
                dt { "Invoice" } dd { code { (invoice.id) } }
                dt { "Asks for" } dd { (invoice.amount_due) ", made on " (text::time(invoice.created)) }
                dt { "Still open" } dd { (invoice.amount_remaining) }
                dt { "State" } dd { (invoice.status) }
                dt { "Tries so far" } dd { (invoice.attempt_count) }
            },
            Facts::Dispute(dispute) => {
                dt { "Dispute" } dd { code { (dispute.id) } }
                dt { "Disputed" } dd { (dispute.amount) }
                dt { "Reason" } dd { (dispute.reason) }
                dt { "State" } dd { (dispute.status) }
                @if let Some(due) = dispute.due_by { dt { "Answer before" } dd { (text::time(due)) } }
            },
            Facts::Subscription(SubscriptionFacts { subscription, open_invoices }) => {
                dt { "Subscription" } dd { code { (subscription.id) } }
                dt { "State" } dd { (subscription.status) }
                @if let Some(end) = subscription.current_period_end { dt { "Paid until" } dd { (text::time(end)) } }
                dt { "Collection" } dd { @if subscription.pause_collection.is_some() { "paused" } @else { "running" } }
                @if let Some(open) = open_invoices { (no_longer_collected(open)) }
            },
            Facts::Customer(customer) => {
                dt { "Customer" } dd { code { (customer.id) } @if customer.deleted { " (deleted)" } }
            },
            Facts::Message(MessageFacts { customer, about }) => {
                dt { "Address" } dd { (customer.email.as_ref().map_or("none", |address| address.expose())) }
                @if let Some(about) = about { (rows(about)) }
            },
        }
    }
}

/// What Stripe stops collecting by itself once the subscription is cancelled
/// (<https://docs.stripe.com/billing/subscriptions/cancel>).
fn no_longer_collected(open: &[OpenInvoice]) -> Markup {
    html! {
        dt { "Not collected any more" }
        dd {
            @if open.is_empty() { "no open invoice" }
            @for (number, invoice) in open.iter().enumerate() {
                @if number > 0 { ", " }
                (invoice.money()) " (" code { (invoice.id) } ")"
            }
        }
    }
}

/// What goes along with the operation and stands in no sentence: every word that is sent.
pub(super) fn parameters(operation: &Operation) -> Markup {
    let shown = operation.parameters();
    html! {
        @if !shown.is_empty() {
            section {
                h2 { "Exactly this is sent" }
                dl {
                    @for (name, value) in &shown {
                        dt { (name.replace('_', " ")) }
                        dd .untrusted { (harmless(value, 20_000)) }
                    }
                }
            }
        }
    }
}

fn place(facts: &Facts) -> Option<String> {
    Some(match facts {
        Facts::Charge(charge) => format!("payments/{}", charge.id),
        Facts::Invoice(invoice) => format!("invoices/{}", invoice.id),
        Facts::Dispute(dispute) => format!("disputes/{}", dispute.id),
        Facts::Subscription(facts) => format!("subscriptions/{}", facts.subscription.id),
        Facts::Customer(customer) => format!("customers/{}", customer.id),
        Facts::Message(MessageFacts { about: Some(about), .. }) => return place(about),
        Facts::Message(_) => return None,
    })
}

const fn yes(flag: bool) -> &'static str {
    if flag { "yes" } else { "no" }
}
