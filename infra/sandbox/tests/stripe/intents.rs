//! Payment intents and setup intents by request.

use serde_json::{Value, json};

use crate::{
    schema::faults_of,
    support::{Bench, id},
};

async fn intent(bench: &Bench, form: &str) -> Value {
    let made = bench.post("/v1/payment_intents", &format!("amount=2000&currency=usd&{form}")).await;
    assert_eq!(made.status, 200, "{}", made.body);
    assert_eq!(faults_of(&made.body), Vec::<String>::new(), "{:#}", made.body);
    made.body
}

#[tokio::test]
async fn an_intent_goes_through_its_states() {
    let bench = Bench::new().await;
    let made = intent(&bench, "metadata[order]=6735").await;
    assert_eq!((&made["status"], &made["latest_charge"]), (&json!("requires_payment_method"), &Value::Null));
    let path = format!("/v1/payment_intents/{}", id(&made));
    let early = bench.post(&format!("{path}/confirm"), "").await;
    assert_eq!(early.error("code"), Some("payment_intent_unexpected_state"));
    let ready = bench.post(&path, "payment_method=pm_card_visa&amount=2100").await.body;
    assert_eq!(ready["status"], "requires_confirmation");
    let paid = bench.post(&format!("{path}/confirm"), "").await.body;
    assert_eq!((paid["status"].as_str(), paid["amount_received"].as_i64()), (Some("succeeded"), Some(2100)));
    let charge = bench.stripe.object(paid["latest_charge"].as_str().unwrap()).unwrap();
    assert_eq!((charge["customer"].clone(), faults_of(&charge)), (Value::Null, vec![]));
    assert_eq!(bench.post(&format!("{path}/cancel"), "").await.status, 400);
    assert_eq!(bench.post(&path, "amount=1").await.status, 400);
    assert_eq!(bench.post("/v1/refunds", &format!("payment_intent={}", id(&made))).await.status, 200);
}

#[tokio::test]
async fn a_decline_is_answered_with_the_intent_and_can_be_tried_again() {
    let bench = Bench::new().await;
    let form =
        "amount=2000&currency=usd&confirm=true&payment_method=pm_card_visa_chargeDeclinedInsufficientFunds";
    let declined = bench.post("/v1/payment_intents", form).await;
    assert_eq!((declined.status, declined.error("decline_code")), (402, Some("insufficient_funds")));
    let told = &declined.body["error"]["payment_intent"];
    assert_eq!(told["status"], "requires_payment_method");
    assert_eq!((bench.count("charge.failed"), bench.count("payment_intent.payment_failed")), (1, 1));
    let path = format!("/v1/payment_intents/{}/confirm", id(told));
    assert_eq!(bench.post(&path, "payment_method=pm_card_visa").await.body["status"], "succeeded");
}

#[tokio::test]
async fn what_is_held_is_captured_in_part_or_released() {
    let bench = Bench::new().await;
    let form = "capture_method=manual&confirm=true&payment_method=pm_card_visa";
    let held = intent(&bench, form).await;
    assert_eq!(
        (held["status"].as_str(), held["amount_capturable"].as_i64()),
        (Some("requires_capture"), Some(2000))
    );
    assert_eq!(bench.count("payment_intent.amount_capturable_updated"), 1);
    let charge = held["latest_charge"].as_str().unwrap();
    assert_eq!(bench.post("/v1/refunds", &format!("charge={charge}")).await.status, 400, "not captured");
    let path = format!("/v1/payment_intents/{}", id(&held));
    let much = bench.post(&format!("{path}/capture"), "amount_to_capture=2001").await;
    assert_eq!(much.error("code"), Some("amount_too_large"));
    let part = bench.post(&format!("{path}/capture"), "amount_to_capture=1500").await.body;
    assert_eq!((part["status"].as_str(), part["amount_received"].as_i64()), (Some("succeeded"), Some(1500)));
    let kept = bench.stripe.object(charge).unwrap();
    assert_eq!((faults_of(&kept), kept["amount_captured"].as_i64()), (vec![], Some(1500)));
    let much = bench.post("/v1/refunds", &format!("charge={charge}&amount=1501")).await;
    assert_eq!(much.error("param"), Some("amount"), "no more than was captured");

    let other = intent(&bench, form).await;
    let path = format!("/v1/payment_intents/{}/cancel", id(&other));
    let released = bench.post(&path, "cancellation_reason=requested_by_customer").await;
    assert_eq!(released.body["status"], "canceled");
    let charge = bench.stripe.object(other["latest_charge"].as_str().unwrap()).unwrap();
    assert_eq!((&charge["refunded"], &charge["captured"]), (&json!(true), &json!(false)));
}

