//! Decisions under the starter bundle.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on fails"
)]

mod support;

use std::collections::BTreeMap;

use domain::{
    CaseKey, CaseKind, ChargeId, Currency, CustomerId, DisputeId, EventId, InvoiceId, Money, ObjectId,
    PaymentIntentId, SubscriptionId, Timestamp,
    case::CaseState,
    classify::Bucket,
    context::{Account, Application, Context, Conversations, History, Owner, Part, Subject, Systems},
    decide::{Decision, decide},
    event::Origin,
    plan::{Alert, Draft, Interlock, StepKind},
    policy::Bundle,
    snapshot::{
        Charge, ChargeStatus, Customer, Dispute, DisputeStatus, Invoice, InvoicePayment, InvoiceStatus,
        PaymentError, PaymentIntent, PaymentIntentStatus, Read, Subscription, SubscriptionStatus,
    },
};

use support::{bundle, files};

const NOW: Timestamp = Timestamp::from_seconds(1_790_000_000);

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
        issuer: None,
        metadata: domain::snapshot::Metadata::default(),
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
        event: EventId::parse("evt_1").ok(),
        origin: Origin::default(),
        subject,
        customer: CustomerId::parse("cus_1").ok(),
        at: NOW,
        livemode: false,
        profile: known(customer()),
        account: known(account()),
        conversations: known(Conversations::default()),
        application: known(Application::default()),
        history: known(History::default()),
        issuer: Part::not_asked(),
        contacts: Vec::new(),
        case_page: None,
        systems: Systems { crm: true, help_desk: true },
        subscription: known(subscription(SubscriptionStatus::Active)),
        charge: known(charge()),
        charges: known(Vec::new()),
        open_invoices: known(Vec::new()),
        disputes: known(Vec::new()),
        all_charges: true,
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

/// What people hear or are asked: without the notes, tasks and properties in other systems.
fn steps(decision: &Decision) -> Vec<&str> {
    let heard = ["alert", "draft", "reply", "request"];
    decision.steps.iter().map(|step| step.kind.name()).filter(|name| heard.contains(name)).collect()
}

fn has(decision: &Decision, name: &str) -> bool {
    decision.steps.iter().any(|step| step.kind.name() == name)
}

fn told(decision: &Decision) -> &Alert {
    let mut alerts = decision.steps.iter().filter_map(|step| match &step.kind {
        StepKind::Alert(alert) => Some(alert),
        _ => None,
    });
    alerts.next_back().expect("an alert")
}

fn account() -> Account {
    Account {
        id: "1".into(),
        name: Some("Example".into()),
        annual_value: Some(usd(34_800)),
        owner: Some(Owner { id: "7".into(), name: Some("Account lead".into()), email: None }),
        renews: Some(NOW.plus(200 * 86_400)),
        segment: Some("Self-Serve".into()),
        lifecycle: Some("customer".into()),
        payment_status: None,
    }
}

fn customer() -> Customer {
    Customer {
        id: CustomerId::parse("cus_1").unwrap(),
        deleted: false,
        delinquent: Some(false),
        name: None,
        email: None,
        locale: None,
    }
}

fn subscription(status: SubscriptionStatus) -> Subscription {
    Subscription {
        id: SubscriptionId::parse("sub_1").unwrap(),
        customer: None,
        status,
        cancel_at_period_end: false,
        cancel_at: None,
        ended_at: None,
        pause_collection: None,
        current_period_end: None,
        latest_invoice: None,
    }
}

fn suppressed(decision: &Decision) -> Vec<Interlock> {
    decision.suppressed.iter().map(|one| one.interlock).collect()
}

#[test]
fn a_failed_payment_is_classified_drafted_for_and_told_with_the_rule_that_decided() {
    let decision = recovery(&failed_payment());
    assert_eq!(decision.classification.bucket, Bucket::InvalidPaymentMethod);
    assert_eq!((decision.state, steps(&decision)), (CaseState::Open, vec!["draft", "alert"]));
    assert_eq!(decision.verdicts[0].rules[0].id, "agent-drafts-recovery");
    let StepKind::Draft(Draft { template, text, .. }) = &decision.steps[0].kind else { panic!("no draft") };
    assert_eq!(template, "recovery-update-card.en/2");
    assert!(text.contains("29.00") && text.contains("in_1"), "{text}");
    assert!(decision.verdicts[0].policy.starts_with("2026-12+"));
    assert!(has(&decision, "note") && has(&decision, "payment_status"));
    assert!(!decision.escalation.permitted, "{:?}", decision.escalation);
    assert_eq!(decision.revisit, Some(NOW.plus(3 * 86_400)), "the next rung of the ladder");
}

