//! Stripe's objects, of every API version that an account may still be on.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::needless_pass_by_value,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test may fail anywhere"
)]

use std::{collections::BTreeMap, sync::LazyLock};

use domain::snapshot::{
    BalanceEntry, Charge, CreditNote, Customer, CustomerCredit, Dispute, DisputeStatus, FraudWarning,
    Invoice, InvoiceStatus, PaymentIntent, PaymentMethod, PaymentOnInvoice, Refund, Subscription,
};
use proptest::prelude::*;
use serde_json::{Value, json};
use stripe::{InvoiceRead, Misshapen, Object, parse};

static SCHEMAS: LazyLock<Value> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../../../tests/fixtures/stripe/schemas.json")).unwrap()
});

/// Every modelled schema: reads an object of it and gives back the id that was read.
type Reader = fn(&[u8]) -> Result<String, Misshapen>;

fn readers() -> BTreeMap<&'static str, Reader> {
    BTreeMap::from([
        ("balance_transaction", (|json| Ok(parse::<BalanceEntry>(json)?.id.to_string())) as Reader),
        ("charge", |json| Ok(parse::<Charge>(json)?.id.to_string())),
        ("credit_note", |json| Ok(parse::<CreditNote>(json)?.id.to_string())),
        ("customer", |json| Ok(parse::<Customer>(json)?.id.to_string())),
        ("customer_balance_transaction", |json| Ok(parse::<CustomerCredit>(json)?.id.to_string())),
        ("deleted_customer", |json| {
            let customer = parse::<Customer>(json)?;
            assert!(customer.deleted);
            Ok(customer.id.to_string())
        }),
        ("dispute", |json| Ok(parse::<Dispute>(json)?.id.to_string())),
        ("early_fraud_warning", |json| Ok(parse::<FraudWarning>(json)?.id.to_string())),
        ("invoice", |json| Ok(parse::<InvoiceRead>(json)?.invoice.id.to_string())),
        ("invoice_payment", |json| Ok(parse::<PaymentOnInvoice>(json)?.id.to_string())),
        ("payment_intent", |json| Ok(parse::<PaymentIntent>(json)?.id.to_string())),
        ("payment_method", |json| Ok(parse::<PaymentMethod>(json)?.id.to_string())),
        ("refund", |json| Ok(parse::<Refund>(json)?.id.to_string())),
        ("subscription", |json| Ok(parse::<Subscription>(json)?.id.to_string())),
    ])
}

#[test]
fn every_conforming_object_is_read() {
    let lines = include_str!("../../../tests/fixtures/stripe/conforming_objects.jsonl");
    let readers = readers();
    let mut read = BTreeMap::<String, usize>::new();
    for (number, line) in lines.lines().enumerate() {
        let line: Value = serde_json::from_str(line).unwrap();
        let schema = line["schema"].as_str().unwrap();
        if let Some(reader) = readers.get(schema) {
            let id = reader(line["value"].to_string().as_bytes());
            assert_eq!(
                id,
                Ok(line["value"]["id"].as_str().unwrap().to_owned()),
                "line {}: {schema}",
                number + 1
            );
            *read.entry(schema.to_owned()).or_default() += 1;
        }
    }
    assert_eq!(read.len(), readers.len(), "{read:?}");
    assert!(read.values().sum::<usize>() > 500, "{read:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_object_that_the_schema_allows_is_read(entropy in prop::collection::vec(any::<u8>(), 0..3000)) {
        for (schema, reader) in readers() {
            let value = Maker { entropy: entropy.iter() }.make(&SCHEMAS["$defs"][schema], "", 0);
            let id = reader(value.to_string().as_bytes());
            prop_assert_eq!(id, Ok(value["id"].as_str().unwrap().to_owned()), "{}: {}", schema, value);
        }
    }
}

/// Makes an object of a schema. Each choice takes a byte; when they run out the smallest is made.
struct Maker<'a> {
    entropy: std::slice::Iter<'a, u8>,
}

