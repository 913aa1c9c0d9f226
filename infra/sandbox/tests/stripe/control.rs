//! The control of the stand-in from outside its process, below `/_sandbox`.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    deliveries::Receiver,
    support::{Answer, Bench, NOW, answer, id},
};

async fn ask(bench: &Bench, method: &str, path: &str, body: &Value) -> Answer {
    let sent = bench.request(method, &format!("/_sandbox{path}"));
    let sent = if body.is_null() { sent } else { sent.json(body) };
    let answer = answer(sent.send().await.unwrap()).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer
}

async fn fault(bench: &Bench, fault: Value) {
    ask(bench, "POST", "/faults", &json!({ "fault": fault, "on": "POST /v1/refunds", "times": 1 })).await;
}

#[tokio::test]
async fn only_a_secret_key_controls_and_the_paths_are_no_part_of_the_api() {
    let bench = Bench::new().await;
    let restricted = bench.with_key("rk_test_writes", "GET", "/_sandbox").send().await.unwrap();
    assert_eq!(restricted.status(), 403);
    let stranger = bench.with_key("sk_test_wrong", "GET", "/_sandbox").send().await.unwrap();
    assert_eq!(stranger.status(), 401);
    assert_eq!(bench.get("/v1/_sandbox").await.status, 404);
    let shown = ask(&bench, "GET", "", &Value::Null).await.body;
    assert_eq!(
        shown,
        json!({ "faults": [], "disturbances": [], "order": null, "limits": null, "now": NOW, "undelivered": 0 })
    );
}

#[tokio::test]
async fn every_fault_can_be_planned_from_outside() {
    let bench = Bench::new().await;
    let made = bench.with_invoice();
    let form = format!("charge={}&amount=100", made.charge);
    let refunds = || bench.stripe.objects("refund").len();
    let send = async |key: &'static str| {
        bench.form("/v1/refunds", &form).header("idempotency-key", key).send().await
    };
    for (name, effect) in [("drop_before_commit", 0), ("drop_after_commit", 1)] {
        fault(&bench, json!(name)).await;
        let before = refunds();
        assert!(send(name).await.is_err(), "{name}");
        assert_eq!(refunds() - before, effect, "{name}");
    }
    for (name, effect) in [("hang_before_commit", 0), ("hang_after_commit", 1)] {
        fault(&bench, json!(name)).await;
        let before = refunds();
        let sent = bench.form("/v1/refunds", &form).timeout(Duration::from_millis(60)).send().await;
        assert!(sent.unwrap_err().is_timeout(), "{name}");
        assert_eq!(refunds() - before, effect, "{name}");
    }
    fault(&bench, json!("commit_late")).await;
    let before = refunds();
    assert!(send("late").await.is_err());
    assert_eq!(answer(send("late").await.unwrap()).await.status, 409);
    assert_eq!(ask(&bench, "POST", "/late", &Value::Null).await.body["finished"], 1);
    assert_eq!(refunds() - before, 1);
    for (commits, key) in [(true, "500a"), (false, "500b")] {
        fault(&bench, json!({ "server_error": { "commits": commits } })).await;
        let before = refunds();
        assert_eq!(answer(send(key).await.unwrap()).await.status, 500);
        let again = answer(send(key).await.unwrap()).await;
        assert_eq!((again.status, again.header("idempotent-replayed")), (500, Some("true")));
        assert_eq!(refunds() - before, usize::from(commits));
    }
    let reasons =
        ["global-rate", "endpoint-rate", "global-concurrency", "endpoint-concurrency", "resource-specific"];
    for reason in reasons {
        fault(&bench, json!({ "rate_limited": reason })).await;
        let limited = answer(send("429").await.unwrap()).await;
        assert_eq!((limited.status, limited.header("stripe-rate-limited-reason")), (429, Some(reason)));
    }
    fault(&bench, json!("lock_timeout")).await;
    assert_eq!(answer(send("lock").await.unwrap()).await.error("code"), Some("lock_timeout"));
    fault(&bench, json!({ "slow": 1 })).await;
    assert_eq!(answer(send("slow").await.unwrap()).await.status, 200);
}

#[tokio::test]
async fn a_fault_stands_until_it_is_cleared_and_nonsense_is_refused() {
    let bench = Bench::new().await;
    let plan = json!({ "fault": "lock_timeout", "on": "/v1/events" });
    let shown = ask(&bench, "POST", "/faults", &plan).await.body;
    assert_eq!(
        shown["faults"],
        json!([{ "fault": "lock_timeout", "method": "", "path": "/v1/events", "left": null }])
    );
    for _ in 0..5 {
        assert_eq!(bench.get("/v1/events").await.status, 429);
    }
    ask(&bench, "DELETE", "/faults", &Value::Null).await;
    assert_eq!(bench.get("/v1/events").await.status, 200);
    for wrong in [json!("explode"), json!({ "rate_limited": "mood" })] {
        let body = json!({ "fault": wrong, "on": "/v1/" });
        let refused = bench.request("POST", "/_sandbox/faults").json(&body).send().await.unwrap();
        assert_eq!(refused.status(), 422, "{body}");
    }
}

