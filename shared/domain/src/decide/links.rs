//! Where people look at the objects in Stripe.

use crate::{
    ObjectId,
    context::{Context, Subject},
};

/// Label and address of what this case is about, and of its customer.
pub(super) fn links(context: &Context, object: &ObjectId) -> Vec<(String, String)> {
    let (label, folder) = match &context.subject {
        Subject::Invoice(_) => ("Invoice", "invoices"),
        Subject::Dispute(_) => ("Dispute", "disputes"),
        Subject::Subscription(_) => ("Subscription", "subscriptions"),
        Subject::Charge(_) => ("Payment", "payments"),
        Subject::Refund(_) => ("Refund", "refunds"),
        Subject::FraudWarning(_) => ("Radar", "radar"),
        Subject::PaymentMethod(_) => return customer(context).into_iter().collect(),
    };
    // A fraud warning has no page of its own; the payment's page shows it.
    let about = match (&context.subject, context.charge.known()) {
        (Subject::FraudWarning(_), Some(charge)) => {
            ("Payment", address(context, "payments", charge.id.as_str()))
        }
        (Subject::FraudWarning(_), None) => return customer(context).into_iter().collect(),
        _ => (label, address(context, folder, object.as_str())),
    };
    std::iter::once((about.0.to_owned(), about.1)).chain(customer(context)).collect()
}

fn customer(context: &Context) -> Option<(String, String)> {
    let id = context.customer.as_ref()?;
    Some(("Customer".to_owned(), address(context, "customers", id.as_str())))
}

/// A page of the Dashboard. Ids are checked to be plain, so they are safe in a path.
fn address(context: &Context, folder: &str, id: &str) -> String {
    let account = context.origin.account.as_ref().map_or(String::new(), |account| format!("/{account}"));
    let mode = if context.livemode { "" } else { "/test" };
    format!("https://dashboard.stripe.com{account}{mode}/{folder}/{id}")
}
