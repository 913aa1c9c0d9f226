//! Decisions under the starter bundle.

use std::{collections::BTreeMap, fs, path::Path};

use domain::{
    CaseKey, CaseKind, ChargeId, Currency, CustomerId, DisputeId, EventId, InvoiceId, Money, ObjectId,
    PaymentIntentId, SubscriptionId, Timestamp,
    case::CaseState,
    classify::Bucket,
    context::{Context, Part, Subject},
    decide::{Decision, decide},
    plan::{Interlock, StepKind},
    policy::Bundle,
    snapshot::{
        Charge, ChargeStatus, Dispute, DisputeStatus, Invoice, InvoicePayment, InvoiceStatus, PaymentError,
        PaymentIntent, PaymentIntentStatus, Read, Subscription, SubscriptionStatus,
    },
};

const NOW: Timestamp = Timestamp::from_seconds(1_790_000_000);

fn bundle() -> Bundle {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../infra/policy");
    let mut files = BTreeMap::new();
    for name in ["playbooks.toml", "rules/schema.cedarschema", "rules/agent.cedar", "rules/approvals.cedar"] {
        files.insert(name.to_owned(), fs::read_to_string(folder.join(name)).unwrap());
    }
    Bundle::load(&files).unwrap()
}

fn usd(amount: i64) -> Money {
    Money::new(amount, Currency::parse("usd").unwrap())
}

fn known<T>(value: T) -> Part<T> {
    Part::Known { value, read: NOW }
}

fn invoice(id: &str, created: i64) -> Invoice {
    let error = PaymentError {
        code: Some("card_declined".into()),
        decline_code: Some("expired_card".into()),
        advice_code: None,
        payment_method: None,
    };
    let intent = PaymentIntent {
        id: PaymentIntentId::parse("pi_1").unwrap(),
        status: PaymentIntentStatus::RequiresPaymentMethod,
        last_error: Some(error),
        latest_charge: None,
    };
    Invoice {
        id: InvoiceId::parse(id).unwrap(),
        customer: CustomerId::parse("cus_1").ok(),
        subscription: SubscriptionId::parse("sub_1").ok(),
        status: InvoiceStatus::Open,
        amount_due: usd(2900),
        amount_remaining: usd(2900),
        attempt_count: 1,
        next_payment_attempt: None,
        collection_method: None,
        billing_reason: None,
        created: NOW.plus(created),
        has_payment_method: Some(true),
        payments: vec![InvoicePayment { status: "open".into(), intent: Some(intent) }],
    }
}

fn charge() -> Charge {
    Charge {
        id: ChargeId::parse("ch_1").unwrap(),
        status: ChargeStatus::Succeeded,
        amount: usd(2900),
        amount_refunded: usd(0),
        disputed: false,
        captured: true,
        customer: CustomerId::parse("cus_1").ok(),
        payment_intent: None,
        latest_refund: None,
        outcome: None,
        refund_request: Some("requested_by_customer:500".into()),
        livemode: false,
        created: NOW,
    }
}

fn dispute(status: DisputeStatus) -> Dispute {
    Dispute {
        id: DisputeId::parse("du_1").unwrap(),
        status,
        reason: "fraudulent".into(),
        amount: usd(2900),
        charge: ChargeId::parse("ch_1").ok(),
        payment_intent: None,
        due_by: Some(NOW.plus(86_400)),
        submission_count: 0,
        has_evidence: false,
        created: NOW,
    }
}

fn context(subject: Subject) -> Context {
    Context {
        event: EventId::parse("evt_1").unwrap(),
        subject,
        customer: CustomerId::parse("cus_1").ok(),
        subscription: Part::not_asked(),
        charges: known(Vec::new()),
        open_invoices: known(Vec::new()),
        disputes: known(Vec::new()),
        open_cases: Vec::new(),
        frozen: false,
    }
}

fn failed_payment() -> Context {
    context(Subject::Invoice(Read::Found(invoice("in_1", 0))))
}

fn recovery(context: &Context) -> Decision {
    let key = CaseKey::new(CaseKind::Recovery, ObjectId::parse("in_1").unwrap());
    decide(&key, context, None, &bundle())
}

fn refund(context: &Context) -> Decision {
    let key = CaseKey::new(CaseKind::Charge, ObjectId::parse("ch_1").unwrap());
    decide(&key, context, None, &bundle())
}

fn steps(decision: &Decision) -> Vec<&str> {
    decision.steps.iter().map(|step| step.kind.name()).collect()
}

fn suppressed(decision: &Decision) -> Vec<Interlock> {
    decision.suppressed.iter().map(|one| one.interlock).collect()
}

