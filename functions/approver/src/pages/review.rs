//! One proposal: everything that somebody needs to decide it, what matters most at the top.

use domain::{
    AccountId, Digest, Money, ObjectId, Timestamp,
    approval::{Facts, OperationKind, Receipt, Stage, System},
    policy::RuleRef,
    snapshot::Customer,
};
use maud::{Markup, html};
use store::ProposalFile;

use super::{
    Me, Prompt, facts, harmless,
    inbox::standing,
    outcome::{failed, nothing_sent, outcome, receipt},
    page, scripted, text,
};

/// What it is about, as read just now.
#[derive(Debug)]
pub(crate) enum Reread {
    /// Stripe has it.
    Found(Box<Facts>),
    /// Stripe has it no more.
    Gone,
    /// Stripe could not be asked.
    Unreadable,
}

impl Reread {
    pub(crate) const fn facts(&self) -> Option<&Facts> {
        match self {
            Self::Found(facts) => Some(facts),
            Self::Gone | Self::Unreadable => None,
        }
    }
}

/// What the review page shows.
pub(crate) struct Review<'a> {
    pub(crate) me: &'a Me,
    pub(crate) file: &'a ProposalFile,
    pub(crate) now_read: &'a Reread,
    pub(crate) customer: Option<&'a Customer>,
    /// What is different from when it was proposed.
    pub(crate) moved: Vec<String>,
    /// The rules by which the agent asked; none if a person did.
    pub(crate) asked_by_rules: Vec<RuleRef>,
    /// The rules that let the reader sign.
    pub(crate) rules: &'a [RuleRef],
    pub(crate) requester: String,
    /// Names of who signed, and of who else may.
    pub(crate) signed: Vec<String>,
    pub(crate) may_sign: Vec<String>,
    /// The reader's own receipt, if they decided.
    pub(crate) receipt: Option<&'a Receipt>,
    /// Why the reader cannot decide it.
    pub(crate) refused: Option<String>,
    pub(crate) may_approve: bool,
    pub(crate) may_deny: bool,
    /// What it takes to ask for a passkey, if it is approved with one.
    pub(crate) prompt: Option<Prompt<'a>>,
    /// The amount that whoever approves types.
    pub(crate) typed: Option<Money>,
    /// The anti-forgery tokens of taking it back, and of saying what was seen in Stripe.
    pub(crate) withdraw: Option<String>,
    pub(crate) looked: Option<String>,
    /// What just happened.
    pub(crate) notice: Option<&'static str>,
    pub(crate) frozen: bool,
    pub(crate) csrf: String,
    /// The connected account, if the action is in one.
    pub(crate) account: Option<&'a AccountId>,
    pub(crate) now: Timestamp,
}

/// The review page.
pub(crate) fn review(shown: &Review<'_>) -> Markup {
    let row = &shown.file.row.value;
    let action = &row.proposal.action;
    let open = row.proposal.is_open(shown.now);
    let body = html! {
        (notices(shown))
        div .sides {
            div {
                (what(shown))
                @if let Some(came) = outcome(&row.proposal) {
                    section { h2 { "What came of it" } p { (came) } }
                }
                (why(shown))
            }
            div {
                @if open { (choice(shown)) }
                (signatures(shown))
            }
        }
        (facts::parameters(&action.operation))
        @if let Some(csrf) = &shown.looked { (looked(action.operation.kind().system(), action.proposal.as_str(), csrf)) }
        (stripe(shown))
        (fine_print(shown))
        @if let Some(own) = shown.receipt { (receipt(own)) }
    };
    let frame = if shown.prompt.is_some() { scripted } else { page };
    frame(title(shown, open), Some(shown.me), &body)
}

