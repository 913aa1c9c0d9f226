use super::*;
use crate::{
    SubscriptionId,
    approval::{
        Decision, Identity, Ineligible, Method, Receipt, ReceiptBody, ReceiptKeys, ReceiptSigner,
        action::tests::sample, operation::tests::one_of_each,
    },
};

const POLICY: &str = "pol-3";
const NOW: Timestamp = Timestamp::from_seconds(1_750_003_000);

fn terms() -> Terms {
    Terms {
        rule: RuleId::parse("support-asks").unwrap(),
        allows: ReversibleOperation::PauseCollection,
        per_day: 2,
        until: NOW.plus(86_400),
    }
}

fn granting() -> Action {
    Action { operation: Operation::GrantMandate(terms()), ..sample() }
}

/// The recount of two signatures under an action that grants a mandate.
fn quorum(action: &Action) -> Grant {
    let signer = ReceiptSigner::new("r1", &[7; 32]).unwrap();
    let receipts: Vec<Receipt> = ["one", "two"]
        .map(|who| {
            signer.sign(ReceiptBody {
                id: format!("rc_{who}"),
                proposal: action.proposal.clone(),
                digest: action.digest(),
                decision: Decision::Approve,
                voter: Identity { team: "T".into(), user: who.into() },
                method: Method::Oidc,
                at: action.created.plus(60),
            })
        })
        .into();
    let voter = |receipt: &Receipt, _: &Action| -> Result<PersonId, Ineligible> {
        Ok(PersonId::parse(receipt.body.voter.user.as_str()).unwrap())
    };
    Grant::issue(action, action.digest(), &receipts, &ReceiptKeys::new([signer.public()]), &voter, 2).unwrap()
}

fn mandate() -> Mandate {
    Mandate::granted(&quorum(&granting()), NOW).unwrap()
}

fn pause() -> Action {
    Action {
        proposal: ProposalId::parse("ap_use").unwrap(),
        operation: Operation::PauseCollection {
            subscription: SubscriptionId::parse("sub_1").unwrap(),
            behavior: PauseBehavior::KeepAsDraft,
            resumes_at: None,
        },
        need: 1,
        ..sample()
    }
}

/// Everything that a use rests on.
struct Asked {
    mandate: Mandate,
    granting: Action,
    action: Action,
    rules: BTreeSet<String>,
    policy: &'static str,
    may_sign: fn(&PersonId) -> bool,
    need: u8,
    now: Timestamp,
}

fn asked() -> Asked {
    Asked {
        mandate: mandate(),
        granting: granting(),
        action: pause(),
        rules: ["support-asks".to_owned()].into(),
        policy: POLICY,
        may_sign: |_| true,
        need: 1,
        now: NOW,
    }
}

fn permit(change: impl FnOnce(&mut Asked)) -> Result<Grant, NoMandate> {
    let mut asked = asked();
    change(&mut asked);
    asked.mandate.permit(
        &quorum(&asked.granting),
        &Use {
            action: &asked.action,
            digest: asked.action.digest(),
            rules: &asked.rules,
            policy: asked.policy,
            may_sign: &asked.may_sign,
            need: asked.need,
            now: asked.now,
        },
    )
}

#[test]
fn a_use_within_the_terms_is_granted_on_the_mandates_signatures() {
    let grant = permit(|_| ()).unwrap();
    assert_eq!((grant.digest(), grant.signers().len()), (pause().digest(), 2));
    assert_eq!(grant.mandate(), Some(&mandate().id));
    assert_eq!(quorum(&granting()).mandate(), None);
}

#[test]
fn money_moves_by_no_mandate_since_there_is_no_word_for_it() {
    let reversible: Vec<_> = one_of_each().iter().filter_map(ReversibleOperation::of).collect();
    assert_eq!(reversible, [ReversibleOperation::ResumeCollection, ReversibleOperation::PauseAccess]);
    for operation in one_of_each() {
        let granted = permit(|asked| asked.action.operation = operation.clone());
        assert_eq!(granted, Err(NoMandate::OtherAction), "{operation}");
        if operation.amount().is_some() {
            assert_eq!(ReversibleOperation::of(&operation), None, "{operation}");
            assert_eq!(ReversibleOperation::parse(operation.name()), None, "{operation}");
        }
    }
    // The sample pauses by voiding invoices: that gives money up.
    let keep = ReversibleOperation::of(&pause().operation);
    assert_eq!(keep, Some(ReversibleOperation::PauseCollection));
}

