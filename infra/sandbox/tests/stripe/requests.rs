//! Keys, parameters, expansion, lists and idempotency.

use std::time::Duration;

use sandbox::stripe::{Fault, Reason, Stripe};
use serde_json::{Value, json};

use crate::{
    schema::{faults_of, fixture},
    support::{Answer, Bench, answer, id, options},
};

/// Status, type, code and param must be as in the recorded error.
fn assert_like(sample: &str, answer: &Answer) {
    let samples = fixture("error_samples.json");
    let sample = samples["errors"].as_array().unwrap().iter().find(|one| one["name"] == sample).unwrap();
    assert_eq!(sample["status"], answer.status, "{}", answer.body);
    for field in ["type", "code", "decline_code", "advice_code", "param"] {
        let wanted = &sample["body"]["error"][field];
        assert_eq!(wanted, &answer.body["error"][field], "{field} of {}", answer.body);
    }
    assert!(answer.header("request-id").unwrap().starts_with("req_"));
}

#[tokio::test]
async fn errors_are_as_recorded() {
    let bench = Bench::new().await;
    let made = bench.with_invoice();
    assert_like("resource_missing", &bench.get("/v1/invoices/in_x").await);
    assert_like("unknown_parameter", &bench.post("/v1/refunds", "foo=1").await);
    let stranger = bench.with_key("sk_test_wrong_abcd", "GET", "/v1/events").send().await.unwrap();
    assert_like("bad_api_key", &answer(stranger).await);

    let too_much = bench.post("/v1/refunds", &format!("charge={}&amount=4901", made.charge)).await;
    assert_like("refund_more_than_paid", &too_much);
    bench.stripe.refund(&made.charge, None, "duplicate").unwrap();
    let again = bench.post("/v1/refunds", &format!("charge={}", made.charge)).await;
    assert_like("charge_already_refunded", &again);

    let disputed = bench.with_invoice();
    bench.stripe.open_dispute(&disputed.charge, "fraudulent", 4900, 1_791_000_000).unwrap();
    let refused = bench.post("/v1/refunds", &format!("charge={}", disputed.charge)).await;
    assert_like("refund_disputed", &refused);

    let poor = bench.with_invoice();
    bench.stripe.card_becomes(&poor.method, "pm_card_visa_chargeDeclinedInsufficientFunds").unwrap();
    let invoice = id(&bench.stripe.renew(&poor.subscription).unwrap().unwrap());
    assert_like("card_declined", &bench.post(&format!("/v1/invoices/{invoice}/pay"), "").await);
}

#[tokio::test]
async fn what_goes_wrong_on_demand_is_as_recorded() {
    let bench = Bench::new().await;
    let made = bench.with_invoice();
    let form = format!("charge={}&amount=500", made.charge);
    let on = "POST /v1/refunds";
    bench.stripe.fault(Fault::RateLimited(Reason::GlobalRate), on, 1);
    let limited = bench.post("/v1/refunds", &form).await;
    assert_like("rate_limited", &limited);
    assert_eq!(limited.header("stripe-rate-limited-reason"), Some("global-rate"));
    bench.stripe.fault(Fault::LockTimeout, on, 1);
    let locked = bench.post("/v1/refunds", &form).await;
    assert_like("lock_timeout", &locked);
    bench.stripe.fault(Fault::ServerError { commits: false }, on, 1);
    let failed = bench.post_as("k0", "/v1/refunds", &form).await;
    assert_like("api_error_500", &failed);
    bench.stripe.fault(Fault::CommitLate, on, 1);
    assert!(bench.form("/v1/refunds", &form).header("idempotency-key", "k1").send().await.is_err());
    let in_use = bench.post_as("k1", "/v1/refunds", &form).await;
    assert_like("idempotency_key_in_use", &in_use);
    let word = |answer: &Answer| answer.header("stripe-should-retry").map(str::to_owned);
    assert_eq!([&locked, &failed, &in_use].map(word), ["true", "false", "true"].map(|it| Some(it.into())));

    bench.stripe.card_becomes(&made.method, "pm_card_authenticationRequired").unwrap();
    let invoice = id(&bench.stripe.renew(&made.subscription).unwrap().unwrap());
    let declined = bench.post(&format!("/v1/invoices/{invoice}/pay"), "").await;
    assert_like("authentication_required_off_session", &declined);
}

#[tokio::test]
async fn a_restricted_key_learns_its_missing_scope_before_the_object_is_looked_up() {
    let bench = Bench::new().await;
    let refund = bench.with_key("rk_test_reads", "POST", "/v1/refunds").body("charge=ch_none");
    let refused = answer(refund.send().await.unwrap()).await;
    assert_like("permission_denied_restricted_key", &refused);
    assert!(refused.error("message").unwrap().contains("'rak_charge_write'"));
    let read = bench.with_key("rk_test_reads", "GET", "/v1/invoices/in_none").send().await.unwrap();
    assert_eq!(read.status(), 404);
    let events = bench.with_key("rk_test_writes", "GET", "/v1/events").send().await.unwrap();
    assert_eq!(events.status(), 403);
}

