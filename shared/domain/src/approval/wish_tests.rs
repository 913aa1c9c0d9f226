use super::*;
use crate::{
    ChargeId, CustomerId, DisputeId, InvoiceId, SubscriptionId,
    approval::{CustomerFacts, EmailAddress, MessageFacts, Private, SubscriptionFacts},
    snapshot::{
        Charge, ChargeStatus, Dispute, DisputeStatus, Invoice, InvoiceStatus, Subscription,
        SubscriptionStatus,
    },
};

const NOW: Timestamp = Timestamp::from_seconds(1_790_000_000);

fn usd(amount: i64) -> Money {
    Money::new(amount, Currency::parse("usd").unwrap())
}

fn charge() -> Charge {
    Charge {
        id: ChargeId::parse("ch_1").unwrap(),
        status: ChargeStatus::Succeeded,
        amount: usd(1999),
        amount_refunded: usd(500),
        disputed: false,
        captured: true,
        customer: None,
        payment_intent: None,
        latest_refund: None,
        outcome: None,
        refund_request: None,
        issuer: None,
        metadata: crate::snapshot::Metadata::default(),
        livemode: false,
        created: NOW,
    }
}

fn invoice(status: InvoiceStatus, remaining: i64) -> Invoice {
    Invoice {
        id: InvoiceId::parse("in_1").unwrap(),
        customer: CustomerId::parse("cus_1").ok(),
        subscription: None,
        status,
        amount_due: usd(1000),
        amount_remaining: usd(remaining),
        attempt_count: 1,
        next_payment_attempt: None,
        collection_method: None,
        billing_reason: None,
        created: NOW,
        has_payment_method: None,
        payments: Vec::new(),
    }
}

fn dispute(status: DisputeStatus) -> Dispute {
    Dispute {
        id: DisputeId::parse("du_1").unwrap(),
        status,
        reason: "fraudulent".into(),
        amount: usd(1999),
        charge: ChargeId::parse("ch_1").ok(),
        payment_intent: None,
        due_by: Some(NOW.plus(86_400)),
        submission_count: 0,
        has_evidence: false,
        created: NOW,
    }
}

fn subscription(status: SubscriptionStatus, paused: bool) -> Facts {
    let subscription = Subscription {
        id: SubscriptionId::parse("sub_1").unwrap(),
        customer: CustomerId::parse("cus_1").ok(),
        status,
        cancel_at_period_end: false,
        cancel_at: None,
        ended_at: None,
        pause_collection: paused.then(|| "void".to_owned()),
        current_period_end: None,
        latest_invoice: None,
    };
    Facts::Subscription(SubscriptionFacts { subscription, open_invoices: None })
}

fn customer(deleted: bool) -> CustomerFacts {
    let email = EmailAddress::parse("customer@example.test").ok();
    CustomerFacts { id: CustomerId::parse("cus_1").unwrap(), deleted, email }
}

fn wish(kind: OperationKind, parameters: &[(&str, &str)]) -> Wish {
    let parameters =
        parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Wish { kind, object: ObjectId::parse("x_1").unwrap(), parameters }
}

fn on(kind: OperationKind, parameters: &[(&str, &str)], facts: &Facts) -> Result<Operation, NotPossible> {
    wish(kind, parameters).on(facts, NOW)
}

#[test]
fn a_refund_is_of_what_is_left_and_never_of_a_disputed_or_unpaid_charge() {
    let refund = |amount: &str, charge: Charge| {
        on(OperationKind::Refund, &[("amount", amount), ("reason", "duplicate")], &Facts::Charge(charge))
    };
    assert_eq!(refund("14.99", charge()).unwrap().amount(), Some(usd(1499)));
    assert_eq!(refund("15.00", charge()), Err(NotPossible::TooMuch(usd(1499))));
    for nothing in ["0", "0.00"] {
        assert_eq!(refund(nothing, charge()), Err(NotPossible::Nothing));
    }
    for bad in ["-1", "1.999", "1e3", "", "99999999999999999999"] {
        assert_eq!(refund(bad, charge()), Err(NotPossible::Amount(usd(1).currency)), "{bad}");
    }
    assert_eq!(refund("1", Charge { disputed: true, ..charge() }), Err(NotPossible::Disputed));
    assert_eq!(refund("1", Charge { status: ChargeStatus::Pending, ..charge() }), Err(NotPossible::NotPaid));
    assert_eq!(refund("1", Charge { captured: false, ..charge() }), Err(NotPossible::NotPaid));
}

#[test]
fn a_refund_without_parameters_is_what_the_charge_itself_asks_for() {
    let asks = |what: Option<&str>| {
        let charge = Charge { refund_request: what.map(str::to_owned), ..charge() };
        on(OperationKind::Refund, &[], &Facts::Charge(charge))
    };
    assert_eq!(asks(Some("duplicate:100")).unwrap().amount(), Some(usd(100)));
    assert_eq!(asks(None), Err(NotPossible::NotAsked));
    assert!(matches!(asks(Some("fraudulent")), Err(NotPossible::Unclear(_))));
}

