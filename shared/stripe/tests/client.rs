//! The read client against a scripted server.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::needless_pass_by_value,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test may fail anywhere"
)]

mod support;

use std::time::Duration;

use domain::{
    AccountId, ChargeId, CustomerId, EventId, InvoiceId, PaymentIntentId, ProposalId, Timestamp,
    snapshot::{InvoiceStatus, Read},
};
use serde_json::{Value, json};
use stripe::{
    Base, Client, Error, Scope, Settings, Verdict,
    client::{Cursor, EventQuery, Pace, Retry},
};
use support::{Scripted, Server, http, ok, sample};

fn settings(base: &str) -> Settings {
    Settings {
        base: Base::new(base).unwrap(),
        key: stripe::ApiKey::new(&"rk_test_wire123".into()).unwrap(),
        timeout: Duration::from_secs(5),
        retry: Retry { retries: 2, first: Duration::from_millis(1), longest: Duration::from_millis(2) },
        pace: Pace { per_second: 1000, burst: 1000 },
        random: || 0,
    }
}

async fn scripted(answers: impl IntoIterator<Item = Scripted>) -> (Server, Client) {
    let server = Server::start(answers).await;
    let client = Client::new(http(), settings(&server.base));
    (server, client)
}

fn charge(id: &str) -> Value {
    json!({ "id": id, "status": "succeeded", "currency": "usd", "amount": 2900, "amount_refunded": 0,
        "captured": true, "disputed": false, "livemode": false, "created": 1 })
}

fn refund(id: &str, approval: &str) -> Value {
    json!({ "id": id, "status": "succeeded", "currency": "usd", "amount": 500, "charge": "ch_1", "created": 1,
        "metadata": { "approval_id": approval } })
}

fn list(data: &[Value], has_more: bool) -> Scripted {
    ok(json!({ "object": "list", "data": data, "has_more": has_more, "url": "/v1/x" }))
}

fn charge_id() -> ChargeId {
    ChargeId::parse("ch_1").unwrap()
}

#[tokio::test]
async fn a_read_names_the_version_and_keeps_the_request_id() {
    let (server, client) = scripted([ok(charge("ch_1"))]).await;
    let answer = client.charge(&charge_id()).await.unwrap();
    assert_eq!(answer.request_id.as_deref(), Some("req_1"));
    assert!(matches!(answer.value, Read::Found(charge) if charge.id == charge_id()));
    let [request] = &server.requests()[..] else { panic!("one request") };
    assert_eq!((request.method.as_str(), request.path.as_str()), ("GET", "/v1/charges/ch_1"));
    assert_eq!(request.query.as_deref(), Some("expand%5B0%5D=refunds"));
    assert_eq!(request.header("authorization"), Some("Bearer rk_test_wire123"));
    assert_eq!(request.header("stripe-version"), Some("2026-10-28.endive"));
    assert_eq!(request.header("stripe-account"), None);
}

#[tokio::test]
async fn one_request_tells_all_about_an_invoice() {
    let invoice = json!({ "id": "in_1", "status": "open", "currency": "usd", "amount_due": 1,
        "amount_remaining": 1, "created": 1 });
    let (server, client) = scripted([ok(invoice)]).await;
    client.invoice(&InvoiceId::parse("in_1").unwrap()).await.unwrap();
    let query = server.requests()[0].query.clone().unwrap();
    for expand in
        ["payments.data.payment.payment_intent", "=customer", "parent.subscription_details.subscription"]
    {
        assert!(query.contains(expand), "{query}");
    }
    assert_eq!(client.requests(), 1);
}

#[tokio::test]
async fn a_scope_is_one_header_or_the_other() {
    let (server, client) = scripted([ok(charge("ch_1")), ok(charge("ch_1"))]).await;
    let connected = client.scoped(Scope::Account(AccountId::parse("acct_2").unwrap()));
    connected.charge(&charge_id()).await.unwrap();
    client.scoped(Scope::Context("acct_1/acct_2".into())).charge(&charge_id()).await.unwrap();
    let requests = server.requests();
    assert_eq!(requests[0].header("stripe-account"), Some("acct_2"));
    assert_eq!(requests[0].header("stripe-context"), None);
    assert_eq!(requests[1].header("stripe-context"), Some("acct_1/acct_2"));
    assert_eq!(requests[1].header("stripe-account"), None);
    assert_eq!(client.requests(), 2, "the count is shared");
}

#[tokio::test]
async fn what_is_missing_is_gone_and_no_error() {
    let (_server, client) = scripted([sample("resource_missing")]).await;
    let answer = client.charge(&charge_id()).await.unwrap();
    assert_eq!((answer.value, answer.request_id.as_deref()), (Read::Gone, Some("req_TEST")));
}