#[tokio::test]
async fn unknown_paths_versions_and_accounts_are_refused() {
    let bench = Bench::new().await;
    assert_eq!(bench.get("/v1/nothing").await.status, 404);
    let version = bench.request("GET", "/v1/events").header("stripe-version", "latest").send().await.unwrap();
    assert_eq!(version.status(), 400);
    let other = bench.request("GET", "/v1/events").header("stripe-account", "acct_9").send().await.unwrap();
    assert_eq!(answer(other).await.error("code"), Some("account_invalid"));
    let own = bench
        .request("GET", "/v1/events")
        .header("stripe-account", "acct_123")
        .header("stripe-version", "2026-10-28.endive")
        .send()
        .await
        .unwrap();
    assert_eq!(answer(own).await.header("stripe-version"), Some("2026-10-28.endive"));
}

#[tokio::test]
async fn what_is_asked_for_is_expanded_and_nothing_else() {
    let bench = Bench::new().await;
    let made = bench.with_invoice();
    let plain = bench.get(&format!("/v1/invoices/{}", made.invoice)).await.body;
    assert_eq!(plain["customer"], made.customer);
    assert!(plain.get("payments").is_none());
    let path = format!(
        "/v1/invoices/{}?expand[]=payments.data.payment.payment_intent&expand[]=customer",
        made.invoice
    );
    let full = bench.get(&path).await.body;
    assert_eq!(full["customer"]["email"], "canary-17@example.test");
    assert_eq!(full["payments"]["data"][0]["payment"]["payment_intent"]["id"], made.intent);
    assert_eq!(faults_of(&full), Vec::<String>::new());

    bench.stripe.refund(&made.charge, Some(100), "duplicate").unwrap();
    let charge = bench.get(&format!("/v1/charges/{}?expand[0]=refunds", made.charge)).await.body;
    assert_eq!(charge["refunds"]["data"][0]["amount"], 100);
    let list = bench.get("/v1/invoices?expand[]=data.subscription&expand[]=data.customer").await;
    assert_eq!((list.status, list.error("param")), (400, Some("expand")), "no such field since basil");
    let deep =
        format!("/v1/invoices/{}?expand[]=payments.data.payment.payment_intent.latest_charge", made.invoice);
    assert!(bench.get(&deep).await.error("message").unwrap().contains("more than 4 levels"));
}

#[tokio::test]
async fn lists_filter_and_page() {
    let bench = Bench::new().await;
    let made: Vec<_> = (0..3).map(|_| bench.with_invoice()).collect();
    let first = bench.get("/v1/invoices?limit=2").await.body;
    assert_eq!((first["has_more"].clone(), first["url"].clone()), (json!(true), json!("/v1/invoices")));
    assert_eq!(first["data"][0]["id"], made[2].invoice, "newest first");
    let last = first["data"][1]["id"].as_str().unwrap();
    let second = bench.get(&format!("/v1/invoices?limit=2&starting_after={last}")).await.body;
    assert_eq!(
        (second["data"][0]["id"].clone(), second["has_more"].clone()),
        (json!(made[0].invoice), json!(false))
    );
    let own = bench.get(&format!("/v1/invoices?customer={}", made[1].customer)).await.body;
    assert_eq!(own["data"].as_array().unwrap().len(), 1);
    let by_intent = format!(
        "/v1/invoice_payments?payment[type]=payment_intent&payment[payment_intent]={}",
        made[1].intent
    );
    assert_eq!(bench.get(&by_intent).await.body["data"][0]["invoice"], made[1].invoice);
    assert_eq!(bench.get("/v1/invoices?limit=101").await.error("param"), Some("limit"));
    assert_eq!(bench.get("/v1/invoices?starting_after=in_x").await.status, 404);
}

#[tokio::test]
async fn events_are_listed_by_type_delivery_and_time_for_thirty_days() {
    let bench = Bench::new().await;
    bench.with_invoice();
    let ids = |body: &Value| body["data"].as_array().unwrap().len();
    let both = bench.get("/v1/events?types[]=invoice.paid&types[]=charge.succeeded").await.body;
    assert_eq!(ids(&both), 2);
    assert_eq!(faults_of(&both), Vec::<String>::new());
    let undelivered = bench.get("/v1/events?delivery_success=false").await.body;
    assert_eq!(ids(&undelivered), 0, "nobody was to be told");
    assert_eq!(bench.get("/v1/events?type=invoice.paid&types[]=invoice.paid").await.status, 400);
    let many = (0..21).map(|n| format!("types[]=t{n}")).collect::<Vec<_>>().join("&");
    assert_eq!(bench.get(&format!("/v1/events?{many}")).await.error("param"), Some("types"));
    let event = id(&both["data"][0]);
    bench.clock.advance(Duration::from_hours(30 * 24));
    assert_eq!(bench.get(&format!("/v1/events/{event}")).await.status, 404);
    assert_eq!(ids(&bench.get("/v1/events").await.body), 0);
}