#[test]
fn a_draft_is_put_before_the_approvers_where_the_policy_says_so_and_held_back_with_it() {
    let mut files = files();
    let gated = "[autonomy.gated]\n\"message.send\" = \"approve\"";
    let settings = files["settings.toml"].replace("[autonomy.gated]", gated);
    files.insert("settings.toml".into(), settings);
    let bundle = Bundle::load(&files).unwrap();
    let key: CaseKey = "recovery:in_1".parse().unwrap();
    let decided = |context: &Context| decide(&key, context, None, &bundle);
    let requests = |decision: &Decision| -> Vec<(String, BTreeMap<String, String>)> {
        let steps = decision.steps.iter().filter(|step| step.kept.is_none());
        let request = |kind: &StepKind| match kind {
            StepKind::Request { operation, parameters, .. } => Some((operation.clone(), parameters.clone())),
            _ => None,
        };
        steps.filter_map(|step| request(&step.kind)).collect()
    };
    let decision = decided(&failed_payment());
    let template = BTreeMap::from([("template".to_owned(), "recovery-update-card.en/2".to_owned())]);
    assert_eq!(requests(&decision), [("message.send".to_owned(), template)]);
    let draft = decision.steps.iter().find(|step| matches!(step.kind, StepKind::Draft(_))).unwrap();
    assert_eq!(draft.kept.as_deref(), Some("it is sent once it is approved"));
    let keys: Vec<_> = decision.steps.iter().map(|step| &step.key).collect();
    assert!(decided(&failed_payment()).steps.iter().map(|step| &step.key).eq(keys), "asked for once");
    let open = Context { disputes: known(vec![dispute(DisputeStatus::UnderReview)]), ..failed_payment() };
    assert_eq!(requests(&decided(&open)), []);
    let frozen = Context { frozen: true, ..failed_payment() };
    assert_eq!(requests(&decided(&frozen)), []);
    assert_eq!(requests(&recovery(&failed_payment())), [], "the starter leaves it to a person");
}

#[test]
fn a_paid_invoice_closes_its_case_and_tells_nobody() {
    let paid = Invoice { status: InvoiceStatus::Paid, ..invoice("in_1", 0) };
    let decision = recovery(&context(Subject::Invoice(Read::Found(paid))));
    assert_eq!((decision.state, steps(&decision)), (CaseState::Closed, vec![]));
    assert!(has(&decision, "payment_status"), "but the CRM learns of it");
}

/// The draft is held back for this reason; the team hears all the same, and of the reason.
fn held(decision: &Decision, interlock: Interlock) {
    assert_eq!((steps(decision), suppressed(decision)), (vec!["alert"], vec![interlock]));
    let facts = &told(decision).facts;
    assert!(facts.contains(&("Held back: draft".into(), decision.suppressed[0].because.clone())));
    assert!(decision.revisit.is_some(), "somebody looks again");
}

#[test]
fn nobody_is_dunned_during_a_dispute() {
    let open = Context { disputes: known(vec![dispute(DisputeStatus::UnderReview)]), ..failed_payment() };
    held(&recovery(&open), Interlock::OpenDispute);
    let odd = DisputeStatus::Other("brand_new".into());
    let unknown = Context { disputes: known(vec![dispute(odd)]), ..failed_payment() };
    held(&recovery(&unknown), Interlock::OpenDispute);
    let lost = Context { disputes: known(vec![dispute(DisputeStatus::Lost)]), ..failed_payment() };
    assert_eq!(steps(&recovery(&lost)), ["draft", "alert"]);
}

#[test]
fn stripes_whole_list_of_disputes_outranks_the_store_and_a_part_of_it_does_not() {
    let case = CaseKey::new(CaseKind::Dispute, ObjectId::parse("du_9").unwrap());
    let stored = Context { open_cases: vec![case], ..failed_payment() };
    assert_eq!(steps(&recovery(&stored)), ["draft", "alert"]);
    held(&recovery(&Context { all_charges: false, ..stored }), Interlock::OpenDispute);
}

#[test]
fn what_could_not_be_read_makes_the_decision_more_cautious_and_is_looked_at_again_soon() {
    let missing = || Part::Missing { why: "refused".into() };
    let blind = Context { disputes: missing(), ..failed_payment() };
    held(&recovery(&blind), Interlock::MissingContext);
    assert_eq!(recovery(&blind).revisit, Some(NOW.plus(900)));
    let invoices = Context { open_invoices: Part::Missing { why: "timed_out".into() }, ..failed_payment() };
    held(&recovery(&invoices), Interlock::MissingContext);
}