#[tokio::test]
async fn stripes_trouble_is_waited_out_and_then_told() {
    let busy = || Scripted { status: 503, headers: Vec::new(), body: String::new() };
    let (server, client) = scripted([busy(), sample("lock_timeout"), ok(charge("ch_1"))]).await;
    client.charge(&charge_id()).await.unwrap();
    assert_eq!(server.requests().len(), 3);

    let (server, client) = scripted([busy(), busy(), busy(), busy()]).await;
    let error = client.charge(&charge_id()).await.unwrap_err();
    assert!(matches!(error, Error::Server { status: 503, .. }), "{error}");
    assert_eq!(error.verdict(), Verdict::Retry);
    assert_eq!(server.requests().len(), 3, "two retries");
}

#[tokio::test]
async fn stripes_word_against_a_retry_counts() {
    let (server, client) = scripted([sample("api_error_500")]).await;
    assert!(client.charge(&charge_id()).await.is_err());
    assert_eq!(server.requests().len(), 1, "Stripe-Should-Retry: false");
}

#[tokio::test]
async fn a_rate_limit_is_told_with_its_reason_and_not_tried_again() {
    let (server, client) = scripted([sample("rate_limited")]).await;
    let error = client.charge(&charge_id()).await.unwrap_err();
    let Error::RateLimited { reason, .. } = &error else { panic!("{error}") };
    assert_eq!(reason.as_deref(), Some("global-rate"));
    assert_eq!((error.verdict(), error.request_id()), (Verdict::Retry, Some("req_TEST")));
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn a_missing_permission_is_named_for_the_operator() {
    let (_server, client) =
        scripted([sample("permission_denied_restricted_key"), sample("bad_api_key")]).await;
    let error = client.charge(&charge_id()).await.unwrap_err();
    assert!(error.to_string().contains("rak_charge_write"), "{error}");
    assert_eq!(error.verdict(), Verdict::Look);
    assert_eq!(client.charge(&charge_id()).await.unwrap_err().verdict(), Verdict::Look);
}

#[tokio::test]
async fn a_refusal_is_final_and_repeats_no_prose() {
    let (_server, client) = scripted([sample("unknown_parameter")]).await;
    let error = client.charge(&charge_id()).await.unwrap_err();
    assert_eq!(error.verdict(), Verdict::GiveUp);
    assert!(error.to_string().contains("parameter_unknown"));
    assert!(!format!("{error:?}").contains("Received"), "{error:?}");
}

#[tokio::test]
async fn an_answer_of_another_shape_is_looked_at() {
    let canary = json!({ "id": "ch_1", "status": "succeeded", "amount": "canary" });
    let (_server, client) = scripted([ok(canary), ok("<html>canary</html>")]).await;
    for _ in 0..2 {
        let error = client.charge(&charge_id()).await.unwrap_err();
        assert_eq!(error.verdict(), Verdict::Look);
        assert!(!format!("{error:?}").contains("canary"), "{error:?}");
    }
}

#[tokio::test]
async fn nobody_at_home_is_worth_a_retry_and_names_no_address() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let client = Client::new(http(), settings(&base));
    let error = client.charge(&charge_id()).await.unwrap_err();
    assert_eq!((error.verdict(), client.requests()), (Verdict::Retry, 3));
    let Error::Unreachable { source, .. } = &error else { panic!("{error}") };
    assert!(source.url().is_none());
}

#[tokio::test]
async fn an_answer_that_does_not_come_is_not_waited_for_for_ever() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let once = Retry { retries: 0, ..Retry::default() };
    let client =
        Client::new(http(), Settings { timeout: Duration::from_millis(20), retry: once, ..settings(&base) });
    let error = client.charge(&charge_id()).await.unwrap_err();
    assert!(matches!(&error, Error::Unreachable { source, .. } if source.is_timeout()), "{error}");
}

#[tokio::test]
async fn a_redirect_gets_no_key() {
    let away = Scripted {
        status: 302,
        headers: vec![("Location".into(), "http://127.0.0.1:9/".into())],
        body: String::new(),
    };
    let (_server, client) = scripted([away]).await;
    let error = client.charge(&charge_id()).await.unwrap_err();
    assert!(matches!(error, Error::Refused { .. }), "{error}");
}

