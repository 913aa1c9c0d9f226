//! Where Stripe, the CRM and access disagree about a customer, with the exact values and what would repair
//! it. What a system did not tell is no drift.

use std::collections::BTreeMap;

use crate::{
    CustomerId, Timestamp,
    approval::AccessChange,
    finding::{Finding, FindingKind},
    snapshot::{Invoice, Subscription, SubscriptionStatus},
};

/// What the systems say of one customer.
#[derive(Debug, Clone)]
pub struct Seen<'a> {
    /// Whom.
    pub customer: &'a CustomerId,
    /// All of the customer's subscriptions, ended ones too.
    pub subscriptions: &'a [Subscription],
    /// The open invoices; `None` if Stripe did not tell all.
    pub open_invoices: Option<&'a [Invoice]>,
    /// The CRM's word for how the payments stand; `None` if it did not tell.
    pub payment_status: Option<&'a str>,
    /// Whether anything works at the moment; `None` if the application did not tell.
    pub access: Option<bool>,
    /// When they were asked.
    pub at: Timestamp,
    /// After so many seconds without a subscription, access that still works is a drift.
    pub served: i64,
}

/// What would repair a drift.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repair {
    /// Writing this payment status into the CRM, which the agent may do by itself.
    Status(&'static str),
    /// Changing access, for which people are asked.
    Access(AccessChange),
}

/// A drift and its repair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drift {
    /// What disagrees.
    pub finding: Finding,
    /// What would repair it.
    pub repair: Repair,
}

/// The words of the payment status that say that something is owed.
const OWED: [&str; 2] = ["overdue", "action_needed"];

/// Compares what the systems say.
pub fn compare(seen: &Seen<'_>) -> Vec<Drift> {
    access(seen).into_iter().chain(status(seen)).collect()
}

fn access(seen: &Seen<'_>) -> Option<Drift> {
    let works = seen.access?;
    let live = seen.subscriptions.iter().find(|one| !has_ended(one));
    let paying = seen.subscriptions.iter().find(|one| {
        matches!(one.status, SubscriptionStatus::Active | SubscriptionStatus::Trialing)
            && one.pause_collection.is_none()
    });
    let last = seen.subscriptions.iter().filter(|one| has_ended(one)).max_by_key(|one| one.ended_at);
    let access = ("application.access".to_owned(), if works { "on" } else { "off" }.to_owned());
    match (works, paying, live, last) {
        (false, Some(one), _, _) => Some(Drift {
            finding: finding(
                seen,
                "access_off",
                "A subscription is active and access is off",
                fields(one).chain([access]).collect(),
                "Restore access: the request is before the approvers, or ask for it by hand.",
            ),
            repair: Repair::Access(AccessChange::Restore),
        }),
        (true, None, None, Some(one))
            if one.ended_at.is_some_and(|ended| seen.at.since(ended) >= seen.served) =>
        {
            Some(Drift {
                finding: finding(
                    seen,
                    "served_after_end",
                    "The last subscription ended and access still works",
                    fields(one).chain([access]).collect(),
                    "Pause access: the request is before the approvers, or ask for it by hand.",
                ),
                repair: Repair::Access(AccessChange::Pause),
            })
        }
        _ => None,
    }
}

fn status(seen: &Seen<'_>) -> Option<Drift> {
    let word = seen.payment_status?;
    let failed = seen.open_invoices?.iter().find(|invoice| invoice.attempt_count > 0);
    let owing = seen
        .subscriptions
        .iter()
        .find(|one| matches!(one.status, SubscriptionStatus::PastDue | SubscriptionStatus::Unpaid));
    let crm = ("crm.payment_status".to_owned(), word.to_owned());
    match (OWED.contains(&word), failed, owing) {
        (true, None, None) => Some(Drift {
            finding: finding(
                seen,
                "marked_overdue",
                "Everything is paid and the CRM says overdue",
                [("stripe.failed_open_invoices".to_owned(), "0".to_owned()), crm].into(),
                "The CRM is set to `current`, unless the policy leaves that to a person.",
            ),
            repair: Repair::Status("current"),
        }),
        (false, Some(invoice), _) if word == "current" => {
            let mut values: BTreeMap<_, _> = [crm].into();
            values.insert("stripe.invoice.id".into(), invoice.id.to_string());
            values.insert("stripe.invoice.status".into(), invoice.status.to_string());
            values.insert("stripe.invoice.amount_remaining".into(), invoice.amount_remaining.to_string());
            Some(Drift {
                finding: finding(
                    seen,
                    "marked_current",
                    "An invoice failed and the CRM says current",
                    values,
                    "The CRM is set to `overdue`, unless the policy leaves that to a person.",
                ),
                repair: Repair::Status("overdue"),
            })
        }
        _ => None,
    }
}

fn has_ended(one: &Subscription) -> bool {
    matches!(one.status, SubscriptionStatus::Canceled | SubscriptionStatus::IncompleteExpired)
}

