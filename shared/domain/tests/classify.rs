//! Every code that Stripe documents, every rule of precedence, and what holds for any input.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on fails"
)]

use std::collections::BTreeMap;

use domain::{
    classify::{Bucket, Classification, classify_failure},
    snapshot::{Outcome, OutcomeKind, PaymentError, PaymentIntentStatus},
};
use proptest::prelude::*;
use serde::Deserialize;

/// What `tests/fixtures/stripe/decline_codes.json` has. A group is one of the words that the codes were
/// sorted by when they were read; each stands for one or two of our buckets.
#[derive(Deserialize)]
struct Fixture {
    groups: BTreeMap<String, Vec<Bucket>>,
    decline_codes: Vec<Code>,
    error_codes: Vec<Code>,
    blocked: Vec<Blocked>,
    advice_codes: Vec<Code>,
    observed: Vec<Observed>,
}

#[derive(Deserialize)]
struct Code {
    code: String,
    #[serde(default)]
    scope: String,
    group: Option<String>,
    #[serde(default)]
    retry: Option<String>,
    stripe_retries: Option<bool>,
}

#[derive(Deserialize)]
struct Blocked {
    reason: String,
    group: String,
}

#[derive(Deserialize)]
struct Observed {
    code: String,
    decline_code: String,
    advice_code: Option<String>,
}

fn fixture() -> Fixture {
    serde_json::from_str(include_str!("../../../tests/fixtures/stripe/decline_codes.json")).unwrap()
}

fn error(decline: Option<&str>, code: Option<&str>, advice: Option<&str>) -> PaymentError {
    PaymentError {
        code: code.map(Into::into),
        decline_code: decline.map(Into::into),
        advice_code: advice.map(Into::into),
        payment_method: None,
    }
}

fn outcome(kind: OutcomeKind, reason: Option<&str>, advice: Option<&str>) -> Outcome {
    Outcome {
        kind,
        reason: reason.map(Into::into),
        risk_level: None,
        network_status: None,
        advice_code: advice.map(Into::into),
    }
}

fn failure(decline: Option<&str>, code: Option<&str>, advice: Option<&str>) -> Classification {
    classify_failure(None, Some(&error(decline, code, advice)), None, Some(true))
}

fn bucket(decline: Option<&str>, code: Option<&str>, advice: Option<&str>) -> Bucket {
    failure(decline, code, advice).bucket
}

fn sentence(retry: &str) -> &'static str {
    match retry {
        "soft" => "soft: the same payment method may work later",
        "customer" => "soft: the same payment method works once the customer has acted",
        "hard" => "hard: trying the same payment method again will not work",
        other => panic!("no such word in the fixture: {other}"),
    }
}

#[test]
fn each_of_the_68_decline_codes_has_its_bucket_and_says_whether_trying_again_helps() {
    let fixture = fixture();
    assert_eq!(fixture.decline_codes.len(), 68);
    let mut by_code: BTreeMap<&str, Vec<&Code>> = BTreeMap::new();
    for row in &fixture.decline_codes {
        by_code.entry(&row.code).or_default().push(row);
    }
    assert_eq!(by_code.len(), 62, "six codes exist for cards and for local payment methods");
    for (code, rows) in by_code {
        let found = failure(Some(code), Some("card_declined"), None);
        let expected: Vec<Bucket> =
            rows.iter().flat_map(|row| fixture.groups[row.group.as_ref().unwrap()].clone()).collect();
        assert!(expected.contains(&found.bucket), "{code}: {}", found.bucket);
        assert!(found.reasons[0].starts_with(&format!("decline code `{code}`: ")), "{:?}", found.reasons);
        assert!(found.reasons[1].starts_with("next step: "), "{:?}", found.reasons);
        // Where the scopes differ, the stricter one stands.
        let strictest = ["hard", "customer", "soft"]
            .into_iter()
            .find(|retry| rows.iter().any(|row| row.retry.as_deref() == Some(retry)))
            .unwrap();
        assert_eq!(found.reasons[2], sentence(strictest), "{code} ({})", rows[0].scope);
        let waits = rows.iter().any(|row| row.stripe_retries == Some(false));
        let said = found.reasons.iter().any(|reason| reason.contains("wait for a new payment method"));
        assert_eq!(said, waits, "{code}");
    }
}

