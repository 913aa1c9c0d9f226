//! Renewals, declines, refunds, credit notes and subscriptions.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    schema::faults_of,
    support::{Bench, NOW, id},
};

#[tokio::test]
async fn a_declined_renewal_leaves_everything_that_a_case_reads() {
    let bench = Bench::new().await;
    let made = bench.with_invoice();
    bench.stripe.card_becomes(&made.method, "pm_card_visa_chargeDeclinedStolenCard").unwrap();
    let invoice = bench.stripe.renew(&made.subscription).unwrap().unwrap();
    assert_eq!((invoice["status"].clone(), invoice["attempt_count"].clone()), (json!("open"), json!(1)));
    assert_eq!(invoice["next_payment_attempt"], NOW + 86_400);
    assert_eq!(invoice["billing_reason"], "subscription_cycle");
    let path = format!("/v1/invoices/{}?expand[]=payments.data.payment.payment_intent", id(&invoice));
    let full = bench.get(&path).await.body;
    let intent = &full["payments"]["data"][0]["payment"]["payment_intent"];
    assert_eq!(intent["status"], "requires_payment_method");
    assert_eq!(intent["last_payment_error"]["decline_code"], "stolen_card");
    assert_eq!(intent["last_payment_error"]["advice_code"], "do_not_try_again");
    assert_eq!(intent["last_payment_error"]["network_decline_code"], "43");
    let charge = bench.stripe.object(intent["latest_charge"].as_str().unwrap()).unwrap();
    assert_eq!(
        (charge["status"].clone(), charge["outcome"]["type"].clone()),
        (json!("failed"), json!("issuer_declined"))
    );
    assert_eq!(bench.stripe.object(&made.subscription).unwrap()["status"], "past_due");
    assert_eq!(bench.stripe.object(&made.customer).unwrap()["delinquent"], true);
    assert_eq!(bench.count("invoice.payment_failed"), 1);
}

#[tokio::test]
async fn a_fraudulent_decline_is_stripes_own_block() {
    let bench = Bench::new().await;
    let made = bench.with_invoice();
    bench.stripe.card_becomes(&made.method, "pm_card_chargeDeclinedFraudulent").unwrap();
    let invoice = id(&bench.stripe.renew(&made.subscription).unwrap().unwrap());
    let charge = bench.stripe.object(&bench.stripe.charge_of(&invoice).unwrap()).unwrap();
    let outcome = &charge["outcome"];
    assert_eq!(
        (outcome["type"].as_str(), outcome["reason"].as_str(), outcome["network_status"].as_str()),
        (Some("blocked"), Some("highest_risk_level"), Some("not_sent_to_network"))
    );
}

#[tokio::test]
async fn a_card_that_wants_authentication_asks_for_action() {
    let bench = Bench::new().await;
    let made = bench.with_invoice();
    bench.stripe.card_becomes(&made.method, "pm_card_threeDSecure2Required").unwrap();
    let invoice = id(&bench.stripe.renew(&made.subscription).unwrap().unwrap());
    assert_eq!(bench.count("invoice.payment_action_required"), 1);
    let refused = bench.post(&format!("/v1/invoices/{invoice}/pay"), "").await;
    assert_eq!(
        (refused.status, refused.error("code")),
        (402, Some("invoice_payment_intent_requires_action"))
    );
}

#[tokio::test]
async fn paying_by_hand_does_not_count_and_a_success_heals_the_subscription() {
    let bench = Bench::new().await;
    let made = bench.with_invoice();
    bench.stripe.card_becomes(&made.method, "pm_card_chargeDeclinedProcessingError").unwrap();
    let invoice = id(&bench.stripe.renew(&made.subscription).unwrap().unwrap());
    let declined = bench.post(&format!("/v1/invoices/{invoice}/pay"), "").await;
    assert_eq!((declined.status, declined.error("code")), (402, Some("processing_error")));
    assert_eq!(bench.stripe.object(&invoice).unwrap()["attempt_count"], 1);
    assert_eq!(bench.stripe.retry_invoice(&invoice).unwrap()["attempt_count"], 2);
    bench.stripe.update_card(&made.method, "pm_card_visa").unwrap();
    assert_eq!(bench.count("payment_method.automatically_updated"), 1);
    let paid = bench.post(&format!("/v1/invoices/{invoice}/pay"), "").await;
    assert_eq!((paid.status, paid.body["status"].as_str()), (200, Some("paid")));
    assert_eq!(bench.stripe.object(&made.subscription).unwrap()["status"], "active");
    assert_eq!(bench.stripe.object(&made.customer).unwrap()["delinquent"], false);
    let again = bench.post(&format!("/v1/invoices/{invoice}/pay"), "").await;
    assert_eq!(again.error("code"), Some("invoice_already_paid"));
}

