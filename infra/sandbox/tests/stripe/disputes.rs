//! Disputes and early fraud warnings.

use std::time::Duration;

use serde_json::json;

use crate::{
    schema::faults_of,
    support::{Bench, NOW, id},
};

const DUE: i64 = NOW + 7 * 86_400;

#[tokio::test]
async fn staged_evidence_can_change_until_it_is_submitted_once() {
    let bench = Bench::new().await;
    let made = bench.with_invoice();
    let dispute = id(&bench.stripe.open_dispute(&made.charge, "fraudulent", 4900, DUE).unwrap());
    let path = format!("/v1/disputes/{dispute}");
    let staged = bench.post(&path, "submit=false&evidence[customer_name]=Customer+17").await.body;
    assert_eq!(
        (staged["status"].as_str(), staged["evidence_details"]["has_evidence"].as_bool()),
        (Some("needs_response"), Some(true))
    );
    let cleared = bench.post(&path, "submit=false&evidence[customer_name]=").await.body;
    assert_eq!(cleared["evidence"]["customer_name"], json!(null));
    let sent = bench.post(&path, "evidence[uncategorized_text]=Used+daily").await.body;
    assert_eq!(sent["status"], "under_review", "submit is true unless it is said to be false");
    assert_eq!(sent["evidence_details"]["submission_count"], 1);
    assert_eq!(faults_of(&sent), Vec::<String>::new());
    let late = bench.post(&path, "submit=false&evidence[uncategorized_text]=More").await;
    assert_eq!((late.status, late.error("param")), (400, Some("evidence")));
    assert_eq!(bench.post(&path, "metadata[approval]=apr_01").await.status, 200);
    assert_eq!(bench.post(&format!("{path}/close"), "").await.status, 400);
    bench.stripe.decide_dispute(&dispute, "won").unwrap();
    assert_eq!(
        (bench.count("charge.dispute.closed"), bench.count("charge.dispute.funds_reinstated")),
        (1, 1)
    );
}

#[tokio::test]
async fn metadata_alone_submits_what_is_staged_unless_told_not_to() {
    let bench = Bench::new().await;
    let made = bench.with_invoice();
    let dispute = id(&bench.stripe.open_dispute(&made.charge, "fraudulent", 4900, DUE).unwrap());
    let path = format!("/v1/disputes/{dispute}");
    bench.post(&path, "submit=false&evidence[customer_name]=Customer+17").await;
    assert_eq!(bench.post(&path, "submit=false&metadata[a]=b").await.body["status"], "needs_response");
    assert_eq!(bench.post(&path, "metadata[a]=c").await.body["status"], "under_review");
}

#[tokio::test]
async fn evidence_has_limits_and_a_deadline() {
    let bench = Bench::new().await;
    let made = bench.with_invoice();
    let dispute = id(&bench.stripe.open_dispute(&made.charge, "general", 4900, DUE).unwrap());
    let path = format!("/v1/disputes/{dispute}");
    let long = format!("submit=false&evidence[product_description]={}", "x".repeat(20_001));
    assert_eq!(bench.post(&path, &long).await.error("param"), Some("evidence[product_description]"));
    let unknown = bench.post(&path, "submit=false&evidence[alibi]=x").await;
    assert_eq!(unknown.error("code"), Some("parameter_unknown"));
    bench.clock.advance(Duration::from_secs(7 * 86_400 + 1));
    assert_eq!(bench.post(&path, "evidence[customer_name]=Customer+17").await.status, 400);
}

#[tokio::test]
async fn a_test_card_can_open_the_dispute() {
    let bench = Bench::new().await;
    for (card, reason, status) in [
        ("pm_card_createDispute", "fraudulent", "needs_response"),
        ("pm_card_createDisputeProductNotReceived", "product_not_received", "needs_response"),
        ("pm_card_createDisputeInquiry", "fraudulent", "warning_needs_response"),
    ] {
        let customer = id(&bench.stripe.create_customer("Customer 17", "canary-17@example.test").unwrap());
        bench.stripe.attach_card(&customer, card).unwrap();
        let paid = bench.stripe.subscribe(&customer, 4900, "usd").unwrap();
        let invoice = bench.stripe.object(paid["latest_invoice"].as_str().unwrap()).unwrap();
        assert_eq!(invoice["status"], "paid", "{card}");
        let charge = bench.stripe.charge_of(&id(&invoice)).unwrap();
        let list = bench.get(&format!("/v1/disputes?charge={charge}")).await.body;
        let dispute = &list["data"][0];
        assert_eq!((&dispute["reason"], &dispute["status"]), (&json!(reason), &json!(status)), "{card}");
        assert_eq!(faults_of(&list), Vec::<String>::new());
    }
}

#[tokio::test]
async fn accepting_is_final() {
    let bench = Bench::new().await;
    let made = bench.with_invoice();
    let dispute = id(&bench.stripe.open_dispute(&made.charge, "duplicate", 4900, DUE).unwrap());
    let closed = bench.post(&format!("/v1/disputes/{dispute}/close"), "").await;
    assert_eq!((closed.status, closed.body["status"].as_str()), (200, Some("lost")));
    assert_eq!(bench.post(&format!("/v1/disputes/{dispute}/close"), "").await.status, 400);
    let list = bench.get(&format!("/v1/disputes?charge={}", made.charge)).await.body;
    assert_eq!(list["data"][0]["id"], dispute);
}

#[tokio::test]
async fn an_inquiry_allows_a_refund_and_may_escalate_to_a_second_response() {
    let bench = Bench::new().await;
    let made = bench.with_invoice();
    let inquiry = id(&bench.stripe.open_inquiry(&made.charge, "unrecognized", 4900, DUE).unwrap());
    assert_eq!(bench.post("/v1/refunds", &format!("charge={}&amount=100", made.charge)).await.status, 200);
    let path = format!("/v1/disputes/{inquiry}");
    let answered = bench.post(&path, "evidence[receipt]=file_1").await.body;
    assert_eq!(answered["status"], "warning_under_review");
    bench.stripe.escalate_inquiry(&inquiry, DUE + 86_400).unwrap();
    assert_eq!(
        bench.post("/v1/refunds", &format!("charge={}", made.charge)).await.error("code"),
        Some("charge_disputed")
    );
    let again = bench.post(&path, "evidence[receipt]=file_2").await.body;
    assert_eq!(again["status"], "under_review");
    assert_eq!(bench.count("charge.dispute.funds_withdrawn"), 1);
}

#[tokio::test]
async fn a_warning_is_actionable_until_the_charge_is_refunded_or_disputed() {
    let bench = Bench::new().await;
    let made = bench.with_invoice();
    let warning = id(&bench.stripe.early_fraud_warning(&made.charge, "misc").unwrap());
    let path = format!("/v1/radar/early_fraud_warnings/{warning}");
    assert_eq!(bench.get(&path).await.body["actionable"], true);
    bench.post("/v1/refunds", &format!("charge={}&amount=100", made.charge)).await;
    assert_eq!(bench.get(&path).await.body["actionable"], true, "a part is not enough");
    bench.post("/v1/refunds", &format!("charge={}", made.charge)).await;
    assert_eq!(bench.get(&path).await.body["actionable"], false);
    assert_eq!(bench.count("radar.early_fraud_warning.updated"), 1);
}
