//! Who may sign an action: the floor, the policy, and the separation of duties.

use anyhow::Result;
use domain::{
    approval::{Action, Around, CustomerFacts, EmailAddress, Facts, Ineligible, Operation, Person},
    policy::{ApprovalRule, Requester, Verdict},
};
use store::ProposalRow;

use crate::{App, read, turn::Turn};

/// Whether a person may sign an action, and the rules that say so. The floor comes first, which no
/// policy lifts; and nobody releases by a rule that they were the last to change.
pub(crate) fn check(
    app: &App,
    person: &Person,
    action: &Action,
    around: &Around<'_>,
) -> Result<Verdict, Ineligible> {
    person.may_sign(action, around)?;
    let verdict = app.bundle.may_sign(person, action);
    if !verdict.permitted {
        return Err(Ineligible::NoRule);
    }
    // A mandate lets its own rule release.
    let released_by = match &action.operation {
        Operation::GrantMandate(terms) => Some(terms.rule.as_str()),
        _ => None,
    };
    let rules = verdict.rules.iter().map(|rule| rule.id.as_str()).chain(released_by);
    if app.bundle.changed_last(rules, action.operation.kind(), &person.emails) {
        return Err(Ineligible::ChangedTheRule);
    }
    Ok(verdict)
}

/// The same from what the row keeps, for lists and messages. A vote asks Stripe again.
pub(crate) fn by_row(app: &App, person: &Person, row: &ProposalRow) -> bool {
    let customer = row.dossier.customer.as_ref().and_then(|customer| customer.email.as_ref());
    let around = Around { stake: stake(row), customer };
    check(app, person, &row.proposal.action, &around).is_ok()
}

/// The address of the customer to whom it happens, as Stripe says now.
///
/// # Errors
/// If Stripe cannot be asked: then nobody can be told apart from the customer, and nothing is signed.
pub(crate) async fn customer_address(turn: Turn<'_>, row: &ProposalRow) -> Result<Option<EmailAddress>> {
    let customer = read::customer_of(turn, &row.proposal.action.account, &row.dossier.facts).await?;
    Ok(customer.and_then(|customer| customer.email).and_then(|email| EmailAddress::parse(email).ok()))
}

/// What thresholds and limits are held against. The facts are bound by the snapshot that was signed;
/// others count for nothing, and then the operation's own amount does.
pub(crate) fn stake(row: &ProposalRow) -> Option<domain::Money> {
    let action = &row.proposal.action;
    bound_facts(row).and_then(|facts| facts.at_stake(action.operation.amount()))
}

/// The facts of a row, if they are those that the action was made from.
pub(crate) fn bound_facts(row: &ProposalRow) -> Option<&Facts> {
    Some(&row.dossier.facts).filter(|facts| facts.digest() == row.proposal.action.snapshot)
}

/// How many must sign at least: two where money is at stake and nobody can tell whether whoever signs is the
/// customer, since Stripe knows of none or of no address.
pub(crate) fn floor(operation: &Operation, customer: Option<&CustomerFacts>) -> u8 {
    let known = customer.is_some_and(|customer| customer.email.is_some());
    if known || operation.amount().is_none() { 1 } else { 2 }
}

/// No standing grant on one signature.
const FLOOR_FOR_MANDATES: u8 = 2;

/// How many must sign: what the rule says, and two where nobody knows who wrote the rule. A mandate takes
/// as many as each of its uses would.
pub(crate) fn need(app: &App, rule: &ApprovalRule, action: &Action, stake: Option<domain::Money>) -> u8 {
    let kind = action.operation.kind();
    let asked_by = if action.requester == app.agent && action.operation.amount().is_some() {
        Requester::Unknown
    } else {
        Requester::Known
    };
    let mut need = rule.need(stake, asked_by);
    if let Operation::GrantMandate(terms) = &action.operation {
        let of_a_use = app.bundle.approval(terms.allows.kind().as_str());
        let of_a_use = of_a_use.map_or(0, |rule| rule.need(None, Requester::Known));
        need = need.max(of_a_use).max(FLOOR_FOR_MANDATES);
    }
    if app.bundle.is_attributed(kind) { need } else { need.max(2) }
}