#[test]
fn what_lies_beyond_the_open_part_of_an_invoice_is_credited_to_the_balance() {
    let credit = |amount: &str, invoice: Invoice| {
        let parameters = [("amount", amount), ("reason", "duplicate")];
        on(OperationKind::CreditNote, &parameters, &Facts::Invoice(invoice))
    };
    let to_balance = |amount, invoice| match credit(amount, invoice) {
        Ok(Operation::CreditNote { to_balance, email: false, .. }) => to_balance,
        other => panic!("{other:?}"),
    };
    assert_eq!(to_balance("3.00", invoice(InvoiceStatus::Open, 400)), 0);
    assert_eq!(to_balance("6.00", invoice(InvoiceStatus::Open, 400)), 200);
    assert_eq!(to_balance("10.00", invoice(InvoiceStatus::Paid, 0)), 1000);
    assert!(credit("10.01", invoice(InvoiceStatus::Open, 1000)).is_err());
    assert!(matches!(credit("1", invoice(InvoiceStatus::Draft, 1000)), Err(NotPossible::State { .. })));
}

#[test]
fn what_stripe_knows_of_an_invoice_is_taken_from_there() {
    for (kind, status) in [
        (OperationKind::VoidInvoice, InvoiceStatus::Uncollectible),
        (OperationKind::MarkUncollectible, InvoiceStatus::Open),
        (OperationKind::PayInvoice, InvoiceStatus::Open),
    ] {
        let operation = on(kind, &[], &Facts::Invoice(invoice(status, 400))).unwrap();
        assert_eq!(operation.amount(), Some(usd(400)), "{operation}");
        // The same on another reading: the amount follows.
        let later = operation.on(&Facts::Invoice(invoice(InvoiceStatus::Open, 300)), NOW).unwrap();
        assert_eq!(later.amount(), Some(usd(300)));
        let paid = Facts::Invoice(invoice(InvoiceStatus::Paid, 0));
        assert!(matches!(on(kind, &[], &paid), Err(NotPossible::State { .. })));
    }
}

#[test]
fn a_dispute_is_answered_once_in_time_and_an_inquiry_is_not_accepted() {
    let evidence = [("product_description", "A seat")];
    let facts = |dispute| Facts::Dispute(dispute);
    let open = || dispute(DisputeStatus::NeedsResponse);
    assert!(on(OperationKind::SubmitEvidence, &evidence, &facts(open())).is_ok());
    assert!(matches!(on(OperationKind::SubmitEvidence, &[], &facts(open())), Err(NotPossible::Evidence(_))));
    let answered = Dispute { submission_count: 1, ..open() };
    assert_eq!(on(OperationKind::SubmitEvidence, &evidence, &facts(answered)), Err(NotPossible::Answered));
    let late = Dispute { due_by: Some(NOW), ..open() };
    assert_eq!(on(OperationKind::AcceptDispute, &[], &facts(late)), Err(NotPossible::TooLate));
    let inquiry = facts(dispute(DisputeStatus::WarningNeedsResponse));
    assert_eq!(on(OperationKind::AcceptDispute, &[], &inquiry), Err(NotPossible::Inquiry));
    let lost = facts(dispute(DisputeStatus::Lost));
    assert!(matches!(on(OperationKind::AcceptDispute, &[], &lost), Err(NotPossible::State { .. })));
}

#[test]
fn a_subscription_that_is_over_is_left_alone_and_nothing_is_done_twice() {
    let live = subscription(SubscriptionStatus::Active, false);
    let paused = subscription(SubscriptionStatus::Active, true);
    let pause = [("behavior", "keep_as_draft")];
    assert!(on(OperationKind::CancelSubscription, &[("prorate", "yes")], &live).is_ok());
    assert!(on(OperationKind::PauseCollection, &pause, &live).is_ok());
    assert_eq!(on(OperationKind::PauseCollection, &pause, &paused), Err(NotPossible::AlreadySo));
    assert_eq!(on(OperationKind::ResumeCollection, &[], &live), Err(NotPossible::AlreadySo));
    assert!(on(OperationKind::ResumeCollection, &[], &paused).is_ok());
    let past = [("behavior", "void"), ("resumes_at", "2020-01-01")];
    assert_eq!(on(OperationKind::PauseCollection, &past, &live), Err(NotPossible::Parameter("resumes_at")));
    for kind in [OperationKind::CancelSubscription, OperationKind::CancelAtPeriodEnd] {
        let over = subscription(SubscriptionStatus::Canceled, false);
        assert!(matches!(on(kind, &[], &over), Err(NotPossible::State { .. })));
    }
}