#[tokio::test]
async fn who_is_there_can_authenticate_and_who_is_not_is_declined() {
    let bench = Bench::new().await;
    for card in ["pm_card_authenticationRequired", "pm_card_threeDSecure2Required"] {
        let asked = intent(&bench, &format!("confirm=true&payment_method={card}")).await;
        assert_eq!(
            (&asked["status"], &asked["next_action"]["type"]),
            (&json!("requires_action"), &json!("use_stripe_sdk"))
        );
        let form = format!("amount=2000&currency=usd&confirm=true&off_session=true&payment_method={card}");
        let declined = bench.post("/v1/payment_intents", &form).await;
        assert_eq!((declined.status, declined.error("code")), (402, Some("authentication_required")));
    }
    let early = bench.post("/v1/payment_intents", "amount=1&currency=usd&off_session=true").await;
    assert_eq!(early.error("param"), Some("off_session"));
}

#[tokio::test]
async fn the_customer_pays_an_invoice_through_its_intent() {
    let bench = Bench::new().await;
    let customer = id(&bench.stripe.create_customer("Customer 17", "canary-17@example.test").unwrap());
    let invoice = id(&bench.stripe.open_invoice(&customer, 700, "usd").unwrap());
    let payments = bench.get(&format!("/v1/invoice_payments?invoice={invoice}")).await.body;
    let intent = payments["data"][0]["payment"]["payment_intent"].as_str().unwrap();
    let path = format!("/v1/payment_intents/{intent}");
    assert_eq!(bench.post(&format!("{path}/cancel"), "").await.status, 400, "the invoice is to be voided");
    let declined = bench.post(&format!("{path}/confirm"), "payment_method=pm_card_chargeDeclined").await;
    assert_eq!((declined.status, bench.count("invoice.payment_failed")), (402, 1));
    let paid = bench.post(&format!("{path}/confirm"), "payment_method=pm_card_visa").await.body;
    assert_eq!(bench.stripe.object(&invoice).unwrap()["status"], "paid");
    let method = bench.stripe.object(paid["payment_method"].as_str().unwrap()).unwrap();
    assert_eq!(method["customer"], customer, "an invoice's card is kept for the next");
}

#[tokio::test]
async fn a_card_is_kept_only_if_its_bank_confirms_it() {
    let bench = Bench::new().await;
    let customer = id(&bench.post("/v1/customers", "name=Customer+17").await.body);
    let attach = async |card: &str| {
        bench.post(&format!("/v1/payment_methods/{card}/attach"), &format!("customer={customer}")).await
    };
    assert_eq!(attach("pm_card_chargeDeclined").await.error("code"), Some("card_declined"));
    assert_eq!(attach("pm_card_chargeCustomerFail").await.status, 200, "it declines payments only");
    let made = bench
        .post("/v1/payment_methods", "type=card&card[token]=tok_visa&billing_details[name]=C+17")
        .await
        .body;
    assert_eq!((faults_of(&made), &made["customer"]), (vec![], &Value::Null));
    assert_eq!(attach(&id(&made)).await.body["id"], made["id"]);
    assert_eq!(attach(&id(&made)).await.status, 400, "it has a customer");
    let form = format!("amount=1&currency=usd&payment_method={}", id(&made));
    let stranger = bench.post("/v1/payment_intents", &form).await;
    assert_eq!(stranger.error("param"), Some("payment_method"));
    assert_eq!(
        bench.post("/v1/payment_methods", "type=card&card[number]=4242").await.error("code"),
        Some("parameter_unknown")
    );
}

#[tokio::test]
async fn a_setup_attaches_fails_asks_or_is_called_off() {
    let bench = Bench::new().await;
    let customer = id(&bench.post("/v1/customers", "name=Customer+17").await.body);
    let form = format!("customer={customer}&payment_method=pm_card_visa&confirm=true");
    let done = bench.post("/v1/setup_intents", &form).await.body;
    assert_eq!((faults_of(&done), done["status"].as_str()), (vec![], Some("succeeded")));
    let method = bench.stripe.object(done["payment_method"].as_str().unwrap()).unwrap();
    assert_eq!(method["customer"], customer);
    let failed = bench.post("/v1/setup_intents", "payment_method=pm_card_chargeDeclined&confirm=true").await;
    assert_eq!((failed.status, failed.error("code")), (402, Some("card_declined")));
    let setup = &failed.body["error"]["setup_intent"];
    assert_eq!((faults_of(setup), &setup["status"]), (vec![], &json!("requires_payment_method")));
    let asks = bench
        .post("/v1/setup_intents", "payment_method=pm_card_authenticationRequired&confirm=true")
        .await
        .body;
    assert_eq!((faults_of(&asks), asks["status"].as_str()), (vec![], Some("requires_action")));
    let off = bench
        .post(&format!("/v1/setup_intents/{}/cancel", id(&asks)), "cancellation_reason=abandoned")
        .await
        .body;
    assert_eq!(off["status"], "canceled");
    assert_eq!(bench.post(&format!("/v1/setup_intents/{}/confirm", id(&done)), "").await.status, 400);
}