impl Maker<'_> {
    fn choose(&mut self, among: usize) -> usize {
        self.entropy.next().map_or(0, |byte| usize::from(*byte) % among.max(1))
    }

    fn pick<'v>(&mut self, among: &'v [Value]) -> &'v Value {
        &among[self.choose(among.len())]
    }

    fn make(&mut self, schema: &Value, name: &str, depth: usize) -> Value {
        if let Some(reference) = schema["$ref"].as_str() {
            return self.make(&SCHEMAS["$defs"][reference.trim_start_matches("#/$defs/")], name, depth);
        }
        if let Some(value) = schema.get("const") {
            return value.clone();
        }
        if let Some(values) = schema["enum"].as_array() {
            return self.pick(values).clone();
        }
        if let Some(schemas) = schema["anyOf"].as_array() {
            // Of an expandable reference the first is the id; deep down everything stays an id.
            let expandable = schemas[0]["type"] == "string" && schemas.len() > 1;
            let among = if depth > 2 { 1 } else { schemas.len() };
            let chosen = self.choose(among);
            return match &schemas[chosen] {
                chosen if expandable && chosen["type"] == "string" => self.id(),
                chosen => self.make(chosen, name, depth),
            };
        }
        let kind = match &schema["type"] {
            Value::Array(kinds) => self.pick(kinds).as_str().unwrap(),
            kind => kind.as_str().unwrap_or("object"),
        };
        match kind {
            "null" => Value::Null,
            "boolean" => (self.choose(2) == 1).into(),
            "number" => {
                [0, 1, -500, 2900, 99_999_999, 1_790_000_000, 253_402_300_799_i64][self.choose(7)].into()
            }
            "string" if name == "id" => self.id(),
            "string" if name == "currency" => ["usd", "jpy", "kwd", "EUR"][self.choose(4)].into(),
            "string" => match schema["x-known-values"].as_array() {
                Some(known) if self.choose(4) < 3 => self.pick(known).clone(),
                _ => ["", "x", "brand_new_value", "東京 🧾", "a\"b\\c\n", "0"][self.choose(6)].into(),
            },
            "array" => {
                let length = if depth > 2 { 0 } else { self.choose(3) };
                (0..length).map(|_| self.make(&schema["items"], name, depth + 1)).collect()
            }
            _ => self.object(schema, depth),
        }
    }

    fn object(&mut self, schema: &Value, depth: usize) -> Value {
        let mut made = serde_json::Map::new();
        if schema.get("x-resource").is_some() {
            made.insert("id".into(), self.id());
        }
        let required = schema["required"].as_array().cloned().unwrap_or_default();
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            if required.iter().any(|one| one == name) || (depth < 3 && self.choose(4) == 1) {
                made.insert(name.clone(), self.make(property, name, depth + 1));
            }
        }
        if schema["additionalProperties"].is_object() {
            for key in ["refund_request", "approval_id", "other"].into_iter().take(self.choose(4)) {
                made.insert(key.into(), self.make(&schema["additionalProperties"], key, depth + 1));
            }
        }
        if self.choose(5) == 1 {
            made.insert("a_field_of_tomorrow".into(), json!({ "deep": [1, null, "x"] }));
        }
        Value::Object(made)
    }

    fn id(&mut self) -> Value {
        format!("obj_{}", self.choose(256)).into()
    }
}

fn read<T: Object>(value: &Value) -> T {
    parse(value.to_string().as_bytes()).unwrap()
}

fn invoice(more: &Value) -> Value {
    let mut all = json!({
        "id": "in_1", "object": "invoice", "status": "open", "currency": "usd", "amount_due": 2900,
        "amount_remaining": 2900, "created": 1, "customer": "cus_1",
    });
    all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    all
}