fn fields(one: &Subscription) -> impl Iterator<Item = (String, String)> {
    let ended = one.ended_at.map(|at| ("stripe.subscription.ended_at".to_owned(), at.to_string()));
    [
        ("stripe.subscription.id".to_owned(), one.id.to_string()),
        ("stripe.subscription.status".to_owned(), one.status.to_string()),
    ]
    .into_iter()
    .chain(ended)
}

fn finding(
    seen: &Seen<'_>,
    what: &str,
    headline: &str,
    values: BTreeMap<String, String>,
    repair: &str,
) -> Finding {
    Finding {
        kind: FindingKind::Drift,
        what: what.to_owned(),
        subject: seen.customer.to_string(),
        customer: Some(seen.customer.clone()),
        headline: headline.to_owned(),
        values,
        repair: repair.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Money, SubscriptionId, snapshot::InvoiceStatus};

    const NOW: Timestamp = Timestamp::from_seconds(1_790_000_000);

    fn subscription(status: SubscriptionStatus, ended: Option<i64>) -> Subscription {
        Subscription {
            id: SubscriptionId::parse("sub_1").unwrap(),
            customer: CustomerId::parse("cus_1").ok(),
            status,
            cancel_at_period_end: false,
            cancel_at: None,
            ended_at: ended.map(|ago| NOW.plus(-ago)),
            pause_collection: None,
            current_period_end: None,
            latest_invoice: None,
        }
    }

    fn invoice(attempts: u32) -> Invoice {
        let usd = "usd".to_owned().try_into().unwrap();
        Invoice {
            id: crate::InvoiceId::parse("in_1").unwrap(),
            customer: CustomerId::parse("cus_1").ok(),
            subscription: None,
            status: InvoiceStatus::Open,
            amount_due: Money::new(1900, usd),
            amount_remaining: Money::new(1900, usd),
            attempt_count: attempts,
            next_payment_attempt: None,
            collection_method: None,
            billing_reason: None,
            created: NOW,
            has_payment_method: None,
            payments: Vec::new(),
        }
    }

    fn found(
        subscriptions: &[Subscription],
        open: &[Invoice],
        word: Option<&str>,
        access: Option<bool>,
    ) -> Vec<String> {
        let customer = CustomerId::parse("cus_1").unwrap();
        let seen = Seen {
            customer: &customer,
            subscriptions,
            open_invoices: Some(open),
            payment_status: word,
            access,
            at: NOW,
            served: 86_400,
        };
        compare(&seen).into_iter().map(|drift| drift.finding.what).collect()
    }

    #[test]
    fn each_drift_is_found_and_what_agrees_is_not() {
        use SubscriptionStatus::{Active, Canceled, PastDue};
        let active = [subscription(Active, None)];
        let past_due = [subscription(PastDue, None)];
        let ended = [subscription(Canceled, Some(90_000))];
        let just_ended = [subscription(Canceled, Some(3600))];
        let both = [subscription(Canceled, Some(90_000)), subscription(Active, None)];
        let none: [String; 0] = [];
        assert_eq!(found(&active, &[], None, Some(false)), ["access_off"]);
        assert_eq!(found(&active, &[], Some("current"), Some(true)), none);
        assert_eq!(found(&ended, &[], None, Some(true)), ["served_after_end"]);
        assert_eq!(found(&ended, &[], None, Some(false)), none);
        assert_eq!(found(&just_ended, &[], None, Some(true)), none, "access may end a little later");
        assert_eq!(found(&both, &[], None, Some(true)), none, "another subscription goes on");
        assert_eq!(found(&[], &[], None, Some(true)), none, "who bought once keeps what they bought");
        assert_eq!(found(&active, &[], Some("overdue"), None), ["marked_overdue"]);
        assert_eq!(found(&active, &[], Some("action_needed"), None), ["marked_overdue"]);
        assert_eq!(found(&past_due, &[], Some("overdue"), None), none);
        assert_eq!(found(&active, &[invoice(1)], Some("overdue"), None), none);
        assert_eq!(found(&active, &[invoice(1)], Some("current"), None), ["marked_current"]);
        assert_eq!(found(&active, &[invoice(0)], Some("current"), None), none, "it was not tried yet");
        assert_eq!(found(&active, &[], Some("overdue"), Some(false)), ["access_off", "marked_overdue"]);
    }

    #[test]
    fn what_a_system_did_not_tell_is_no_drift() {
        let customer = CustomerId::parse("cus_1").unwrap();
        let subscriptions = [subscription(SubscriptionStatus::Active, None)];
        let seen = Seen {
            customer: &customer,
            subscriptions: &subscriptions,
            open_invoices: None,
            payment_status: Some("overdue"),
            access: None,
            at: NOW,
            served: 86_400,
        };
        assert_eq!(compare(&seen), []);
    }
}