#[test]
fn only_the_currency_means_something_else_for_a_local_payment_method() {
    let fixture = fixture();
    let group = |code: &Code| fixture.groups[code.group.as_ref().unwrap()].clone();
    let otherwise: Vec<&str> = fixture
        .decline_codes
        .iter()
        .filter(|row| !group(row).contains(&bucket(Some(&row.code), None, None)))
        .map(|row| row.code.as_str())
        .collect();
    assert_eq!(otherwise, ["currency_not_supported"]);
    assert_eq!(bucket(Some("currency_not_supported"), None, None), Bucket::InvalidPaymentMethod);
}

#[test]
fn each_error_code_without_a_decline_code_has_its_bucket() {
    let fixture = fixture();
    assert_eq!(fixture.error_codes.len(), 23);
    for row in &fixture.error_codes {
        let found = failure(None, Some(&row.code), None);
        match &row.group {
            Some(group) => assert!(fixture.groups[group].contains(&found.bucket), "{}", row.code),
            None => assert_eq!((row.code.as_str(), found.bucket), ("card_declined", Bucket::Unknown)),
        }
    }
}

#[test]
fn each_block_by_stripe_has_its_bucket_whatever_the_code_says() {
    let fixture = fixture();
    assert_eq!(fixture.blocked.len(), 4);
    for row in &fixture.blocked {
        for decline in [None, Some("insufficient_funds"), Some("brand_new_code")] {
            let blocked = outcome(OutcomeKind::Blocked, Some(&row.reason), None);
            let failed = error(decline, Some("card_declined"), Some("try_again_later"));
            let found = classify_failure(None, Some(&failed), Some(&blocked), Some(true));
            assert!(fixture.groups[&row.group].contains(&found.bucket), "{} {decline:?}", row.reason);
        }
    }
    for reason in [None, Some("brand_new_reason")] {
        let blocked = outcome(OutcomeKind::Blocked, reason, None);
        assert_eq!(classify_failure(None, None, Some(&blocked), Some(false)).bucket, Bucket::Unknown);
    }
}

#[test]
fn each_advice_code_has_its_bucket_where_no_code_is_known() {
    let fixture = fixture();
    assert_eq!(fixture.advice_codes.len(), 3);
    for row in &fixture.advice_codes {
        let found = failure(None, None, Some(&row.code));
        assert!(fixture.groups[row.group.as_ref().unwrap()].contains(&found.bucket), "{}", row.code);
        assert!(found.reasons.contains(&sentence(row.retry.as_ref().unwrap()).to_owned()), "{}", row.code);
    }
    assert_eq!(bucket(Some("expired_card"), None, Some("brand_new_advice")), Bucket::InvalidPaymentMethod);
}

#[test]
fn what_the_test_cards_answer_is_classified_as_its_decline_code() {
    for row in fixture().observed {
        let alone = bucket(Some(&row.decline_code), Some(&row.code), None);
        let found = bucket(Some(&row.decline_code), Some(&row.code), row.advice_code.as_deref());
        // The one that differs: no reason given, but a later try allowed.
        let expected = if row.decline_code == "generic_decline" { Bucket::TemporaryFailure } else { alone };
        assert_eq!(found, expected, "{}", row.decline_code);
    }
}