#[tokio::test]
async fn a_list_is_read_page_by_page_to_its_end() {
    let pages = [
        list(&[refund("re_3", "ap_3"), refund("re_2", "ap_2")], true),
        list(&[refund("re_1", "ap_1")], false),
    ];
    let (server, client) = scripted(pages).await;
    let listed = client.refunds(&charge_id()).await.unwrap().value;
    assert!(listed.complete);
    assert_eq!(listed.items.iter().map(|one| one.id.as_str()).collect::<Vec<_>>(), ["re_3", "re_2", "re_1"]);
    let queries: Vec<_> = server.requests().into_iter().map(|one| one.query.unwrap()).collect();
    assert_eq!(queries, ["charge=ch_1&limit=100", "charge=ch_1&limit=100&starting_after=re_2"]);
}

#[tokio::test]
async fn a_cut_list_says_that_it_is_cut() {
    let many: Vec<Value> = (0..100).map(|n| charge(&format!("ch_{n}"))).collect();
    let (server, client) = scripted([list(&many, true)]).await;
    let listed = client.charges(&CustomerId::parse("cus_1").unwrap()).await.unwrap().value;
    assert_eq!((listed.items.len(), listed.complete, server.requests().len()), (100, false, 1));
}

#[tokio::test]
async fn an_unknown_outcome_is_looked_up_by_the_proposal() {
    let pages = || [list(&[refund("re_2", "ap_2")], true), list(&[refund("re_1", "ap_1")], false)];
    let (_server, client) = scripted(pages().into_iter().chain(pages())).await;
    let look = async |proposal: &str| {
        client.refund_of(&ProposalId::parse(proposal).unwrap(), &charge_id()).await.unwrap().value
    };
    assert!(matches!(look("ap_1").await, Read::Found(refund) if refund.id.as_str() == "re_1"));
    assert_eq!(look("ap_9").await, Read::Gone);
}

#[tokio::test]
async fn lists_filter_as_stripe_spells_it() {
    let (server, client) = scripted([list(&[], false), list(&[], false)]).await;
    client.invoices(&CustomerId::parse("cus_1").unwrap(), &InvoiceStatus::Open).await.unwrap();
    client.invoice_payments(&PaymentIntentId::parse("pi_1").unwrap()).await.unwrap();
    let queries: Vec<_> = server.requests().into_iter().map(|one| one.query.unwrap()).collect();
    assert_eq!(queries[0], "customer=cus_1&status=open&limit=100");
    assert_eq!(queries[1], "payment%5Btype%5D=payment_intent&payment%5Bpayment_intent%5D=pi_1&limit=100");
}

fn event(id: &str, key: Option<&str>) -> Value {
    json!({ "id": id, "object": "event", "type": "invoice.paid", "created": 5, "livemode": false,
        "api_version": "2026-10-28.endive", "data": { "object": { "id": "in_1", "customer": "cus_1" } },
        "request": { "id": "req_9", "idempotency_key": key } })
}

#[tokio::test]
async fn a_sweep_goes_from_the_last_event_towards_now_in_order() {
    let pages = [
        list(&[event("evt_3", None), event("evt_2", Some("ap1_x"))], true),
        list(
            &[json!({ "id": "evt_5", "object": "event", "type": "balance.available" }), event("evt_4", None)],
            false,
        ),
    ];
    let (server, client) = scripted(pages).await;
    let cursor = Some(Cursor::EndingBefore(EventId::parse("evt_1").unwrap()));
    let query = EventQuery { delivery_success: Some(false), cursor, ..EventQuery::default() };
    let listed = client.events(&query, Timestamp::from_seconds(9), "sweep").await.unwrap().value;
    let ids: Vec<_> = listed.items.iter().map(|one| one.envelope.id.as_str()).collect();
    assert_eq!((ids, listed.complete, listed.skipped), (vec!["evt_2", "evt_3", "evt_4"], true, 1));
    assert_eq!(listed.items[0].idempotency_key.as_deref(), Some("ap1_x"));
    assert_eq!(listed.items[0].request_id.as_deref(), Some("req_9"));
    assert_eq!(listed.items[0].envelope.endpoint, "sweep");
    let queries: Vec<_> = server.requests().into_iter().map(|one| one.query.unwrap()).collect();
    assert_eq!(queries[0], "delivery_success=false&limit=100&ending_before=evt_1");
    assert_eq!(queries[1], "delivery_success=false&limit=100&ending_before=evt_3");
}

#[test]
fn no_id_leads_to_another_endpoint() {
    // `Base::v1` would refuse them as well, but nothing else is an id to begin with.
    for bad in ["..", ".", "", "a/b", "a?b", "a#b", "%2e%2e"] {
        assert!(ChargeId::parse(bad).is_err(), "{bad}");
    }
}