#[tokio::test]
async fn deliveries_are_lost_doubled_delayed_shuffled_and_resent_from_outside() {
    let (bench, receiver) = (Bench::new().await, Receiver::new().await);
    let form = format!("url={}&enabled_events[0]=customer.created", receiver.url());
    bench.post("/v1/webhook_endpoints", &form).await;
    for disturbance in [json!("drop"), json!({ "duplicate": 1 }), json!({ "delay": 60 })] {
        let rule = json!({ "disturbance": disturbance, "events": "customer.*", "times": 1 });
        ask(&bench, "POST", "/disturbances", &rule).await;
    }
    let mut made = Vec::new();
    for name in ["lost", "twice", "late"] {
        made.push(id(&bench.post("/v1/customers", &format!("name={name}")).await.body));
    }
    let deliver = async || ask(&bench, "POST", "/deliveries", &Value::Null).await.body["tried"].clone();
    let arrived =
        || -> Vec<String> { receiver.got().iter().map(|(_, event)| id(&event["data"]["object"])).collect() };
    assert_eq!(deliver().await, 2);
    assert_eq!(arrived(), [made[1].as_str(), &made[1]]);
    ask(&bench, "POST", "/clock", &json!({ "advance": 60 })).await;
    assert_eq!((deliver().await, arrived().pop()), (json!(1), Some(made[2].clone())));
    let lost = id(&bench.get("/v1/events?delivery_success=false").await.body["data"][0]);
    ask(&bench, "POST", "/resend", &json!({ "event": lost })).await;
    assert_eq!((deliver().await, arrived().pop()), (json!(1), Some(made[0].clone())));

    ask(&bench, "POST", "/order", &json!({ "seed": 1 })).await;
    let mut sent = Vec::new();
    for number in 0..8 {
        sent.push(id(&bench.post("/v1/customers", &format!("name={number}")).await.body));
    }
    deliver().await;
    let mut shuffled = arrived().split_off(4);
    assert_ne!(shuffled, sent);
    shuffled.sort();
    sent.sort();
    assert_eq!(shuffled, sent);
}

#[tokio::test]
async fn a_standing_limit_refuses_what_comes_too_fast_and_keeps_nothing_of_it() {
    let bench = Bench::new().await;
    let limits = json!({ "account_per_second": 25, "endpoint_per_second": 20 });
    assert_eq!(ask(&bench, "POST", "/limits", &limits).await.body["limits"], limits);
    // The clock stands still, so that all of this is within one second.
    for _ in 0..20 {
        assert_eq!(bench.get("/v1/events").await.status, 200);
    }
    let limited = bench.get("/v1/events").await;
    assert_eq!((limited.status, limited.header("stripe-rate-limited-reason")), (429, Some("endpoint-rate")));
    for number in 0..5 {
        assert_eq!(bench.get(&format!("/v1/invoices/in_{number}")).await.status, 404);
    }
    let all = bench.post_as("k", "/v1/customers", "name=C").await;
    assert_eq!((all.status, all.header("stripe-rate-limited-reason")), (429, Some("global-rate")));
    bench.clock.advance(Duration::from_secs(1));
    let later = bench.post_as("k", "/v1/customers", "name=C").await;
    assert_eq!((later.status, later.header("idempotent-replayed")), (200, None));
    ask(&bench, "DELETE", "/limits", &Value::Null).await;
    for _ in 0..30 {
        assert_eq!(bench.get("/v1/events").await.status, 200);
    }
}

#[tokio::test]
async fn time_moves_from_outside_and_bills_what_is_due() {
    let bench = Bench::new().await;
    let made = bench.with_invoice();
    let shown = ask(&bench, "POST", "/clock", &json!({ "advance": 30 * 86_400 + 3600 })).await.body;
    assert_eq!(shown["now"], NOW + 30 * 86_400 + 3600);
    let invoices = bench.get(&format!("/v1/invoices?customer={}", made.customer)).await.body;
    let newest = &invoices["data"][0];
    assert_eq!(
        (&newest["billing_reason"], &newest["status"]),
        (&json!("subscription_cycle"), &json!("paid"))
    );
    assert_eq!(newest["created"], NOW + 30 * 86_400);
}
