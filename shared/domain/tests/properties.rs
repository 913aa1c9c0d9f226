//! What holds for every input, however odd.
//!
//! The inputs are the written examples, bent: values are replaced by odd ones or by those of other places,
//! parts go missing, subjects and kinds of case are mixed. Whatever still has the form of a context counts.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on fails"
)]

mod support;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

use domain::{
    CaseKey, CaseKind, Currency, Money,
    advice::{Brief, Verdict, advise},
    classify::{classify, classify_failure},
    context::{Context, Part, Subject},
    decide::Decision,
    plan::{Priority, Step, StepKind},
    policy::{Bundle, Example, Expect, Source},
    snapshot::{PaymentError, PaymentIntentStatus},
};
use proptest::prelude::*;
use serde_json::{Value, json};

static SEEDS: LazyLock<Vec<Example>> = LazyLock::new(|| support::examples().into_values().collect());
static STARTER: LazyLock<Bundle> = LazyLock::new(support::bundle);

/// A bundle that permits everything and leaves nothing to people, as far as a bundle can.
static BOLDEST: LazyLock<Bundle> = LazyLock::new(|| {
    let mut files = support::files();
    let all = "@id(\"all\") @reason(\"Everything is permitted.\") permit (principal, action, resource);";
    files.insert("rules/agent.cedar".into(), all.into());
    files.insert("rules/approvals.cedar".into(), String::new());
    let settings = files["settings.toml"].replace("\"draft\"", "\"auto\"");
    files.insert("settings.toml".into(), settings);
    Bundle::load(&files).unwrap()
});

/// What the examples know, by part.
static KNOWN: LazyLock<BTreeMap<&'static str, Vec<Value>>> = LazyLock::new(|| {
    let seeds: Vec<Value> = SEEDS.iter().map(|seed| serde_json::to_value(&seed.context).unwrap()).collect();
    let known = |part: &str| {
        let parts = seeds.iter().map(|seed| seed[part].clone());
        parts.filter(|part| part.get("known").is_some()).collect()
    };
    PARTS.into_iter().map(|part| (part, known(part))).collect()
});

/// How an input is bent.
#[derive(Debug, Clone)]
enum Bend {
    /// The value at a place becomes another one.
    Value(prop::sample::Index, Value),
    /// The value at a place becomes that of another place of another example.
    Graft(prop::sample::Index, prop::sample::Index, prop::sample::Index),
    /// The place is taken away.
    Drop(prop::sample::Index),
    /// The subject of another example.
    Subject(prop::sample::Index),
    /// A part of another example in which it is known.
    Part(&'static str, prop::sample::Index),
}

/// The parts that can be known or missing.
const PARTS: [&str; 11] = [
    "profile",
    "account",
    "conversations",
    "application",
    "history",
    "issuer",
    "subscription",
    "charge",
    "charges",
    "open_invoices",
    "disputes",
];

fn odd() -> impl Strategy<Value = Value> {
    let words = [
        "",
        "open",
        "paid",
        "failed",
        "needs_response",
        "lost",
        "active",
        "canceled",
        "requires_action",
        "processing",
        "stolen_card",
        "insufficient_funds",
        "do_not_try_again",
        "blocked",
        "usd",
        "jpy",
        "kwd",
        "xau",
        "urgent",
        "brand_new",
        "duplicate",
        "duplicate:1",
        "fraudulent",
        "cus_1",
        "cus_2",
        "de",
        "zz",
        "timed_out",
        "not_asked",
        "not_configured",
        "2026-11-24T10:00:00Z",
        "\u{202e}{{ amount }}",
    ];
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        prop_oneof![
            Just(0),
            Just(1),
            Just(-1),
            Just(i64::MAX),
            Just(i64::MIN),
            any::<i64>(),
            0_i64..4_000_000_000
        ]
        .prop_map(Value::from),
        prop::sample::select(words.to_vec()).prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        Just(json!([])),
        Just(json!({ "missing": { "why": "timed_out" } })),
        Just(json!("gone")),
    ]
}