#[test]
fn who_is_leaving_is_not_dunned() {
    let ending = Subscription { cancel_at_period_end: true, ..subscription(SubscriptionStatus::Active) };
    let leaving = Context { subscription: known(ending), ..failed_payment() };
    held(&recovery(&leaving), Interlock::PendingCancellation);
}

#[test]
fn one_recovery_per_customer_is_the_oldest_whichever_event_came_first() {
    let older = Context { open_invoices: known(vec![invoice("in_0", -60)]), ..failed_payment() };
    held(&recovery(&older), Interlock::OneRecoveryPerCustomer);
    let newer = Context { open_invoices: known(vec![invoice("in_0", 60)]), ..failed_payment() };
    assert_eq!(steps(&recovery(&newer)), ["draft", "alert"]);
    let untried = Invoice { attempt_count: 0, ..invoice("in_0", -60) };
    let untried = Context { open_invoices: known(vec![untried]), ..failed_payment() };
    assert_eq!(steps(&recovery(&untried)), ["draft", "alert"], "an invoice that nobody tried has not failed");
}

#[test]
fn nobody_writes_to_a_customer_while_fraud_is_suspected() {
    let mut stolen = invoice("in_1", 0);
    let error = stolen.payments[0].intent.as_mut().unwrap().last_error.as_mut().unwrap();
    error.decline_code = Some("stolen_card".into());
    let decision = recovery(&context(Subject::Invoice(Read::Found(stolen))));
    assert_eq!(decision.classification.bucket, Bucket::SuspectedFraud);
    assert_eq!(steps(&decision), ["alert"]);
}

#[test]
fn a_step_is_planned_once_however_often_the_same_is_said() {
    let first = recovery(&failed_payment());
    let key = CaseKey::new(CaseKind::Recovery, ObjectId::parse("in_1").unwrap());
    let case = domain::Case::after(None, &key, &failed_payment(), &first, NOW, domain::trail::Head::START);
    let again = decide(&key, &failed_payment(), Some(&case), &bundle());
    assert_eq!(steps(&again), Vec::<&str>::new());
    assert_eq!(again.classification, first.classification);
    let mut given_up = invoice("in_1", 0);
    given_up.next_payment_attempt = Some(NOW);
    let tries = recovery(&context(Subject::Invoice(Read::Found(given_up))));
    assert_ne!(tries.steps[0].key, first.steps[0].key, "that Stripe stopped trying is news");
}

#[test]
fn an_inquiry_that_becomes_a_chargeback_is_told_again() {
    let key = CaseKey::new(CaseKind::Dispute, ObjectId::parse("du_1").unwrap());
    let key_of = |status| {
        let context = context(Subject::Dispute(Read::Found(dispute(status))));
        let decision = decide(&key, &context, None, &bundle());
        decision.steps.iter().find(|step| step.kind.name() == "alert").unwrap().key.clone()
    };
    assert_ne!(key_of(DisputeStatus::WarningNeedsResponse), key_of(DisputeStatus::NeedsResponse));
}