fn title(shown: &Review<'_>, open: bool) -> &'static str {
    let proposal = shown.file.proposal();
    match &proposal.stage {
        Stage::Pending if open && (shown.may_approve || shown.may_deny) => "Your approval is asked for",
        Stage::Pending if open => "Waits for others",
        Stage::Pending | Stage::Expired { .. } => "Too late to decide",
        Stage::Executing(_) => "Approved, being done",
        Stage::Executed { .. } if shown.file.row.value.mandate.is_some() => "Done under a mandate",
        Stage::Executed { .. } => "Approved and done",
        Stage::Failed { code, .. } => failed(proposal.action.operation.kind().system(), code),
        Stage::Denied { .. } => "Denied",
        Stage::Withdrawn { .. } => "Taken back",
        Stage::Stale { .. } | Stage::Tampered { .. } => "Void",
    }
}

/// Whether nothing more can come of it, be that written down or not.
fn is_over(shown: &Review<'_>) -> bool {
    let proposal = shown.file.proposal();
    proposal.stage.is_final() || (proposal.stage == Stage::Pending && !proposal.is_open(shown.now))
}

fn notices(shown: &Review<'_>) -> Markup {
    let row = &shown.file.row.value;
    let pending = row.proposal.stage == Stage::Pending;
    html! {
        @if let Some(notice) = shown.notice { section .warn role="alert" { (notice) } }
        @if shown.frozen {
            section .warn role="alert" { "Everything is stopped: approvals do not count, and nothing is done." }
        }
        @if pending && !row.proposal.is_open(shown.now) {
            section .warn role="alert" {
                "The time to decide ran out on " (text::time(row.proposal.action.expires))
                ". It cannot be approved any more. " (nothing_sent(row.proposal.action.operation.kind().system()))
                ". If it is still wanted, it has to be asked for again."
            }
        }
        @if let Some((old, moved)) = &row.dossier.replaces {
            section .warn {
                "This takes the place of " a href={ "/a/" (old) } { "an earlier proposal" }
                ", because " (moved) "."
            }
        }
        @match shown.now_read {
            Reread::Unreadable if pending => section .warn role="alert" {
                "Stripe cannot be read just now, so it cannot be approved. Try again in a minute."
            },
            Reread::Gone if pending => section .warn role="alert" {
                "Stripe does not know the object any more, so nothing can be done."
            },
            _ => {},
        }
        @if pending && !shown.moved.is_empty() {
            section .warn role="alert" {
                strong { "Something changed. " }
                "Since it was proposed, " (shown.moved.join("; "))
                ". Approved as it is, it is not done, but proposed again as things stand then."
            }
        }
    }
}

/// What will happen, to whom, and what a reviewer looks at first.
fn what(shown: &Review<'_>) -> Markup {
    let row = &shown.file.row.value;
    let action = &row.proposal.action;
    let about = shown.now_read.facts().unwrap_or(&row.dossier.facts);
    html! {
        section .what {
            h2 .soft { @if is_over(shown) { "What it was about" } @else { "What will happen" } }
            @if let Some(amount) = action.operation.amount() { p .amount { (amount) } }
            p .sentence { (text::sentence(&action.operation.to_string())) }
            @if !action.livemode { p { span .tag { "Test mode" } " No real money moves." } }
            dl {
                @if !matches!(about, Facts::Rule(_)) { dt { "Customer" } dd { (customer(shown)) } }
                @if let Facts::Charge(charge) = about {
                    dt { "Paid" } dd { (charge.amount) " on " (text::time(charge.created)) }
                    dt { "Refunded before" } dd { (charge.amount_refunded) }
                    dt { "Disputed" } dd { @if charge.disputed { "yes" } @else { "no" } }
                }
                @if row.proposal.is_open(shown.now) {
                    dt { "Since proposed" } dd {
                        @match (shown.now_read, shown.moved.len()) {
                            (Reread::Found(_), 0) => "nothing changed",
                            (Reread::Found(_), _) => strong { "changed, as said above" },
                            (Reread::Gone | Reread::Unreadable, _) => strong { "could not be read" },
                        }
                    }
                } @else {
                    dt { "Stands" } dd { (standing(row, shown.now)) }
                }
            }
        }
    }
}

fn customer(shown: &Review<'_>) -> Markup {
    let row = &shown.file.row.value;
    let id = row.dossier.customer.as_ref().map(|customer| &customer.id);
    let id = shown.now_read.facts().unwrap_or(&row.dossier.facts).customer().or(id);
    let known = shown.customer;
    html! {
        @if let Some(name) = known.and_then(|known| known.name.as_deref()) { strong { (harmless(name, 120)) } br; }
        @if let Some(email) = known.and_then(|known| known.email.as_deref()) { (harmless(email, 120)) br; }
        @match id {
            Some(id) => { code { (id) } },
            None => { "none" },
        }
    }
}

/// Why it was proposed: by whom, by which rule, and in whose words.
fn why(shown: &Review<'_>) -> Markup {
    let row = &shown.file.row.value;
    html! {
        section {
            h2 { "Why" }
            p {
                "Asked for by " strong { (harmless(&shown.requester, 80)) }
                " on " (text::time(row.proposal.action.created)) "."
            }
            @if row.proposal.action.customer_text == Digest::of("") {
                p { (harmless(&row.dossier.why, 500)) }
            } @else {
                figure .untrusted {
                    figcaption .soft { "In their own words, which nobody has checked" }
                    blockquote { (harmless(&row.dossier.why, 500)) }
                }
            }
            @for rule in &shown.asked_by_rules {
                p { "The agent asks by rule " code { (harmless(&rule.id, 80)) } ": " (harmless(&rule.reason, 300)) }
            }
            @for rule in shown.rules { p { "You sign by rule " code { (rule.id) } ": " (rule.reason) } }
        }
    }
}

fn choice(shown: &Review<'_>) -> Markup {
    let row = &shown.file.row.value;
    let action = &row.proposal.action;
    let left = usize::from(action.need).saturating_sub(shown.signed.len());
    let system = action.operation.kind().system();
    let grants = action.operation.kind() == OperationKind::GrantMandate;
    html! {
        section .decide {
            h2 { "Your decision" }
            p .deadline { "Decide " strong { (text::until(action.expires, shown.now)) } ", by " (text::time(action.expires)) "." }
            @if let Some(refused) = &shown.refused { p { (text::sentence(refused)) } }
            @if shown.may_approve || shown.may_deny {
                @let prompt = shown.prompt.as_ref();
                form method="post" action={ "/a/" (action.proposal) }
                    data-passkey=[prompt.map(|_| "get")] data-challenge=[prompt.map(|prompt| &prompt.challenge)]
                    data-party=[prompt.map(|prompt| prompt.party)] data-known=[prompt.map(Prompt::ids)] {
                    @if let Some(prompt) = prompt { (prompt.fields()) }
                    input type="hidden" name="digest" value=(row.proposal.digest);
                    input type="hidden" name="csrf" value=(shown.csrf);
                    @if let (true, Some(amount)) = (shown.may_approve, shown.typed) {
                        label {
                            "To approve, type the amount (" (amount) ") without the currency"
                            input name="amount" inputmode="decimal" maxlength="20" autocomplete="off";
                        }
                    }
                    @if prompt.is_some() {
                        p .soft { "This is approved with your passkey: your device asks for it." }
                        p role="alert" {}
                    }
                    @if shown.may_approve {
                        button .go name="decision" value="approve" aria-describedby="on-approve" {
                            "Approve"
                            @if let Some(amount) = action.operation.amount() { " " (amount) }
                        }
                        p .soft #on-approve {
                            @if left > 1 { "Then " (left - 1) " more must sign before it is done." }
                            @else if grants { "Then it stands at once, until it ends or somebody stops it in the inbox." }
                            @else { "Then it is done at once, and cannot be taken back here." }
                        }
                    }
                    @if shown.may_deny {
                        button .stop name="decision" value="deny" aria-describedby="on-deny" { "Deny" }
                        p .soft #on-deny { "Then it ends for everybody, and nothing is sent" @if system == System::Stripe { " to Stripe" } "." }
                    }
                }
            }
            @if let Some(csrf) = &shown.withdraw {
                form method="post" action={ "/a/" (action.proposal) "/withdraw" } {
                    input type="hidden" name="csrf" value=(csrf);
                    button aria-describedby="on-withdraw" { "Take it back" }
                    p .soft #on-withdraw { "Then it ends as if nobody had asked, and nothing is sent." }
                }
            }
        }
    }
}

