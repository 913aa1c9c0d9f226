//! A message to a customer, written by the approver itself from the approved template: no word of it
//! comes from the queue (I8).

use std::collections::BTreeMap;

use domain::{
    CaseKey,
    approval::{EmailAddress, Facts, MessageFacts, NotPossible, Operation, Private},
    policy::{Bundle, Locale, Slot},
};

use crate::propose::NotProposed;

/// The message that a case asks for: `template` names the template, as `id` or as a draft
/// refers to it, `id.en/2`.
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
    let (name, version) = named.split_once('/').map_or((named.as_str(), None), |(id, v)| (id, Some(v)));
    let (id, locale) = name.split_once('.').map_or((name, None), |(id, locale)| (id, Locale::parse(locale)));
    let templates = bundle.templates();
    let template = templates
        .get(id, locale.unwrap_or_else(|| templates.default_locale()))
        .filter(|template| version.is_none_or(|version| version == template.version.to_string()))
        .ok_or(NotProposed::NoTemplate)?;
    let slots = match about.as_ref() {
        Facts::Invoice(invoice) => templates
            .house()
            .clone()
            .with("amount", Slot::Money(invoice.amount_remaining))
            .with("invoice", Slot::Text(invoice.id.to_string())),
        Facts::Charge(charge) => templates
            .house()
            .clone()
            .with("amount", Slot::Money(charge.amount))
            .with("charged_on", Slot::Date(charge.created)),
        _ => return Err(NotPossible::WrongObject.into()),
    };
    let written = template
        .render(&slots.only(&template.slots), bundle.calendar().zone())
        .map_err(|_| NotProposed::NotRendered)?;
    let recipient: EmailAddress = customer.email.clone().ok_or(NotPossible::NoAddress)?;
    Ok(Operation::SendMessage {
        case: case.clone(),
        customer: customer.id.clone(),
        recipient,
        template: template.id.clone(),
        version: template.version,
        locale: template.locale.to_string(),
        subject: Private::new(written.subject),
        body: Private::new(written.text),
    })
}
