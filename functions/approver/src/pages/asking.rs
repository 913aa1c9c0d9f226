//! The form that asks for an operation.

use std::collections::BTreeMap;

use domain::{
    ProposalId,
    approval::{
        AccessChange, CancelFeedback, CreditNoteReason, OperationKind, PauseBehavior, RefundReason,
        ReversibleOperation, Target,
    },
    policy::RuleRef,
};
use maud::{Markup, html};

use super::{Me, page, text};

/// What was filled in.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) kind: OperationKind,
    pub(crate) object: String,
    /// By name, as typed.
    pub(crate) parameters: BTreeMap<String, String>,
    pub(crate) why: String,
}

/// Why it was not taken.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    pub(crate) why: String,
    /// The proposal that is open already.
    pub(crate) other: Option<ProposalId>,
}

/// What the form is made with.
pub(crate) struct RequestForm<'a> {
    pub(crate) me: &'a Me,
    /// What else this person may ask for.
    pub(crate) kinds: &'a [OperationKind],
    /// The rules that a mandate can stand under.
    pub(crate) rules: &'a [RuleRef],
    pub(crate) asked: &'a Asked,
    pub(crate) nonce: &'a str,
    pub(crate) csrf: &'a str,
    pub(crate) told: Option<&'a Told>,
}

/// The form, and what was wrong with it.
pub(crate) fn request_form(form: &RequestForm<'_>) -> Markup {
    let asked = form.asked;
    let other = form.told.and_then(|told| told.other.as_ref());
    let (object, example) = target(asked.kind);
    let body = html! {
        @if let Some(told) = form.told {
            section .warn role="alert" {
                (text::sentence(&told.why))
                @if let Some(other) = other { " " a href={ "/a/" (other) } { "Open the other proposal" } }
            }
        }
        section {
            p .soft {
                "Nothing is done by asking alone: somebody else has to approve it, unless a mandate that was signed \
                 before allows it."
            }
            form method="post" action="/requests" {
                input type="hidden" name="nonce" value=(form.nonce);
                input type="hidden" name="csrf" value=(form.csrf);
                input type="hidden" name="operation" value=(asked.kind.as_str());
                label {
                    (object)
                    @if asked.kind.target() == Target::Rule { (rules(form.rules, &asked.object)) } @else {
                        input name="object" required maxlength="255" placeholder=(example) value=(asked.object) autocomplete="off";
                    }
                }
                @for name in asked.kind.parameters() {
                    (field(asked.kind, name, asked.parameters.get(*name).map_or("", String::as_str)))
                }
                label {
                    "Note for whoever decides"
                    textarea name="why" rows="3" maxlength="500" { (asked.why) }
                }
                button .go { "Ask" }
                @if let Some(other) = other {
                    " " button name="supersedes" value=(other) { "Ask in its place" }
                }
            }
        }
        @if form.kinds.len() > 1 {
            section {
                h2 { "Ask for something else" }
                ul {
                    @for kind in form.kinds.iter().filter(|kind| **kind != asked.kind) {
                        li { a href={ "/requests/new?operation=" (kind.as_str()) } { (title(*kind)) } }
                    }
                }
            }
        }
    };
    page(&format!("Ask: {}", title(asked.kind)), Some(form.me), &body)
}

/// What an operation is called on the form.
pub(crate) const fn title(kind: OperationKind) -> &'static str {
    match kind {
        OperationKind::Refund => "refund a charge",
        OperationKind::CreditNote => "issue a credit note",
        OperationKind::BalanceCredit => "credit a customer's balance",
        OperationKind::SubmitEvidence => "answer a dispute",
        OperationKind::AcceptDispute => "accept a dispute",
        OperationKind::CancelSubscription => "cancel a subscription now",
        OperationKind::CancelAtPeriodEnd => "cancel a subscription at the period's end",
        OperationKind::PauseCollection => "pause collection",
        OperationKind::ResumeCollection => "resume collection",
        OperationKind::VoidInvoice => "void an invoice",
        OperationKind::MarkUncollectible => "write off an invoice",
        OperationKind::PayInvoice => "charge for an invoice now",
        OperationKind::SendMessage => "send a message",
        OperationKind::ChangeAccess => "pause or restore access",
        OperationKind::GrantMandate => "grant a mandate",
    }
}