#[test]
fn anything_that_differs_from_what_was_signed_asks_people() {
    type Change = fn(&mut Asked);
    let changes: [(&str, NoMandate, Change); 14] = [
        ("an edited cap", NoMandate::Tampered, |asked| asked.mandate.terms.per_day = 50),
        ("an edited policy", NoMandate::Tampered, |asked| asked.mandate.policy = "pol-4".into()),
        ("another granting proposal", NoMandate::Tampered, |asked| {
            asked.mandate.proposal = ProposalId::parse("ap_other").unwrap();
        }),
        ("a quorum for something else", NoMandate::Tampered, |asked| asked.granting = sample()),
        ("a mandate longer than any can be", NoMandate::Tampered, |asked| {
            asked.mandate.terms.until = asked.granting.created.plus(LONGEST + 1);
            asked.granting.operation = Operation::GrantMandate(asked.mandate.terms.clone());
        }),
        ("its last second over", NoMandate::Ended, |asked| asked.now = terms().until),
        ("stopped", NoMandate::Ended, |asked| {
            let by = PersonId::parse("one").unwrap();
            asked.mandate = asked.mandate.ended(End::Stopped { by }, NOW).unwrap();
        }),
        ("a changed policy", NoMandate::OtherPolicy, |asked| asked.policy = "pol-4"),
        ("proposed under another policy", NoMandate::OtherPolicy, |asked| {
            asked.action.policy = "pol-2".into();
        }),
        ("another rule", NoMandate::OtherAction, |asked| asked.rules = ["finance-asks".to_owned()].into()),
        ("another mode", NoMandate::OtherAction, |asked| asked.action.livemode = false),
        ("a requester who signed it", NoMandate::TooFew { got: 1, need: 2 }, |asked| {
            asked.action.requester = PersonId::parse("one").unwrap();
        }),
        ("a signer who may not sign this", NoMandate::TooFew { got: 1, need: 2 }, |asked| {
            asked.may_sign = |who| who.as_str() == "two";
        }),
        ("a stricter policy", NoMandate::TooFew { got: 2, need: 3 }, |asked| asked.need = 3),
    ];
    for (what, refused, change) in changes {
        assert_eq!(permit(change), Err(refused), "{what}");
    }
}

#[test]
fn it_is_used_as_often_as_signed_on_each_day_and_a_clock_that_is_behind_opens_none_again() {
    let once = mandate().used(NOW).unwrap();
    let twice = once.used(NOW).unwrap();
    assert_eq!((mandate().left(NOW), once.left(NOW), twice.left(NOW)), (2, 1, 0));
    assert_eq!(twice.used(NOW), Err(NoMandate::Spent));
    let tomorrow = NOW.plus(86_400);
    let third = twice.used(tomorrow).unwrap();
    assert_eq!(third.left(tomorrow), 1);
    assert_eq!(third.used(NOW), Err(NoMandate::Spent));
}

#[test]
fn it_ends_once_and_for_good() {
    let must = |now, policy, frozen| mandate().must_end(now, policy, frozen);
    assert_eq!(must(NOW, POLICY, false), None);
    assert_eq!(must(terms().until, POLICY, false), Some(End::Expired));
    assert_eq!(must(NOW, POLICY, true), Some(End::Frozen));
    assert_eq!(must(NOW, "pol-4", false), Some(End::PolicyChanged));
    let over = mandate().ended(End::Frozen, NOW).unwrap();
    assert_eq!(over.ended(End::Expired, NOW), None);
    assert_eq!(over.used(NOW), Err(NoMandate::Ended));
    assert_eq!(over.must_end(terms().until, "pol-4", true), None);
}

#[test]
fn what_undoes_a_reversible_operation_is_one_and_can_be_wished_for() {
    for one in ReversibleOperation::ALL {
        assert_eq!(one.opposite().opposite(), *one);
        let wish = one.wish(ObjectId::parse("sub_1").unwrap());
        assert!(wish.parameters.keys().all(|name| wish.kind.parameters().contains(&name.as_str())));
    }
}