fn signatures(shown: &Review<'_>) -> Markup {
    let row = &shown.file.row.value;
    let need = row.proposal.action.need;
    let names = |names: &[String]| names.iter().map(|name| harmless(name, 80)).collect::<Vec<_>>().join(", ");
    html! {
        section {
            h2 { "Who signs" }
            dl {
                @if let Some(mandate) = &row.mandate {
                    dt { "Mandate" } dd {
                        a href={ "/a/" (mandate.proposal()) } { code { (mandate) } }
                        ", signed before, so nobody was asked. "
                        @if matches!(row.proposal.stage, Stage::Executed { .. }) {
                            a href={ "/a/" (row.id()) "/undo" } { "Ask to undo it" }
                        }
                    }
                }
                dt { "Needed" } dd { (need) @if need == 1 { " signature" } @else { " signatures of different people" } }
                dt { "Signed" } dd { @if shown.signed.is_empty() { "nobody yet" } @else { (names(&shown.signed)) } }
                @if !is_over(shown) {
                    dt { "May sign" } dd { @if shown.may_sign.is_empty() { "nobody else" } @else { (names(&shown.may_sign)) } }
                }
            }
        }
    }
}

fn stripe(shown: &Review<'_>) -> Markup {
    let row = &shown.file.row.value;
    let action = &row.proposal.action;
    let now = shown.now_read.facts();
    let about = now.unwrap_or(&row.dossier.facts);
    let link = |object: &ObjectId, words: &str| {
        html! {
            @if let Some(url) = facts::dashboard(object, action.livemode, shown.account) {
                li { a href=(url) rel="noreferrer noopener" target="_blank" { (words) " (opens a new tab)" } }
            }
        }
    };
    html! {
        section {
            h2 {
                @if matches!(about, Facts::Rule(_)) { "What the policy says now" }
                @else { "What Stripe says, read on " (text::time(shown.now)) }
            }
            (facts::table(&facts::of(&row.dossier.facts), now.map(facts::of).as_deref()))
            ul .links {
                (link(&action.operation.object(), "Open it in the Stripe Dashboard"))
                @if let Some(customer) = about.customer() {
                    (link(&customer.clone().into(), "Customer in the Stripe Dashboard"))
                }
            }
        }
    }
}

