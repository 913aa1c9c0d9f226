//! What ingress does with a body, against the bare hash of the same body: `cargo bench -p stripe`.
//!
//! The ratios at the end are the figures that count. They come from interleaved rounds, since a
//! machine's speed drifts by more than what is measured.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::needless_pass_by_value,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a benchmark may fail anywhere"
)]

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use criterion::{BenchmarkId, Criterion, Throughput};
use domain::Timestamp;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use stripe::{EndpointSecrets, envelope};

const SECRET: &str = "whsec_bench";
const NOW: Timestamp = Timestamp::from_seconds(1_790_000_000);

struct Delivery {
    kilobytes: usize,
    header: String,
    body: String,
    /// The body as a JSON string, as API Gateway hands it on.
    escaped: String,
}

/// A snapshot event of about this size: an invoice with as many lines as it takes.
fn delivery(kilobytes: usize) -> Delivery {
    let line = r#"{"id":"il_1TESTline","object":"line_item","amount":2900,"currency":"usd","description":"1 × Seat","metadata":{},"quantity":1}"#;
    let count = (kilobytes * 1024 / line.len()).max(1);
    let lines = vec![line; count].join(",");
    let body = format!(
        r#"{{"id":"evt_1TESTsnap","object":"event","api_version":"2026-10-28.endive","created":1790000000,"data":{{"object":{{"id":"in_1TEST","object":"invoice","customer":"cus_TEST1","lines":{{"object":"list","data":[{lines}],"has_more":false}},"status":"open"}}}},"livemode":false,"pending_webhooks":1,"request":{{"id":null,"idempotency_key":null}},"type":"invoice.payment_failed"}}"#
    );
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("any length is a key");
    mac.update(format!("{}.", NOW.seconds()).as_bytes());
    mac.update(body.as_bytes());
    let tag = domain::encoding::hex(&mac.finalize().into_bytes());
    let escaped = serde_json::to_string(&body).expect("text");
    Delivery { kilobytes, header: format!("t={},v1={tag}", NOW.seconds()), body, escaped }
}

fn hash(delivery: &Delivery) {
    black_box(Sha256::digest(black_box(delivery.body.as_bytes())));
}

fn verify(secrets: &EndpointSecrets, delivery: &Delivery) {
    let verified = secrets.verify(delivery.header.as_bytes(), black_box(delivery.body.as_bytes()), NOW);
    black_box(verified.expect("signed with this secret"));
}

fn verify_and_pick(secrets: &EndpointSecrets, delivery: &Delivery) {
    let verified = secrets.verify(delivery.header.as_bytes(), black_box(delivery.body.as_bytes()), NOW);
    let verified = verified.expect("signed with this secret");
    black_box(envelope::from_webhook(&verified, NOW, "default").expect("an event"));
}

fn unescape_verify_and_pick(secrets: &EndpointSecrets, delivery: &Delivery) {
    let body: String = serde_json::from_str(black_box(&delivery.escaped)).expect("a string");
    let verified = secrets.verify(delivery.header.as_bytes(), body.as_bytes(), NOW);
    let verified = verified.expect("signed with this secret");
    black_box(envelope::from_webhook(&verified, NOW, "default").expect("an event"));
}

/// The median over many rounds of how much longer `work` takes than the bare hash.
fn ratio(delivery: &Delivery, mut work: impl FnMut()) -> f64 {
    let batch = 2000 / delivery.kilobytes.max(1);
    let time = |work: &mut dyn FnMut()| -> Duration {
        let start = Instant::now();
        (0..batch).for_each(|_| work());
        start.elapsed()
    };
    let mut ratios: Vec<f64> = (0..201)
        .map(|_| {
            let bare = time(&mut || hash(delivery));
            time(&mut work).as_secs_f64() / bare.as_secs_f64()
        })
        .collect();
    ratios.sort_by(f64::total_cmp);
    ratios.get(ratios.len() / 2).copied().unwrap_or(f64::NAN)
}

fn main() {
    let secrets = EndpointSecrets::new([&SECRET.into()]).expect("one secret");
    let deliveries = [1, 10, 200].map(delivery);
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("delivery");
    for delivery in &deliveries {
        group.throughput(Throughput::Bytes(delivery.body.len() as u64));
        let name = |what| BenchmarkId::new(what, format!("{} KB", delivery.kilobytes));
        group.bench_function(name("sha256"), |bench| bench.iter(|| hash(delivery)));
        group.bench_function(name("verify"), |bench| bench.iter(|| verify(&secrets, delivery)));
        group.bench_function(name("verify and pick"), |bench| {
            bench.iter(|| verify_and_pick(&secrets, delivery));
        });
    }
    group.finish();
    for delivery in &deliveries {
        println!(
            "{:>3} KB: verify {:.3} x sha256, verify and pick {:.3} x, unescape, verify and pick {:.3} x",
            delivery.kilobytes,
            ratio(delivery, || verify(&secrets, delivery)),
            ratio(delivery, || verify_and_pick(&secrets, delivery)),
            ratio(delivery, || unescape_verify_and_pick(&secrets, delivery)),
        );
    }
    criterion.final_summary();
}