#[tokio::test]
async fn after_eight_retries_the_subscription_ends() {
    let bench = Bench::new().await;
    let made = bench.with_invoice();
    bench.stripe.card_becomes(&made.method, "pm_card_chargeDeclined").unwrap();
    let invoice = id(&bench.stripe.renew(&made.subscription).unwrap().unwrap());
    for _ in 0..8 {
        let next = bench.stripe.object(&invoice).unwrap()["next_payment_attempt"].as_i64().unwrap();
        bench.clock.advance(Duration::from_secs(u64::try_from(next - bench.clock.seconds()).unwrap()));
        bench.stripe.retry_invoice(&invoice).unwrap();
    }
    assert_eq!(bench.clock.seconds(), NOW + 14 * 86_400, "eight retries in two weeks");
    let ended = bench.stripe.object(&made.subscription).unwrap();
    assert_eq!(
        (ended["status"].as_str(), ended["cancellation_details"]["reason"].as_str()),
        (Some("canceled"), Some("payment_failed"))
    );
    assert_eq!(bench.stripe.object(&invoice).unwrap()["next_payment_attempt"], Value::Null);
}

#[tokio::test]
async fn a_change_tells_what_was_before_and_who_asked() {
    let bench = Bench::new().await;
    let made = bench.with_invoice();
    let path = format!("/v1/subscriptions/{}", made.subscription);
    let answer = bench.post_as("key-1", &path, "cancel_at_period_end=true").await;
    let event = bench.stripe.events().pop().unwrap();
    assert_eq!(event["type"], "customer.subscription.updated");
    assert_eq!(event["request"]["id"].as_str(), answer.header("request-id"));
    assert_eq!(event["request"]["idempotency_key"], "key-1");
    assert_eq!(event["data"]["previous_attributes"]["cancel_at_period_end"], false);
    assert_eq!(event["data"]["previous_attributes"]["cancellation_details"], json!({ "reason": null }));
    assert_eq!(event["data"]["object"], answer.body);
    let before = bench.stripe.events().len();
    bench.post(&path, "cancel_at_period_end=false").await;
    bench.post(&path, "cancel_at_period_end=false").await;
    assert_eq!(bench.stripe.events().len(), before + 1, "what changes nothing is no event");
    bench.post(&path, "cancel_at_period_end=true").await;
    assert!(bench.stripe.renew(&made.subscription).unwrap().is_none(), "it ended with its period");
    assert_eq!(bench.count("customer.subscription.deleted"), 1);
}

#[tokio::test]
async fn a_refund_moves_the_charge_and_a_failed_one_moves_it_back() {
    let bench = Bench::new().await;
    let made = bench.with_invoice();
    let part = bench.post("/v1/refunds", &format!("payment_intent={}&amount=900", made.intent)).await;
    assert_eq!((part.status, part.body["status"].as_str()), (200, Some("succeeded")));
    let charge = || bench.stripe.object(&made.charge).unwrap();
    assert_eq!(
        (charge()["amount_refunded"].clone(), charge()["refunded"].clone()),
        (json!(900), json!(false))
    );
    bench.post("/v1/refunds", &format!("charge={}", made.charge)).await;
    assert_eq!(
        (charge()["amount_refunded"].clone(), charge()["refunded"].clone()),
        (json!(4900), json!(true))
    );
    bench.stripe.fail_refund(&id(&part.body), "lost_or_stolen_card").unwrap();
    assert_eq!(
        (charge()["amount_refunded"].clone(), charge()["refunded"].clone()),
        (json!(4000), json!(false))
    );
    assert_eq!((bench.count("refund.failed"), bench.count("charge.refunded")), (1, 2));
    let cancel = bench.post(&format!("/v1/refunds/{}/cancel", id(&part.body)), "").await;
    assert_eq!(cancel.status, 400);
    let wrong = bench.post("/v1/refunds", &format!("charge={}&reason=bored", made.charge)).await;
    assert_eq!(wrong.error("param"), Some("reason"));
    let zero = bench.post("/v1/refunds", &format!("charge={}&amount=0", made.charge)).await;
    assert_eq!(zero.error("code"), Some("parameter_invalid_integer"));
}

