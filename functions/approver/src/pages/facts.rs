//! What Stripe says: each fact as it was when the proposal was made, and as it was read just now.

use domain::{
    AccountId, ObjectId,
    approval::{Facts, MessageFacts, OpenInvoice, Operation, OperationKind, RuleFacts, SubscriptionFacts},
};
use maud::{Markup, html};

use super::{harmless, text};

/// A fact by its name.
type Fact = (&'static str, String);

/// What a reviewer has to know of the object.
pub(super) fn of(facts: &Facts) -> Vec<Fact> {
    let none = |id: Option<String>| id.unwrap_or_else(|| "none".to_owned());
    match facts {
        Facts::Charge(charge) => vec![
            ("State", charge.status.to_string()),
            ("Charged", charge.amount.to_string()),
            ("On", text::time(charge.created)),
            ("Went back already", charge.amount_refunded.to_string()),
            ("Can still go back", charge.refundable().to_string()),
            ("Disputed", yes(charge.disputed)),
            ("Captured", yes(charge.captured)),
            ("Customer", none(charge.customer.as_ref().map(ToString::to_string))),
            ("Payment", none(charge.payment_intent.as_ref().map(ToString::to_string))),
            ("Latest refund", none(charge.latest_refund.as_ref().map(ToString::to_string))),
        ],
        Facts::Invoice(invoice) => vec![
            ("State", invoice.status.to_string()),
            ("Asks for", invoice.amount_due.to_string()),
            ("Made on", text::time(invoice.created)),
            ("Still open", invoice.amount_remaining.to_string()),
            ("Tries so far", invoice.attempt_count.to_string()),
            ("Customer", none(invoice.customer.as_ref().map(ToString::to_string))),
        ],
        Facts::Dispute(dispute) => vec![
            ("State", dispute.status.to_string()),
            ("Disputed", dispute.amount.to_string()),
            ("Reason", dispute.reason.clone()),
            ("Answer before", none(dispute.due_by.map(text::time))),
            ("Answers so far", dispute.submission_count.to_string()),
        ],
        Facts::Subscription(SubscriptionFacts { subscription, open_invoices }) => {
            let paused = subscription.pause_collection.is_some();
            let mut rows = vec![
                ("State", subscription.status.to_string()),
                ("Paid until", none(subscription.current_period_end.map(text::time))),
                ("Collection", if paused { "paused" } else { "running" }.to_owned()),
                ("Customer", none(subscription.customer.as_ref().map(ToString::to_string))),
            ];
            rows.extend(open_invoices.as_deref().map(|open| ("Not collected any more", not_collected(open))));
            rows
        }
        Facts::Customer(customer) => {
            vec![("Customer", if customer.deleted { "deleted" } else { "there" }.to_owned())]
        }
        Facts::Rule(RuleFacts { id, reason, content, policy }) => vec![
            ("Rule", id.to_string()),
            ("What it is for", reason.clone()),
            ("Its text", content.short()),
            ("Policy", policy.clone()),
        ],
        Facts::Message(MessageFacts { customer, about }) => {
            let address = customer.email.as_ref().map_or("none", |address| address.expose());
            let mut rows = vec![("Address", address.to_owned())];
            rows.extend(about.as_deref().map(of).unwrap_or_default());
            rows
        }
    }
}

/// What Stripe stops collecting by itself once the subscription is cancelled
/// (<https://docs.stripe.com/billing/subscriptions/cancel>).
fn not_collected(open: &[OpenInvoice]) -> String {
    let all: Vec<String> =
        open.iter().map(|invoice| format!("{} ({})", invoice.money(), invoice.id)).collect();
    if all.is_empty() { "no open invoice".to_owned() } else { all.join(", ") }
}

/// What goes along with the operation and stands in no sentence: every word that is sent.
pub(super) fn parameters(operation: &Operation) -> Markup {
    let shown = operation.parameters();
    // A mandate is sent nowhere, and its sentence says all of it.
    let is_sent = operation.kind() != OperationKind::GrantMandate;
    html! {
        @if is_sent && !shown.is_empty() {
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

fn yes(flag: bool) -> String {
    if flag { "yes" } else { "no" }.to_owned()
}

/// A table of facts, what changed in words and not by colour alone. `now` is `None` if Stripe could not
/// be read.
pub(super) fn table(then: &[Fact], now: Option<&[Fact]>) -> Markup {
    html! {
        table {
            thead {
                tr {
                    th scope="col" { "Fact" }
                    th scope="col" { "When proposed" }
                    th scope="col" { "Now" }
                }
            }
            tbody {
                @for (name, before) in then {
                    @let current = now.and_then(|now| value(now, name));
                    @let changed = current.is_some_and(|current| current != before);
                    tr .changed[changed] {
                        th scope="row" { (name) }
                        td { (before) }
                        td {
                            @match current {
                                Some(current) if changed => { strong { (current) } " (changed)" },
                                Some(current) => (current),
                                None => "not read",
                            }
                        }
                    }
                }
            }
        }
    }
}

fn value<'a>(facts: &'a [Fact], name: &str) -> Option<&'a String> {
    facts.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
}

/// Where the Stripe Dashboard shows an object; `account` if it is in a connected one.
pub(super) fn dashboard(object: &ObjectId, livemode: bool, account: Option<&AccountId>) -> Option<String> {
    let kind = match object.as_str().split_once('_')?.0 {
        "ch" | "py" | "pi" => "payments",
        "cus" => "customers",
        "du" | "dp" => "disputes",
        "in" => "invoices",
        "sub" => "subscriptions",
        _ => return None,
    };
    let account = account.map(|account| format!("{account}/")).unwrap_or_default();
    let mode = if livemode { "" } else { "test/" };
    Some(format!("https://dashboard.stripe.com/{account}{mode}{kind}/{object}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_said_in_words() {
        let then = [("Disputed", "no".to_owned()), ("State", "succeeded".to_owned())];
        let now = [("Disputed", "yes".to_owned()), ("State", "succeeded".to_owned())];
        let shown = table(&then, Some(&now)).into_string();
        assert_eq!(shown.matches("(changed)").count(), 1);
        assert!(shown.contains("<strong>yes</strong> (changed)"), "{shown}");
        assert_eq!(table(&then, None).into_string().matches("not read").count(), 2);
    }

    #[test]
    fn an_object_is_found_in_the_dashboard_of_its_account_and_mode() {
        let object = |id| ObjectId::parse(id).unwrap();
        let link = dashboard(&object("ch_1"), true, None).unwrap();
        assert_eq!(link, "https://dashboard.stripe.com/payments/ch_1");
        let account = AccountId::parse("acct_9").unwrap();
        let link = dashboard(&object("cus_1"), false, Some(&account)).unwrap();
        assert_eq!(link, "https://dashboard.stripe.com/acct_9/test/customers/cus_1");
        assert_eq!(dashboard(&object("zz_1"), true, None), None);
    }
}