/// The order of the questions, a line for each rule: what is known, and what it is then.
const RULES: [(&str, &str, Bucket); 27] = [
    ("waiting comes before a block", "intent=requires_action blocked=rule", Bucket::AuthenticationNeeded),
    ("and before a code", "intent=requires_action decline=expired_card", Bucket::AuthenticationNeeded),
    ("a payment under way before an error", "intent=processing code=expired_card", Bucket::PaymentProcessing),
    ("a contradiction goes to a human", "intent=succeeded decline=expired_card", Bucket::Unknown),
    ("an uncaptured payment too", "intent=requires_capture method=missing", Bucket::Unknown),
    ("an unknown status too", "intent=brand_new decline=expired_card", Bucket::Unknown),
    (
        "a failed try says nothing",
        "intent=requires_payment_method decline=do_not_honor",
        Bucket::IssuerDecline,
    ),
    ("nor one without a start", "intent=requires_confirmation decline=do_not_honor", Bucket::IssuerDecline),
    ("nor one that was given up", "intent=canceled decline=do_not_honor", Bucket::IssuerDecline),
    ("a block before any advice", "blocked=rule advice=do_not_try_again", Bucket::BlockedByStripe),
    ("a block without suspicion", "blocked=low_probability_of_authorization", Bucket::IssuerDecline),
    (
        "no further try before a soft code",
        "decline=insufficient_funds advice=do_not_try_again",
        Bucket::HardDecline,
    ),
    ("and before an unspecified one", "decline=do_not_honor advice=do_not_try_again", Bucket::HardDecline),
    (
        "it keeps what can be repaired",
        "decline=expired_card advice=do_not_try_again",
        Bucket::InvalidPaymentMethod,
    ),
    (
        "and an authentication",
        "code=authentication_required advice=do_not_try_again",
        Bucket::AuthenticationNeeded,
    ),
    ("and a suspicion", "decline=stolen_card advice=do_not_try_again", Bucket::SuspectedFraud),
    ("it goes before an unknown code", "decline=brand_new advice=do_not_try_again", Bucket::HardDecline),
    ("and before other advice", "advice=try_again_later network=do_not_try_again", Bucket::HardDecline),
    ("an unknown code is not softened", "decline=brand_new advice=try_again_later", Bucket::Unknown),
    ("nor an unknown error code", "code=brand_new advice=confirm_card_data method=missing", Bucket::Unknown),
    (
        "wrong details before no reason",
        "decline=do_not_honor advice=confirm_card_data",
        Bucket::InvalidPaymentMethod,
    ),
    ("not before a suspicion", "decline=stolen_card advice=confirm_card_data", Bucket::SuspectedFraud),
    (
        "a later try before no reason",
        "decline=do_not_honor network=try_again_later",
        Bucket::TemporaryFailure,
    ),
    ("not before a hard decline", "code=debit_not_authorized advice=try_again_later", Bucket::HardDecline),
    (
        "the decline code before the error's",
        "decline=insufficient_funds code=expired_card",
        Bucket::TemporaryFailure,
    ),
    ("a code before what is missing", "decline=expired_card method=missing", Bucket::InvalidPaymentMethod),
    ("what is missing if no code tells", "code=card_declined method=missing", Bucket::MissingPaymentMethod),
];

#[test]
fn each_rule_of_precedence_holds() {
    for (rule, known, expected) in RULES {
        let facts: BTreeMap<&str, &str> =
            known.split(' ').map(|fact| fact.split_once('=').unwrap()).collect();
        let get = |name: &str| facts.get(name).copied();
        let failed = error(get("decline"), get("code"), get("advice"));
        let kind = if get("blocked").is_some() { OutcomeKind::Blocked } else { OutcomeKind::IssuerDeclined };
        let found = classify_failure(
            get("intent").map(|status| status.to_owned().into()).as_ref(),
            Some(&failed),
            Some(&outcome(kind, get("blocked"), get("network"))),
            Some(get("method").is_none()),
        );
        assert_eq!(found.bucket, expected, "{rule}: {:?}", found.reasons);
    }
}

#[test]
fn what_is_not_known_goes_to_a_human() {
    assert_eq!(bucket(Some("brand_new_code"), Some("card_declined"), None), Bucket::Unknown);
    assert_eq!(bucket(None, Some("brand_new_code"), None), Bucket::Unknown);
    assert_eq!(classify_failure(None, None, None, None).bucket, Bucket::Unknown);
    assert_eq!(classify_failure(None, None, None, Some(true)).bucket, Bucket::Unknown);
    assert_eq!(classify_failure(None, None, None, Some(false)).bucket, Bucket::MissingPaymentMethod);
}