#[test]
fn a_refund_that_support_asked_for_is_put_before_the_approver_and_never_made() {
    let decision = refund(&context(Subject::Charge(Read::Found(charge()))));
    assert_eq!(decision.classification.bucket, Bucket::RefundAsked);
    assert_eq!(steps(&decision), ["request", "alert"]);
    let StepKind::Request { operation, .. } = &decision.steps[0].kind else { panic!("no request") };
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
    let next = &told(&decision).next;
    assert!(next.contains("nobody was asked"), "{next}");
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
fn a_request_that_was_answered_asks_for_nothing_more_and_a_new_one_does() {
    let key = CaseKey::new(CaseKind::Charge, ObjectId::parse("ch_1").unwrap());
    let of = |asked: &str, back: i64| {
        let charge = Charge { refund_request: Some(asked.into()), amount_refunded: usd(back), ..charge() };
        context(Subject::Charge(Read::Found(charge)))
    };
    let first = decide(&key, &of("duplicate:500", 0), None, &bundle());
    let case =
        domain::Case::after(None, &key, &of("duplicate:500", 0), &first, NOW, domain::trail::Head::START);
    let answered = decide(&key, &of("duplicate:500", 500), Some(&case), &bundle());
    // The refund's own case tells the customer.
    assert_eq!((answered.classification.bucket, steps(&answered)), (Bucket::RefundMade, vec![]));
    for (asked, back) in [("duplicate:300", 500), ("duplicate:500:2", 500), ("duplicate", 500)] {
        let again = decide(&key, &of(asked, back), Some(&case), &bundle());
        assert_eq!(steps(&again), ["request", "alert"], "{asked}");
    }
    let by_hand = decide(&key, &of("duplicate:500", 300), None, &bundle());
    assert_eq!(steps(&by_hand), ["request", "alert"], "a part that went back by hand answers nothing");
    let whole = decide(&key, &of("duplicate", 2900), None, &bundle());
    assert_eq!((whole.classification.bucket, steps(&whole)), (Bucket::RefundMade, vec![]));
}

#[test]
fn the_kill_switch_stops_every_step_and_says_so() {
    let frozen = Context { frozen: true, ..context(Subject::Charge(Read::Found(charge()))) };
    let decision = refund(&frozen);
    assert!(
        suppressed(&decision).iter().all(|one| *one == Interlock::KillSwitch),
        "{:?}",
        decision.suppressed
    );
    assert!(decision.steps.is_empty() && decision.suppressed.len() > 2);
}

#[test]
fn an_object_that_stripe_does_not_have_is_told_to_somebody() {
    let decision = recovery(&context(Subject::Invoice(Read::Gone)));
    assert_eq!((decision.classification.bucket, decision.state), (Bucket::Gone, CaseState::Open));
    assert_eq!(steps(&decision), ["alert"]);
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
        emails: Vec::new(),
        limits: BTreeMap::new(),
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
    let good = files();
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
        ("approvals.toml", "[approval.\"refund.create\"]\nlife = 0", "approvals.toml"),
    ];
    for (file, text, says) in faults {
        let mut files = good.clone();
        files.insert(file.into(), text.into());
        let error = Bundle::load(&files).unwrap_err().to_string();
        assert!(error.contains(says), "{file}: {error}");
    }
    let mut named = good.clone();
    let books = good["playbooks.toml"].replace("recovery-add-card", "recovery-nothing");
    named.insert("playbooks.toml".into(), books);
    assert!(Bundle::load(&named).unwrap_err().to_string().contains("recovery-nothing"));
    let mut without = good.clone();
    without.insert(
        "playbooks.toml".into(),
        good["playbooks.toml"].replace("playbook.unknown", "playbook.nothing_asked"),
    );
    let error = Bundle::load(&without).unwrap_err().to_string();
    assert!(error.contains("[playbook.unknown]"), "{error}");
}

/// Ten times five hundred dollars is not ten times five hundred yen: thresholds are of like size.
#[test]
fn thresholds_in_different_currencies_are_of_like_size() {
    // Major units of each currency for a hundred dollars, roughly; far off is what this is about.
    let rates = [("usd", 100), ("eur", 90), ("gbp", 75), ("jpy", 15_000), ("kwd", 30)];
    for (code, hundred) in rates {
        let currency = Currency::parse(code).unwrap();
        let unit = 10_i64.pow(currency.decimals());
        let bundle = bundle();
        let rule = bundle.approval("refund.create").unwrap();
        let need = |major: i64| {
            rule.need(Some(Money::new(major * unit, currency)), domain::policy::Requester::Known)
        };
        assert_eq!((need(hundred * 2), need(hundred * 13)), (1, 2), "{code}");
        let allows = |major: i64| rule.allows(Some(Money::new(major * unit, currency)));
        assert_eq!((allows(hundred * 50), allows(hundred * 260)), (true, false), "{code}");
    }
}

#[test]
fn the_committed_manifest_names_who_changed_each_rule_that_decides_about_signing() {
    let bundle = bundle();
    for kind in domain::approval::OperationKind::ALL {
        assert!(
            bundle.is_attributed(*kind),
            "run `countersign policy seal`: {} is not sealed as it is: {:#?}",
            kind.as_str(),
            bundle.contents()
        );
    }
    let mut unsealed = files();
    unsealed.remove("manifest.toml");
    let unsealed = Bundle::load(&unsealed).unwrap();
    assert!(!unsealed.is_attributed(domain::approval::OperationKind::Refund));
    let mut edited = files();
    let rules = edited["rules/approvals.cedar"].replace("resource.operation == \"refund.create\"", "true");
    edited.insert("rules/approvals.cedar".into(), rules);
    let edited = Bundle::load(&edited).unwrap();
    assert!(!edited.is_attributed(domain::approval::OperationKind::Refund), "it was changed since");
}