#[tokio::test]
async fn a_credit_note_first_reduces_what_remains() {
    let bench = Bench::new().await;
    let made = bench.with_invoice();
    let open = id(&bench.stripe.open_invoice(&made.customer, 700, "usd").unwrap());
    let note = bench.post("/v1/credit_notes", &format!("invoice={open}&amount=200&email_type=none")).await;
    assert_eq!((note.status, note.body["type"].as_str()), (200, Some("pre_payment")));
    assert_eq!(faults_of(&note.body), Vec::<String>::new());
    assert_eq!(bench.stripe.object(&open).unwrap()["amount_remaining"], 500);
    bench.post(&format!("/v1/invoices/{open}/pay"), "").await;
    let charge = bench.stripe.object(&bench.stripe.charge_of(&open).unwrap()).unwrap();
    assert_eq!(charge["amount"], 500, "only what remained was charged");

    let unbalanced =
        bench.post("/v1/credit_notes", &format!("invoice={open}&amount=300&credit_amount=100")).await;
    assert_eq!(unbalanced.status, 400);
    let mixed = format!("invoice={open}&amount=300&credit_amount=100&refund_amount=200");
    let mixed = bench.post("/v1/credit_notes", &mixed).await;
    assert_eq!(
        (mixed.status, mixed.body["post_payment_amount"].as_i64()),
        (200, Some(300)),
        "{}",
        mixed.body
    );
    assert_eq!(bench.stripe.object(&made.customer).unwrap()["balance"], -100);
    assert_eq!(bench.stripe.objects("refund").len(), 1);
    let excess =
        bench.post("/v1/credit_notes", &format!("invoice={open}&amount=201&credit_amount=201")).await;
    assert_eq!(excess.error("param"), Some("amount"));

    let last =
        bench.post("/v1/credit_notes", &format!("invoice={open}&amount=200&out_of_band_amount=200")).await;
    assert_eq!(last.status, 200);
    let void = bench.post(&format!("/v1/credit_notes/{}/void", id(&last.body)), "").await;
    assert_eq!(void.status, 400, "the invoice is paid");
}

#[tokio::test]
async fn credit_is_used_by_the_next_invoice() {
    let bench = Bench::new().await;
    let made = bench.with_invoice();
    let path = format!("/v1/customers/{}/balance_transactions", made.customer);
    let credit = bench.post(&path, "amount=-900&currency=usd&description=goodwill").await;
    assert_eq!(credit.body["ending_balance"], -900);
    assert_eq!(bench.post(&path, "amount=-900&currency=eur").await.error("param"), Some("currency"));
    let invoice = bench.stripe.renew(&made.subscription).unwrap().unwrap();
    assert_eq!((invoice["total"].as_i64(), invoice["amount_paid"].as_i64()), (Some(4900), Some(4000)));
    assert_eq!(bench.stripe.object(&made.customer).unwrap()["balance"], 0);
    assert_eq!(bench.get(&path).await.body["data"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_paused_subscription_does_not_renew_and_paused_collection_bills_without_charging() {
    let bench = Bench::new().await;
    let made = bench.with_invoice();
    let path = format!("/v1/subscriptions/{}", made.subscription);
    let paused = bench.post(&format!("{path}/pause"), "type=subscription").await;
    assert_eq!((paused.status, paused.body["status"].as_str()), (200, Some("paused")));
    assert_eq!(faults_of(&paused.body), Vec::<String>::new());
    assert!(bench.stripe.renew(&made.subscription).is_err());
    assert_eq!(
        bench.post(&format!("{path}/resume"), "billing_cycle_anchor=now").await.status,
        400,
        "an object since endive"
    );
    let resumed = bench.post(&format!("{path}/resume"), "billing_cycle_anchor[type]=unchanged").await;
    assert_eq!(resumed.body["status"], "active");
    for (behavior, status) in
        [("keep_as_draft", "draft"), ("void", "void"), ("mark_uncollectible", "uncollectible")]
    {
        bench.post(&path, &format!("pause_collection[behavior]={behavior}")).await;
        assert_eq!(bench.stripe.renew(&made.subscription).unwrap().unwrap()["status"], status);
    }
    let unset = bench.post(&path, "pause_collection=").await;
    assert_eq!(unset.body["pause_collection"], Value::Null);
}

#[tokio::test]
async fn cancelling_stops_the_collection_of_open_invoices() {
    let bench = Bench::new().await;
    let made = bench.with_invoice();
    bench.stripe.card_becomes(&made.method, "pm_card_chargeDeclined").unwrap();
    let invoice = id(&bench.stripe.renew(&made.subscription).unwrap().unwrap());
    bench.stripe.delete_subscription(&made.subscription).unwrap();
    let open = bench.stripe.object(&invoice).unwrap();
    assert_eq!(
        (open["auto_advance"].clone(), open["next_payment_attempt"].clone()),
        (json!(false), Value::Null)
    );
    assert_eq!(
        bench
            .request("DELETE", &format!("/v1/subscriptions/{}", made.subscription))
            .send()
            .await
            .unwrap()
            .status(),
        404
    );
    let active = bench.get(&format!("/v1/subscriptions?customer={}", made.customer)).await.body;
    assert_eq!(active["data"], json!([]), "canceled ones are listed only on request");
}