#[test]
fn the_reasons_tell_finance_what_decided_what_it_means_and_what_to_do() {
    assert_eq!(
        failure(Some("insufficient_funds"), Some("card_declined"), Some("do_not_try_again")).reasons,
        [
            "advice code `do_not_try_again`: this card is not to be tried again for this payment",
            "next step: ask for another payment method",
            "hard: trying the same payment method again will not work",
            "decline code `insufficient_funds`: there is not enough money on the account",
            "the advice code goes before what the code alone would mean: temporary_failure",
        ]
    );
    let stands = failure(Some("stolen_card"), None, Some("try_again_later")).reasons;
    assert_eq!(stands[0], "decline code `stolen_card`: the card is reported stolen");
    assert_eq!(stands[4], "advice code `try_again_later`: the bank allows a later try");
}

/// Codes that exist, codes that do not, and nothing.
fn code() -> impl Strategy<Value = Option<String>> {
    let fixture = fixture();
    let codes: Vec<String> =
        fixture.decline_codes.into_iter().chain(fixture.error_codes).map(|row| row.code).collect();
    prop_oneof![Just(None), proptest::sample::select(codes).prop_map(Some), ".{0,12}".prop_map(Some)]
}

fn advice() -> impl Strategy<Value = Option<String>> {
    let known = proptest::sample::select(vec!["do_not_try_again", "confirm_card_data", "try_again_later"]);
    prop_oneof![Just(None), known.prop_map(|code| Some(code.into())), "[a-z_]{0,8}".prop_map(Some)]
}

fn intents() -> impl Strategy<Value = Option<PaymentIntentStatus>> {
    let known =
        vec!["canceled", "processing", "requires_action", "requires_payment_method", "succeeded", "new"];
    proptest::option::of(proptest::sample::select(known).prop_map(|text| text.to_owned().into()))
}

fn errors() -> impl Strategy<Value = Option<PaymentError>> {
    let error = (code(), code(), advice()).prop_map(|(code, decline_code, advice_code)| PaymentError {
        code,
        decline_code,
        advice_code,
        payment_method: None,
    });
    proptest::option::of(error)
}

fn outcomes() -> impl Strategy<Value = Option<Outcome>> {
    let kinds = vec!["authorized", "blocked", "invalid", "issuer_declined", "manual_review", "new"];
    let reasons = vec!["highest_risk_level", "rule", "low_probability_of_authorization", "new"];
    let outcome =
        (proptest::sample::select(kinds), proptest::option::of(proptest::sample::select(reasons)), advice())
            .prop_map(|(kind, reason, advice)| outcome(kind.to_owned().into(), reason, advice.as_deref()));
    proptest::option::of(outcome)
}

proptest! {
    #[test]
    fn classification_is_total_deterministic_and_never_calls_a_failure_settled(
        intent in intents(), error in errors(), outcome in outcomes(), has in any::<Option<bool>>(),
    ) {
        let classify = || classify_failure(intent.as_ref(), error.as_ref(), outcome.as_ref(), has);
        let found = classify();
        prop_assert_eq!(&found, &classify());
        prop_assert!(!found.reasons.is_empty());
        prop_assert!(!found.bucket.is_settled());
    }

    #[test]
    fn a_code_that_nobody_knows_never_becomes_soft(code in "[a-z_]{1,20}x", advice in advice()) {
        let found = bucket(Some(&code), Some("card_declined"), advice.as_deref());
        prop_assert!(matches!(found, Bucket::Unknown | Bucket::HardDecline), "{}", found);
    }

    #[test]
    fn no_advice_takes_a_suspicion_away(advice in advice(), outcome in outcomes()) {
        let outcome = outcome.filter(|outcome| outcome.kind != OutcomeKind::Blocked);
        for code in ["fraudulent", "lost_card", "stolen_card", "pickup_card", "merchant_blacklist"] {
            let failed = error(Some(code), Some("card_declined"), advice.as_deref());
            let found = classify_failure(None, Some(&failed), outcome.as_ref(), Some(true)).bucket;
            prop_assert!(matches!(found, Bucket::SuspectedFraud | Bucket::BlockedByStripe), "{code}: {found}");
        }
    }
}