#[test]
fn a_failed_invoice_tells_why_in_one_read() {
    let value = invoice(&json!({
        "attempt_count": 2,
        "next_payment_attempt": 1_790_259_200,
        "customer": { "id": "cus_1", "object": "customer", "email": "c@example.test",
            "invoice_settings": { "default_payment_method": null }, "default_source": null },
        "parent": { "type": "subscription_details", "subscription_details": { "subscription": {
            "id": "sub_1", "object": "subscription", "status": "past_due", "cancel_at_period_end": true,
            "default_payment_method": "pm_1", "items": { "data": [
                { "current_period_end": 30 }, { "current_period_end": 20 } ] } } } },
        "payments": { "object": "list", "data": [
            { "id": "inpay_1", "invoice": "in_1", "status": "open", "created": 2, "payment": {
                "type": "payment_intent", "payment_intent": { "id": "pi_1", "status": "requires_payment_method",
                    "latest_charge": "ch_1", "last_payment_error": { "type": "card_error", "code": "card_declined",
                        "decline_code": "insufficient_funds", "advice_code": "try_again_later",
                        "payment_method": { "id": "pm_1", "object": "payment_method" } } } } },
            { "id": "inpay_2", "invoice": "in_1", "status": "canceled", "created": 1,
                "payment": { "type": "payment_record", "payment_record": "pr_1" } } ] },
    }));
    let InvoiceRead { invoice, customer, subscription } = read(&value);
    assert_eq!(invoice.subscription.as_ref().unwrap().as_str(), "sub_1");
    assert_eq!(invoice.has_payment_method, Some(true));
    assert_eq!(invoice.payments.len(), 2);
    let intent = invoice.open_payment().unwrap();
    let error = intent.last_error.as_ref().unwrap();
    assert_eq!(error.decline_code.as_deref(), Some("insufficient_funds"));
    assert_eq!(error.advice_code.as_deref(), Some("try_again_later"));
    assert_eq!(error.payment_method.as_ref().unwrap().as_str(), "pm_1");
    assert_eq!(intent.latest_charge.as_ref().unwrap().as_str(), "ch_1");
    let subscription = subscription.unwrap();
    assert!(subscription.is_ending());
    assert_eq!(subscription.current_period_end.unwrap().seconds(), 20, "the earliest of its items");
    assert_eq!(customer.unwrap().email.as_deref(), Some("c@example.test"));
}

#[test]
fn whether_there_is_a_payment_method_is_only_denied_if_everything_was_read() {
    let has = |more: Value| read::<Invoice>(&invoice(&more)).has_payment_method;
    let bare = json!({ "id": "cus_1", "invoice_settings": { "default_payment_method": null } });
    assert_eq!(has(json!({})), None, "the customer was not read");
    assert_eq!(has(json!({ "customer": bare })), Some(false));
    assert_eq!(has(json!({ "customer": bare, "subscription": "sub_1" })), None, "nor the subscription");
    assert_eq!(has(json!({ "default_payment_method": "pm_1" })), Some(true));
    assert_eq!(has(json!({ "customer": { "id": "cus_1", "default_source": "card_1" } })), Some(true));
    let settings =
        json!({ "id": "cus_1", "invoice_settings": { "default_payment_method": { "id": "pm_1" } } });
    assert_eq!(has(json!({ "customer": settings })), Some(true));
}

#[test]
fn an_invoice_of_before_basil_means_the_same() {
    let value = invoice(&json!({
        "subscription": "sub_1", "charge": "ch_1", "paid": false,
        "payment_intent": { "id": "pi_1", "status": "requires_action" },
    }));
    let invoice: Invoice = read(&value);
    assert_eq!(invoice.subscription.as_ref().unwrap().as_str(), "sub_1");
    assert_eq!(invoice.open_payment().unwrap().id.as_str(), "pi_1");
    let paid: Invoice =
        read(&json!({ "status": "paid", "payment_intent": "pi_1", "id": "in_1", "currency": "usd",
        "amount_due": 1, "amount_remaining": 0, "created": 1 }));
    assert_eq!((paid.payments[0].status.as_str(), paid.status), ("paid", InvoiceStatus::Paid));
}

