//! What a decision costs: `cargo bench -p domain`.
//!
//! Wall-clock medians with 44 rules, on a machine whose two cores were busy, so that this had a little more than
//! half of one: one decision with its entities 74 µs, all ten questions 276 µs; classifying, deciding and planning
//! 149 to 240 µs, of which classifying is 1 µs; reading a recorded case and deciding it under two bundles 417 µs,
//! so that 10,000 take 4 s on one core; loading the bundle 11 ms. They are upper bounds: the aims, 60 µs for one
//! decision and 200 µs for the whole, are to be held against a machine that does nothing else.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a benchmark may fail anywhere"
)]

#[path = "../tests/support/mod.rs"]
mod support;

use std::hint::black_box;

use criterion::Criterion;
use domain::{
    classify::classify,
    decide::{QUESTIONS, decide, verdicts},
    policy::{Bundle, Example, Expect},
};

const CASES: [&str; 5] = [
    "recovery/expired-card",
    "recovery/enterprise-before-renewal",
    "dispute/not-received-but-delivered",
    "refund/asked",
    "status/ending",
];

fn main() {
    let (bundle, examples) = (support::bundle(), support::examples());
    let rules = bundle.rules().len();
    assert!(rules >= 40, "the figures are for 40 rules or more, not for {rules}");
    let mut criterion = Criterion::default().configure_from_args();

    let mut load = criterion.benchmark_group("load");
    let files = support::files();
    load.bench_function("bundle", |bencher| bencher.iter(|| Bundle::load(black_box(&files)).unwrap()));
    load.finish();

    // The facts are put to the rules as new entities each time.
    let mut rules = criterion.benchmark_group("rules");
    let example = &examples[CASES[0]];
    for (name, questions) in [("one decision", &["escalate"][..]), ("all ten", &QUESTIONS[..])] {
        rules.bench_function(name, |bencher| {
            bencher.iter(|| verdicts(&example.key, black_box(&example.context), None, &bundle, questions));
        });
    }
    rules.finish();

    let mut whole = criterion.benchmark_group("classify, decide and plan");
    for name in CASES {
        let example = counting_on_nothing_else(&examples[name]);
        whole.bench_function(name, |bencher| {
            bencher.iter(|| {
                let example = black_box(&example);
                decide(&example.key, &example.context, example.before.as_ref(), &bundle)
            });
        });
    }
    whole.finish();

    let mut parts = criterion.benchmark_group("parts");
    parts.bench_function("classify", |bencher| bencher.iter(|| classify(black_box(&example.context))));
    // What a backtest does with each recorded case.
    let line = serde_json::to_string(&counting_on_nothing_else(example)).unwrap();
    parts.bench_function("replay", |bencher| {
        bencher.iter(|| {
            let example: Example = serde_json::from_str(black_box(&line)).unwrap();
            Expect::of(&example.decide(&bundle)).differences(&example.decide(&bundle))
        });
    });
    parts.finish();
    criterion.final_summary();
}

/// Under the bundle as it is: laying other systems over it is for trying, not for deciding.
fn counting_on_nothing_else(example: &Example) -> Example {
    Example { sources: None, exceptions: None, ..example.clone() }
}