#[test]
fn a_failed_payment_is_classified_and_the_team_is_told_with_the_rule_that_decided() {
    let decision = recovery(&failed_payment());
    assert_eq!(decision.classification.bucket, Bucket::InvalidPaymentMethod);
    assert_eq!((decision.state, steps(&decision)), (CaseState::Open, vec!["alert"]));
    assert_eq!(decision.verdicts[0].rules[0].id, "agent-alerts");
    assert!(decision.verdicts[0].policy.starts_with("2026-11+"));
}

#[test]
fn a_paid_invoice_closes_its_case_and_tells_nobody() {
    let paid = Invoice { status: InvoiceStatus::Paid, ..invoice("in_1", 0) };
    let decision = recovery(&context(Subject::Invoice(Read::Found(paid))));
    assert_eq!((decision.state, steps(&decision)), (CaseState::Closed, vec![]));
}

#[test]
fn nobody_is_dunned_during_a_dispute() {
    let open = Context { disputes: known(vec![dispute(DisputeStatus::UnderReview)]), ..failed_payment() };
    assert_eq!(suppressed(&recovery(&open)), [Interlock::OpenDispute]);
    let odd = DisputeStatus::Other("brand_new".into());
    let unknown = Context { disputes: known(vec![dispute(odd)]), ..failed_payment() };
    assert_eq!(suppressed(&recovery(&unknown)), [Interlock::OpenDispute], "an unknown state counts as open");
    let lost = Context { disputes: known(vec![dispute(DisputeStatus::Lost)]), ..failed_payment() };
    assert_eq!(steps(&recovery(&lost)), ["alert"]);
    let case = CaseKey::new(CaseKind::Dispute, ObjectId::parse("du_9").unwrap());
    let stored = Context { open_cases: vec![case], ..failed_payment() };
    assert_eq!(suppressed(&recovery(&stored)), [Interlock::OpenDispute]);
}

#[test]
fn disputes_that_could_not_be_read_make_the_decision_more_cautious() {
    let blind = Context { disputes: Part::Missing { why: "refused".into() }, ..failed_payment() };
    assert_eq!(suppressed(&recovery(&blind)), [Interlock::MissingContext]);
}

#[test]
fn who_is_leaving_is_not_dunned() {
    let ending = Subscription {
        id: SubscriptionId::parse("sub_1").unwrap(),
        customer: None,
        status: SubscriptionStatus::Active,
        cancel_at_period_end: true,
        cancel_at: None,
        ended_at: None,
        pause_collection: None,
        current_period_end: None,
        latest_invoice: None,
    };
    let leaving = Context { subscription: known(ending), ..failed_payment() };
    assert_eq!(suppressed(&recovery(&leaving)), [Interlock::PendingCancellation]);
}

#[test]
fn one_recovery_per_customer_is_the_oldest_whichever_event_came_first() {
    let older = Context { open_invoices: known(vec![invoice("in_0", -60)]), ..failed_payment() };
    assert_eq!(suppressed(&recovery(&older)), [Interlock::OneRecoveryPerCustomer]);
    let newer = Context { open_invoices: known(vec![invoice("in_0", 60)]), ..failed_payment() };
    assert_eq!(steps(&recovery(&newer)), ["alert"]);
    let untried = Invoice { attempt_count: 0, ..invoice("in_0", -60) };
    let untried = Context { open_invoices: known(vec![untried]), ..failed_payment() };
    assert_eq!(steps(&recovery(&untried)), ["alert"], "an invoice that nobody tried has not failed");
}

#[test]
fn a_step_is_planned_once_however_often_the_same_is_said() {
    let first = recovery(&failed_payment());
    let key = CaseKey::new(CaseKind::Recovery, ObjectId::parse("in_1").unwrap());
    let case = domain::Case::after(None, &key, None, &first, NOW, domain::trail::Head::START);
    let again = decide(&key, &failed_payment(), Some(&case), &bundle());
    assert_eq!(steps(&again), Vec::<&str>::new());
    assert_eq!(again.classification, first.classification);
}

#[test]
fn a_refund_that_support_asked_for_is_put_before_the_approver_and_never_made() {
    let decision = refund(&context(Subject::Charge(Read::Found(charge()))));
    assert_eq!(decision.classification.bucket, Bucket::RefundAsked);
    assert_eq!(steps(&decision), ["alert", "request"]);
    let StepKind::Request { operation } = &decision.steps[1].kind else { panic!("no request") };
    assert_eq!(
        operation, "refund.create",
        "a request names the operation; amount and people are not its to say"
    );
}

