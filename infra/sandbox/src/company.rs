//! What the pretend company knows of its customers besides Stripe: an account in the CRM; what they wrote
//! to the help desk; orders, usage, contract and access in its own application. All of it fits what Stripe
//! says.

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::{
    Sandbox,
    clock::instant,
    help_desk::{Person, Said},
    stripe::Document as _,
};

const HOUR: i64 = 3600;
const DAY: i64 = 86_400;

/// A customer as Stripe has it, with what is told apart by its place in the order of joining.
struct Customer<'a> {
    stripe: &'a Value,
    place: i64,
    now: i64,
    /// The monthly price, in minor units with its currency.
    monthly: Option<(i64, String)>,
}

/// Lets every system know the customers that Stripe has and it does not.
pub(crate) fn introduce(sandbox: &Sandbox) -> Result<()> {
    let stripe = &sandbox.stripe;
    let (subscriptions, invoices) = (stripe.objects("subscription"), stripe.objects("invoice"));
    let known = sandbox.hubspot.entries("companies");
    for (place, customer) in (0..).zip(stripe.objects("customer")) {
        let id = customer.id();
        let price = |subscription: &Value| {
            let price = subscription.pointer("/items/data/0/price")?;
            Some((price.int("unit_amount"), price.text("currency").to_owned()))
        };
        let mut own = subscriptions.iter().filter(|one| one.text("customer") == id);
        let monthly = own.next_back().and_then(price);
        let one = Customer { stripe: &customer, place, now: sandbox.clock.seconds(), monthly };
        let named = |entry: &crate::crm::Entry| {
            entry.properties.get("stripe_customer_id").is_some_and(|known| known == id)
        };
        if !known.iter().any(named) {
            let account = one.account().as_object().cloned().context("an account is an object")?;
            sandbox.hubspot.seed(&[(id, account)])?;
        }
        sandbox.zendesk.seed(&one.person(), &one.wrote())?;
        if sandbox.application.customer(id).is_none() {
            let paid = invoices.iter().filter(|one| one.text("customer") == id);
            let paid = paid.filter(|one| one.text("status") == "paid");
            let orders = paid.map(|invoice| order(invoice, stripe.charge_of(invoice.id()).as_deref()));
            sandbox.application.seed(id, one.in_application(&orders.collect::<Vec<_>>()))?;
        }
    }
    Ok(())
}

/// What an invoice billed; access was given at once.
fn order(invoice: &Value, charge: Option<&str>) -> Value {
    let at = invoice.int("created");
    json!({
        "id": format!("A-{}", invoice.text("number")),
        "invoice": invoice.id(),
        "charge": charge,
        "amount": { "amount": invoice.int("amount_paid"), "currency": invoice.text("currency") },
        "placed": at,
        "description": "Monthly plan",
        "fulfilment": "provided",
        "fulfilled": at + 60,
        "access_log": format!("{} signed in, exported a report", instant(at + HOUR)),
    })
}

impl Customer<'_> {
    /// Every ninth customer has not been seen for weeks.
    const fn is_idle(&self) -> bool {
        self.place % 9 == 6
    }

    /// When the contract renews: for every seventh of them soon.
    const fn renews(&self) -> i64 {
        let days = if self.place % 7 == 3 { 20 } else { 60 + self.place * 37 % 300 };
        self.now + days * DAY
    }

    /// The account in HubSpot; amounts in major units, as a CRM keeps them.
    fn account(&self) -> Value {
        let (value, currency) = match &self.monthly {
            Some((amount, currency)) => (Some(major(amount * 12, currency)), Some(currency.to_uppercase())),
            None => (None, None),
        };
        // By the price that the seeded plans have in common.
        let segment = match self.monthly.as_ref().map_or(0, |(amount, _)| *amount) {
            100_000.. => "Enterprise",
            20_000.. => "Mid-Market",
            _ => "Self-Serve",
        };
        json!({
            "name": self.stripe.text("name"),
            "segment": segment,
            "lifecyclestage": if self.is_idle() { "at_risk" } else { "customer" },
            "annual_value": value,
            "contract_currency": currency,
            "renews": instant(self.renews()).get(..10),
            "hubspot_owner_id": (7 + self.place % 2).to_string(),
        })
    }

    /// The user in Zendesk.
    fn person(&self) -> Person {
        Person {
            customer: Some(self.stripe.id().to_owned()),
            email: self.stripe.text("email").to_owned(),
            name: self.stripe.text("name").to_owned(),
        }
    }

    /// What the customer wrote lately; most did not write.
    fn wrote(&self) -> Vec<Said> {
        let ticket = |subject: &str, text: &str, state: &str, priority: &str, tag: &str| Said {
            subject: subject.to_owned(),
            text: text.to_owned(),
            state: state.to_owned(),
            priority: Some(priority.to_owned()),
            tags: if tag.is_empty() { Vec::new() } else { vec![tag.to_owned()] },
            at: self.now - (2 + self.place % 40) * HOUR,
        };
        match self.place {
            place if place % 16 == 15 => {
                vec![ticket("Nobody can sign in", "We are locked out since noon.", "open", "urgent", "")]
            }
            place if place % 14 == 3 => {
                vec![ticket("Money back", "Please refund the last charge.", "open", "normal", "refund")]
            }
            _ if self.is_idle() => {
                vec![ticket(
                    "How do I cancel?",
                    "We do not use it any more.",
                    "open",
                    "normal",
                    "cancellation",
                )]
            }
            place if place % 5 == 4 => {
                vec![ticket("Our address changed", "Please put it on invoices.", "solved", "low", "")]
            }
            _ => Vec::new(),
        }
    }

    /// What the application tells of the customer.
    fn in_application(&self, orders: &[Value]) -> Value {
        let idle = if self.is_idle() { 40 * DAY } else { HOUR * (1 + self.place % 20) };
        let since = self.stripe.int("created");
        json!({
            "orders": orders,
            "usage": {
                "last_active": self.now - idle,
                "active_days": if self.is_idle() { 0 } else { 4 + self.place % 25 },
            },
            "contract": {
                "renews": self.renews(),
                "terms_accepted": since,
                "refund_policy": "Unused months are refunded on request within 14 days.",
                "cancellation_policy": "Cancel at any time; access lasts until the end of the period.",
                "revenue_recognition": "over_time",
            },
            "entitlements": [{ "name": "team", "active": true, "since": since }],
        })
    }
}

/// Minor units as major units, by the decimals of the currencies of the seeded plans
/// (<https://docs.stripe.com/currencies>).
fn major(amount: i64, currency: &str) -> String {
    let unit = match currency {
        "jpy" => return amount.to_string(),
        "kwd" => 1000,
        _ => 100,
    };
    let width = if unit == 1000 { 3 } else { 2 };
    format!("{}.{:0width$}", amount / unit, amount % unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_have_the_decimals_of_their_currency() {
        assert_eq!(major(22_800, "usd"), "228.00");
        assert_eq!(major(117_600, "jpy"), "117600");
        assert_eq!(major(150_005, "kwd"), "150.005");
    }
}
