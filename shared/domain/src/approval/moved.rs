//! What moved between two readings, in words.

use super::{
    CustomerFacts, Facts,
    facts::{MessageFacts, RuleFacts, SubscriptionFacts},
};
use crate::snapshot::{Charge, Dispute, Invoice, Subscription};

/// Collects what differs.
#[derive(Default)]
struct Moved(Vec<String>);

impl Moved {
    fn compare(&mut self, name: &str, then: &dyn ToString, now: &dyn ToString) {
        let (then, now) = (then.to_string(), now.to_string());
        if then != now {
            let shown = |text: String| if text.is_empty() { "none".to_owned() } else { text };
            self.0.push(format!("{name} was {} and is {}", shown(then), shown(now)));
        }
    }
}

/// A value that can be absent.
fn or_none(value: Option<&impl ToString>) -> String {
    value.map_or(String::new(), ToString::to_string)
}

const fn yes(flag: bool) -> &'static str {
    if flag { "yes" } else { "no" }
}

impl Facts {
    /// What of all that the proposal rests on is different now; empty if nothing is. It covers every
    /// field of [`Facts::digest`].
    pub fn moved(&self, now: &Self) -> Vec<String> {
        let mut moved = Moved::default();
        moved.facts(self, now);
        moved.0
    }
}

impl Moved {
    fn facts(&mut self, then: &Facts, now: &Facts) {
        match (then, now) {
            (Facts::Charge(then), Facts::Charge(now)) => self.charge(then, now),
            (Facts::Invoice(then), Facts::Invoice(now)) => self.invoice(then, now),
            (Facts::Dispute(then), Facts::Dispute(now)) => self.dispute(then, now),
            (Facts::Subscription(then), Facts::Subscription(now)) => self.subscription(then, now),
            (Facts::Customer(then), Facts::Customer(now)) => self.customer(then, now),
            (Facts::Message(then), Facts::Message(now)) => self.message(then, now),
            (Facts::Rule(then), Facts::Rule(now)) => self.rule(then, now),
            _ => self.0.push("it is another kind of object".to_owned()),
        }
    }

    fn charge(&mut self, then: &Charge, now: &Charge) {
        self.compare("the charge", &then.id, &now.id);
        self.compare("the state", &then.status, &now.status);
        self.compare("the amount", &then.amount, &now.amount);
        self.compare("what went back already", &then.amount_refunded, &now.amount_refunded);
        let (latest_then, latest_now) =
            (or_none(then.latest_refund.as_ref()), or_none(now.latest_refund.as_ref()));
        self.compare("the latest refund", &latest_then, &latest_now);
        self.compare("the customer", &or_none(then.customer.as_ref()), &or_none(now.customer.as_ref()));
        let (payment_then, payment_now) =
            (or_none(then.payment_intent.as_ref()), or_none(now.payment_intent.as_ref()));
        self.compare("the payment", &payment_then, &payment_now);
        self.compare("disputed", &yes(then.disputed), &yes(now.disputed));
        self.compare("captured", &yes(then.captured), &yes(now.captured));
        self.compare("live mode", &yes(then.livemode), &yes(now.livemode));
    }

    fn invoice(&mut self, then: &Invoice, now: &Invoice) {
        let paid = |invoice: &Invoice| invoice.payments.iter().filter(|one| one.status == "paid").count();
        self.compare("the invoice", &then.id, &now.id);
        self.compare("the state", &then.status, &now.status);
        self.compare("the amount", &then.amount_due, &now.amount_due);
        self.compare("what is still open", &then.amount_remaining, &now.amount_remaining);
        self.compare("the customer", &or_none(then.customer.as_ref()), &or_none(now.customer.as_ref()));
        let (of_then, of_now) = (or_none(then.subscription.as_ref()), or_none(now.subscription.as_ref()));
        self.compare("the subscription", &of_then, &of_now);
        self.compare("the number of payments", &paid(then), &paid(now));
    }

    fn dispute(&mut self, then: &Dispute, now: &Dispute) {
        self.compare("the dispute", &then.id, &now.id);
        self.compare("the state", &then.status, &now.status);
        self.compare("the reason", &then.reason, &now.reason);
        self.compare("the amount", &then.amount, &now.amount);
        self.compare("the charge", &or_none(then.charge.as_ref()), &or_none(now.charge.as_ref()));
        self.compare("the deadline", &or_none(then.due_by.as_ref()), &or_none(now.due_by.as_ref()));
        self.compare("the number of answers", &then.submission_count, &now.submission_count);
    }

    fn subscription(&mut self, then: &SubscriptionFacts, now: &SubscriptionFacts) {
        self.plain_subscription(&then.subscription, &now.subscription);
        let listed = |facts: &SubscriptionFacts| {
            let open = facts.open_invoices.iter().flatten();
            open.map(|one| format!("{} ({})", one.id, one.money())).collect::<Vec<_>>().join(", ")
        };
        self.compare("open invoices", &listed(then), &listed(now));
    }

    fn plain_subscription(&mut self, then: &Subscription, now: &Subscription) {
        let paused = |one: &Subscription| one.pause_collection.clone().unwrap_or_default();
        self.compare("the subscription", &then.id, &now.id);
        self.compare("the state", &then.status, &now.status);
        self.compare("the customer", &or_none(then.customer.as_ref()), &or_none(now.customer.as_ref()));
        let (ends_then, ends_now) = (yes(then.cancel_at_period_end), yes(now.cancel_at_period_end));
        self.compare("ending with the period", &ends_then, &ends_now);
        self.compare("the end", &or_none(then.cancel_at.as_ref()), &or_none(now.cancel_at.as_ref()));
        self.compare("when it ended", &or_none(then.ended_at.as_ref()), &or_none(now.ended_at.as_ref()));
        self.compare("collection paused", &paused(then), &paused(now));
        let (period_then, period_now) =
            (or_none(then.current_period_end.as_ref()), or_none(now.current_period_end.as_ref()));
        self.compare("the end of the period", &period_then, &period_now);
    }

    fn customer(&mut self, then: &CustomerFacts, now: &CustomerFacts) {
        self.compare("the customer", &then.id, &now.id);
        self.compare("deleted", &yes(then.deleted), &yes(now.deleted));
    }

    fn rule(&mut self, then: &RuleFacts, now: &RuleFacts) {
        self.compare("the rule", &then.id, &now.id);
        self.compare("the rule's text", &then.content.short(), &now.content.short());
        self.compare("the policy", &then.policy, &now.policy);
    }

    fn message(&mut self, then: &MessageFacts, now: &MessageFacts) {
        self.customer(&then.customer, &now.customer);
        // The addresses themselves are not told: this goes into the trail and to the channel.
        if then.customer.email != now.customer.email {
            self.0.push("the customer's e-mail address is another one".to_owned());
        }
        match (&then.about, &now.about) {
            (Some(then), Some(now)) => self.facts(then, now),
            (None, None) => {}
            _ => self.0.push("what it is about can be read no more".to_owned()),
        }
    }
}
