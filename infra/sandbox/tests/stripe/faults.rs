//! What goes wrong on demand.

use std::time::Duration;

use sandbox::stripe::{Fault, Reason};

use crate::support::{Bench, answer};

const PATIENCE: Duration = Duration::from_millis(60);

#[tokio::test]
async fn a_connection_that_drops_after_the_commit_leaves_one_effect_under_the_key() {
    let bench = Bench::new().await;
    let made = bench.with_invoice();
    let form = format!("charge={}&amount=500", made.charge);
    bench.stripe.fault(Fault::DropAfterCommit, "POST /v1/refunds", 1);
    let lost = bench.form("/v1/refunds", &form).header("idempotency-key", "k").send().await;
    assert!(lost.is_err(), "{lost:?}");
    assert_eq!(bench.stripe.objects("refund").len(), 1);
    assert!(!bench.stripe.writes()[0].answered);
    let again = bench.post_as("k", "/v1/refunds", &form).await;
    assert_eq!((again.status, again.header("idempotent-replayed")), (200, Some("true")));
    assert_eq!(bench.stripe.objects("refund").len(), 1);
}

#[tokio::test]
async fn a_connection_that_drops_before_the_commit_leaves_nothing() {
    let bench = Bench::new().await;
    let made = bench.with_invoice();
    let form = format!("charge={}&amount=500", made.charge);
    bench.stripe.fault(Fault::DropBeforeCommit, "POST /v1/refunds", 1);
    assert!(bench.form("/v1/refunds", &form).header("idempotency-key", "k").send().await.is_err());
    assert_eq!(bench.stripe.objects("refund").len(), 0);
    assert_eq!(bench.post_as("k", "/v1/refunds", &form).await.header("idempotent-replayed"), None);
}

#[tokio::test]
async fn a_hanging_request_ends_with_the_callers_patience() {
    let bench = Bench::new().await;
    let made = bench.with_invoice();
    let form = format!("charge={}&amount=500", made.charge);
    bench.stripe.fault(Fault::HangAfterCommit, "POST /v1/refunds", 1);
    let hung = bench.form("/v1/refunds", &form).timeout(PATIENCE).send().await.unwrap_err();
    assert!(hung.is_timeout());
    assert_eq!(bench.stripe.objects("refund").len(), 1);
    bench.stripe.fault(Fault::HangBeforeCommit, "POST /v1/refunds", 1);
    assert!(bench.form("/v1/refunds", &form).timeout(PATIENCE).send().await.unwrap_err().is_timeout());
    assert_eq!(bench.stripe.objects("refund").len(), 1);
}

#[tokio::test]
async fn a_late_commit_holds_its_key_until_it_is_done() {
    let bench = Bench::new().await;
    let made = bench.with_invoice();
    let form = format!("charge={}&amount=500", made.charge);
    bench.stripe.fault(Fault::CommitLate, "POST /v1/refunds", 1);
    assert!(bench.form("/v1/refunds", &form).header("idempotency-key", "k").send().await.is_err());
    let meanwhile = bench.post_as("k", "/v1/refunds", &form).await;
    assert_eq!((meanwhile.status, meanwhile.error("code")), (409, Some("idempotency_key_in_use")));
    assert_eq!(bench.stripe.objects("refund").len(), 0);
    assert_eq!(bench.stripe.finish_late(), 1);
    let replay = bench.post_as("k", "/v1/refunds", &form).await;
    assert_eq!(replay.header("idempotent-replayed"), Some("true"));
    assert_eq!(bench.stripe.objects("refund").len(), 1);
}

#[tokio::test]
async fn a_server_error_is_kept_whether_or_not_it_did_the_work() {
    for (commits, made_refunds) in [(true, 1), (false, 0)] {
        let bench = Bench::new().await;
        let made = bench.with_invoice();
        let form = format!("charge={}&amount=500", made.charge);
        bench.stripe.fault(Fault::ServerError { commits }, "POST /v1/refunds", 1);
        let first = bench.post_as("k", "/v1/refunds", &form).await;
        assert_eq!((first.status, first.header("stripe-should-retry")), (500, Some("false")));
        let again = bench.post_as("k", "/v1/refunds", &form).await;
        assert_eq!((again.status, again.header("idempotent-replayed")), (500, Some("true")));
        assert_eq!(bench.stripe.objects("refund").len(), made_refunds);
    }
}

#[tokio::test]
async fn limits_and_locks_refuse_without_keeping_anything() {
    let bench = Bench::new().await;
    let made = bench.with_invoice();
    let form = format!("charge={}&amount=500", made.charge);
    bench.stripe.fault(Fault::RateLimited(Reason::GlobalRate), "/v1/", 1);
    let limited = bench.post_as("k", "/v1/refunds", &form).await;
    assert_eq!((limited.status, limited.header("stripe-rate-limited-reason")), (429, Some("global-rate")));
    bench.stripe.fault(Fault::LockTimeout, "POST /v1/refunds", 1);
    let locked = bench.post_as("k", "/v1/refunds", &form).await;
    assert_eq!((locked.status, locked.error("code")), (429, Some("lock_timeout")));
    assert_eq!(locked.header("stripe-rate-limited-reason"), None);
    let done = bench.post_as("k", "/v1/refunds", &form).await;
    assert_eq!((done.status, done.header("idempotent-replayed")), (200, None));
}

#[tokio::test]
async fn two_requests_with_one_key_at_the_same_time_make_one_effect() {
    let bench = Bench::new().await;
    let made = bench.with_invoice();
    let form = format!("charge={}&amount=500", made.charge);
    bench.stripe.fault(Fault::Slow(Duration::from_millis(30)), "POST /v1/refunds", 1);
    let send = || bench.form("/v1/refunds", &form).header("idempotency-key", "k").send();
    let (one, other) = tokio::join!(send(), send());
    let (one, other) = (answer(one.unwrap()).await, answer(other.unwrap()).await);
    let (done, refused) = if one.status == 200 { (one, other) } else { (other, one) };
    assert_eq!((done.status, refused.status), (200, 409));
    assert_eq!(refused.header("stripe-should-retry"), Some("true"));
    assert_eq!(bench.stripe.objects("refund").len(), 1);
}
