//! The seeded day.

use std::collections::BTreeSet;

use sandbox::{
    Clock, Shelf,
    stripe::{Options, Stripe, seed},
};
use serde_json::Value;

use crate::{
    schema::faults_of,
    support::{NOW, options},
};

const KINDS: &[&str] = &[
    "balance_transaction",
    "charge",
    "customer",
    "dispute",
    "invoice",
    "invoice_payment",
    "payment_intent",
    "payment_method",
    "price",
    "product",
    "radar.early_fraud_warning",
    "refund",
    "subscription",
];

fn seeded(customers: usize, seed: u64) -> std::sync::Arc<Stripe> {
    let options = Options { seed, ..options() };
    let stripe = Stripe::open(options, Shelf::memory().unwrap(), Clock::held_at(NOW)).unwrap();
    seed::day(&stripe, customers, seed).unwrap();
    stripe
}

#[tokio::test]
async fn every_seeded_object_has_the_shape_that_stripe_documents() {
    let stripe = seeded(42, 7);
    for kind in KINDS {
        let objects = stripe.objects(kind);
        assert!(!objects.is_empty(), "no {kind}");
        for object in objects {
            assert_eq!(faults_of(&object), Vec::<String>::new(), "{object:#}");
        }
    }
    for event in stripe.events() {
        assert_eq!(faults_of(&event), Vec::<String>::new());
        assert_eq!(faults_of(&event["data"]["object"]), Vec::<String>::new(), "{}", event["type"]);
    }
}

#[tokio::test]
async fn a_day_of_forty_customers_has_every_kind_of_event() {
    let stripe = seeded(40, 1);
    let events = stripe.events();
    assert!(events.len() >= 200, "{}", events.len());
    let seen: BTreeSet<&str> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
    let wanted = [
        "charge.dispute.closed",
        "charge.dispute.created",
        "charge.dispute.funds_withdrawn",
        "charge.dispute.updated",
        "charge.failed",
        "charge.refund.updated",
        "charge.refunded",
        "charge.succeeded",
        "charge.updated",
        "customer.subscription.deleted",
        "customer.subscription.updated",
        "customer.updated",
        "invoice.paid",
        "invoice.payment_action_required",
        "invoice.payment_failed",
        "payment_intent.payment_failed",
        "payment_method.automatically_updated",
        "radar.early_fraud_warning.created",
        "refund.created",
        "refund.failed",
        "refund.updated",
    ];
    let absent: Vec<&&str> = wanted.iter().filter(|kind| !seen.contains(**kind)).collect();
    assert!(absent.is_empty(), "{absent:?}");
    for event in &events {
        let created = event["created"].as_i64().unwrap();
        assert!((NOW - 86_400..=NOW).contains(&created), "{} at {created}", event["type"]);
    }
}

#[tokio::test]
async fn the_day_has_several_currencies_many_declines_and_wishes_for_refunds() {
    let stripe = seeded(56, 3);
    let texts = |kind: &str, pointer: &str| -> BTreeSet<String> {
        let all = stripe.objects(kind);
        all.iter().filter_map(|object| object.pointer(pointer)?.as_str().map(str::to_owned)).collect()
    };
    for currency in ["usd", "eur", "jpy", "kwd"] {
        assert!(texts("invoice", "/currency").contains(currency), "{currency}");
    }
    let declines = texts("payment_intent", "/last_payment_error/decline_code");
    assert!(declines.len() >= 6, "{declines:?}");
    let wishes = texts("charge", "/metadata/refund_request");
    assert!(wishes.contains("requested_by_customer") && wishes.contains("duplicate"), "{wishes:?}");
    assert!(wishes.iter().any(|wish| wish.starts_with("requested_by_customer:")), "{wishes:?}");
    for email in texts("customer", "/email") {
        assert!(email.starts_with("canary-") && email.ends_with("@example.test"), "{email}");
    }
}

#[tokio::test]
async fn money_adds_up() {
    let stripe = seeded(56, 9);
    let refunds = stripe.objects("refund");
    for charge in stripe.objects("charge") {
        let back: i64 = refunds
            .iter()
            .filter(|refund| refund["charge"] == charge["id"] && refund["status"] != "failed")
            .map(|refund| refund["amount"].as_i64().unwrap())
            .sum();
        assert_eq!(charge["amount_refunded"], back);
        if charge["currency"] == "kwd" {
            assert_eq!(back % 10, 0, "three-decimal amounts end in 0");
        }
    }
    for invoice in stripe.objects("invoice") {
        let due = invoice["amount_due"].as_i64().unwrap();
        let (paid, left) = (invoice["amount_paid"].as_i64(), invoice["amount_remaining"].as_i64());
        match invoice["status"].as_str().unwrap() {
            "paid" => assert_eq!((paid, left), (Some(due), Some(0))),
            "open" | "draft" => assert_eq!((paid, left), (Some(0), Some(due))),
            other => panic!("an invoice is {other}"),
        }
    }
}

#[tokio::test]
async fn the_same_seed_makes_the_same_day() {
    // The ids of Dashboard requests are the only thing that is never the same twice.
    let events = |seed| -> Vec<Value> {
        let mut events = seeded(28, seed).events();
        for event in &mut events {
            event["request"] = Value::Null;
        }
        events
    };
    assert_eq!(events(5), events(5));
    assert_ne!(events(5), events(6));
}