/// What somebody saw of an outcome that no machine can tell.
fn looked(system: System, id: &str, csrf: &str) -> Markup {
    html! {
        section {
            h2 {
                @match system {
                    System::Stripe => "Say what you saw in Stripe",
                    System::Mail => "Say whether the message went out",
                    System::Application => "Say what you saw in the application",
                    System::Here => "Say what you saw",
                }
            }
            p .soft {
                @match system {
                    System::Stripe => "Look for it in the Stripe Dashboard. Stripe is asked once more before what you say counts, ",
                    System::Mail => { "Look in the mail service's events for the tag " code { "countersign-proposal=" (id) } ", or ask the customer. What you say counts, " },
                    System::Here => "Look in the inbox for the mandate. What you say counts, ",
                    System::Application => "Look there for the customer's access. The application is asked once more before what you say counts, ",
                }
                "and nothing is ever sent again by this."
            }
            form method="post" action={ "/a/" (id) "/looked" } {
                input type="hidden" name="csrf" value=(csrf);
                label { "What you saw, with its id" input name="saw" required maxlength="300" autocomplete="off"; }
                div .choice {
                    button name="outcome" value="done" { "It was done" }
                    button .stop name="outcome" value="not_done" { "It was not done" }
                }
            }
        }
    }
}

/// What an auditor looks for, and hardly anybody else.
fn fine_print(shown: &Review<'_>) -> Markup {
    let row = &shown.file.row.value;
    let action = &row.proposal.action;
    html! {
        details {
            summary { "Ids and digests" }
            dl {
                dt { "Check" } dd { code { (row.proposal.digest.short()) } " (the same as in the message)" }
                dt { "Digest" } dd { code { (row.proposal.digest) } }
                dt { "Proposal" } dd { code { (action.proposal) } }
                @if let Some(case) = &row.dossier.case { dt { "Case" } dd { code { (case) } } }
                @if let Some(source) = &action.source { dt { "Event" } dd { code { (source) } } }
                dt { "Account" } dd { code { (action.account) } }
                dt { "Policy" } dd { code { (action.policy) } }
            }
        }
    }
}
