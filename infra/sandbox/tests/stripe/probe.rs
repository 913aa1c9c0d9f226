//! What the probe of restricted keys finds out about keys of this account.

use std::time::Duration;

use sandbox::{
    Loopback,
    stripe::{Key, READ_SCOPES, Stripe, WRITE_SCOPES},
};
use stripe::{
    ApiKey, Base,
    probe::{Finding, Probe, Report, Role, State},
};

use crate::support::{Bench, options};

/// Probes a key of the bench's account that has these scopes.
async fn probe(bench: &Bench, role: Role, scopes: &[&str]) -> Report {
    let mut options = options();
    options.keys.push(Key::restricted("rk_test_probed", scopes.iter().copied()));
    let account = Stripe::open(options, bench.shelf.clone(), bench.clock.clone()).unwrap();
    let server = Loopback::serve(0, account.router()).await.unwrap();
    let http = ::stripe::client::http(reqwest::Client::builder()).no_proxy().build().unwrap();
    let probe = Probe::new(http, Base::new(&server.url()).unwrap(), Duration::from_secs(5));
    let before = (account.objects("refund"), account.events());
    let report = probe.report(role, &ApiKey::new(&"rk_test_probed".into()).unwrap()).await;
    assert_eq!((account.objects("refund"), account.events()), before, "nothing came of it");
    assert!(account.writes().iter().all(|write| (400..=404).contains(&write.status)));
    report
}

fn names<'r>(found: impl Iterator<Item = &'r Finding>) -> Vec<&'static str> {
    found.map(|one| one.resource).collect()
}

#[tokio::test]
async fn keys_with_exactly_the_listed_scopes_are_exact() {
    let bench = Bench::new().await;
    bench.with_invoice();
    for (role, scopes) in [(Role::Read, READ_SCOPES), (Role::Write, WRITE_SCOPES)] {
        let report = probe(&bench, role, scopes).await;
        assert!(report.is_exact() && !report.is_alarm(), "{report:#?}");
    }
}

#[tokio::test]
async fn a_scope_that_a_key_lacks_is_named() {
    let bench = Bench::new().await;
    for missing in READ_SCOPES {
        let scopes: Vec<&str> = READ_SCOPES.iter().copied().filter(|scope| scope != missing).collect();
        let report = probe(&bench, Role::Read, &scopes).await;
        let named = |one: &Finding| one.state == State::Lacking { permission: (*missing).to_owned() };
        // Prices and products are part of what is seeded here, and no read of ours.
        let is_read = !["rak_plan_read", "rak_product_read"].contains(missing);
        assert_eq!(report.lacking().next().is_some(), is_read, "{missing}");
        assert!(report.lacking().all(named), "{missing}: {report:#?}");
        assert!(!report.is_alarm());
    }
    for missing in WRITE_SCOPES {
        let scopes: Vec<&str> = WRITE_SCOPES.iter().copied().filter(|scope| scope != missing).collect();
        let report = probe(&bench, Role::Write, &scopes).await;
        assert!(report.lacking().next().is_some() && !report.is_exact(), "{missing}");
    }
}

#[tokio::test]
async fn a_key_for_reading_that_can_write_anything_is_an_alarm() {
    let bench = Bench::new().await;
    let more = ["rak_payment_intent_write", "rak_payment_method_write", "rak_payout_write"];
    let more = more.into_iter().chain(["rak_transfer_write", "rak_webhook_write"]);
    for scope in WRITE_SCOPES.iter().copied().chain(more) {
        let scopes: Vec<&str> = READ_SCOPES.iter().copied().chain([scope]).collect();
        let report = probe(&bench, Role::Read, &scopes).await;
        assert!(report.is_alarm() && report.lacking().next().is_none(), "{scope}: {report:#?}");
    }
}

#[tokio::test]
async fn a_key_for_writing_that_can_pay_out_has_too_much() {
    let bench = Bench::new().await;
    let scopes: Vec<&str> = WRITE_SCOPES.iter().copied().chain(["rak_payout_write"]).collect();
    let report = probe(&bench, Role::Write, &scopes).await;
    assert_eq!(names(report.excess()), ["payouts"]);
    assert!(!report.is_exact() && !report.is_alarm());
}