#[test]
fn no_refund_is_requested_on_a_disputed_charge() {
    let disputed = Charge { disputed: true, ..charge() };
    let decision = refund(&context(Subject::Charge(Read::Found(disputed))));
    assert_eq!(steps(&decision), ["alert"]);
    assert_eq!(suppressed(&decision), [Interlock::DisputedCharge]);
}

#[test]
fn an_unclear_request_goes_to_a_human() {
    for asked in
        ["fraudulent", "please", "requested_by_customer:0", "requested_by_customer:2901", "duplicate:1e3"]
    {
        let odd = Charge { refund_request: Some(asked.into()), ..charge() };
        let decision = refund(&context(Subject::Charge(Read::Found(odd))));
        assert_eq!(decision.classification.bucket, Bucket::Unknown, "{asked}");
        assert_eq!(steps(&decision), ["alert"], "{asked}");
    }
}

#[test]
fn a_request_that_was_answered_asks_for_nothing_more() {
    for back in [500, 2900] {
        let answered = Charge { amount_refunded: usd(back), ..charge() };
        let decision = refund(&context(Subject::Charge(Read::Found(answered))));
        assert_eq!(
            (decision.classification.bucket, steps(&decision)),
            (Bucket::RefundMade, vec![]),
            "{back}"
        );
    }
}

#[test]
fn the_kill_switch_stops_every_step_and_says_so() {
    let frozen = Context { frozen: true, ..context(Subject::Charge(Read::Found(charge()))) };
    let decision = refund(&frozen);
    assert_eq!(suppressed(&decision), [Interlock::KillSwitch, Interlock::KillSwitch]);
}

#[test]
fn an_object_that_stripe_no_longer_has_closes_its_case() {
    let decision = recovery(&context(Subject::Invoice(Read::Gone)));
    assert_eq!((decision.classification.bucket, decision.state), (Bucket::Gone, CaseState::Closed));
}

#[test]
fn the_starter_bundle_lets_finance_sign_refunds_and_nobody_else() {
    use domain::approval::{Action, Operation, Person, PersonKind, RefundReason};
    let person = |group: &str| Person {
        id: domain::PersonId::parse("p1").unwrap(),
        name: "A member of finance".into(),
        identities: Vec::new(),
        groups: vec![group.into()],
        kind: PersonKind::Member,
        active: true,
    };
    let action = Action {
        proposal: domain::ProposalId::parse("ap_1").unwrap(),
        account: domain::AccountId::parse("acct_1").unwrap(),
        livemode: true,
        operation: Operation::Refund {
            charge: ChargeId::parse("ch_1").unwrap(),
            amount: usd(500),
            reason: RefundReason::RequestedByCustomer,
        },
        metadata: BTreeMap::new(),
        snapshot: charge().digest(),
        requester: domain::PersonId::parse("p2").unwrap(),
        source: None,
        customer_text: domain::Digest::of(""),
        policy: bundle().id().to_owned(),
        need: 1,
        created: NOW,
        expires: NOW.plus(3600),
    };
    let verdict = bundle().may_sign(&person("finance"), &action);
    assert_eq!(
        (verdict.permitted, verdict.rules[0].id.as_str()),
        (true, "finance-signs-refunds"),
        "{verdict:?}"
    );
    assert!(!bundle().may_sign(&person("support"), &action).permitted);
}

#[test]
fn a_bundle_with_a_fault_is_refused_with_its_file() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../infra/policy");
    let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
    let good: BTreeMap<String, String> = ["playbooks.toml", "rules/schema.cedarschema", "rules/agent.cedar"]
        .map(|name| (name.to_owned(), read(name)))
        .into();
    assert!(Bundle::load(&good).is_ok());
    let faults = [
        ("rules/agent.cedar", "permit (principal, action, resource);", "@id"),
        ("rules/agent.cedar", "@id(\"a\") permit (principal, action, resource);", "@reason"),
        (
            "rules/agent.cedar",
            "@id(\"a\") @reason(\"b\") permit (principal, action == Action::\"fly\", resource);",
            "fly",
        ),
        ("rules/agent.cedar", "permit (", "rules/agent.cedar"),
        ("rules/schema.cedarschema", "entity", "rules/schema.cedarschema"),
        ("playbooks.toml", "version = 1", "playbooks.toml"),
    ];
    for (file, text, says) in faults {
        let mut files = good.clone();
        files.insert(file.into(), text.into());
        let error = Bundle::load(&files).unwrap_err().to_string();
        assert!(error.contains(says), "{file}: {error}");
    }
    let mut without = good.clone();
    without.insert(
        "playbooks.toml".into(),
        read("playbooks.toml").replace("[playbook.unknown]", "[playbook.paid]"),
    );
    let error = Bundle::load(&without).unwrap_err().to_string();
    assert!(error.contains("[playbook.unknown]"), "{error}");
}