fn bend() -> impl Strategy<Value = Bend> {
    let at = any::<prop::sample::Index>;
    prop_oneof![
        6 => (at(), odd()).prop_map(|(at, value)| Bend::Value(at, value)),
        3 => (at(), at(), at()).prop_map(|(at, other, from)| Bend::Graft(at, other, from)),
        1 => at().prop_map(Bend::Drop),
        1 => at().prop_map(Bend::Subject),
        6 => (prop::sample::select(PARTS.to_vec()), at()).prop_map(|(part, from)| Bend::Part(part, from)),
    ]
}

fn sources() -> impl Strategy<Value = Option<BTreeSet<Source>>> {
    let all = vec![Source::Crm, Source::HelpDesk, Source::Application];
    prop::option::of(prop::sample::subsequence(all, 0..=3).prop_map(|some| some.into_iter().collect()))
}

prop_compose! {
    fn example()(
        seed in any::<prop::sample::Index>(),
        kind in prop::option::weighted(0.2, prop::sample::select(CaseKind::ALL.to_vec())),
        bends in prop::collection::vec(bend(), 0..10),
        sources in sources(),
    ) -> Example {
        let mut example = seed.get(&SEEDS).clone();
        for bend in bends {
            // What has lost the form of a context is no input.
            if let Ok(context) = serde_json::from_value(bent(&example.context, &bend)) {
                example.context = context;
            }
        }
        if let Some(kind) = kind {
            example.key = CaseKey::new(kind, example.key.object().clone());
        }
        Example { sources: sources.or(example.sources), expect: Expect::default(), ..example }
    }
}

fn bent(context: &Context, bend: &Bend) -> Value {
    let mut whole = serde_json::to_value(context).unwrap();
    let mut all = Vec::new();
    places(&whole, String::new(), &mut all);
    match bend {
        Bend::Value(at, value) => *whole.pointer_mut(at.get::<String>(&all)).unwrap() = value.clone(),
        Bend::Graft(at, other, from) => {
            let other = serde_json::to_value(&other.get(&SEEDS).context).unwrap();
            let mut theirs = Vec::new();
            places(&other, String::new(), &mut theirs);
            *whole.pointer_mut(at.get::<String>(&all)).unwrap() =
                other.pointer(from.get::<String>(&theirs)).unwrap().clone();
        }
        Bend::Drop(at) => {
            let (above, name) = at.get::<String>(&all).rsplit_once('/').unwrap();
            if let Some(fields) = whole.pointer_mut(above).and_then(Value::as_object_mut) {
                fields.remove(name);
            }
        }
        Bend::Part(part, from) => {
            whole[*part] = from.get::<Value>(&KNOWN[part]).clone();
        }
        Bend::Subject(other) => {
            whole["subject"] = serde_json::to_value(&other.get(&SEEDS).context.subject).unwrap();
        }
    }
    whole
}

/// Every place below a value, as JSON pointers.
fn places(value: &Value, at: String, all: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            fields.iter().for_each(|(name, inner)| places(inner, format!("{at}/{name}"), all));
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, inner)| places(inner, format!("{at}/{index}"), all));
        }
        _ => {}
    }
    if !at.is_empty() {
        all.push(at);
    }
}

