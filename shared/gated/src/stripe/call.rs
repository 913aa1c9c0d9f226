//! From a signed action to the one request that carries it out.

use std::fmt;

use ::stripe::wire::Parameters;
use domain::{
    Digest, Money, Timestamp,
    approval::{Action, CancelFeedback, Operation},
};

use super::NotDone;

/// A request to Stripe, ready to be spelled.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) verb: Verb,
    /// Segments below `/v1`.
    pub(super) path: Vec<String>,
    pub(super) parameters: Parameters,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verb {
    /// Parameters in a form.
    Post,
    /// Parameters in the query.
    Delete,
}

/// Collects parameters in the order in which Stripe's own libraries send them.
#[derive(Default)]
struct Sent(Parameters);

impl Sent {
    fn add(&mut self, name: &str, value: &dyn fmt::Display) {
        self.0.push((name.to_owned(), value.to_string()));
    }

    fn add_if(&mut self, name: &str, value: Option<impl fmt::Display>) {
        self.0.extend(value.map(|value| (name.to_owned(), value.to_string())));
    }
}

impl Call {
    /// The request of an action, with our two metadata keys where the call takes metadata.
    pub(super) fn of(action: &Action, digest: Digest) -> Result<Self, NotDone> {
        let object = action.operation.object().to_string();
        let (mut verb, mut sent) = (Verb::Post, Sent::default());
        let path: Vec<&str> = match &action.operation {
            Operation::Refund { charge, amount, reason } => {
                sent.add("charge", charge);
                sent.add("amount", &positive(*amount)?);
                sent.add("reason", &reason.as_str());
                vec!["refunds"]
            }
            Operation::CreditNote { invoice, amount, to_balance, reason, memo, email } => {
                let total = positive(*amount)?;
                if !(0..=total).contains(to_balance) {
                    return Err(NotDone::BadParameter);
                }
                sent.add("invoice", invoice);
                sent.add("amount", &total);
                sent.add_if("credit_amount", (*to_balance > 0).then_some(to_balance));
                sent.add("reason", &reason.as_str());
                sent.add_if("memo", memo.as_ref());
                // Stripe's default is to e-mail it.
                sent.add("email_type", &if *email { "credit_note" } else { "none" });
                vec!["credit_notes"]
            }
            Operation::BalanceCredit { amount, description, .. } => {
                // Negative is in the customer's favour.
                sent.add("amount", &-positive(*amount)?);
                sent.add("currency", &amount.currency.code());
                sent.add_if("description", description.as_ref());
                vec!["customers", &object, "balance_transactions"]
            }
            Operation::SubmitEvidence { evidence, .. } => {
                // Stripe's default is the same; said all the same, because it cannot be undone.
                sent.add("submit", &true);
                for (name, value) in evidence.fields() {
                    sent.add(&format!("evidence[{name}]"), &value);
                }
                vec!["disputes", &object]
            }
            Operation::AcceptDispute { .. } => vec!["disputes", &object, "close"],
            Operation::CancelSubscription { invoice_now, prorate, feedback, comment, .. } => {
                verb = Verb::Delete;
                sent.add("invoice_now", invoice_now);
                sent.add("prorate", prorate);
                sent.add_if("cancellation_details[comment]", comment.as_ref());
                sent.add_if("cancellation_details[feedback]", feedback.map(CancelFeedback::as_str));
                vec!["subscriptions", &object]
            }
            Operation::CancelAtPeriodEnd { .. } => {
                sent.add("cancel_at_period_end", &true);
                vec!["subscriptions", &object]
            }
            Operation::PauseCollection { behavior, resumes_at, .. } => {
                sent.add("pause_collection[behavior]", &behavior.as_str());
                sent.add_if("pause_collection[resumes_at]", resumes_at.map(Timestamp::seconds));
                vec!["subscriptions", &object]
            }
            Operation::ResumeCollection { .. } => {
                // An empty value clears it.
                sent.add("pause_collection", &"");
                vec!["subscriptions", &object]
            }
            Operation::VoidInvoice { .. } => vec!["invoices", &object, "void"],
            Operation::MarkUncollectible { .. } => vec!["invoices", &object, "mark_uncollectible"],
            Operation::PayInvoice { payment_method, .. } => {
                if let Some(method) = payment_method {
                    sent.add("payment_method", method);
                    sent.add("off_session", &true);
                }
                vec!["invoices", &object, "pay"]
            }
            Operation::SendMessage { .. } | Operation::ChangeAccess { .. } | Operation::GrantMandate(_) => {
                return Err(NotDone::NotAStripeCall);
            }
        };
        let path = path.into_iter().map(str::to_owned).collect();
        metadata(&mut sent, action, digest)?;
        Ok(Self { verb, path, parameters: sent.0 })
    }
}

/// An amount that is sent has to be above zero.
fn positive(amount: Money) -> Result<i64, NotDone> {
    if amount.amount > 0 { Ok(amount.amount) } else { Err(NotDone::BadParameter) }
}

/// Adds the signed metadata and our two keys, within the limits that Stripe sets
/// (<https://docs.stripe.com/metadata>): 50 keys of 40 characters, values of 500.
fn metadata(sent: &mut Sent, action: &Action, digest: Digest) -> Result<(), NotDone> {
    const OURS: [&str; 2] = ["approval_id", "approval_digest"];
    if !action.operation.takes_metadata() {
        return if action.metadata.is_empty() { Ok(()) } else { Err(NotDone::Metadata) };
    }
    let fits = |(key, value): (&String, &String)| {
        (1..=40).contains(&key.chars().count())
            && !key.contains(['[', ']'])
            && !OURS.contains(&key.as_str())
            // An empty value would delete the key instead of setting it.
            && (1..=500).contains(&value.chars().count())
    };
    if action.metadata.len() > 50 - OURS.len() || !action.metadata.iter().all(fits) {
        return Err(NotDone::Metadata);
    }
    for (key, value) in &action.metadata {
        sent.add(&format!("metadata[{key}]"), value);
    }
    sent.add("metadata[approval_id]", &action.proposal);
    sent.add("metadata[approval_digest]", &digest);
    Ok(())
}