#[test]
fn a_customer_who_is_gone_gets_no_credit_and_no_change_of_access() {
    let credit = [("amount", "5.00"), ("currency", "usd")];
    let (here, gone) = (Facts::Customer(customer(false)), Facts::Customer(customer(true)));
    assert_eq!(on(OperationKind::BalanceCredit, &credit, &here).unwrap().amount(), Some(usd(500)));
    assert_eq!(on(OperationKind::BalanceCredit, &credit[..1], &here), Err(NotPossible::NoCurrency));
    assert_eq!(on(OperationKind::BalanceCredit, &credit, &gone), Err(NotPossible::Deleted));
    assert!(on(OperationKind::ChangeAccess, &[("change", "pause")], &here).is_ok());
    assert_eq!(
        on(OperationKind::ChangeAccess, &[("change", "delete")], &here),
        Err(NotPossible::Parameter("change"))
    );
    assert_eq!(on(OperationKind::ChangeAccess, &[("change", "pause")], &gone), Err(NotPossible::Deleted));
}

#[test]
fn a_message_goes_where_stripe_says_and_not_about_what_is_settled() {
    let operation = || Operation::SendMessage {
        case: "recovery:in_1".parse().unwrap(),
        customer: CustomerId::parse("cus_1").unwrap(),
        recipient: EmailAddress::parse("old@example.test").unwrap(),
        template: "t".into(),
        version: 1,
        locale: "en".into(),
        subject: Private::new("s"),
        body: Private::new("b"),
    };
    let facts = |customer, status| {
        let about = Some(Box::new(Facts::Invoice(invoice(status, 400))));
        Facts::Message(MessageFacts { customer, about })
    };
    let open = facts(customer(false), InvoiceStatus::Open);
    let Ok(Operation::SendMessage { recipient, .. }) = operation().on(&open, NOW) else { panic!() };
    assert_eq!(recipient.expose(), "customer@example.test");
    let paid = facts(customer(false), InvoiceStatus::Paid);
    assert!(matches!(operation().on(&paid, NOW), Err(NotPossible::State { .. })));
    let nowhere = facts(CustomerFacts { email: None, ..customer(false) }, InvoiceStatus::Open);
    assert_eq!(operation().on(&nowhere, NOW), Err(NotPossible::NoAddress));
    assert_ne!(open.digest(), nowhere.digest());
    assert_eq!(on(OperationKind::SendMessage, &[], &open), Err(NotPossible::NoTemplate), "not by hand");
}

#[test]
fn what_the_operation_does_not_take_is_refused_and_so_is_another_kind_of_object() {
    let facts = Facts::Charge(charge());
    let refused = on(OperationKind::Refund, &[("destination", "acct_2")], &facts);
    assert_eq!(refused, Err(NotPossible::UnknownParameter("destination".into())));
    assert_eq!(on(OperationKind::VoidInvoice, &[], &facts), Err(NotPossible::WrongObject));
}

#[test]
fn whatever_moves_a_digest_is_told_in_words() {
    let facts = |change: fn(&mut Charge)| {
        let mut charge = charge();
        change(&mut charge);
        Facts::Charge(charge)
    };
    let changes: [fn(&mut Charge); 10] = [
        |c| c.id = ChargeId::parse("ch_2").unwrap(),
        |c| c.status = ChargeStatus::Failed,
        |c| c.amount.amount = 1,
        |c| c.amount.currency = Currency::parse("eur").unwrap(),
        |c| c.amount_refunded.amount = 501,
        |c| c.customer = CustomerId::parse("cus_1").ok(),
        |c| c.payment_intent = crate::PaymentIntentId::parse("pi_1").ok(),
        |c| c.latest_refund = crate::RefundId::parse("re_1").ok(),
        |c| c.disputed = true,
        |c| c.livemode = true,
    ];
    let before = Facts::Charge(charge());
    assert_eq!(before.moved(&before), Vec::<String>::new());
    for (index, change) in changes.into_iter().enumerate() {
        let after = facts(change);
        assert_ne!(after.digest(), before.digest(), "change {index}");
        assert!(!before.moved(&after).is_empty(), "change {index}");
    }
    let latest = facts(|c| c.latest_refund = crate::RefundId::parse("re_1").ok());
    assert_eq!(before.moved(&latest), ["the latest refund was none and is re_1"]);

    let pairs = [
        (
            Facts::Invoice(invoice(InvoiceStatus::Open, 400)),
            Facts::Invoice(invoice(InvoiceStatus::Open, 399)),
        ),
        (
            Facts::Dispute(dispute(DisputeStatus::NeedsResponse)),
            Facts::Dispute(Dispute { submission_count: 1, ..dispute(DisputeStatus::NeedsResponse) }),
        ),
        (subscription(SubscriptionStatus::Active, false), subscription(SubscriptionStatus::Active, true)),
        (Facts::Customer(customer(false)), Facts::Customer(customer(true))),
        (before, Facts::Customer(customer(false))),
    ];
    for (then, now) in pairs {
        assert_ne!(then.digest(), now.digest(), "{then:?}");
        assert!(!then.moved(&now).is_empty(), "{then:?}");
        assert!(then.moved(&then).is_empty());
    }
}