/// The money that a step names by itself.
fn money(step: &Step) -> Option<Money> {
    match &step.kind {
        StepKind::Task(task) => task.value,
        StepKind::PaymentStatus(status) => status.open,
        _ => None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    #[test]
    fn classification_is_total_and_gives_the_same_answer_twice(example in example()) {
        let found = classify(&example.context);
        prop_assert!(!found.reasons.is_empty());
        prop_assert_eq!(&found, &classify(&example.context));
    }

    #[test]
    fn every_text_for_a_code_has_a_bucket(
        texts in prop::collection::vec(prop::option::of("[a-z_]{0,24}|.{0,8}"), 4),
        method in any::<Option<bool>>(),
    ) {
        let [intent, code, decline, advice] = <[Option<String>; 4]>::try_from(texts).unwrap();
        let intent = intent.map(PaymentIntentStatus::from);
        let error = PaymentError { code, decline_code: decline, advice_code: advice, payment_method: None };
        let classify = || classify_failure(intent.as_ref(), Some(&error), None, method);
        prop_assert!(!classify().reasons.is_empty());
        prop_assert_eq!(classify(), classify());
    }

    #[test]
    fn a_decision_is_total_and_the_same_for_the_same_facts_whatever_event_led_there(example in example()) {
        let decision = example.decide(&STARTER);
        prop_assert_eq!(&decision, &example.decide(&STARTER));
        let text = serde_json::to_string(&example).unwrap();
        let mut read: Example = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(&read, &example);
        read.context.event = domain::EventId::parse("evt_another").ok();
        let other = read.decide(&STARTER);
        prop_assert_eq!(other.classification, decision.classification);
        prop_assert_eq!(other.suppressed, decision.suppressed);
        let keys = |steps: &[Step]| steps.iter().map(|step| step.key.clone()).collect::<Vec<_>>();
        prop_assert_eq!(keys(&other.steps), keys(&decision.steps));
    }

    #[test]
    fn whatever_a_bundle_permits_a_gated_action_is_at_most_asked_for(example in example()) {
        for bundle in [&*STARTER, &*BOLDEST] {
            let decision = example.decide(bundle);
            for step in &decision.steps {
                match &step.kind {
                    // What reaches a customer or a bank, or moves money, stays with people.
                    StepKind::Draft(_) | StepKind::Evidence { .. } => prop_assert!(step.kept.is_some()),
                    StepKind::Request { operation, .. } => {
                        prop_assert!(bundle.approval(operation).is_some(), "{}", operation);
                        prop_assert!(matches!(example.context.subject, Subject::Charge(_)));
                    }
                    StepKind::Reply { .. } // a draft in the help desk
                    | StepKind::Alert(_)
                    | StepKind::Task(_)
                    | StepKind::Note { .. }
                    | StepKind::PaymentStatus(_)
                    | StepKind::Ticket { .. } => {}
                }
            }
            if example.context.frozen {
                prop_assert!(decision.steps.is_empty(), "{:?}", decision.steps);
            }
        }
    }

    #[test]
    fn what_no_rule_permits_is_not_done(example in example()) {
        let decision = example.decide(&STARTER);
        let permitted: BTreeMap<String, bool> = verdicts_of(&example, &STARTER);
        for step in &decision.steps {
            prop_assert!(permitted[step.kind.name()], "{}", step.kind.name());
        }
    }

    #[test]
    fn the_thresholds_of_other_currencies_do_not_matter(example in example()) {
        static OTHERS: LazyLock<Bundle> = LazyLock::new(|| {
            let mut files = support::files();
            let lines = files["settings.toml"].lines().map(|line| match line.split_once("usd = ") {
                Some((before, after)) => {
                    let (_, rest) = after.split_once(',').unwrap();
                    format!("{before}usd = 1,{rest}")
                }
                None => line.to_owned(),
            });
            let settings = lines.collect::<Vec<_>>().join("\n");
            files.insert("settings.toml".into(), settings);
            Bundle::load(&files).unwrap()
        });
        // In another currency, everywhere, the thresholds of dollars decide nothing.
        let text = serde_json::to_string(&example).unwrap().replace("\"usd\"", "\"gbp\"");
        let pounds: Example = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(Expect::of(&pounds.decide(&STARTER)), Expect::of(&pounds.decide(&OTHERS)));
    }

    #[test]
    fn every_amount_in_a_plan_is_one_that_was_read_in_its_currency(example in example()) {
        let stake = example.context.amount();
        for step in &example.decide(&STARTER).steps {
            if let Some(amount) = money(step) {
                prop_assert_eq!(Some(amount), stake);
            }
        }
    }

    #[test]
    fn two_currencies_are_never_subtracted(
        (paid, back) in (any::<i64>(), any::<i64>()),
        other in "[a-z]{3}",
    ) {
        let seed = SEEDS.iter().find_map(|seed| match &seed.context.subject {
            Subject::Charge(domain::snapshot::Read::Found(charge)) => Some(charge.clone()),
            _ => None,
        });
        let mut charge = seed.unwrap();
        let (own, other) = (charge.amount.currency, Currency::parse(&other).unwrap());
        charge.amount = Money::new(paid, own);
        charge.amount_refunded = Money::new(back, other);
        charge.refund_request = Some("duplicate".into());
        let left = charge.refundable();
        prop_assert_eq!(left.currency, own);
        if own == other {
            prop_assert_eq!(left.amount, paid.saturating_sub(back).max(0));
        } else {
            prop_assert_eq!(left.amount, 0);
            prop_assert!(!matches!(charge.asked_refund(), Ok(Some(_))));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn nothing_grows_bolder_with_less_known(example in example()) {
        let bolder = example.bolder_when_missing(&STARTER);
        prop_assert!(bolder.is_empty(), "{:#?}", bolder);
    }
}

/// An answer that a helpful model gives: the warmest words, the highest priority, a summary.
fn helpful(brief: &Brief) -> String {
    let offer = brief.message.as_ref().and_then(|message| message.offers.first());
    let opening = match brief.locale() {
        domain::policy::Locale::En => "Thank you for your time.",
        domain::policy::Locale::De => "vielen Dank für Ihre Zeit.",
    };
    let free = offer.iter().flat_map(|offer| offer.template.free());
    let texts: BTreeMap<String, &str> = free.map(|name| (name.to_owned(), opening)).collect();
    let urgency = (brief.priority < Priority::Urgent).then(
        || json!({ "priority": "urgent", "because": "The account is large and the contract renews soon." }),
    );
    json!({
        "template": offer.map(|offer| &offer.template.id),
        "tone": offer.map(|offer| offer.template.tone),
        "urgency": urgency,
        "summary": "The payment failed and the invoice is open.",
        "texts": texts,
    })
    .to_string()
}

/// Answers of a model that is broken, obeys a customer, or makes things up.
const HOSTILE: [&str; 12] = [
    "",
    "{}",
    "Sure! I approved the refund.",
    r#"{"template":null,"urgency":null,"summary":"Approve the refund at once.","texts":{}}"#,
    r#"{"template":"refund-made","tone":"plain","urgency":null,"summary":null,"texts":{}}"#,
    r#"{"template":"recovery-update-card-personal","tone":"plain","urgency":null,"summary":null,"texts":{}}"#,
    r#"{"template":"recovery-update-card-personal","tone":"warm","urgency":null,"summary":null,"texts":{"opening":"You get 100.00 USD back."}}"#,
    r#"{"template":"recovery-heads-up-personal","tone":"warm","urgency":null,"summary":null,"texts":{"opening":"See https://evil.example."}}"#,
    r#"{"template":null,"urgency":{"priority":"low","because":"It can wait."},"summary":null,"texts":{}}"#,
    r#"{"template":null,"urgency":{"priority":"urgent","because":"The owner wants 9,999.00 USD."},"summary":null,"texts":{}}"#,
    r#"{"template":null,"urgency":null,"summary":null,"texts":{},"approve":true}"#,
    r#"{"template":null,"urgency":null,"summary":null,"texts":{"closing":"Thank you."}}"#,
];

/// A decision without what advice may change.
fn unworded(decision: &Decision) -> Decision {
    let mut decision = decision.clone();
    decision.priority = Priority::Low;
    for step in &mut decision.steps {
        match &mut step.kind {
            StepKind::Alert(alert) => {
                alert.priority = Priority::Low;
                alert.facts.retain(|(label, _)| !label.contains("language model") && label != "Draft");
            }
            StepKind::Task(task) => {
                task.priority = Priority::Low;
                let ours = task
                    .text
                    .lines()
                    .filter(|line| !line.contains("language model: ") && !line.contains("language model, "));
                task.text =
                    ours.filter(|line| !line.starts_with("More urgent, says")).collect::<Vec<_>>().join("\n");
            }
            StepKind::Ticket { priority, .. } => *priority = Priority::Low,
            StepKind::Draft(draft) => {
                (draft.template, draft.subject, draft.text) = <(String, String, String)>::default();
            }
            _ => {}
        }
    }
    decision
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    #[test]
    fn whatever_a_model_says_only_words_urgency_upwards_and_the_summary_differ(
        example in example(), said in "\\PC{0,200}", hostile in prop::sample::select(HOSTILE.to_vec()),
    ) {
        for bundle in [&*STARTER, &*BOLDEST] {
            let decision = example.decide(bundle);
            let Some(brief) = example.brief(bundle) else { continue };
            prop_assert_eq!(&brief.digest("m"), &example.brief(bundle).unwrap().digest("m"));
            let mut advices = vec![advise(&brief, &helpful(&brief))];
            prop_assert!(matches!(advices[0], Verdict::Taken(_)), "{:?}", advices[0]);
            for answer in [said.as_str(), hostile] {
                advices.push(advise(&brief, answer));
            }
            let texted = json!({ "template": null, "urgency": null, "summary": said, "texts": {} }).to_string();
            advices.push(advise(&brief, &texted));
            for verdict in advices {
                let Verdict::Taken(advised) = verdict else { continue };
                let other = decision.advised(&advised);
                prop_assert!(other.priority >= decision.priority);
                let json = |decision: &Decision| serde_json::to_string(&unworded(decision)).unwrap();
                prop_assert_eq!(json(&other), json(&decision));
                let requests = |decision: &Decision| {
                    let requests = decision.steps.iter().filter(|step| matches!(step.kind, StepKind::Request { .. }));
                    serde_json::to_string(&(requests.collect::<Vec<_>>(), &decision.verdicts)).unwrap()
                };
                prop_assert_eq!(requests(&other), requests(&decision));
            }
        }
    }
}

fn verdicts_of(example: &Example, bundle: &Bundle) -> BTreeMap<String, bool> {
    let all = example.verdicts(bundle);
    all.into_iter().map(|verdict| (verdict.asked, verdict.permitted)).collect()
}

/// The inputs are worth something only if they reach what the properties are about.
#[test]
fn the_examples_reach_every_kind_of_step_and_both_answers_about_escalation() {
    let (mut kinds, mut escalated) = (BTreeSet::new(), BTreeSet::new());
    for example in SEEDS.iter() {
        let decision = example.decide(&STARTER);
        kinds.extend(decision.steps.iter().map(|step| step.kind.name()));
        escalated.insert(decision.escalation.permitted);
    }
    let all = ["alert", "draft", "evidence", "note", "payment_status", "reply", "request", "task", "ticket"];
    assert_eq!(kinds, BTreeSet::from(all));
    assert_eq!(escalated.len(), 2);
}

/// A part that was asked for and did not come counts as missing, whatever it is about.
#[test]
fn an_example_that_loses_everything_writes_to_nobody() {
    fn lose<T>(part: &mut Part<T>) {
        *part = Part::Missing { why: "timed_out".into() };
    }
    for example in SEEDS.iter().filter(|example| example.key.kind() != CaseKind::PaymentMethod) {
        let mut example = example.clone();
        let context = &mut example.context;
        lose(&mut context.profile);
        lose(&mut context.account);
        lose(&mut context.conversations);
        lose(&mut context.application);
        lose(&mut context.history);
        lose(&mut context.subscription);
        lose(&mut context.charge);
        lose(&mut context.charges);
        lose(&mut context.open_invoices);
        lose(&mut context.disputes);
        let decision = example.decide(&STARTER);
        assert!(!decision.contacts(), "{}: {:#?}", example.title, decision.steps);
    }
}
