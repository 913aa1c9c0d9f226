//! A message to a customer, written by the approver itself from the approved template: no word of it
//! comes from the queue (I8).

use std::collections::BTreeMap;

use domain::{
    CaseKey,
    approval::{EmailAddress, Facts, MessageFacts, NotPossible, Operation, Private},
    policy::{Bundle, Slots},
};

use crate::propose::NotProposed;

/// The message that a case asks for: `template` names the template, as `id` or as `id/version`.
pub(crate) fn draft(
    bundle: &Bundle,
    case: &CaseKey,
    parameters: &BTreeMap<String, String>,
    facts: &Facts,
) -> Result<Operation, NotProposed> {
    let Facts::Message(MessageFacts { customer, about: Some(about) }) = facts else {
        return Err(NotPossible::WrongObject.into());
    };
    let named =
        parameters.get("template").filter(|_| parameters.len() == 1).ok_or(NotProposed::NoTemplate)?;
    let (id, version) = named.split_once('/').map_or((named.as_str(), None), |(id, v)| (id, Some(v)));
    let template = bundle
        .template(id)
        .filter(|template| version.is_none_or(|version| version == template.version.to_string()))
        .ok_or(NotProposed::NoTemplate)?;
    let amount = match about.as_ref() {
        Facts::Invoice(invoice) => invoice.amount_remaining,
        Facts::Charge(charge) => charge.amount,
        _ => return Err(NotPossible::WrongObject.into()),
    };
    let slots = Slots { amount: amount.to_string(), object: about.object().to_string() };
    let written = template.render(&slots).map_err(|_| NotProposed::NotRendered)?;
    let recipient: EmailAddress = customer.email.clone().ok_or(NotPossible::NoAddress)?;
    Ok(Operation::SendMessage {
        case: case.clone(),
        customer: customer.id.clone(),
        recipient,
        template: template.id.clone(),
        version: template.version,
        locale: template.locale.clone(),
        subject: Private::new(written.subject),
        body: Private::new(written.text),
    })
}