#[tokio::test]
async fn a_key_replays_its_first_answer_for_a_day() {
    let bench = Bench::new().await;
    let made = bench.with_invoice();
    let form = format!("charge={}&amount=500&metadata[approval]=apr_01", made.charge);
    let first = bench.post_as("k1", "/v1/refunds", &form).await;
    let again = bench.post_as("k1", "/v1/refunds", &form).await;
    assert_eq!((first.status, &first.body), (200, &again.body));
    assert_eq!(first.header("idempotent-replayed"), None);
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!(again.header("original-request"), first.header("request-id"));
    assert_ne!(again.header("request-id"), first.header("request-id"));
    assert_eq!(bench.stripe.objects("refund").len(), 1);
    let writes = bench.stripe.writes();
    assert_eq!(writes.iter().map(|write| write.replayed).collect::<Vec<_>>(), [false, true]);

    bench.clock.advance(Duration::from_hours(24));
    let fresh = bench.post_as("k1", "/v1/refunds", &form).await;
    assert_eq!(fresh.header("idempotent-replayed"), None);
    assert_eq!(bench.stripe.objects("refund").len(), 2);
}

#[tokio::test]
async fn a_key_is_bound_to_its_parameters_and_endpoint() {
    let bench = Bench::new().await;
    let made = bench.with_invoice();
    bench.post_as("k1", "/v1/refunds", &format!("charge={}&amount=500", made.charge)).await;
    let other = bench.post_as("k1", "/v1/refunds", &format!("charge={}&amount=501", made.charge)).await;
    assert_like("idempotency_params_mismatch", &other);
    let elsewhere = bench.post_as("k1", &format!("/v1/charges/{}", made.charge), "").await;
    assert_like("idempotency_params_mismatch", &elsewhere);
    assert_eq!(bench.stripe.objects("refund").len(), 1);
}

#[tokio::test]
async fn a_request_that_never_began_leaves_its_key_free() {
    let bench = Bench::new().await;
    let made = bench.with_invoice();
    assert_eq!(bench.post_as("k1", "/v1/refunds", "charge=ch_x").await.status, 404);
    assert_eq!(bench.post_as("k1", "/v1/refunds", "foo=1").await.status, 400);
    let good = bench.post_as("k1", "/v1/refunds", &format!("charge={}", made.charge)).await;
    assert_eq!((good.status, good.header("idempotent-replayed")), (200, None));
    let refused = bench.post_as("k2", "/v1/refunds", &format!("charge={}", made.charge)).await;
    let again = bench.post_as("k2", "/v1/refunds", &format!("charge={}", made.charge)).await;
    assert_eq!(refused.error("code"), Some("charge_already_refunded"));
    assert_eq!(again.header("idempotent-replayed"), Some("true"), "a refusal by state is kept");
    assert_eq!(bench.post_as(&"k".repeat(256), "/v1/refunds", "").await.status, 400);
}

#[tokio::test]
async fn everything_is_there_after_a_restart() {
    let bench = Bench::new().await;
    let made = bench.with_invoice();
    bench.stripe.add_endpoint("http://127.0.0.1:9/", "whsec_1", &["*"]).unwrap();
    let form = format!("charge={}&amount=500", made.charge);
    bench.post_as("k1", "/v1/refunds", &form).await;
    let again = Stripe::open(options(), bench.shelf.clone(), bench.clock.clone()).unwrap();
    assert_eq!(again.events(), bench.stripe.events());
    assert_eq!(again.objects("charge"), bench.stripe.objects("charge"));
    assert!(again.undelivered() > 0);
    assert_eq!(again.undelivered(), bench.stripe.undelivered());
    let server = sandbox::Loopback::serve(0, again.router()).await.unwrap();
    let replay = bench
        .client
        .post(format!("{}/v1/refunds", server.url()))
        .header("authorization", "Bearer sk_test_all")
        .header("idempotency-key", "k1")
        .body(form)
        .send()
        .await
        .unwrap();
    assert_eq!(answer(replay).await.header("idempotent-replayed"), Some("true"));
    let fresh = again.create_customer("Customer 18", "canary-18@example.test").unwrap();
    assert!(bench.stripe.object(&id(&fresh)).is_none(), "ids go on where they stopped");
}

#[tokio::test]
async fn search_finds_by_metadata_after_a_minute() {
    let bench = Bench::new().await;
    let made = bench.with_invoice();
    bench.post(&format!("/v1/charges/{}", made.charge), "metadata[order]=6735").await;
    let path = "/v1/charges/search?query=metadata%5B%27order%27%5D%3A%276735%27+AND+status%3A%27succeeded%27";
    assert_eq!(bench.get(path).await.body["data"], json!([]));
    bench.clock.advance(Duration::from_mins(1));
    assert_eq!(bench.get(path).await.body["data"][0]["id"], made.charge);
}
