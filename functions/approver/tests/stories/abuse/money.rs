//! 43 to 54: what is done in Stripe, how much of it, and how often.

use std::collections::BTreeSet;

use approver::Checkpoints;
use domain::{
    ProposalId,
    approval::{Stage, idempotency_key},
};
use sandbox::{
    people::{FINANCE_LEAD, FINANCE_SECOND, SUPPORT},
    stripe::Fault,
};
use serde_json::Value;

use super::overwrite;
use crate::world::{Browser, LOGS, World, deliver};

type Overtake<'a> = &'a dyn Fn(&World, &str);

#[tokio::test]
async fn abuse_43_what_stripe_overtook_is_not_done() {
    let change = |world: &World, charge: &str, edit: &dyn Fn(&mut Value)| {
        let mut object = world.sandbox.stripe.object(charge).unwrap();
        edit(&mut object);
        world.sandbox.stripe.put_object(&object).unwrap();
    };
    let moves: [(&str, Overtake<'_>); 5] = [
        ("partial refund", &|world, charge| {
            world.sandbox.stripe.refund(charge, Some(100), "duplicate").unwrap();
        }),
        ("full refund", &|world, charge| {
            world.sandbox.stripe.refund(charge, None, "duplicate").unwrap();
        }),
        ("dispute", &|world, charge| {
            let due = world.clock.seconds() + 86_400;
            world.sandbox.stripe.open_dispute(charge, "fraudulent", 1999, due).unwrap();
        }),
        ("currency", &|world, charge| change(world, charge, &|object| object["currency"] = "eur".into())),
        ("customer", &|world, charge| {
            change(world, charge, &|object| object["customer"] = "cus_other".into());
        }),
    ];
    for (what, overtake) in moves {
        let world = World::new().await;
        let (id, charge) = world.proposed(1999).await;
        let mut lead = world.browser(FINANCE_LEAD).await;
        let (digest, csrf) = lead.token(&id).await;
        overtake(&world, &charge);
        let answer = lead.vote(&id, "approve", &digest, &csrf).await;
        assert_eq!(answer.status, 200, "{what}: {}", answer.body);
        assert!(answer.body.contains("It was not done"), "{what}: {}", answer.body);
        let stage = world.stage(&id).await;
        assert!(matches!(stage, Stage::Stale { .. }), "{what}: {stage:?}");
        assert_eq!(world.writes().len(), 0, "{what}");
        assert!(!world.sandbox.slack.messages().is_empty());
    }
}

#[tokio::test]
async fn abuse_45_an_amount_that_cannot_be_is_told_so() {
    let world = World::new().await;
    let charge = world.charge(1999);
    let (yen, dinar) = (world.charge_in(500, "jpy"), world.charge_in(1500, "kwd"));
    let big = world.charge(2_000_000);
    let disputed = world.charge(1999);
    let due = world.clock.seconds() + 86_400;
    world.sandbox.stripe.open_dispute(&disputed, "fraudulent", 1999, due).unwrap();
    let mut support = world.browser(SUPPORT).await;
    for (charge, amount, words) in [
        (charge.as_str(), "20.00", "only 19.99 usd"),
        (&charge, "0", "more than nothing"),
        (&charge, "0.00", "more than nothing"),
        (&charge, "-1", "like 19.99"),
        (&charge, "+1", "like 19.99"),
        (&charge, "1.999", "like 19.99"),
        (&charge, "1,000", "like 19.99"),
        (&charge, "1e1", "like 19.99"),
        (&charge, "0x10", "like 19.99"),
        (&charge, "1 0", "like 19.99"),
        (&charge, "1.", "like 19.99"),
        (&charge, ".5", "like 19.99"),
        (&charge, "\u{0661}\u{0669}", "like 19.99"),
        (&charge, "\u{ff11}", "like 19.99"),
        (&charge, "99999999999999999999", "like 19.99"),
        (&charge, "9223372036854775807", "like 19.99"),
        (&charge, "184467440737095516.16", "like 19.99"),
        // Five hundred yen have no decimals, and a dinar has three.
        (&yen, "5.00", "decimals as jpy has"),
        (&yen, "501", "only 500 jpy"),
        (&dinar, "1.5001", "decimals as kwd has"),
        (&dinar, "1.501", "only 1.500 kwd"),
        (&big, "10000.01", "policy does not let"),
        (&disputed, "1", "disputed"),
        ("ch_nowhere", "1", "no such object"),
        ("../refunds", "1", "no such object"),
        ("ch_1\u{200b}", "1", "no such object"),
    ] {
        let answer =
            support.ask("refund.create", charge, &[("amount", amount), ("reason", "duplicate")]).await;
        assert_eq!(answer.status, 422, "{charge} {amount}: {}", answer.body);
        assert!(answer.body.to_lowercase().contains(words), "{charge} {amount}: {}", answer.body);
    }
    assert!(world.approvals.proposals().await.unwrap().is_empty());
    assert_eq!(world.writes().len(), 0);
}

/// The idempotency keys of what was sent.
fn keys(world: &World) -> BTreeSet<String> {
    world.writes().into_iter().filter_map(|write| write.idempotency_key).collect()
}

#[tokio::test]
async fn abuse_48_an_answer_that_never_came_is_one_refund() {
    for fault in [Fault::DropAfterCommit, Fault::ServerError { commits: true }] {
        let world = World::new().await;
        let (id, _) = world.proposed(1999).await;
        world.sandbox.stripe.fault(fault.clone(), "POST /v1/refunds", 1);
        let answer = world.browser(FINANCE_LEAD).await.decide(&id, "approve").await;
        assert_eq!(answer.status, 200, "{fault:?}: {}", answer.body);
        world.wait(61);
        world.settle().await;
        assert!(matches!(world.stage(&id).await, Stage::Executed { .. }), "{fault:?}");
        assert_eq!((world.refunds(), keys(&world).len()), (1, 1), "{fault:?}");
    }
}

#[tokio::test]
async fn abuse_49_a_500_that_stripe_repeats_stays_unknown_under_one_key() {
    let world = World::new().await;
    let (id, _) = world.proposed(1999).await;
    world.sandbox.stripe.fault(Fault::ServerError { commits: false }, "POST /v1/refunds", 1);
    assert_eq!(world.browser(FINANCE_LEAD).await.decide(&id, "approve").await.status, 200);
    for _ in 0..30 {
        world.wait(3 * 3600);
        world.settle().await;
    }
    assert_eq!((world.stage(&id).await.name(), world.refunds()), ("unknown", 0));
    assert_eq!(keys(&world).len(), 1, "no new key is ever made");
    let first = world.writes()[0].at;
    let late = world.writes().into_iter().filter(|write| write.at >= first + 23 * 3600).count();
    assert_eq!(late, 0, "nothing is sent when the key may be forgotten");
}

#[tokio::test]
async fn abuse_51_a_key_that_stripe_knows_with_another_request_is_never_tried_again() {
    let world = World::new().await;
    let (id, charge) = world.proposed(1999).await;
    let key = idempotency_key(&id, world.file(&id).await.proposal().digest, 0);
    // Somebody with the write key used it for something else.
    let charged = world.sandbox.stripe.object(&charge).unwrap();
    let customer = charged["customer"].as_str().unwrap();
    let url = format!("{}/v1/customers/{customer}/balance_transactions", world.sandbox.urls.stripe);
    let base = runtime::http::Base::parse(&world.sandbox.urls.stripe).unwrap();
    let theirs = runtime::http::client(&[&base])
        .unwrap()
        .post(url)
        .bearer_auth(&world.sandbox.keys.stripe_write_key)
        .header("idempotency-key", &key)
        .header("content-type", "application/x-www-form-urlencoded")
        .body("amount=-1&currency=usd");
    assert_eq!(theirs.send().await.unwrap().status(), 200);
    let answer = world.browser(FINANCE_LEAD).await.decide(&id, "approve").await;
    assert!(answer.body.contains("Nobody knows yet"), "{}", answer.body);
    for _ in 0..8 {
        world.wait(3600);
        world.settle().await;
    }
    assert_eq!(world.stage(&id).await.name(), "unknown");
    assert_eq!(world.writes().len(), 2, "theirs, and ours once");
    let logged = LOGS.text();
    let alarm = |line: &&str| {
        line.contains("do not verify") && line.contains(id.as_str()) && line.contains("another request")
    };
    assert!(logged.lines().any(|line| alarm(&line)), "an alarm watches this");
}

#[tokio::test]
async fn abuse_52_a_run_killed_anywhere_in_an_execution_leaves_one_write() {
    for place in ["voted", "claimed", "reread", "sent", "settled"] {
        let world = World::new().await;
        let (id, _) = world.proposed(1999).await;
        let dying = world.dying(Checkpoints::new(move |at| at == place)).await;
        let mut lead = world.browser(FINANCE_LEAD).await;
        let (digest, csrf) = lead.token(&id).await;
        let mut doomed = Browser { app: &dying, cookies: lead.cookies.clone(), clock: None };
        assert_eq!(doomed.vote(&id, "approve", &digest, &csrf).await.status, 500, "{place}");
        world.settle().await;
        world.wait(61);
        world.settle().await;
        world.settle().await;
        assert!(matches!(world.stage(&id).await, Stage::Executed { .. }), "killed after {place}");
        assert_eq!(world.writes().len(), 1, "killed after {place}");
    }
}

#[tokio::test]
async fn abuse_53_a_charge_has_one_open_proposal() {
    let world = World::new().await;
    let (id, charge) = world.proposed(1999).await;
    let more = [("amount", "1.00"), ("reason", "duplicate")];
    for user in [SUPPORT, FINANCE_LEAD] {
        let answer = world.browser(user).await.ask("refund.create", &charge, &more).await;
        assert_eq!(answer.status, 409, "{}", answer.body);
        assert!(answer.body.contains(&format!("/a/{id}")), "{}", answer.body);
    }
    world.ask_in_stripe(&charge, "duplicate");
    let request = world.request(&charge).await;
    deliver(&world.app, &request).await;
    assert!(world.approvals.refusal(&request).await.unwrap().unwrap().body.contains("occupied"));
    assert_eq!((world.stage(&id).await, world.writes().len()), (Stage::Pending, 0));
    world.wait(3 * 86_400);
    let answer = world.browser(SUPPORT).await.ask("refund.create", &charge, &more).await;
    assert_eq!(answer.status, 303, "the one that ran out makes room");
    assert!(matches!(world.stage(&id).await, Stage::Expired { .. }));
    assert_eq!(world.writes().len(), 0);
}

#[tokio::test]
async fn abuse_54_an_executed_proposal_cannot_be_made_to_run_again() {
    let world = World::new().await;
    let charge = world.charge(1999);
    world.ask_in_stripe(&charge, "requested_by_customer:500");
    let request = world.request(&charge).await;
    deliver(&world.app, &request).await;
    let id = ProposalId::of(&request, 0);
    world.second_signs(&id).await;
    let mut finance = world.browser(FINANCE_LEAD).await;
    let (digest, csrf) = finance.token(&id).await;
    finance.decide(&id, "approve").await;
    for decision in ["approve", "deny"] {
        assert_eq!(finance.vote(&id, decision, &digest, &csrf).await.status, 409);
    }
    let mut second = world.browser(FINANCE_SECOND).await;
    let csrf = second.get(&format!("/a/{id}")).await.field("csrf");
    for (path, field) in [("withdraw", ""), ("looked", "done")] {
        let fields = [("csrf", csrf.as_str()), ("outcome", field), ("saw", "x")];
        let fields = if field.is_empty() { &fields[..1] } else { &fields[..] };
        let answer = second.post(&format!("/a/{id}/{path}"), fields).await;
        assert!(matches!(answer.status, 403 | 409), "{path}: {}", answer.status);
    }
    deliver(&world.app, &request).await;
    assert!(matches!(world.stage(&id).await, Stage::Executed { .. }));
    // Somebody sets it back by hand: Stripe moved on, so it goes to people again.
    let mut row = world.file(&id).await.row.value;
    row.proposal.stage = Stage::Pending;
    row.look = world.now();
    overwrite(&world, &row).await;
    world.settle().await;
    assert_eq!((world.writes().len(), world.refunds()), (1, 1));
}

#[tokio::test]
async fn small_parts_of_a_large_refund_need_as_many_signatures_as_the_whole() {
    let world = World::new().await;
    let charge = world.charge(100_000);
    let mut support = world.browser(SUPPORT).await;
    let part = |amount: &'static str| [("amount", amount), ("reason", "requested_by_customer")];
    let first = support.ask("refund.create", &charge, &part("500.00")).await.proposal();
    assert_eq!(world.file(&first).await.proposal().action.need, 1);
    world.browser(FINANCE_LEAD).await.decide(&first, "approve").await;
    assert_eq!(world.refunds(), 1);

    let second = support.ask("refund.create", &charge, &part("1.00")).await.proposal();
    assert_eq!(world.file(&second).await.proposal().action.need, 2, "500 USD went back already");
    world.browser(FINANCE_LEAD).await.decide(&second, "approve").await;
    assert_eq!(world.refunds(), 1, "one signature is not enough");
    world.browser(FINANCE_SECOND).await.decide(&second, "approve").await;
    assert_eq!(world.refunds(), 2);
}