const fn target(kind: OperationKind) -> (&'static str, &'static str) {
    match kind.target() {
        Target::Charge => ("Charge", "ch_…"),
        Target::Invoice => ("Invoice", "in_…"),
        Target::Dispute => ("Dispute", "du_…"),
        Target::Subscription => ("Subscription", "sub_…"),
        Target::Customer => ("Customer", "cus_…"),
        Target::Case => ("Case", ""),
        Target::Rule => ("Whenever this rule asks for it", ""),
    }
}

fn field(kind: OperationKind, name: &'static str, value: &str) -> Markup {
    let words = |all: Vec<&'static str>| choice(name, &all, value);
    html! {
        @match (kind, name) {
            (OperationKind::Refund, "reason") => label { "Reason" (refund_reason(value)) },
            (_, "reason") => label {
                "Reason" (words(CreditNoteReason::ALL.iter().map(|reason| reason.as_str()).collect()))
            },
            (_, "amount") => label {
                "Amount" @if kind != OperationKind::BalanceCredit { ", in its currency" }
                input name="amount" required maxlength="20" inputmode="decimal" placeholder="19.99" value=(value)
                    autocomplete="off";
            },
            (_, "currency") => label {
                "Currency"
                input name="currency" required maxlength="3" placeholder="usd" value=(value) autocomplete="off";
            },
            (_, "behavior") => label {
                "Invoices meanwhile"
                (words(PauseBehavior::ALL.iter().map(|behavior| behavior.as_str()).collect()))
            },
            (_, "feedback") => label {
                "What the customer gave as a reason"
                (words(std::iter::once("").chain(CancelFeedback::ALL.iter().map(|one| one.as_str())).collect()))
            },
            (_, "change") => label {
                "What becomes of it" (words(AccessChange::ALL.iter().map(|change| change.as_str()).collect()))
            },
            (_, "allows") => label {
                "Allow, without asking anybody"
                select name="allows" {
                    @for one in ReversibleOperation::ALL {
                        option value=(one.as_str()) selected[one.as_str() == value] {
                            (text::sentence(one.words()).trim_end_matches('.'))
                        }
                    }
                }
            },
            (_, "per_day" | "days") => label {
                (label(name))
                input type="number" name=(name) required min="1" max=(if name == "days" { 30 } else { 100 })
                    value=(value);
            },
            (_, "resumes_at") => label {
                "Resumes on (nothing: when somebody resumes it)"
                input type="date" name="resumes_at" value=(value);
            },
            (_, "email" | "invoice_now" | "prorate") => label { (label(name)) (words(vec!["no", "yes"])) },
            _ => label {
                (label(name))
                textarea name=(name) rows="2" maxlength="20000" { (value) }
            },
        }
    }
}

fn label(name: &'static str) -> String {
    match name {
        "email" => "Stripe e-mails it to the customer".to_owned(),
        "invoice_now" => "A last invoice bills what is pending".to_owned(),
        "prorate" => "The rest of the period is credited".to_owned(),
        "receipt" => "Receipt (id of an uploaded file)".to_owned(),
        "per_day" => "How often in a day, at most".to_owned(),
        "days" => "For how many days, at most 30".to_owned(),
        "payment_method" => "Payment method (nothing: the one on file)".to_owned(),
        other => text::sentence(&other.replace('_', " ")).trim_end_matches('.').to_owned(),
    }
}

fn choice(name: &str, all: &[&'static str], value: &str) -> Markup {
    html! {
        select name=(name) {
            @for word in all {
                option value=(word) selected[*word == value] {
                    (text::sentence(&word.replace('_', " ")).trim_end_matches('.'))
                }
            }
        }
    }
}

fn rules(all: &[RuleRef], value: &str) -> Markup {
    html! {
        select name="object" {
            @for rule in all {
                option value=(rule.id) selected[rule.id == value] { (rule.id) ": " (rule.reason) }
            }
        }
    }
}

fn refund_reason(value: &str) -> Markup {
    let asks = RefundReason::RequestedByCustomer.as_str();
    let chosen = if value.is_empty() { asks } else { value };
    html! {
        select name="reason" {
            @for reason in RefundReason::ALL {
                option value=(reason.as_str()) selected[reason.as_str() == chosen] {
                    (text::sentence(&reason.to_string()).trim_end_matches('.'))
                    @if *reason == RefundReason::Fraudulent { " (block-lists the customer)" }
                }
            }
        }
    }
}