#[test]
fn a_subscription_of_before_basil_has_its_period_at_the_top() {
    let old: Subscription = read(&json!({ "id": "sub_1", "status": "active", "current_period_end": 9,
        "items": { "data": [{ "id": "si_1" }] }, "pause_collection": { "behavior": "void" } }));
    assert_eq!(old.current_period_end.unwrap().seconds(), 9);
    assert_eq!(old.pause_collection.as_deref(), Some("void"));
}

#[test]
fn of_a_charges_metadata_only_the_refund_request_is_read() {
    let value = json!({
        "id": "ch_1", "status": "succeeded", "currency": "usd", "amount": 2900, "amount_refunded": 500,
        "captured": true, "disputed": false, "livemode": true, "created": 1, "invoice": "in_1",
        "metadata": { "refund_request": "duplicate", "note": "canary" },
        "refunds": { "data": [ { "id": "re_old", "created": 1 }, { "id": "re_new", "created": 5 } ] },
        "outcome": { "type": "blocked", "reason": "highest_risk_level" },
    });
    let charge: Charge = read(&value);
    assert_eq!(charge.refund_request.as_deref(), Some("duplicate"));
    assert_eq!(charge.latest_refund.as_ref().unwrap().as_str(), "re_new");
    assert_eq!(charge.refundable().amount, 2400);
    assert!(!format!("{charge:?}").contains("canary"));
}

#[test]
fn a_refund_names_the_proposal_that_it_executes() {
    let refund: Refund = read(&json!({ "id": "re_1", "status": "pending", "currency": "usd", "amount": 500,
        "charge": { "id": "ch_1" }, "created": 1,
        "metadata": { "approval_id": "ap_1", "approval_digest": "00", "note": "x" } }));
    assert_eq!(refund.approval_id.as_deref(), Some("ap_1"));
    assert_eq!(refund.charge.unwrap().as_str(), "ch_1");
}

#[test]
fn a_dispute_without_a_deadline_cannot_be_answered() {
    let dispute = |due: Value| {
        read::<Dispute>(&json!({ "id": "du_1", "status": "a_status_of_tomorrow", "reason": "fraudulent",
            "currency": "usd", "amount": 2900, "charge": "ch_1", "created": 1,
            "evidence_details": { "due_by": due, "has_evidence": false, "submission_count": 1 } }))
    };
    assert_eq!(dispute(json!(0)).due_by, None);
    assert_eq!(dispute(Value::Null).due_by, None);
    let known = dispute(json!(1_790_000_000));
    assert_eq!(known.due_by.unwrap().seconds(), 1_790_000_000);
    assert_eq!(known.status, DisputeStatus::Other("a_status_of_tomorrow".into()));
    assert!(!known.status.is_closed(), "an unknown status counts as undecided");
}

#[test]
fn of_a_card_only_the_expiry_is_kept() {
    let method: PaymentMethod =
        read(&json!({ "id": "pm_1", "type": "card", "customer": "cus_1", "created": 1,
        "card": { "exp_month": 7, "exp_year": 2031, "last4": "4242", "fingerprint": "canary" } }));
    assert_eq!(method.card_expiry, Some((2031, 7)));
    assert!(!format!("{method:?}").contains("4242") && !format!("{method:?}").contains("canary"));
}

#[test]
fn what_is_no_such_object_says_where_and_not_what() {
    for bad in [
        json!({ "id": "re_1", "currency": "usd", "amount": "canary", "created": 1 }),
        json!({ "id": "canary canary", "currency": "usd", "amount": 1, "created": 1 }),
        json!({ "id": "re_1", "currency": "canary", "amount": 1, "created": 1 }),
        json!({ "id": "re_1", "currency": "usd", "amount": 1 }),
        json!(["canary"]),
    ] {
        let error = parse::<Refund>(bad.to_string().as_bytes()).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("canary"), "{error}");
        assert!(error.column > 0);
    }
}
